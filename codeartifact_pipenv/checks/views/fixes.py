"""Repairs of what lint finds in a Pipfile. Nothing is guessed: what is not clear is left."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.checks.files.pep508 import right_marker, right_version
from codeartifact_pipenv.checks.files.url_repair import repaired, with_right_variables
from codeartifact_pipenv.errors import CodeArtifactPipenvError, ConfigurationError, UsageError
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.public_index import default_source
from codeartifact_pipenv.project.sources import read_source, source_url
from codeartifact_pipenv.project.toml_edit import TomlEdit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.checks.files.review import Online, ProjectReview
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.findings import Finding

_URLS = {"near-miss", "url-token", "url-username", "url-without-simple", "variable-form"}
# What fix can repair, unless the Pipfile leaves it open what is meant.
_VALUES = {"marker-invalid", "version-invalid"}
FIXABLE = _URLS | _VALUES | {"dependency-unlisted", "index-missing", "source-missing"}
# A URL that is repaired may turn out to be a repository, whose packages then lack an index.
_MOST_ROUNDS = 5
_TABLES = {"default": "packages", "develop": "dev-packages"}


class FixOptions(NamedTuple):
    """What is asked for besides repairs.

    Attributes:
        transitive: whether private packages that only the lock has are to be listed.
        repository: a repository to add as a source; None for none.
        first: whether before all others.
        name: the new source's name.
    """

    transitive: bool = False
    repository: RepositoryEndpoint | None = None
    first: bool = False
    name: str = "codeartifact"


class AppliedFix(NamedTuple):
    """One repair.

    Attributes:
        line: the line that it was made on, as the Pipfile was then; 0 for a new source.
        codes: the findings that it repairs.
        sentence: what was done.
    """

    line: int
    codes: tuple[str, ...]
    sentence: str


class FixResult(NamedTuple):
    """What became of one project.

    Attributes:
        before: the Pipfile as it was; None where there is none that can be read.
        text: what it should say.
        changes: what was done to it.
        refused: why entries were left.
        after: the project with that text.
    """

    before: ProjectFile | None
    text: str
    changes: list[AppliedFix]
    refused: list[CodeArtifactPipenvError]
    after: ProjectReview


def fix(found: ProjectReview, options: FixOptions, online: Online | None = None) -> FixResult:
    """Repair a project's Pipfile; nothing is written, and nobody asked twice about the same sources.

    Raises:
        CodeArtifactPipenvError: a file or a setting cannot be read, the new source would be
            one too many, or an index did not answer.
    """
    first = found.contents.pipfile
    if first is None or first.document is None:
        return FixResult(None, "", [], [], found)
    text, changes = first.text, list[AppliedFix]()
    refused: list[CodeArtifactPipenvError] = []
    if options.repository is not None:
        edit = TomlEdit(text)
        changes += _add_source(edit, found, options.repository, options)
        if not edit.is_empty:
            text = edit.text()
            found = found.with_text(first, text, online)
    for _ in range(_MOST_ROUNDS):
        edit = TomlEdit(text)
        done, refused = _Repair(edit, found, options).run()
        if edit.is_empty:
            break
        text = edit.text()
        changes += done
        found = found.with_text(first, text, online)
    return FixResult(first, text, changes, refused, found)


def fixable(found: ProjectReview) -> list[Finding]:
    """Return the findings that ``fix`` would repair: it is tried, and nothing is written."""
    able = [finding for finding in found.findings if finding.code in FIXABLE]
    try:
        done = fix(found, FixOptions(), lambda _: found.holdings) if able else None
    except CodeArtifactPipenvError:
        return []
    after = done.after.findings if done else []
    left = {(finding.path, finding.keys, finding.code) for finding in after}
    return [f for f in able if (f.path, f.keys, f.code) not in left]


class _Repair:
    """One change for each place that findings are about."""

    def __init__(self, edit: TomlEdit, found: ProjectReview, options: FixOptions) -> None:
        self._edit = edit
        self._found = found
        self._options = options
        self._assigned = found.contents.sources.assigned()

    def run(self) -> tuple[list[AppliedFix], list[CodeArtifactPipenvError]]:
        """Make the changes; return them, and why others were not made."""
        codes: dict[tuple[str, tuple[Hashable, ...]], list[Finding]] = {}
        # What nobody can read gets no more keys before it is right.
        unread = {f.keys[:2] for f in self._found.findings if f.code == "version-invalid"}
        for finding in self._found.findings:
            if finding.code == "index-missing" and finding.keys in unread:
                continue
            if finding.code in FIXABLE:
                codes.setdefault((finding.path, finding.keys), []).append(finding)
        changes: list[AppliedFix] = []
        refused: list[CodeArtifactPipenvError] = []
        for findings in codes.values():
            try:
                said = self._repair(findings[0])
            except ConfigurationError as error:
                refused.append(error)
                continue
            if said is not None:
                named = tuple(dict.fromkeys(finding.code or "" for finding in findings))
                changes.append(AppliedFix(findings[0].line, named, said))
        return changes, refused

    def _repair(self, finding: Finding) -> str | None:
        if finding.code == "dependency-unlisted":
            return self._list(finding) if self._options.transitive else None
        pipfile = self._found.contents.pipfile
        if pipfile is None or finding.path != pipfile.shown:
            return None  # a lock is made anew, not repaired
        if finding.code in _VALUES:
            return self._repair_value(finding, str(pipfile.value(finding.keys)))
        if finding.code in _URLS:
            return self._repair_url(finding, str(pipfile.value(finding.keys)))
        return self._add_index(finding) if finding.code == "index-missing" else None

    def _repair_url(self, finding: Finding, written: str) -> str | None:
        if finding.keys[0] == "source":
            right = repaired(written, self._found.environ, self._assigned)
            source = read_source("", right, "", self._found.environ)
            if source.endpoint is not None and source.variable is not None:
                self._assigned.setdefault(source.variable, source.endpoint)
        else:
            right = with_right_variables(written, guessed=False)
        if right == written:
            return None
        self._edit.set_text(finding.keys, right)
        return f"The URL is {right} now."

    def _repair_value(self, finding: Finding, written: str) -> str | None:
        if finding.code == "version-invalid":
            right = right_version(written)
        else:
            right = right_marker(str(finding.keys[-1]), written)
        if right is None:
            return None
        self._edit.set_text(finding.keys, right)
        key = "" if len(finding.keys) == 2 else f"{finding.keys[-1]} of "  # noqa: PLR2004
        return f"{key}{finding.keys[1]} is {right!r} now."

    def _add_index(self, finding: Finding) -> str:
        written = str(finding.keys[1])
        index = self._place(written)
        self._edit.add_text(finding.keys, "index", index)
        return f'{written} has index = "{index}" now.'

    def _list(self, finding: Finding) -> str:
        category, name = map(str, finding.keys)
        index = self._place(name)
        table = _TABLES.get(category, category)
        self._edit.add_entry(table, name, "*", index)
        return f'{name} is listed in [{table}] with index = "{index}" now.'

    def _place(self, name: str) -> str:
        sources = self._found.private.sources(normalise(name))
        if len(sources) != 1:
            raise ConfigurationError(
                f"{name} is private, and it is not clear in which of {', '.join(sources)} it is.",
                "Say so by `index` in its entry, or ask the repositories by --online.",
            )
        return sources[0]


def _add_source(
    edit: TomlEdit, found: ProjectReview, repository: RepositoryEndpoint, options: FixOptions
) -> list[AppliedFix]:
    sources = found.contents.sources
    for number, source in sources.read.items():
        if source.endpoint is not None and source.endpoint.simple_url == repository.simple_url:
            if options.first and number:
                raise UsageError(
                    f"Source {source.name} is that repository, and it is not the first.",
                    "Move its [[source]] table before the others.",
                )
            return []
    if options.name in sources.names:
        raise UsageError(
            f"There is a source named {options.name}, and it is another.",
            "Give the new one another name by --name.",
        )
    url = source_url(repository, sources.assigned())
    new: dict[str, str | bool] = {"name": options.name, "url": url, "verify_ssl": True}
    if sources.is_listed:
        edit.add_source(new, first=options.first)
    else:
        # Without any source, pipenv takes its own: it has to be written from now on.
        both = [new, default_source()] if options.first else [default_source(), new]
        for each in both:
            edit.add_source(each, first=False)
    return [AppliedFix(0, (), f"Source {options.name} is added: {url}.")]
