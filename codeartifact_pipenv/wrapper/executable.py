"""Which pipenv is run, and how control passes to it."""

from __future__ import annotations

import contextlib
import os
import sys

from codeartifact_pipenv.files.reading import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from codeartifact_pipenv.settings import Settings

# The newest pipenv whose commands the tests compare with our own verbs.
NEWEST_TESTED = "2026.10.3"
_HELP_SECONDS = 30.0


class ExecPipenv(BaseException):
    """Raised to leave this program's own code: the rest of the process is pipenv's."""

    def __init__(self, script: str, arguments: Sequence[str]) -> None:
        super().__init__(script)
        self._argv = [script, *arguments]

    def __call__(self) -> NoReturn:
        """Go on as pipenv; SystemExit carries its exit status."""
        sys.argv = self._argv
        from pipenv import cli

        sys.exit(cli())


class Pipenv:
    """A pipenv that can be run.

    Attributes:
        command: the words that start it, before its own arguments.
        own: whether it is the one of this program's environment.
    """

    def __init__(self, command: list[str], *, own: bool) -> None:
        self.command = command
        self.own = own

    def version(self) -> str | None:
        """Return its version, read from its files; None if they are not found.

        (Asking it costs a third of a second.)
        """
        script = os.path.realpath(self.command[-1])
        library = os.path.join(os.path.dirname(os.path.dirname(script)), "lib")
        roots = sys.path if self.own else _site_packages(library)
        for root in roots:
            try:
                said = read_text(os.path.join(root, "pipenv", "__version__.py"))
                return said.partition('__version__ = "')[2].partition('"')[0] or None
            except (OSError, ValueError):
                continue
        return None

    def knows(self, word: str) -> bool:
        """Whether a word is one of its commands, should a later pipenv take one of our verbs."""
        version = self.version()
        if version is not None and version_numbers(version) <= version_numbers(NEWEST_TESTED):
            return False
        from codeartifact_pipenv.processes.capture import output_of

        shown = output_of([*self.command, "--help"], seconds=_HELP_SECONDS) or ""
        return any(line.split()[:1] == [word] for line in shown.splitlines())

    def exec_pipenv(self, arguments: Sequence[str]) -> NoReturn:
        """Become pipenv: nothing of this program follows.

        The pipenv of this program's own environment is called in this process, by the entry
        point that its script calls: it is the same interpreter, and starting that again would
        cost more than all that was done before. Any other pipenv replaces the process.

        Raises:
            ExecPipenv: for the entry point to call.
            PipenvNotExecutableError, PipenvNotFoundError: it cannot be started.
        """
        if self.own and not _is_run_as_module():
            raise ExecPipenv(self.command[0] if len(self.command) == 1 else "pipenv", arguments)
        words = [*self.command, *arguments]
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            if sys.platform == "win32":
                from codeartifact_pipenv.processes.child import exit_like_child, signals

                with signals() as received:
                    sys.exit(exit_like_child(received.run(words, os.environ)))
            os.execv(words[0], words)
        except OSError as error:
            raise cannot_start(words[0], error) from error


def find_pipenv(settings: Settings) -> Pipenv:
    """Find the pipenv to run: the one that a setting names, else that of this environment.

    Raises:
        PipenvNotFoundError: pipenv is not installed.
    """
    named = settings.text("pipenv")
    if named is not None:
        program = _locate(named)
        fault = _fault(program)
        if fault is not None:
            from codeartifact_pipenv.errors import ConfigurationError

            raise ConfigurationError(
                f"The pipenv setting names {program}, which is {fault[0]}.", fault[1]
            )
        return Pipenv([program], own=False)
    suffix = ".exe" if sys.platform == "win32" else ""
    script = os.path.join(os.path.dirname(sys.executable), f"pipenv{suffix}")
    if os.path.isfile(script):
        return Pipenv([script], own=True)
    import importlib.util

    if importlib.util.find_spec("pipenv") is not None:
        starter = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start_pipenv.py")
        return Pipenv([sys.executable, starter], own=True)
    from codeartifact_pipenv.errors import PipenvNotFoundError

    raise PipenvNotFoundError(
        "There is no pipenv in the environment of codeartifact-pipenv.",
        "Install pipenv there, or name one with --ca-pipenv or PIPENV_CA_PIPENV.",
    )


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparison; other parts are left out."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def cannot_start(program: str, error: OSError) -> Exception:
    """Return the error to raise where a program could not be started."""
    from codeartifact_pipenv.errors import PipenvNotExecutableError, PipenvNotFoundError

    if isinstance(error, FileNotFoundError):
        return PipenvNotFoundError(
            f"{program} cannot be started: it, or the interpreter that it names, does not exist.",
            "Install pipenv again, or name another one with --ca-pipenv.",
        )
    return PipenvNotExecutableError(
        f"{program} cannot be run: {error.strerror or error}.",
        "Make it executable, or name another one with --ca-pipenv.",
    )


def _locate(named: str) -> str:
    if os.path.dirname(named):
        return os.path.abspath(named)
    import shutil

    ours = None
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        # Windows, and a PATH with a dot in it, look in this folder, which may be anybody's project.
        found = shutil.which(named, path=folder) if os.path.isabs(folder) else None
        if found is None or not os.path.isabs(found):
            continue
        if not _is_ours(found):
            return found
        ours = ours or found  # it stands in for pipenv
    if ours is not None:
        return ours
    from codeartifact_pipenv.errors import PipenvNotFoundError

    raise PipenvNotFoundError(
        f"There is no {named} on PATH.", "Correct the pipenv setting, or give a full path."
    )


def _site_packages(library: str) -> list[str]:
    try:
        versions = sorted(os.listdir(library))
    except OSError:
        return []
    # (On Windows there is no folder for a version.)
    return [os.path.join(library, name, "site-packages") for name in [*versions, ""]]


def _is_run_as_module() -> bool:
    # pipenv up to 2025 takes its name for messages from the main module's package.
    return bool(getattr(sys.modules["__main__"], "__package__", None))


def _fault(program: str) -> tuple[str, str] | None:
    """Return why a program must not be run as pipenv, and what to do; None if it may."""
    if sys.platform == "win32" and program.lower().endswith((".bat", ".cmd")):
        return (
            "a batch file, and so cmd would read > and % in your words",
            "Name the pipenv.exe that it starts; `pyenv which pipenv` prints that of pyenv.",
        )
    if _is_ours(program):
        return (
            "this program itself",
            "Name the pipenv to run, or unset it to use the one of this environment.",
        )
    return None


def _is_ours(program: str) -> bool:
    own = sys.argv[0].removesuffix(".exe")
    names = ("pipenv-ca", "codeartifact-pipenv")
    for path in (own, *(os.path.join(os.path.dirname(os.path.realpath(own)), n) for n in names)):
        for known in (path, f"{path}.exe"):
            with contextlib.suppress(OSError):
                if os.path.samefile(program, known):
                    return True
    return False
