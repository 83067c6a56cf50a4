"""The entry point: an own verb, or pipenv. The only place that turns an error into text."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import CommandLine, Settings
    from codeartifact_pipenv.wrapper.failed_run import FailedRun

_NEAR = 0.75  # as difflib measures it: "doctr" is 0.91 of "doctor"


def main(*, reads_only: bool = False) -> int:
    """Run the command line of this process and return its exit status.

    Args:
        reads_only: If true, do not remove files left behind by killed runs.
    """
    from codeartifact_pipenv.errors import CodeArtifactPipenvError
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.wrapper.pipenv_cli import ExecPipenv

    report = Report()
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from codeartifact_pipenv.terminal.streams import open_closed

        open_closed()
    try:
        status = _dispatch(report, reads_only=reads_only)
        sys.stdout.flush()
        return _exit_status(status)
    except ExecPipenv as leave:
        pipenv = leave
    except CodeArtifactPipenvError as error:
        report.error(error.sentence, error.hint, error.code)
        return _exit_status(error.exit_code)
    except KeyboardInterrupt:
        return _exit_status(130)
    except Exception as error:  # noqa: BLE001 - a bug here; a traceback could print secrets
        return _exit_status(_report_path_error(error, report) or _report_bug(error, report))
    # Outside of these handlers: errors and ctrl-C are pipenv's own, too.
    return pipenv()


def _exit_status(status: int) -> int:
    """Return an exit status, or exit with it if threads of the proxy index are still at work.

    The user does not wait for an index that does not answer; and a thread in the middle of TLS
    crashes the process while the interpreter shuts down.
    """
    from codeartifact_pipenv.terminal.streams import drop_unwritten

    drop_unwritten(sys.stdout)
    drop_unwritten(sys.stderr)
    index = sys.modules.get("codeartifact_pipenv.proxy_index.index")
    if index is not None and index.is_at_work():
        os._exit(status)
    return status


def _report_path_error(error: Exception, report: Report) -> int:
    """Report a missing working directory or a path that is too long, if that is the fault."""
    from codeartifact_pipenv.errors import CodeArtifactPipenvError, check_length
    from codeartifact_pipenv.project.pipfile import working_directory

    try:
        if isinstance(error, OSError):
            working_directory()
            check_length(error.filename)
    except CodeArtifactPipenvError as cause:
        report.error(cause.sentence, cause.hint, cause.code)
        return cause.exit_code
    return 0


def _report_bug(error: Exception, report: Report) -> int:
    """Report a fault of this program and its place, with secrets masked."""
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


def _dispatch(report: Report, *, reads_only: bool) -> int:
    from codeartifact_pipenv.cli import OWN_VERBS
    from codeartifact_pipenv.settings import Settings, parse_command_line

    if asked := os.environ.get("_PIPENV_CA_COMPLETE"):
        from codeartifact_pipenv.shell_completion.cli import main as complete
        from codeartifact_pipenv.terminal.streams import guard_stdout

        guard_stdout()
        return complete(asked, _own_help)
    line = parse_command_line(sys.argv[1:])
    if "help" in line.options or "version" in line.options:
        return _print_help_or_version(line)
    settings = Settings(line.options, os.environ)
    report.verbose = settings.flag("verbose")
    for warning in settings.unknown_variables():
        report.warning(warning)
    if line.command not in OWN_VERBS or _is_pipenv_command(line.command, settings):
        return _run_pipenv(line, settings, report)
    if not reads_only and line.command not in READ_ONLY:
        from codeartifact_pipenv.wrapper.run_files import sweep

        sweep()
    _refuse_options_before_verb(line)
    return _run_verb(line, settings, report)


def _print_help_or_version(line: CommandLine) -> int:
    from codeartifact_pipenv import __version__, cli
    from codeartifact_pipenv.terminal.streams import guard_stdout

    guard_stdout()
    is_help = "help" in line.options
    said = cli.help_text("pipenv-ca") if is_help else f"codeartifact-pipenv {__version__}"
    sys.stdout.write(f"{said}\n")
    return 0


def _run_pipenv(line: CommandLine, settings: Settings, report: Report) -> int:
    from codeartifact_pipenv.errors import CodeArtifactPipenvError
    from codeartifact_pipenv.wrapper.flow import run_pipenv

    _refuse_misspelt(line.command, settings)

    def explain(failed: FailedRun) -> Finding | None:
        from codeartifact_pipenv.checks.explain import explain as cause_of
        from codeartifact_pipenv.checks.last_failure import save_failure

        found = None
        try:
            with report.working("looks for the cause"):
                found = cause_of(failed, settings, report)
        finally:
            is_direct = failed.combined_sources is None
            save_failure(settings, line, is_direct=is_direct, code=found.code if found else None)
        return found

    try:
        return run_pipenv(line, settings, report, explain)
    except CodeArtifactPipenvError as error:
        from codeartifact_pipenv.checks.last_failure import save_failure

        save_failure(settings, line, is_direct=False, code=error.code)
        raise


def _refuse_misspelt(word: str | None, settings: Settings) -> None:
    """Raise UsageError for a word that is nearly an own verb, and not a command of pipenv."""
    from codeartifact_pipenv.wrapper.pipenv_cli import COMMANDS

    if word is None or word in COMMANDS:
        return
    from difflib import get_close_matches

    from codeartifact_pipenv.cli import OWN_VERBS

    nearest = get_close_matches(word, [*OWN_VERBS, *COMMANDS], n=1, cutoff=_NEAR)
    verb = nearest[0] if nearest else ""
    if verb not in OWN_VERBS or _is_pipenv_command(word, settings):
        return
    from codeartifact_pipenv.errors import UsageError

    raise UsageError(
        f"{word} is not a command of pipenv or of codeartifact-pipenv.",
        f"Did you mean `pipenv-ca {verb}`? `pipenv-ca --help` lists all of them.",
    )


def _refuse_options_before_verb(line: CommandLine) -> None:
    """Raise UsageError where an option stands before an own verb: it would have no effect."""
    before = next((word for word in line.rest[: line.command_at] if word != "--"), None)
    if before is None:
        return
    from codeartifact_pipenv.errors import UsageError

    raise UsageError(
        f"{before} stands before {line.command}, where only options that begin with --ca- count.",
        f"Write it after {line.command}; `pipenv-ca {line.command} --help` lists its options.",
    )


def _is_pipenv_command(word: str, settings: Settings) -> bool:
    # `codeartifact-pipenv VERB` and `python -m codeartifact_pipenv VERB` are always ours.
    program = os.path.basename(sys.argv[0]).removesuffix(".exe")
    if program in {"codeartifact-pipenv", "__main__.py"}:
        return False
    from codeartifact_pipenv.errors import PipenvNotFoundError
    from codeartifact_pipenv.wrapper.pipenv_cli import find_pipenv

    try:
        return find_pipenv(settings).has_command(word)
    except PipenvNotFoundError:
        return False


# Where each own verb is, as module:function; only the one that is asked for is imported.
VERBS = {
    "config": "clients.show_settings:main",
    "doctor": "checks.views.doctor_cli:main",
    "env": "clients.show_environment:main",
    "explain": "checks.views.explain_cli:main",
    "fix": "checks.views.fix_cli:main",
    "lint": "checks.views.lint_cli:main",
    "login": "clients.login_cli:main_login",
    "logout": "clients.login_cli:main_logout",
    "mcp": "assistant.cli:main",
    "packages": "clients.show_packages:main",
    "provision": "provision.cli:main",
    "sandbox": "sandbox.cli:main",
    "token": "clients.show_token:main",
}
# Verbs that change nothing at all: they do not remove files of a killed run either.
READ_ONLY = {"config", "explain", "mcp"}
# Verbs that need an extra of the same name, and what the extra is called.
EXTRAS = {"mcp": "The server for assistants", "sandbox": "The sandbox"}


def _run_verb(line: CommandLine, settings: Settings, report: Report) -> int:
    from importlib import import_module

    from codeartifact_pipenv.terminal.streams import guard_stdout

    guard_stdout()
    word = line.command or ""
    module, _, function = VERBS[word].partition(":")
    try:
        verb = getattr(import_module(f"codeartifact_pipenv.{module}"), function)
        # (The sandbox stands alone: it knows neither settings nor report.)
        status: int = verb(line.arguments, *(() if word == "sandbox" else (settings, report)))
    except SystemExit as ended:  # (argparse has printed a help)
        return ended.code if isinstance(ended.code, int) else 0
    except ModuleNotFoundError as error:
        if word not in EXTRAS:
            raise
        raise _needs_extra(word) from error
    return status


def _needs_extra(word: str) -> Exception:
    from codeartifact_pipenv.errors import CodeArtifactPipenvError
    from codeartifact_pipenv.terminal.install_hint import install_command

    return CodeArtifactPipenvError(
        f"{EXTRAS[word]} is not installed: it is an extra.", f"Run `{install_command(word)}`."
    )


def _own_help(words: Sequence[str]) -> str:
    """Return the help of an own verb; '' where it needs an extra that is not installed."""
    import contextlib
    import io

    from codeartifact_pipenv.errors import CodeArtifactPipenvError
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import CommandLine, Settings

    shown = io.StringIO()
    line = CommandLine({}, [*words, "--help"], 0)
    with (
        contextlib.redirect_stdout(shown),
        contextlib.suppress(CodeArtifactPipenvError),
    ):
        _run_verb(line, Settings({}, {}), Report())
    return shown.getvalue()


if __name__ == "__main__":
    sys.exit(main())
