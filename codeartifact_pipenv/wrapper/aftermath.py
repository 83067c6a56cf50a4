"""Puts right what a killed run has left, at any next command; loaded by every one."""

from __future__ import annotations

import os

from codeartifact_pipenv.wrapper.private_folder import sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.journal import PutBack


def journal_folder(directory: str) -> str:
    """Return where journals are, below the folder for tokens and journals."""
    return os.path.join(directory, "journal")


def clean_up(settings: Settings, report: Report) -> None:
    """Put back this project's files and sweep private folders, where a run was killed.

    Where nothing was left, that is seen by a look into two folders. What another run is at
    work on is left to it, and what fails is no more than a warning: the command itself may
    have nothing to do with it.
    """
    from codeartifact_pipenv.errors import CodeArtifactPipenvError

    sweep()
    try:
        directory = settings.state_directory()
        # (Without such a place it would be a folder of whatever project this is.)
        names = os.listdir(journal_folder(directory)) if directory else []
    except (OSError, CodeArtifactPipenvError):
        return
    if directory is None or all(name.endswith((".lock", ".kept")) for name in names):
        return
    try:
        _put_back(directory, settings, report)
    except CodeArtifactPipenvError as error:
        report.warning(f"{error.sentence} {error.hint}")
    except OSError as error:
        report.note(f"what a killed run has left is not swept: {error}")


def tell_put_back(files: Sequence[PutBack], report: Report) -> None:
    """Say what was put back, and where what was in it is kept."""
    if not files:
        return
    paths = [file.path for file in files]
    said = [
        f"{' and '.join(paths)} were left torn by a killed run; all is as before it now."
        if len(paths) > 1
        else f"{paths[0]} was left torn by a killed run; it is as before it now."
    ]
    said += [
        f"Should you have edited {os.path.basename(file.path)} since, your text is in {file.kept}."
        for file in files
        if file.kept is not None
    ]
    report.warning(" ".join(said))


def _put_back(directory: str, settings: Settings, report: Report) -> None:
    from codeartifact_pipenv.errors import ConfigurationError, PipenvNotFoundError
    from codeartifact_pipenv.project.pipfile import pipfile_in_force, working_directory
    from codeartifact_pipenv.wrapper.executable import find_pipenv
    from codeartifact_pipenv.wrapper.journal import alone, recover

    def version() -> str | None:
        try:
            return find_pipenv(settings).version()
        except PipenvNotFoundError:
            return None

    try:
        pipfile = pipfile_in_force(os.environ, working_directory(), version)
    except ConfigurationError:
        return  # the command says so, where it needs a Pipfile
    with alone(pipfile, directory, None) as held:
        if pipfile is not None and held is not None:
            tell_put_back(recover(pipfile, directory), report)
