"""The command line of ``pipenv-ca lint``."""

from __future__ import annotations

import os

from codeartifact_pipenv.checks.files.contents import projects_at
from codeartifact_pipenv.checks.files.review import ProjectReview
from codeartifact_pipenv.checks.views.output import (
    Output,
    count_levels,
    findings_json,
    github_lines,
)
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.findings import FAILURE, WARNING
from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.checks.files.review import Online
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Review projects and print the findings.

    Returns:
        1 if a finding is severe enough, 0 if not, or the exit code of a project that cannot be
        read.
    """
    parsed = _parser().parse_args(list(arguments))
    online = online_of(settings, report) if parsed.online else None
    projects = projects_at(parsed.paths, os.environ)
    findings: list[Finding] = []
    fixable: list[Finding] = []
    files: dict[str, ProjectFile] = {}
    status = 0
    for paths in projects:
        try:
            review = ProjectReview(paths, settings, os.environ, online)
        except ConfigurationError as error:
            # Go on with the other projects.
            report.error(error.sentence, error.hint, error.code)
            status = error.exit_code
            continue
        findings += review.findings
        if parsed.online:
            from codeartifact_pipenv.checks.registry import online_findings

            findings += online_findings(review, settings, report)
        files |= review.files
        if review.findings:
            from codeartifact_pipenv.checks.views import fixes

            fixable += fixes.fixable(review)
    in_actions = os.environ.get("GITHUB_ACTIONS") == "true"
    form = parsed.format or ("github" if in_actions else "text")
    if findings or status == 0:
        output = Output()
        if form == "json":
            output.line(findings_json(findings, files, fixable))
        else:
            for line in github_lines(findings) if form == "github" else ():
                output.line(line)
            for finding in findings if form == "text" else ():
                output.finding(finding, files.get(finding.path))
            output.line(_summary(findings, len(fixable), len(projects), online=parsed.online))
    failing = (FAILURE, WARNING) if parsed.severity == "warning" else (FAILURE,)
    return status or int(any(finding.level in failing for finding in findings))


def _summary(findings: Sequence[Finding], fixable: int, projects: int, *, online: bool) -> str:
    where = "" if projects == 1 else f" in {projects} projects"
    if not findings:
        return f"All is well{where}."
    command = f"pipenv-ca fix{' --online' if online else ''}"
    count = f" `{command}` can fix {fixable} of {len(findings)}." if fixable else ""
    return f"Found {count_levels(findings)}{where}.{count}"


def online_of(settings: Settings, report: Report) -> Online:
    """Return the lookup of private names; its modules are imported only here."""
    from codeartifact_pipenv.checks.network.private_names import PrivateNameLookup

    return PrivateNameLookup(settings, report)


def project_parser(verb: str, description: str, examples: Mapping[str, str]) -> Parser:
    """Return the parser of a command that takes projects."""
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
        help="ask the repositories which packages are private, and the public index about the "
        "packages that they have",
    )


def _parser() -> Parser:
    parser = project_parser(
        "lint",
        "Check Pipfiles and locks, without AWS and without pipenv. Exit status 1 if a problem is "
        "found, 2 if a file cannot be read.",
        {
            "pipenv-ca lint": "the project here",
            "pipenv-ca lint services/*/": "several projects",
            "pipenv-ca lint --online": "ask the repositories what is private",
        },
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument(
        "--format",
        choices=("text", "json", "github"),
        help="output format (default: text; in GitHub Actions: github, as annotations)",
    )
    for form in ("json", "github"):
        forms.add_argument(
            f"--{form}",
            action="store_const",
            const=form,
            dest="format",
            help=f"same as --format {form}",
        )
    parser.add_argument(
        "--severity",
        choices=("warning", "error"),
        default="error",
        help="exit with status 1 on warnings too, or on errors only (default)",
    )
    add_online(parser)
    return parser
