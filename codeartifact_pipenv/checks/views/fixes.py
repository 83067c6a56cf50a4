"""Fixes for lint's findings in a Pipfile. A finding whose fix is not clear stays."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.checks.files.pep508 import corrected_marker, corrected_version
from codeartifact_pipenv.checks.files.url_repair import repair_url, with_corrected_variables
from codeartifact_pipenv.errors import CodeArtifactPipenvError, ConfigurationError, UsageError
from codeartifact_pipenv.project.pipfile import normalise
from codeartifact_pipenv.project.sources import default_source, read_source, source_url
from codeartifact_pipenv.project.toml_text import TomlEdit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.checks.files.review import Online, ProjectReview
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.findings import Finding

_URLS = {"near-miss", "url-token", "url-username", "url-without-simple", "variable-form"}
# The codes that can be fixed if the fix is clear.
_VALUES = {"marker-invalid", "version-invalid"}
FIXABLE = _URLS | _VALUES | {"dependency-unlisted", "index-missing", "source-missing"}
# A corrected URL may turn out to be a repository, whose packages then lack an index.
_MAXIMUM_ROUNDS = 5
_TABLES = {"default": "packages", "develop": "dev-packages"}


class FixOptions(NamedTuple):
    """The options of ``fix``.

    Attributes:
        transitive: whether to list private packages that only the lock has.
        repository: a repository to add as a source, or None.
        first: whether to add it before all other sources.
        name: the new source's name.
    """

    transitive: bool = False
    repository: RepositoryEndpoint | None = None
    first: bool = False
    name: str = "codeartifact"


class AppliedFix(NamedTuple):
    """One applied fix.

    Attributes:
        line: its line in the Pipfile before the change, or 0 for a new source.
        codes: the codes of the findings that it fixes.
        sentence: what has changed.
    """

    line: int
    codes: tuple[str, ...]
    sentence: str


class FixResult(NamedTuple):
    """The result of ``fix`` for one project.

    Attributes:
        before: the Pipfile before, or None if it does not exist or cannot be read.
        text: the fixed text.
        changes: the applied fixes.
        refused: the reasons why other findings were not fixed.
        after: the review of the project with the fixed text.
    """

    before: ProjectFile | None
    text: str
    changes: list[AppliedFix]
    refused: list[CodeArtifactPipenvError]
    after: ProjectReview


def fix(review: ProjectReview, options: FixOptions, online: Online | None = None) -> FixResult:
    """Fix a project's Pipfile without writing it.

    Raises:
        CodeArtifactPipenvError: a file or a setting cannot be read, the new source cannot be
            added, or an index did not answer.
    """
    pipfile = review.contents.pipfile
    if pipfile is None or pipfile.document is None:
        return FixResult(None, "", [], [], review)
    text, changes = pipfile.text, list[AppliedFix]()
    refused: list[CodeArtifactPipenvError] = []
    if options.repository is not None:
        edit = TomlEdit(text)
        changes += _add_source(edit, review, options.repository, options)
        if not edit.is_empty:
            text = edit.text()
            review = review.with_text(pipfile, text, online)
    for _ in range(_MAXIMUM_ROUNDS):
        edit = TomlEdit(text)
        done, refused = _Repair(edit, review, options).run()
        if edit.is_empty:
            break
        text = edit.text()
        changes += done
        review = review.with_text(pipfile, text, online)
    return FixResult(pipfile, text, changes, refused, review)


def fixable(review: ProjectReview) -> list[Finding]:
    """Return the findings that ``fix`` would fix, without writing anything."""
    able = [finding for finding in review.findings if finding.code in FIXABLE]
    try:
        done = fix(review, FixOptions(), lambda _: review.private_names) if able else None
    except CodeArtifactPipenvError:
        return []
    after = done.after.findings if done else []
    left = {(finding.path, finding.keys, finding.code) for finding in after}
    return [f for f in able if (f.path, f.keys, f.code) not in left]


class _Repair:
    """One round of fixes: at most one change for each place."""

    def __init__(self, edit: TomlEdit, review: ProjectReview, options: FixOptions) -> None:
        self._edit = edit
        self._review = review
        self._options = options
        self._assigned = review.contents.sources.assigned()

    def run(self) -> tuple[list[AppliedFix], list[CodeArtifactPipenvError]]:
        """Make the changes; return them and the reasons why others were not made."""
        codes: dict[tuple[str, tuple[Hashable, ...]], list[Finding]] = {}
        # An entry that cannot be parsed gets its index once its version is fixed.
        unread = {f.keys[:2] for f in self._review.findings if f.code == "version-invalid"}
        for finding in self._review.findings:
            if finding.code == "index-missing" and finding.keys in unread:
                continue
            if finding.code in FIXABLE:
                codes.setdefault((finding.path, finding.keys), []).append(finding)
        changes: list[AppliedFix] = []
        refused: list[CodeArtifactPipenvError] = []
        for findings in codes.values():
            try:
                sentence = self._repair(findings[0])
            except ConfigurationError as error:
                refused.append(error)
                continue
            if sentence is not None:
                named = tuple(dict.fromkeys(finding.code or "" for finding in findings))
                changes.append(AppliedFix(findings[0].line, named, sentence))
        return changes, refused

    def _repair(self, finding: Finding) -> str | None:
        if finding.code == "dependency-unlisted":
            return self._list(finding) if self._options.transitive else None
        pipfile = self._review.contents.pipfile
        if pipfile is None or finding.path != pipfile.shown:
            return None  # a lock is locked again, not fixed
        if finding.code in _VALUES:
            return self._repair_value(finding, str(pipfile.value(finding.keys)))
        if finding.code in _URLS:
            return self._repair_url(finding, str(pipfile.value(finding.keys)))
        return self._add_index(finding) if finding.code == "index-missing" else None

    def _repair_url(self, finding: Finding, written: str) -> str | None:
        if finding.keys[0] == "source":
            right = repair_url(written, self._review.environ, self._assigned)
            source = read_source("", right, "", self._review.environ)
            if source.endpoint is not None and source.variable is not None:
                self._assigned.setdefault(source.variable, source.endpoint)
        else:
            right = with_corrected_variables(written, guessed=False)
        if right == written:
            return None
        self._edit.set(finding.keys, right)
        return f"The URL is now {right}."

    def _repair_value(self, finding: Finding, written: str) -> str | None:
        if finding.code == "version-invalid":
            right = corrected_version(written)
        else:
            right = corrected_marker(str(finding.keys[-1]), written)
        if right is None:
            return None
        self._edit.set(finding.keys, right)
        key = "" if len(finding.keys) == 2 else f"{finding.keys[-1]} of "  # noqa: PLR2004
        return f"{key}{finding.keys[1]} is now {right!r}."

    def _add_index(self, finding: Finding) -> str:
        written = str(finding.keys[1])
        index = self._place(written)
        self._edit.add(finding.keys, "index", index)
        return f'{written} now has index = "{index}".'

    def _list(self, finding: Finding) -> str:
        category, name = map(str, finding.keys)
        index = self._place(name)
        table = _TABLES.get(category, category)
        self._edit.add_entry(table, name, "*", index)
        return f'{name} is now listed in [{table}] with index = "{index}".'

    def _place(self, name: str) -> str:
        sources = self._review.private.sources(normalise(name))
        if len(sources) != 1:
            raise ConfigurationError(
                f"{name} is private, but it is not clear which of {', '.join(sources)} has it.",
                "Add `index` to its entry, or ask the repositories with --online.",
            )
        return sources[0]


def _add_source(
    edit: TomlEdit, review: ProjectReview, repository: RepositoryEndpoint, options: FixOptions
) -> list[AppliedFix]:
    sources = review.contents.sources
    for number, source in sources.read.items():
        if source.endpoint is not None and source.endpoint.simple_url == repository.simple_url:
            if options.first and number:
                raise UsageError(
                    f"Source {source.name} is that repository, but not the first source.",
                    "Move its [[source]] table before the others.",
                )
            return []
    if options.name in sources.names:
        raise UsageError(
            f"Another source is already named {options.name}.",
            "Choose another name with --name.",
        )
    url = source_url(repository, sources.assigned())
    new: dict[str, str | bool] = {"name": options.name, "url": url, "verify_ssl": True}
    if sources.is_present:
        edit.add_source(new, first=options.first)
    else:
        # Without sources, pipenv uses its default one: keep it.
        both = [new, default_source()] if options.first else [default_source(), new]
        for each in both:
            edit.add_source(each, first=False)
    return [AppliedFix(0, (), f"Added source {options.name}: {url}.")]
