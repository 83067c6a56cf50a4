"""After a pipenv that failed: the one cause that fits, or none.

pipenv says "No matching distribution found" for nearly all causes. So the checks are run, in their
order, with what the command has seen; the first finding that can make this command fail is told.
"""

from __future__ import annotations

from codeartifact_pipenv.checks.facts import QUICK, Facts
from codeartifact_pipenv.checks.registry import CHECKS
from codeartifact_pipenv.diagnosis.parallel import ask_all
from codeartifact_pipenv.findings import OK, warning
from codeartifact_pipenv.wrapper.route import resolves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.failed_run import FailedRun

# The most that an explanation may take, in seconds.
_SECONDS = 4.5
_SECTIONS = frozenset({"Project", "Sources", "Packages"})
# Findings that say something, and can not make a command fail.
_NEVER = frozenset({"pipfile-missing", "package-not-seen"})
# What is told only if nothing else is found.
_LAST = frozenset({"no-answer", "package-not-seen"})
# Codes of files, by what they make fail: others of files are told by lint and doctor alone.
_ALWAYS = frozenset({"pipfile-invalid", "source-incomplete", "variable-unset", "url-invalid"})
_DIRECT = frozenset({"url-without-simple", "variable-form", "near-miss"})
_FROM_LOCK = frozenset({"lock-invalid", "lock-index", "lock-sources"})
_RESOLVING = frozenset({"index-unknown"})
_DEPLOY = frozenset({"lock-outdated"})
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

    def look() -> Finding | Exception | None:
        try:
            return cause(Facts(settings, report, failed=failed, limits=QUICK))
        except Exception as error:  # noqa: BLE001 - for the caller, in its own thread
            return error

    answers = ask_all({"cause": look}, _SECONDS)
    if "cause" not in answers:
        return _UNKNOWN
    found = answers["cause"]
    if isinstance(found, Exception):
        raise found
    return found


def cause(facts: Facts) -> Finding | None:
    """Return the first finding that can have made the command fail; None if there is none."""
    last = None
    for finding in _findings(facts):
        if finding.code not in _LAST:
            return finding
        last = last or finding
    return last


def _findings(facts: Facts) -> Iterator[Finding]:
    """Yield what can have made the command fail, the likeliest first."""
    failed = facts.failed
    if failed is None:
        return
    fits = _ALWAYS | _codes_for(failed)
    for check in CHECKS:
        if check.section not in _SECTIONS:
            continue
        for finding in check.run(facts):
            if finding.level == OK or finding.code in _NEVER:
                continue
            if finding.place is None or finding.code in fits:
                yield finding


def _codes_for(failed: FailedRun) -> frozenset[str]:
    """Return the codes of files that can make a command fail."""
    line = failed.line
    fits: frozenset[str] = frozenset()
    if failed.completion is None:
        fits |= _DIRECT
    fits |= _RESOLVING if resolves(line.command, line.arguments) else _FROM_LOCK
    if "--deploy" in line.arguments:
        fits |= _DEPLOY
    return fits
