"""Finds the cause of a failed pipenv command.

pipenv reports "No matching distribution found" for nearly all causes. So the checks run in their
order, with the responses that the command saw; the first finding that can make it fail is the cause.
"""

from __future__ import annotations

import os

from codeartifact_pipenv.checks.facts import Facts
from codeartifact_pipenv.checks.local_facts import LocalFacts
from codeartifact_pipenv.checks.network.network_facts import QUICK
from codeartifact_pipenv.checks.registry import CHECKS
from codeartifact_pipenv.findings import FAILURE, OK, warning
from codeartifact_pipenv.lookups.parallel import ask_all
from codeartifact_pipenv.project.pipfile import load_project, working_directory
from codeartifact_pipenv.proxy_index.model import combined_sources_of
from codeartifact_pipenv.settings import parse_command_line
from codeartifact_pipenv.wrapper.failed_run import FailedRun
from codeartifact_pipenv.wrapper.pipenv_cli import find_pipenv, resolves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.checks.last_failure import LastFailure
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

# Time limit of an explanation.
_SECONDS = 4.5
# Sections of doctor's report that do not concern a command.
_UNRELATED_SECTIONS = frozenset({"AWS", "Keyring", "Programs"})
# Reported only without any other finding.
_LAST = frozenset({"no-answer", "package-not-seen"})
# Findings about files that make any command fail, then those that make some fail, which are
# reported only without a sure cause. The others are for lint and doctor.
_SURE = frozenset(
    {"path-missing", "pipfile-invalid", "source-incomplete", "url-invalid", "variable-unset"}
)
_ANY_COMMAND = frozenset({"near-miss", "pip-config-invalid", "variable-form"})
_DIRECT = frozenset({"login-left", "netrc-unreadable", "url-without-simple"})
_FROM_LOCK = frozenset(
    {"hashes-invalid", "lock-incomplete", "lock-index", "lock-invalid", "lock-loopback"}
    | {"lock-sources"}
)
_RESOLVING = frozenset(
    {"index-unknown", "marker-invalid", "name-invalid", "requires-invalid", "version-invalid"}
)
_DEPLOY = frozenset({"lock-outdated", "requires-invalid"})
_TIMEOUT = warning(
    "no-answer",
    "command",
    f"AWS or an index did not answer within {_SECONDS:g} seconds, so the cause is unknown.",
    "Run `pipenv-ca explain`, which waits longer.",
)


def explain(failed: FailedRun, settings: Settings, report: Report) -> Finding | None:
    """Return the cause of a failure within five seconds, if it is known.

    Raises:
        Exception: any error of a check.
    """

    def cause_or_error() -> Finding | Exception | None:
        try:
            return find_cause(Facts(LocalFacts(settings, failed), report, limits=QUICK))
        except Exception as error:  # noqa: BLE001 - raised in the caller's thread
            return error

    found = ask_all({"cause": cause_or_error}, _SECONDS).get("cause", _TIMEOUT)
    if isinstance(found, Exception):
        raise found
    return found


def explain_again(failure: LastFailure, settings: Settings, report: Report) -> Finding | None:
    """Return the cause of an earlier failure in the project as it is now, if it is known.

    Raises:
        CodeArtifactPipenvError: the project or pipenv is not found.
    """
    pipenv = find_pipenv(settings)
    project = load_project(os.environ, working_directory(), pipenv.version)
    settings.read_project(project.directory)
    combined_sources = None
    if not failure.is_direct:
        combined_sources = combined_sources_of(project, settings.words("private-packages"))
    line = parse_command_line(failure.words)
    failed = FailedRun(line, pipenv.command, project, None, combined_sources, None)
    return find_cause(Facts(LocalFacts(settings, failed), report))


def find_cause(facts: Facts) -> Finding | None:
    """Return the first finding that can make the command fail, if any."""
    last: list[Finding] = []
    for finding, is_sure in _candidates(facts):
        if is_sure:
            return finding
        last.append(finding)
    return min(last, key=lambda finding: finding.code in _LAST, default=None)


def _candidates(facts: Facts) -> Iterator[tuple[Finding, bool]]:
    """Yield findings that can make the command fail, and whether they are sure to."""
    failed = facts.run.failed
    fits = frozenset[str]() if failed is None else _codes_for(failed)
    for check in CHECKS:
        if check.section in _UNRELATED_SECTIONS:
            continue
        for finding in check.run(facts):
            code, is_environment = finding.code or "", check.section == "Environment"
            if finding.level == OK or code == "pipfile-missing":
                continue
            if code in _SURE or (finding.place is None and not is_environment):
                yield finding, code not in _LAST
            elif code in fits and finding.level == FAILURE:
                yield finding, False


def _codes_for(failed: FailedRun) -> frozenset[str]:
    """Return the codes of findings about files that can make a command fail."""
    line = failed.line
    fits = _ANY_COMMAND
    if failed.combined_sources is None:
        fits |= _DIRECT
    fits |= _RESOLVING if resolves(line.command, line.arguments) else _FROM_LOCK
    if "--deploy" in line.arguments:
        fits |= _DEPLOY
    return fits
