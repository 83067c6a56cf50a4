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
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.checks.views.output import Sections
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.settings import Settings

# In the order of the report.
_SECTIONS = ("Programs", "Keyring", "Environment", "AWS", "Project", "Sources", "Packages")
# Where it may stand why a package could not be looked for.
_REASONS = ("AWS", "Project", "Sources")


class _Quiet(Report):
    """Takes the place of the report: what it would say stands in the table."""

    def line(self, text: str, head: str = "") -> None:
        """Say nothing."""


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Look at everything, print it, and return 1 where something is wrong, else 0."""
    chosen = _parser().parse_args(list(arguments))
    # (Notes have account numbers in them.)
    talks = report.verbose and not chosen.redact
    quiet = report if talks else _Quiet(tells_progress=False)
    with report.working("looks at programs, AWS, sources and packages"):
        sections = examine(settings, quiet, chosen.package, offline=chosen.offline)
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
        show_sections(about, output, _unseen(sections, names))
    else:
        show_problems(sections, output)
    return int(failed)


def _findings_about(sections: Sections, names: Sequence[str]) -> Sections:
    """Return what was found of some packages, and what keeps others of them from being judged."""
    reasons = _REASONS if _unseen(sections, names) else ()

    def counts(title: str, finding: Finding) -> bool:
        is_reason = finding.level != OK and finding.subject != "Pipfile.lock"
        return _package_of(finding) in names or (title in reasons and is_reason)

    kept = {title: [f for f in found if counts(title, f)] for title, found in sections.items()}
    return {title: found for title, found in kept.items() if found}


def _unseen(sections: Sections, names: Sequence[str]) -> list[str]:
    """Return those of some packages that no index was asked for."""
    findings = (finding for found in sections.values() for finding in found)
    seen = {_package_of(finding) for finding in findings if finding.place is None}
    return [name for name in names if name not in seen]


def _package_of(finding: Finding) -> str | None:
    kind, _, name = finding.subject.partition(" ")
    return normalise(name) if kind == "package" else None


def examine(settings: Settings, report: Report, names: Sequence[str], *, offline: bool) -> Sections:
    """Look at everything once; at some packages only where they are named."""
    facts = Facts(LocalFacts(settings), report, names=names, offline=offline)
    sections: dict[str, list[Finding]] = {title: [] for title in _SECTIONS}
    told: set[tuple[str | None, str]] = set()
    for check in CHECKS:
        # (What one check says twice of a subject is about two things; another repeats it.)
        found = [f for f in check.run(facts) if f.code is None or (f.code, f.subject) not in told]
        for finding in found:
            sections[check.section_of(finding)].append(finding)
        told.update((finding.code, finding.subject) for finding in found)
    return {title: found for title, found in sections.items() if found}


def _package(word: str) -> str:
    """Read the name out of a requirement, such as ``name[extra]>=1``."""
    try:
        return Requirement(word).name
    except InvalidRequirement:
        raise argparse.ArgumentTypeError(f"{word!r} is not a package name") from None


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca doctor",
        description="Look at everything once: programs, AWS, sources, packages; show what is "
        "wrong. Exit status 1 where something is.",
        examples={
            "pipenv-ca doctor": "everything that the project needs",
            "pipenv-ca doctor acme-billing": "one package: who serves it, and if nobody, why",
            "pipenv-ca doctor --redact": "to be pasted into an issue",
        },
    )
    parser.add_argument("package", nargs="*", type=_package, help="look at these packages only")
    parser.add_argument("--all", action="store_true", help="show what is well too")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--offline", action="store_true", help="leave the network alone")
    parser.add_argument("--redact", action="store_true", help="shorten account numbers")
    return parser
