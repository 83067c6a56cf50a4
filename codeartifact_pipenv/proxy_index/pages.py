"""The pages of the index, each made once a run and complete.

A name goes on to the next place only on a 404 of a repository that exists, and never to the
default source when it is known to be private: neither a wrong letter in a URL nor a fault of
CodeArtifact may let a stranger's package in. CodeArtifact
decides which files there are; what the default source says of the same file (by its SHA-256) is
added: when it was uploaded, whether it was withdrawn, for which Python it is.
"""

from __future__ import annotations

import contextlib
import os
import re
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from urllib3.exceptions import HTTPError

from codeartifact_pipenv.lookups.index_client import trusted_bundle
from codeartifact_pipenv.lookups.simple_page import PLAIN_HTML, completed, read_page
from codeartifact_pipenv.proxy_index.default_source import ACCEPT, DefaultSource
from codeartifact_pipenv.proxy_index.existence import Existence
from codeartifact_pipenv.proxy_index.index import (
    DEFAULT_SOURCE,
    FILES,
    NOWHERE,
    Refusal,
    RefusedError,
)
from codeartifact_pipenv.proxy_index.local_files import LocalFiles
from codeartifact_pipenv.proxy_index.once import Once
from codeartifact_pipenv.proxy_index.upstreams import Repositories
from codeartifact_pipenv.proxy_index.wheels import Place, Wheels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from codeartifact_pipenv.lookups.simple_page import File
    from codeartifact_pipenv.proxy_index.index import ProxyIndex

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Listing(NamedTuple):
    """A name's page.

    Attributes:
        number: where it comes from.
        files: its files, as clients are told of them; None to send them on to the default source.
    """

    number: int
    files: tuple[File, ...] | None


class _Answer(NamedTuple):
    """What a repository answered for a name: its status, and the files of its page."""

    status: int
    files: tuple[File, ...]


class Pages:
    """The pages of an index, and the files on them.

    Args:
        index: the index.

    Attributes:
        repositories: asks the repositories.
        wheels: has the METADATA of wheels.
        local: has files of the user's own.
        incomplete: normalised names of which the default source could not be asked.
    """

    def __init__(self, index: ProxyIndex) -> None:
        self._verify = verify = trusted_bundle(os.environ)
        self._index = index
        self._others: dict[str, DefaultSource] = {}
        self.repositories = Repositories(index.upstreams, verify, index.renew)
        self._default = None
        if index.default_source is not None:
            self._default = self._other(index.default_source)
        self.wheels = Wheels(index, self.repositories, self._default)
        self.local = LocalFiles(index.find_links)
        self.incomplete: set[str] = set()
        self._answers: Once[_Answer] = Once()
        self._existence = Existence(
            [upstream.endpoint for upstream in index.upstreams], index.ask_exists, index.cache
        )
        self._listings: Once[Listing] = Once()
        self._places: dict[tuple[str, str], Place] = {}

    def close(self) -> None:
        """Close the connections."""
        self.repositories.close()
        self.wheels.close()
        for other in self._others.values():
            other.close()

    def listing(self, name: str) -> Listing:
        """Return the page of a normalised name, asked for once a run.

        Raises:
            RefusedError: it is not given, this time.
        """
        return self._listings.get(name, lambda: self._ask(name))

    def seen(self, name: str) -> Listing | None:
        """Return the page of a normalised name, if it has been made."""
        return self._listings.peek(name)

    def place(self, sha256: str, filename: str) -> Place | None:
        """Return where a file of a page comes from; None for none."""
        return self._places.get((sha256, filename))

    def is_public(self, name: str, hashes: Collection[str]) -> bool:
        """Whether the default source has shown a file; see ``ProxyIndex.is_public``."""
        return self._default is not None and not self._default.hashes(name).isdisjoint(hashes)

    def served(self, name: str) -> set[str] | None:
        """Return the hashes that the index of a name has shown; see ``ProxyIndex.served``."""
        try:
            files = self.listing(name).files
        except RefusedError:
            return set() if self._index.is_private(name) else None
        if files is None or not all(file.sha256 for file in files):
            return None
        return {f"sha256:{file.sha256}" for file in files}

    def _other(self, url: str) -> DefaultSource:
        """Return what asks an index that is no repository."""
        if url not in self._others:
            login = self._index.logins.get(urlsplit(url).hostname or "")
            self._others[url] = DefaultSource(url, login, self._verify)
        return self._others[url]

    def _ask(self, name: str) -> Listing:
        index = self._index
        if name in index.elsewhere:
            return Listing(DEFAULT_SOURCE, self._other(index.elsewhere[name]).files(name) or None)
        default = None if index.is_private(name) else self._default
        numbers = list(index.candidates(name))
        for number in numbers:
            answer = self._answer(number, name)
            if answer.status == HTTPStatus.NOT_FOUND and (default or number != numbers[-1]):
                answer = self._confirmed(number, name)
            if answer.status == HTTPStatus.OK:
                return Listing(number, tuple(self._completed(name, number, answer.files)))
            if answer.status != HTTPStatus.NOT_FOUND:
                raise RefusedError(Refusal(number, answer.status))
        local = () if index.is_private(name) else self.local.files(name)
        if default is None:
            return Listing(NOWHERE, local)
        # (What else it may say, or not say, is between it and the client.)
        return Listing(DEFAULT_SOURCE, (*(default.files(name) or ()), *local) or None)

    def _answer(self, number: int, name: str, accept: str = ACCEPT) -> _Answer:
        """Return a repository's answer for a name, asked for once; RefusedError for no answer."""

        def ask() -> _Answer:
            with refusing(number):
                page = self.repositories.page(number, f"simple/{name}/", {"Accept": accept})
                is_page = page.status == HTTPStatus.OK
                files = read_page(page.body, page.kind, page.url) if is_page else ()
            if is_page and accept == ACCEPT:
                self._existence.has_served(number)
            return _Answer(page.status, files)

        return self._answers.get(f"{number} {accept} {name}", ask)

    def _confirmed(self, number: int, name: str) -> _Answer:
        """Return the answer for a name after a 404, once the repository is known to exist.

        Raises:
            RefusedError: the repository does not exist.
        """
        index, existence = self._index, self._existence
        for probe in index.names_of(number):
            if existence.is_proven(number):
                break
            with contextlib.suppress(RefusedError):
                self._answer(number, probe)
        exists = existence.exists(number)
        if exists is False:
            index.missing.add(number)
            raise RefusedError(Refusal(number, HTTPStatus.NOT_FOUND))
        if exists is None:
            index.unproven.add(number)
        if existence.is_proven(number):
            return self._answer(number, name)
        # It is said to answer 404 also where it does not like how it is asked (rtimush/sbt-updates#296).
        return self._answer(number, name, PLAIN_HTML)

    def _completed(self, name: str, number: int, files: Iterable[File]) -> Iterator[File]:
        public = self._public_files(name)
        same_files = {file.sha256: file for file in public or () if file.sha256}
        for file in files if public is None else completed(files, public):
            yield self._through(name, number, file, same_files.get(file.sha256))

    def _public_files(self, name: str) -> tuple[File, ...] | None:
        """Return what the default source has of a name; None where there is no telling."""
        if self._default is None:
            return None
        if self._index.is_private(name):
            return ()
        files = self._default.files(name)
        if files is None:
            self.incomplete.add(name)
            if self._index.needs_dates:
                raise RefusedError(Refusal(DEFAULT_SOURCE, None))
        return files

    def _through(self, name: str, number: int, file: File, public: File | None) -> File:
        """Return a file as clients are told of it; one of the repository comes through here."""
        base = self._index.upstreams[number].endpoint.url
        if not file.url.startswith(base):
            return file
        path = file.url.removeprefix(base)
        if _SHA256.fullmatch(file.sha256) is None:
            return file._replace(url=f"/repository/{number}/{path}", metadata=False)
        # The same from run to run, for pip's caches.
        place = Place(number, path, name, file.sha256, file.name, public, file.metadata)
        self._places[file.sha256, file.name] = place
        url = f"/{FILES}/{file.sha256}/{quote(file.name, safe='')}"
        return file._replace(url=url, metadata=file.name.endswith(".whl"))


@contextlib.contextmanager
def refusing(number: int) -> Iterator[None]:
    """Raise RefusedError where a repository gives no whole answer in the block, or no sense."""
    try:
        yield
    except (OSError, HTTPError, ValueError) as error:  # (a RequestException is an OSError)
        raise RefusedError(Refusal(number, None)) from error
