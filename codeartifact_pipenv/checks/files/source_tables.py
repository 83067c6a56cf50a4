"""What is wrong with the sources of a Pipfile, or with those that only its lock has."""

from __future__ import annotations

import re

from codeartifact_pipenv.checks.files.pipfile_shape import misspelt_table, table_meant
from codeartifact_pipenv.checks.files.secrets import secret_in
from codeartifact_pipenv.checks.files.variable_spelling import (
    misspelt_variables,
    with_right_variables,
)
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.pipfile import is_category
from codeartifact_pipenv.project.sources import (
    assign_variables,
    expand,
    is_loopback,
    read_source,
    refuse_stray_token,
    url_fault,
    userinfo_of,
    variables_in,
    without_credentials,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

    from codeartifact_pipenv.checks.files.project_file import File
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

    def __init__(self, file: File, place: tuple[Hashable, ...], environ: Mapping[str, str]) -> None:
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
            self.findings.append(
                file.finding(
                    file.invalid,
                    f"{'.'.join(map(str, place))} is not a list of sources.",
                    "Write each source as a [[source]] table of its own.",
                    *place,
                )
            )
        if entries is None and place == ("source",):
            for name, table in (file.document or {}).items():
                if is_category(name) and table_meant(name, table) == "source":
                    self.findings.append(misspelt_table(file, name, "source"))
        for number, entry in enumerate(self._entries):
            self._read(number, entry)

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
        return bool(self.unclear) or any(source.resembles for source in self.read.values())

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

    def _read(self, number: int, entry: object) -> None:
        place = (*self._place, number)
        values = entry if isinstance(entry, dict) else {}
        name, url = values.get("name"), values.get("url")
        if not isinstance(name, str) or not isinstance(url, str) or not name or not url:
            lacks = [k for k, v in (("name", name), ("url", url)) if not (isinstance(v, str) and v)]
            self.findings.append(
                self._file.finding(
                    "source-incomplete",
                    f"Source {number + 1} has no {' and no '.join(lacks)}, and pipenv reads none "
                    "without.",
                    'Give it `name = "..."` and `url = "https://..."`, or remove the table.',
                    *place,
                )
            )
        if not isinstance(url, str) or not url:
            return
        called = name if isinstance(name, str) and name else str(number + 1)
        # (What is said of a variable that is written wrong must not be said twice.)
        right = with_right_variables(url)
        fault = url_fault(right, self._environ) or _scheme_fault(right)
        if fault is not None:
            said = f"The URL of source {name or number + 1} cannot be read: {fault}."
            hint = findings.right_url_hint(url, self._environ)
            self.findings.append(self._file.finding("url-invalid", said, hint, *place, "url"))
            return
        self.read[number] = read_source(called, right, self._file.name, self._environ)
        if variables_in(without_credentials(expand(right, self._environ))):
            self.unclear.add(called)

    def review(self, without: Collection[str] = ()) -> Iterator[Finding]:
        """Yield what is wrong with each.

        Args:
            without: URLs that are told of elsewhere.
        """
        yield from self.findings
        yield from self._doubles()
        reviewed = {n: s for n, s in self.read.items() if self.written(n) not in without}
        for number, source in reviewed.items():
            yield from self._url(number, source)
            yield from self._verification(number, source)
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
                yield self._file.finding(
                    "source-duplicate",
                    f"Two sources are named {source.name}, and pipenv takes the first of a name.",
                    "Give each a name of its own.",
                    *self._place,
                    number,
                    "name",
                )
            elif places.setdefault(where, number) != number:
                first = self.read[places[where]].name
                yield self._file.finding(
                    "source-duplicate",
                    f"Source {source.name} has the URL of source {first}.",
                    f"Remove one of them, and let packages name {first}.",
                    *self._place,
                    number,
                    "url",
                )

    def _url(self, number: int, source: Source) -> Iterator[Finding]:
        file, place = self._file, (*self._place, number, "url")
        for finding in about_variables(f"source {source.name}", self.written(number)):
            yield file.finding("variable-form", *finding, *place)
        if source.resembles and source.name not in self.unclear:
            for found in findings.near_misses([source], self._environ):
                yield file.found(found, *place)
        elif source.url.lower().startswith("http://") and not is_loopback(source.url):
            yield file.finding(
                "url-http",
                f"Source {source.name} is asked over http: whoever is on the way may change what "
                "is installed.",
                f"Write https{source.url[len('http') :]} in its place.",
                *place,
            )
        is_known = not variables_in(source.username)
        for finding in (
            *(findings.wrong_usernames([source]) if is_known else ()),
            *findings.urls_without_simple([source], self._environ),
        ):
            yield file.found(finding, *place)
        if source.endpoint and variables_in(userinfo_of(source.url) or ""):
            return  # see _variables
        tokens = findings.literal_tokens([source], {})
        if tokens:
            yield from (file.found(finding, *place) for finding in tokens)
        elif secret_in(source.url):
            yield file.finding(
                "url-secret", *about_secret(f"source {source.name}", source.url), *place
            )

    def _verification(self, number: int, source: Source) -> Iterator[Finding]:
        if self._entries[number].get("verify_ssl") is False and not source.url.startswith("http:"):
            risk = "the token goes to" if source.endpoint else "packages come from"
            yield self._file.finding(
                "tls-unverified",
                f"verify_ssl is false in source {source.name}: {risk} whoever answers.",
                "Write verify_ssl = true; name a company's own certificates in REQUESTS_CA_BUNDLE.",
                *self._place,
                number,
                "verify_ssl",
            )

    def _variables(self, reviewed: Mapping[int, Source]) -> Iterator[Finding]:
        """Yield variables that stand for two domains, and tokens on their way elsewhere."""
        ours = {number: source for number, source in reviewed.items() if source.endpoint}
        sound: list[Source] = []
        for number, source in ours.items():
            try:
                assign_variables([*sound, source])
            except ConfigurationError as error:
                yield self._refused(error, number)
            else:
                sound.append(source)
        assigned = assign_variables(sound)
        for number, source in reviewed.items():
            if number not in ours and not source.resembles and source.name not in self.unclear:
                try:
                    refuse_stray_token(source, assigned)
                except ConfigurationError as error:
                    yield self._refused(error, number)

    def _refused(self, error: ConfigurationError, number: int) -> Finding:
        code = error.code or "token-elsewhere"
        return self._file.finding(code, error.sentence, error.hint, *self._place, number, "url")

    def assigned(self) -> dict[str, RepositoryEndpoint]:
        """Return which variable holds the token of which repository's domain, as far as clear."""
        found: dict[str, RepositoryEndpoint] = {}
        for source in self.read.values():
            if source.endpoint is not None and source.variable is not None:
                found.setdefault(source.variable, source.endpoint)
        return found


def _scheme_fault(url: str) -> str | None:
    """Say that a URL begins with a host, or nearly with a scheme; None where it has one."""
    begins = r"(?:https?:/?(?!/)|https?//|[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?(?:/|$))"
    if url.strip().startswith("arn:"):
        return "it is an ARN, not a URL"
    is_open = re.match(begins, url.strip(), re.IGNORECASE)
    return "it does not begin with https://" if is_open else None


def about_variables(where: str, url: str) -> Iterator[tuple[str, str]]:
    """Yield sentence and hint on what stands in a URL in place of a variable.

    Args:
        where: whose URL it is.
        url: the URL as it is written.
    """
    for found in misspelt_variables(url):
        said = f"The URL of {where} has {found.shown}, which pipenv does not read as a variable."
        yield said, f"Write {with_right_variables(url)} in its place."


def about_secret(where: str, url: str) -> tuple[str, str]:
    """Return sentence and hint on a secret in the URL of something."""
    return (
        f"The URL of {where} holds {secret_in(url)} in clear, in everybody's checkout.",
        "Write a variable in its place, such as ${NAME}, and have the secret replaced where it was "
        "made: it must be taken for known.",
    )


def review_texts(
    file: File, texts: Sequence[tuple[tuple[Hashable, ...], str]], sources: Sources
) -> Iterator[Finding]:
    """Yield what is wrong with the URLs of packages.

    Args:
        file: the file that they stand in.
        texts: the texts of packages' entries, with the keys that lead to them.
        sources: the sources of the same project.
    """
    assigned = sources.assigned()
    for keys, text in texts:
        named = str(next((key for key in keys[1:2]), keys[0]))
        if "://" in text:
            for found in about_variables(f"package {named}", text):
                yield file.finding("variable-form", *found, *keys)
        if secret_in(text):
            yield file.finding("url-secret", *about_secret(f"package {named}", text), *keys)
        if not variables_in(text):
            continue
        try:
            refuse_stray_token(read_source(named, text, file.name, {}), assigned)
        except ConfigurationError as error:
            yield file.finding(error.code or "token-elsewhere", error.sentence, error.hint, *keys)
