"""The pages of the index, each made once a run and complete.

A name goes on to the default source only on a definite 404, and never when it is known to be
private: a refusal or a fault of CodeArtifact must not let a stranger's package in. CodeArtifact
decides which files there are; what the default source says of the same file (by its SHA-256) is
added: when it was uploaded, whether it was withdrawn, for which Python it is.
"""

from __future__ import annotations

import contextlib
import os
import re
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

from urllib3.exceptions import HTTPError

from codeartifact_pipenv.diagnosis.pages import trusted_bundle
from codeartifact_pipenv.proxy_index.default_source import ACCEPT, DefaultSource
from codeartifact_pipenv.proxy_index.index import (
    DEFAULT_SOURCE,
    FILES,
    NOWHERE,
    Refusal,
    RefusedError,
)
from codeartifact_pipenv.proxy_index.once import Once
from codeartifact_pipenv.proxy_index.upstreams import Repositories
from codeartifact_pipenv.proxy_index.wheels import Place, Wheels
from codeartifact_pipenv.simple_page import read_page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.simple_page import File

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Listing(NamedTuple):
    """A name's page.

    Attributes:
        number: where it comes from.
        files: its files, as clients are told of them; None to send them on to the default source.
    """

    number: int
    files: tuple[File, ...] | None


class Pages:
    """The pages of an index, and the files on them.

    Args:
        index: the index.

    Attributes:
        repositories: asks the repositories.
        wheels: has the METADATA of wheels.
        incomplete: normalised names of which the default source could not be asked.
    """

    def __init__(self, index: ProxyIndex) -> None:
        verify = trusted_bundle(os.environ)
        self._index = index
        self.repositories = Repositories(index.upstreams, verify, index.renew)
        self._default = None
        if index.default_source is not None:
            self._default = DefaultSource(index.default_source, index.default_login, verify)
        self.wheels = Wheels(index, self.repositories, self._default)
        self.incomplete: set[str] = set()
        self._listings: Once[Listing] = Once()
        self._places: dict[tuple[str, str], Place] = {}

    def close(self) -> None:
        """Close the connections."""
        self.repositories.close()
        self.wheels.close()
        if self._default is not None:
            self._default.close()

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

    def _ask(self, name: str) -> Listing:
        index = self._index
        for number in index.candidates(name):
            with refusing(number):
                page = self.repositories.page(number, f"simple/{name}/", {"Accept": ACCEPT})
                if page.status == HTTPStatus.OK:
                    files = read_page(page.body, page.kind, page.url)
                    return Listing(number, tuple(self._completed(name, number, files)))
            if page.status != HTTPStatus.NOT_FOUND:
                raise RefusedError(Refusal(number, page.status))
        if self._default is None or name in index.private:
            return Listing(NOWHERE, ())
        # (What else it may say, or not say, is between it and the client.)
        return Listing(DEFAULT_SOURCE, self._default.files(name) or None)

    def _completed(self, name: str, number: int, files: Iterable[File]) -> Iterator[File]:
        public = self._public_files(name)
        same_files = {file.sha256: file for file in public or () if file.sha256}
        for file in files:
            same = same_files.get(file.sha256)
            if same is not None:
                file = file._replace(  # noqa: PLW2901 - the same file, of which more is known
                    upload_time=same.upload_time,
                    yanked=same.yanked or file.yanked,
                    requires_python=file.requires_python or same.requires_python,
                    size=same.size if file.size is None else file.size,
                )
            elif public is not None:  # it is private: a cool-down is about what strangers upload
                file = file._replace(upload_time="")  # noqa: PLW2901 - of which less is told
            yield self._through(name, number, file, same)

    def _public_files(self, name: str) -> tuple[File, ...] | None:
        """Return what the default source has of a name; None where there is no telling."""
        if self._default is None:
            return None
        if name in self._index.private:
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
    """Raise RefusedError where a repository gives no whole answer in the block, or no sense.

    So it is where what comes cannot be kept here: the disk is full.
    """
    try:
        yield
    except (OSError, HTTPError, ValueError) as error:  # (a RequestException is an OSError)
        raise RefusedError(Refusal(number, None)) from error
