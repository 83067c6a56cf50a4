"""What is wrong with the sources of a Pipfile, or with those that only its lock has."""

from __future__ import annotations

import re

from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.files.pipfile_shape import misspelt_table, table_meant
from codeartifact_pipenv.checks.files.secrets import secret_in
from codeartifact_pipenv.checks.files.url_repair import misspelt_variables, with_right_variables
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.entries import is_category
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
        place: the keys that lead to the list of them.
        environ: the environment, for variables in their hosts and paths.

    Attributes:
        read: those that can be read, by their number in the file, variables written right.
        unclear: the names of those whose place a variable tells that is not set here.
        findings: what is wrong with their shape.
        is_listed: whether the file has any.
    """

    def __init__(
        self, file: ProjectFile, place: tuple[Hashable, ...], environ: Mapping[str, str]
    ) -> None:
        self._file = file
        self._place = place
        self._environ = environ
        self.read: dict[int, Source] = {}
        self.unclear: set[str] = set()
        self.findings: list[Finding] = []
        entries: object = file.document
        for key in place:
            entries = entries.get(key) if isinstance(entries, dict) else None
        self._entries = entries if isinstance(entries, list) else []
        self.is_listed = bool(self._entries)
        if entries is not None and not isinstance(entries, list):
            said = f"{'.'.join(map(str, place))} is not a list of sources."
            hint = "Write each source as a [[source]] table of its own."
            self.findings.append(file.finding(place, file.invalid, said, hint))
        if entries is None and place == ("source",):
            for name, table in (file.document or {}).items():
                if is_category(name) and table_meant(name, table) == "source":
                    self.findings.append(misspelt_table(file, name, "source"))
        for number, entry in enumerate(self._entries):
            self._add(number, entry)

    @property
    def names(self) -> set[str]:
        """The names of all of them."""
        return {source.name for source in self.read.values()}

    def as_locked(self) -> list[tuple[str, str, object]]:
        """Return of each what a lock must have too: name, URL as written, verify_ssl."""
        return [
            (source.name, self.written(number), self._entries[number].get("verify_ssl", True))
            for number, source in self.read.items()
        ]

    @property
    def may_be_ours(self) -> bool:
        """Whether one that is not CodeArtifact's, as it is written and seen from here, may be."""
        return bool(self.unclear) or any(source.mismatch_reason for source in self.read.values())

    @property
    def has_public_default(self) -> bool:
        """Whether what names no index is looked for elsewhere than in CodeArtifact, for certain."""
        # (With findings, of some source nobody knows where it is.)
        return not self.findings and self.default not in self.unclear

    def is_foreign(self, name: str) -> bool:
        """Whether a source is, for certain, not CodeArtifact's."""
        named = [source for source in self.read.values() if source.name == name]
        return bool(named) and named[0].endpoint is None and name not in self.unclear

    @property
    def repositories(self) -> dict[str, RepositoryEndpoint]:
        """Those at CodeArtifact, by name, in order."""
        return {s.name: s.endpoint for s in self.read.values() if s.endpoint is not None}

    @property
    def default(self) -> str | None:
        """The name of the source that pipenv looks in without ``index``; None where not known."""
        return self.read[0].name if 0 in self.read else None

    def _add(self, number: int, entry: object) -> None:
        keys = (*self._place, number)
        values = entry if isinstance(entry, dict) else {}
        texts = {key: values.get(key) for key in ("name", "url")}
        lacks = [key for key, text in texts.items() if not (isinstance(text, str) and text)]
        if lacks:
            lacking = " and no ".join(lacks)
            said = f"Source {number + 1} has no {lacking}, and pipenv reads none without."
            self.findings.append(self._file.finding(keys, "source-incomplete", said))
        if "url" in lacks:
            return
        name = str(number + 1 if "name" in lacks else texts["name"])
        # (What is said of a variable that is written wrong must not be said twice.)
        right = with_right_variables(str(texts["url"]))
        fault = url_fault(right, self._environ) or _scheme_fault(right)
        if fault is not None:
            said = f"The URL of source {name} cannot be read: {fault}."
            hint = url_correction_hint(str(texts["url"]), self._environ)
            self.findings.append(self._file.finding((*keys, "url"), "url-invalid", said, hint))
            return
        self.read[number] = read_source(name, right, self._file.name, self._environ)
        if not is_clear(right, self._environ):
            self.unclear.add(name)

    def review(self, without: Collection[str] = ()) -> Iterator[Finding]:
        """Yield what is wrong with each, but for those whose URLs are told of elsewhere."""
        yield from self.findings
        yield from self._doubles()
        reviewed = {n: s for n, s in self.read.items() if self.written(n) not in without}
        for number, source in reviewed.items():
            yield from self._url(number, source)
        yield from self._variables(reviewed)

    def written(self, number: int) -> str:
        """Return the URL of a source as it is written."""
        return str(self._entries[number]["url"])

    def _doubles(self) -> Iterator[Finding]:
        names: dict[str, int] = {}
        places: dict[str, int] = {}
        for number, source in self.read.items():
            where = expand(source.url, self._environ).rstrip("/")
            if names.setdefault(source.name, number) != number:
                key, hint = "name", "Give each a name of its own."
                said = f"Two sources are named {source.name}, and pipenv takes the first of a name."
            elif places.setdefault(where, number) != number:
                first = self.read[places[where]].name
                key, hint = "url", f"Remove one of them, and let packages name {first}."
                said = f"Source {source.name} has the URL of source {first}."
            else:
                continue
            yield self._file.finding((*self._place, number, key), "source-duplicate", said, hint)

    def _url(self, number: int, source: Source) -> Iterator[Finding]:
        keys = (*self._place, number, "url")
        left = findings.left_on_loopback(self._file.path, [source])
        if left is not None:
            yield self._file.placed(left, keys)
        for finding in review_url(source, self.written(number), self._environ):
            yield self._file.placed(finding, keys)
        if self._entries[number].get("verify_ssl") is False and not source.url.startswith("http:"):
            risk = "the token goes to" if source.endpoint else "packages come from"
            said = f"verify_ssl is false in source {source.name}: {risk} whoever answers."
            yield self._file.finding((*self._place, number, "verify_ssl"), "tls-unverified", said)

    def _variables(self, reviewed: Mapping[int, Source]) -> Iterator[Finding]:
        """Yield variables that stand for two domains, and tokens on their way elsewhere."""
        ours = {number: source for number, source in reviewed.items() if source.endpoint}
        sound: list[Source] = []
        for number, source in ours.items():
            try:
                assign_variables([*sound, source])
            except ConfigurationError as error:
                yield self._file.placed(error, (*self._place, number, "url"))
            else:
                sound.append(source)
        assigned = assign_variables(sound)
        for number, source in reviewed.items():
            if (
                number not in ours
                and not source.mismatch_reason
                and source.name not in self.unclear
            ):
                try:
                    check_token_use(source, assigned)
                except ConfigurationError as error:
                    yield self._file.placed(error, (*self._place, number, "url"))

    def assigned(self) -> dict[str, RepositoryEndpoint]:
        """Return which variable holds the token of which repository's domain, as far as clear."""
        return {
            source.variable: source.endpoint
            for source in reversed(self.read.values())
            if source.endpoint is not None and source.variable is not None
        }


def _scheme_fault(url: str) -> str | None:
    """Say that a URL begins with a host, or nearly with a scheme; None where it has one."""
    begins = r"(?:https?:/?(?!/)|https?//|[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?(?:/|$))"
    if url.strip().startswith("arn:"):
        return "it is an ARN, not a URL"
    is_open = re.match(begins, url.strip(), re.IGNORECASE)
    return "it does not begin with https://" if is_open else None


def is_clear(url: str, environ: Mapping[str, str]) -> bool:
    """Whether the place of a URL, variables expanded, is known."""
    return not variables_in(without_credentials(expand(url, environ)))


def review_url(source: Source, written: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the URL of an index, wherever it stands, without a place.

    The source is read with its variables written right.
    """
    where = f"source {source.name}"
    yield from misspelt(where, written)
    if source.mismatch_reason and is_clear(source.url, environ):
        yield from findings.near_misses([source], environ)
    elif source.url.lower().startswith("http://") and not is_loopback(source.url):
        yield finding_for(
            "url-http",
            where,
            f"The URL of {where} begins with http, so whoever is on the way may change what is "
            "installed.",
            f"Write https{source.url[len('http') :]} in its place.",
        )
    if not variables_in(source.username):
        yield from findings.wrong_usernames([source])
    yield from findings.urls_without_simple([source], environ)
    if source.endpoint and variables_in(userinfo_of(source.url) or ""):
        return
    tokens = findings.literal_tokens([source], {})
    yield from tokens or secrets_in(where, source.url)


def misspelt(where: str, url: str) -> Iterator[Finding]:
    """Yield what stands in a URL in place of a variable."""
    for found in misspelt_variables(url):
        said = f"The URL of {where} has {found.shown}, which pipenv does not read as a variable."
        hint = f"Write {with_right_variables(url)} in its place."
        yield finding_for("variable-form", where, said, hint)


def secrets_in(where: str, url: str) -> Iterator[Finding]:
    """Yield what in a URL is a secret by its looks."""
    secret = secret_in(url)
    if secret is not None:
        said = f"The URL of {where} holds {secret} in clear, in everybody's checkout."
        yield finding_for("url-secret", where, said)


def review_texts(
    file: ProjectFile, texts: Collection[tuple[tuple[Hashable, ...], str]], sources: Sources
) -> Iterator[Finding]:
    """Yield what is wrong with the URLs of packages, in texts with the keys that lead to them."""
    assigned = sources.assigned()
    for keys, text in texts:
        named = str(next((key for key in keys[1:2]), keys[0]))
        where = f"package {named}"
        found = [*(misspelt(where, text) if "://" in text else ()), *secrets_in(where, text)]
        yield from (file.placed(finding, keys) for finding in found)
        try:
            if variables_in(text):
                check_token_use(read_source(named, text, file.name, {}), assigned)
        except ConfigurationError as error:
            yield file.placed(error, keys)
