"""The command line of ``pipenv-ca doctor``."""

from __future__ import annotations

import argparse

from packaging.requirements import InvalidRequirement, Requirement

from codeartifact_pipenv.checks.facts import Facts
from codeartifact_pipenv.checks.local_facts import LocalFacts
from codeartifact_pipenv.checks.registry import CHECKS
from codeartifact_pipenv.checks.views.output import (
    Output,
    cleaner,
    sections_json,
    show_problems,
    show_sections,
)
from codeartifact_pipenv.findings import FAILURE, OK
from codeartifact_pipenv.project.pipfile import normalise
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.checks.views.output import Sections
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.settings import Settings

# Sections in the order of the report.
_SECTIONS = ("Programs", "Keyring", "Environment", "AWS", "Project", "Sources", "Packages")
# Sections that can explain why a package was not looked up.
_REASONS = ("AWS", "Project", "Sources")


class _SilentReport(Report):
    """Prints nothing, because the table shows the same."""

    def line(self, text: str, head: str = "") -> None:
        """Print nothing."""


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print the report and return 1 if it has failures, else 0."""
    chosen = _parser().parse_args(list(arguments))
    # Notes contain account numbers.
    shows_notes = report.verbose and not chosen.redact
    notes = report if shows_notes else _SilentReport(tells_progress=False)
    with report.working("checks programs, AWS, sources and packages"):
        sections = run_checks(settings, notes, chosen.package, offline=chosen.offline)
    names = [normalise(name) for name in chosen.package]
    about = _findings_about(sections, names) if names else sections
    failed = any(f.level == FAILURE for found in about.values() for f in found)
    clean = cleaner(accounts=chosen.redact)
    output = Output(clean)
    if chosen.json:
        output.line(sections_json(sections, clean, is_well=not failed))
    elif chosen.all:
        show_sections(sections, output)
    elif names:
        show_sections(about, output, _not_looked_up(sections, names))
    else:
        show_problems(sections, output)
    return int(failed)


def _findings_about(sections: Sections, names: Sequence[str]) -> Sections:
    """Return the findings about packages, and the reasons that some were not looked up."""
    reasons = _REASONS if _not_looked_up(sections, names) else ()

    def counts(title: str, finding: Finding) -> bool:
        is_reason = finding.level != OK and finding.subject != "Pipfile.lock"
        return _package_of(finding) in names or (title in reasons and is_reason)

    kept = {title: [f for f in found if counts(title, f)] for title, found in sections.items()}
    return {title: found for title, found in kept.items() if found}


def _not_looked_up(sections: Sections, names: Sequence[str]) -> list[str]:
    """Return the packages that were not looked up in any index."""
    findings = (finding for found in sections.values() for finding in found)
    seen = {_package_of(finding) for finding in findings if finding.place is None}
    return [name for name in names if name not in seen]


def _package_of(finding: Finding) -> str | None:
    kind, _, name = finding.subject.partition(" ")
    return normalise(name) if kind == "package" else None


def run_checks(
    settings: Settings, report: Report, names: Sequence[str], *, offline: bool
) -> Sections:
    """Return the findings of all checks by section; ``names`` limits the packages."""
    facts = Facts(LocalFacts(settings), report, names=names, offline=offline)
    sections: dict[str, list[Finding]] = {title: [] for title in _SECTIONS}
    reported: set[tuple[str | None, str]] = set()
    for check in CHECKS:
        # Drop repetitions of an earlier check, but not within one check.
        found = [
            f for f in check.run(facts) if f.code is None or (f.code, f.subject) not in reported
        ]
        for finding in found:
            sections[check.section_of(finding)].append(finding)
        reported.update((finding.code, finding.subject) for finding in found)
    return {title: found for title, found in sections.items() if found}


def _package(word: str) -> str:
    """Return the name in a requirement, such as ``name[extra]>=1``."""
    try:
        return Requirement(word).name
    except InvalidRequirement:
        raise argparse.ArgumentTypeError(f"{word!r} is not a package name") from None


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca doctor",
        description="Check programs, AWS, sources and packages, and show problems. Exit status 1 "
        "if there are failures.",
        examples={
            "pipenv-ca doctor": "everything that the project needs",
            "pipenv-ca doctor acme-billing": "one package: its source, or why it is missing",
            "pipenv-ca doctor --redact": "a report for an issue",
        },
    )
    parser.add_argument("package", nargs="*", type=_package, help="check only these packages")
    parser.add_argument("--all", action="store_true", help="show passed checks too")
    parser.add_argument("--json", action="store_true", help="print all results as JSON")
    parser.add_argument("--offline", action="store_true", help="make no network requests")
    parser.add_argument("--redact", action="store_true", help="shorten account numbers")
    return parser
