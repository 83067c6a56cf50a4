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
from codeartifact_pipenv.checks.views.output import Output, clean, counted
from codeartifact_pipenv.endpoint import RepositoryEndpoint, explain_mismatch, parse_url
from codeartifact_pipenv.errors import ConfigurationError, UsageError
from codeartifact_pipenv.files.atomic import write_user_file
from codeartifact_pipenv.files.reading import read_user_file
from codeartifact_pipenv.findings import FAILURE
from codeartifact_pipenv.project.new_pipfile import pipfile_text
from codeartifact_pipenv.project.pipfile import find_pipfile, working_directory
from codeartifact_pipenv.project.public_index import default_source
from codeartifact_pipenv.project.sources import source_url
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
    "The token that stood there must be taken for leaked, also in the history of the repository. "
    "It ends within 12 hours; to end it now, deny its role or user codeartifact:* in IAM (for a "
    "role: Revoke active sessions)."
)
_NEXT = "Next: `pipenv-ca lock`, and commit both."


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Repair projects, print what was done and what is left; 1 where something is, else 0."""
    parser = _parser()
    chosen = parser.parse_args(list(arguments))
    if chosen.add_source is None and (chosen.first or chosen.name is not None):
        parser.error("--first and --name say more of --add-source")
    options = FixOptions(
        chosen.list_transitive, chosen.add_source, chosen.first, chosen.name or FixOptions().name
    )
    if chosen.add_source is not None:
        path = _place_without_pipfile(chosen.paths)
        if path is not None:
            return _make(path, options, diff=chosen.diff)
    online = online_of(settings, report) if chosen.online else None
    projects = projects_at(chosen.paths, os.environ)
    left: list[Finding] = []
    files: dict[str, ProjectFile] = {}
    status = 0
    for paths in projects:
        try:
            found = ProjectReview(paths, settings, os.environ, online)
            done = fix(found, options, online)
            if not chosen.diff:
                _write(done)
        except (ConfigurationError, UsageError) as error:
            # The others are repaired all the same.
            where = "" if len(projects) == 1 else f"{paths.pipfile}: "
            report.error(f"{where}{error.sentence}", error.hint, error.code)
            status = max(status, error.exit_code)
            continue
        _show(done, diff=chosen.diff)
        for refused in done.refused:
            report.warning(f"{refused.sentence} {refused.hint}")
        left += [finding for finding in done.after.findings if finding.code != "lock-outdated"]
        files |= done.after.files
    where = "" if len(projects) == 1 else f" in {len(projects)} projects"
    if chosen.diff and left:
        said = f"{counted(left)}{where}"
        report.warning(f"What cannot be repaired is left: {said}. See `pipenv-ca lint`.")
    elif not chosen.diff and (left or status == 0):
        _show_left(left, files, where)
    _warn_of_logins(report)
    return status or int(any(finding.level == FAILURE for finding in left))


def _warn_of_logins(report: Report) -> None:
    """Tell of tokens that logins have left outside the projects, which fix does not touch."""
    from codeartifact_pipenv.checks.machine.environment import user_findings

    for finding in user_findings(os.environ):
        if finding.code == "login-left":
            report.warning(f"{finding.sentence} {finding.hint}", finding.code)


def _place_without_pipfile(paths: Sequence[str]) -> str | None:
    """Return the path of the Pipfile to create, or None if it exists."""
    if len(paths) > 1 or (paths and not os.path.isdir(paths[0])):
        return None
    if not paths and find_pipfile(os.environ, working_directory(), lambda: None) is not None:
        return None
    path = os.path.join(*paths, "Pipfile")
    if os.path.lexists(f"{path}.lock"):
        raise ConfigurationError(
            f"There is {path}.lock and no Pipfile.", "Put the Pipfile back, then add the source."
        )
    return None if os.path.lexists(path) else path


def _make(path: str, options: FixOptions, *, diff: bool) -> int:
    """Create a Pipfile with the public index and a repository."""
    url = source_url(options.repository, {}) if options.repository else ""
    new: dict[str, str | bool] = {"name": options.name, "url": url, "verify_ssl": True}
    both = [new, default_source()] if options.first else [default_source(), new]
    text = pipfile_text(both)
    if diff:
        sys.stdout.writelines(_diff("", text, path))
        return 0
    write_user_file(path, text.encode())
    sys.stdout.write(
        f"{clean(path)} is made, with the source {clean(options.name)}: {url}.\n"
        f"Next: `pipenv-ca install --index {clean(options.name)} PACKAGE`.\n"
    )
    return 0


def _write(done: FixResult) -> None:
    """Put the new text in the place of the old one.

    Raises:
        ConfigurationError: it cannot be written, or somebody else has written meanwhile.
    """
    if done.before is None or done.text == done.before.text:
        return
    if read_user_file(done.before.path) != done.before.text.encode():
        raise ConfigurationError(
            f"{done.before.shown} has been changed in this moment.", "Run it again."
        )
    write_user_file(done.before.path, done.text.encode())


def _show(done: FixResult, *, diff: bool) -> None:
    if done.before is None:
        return
    if diff:
        sys.stdout.writelines(_diff(done.before.text, done.text, done.before.shown))
        return
    output = Output()
    for change in done.changes:
        place = f"{done.before.shown}:{change.line}" if change.line else done.before.shown
        hint = _LEAKED if "url-token" in change.codes else ""
        output.placed(place, "fixed", change.sentence, ", ".join(change.codes), hint)
    if any(finding.code == "lock-outdated" for finding in done.after.findings):
        output.line(f"{clean(done.before.shown)}.lock: {_NEXT}")


def _show_left(left: Sequence[Finding], files: Mapping[str, ProjectFile], where: str) -> None:
    output = Output()
    for finding in left:
        output.finding(finding, files.get(finding.path))
    output.line(f"{counted(left)} left{where}." if left else f"All is well{where}.")


def _diff(before: str, after: str, shown: str) -> Iterator[str]:
    """Yield the lines of a unified diff, secrets masked."""
    old, new = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (before, after))
    for line in difflib.unified_diff(old, new, f"a/{shown}", f"b/{shown}"):
        text = mask(line.rstrip("\r\n"))
        yield "\t".join(map(printable, text.split("\t"))) + "\n"
        if not line.endswith("\n"):
            yield "\\ No newline at end of file\n"


def _repository(word: str) -> RepositoryEndpoint:
    found = parse_url(word)
    if found is None:
        why = explain_mismatch(word) or "it is no URL of a CodeArtifact repository"
        raise argparse.ArgumentTypeError(f"{mask(word)}: {why}")
    return found


def _parser() -> Parser:
    parser = project_parser(
        "fix",
        "Repair what `pipenv-ca lint` finds in Pipfiles; all else in them stays as "
        "it is, and locks are not touched. Exit status 1 where an error is left.",
        {
            "pipenv-ca fix --diff": "see what it would do",
            "pipenv-ca fix": "do it",
            "pipenv-ca fix --add-source URL": "add a repository to a project, or make one",
        },
    )
    parser.add_argument("--diff", action="store_true", help="print a diff and change nothing")
    add_online(parser)
    parser.add_argument(
        "--list-transitive",
        action="store_true",
        help="also list private packages that only the lock has",
    )
    parser.add_argument(
        "--add-source", type=_repository, metavar="URL", help="add a repository as a source"
    )
    parser.add_argument("--first", action="store_true", help="add it before all others")
    parser.add_argument("--name", help="its name (default: codeartifact)")
    return parser
