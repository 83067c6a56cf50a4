"""The command line of ``pipenv-ca fix``."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys

from codeartifact_pipenv.checks.files.contents import projects_at
from codeartifact_pipenv.checks.files.review import ProjectReview
from codeartifact_pipenv.checks.files.secrets import mask
from codeartifact_pipenv.checks.views.fixes import FixOptions, fix
from codeartifact_pipenv.checks.views.lint_cli import add_online, online_of, project_parser
from codeartifact_pipenv.checks.views.output import Output, clean, count_levels
from codeartifact_pipenv.endpoint import RepositoryEndpoint, explain_mismatch, parse_url
from codeartifact_pipenv.errors import ConfigurationError, UsageError
from codeartifact_pipenv.files.io import read_user_file, write_user_file
from codeartifact_pipenv.findings import FAILURE
from codeartifact_pipenv.project.pipfile import find_pipfile, working_directory
from codeartifact_pipenv.project.sources import default_source, source_url
from codeartifact_pipenv.project.toml_text import pipfile_text
from codeartifact_pipenv.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.checks.views.fixes import FixResult
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.terminal.arguments import Parser

_LEAKED = (
    "Treat the removed token as leaked, also in the repository's history. It expires within "
    "12 hours; to revoke it now, deny codeartifact:* to its user in IAM, or revoke the active "
    "sessions of its role."
)
_NEXT = "Next: run `pipenv-ca lock` and commit both."


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Fix projects, print the changes and the remaining findings.

    Returns:
        1 if an error remains, 0 if not, or the exit code of a project that cannot be read.
    """
    parser = _parser()
    parsed = parser.parse_args(list(arguments))
    if parsed.add_source is None and (parsed.first or parsed.name is not None):
        parser.error("--first and --name need --add-source")
    options = FixOptions(
        parsed.list_transitive, parsed.add_source, parsed.first, parsed.name or FixOptions().name
    )
    if parsed.add_source is not None:
        path = _new_pipfile_path(parsed.paths)
        if path is not None:
            return _create_pipfile(path, options, diff=parsed.diff)
    online = online_of(settings, report) if parsed.online else None
    projects = projects_at(parsed.paths, os.environ)
    left: list[Finding] = []
    files: dict[str, ProjectFile] = {}
    status = 0
    for paths in projects:
        try:
            found = ProjectReview(paths, settings, os.environ, online)
            result = fix(found, options, online)
            if not parsed.diff:
                _write(result)
        except (ConfigurationError, UsageError) as error:
            # Go on with the other projects.
            where = "" if len(projects) == 1 else f"{paths.pipfile}: "
            report.error(f"{where}{error.sentence}", error.hint, error.code)
            status = max(status, error.exit_code)
            continue
        _show(result, diff=parsed.diff)
        for refused in result.refused:
            report.warning(f"{refused.sentence} {refused.hint}")
        left += [finding for finding in result.after.findings if finding.code != "lock-outdated"]
        files |= result.after.files
    where = "" if len(projects) == 1 else f" in {len(projects)} projects"
    if parsed.diff and left:
        sentence = f"{count_levels(left)}{where}"
        report.warning(f"{sentence} cannot be fixed. See `pipenv-ca lint`.")
    elif not parsed.diff and (left or status == 0):
        _show_left(left, files, where)
    _warn_of_logins(report)
    return status or int(any(finding.level == FAILURE for finding in left))


def _warn_of_logins(report: Report) -> None:
    """Warn of tokens from logins outside the projects, which fix does not change."""
    from codeartifact_pipenv.checks.machine.environment import user_findings

    for finding in user_findings(os.environ):
        if finding.code == "login-left":
            report.warning(f"{finding.sentence} {finding.hint}", finding.code)


def _new_pipfile_path(paths: Sequence[str]) -> str | None:
    """Return the path of the Pipfile to create, or None if a Pipfile exists."""
    if len(paths) > 1 or (paths and not os.path.isdir(paths[0])):
        return None
    if not paths and find_pipfile(os.environ, working_directory(), lambda: None) is not None:
        return None
    path = os.path.join(*paths, "Pipfile")
    if os.path.lexists(f"{path}.lock"):
        raise ConfigurationError(
            f"{path}.lock exists, but the Pipfile does not.",
            "Restore the Pipfile, then add the source.",
        )
    return None if os.path.lexists(path) else path


def _create_pipfile(path: str, options: FixOptions, *, diff: bool) -> int:
    """Create a Pipfile with the public index and the repository, or print it as a diff."""
    url = source_url(options.repository, {}) if options.repository else ""
    new: dict[str, str | bool] = {"name": options.name, "url": url, "verify_ssl": True}
    both = [new, default_source()] if options.first else [default_source(), new]
    text = pipfile_text(both)
    if diff:
        sys.stdout.writelines(_diff("", text, path))
        return 0
    write_user_file(path, text.encode())
    sys.stdout.write(
        f"Created {clean(path)} with the source {clean(options.name)}: {url}.\n"
        f"Next: `pipenv-ca install --index {clean(options.name)} PACKAGE`.\n"
    )
    return 0


def _write(result: FixResult) -> None:
    """Write the fixed Pipfile.

    Raises:
        ConfigurationError: it cannot be written, or has changed since it was read.
    """
    if result.before is None or result.text == result.before.text:
        return
    if read_user_file(result.before.path) != result.before.text.encode():
        raise ConfigurationError(
            f"{result.before.shown} was changed while fix was running.", "Run it again."
        )
    write_user_file(result.before.path, result.text.encode())


def _show(result: FixResult, *, diff: bool) -> None:
    if result.before is None:
        return
    if diff:
        sys.stdout.writelines(_diff(result.before.text, result.text, result.before.shown))
        return
    output = Output()
    for change in result.changes:
        place = f"{result.before.shown}:{change.line}" if change.line else result.before.shown
        hint = _LEAKED if "url-token" in change.codes else ""
        output.at_place(place, "fixed", change.sentence, ", ".join(change.codes), hint)
    if any(finding.code == "lock-outdated" for finding in result.after.findings):
        output.line(f"{clean(result.before.shown)}.lock: {_NEXT}")


def _show_left(left: Sequence[Finding], files: Mapping[str, ProjectFile], where: str) -> None:
    output = Output()
    for finding in left:
        output.finding(finding, files.get(finding.path))
    output.line(f"{count_levels(left)} left{where}." if left else f"All is well{where}.")


def _diff(before: str, after: str, shown: str) -> Iterator[str]:
    """Yield the lines of a unified diff, with secrets masked."""
    old, new = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (before, after))
    for line in difflib.unified_diff(old, new, f"a/{shown}", f"b/{shown}"):
        text = mask(line.rstrip("\r\n"))
        yield "\t".join(map(printable, text.split("\t"))) + "\n"
        if not line.endswith("\n"):
            yield "\\ No newline at end of file\n"


def _repository(word: str) -> RepositoryEndpoint:
    found = parse_url(word)
    if found is None:
        why = explain_mismatch(word) or "not the URL of a CodeArtifact repository"
        raise argparse.ArgumentTypeError(f"{mask(word)}: {why}")
    return found


def _parser() -> Parser:
    parser = project_parser(
        "fix",
        "Fix what `pipenv-ca lint` finds in Pipfiles. Nothing else in them changes, and locks are "
        "not changed. Exit status 1 if an error remains.",
        {
            "pipenv-ca fix --diff": "show what it would change",
            "pipenv-ca fix": "change it",
            "pipenv-ca fix --add-source URL": "add a repository to a project, or create one",
        },
    )
    parser.add_argument("--diff", action="store_true", help="print a diff, change nothing")
    add_online(parser)
    parser.add_argument(
        "--list-transitive",
        action="store_true",
        help="add private packages that only the lock has to the Pipfile",
    )
    parser.add_argument(
        "--add-source", type=_repository, metavar="URL", help="add a repository as a source"
    )
    parser.add_argument("--first", action="store_true", help="add the source before all others")
    parser.add_argument("--name", help="the source's name (default: codeartifact)")
    return parser
