"""Checks of the sources of a Pipfile or of its lock."""

from __future__ import annotations

import re

from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.files.pipfile_shape import intended_table, misspelt_table
from codeartifact_pipenv.checks.files.secrets import secret_in
from codeartifact_pipenv.checks.files.url_repair import misspelt_variables, with_corrected_variables
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.pipfile import is_category
from codeartifact_pipenv.project.sources import (
    assign_variables,
    check_token_use,
    expand,
    is_loopback,
    read_source,
    url_correction_hint,
    url_fault,
    userinfo_of,
    variables_in,
    without_credentials,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Mapping

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.sources import Source


class Sources:
    """The sources of one file.

    Args:
        file: the file.
        place: the keys that lead to the list of sources.
        environ: the environment, for variables in hosts and paths.

    Attributes:
        read: the valid sources, by their number in the file, with variables corrected.
        unresolved: the names of sources whose host or path contains an unset variable.
        findings: the findings on invalid sources.
        is_present: whether the file has any.
    """

    def __init__(
        self, file: ProjectFile, place: tuple[Hashable, ...], environ: Mapping[str, str]
    ) -> None:
        self._file = file
        self._place = place
        self._environ = environ
        self.read: dict[int, Source] = {}
        self.unresolved: set[str] = set()
        self.findings: list[Finding] = []
        entries: object = file.document
        for key in place:
            entries = entries.get(key) if isinstance(entries, dict) else None
        self._entries = entries if isinstance(entries, list) else []
        self.is_present = bool(self._entries)
        if entries is not None and not isinstance(entries, list):
            sentence = f"{'.'.join(map(str, place))} is not a list of sources."
            hint = "Write each source as a separate [[source]] table."
            self.findings.append(file.finding(place, file.invalid, sentence, hint))
        if entries is None and place == ("source",):
            for name, table in (file.document or {}).items():
                if is_category(name) and intended_table(name, table) == "source":
                    self.findings.append(misspelt_table(file, name, "source"))
        for number, entry in enumerate(self._entries):
            self._add(number, entry)

    @property
    def names(self) -> set[str]:
        """The names of all valid sources."""
        return {source.name for source in self.read.values()}

    def as_locked(self) -> list[tuple[str, str, object]]:
        """Return what the lock copies of each source: name, URL as written, verify_ssl."""
        return [
            (source.name, self.written(number), self._entries[number].get("verify_ssl", True))
            for number, source in self.read.items()
        ]

    @property
    def may_be_codeartifact(self) -> bool:
        """Whether a source may be CodeArtifact once its URL is corrected or its variables set."""
        return bool(self.unresolved) or any(source.mismatch_reason for source in self.read.values())

    @property
    def has_no_repository(self) -> bool:
        """Whether no source is CodeArtifact, also after its URL is corrected or variables are set."""
        return not self.repositories and not self.may_be_codeartifact

    @property
    def has_public_default(self) -> bool:
        """Whether the default source is certainly not CodeArtifact."""
        return not self.findings and self.default not in self.unresolved

    def is_elsewhere(self, name: str) -> bool:
        """Whether a source is certainly not CodeArtifact."""
        named = [source for source in self.read.values() if source.name == name]
        return bool(named) and named[0].endpoint is None and name not in self.unresolved

    @property
    def repositories(self) -> dict[str, RepositoryEndpoint]:
        """The CodeArtifact sources, by name, in order."""
        return {s.name: s.endpoint for s in self.read.values() if s.endpoint is not None}

    @property
    def default(self) -> str | None:
        """The source that pipenv uses for entries without ``index``, or None if unknown."""
        return self.read[0].name if 0 in self.read else None

    def _add(self, number: int, entry: object) -> None:
        keys = (*self._place, number)
        values = entry if isinstance(entry, dict) else {}
        texts = {key: values.get(key) for key in ("name", "url")}
        lacks = [key for key, text in texts.items() if not (isinstance(text, str) and text)]
        if lacks:
            lacking = " and no ".join(lacks)
            sentence = f"Source {number + 1} has no {lacking}, which pipenv needs."
            self.findings.append(self._file.finding(keys, "source-incomplete", sentence))
        if "url" in lacks:
            return
        name = str(number + 1 if "name" in lacks else texts["name"])
        # Variables are corrected first: a misspelt one has a separate finding.
        right = with_corrected_variables(str(texts["url"]))
        fault = url_fault(right, self._environ) or _scheme_fault(right)
        if fault is not None:
            sentence = f"The URL of source {name} cannot be read: {fault}."
            hint = url_correction_hint(str(texts["url"]), self._environ)
            self.findings.append(self._file.finding((*keys, "url"), "url-invalid", sentence, hint))
            return
        self.read[number] = read_source(name, right, self._file.name, self._environ)
        if not is_clear(right, self._environ):
            self.unresolved.add(name)

    def review(self, without: Collection[str] = ()) -> Iterator[Finding]:
        """Yield the findings on the sources.

        Args:
            without: URLs, as written, whose findings are reported elsewhere.
        """
        yield from self.findings
        yield from self._duplicates()
        reviewed = {n: s for n, s in self.read.items() if self.written(n) not in without}
        for number, source in reviewed.items():
            yield from self._url(number, source)
        yield from self._variables(reviewed)

    def written(self, number: int) -> str:
        """Return the URL of a source as written."""
        return str(self._entries[number]["url"])

    def _duplicates(self) -> Iterator[Finding]:
        names: dict[str, int] = {}
        places: dict[str, int] = {}
        for number, source in self.read.items():
            where = expand(source.url, self._environ).rstrip("/")
            if names.setdefault(source.name, number) != number:
                key, hint = "name", "Give each a different name."
                sentence = f"Two sources are named {source.name}, and pipenv uses only the first."
            elif places.setdefault(where, number) != number:
                first = self.read[places[where]].name
                key, hint = "url", f'Remove one of them, and use index = "{first}" in packages.'
                sentence = f"Source {source.name} has the URL of source {first}."
            else:
                continue
            yield self._file.finding(
                (*self._place, number, key), "source-duplicate", sentence, hint
            )

    def _url(self, number: int, source: Source) -> Iterator[Finding]:
        keys = (*self._place, number, "url")
        left = findings.left_on_loopback(self._file.path, [source])
        if left is not None:
            yield self._file.at_keys(left, keys)
        for finding in review_url(source, self.written(number), self._environ):
            yield self._file.at_keys(finding, keys)
        if self._entries[number].get("verify_ssl") is False and not source.url.startswith("http:"):
            risk = "the token goes to" if source.endpoint else "packages come from"
            sentence = (
                f"verify_ssl is false in source {source.name}: {risk} any server that answers."
            )
            yield self._file.finding(
                (*self._place, number, "verify_ssl"), "tls-unverified", sentence
            )

    def _variables(self, reviewed: Mapping[int, Source]) -> Iterator[Finding]:
        """Yield variables that are used for two domains, and tokens that go to other hosts."""
        ours = {number: source for number, source in reviewed.items() if source.endpoint}
        sound: list[Source] = []
        for number, source in ours.items():
            try:
                assign_variables([*sound, source])
            except ConfigurationError as error:
                yield self._file.at_keys(error, (*self._place, number, "url"))
            else:
                sound.append(source)
        assigned = assign_variables(sound)
        for number, source in reviewed.items():
            if (
                number not in ours
                and not source.mismatch_reason
                and source.name not in self.unresolved
            ):
                try:
                    check_token_use(source, assigned)
                except ConfigurationError as error:
                    yield self._file.at_keys(error, (*self._place, number, "url"))

    def assigned(self) -> dict[str, RepositoryEndpoint]:
        """Return a repository for each variable that holds the token of its domain."""
        return {
            source.variable: source.endpoint
            for source in reversed(self.read.values())
            if source.endpoint is not None and source.variable is not None
        }


def _scheme_fault(url: str) -> str | None:
    """Return why a URL has no scheme, or None if it has one."""
    begins = r"(?:https?:/?(?!/)|https?//|[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?(?:/|$))"
    if url.strip().startswith("arn:"):
        return "it is an ARN, not a URL"
    is_open = re.match(begins, url.strip(), re.IGNORECASE)
    return "it does not begin with https://" if is_open else None


def is_clear(url: str, environ: Mapping[str, str]) -> bool:
    """Whether all variables in the host and path of a URL are set."""
    return not variables_in(without_credentials(expand(url, environ)))


def review_url(source: Source, written: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the findings, without a place, on the URL of an index in any file.

    Args:
        source: the index, with its variables corrected.
        written: its URL as written.
        environ: the environment, for variables in the host and path.
    """
    where = f"source {source.name}"
    yield from review_variables(where, written)
    if source.mismatch_reason and is_clear(source.url, environ):
        yield from findings.near_misses([source], environ)
    elif source.url.lower().startswith("http://") and not is_loopback(source.url):
        yield finding_for(
            "url-http",
            where,
            f"The URL of {where} begins with http, so others on the network can change what is "
            "installed.",
            f"Write https{source.url[len('http') :]} instead.",
        )
    if not variables_in(source.username):
        yield from findings.wrong_usernames([source])
    yield from findings.urls_without_simple([source], environ)
    if source.endpoint and variables_in(userinfo_of(source.url) or ""):
        return
    tokens = findings.literal_tokens([source], {})
    yield from tokens or review_secrets(where, source.url)


def review_variables(where: str, url: str) -> Iterator[Finding]:
    """Yield the findings on misspelt variables in a URL."""
    for found in misspelt_variables(url):
        sentence = (
            f"The URL of {where} has {found.shown}, which pipenv does not read as a variable."
        )
        hint = f"Write {with_corrected_variables(url)} instead."
        yield finding_for("variable-form", where, sentence, hint)


def review_secrets(where: str, url: str) -> Iterator[Finding]:
    """Yield the finding on a secret in a URL."""
    secret = secret_in(url)
    if secret is not None:
        sentence = f"The URL of {where} contains {secret} in clear text, in every checkout."
        yield finding_for("url-secret", where, sentence)


def review_texts(
    file: ProjectFile, texts: Collection[tuple[tuple[Hashable, ...], str]], sources: Sources
) -> Iterator[Finding]:
    """Yield the findings on the strings of a package's entry, each with the keys that lead to it."""
    assigned = sources.assigned()
    for keys, text in texts:
        named = str(next((key for key in keys[1:2]), keys[0]))
        where = f"package {named}"
        found = [
            *(review_variables(where, text) if "://" in text else ()),
            *review_secrets(where, text),
        ]
        yield from (file.at_keys(finding, keys) for finding in found)
        try:
            if variables_in(text):
                check_token_use(read_source(named, text, file.name, {}), assigned)
        except ConfigurationError as error:
            yield file.at_keys(error, keys)
