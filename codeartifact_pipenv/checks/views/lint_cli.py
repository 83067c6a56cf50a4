"""The command line of ``pipenv-ca lint``."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.checks.files.review import Reviewed, projects_at
from codeartifact_pipenv.checks.views.output import Output, counted, findings_json, github_lines
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.findings import FAILURE, WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.checks.files.project_file import File
    from codeartifact_pipenv.checks.files.review import Online, Paths
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Review projects, print what is wrong, and return 1 where it is too much, else 0."""
    chosen = _parser().parse_args(list(arguments))
    online = online_of(settings, report) if chosen.online else None
    projects = projects_at(chosen.paths, os.environ)
    seen = _Seen([], {}, [])
    status = 0
    for paths in projects:
        try:
            found = Reviewed(paths, settings, os.environ, online)
        except ConfigurationError as error:
            # The others are reviewed all the same.
            report.error(error.sentence, error.hint, error.code)
            status = error.exit_code
            continue
        seen.findings.extend(found.findings)
        if chosen.online:
            from codeartifact_pipenv.checks.registry import online_findings

            seen.findings.extend(online_findings(found, settings, report))
        seen.files.update(found.files)
        seen.fixable.extend(_fixable(paths, settings, found))
    if seen.findings or status == 0:
        _show(seen, _form(chosen), len(projects), online="--online" if chosen.online else "")
    failing = (FAILURE, WARNING) if chosen.severity == "warning" else (FAILURE,)
    return status or int(any(finding.level in failing for finding in seen.findings))


class _Seen(NamedTuple):
    """What was found in all projects, the files, and what of it `fix` would repair."""

    findings: list[Finding]
    files: dict[str, File]
    fixable: list[Finding]


def _fixable(paths: Paths, settings: Settings, found: Reviewed) -> list[Finding]:
    if not found.findings:
        return []
    from codeartifact_pipenv.checks.views.fixes import fixable

    return fixable(paths, settings, os.environ, found)


def _show(seen: _Seen, form: str, projects: int, *, online: str) -> None:
    output = Output()
    if form == "json":
        output.line(findings_json(seen.findings, seen.files, seen.fixable))
        return
    if form == "github":
        for line in github_lines(seen.findings):
            output.line(line)
    else:
        for finding in seen.findings:
            output.finding(finding, seen.files.get(finding.path))
    where = "" if projects == 1 else f" in {projects} projects"
    repairs = ""
    if seen.fixable:
        command = f"pipenv-ca fix {online}".rstrip()
        count = f"{len(seen.fixable)} of {len(seen.findings)}"
        repairs = f" {count} can be repaired by `{command}`."
    said = counted(seen.findings)
    output.line(f"Found {said}{where}.{repairs}" if said else f"All is well{where}.")


def online_of(settings: Settings, report: Report) -> Online:
    """Return what asks the repositories; what it needs is loaded here."""
    from codeartifact_pipenv.checks.network.private_names import Online

    return Online(settings, report)


def _form(chosen: argparse.Namespace) -> str:
    if chosen.format is not None:
        return str(chosen.format)
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"


def project_parser(verb: str, description: str, examples: Mapping[str, str]) -> Parser:
    """Return the parser of a verb that takes projects."""
    parser = Parser(prog=f"pipenv-ca {verb}", description=description, examples=examples)
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="folders, Pipfiles or locks (default: here)"
    )
    return parser


def add_online(parser: Parser) -> None:
    """Add the option ``--online``."""
    parser.add_argument(
        "--online",
        action="store_true",
        help="ask the repositories which packages are private; names that they have are then "
        "also asked of the public index",
    )


def _parser() -> Parser:
    parser = project_parser(
        "lint",
        "Review Pipfiles and locks, without AWS and without pipenv. Exit status 1 where "
        "something is wrong, 2 where it cannot be looked at.",
        {
            "pipenv-ca lint": "the project here",
            "pipenv-ca lint services/*/": "several projects",
            "pipenv-ca lint --online": "what is private, the repositories say",
        },
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument(
        "--format",
        choices=("text", "json", "github"),
        help="how to print (default: text; github, as annotations, in a GitHub Actions job)",
    )
    for form in ("json", "github"):
        forms.add_argument(
            f"--{form}",
            action="store_const",
            const=form,
            dest="format",
            help=f"the same as --format {form}",
        )
    parser.add_argument(
        "--severity",
        choices=("warning", "error"),
        default="error",
        help="what exit status 1 is for: warnings too, or errors alone (default)",
    )
    add_online(parser)
    return parser
