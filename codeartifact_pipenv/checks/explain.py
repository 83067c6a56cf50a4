"""After a pipenv that failed: the one cause that fits, or none.

pipenv says "No matching distribution found" for nearly all causes. So the checks are run, in their
order, with what the command has seen; the first finding that can make this command fail is told.
"""

from __future__ import annotations

import os

from codeartifact_pipenv.checks.facts import Facts
from codeartifact_pipenv.checks.local_facts import LocalFacts
from codeartifact_pipenv.checks.network.network_facts import QUICK
from codeartifact_pipenv.checks.registry import CHECKS
from codeartifact_pipenv.cli import split
from codeartifact_pipenv.findings import FAILURE, OK, warning
from codeartifact_pipenv.lookups.parallel import ask_all
from codeartifact_pipenv.project.pipfile import load_project, working_directory
from codeartifact_pipenv.wrapper.combined_sources import combined_sources_of
from codeartifact_pipenv.wrapper.commands import resolves
from codeartifact_pipenv.wrapper.executable import find_pipenv
from codeartifact_pipenv.wrapper.failed_run import FailedRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.checks.last_failure import LastFailure
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

# The most that an explanation may take, in seconds.
_SECONDS = 4.5
# Parts of doctor's report that say nothing of a command.
_OTHERS = frozenset({"AWS", "Keyring", "Programs"})
# What is told only if nothing else is found.
_LAST = frozenset({"no-answer", "package-not-seen"})
# Findings on files that make any command fail, and those that make some fail, which are told if
# nothing else is found. All others are for lint and doctor.
_ALWAYS = frozenset(
    {"path-missing", "pipfile-invalid", "source-incomplete", "url-invalid", "variable-unset"}
)
_ANY = frozenset({"near-miss", "pip-config-invalid", "variable-form"})
_DIRECT = frozenset({"login-left", "netrc-unreadable", "url-without-simple"})
_FROM_LOCK = frozenset(
    {"hashes-invalid", "lock-incomplete", "lock-index", "lock-invalid", "lock-loopback"}
    | {"lock-sources"}
)
_RESOLVING = frozenset(
    {"index-unknown", "marker-invalid", "name-invalid", "requires-invalid", "version-invalid"}
)
_DEPLOY = frozenset({"lock-outdated", "requires-invalid"})
_UNKNOWN = warning(
    "no-answer",
    "command",
    f"AWS or an index has not answered within {_SECONDS:g} seconds, so the cause is not known.",
    "Run `pipenv-ca explain`: it looks again, and waits longer.",
)


def explain(failed: FailedRun, settings: Settings, report: Report) -> Finding | None:
    """Return the cause of a failure, within five seconds; None if it is not known.

    Raises:
        Exception: whatever went wrong in looking for it.
    """

    def find_cause() -> Finding | Exception | None:
        try:
            return cause(Facts(LocalFacts(settings, failed), report, limits=QUICK))
        except Exception as error:  # noqa: BLE001 - for the caller, in its own thread
            return error

    found = ask_all({"cause": find_cause}, _SECONDS).get("cause", _UNKNOWN)
    if isinstance(found, Exception):
        raise found
    return found


def explain_again(failure: LastFailure, settings: Settings, report: Report) -> Finding | None:
    """Look for the cause of a failure in the project as it is now; None if it is not known.

    Raises:
        CodeArtifactPipenvError: the project or pipenv is not found.
    """
    pipenv = find_pipenv(settings)
    project = load_project(os.environ, working_directory(), pipenv.version)
    settings.read_project(project.directory)
    combined_sources = None
    if not failure.is_direct:
        combined_sources = combined_sources_of(project, settings.words("private-packages"))
    line = split(failure.words)
    failed = FailedRun(line, pipenv.command, project, None, combined_sources, None)
    return cause(Facts(LocalFacts(settings, failed), report))


def cause(facts: Facts) -> Finding | None:
    """Return the first finding that can have made the command fail; None if there is none."""
    last: list[Finding] = []
    for finding, is_sure in _findings(facts):
        if is_sure:
            return finding
        last.append(finding)
    return min(last, key=lambda finding: finding.code in _LAST, default=None)


def _findings(facts: Facts) -> Iterator[tuple[Finding, bool]]:
    """Yield what can have made the command fail, in order, and whether it surely did."""
    failed = facts.run.failed
    fits = frozenset[str]() if failed is None else _codes_for(failed)
    for check in CHECKS:
        if check.section in _OTHERS:
            continue
        for finding in check.run(facts):
            code, is_aside = finding.code or "", check.section == "Environment"
            if finding.level == OK or code == "pipfile-missing":
                continue
            if code in _ALWAYS or (finding.place is None and not is_aside):
                yield finding, code not in _LAST
            elif code in fits and finding.level == FAILURE:
                yield finding, False


def _codes_for(failed: FailedRun) -> frozenset[str]:
    """Return the codes of files that can make a command fail."""
    line = failed.line
    fits = _ANY
    if failed.combined_sources is None:
        fits |= _DIRECT
    fits |= _RESOLVING if resolves(line.command, line.arguments) else _FROM_LOCK
    if "--deploy" in line.arguments:
        fits |= _DEPLOY
    return fits
