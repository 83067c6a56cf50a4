"""The entry point: an own verb, or pipenv. The only place that turns an error into text."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main() -> int:
    """Run the command line of this process and return its exit status."""
    from codeartifact_pipenv.errors import CodeArtifactPipenvError
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.wrapper.executable import BecomePipenv

    report = Report()
    try:
        return _dispatch(report)
    except BecomePipenv as become:
        pipenv = become
    except CodeArtifactPipenvError as error:
        report.error(error.sentence, error.hint, error.code)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - a fault of ours; Python would print what it holds
        return _tell_fault(error, report)
    # Here, where no handler of ours is in force: errors and ctrl-C are pipenv's own too.
    return pipenv()


def _tell_fault(error: Exception, report: Report) -> int:
    """Say that this program is at fault, and where, with whatever is secret in it masked."""
    import traceback

    from codeartifact_pipenv import __version__

    lines = "".join(traceback.format_exception(error)).splitlines()
    for line in lines:
        report.note(line)
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}, line {last.lineno}"
    report.error(
        f"codeartifact-pipenv {__version__} is at fault: {lines[-1].rstrip('.')} ({place}).",
        "Please report it, with what `--ca-verbose` adds: secrets are masked in it.",
    )
    return 1


def _dispatch(report: Report) -> int:
    from codeartifact_pipenv import cli
    from codeartifact_pipenv.settings import Settings

    line = cli.split(sys.argv[1:])
    program = os.path.basename(sys.argv[0]).removesuffix(".exe")
    if "help" in line.options:
        sys.stdout.write(f"{cli.help_text('pipenv-ca')}\n")
        return 0
    if "version" in line.options:
        from codeartifact_pipenv import __version__

        sys.stdout.write(f"codeartifact-pipenv {__version__}\n")
        return 0
    settings = Settings(line.options, os.environ)
    report.verbose = settings.flag("verbose")
    if line.command in cli.OWN_VERBS and not _is_pipenvs(line.command, program, settings):
        return _run_verb(line, settings, report)
    from codeartifact_pipenv.wrapper.flow import run_pipenv

    return run_pipenv(line, settings, report)


def _is_pipenvs(word: str, program: str, settings: Settings) -> bool:
    # `codeartifact-pipenv VERB` and `python -m codeartifact_pipenv VERB` are always ours.
    if program in {"codeartifact-pipenv", "__main__.py"}:
        return False
    from codeartifact_pipenv.errors import PipenvNotFoundError
    from codeartifact_pipenv.wrapper.executable import find_pipenv

    try:
        return find_pipenv(settings).knows(word)
    except PipenvNotFoundError:
        return False


# Where each own verb is, as module:function; only the one that is asked for is imported.
VERBS = {
    "doctor": "doctor.cli:main",
    "env": "clients.show_environment:main",
    "fix": "lint.fix_cli:main",
    "lint": "lint.cli:main",
    "login": "clients.login_cli:main_login",
    "logout": "clients.login_cli:main_logout",
    "packages": "clients.show_packages:main",
    "provision": "provision.cli:main",
    "token": "clients.show_token:main",
}


def _run_verb(line: CommandLine, settings: Settings, report: Report) -> int:
    from codeartifact_pipenv.wrapper.aftermath import clean_up

    clean_up(settings, report)
    if line.command in VERBS:
        from importlib import import_module

        module, _, function = VERBS[line.command].partition(":")
        verb = getattr(import_module(f"codeartifact_pipenv.{module}"), function)
        status: int = verb(line.arguments, settings, report)
        return status
    from codeartifact_pipenv.errors import CodeArtifactPipenvError

    try:
        from codeartifact_pipenv.sandbox import cli as sandbox
    except ModuleNotFoundError as error:
        raise CodeArtifactPipenvError(
            f"The sandbox needs {error.name}, which is not installed.",
            "Install its extra: pip install 'codeartifact-pipenv[sandbox]'.",
        ) from error
    return sandbox.main(line.arguments)


if __name__ == "__main__":
    sys.exit(main())
