"""The index, from its start to its end: what a run needs of it.

A command that has it starts pipenv at once: what takes long to import is not imported here, but
by the threads that ask for the first pages.
"""

from __future__ import annotations

import secrets

from codeartifact_pipenv.proxy_index.model import (
    IndexAccess,
    IndexSources,
    Observations,
)
from codeartifact_pipenv.proxy_index.once import Once
from codeartifact_pipenv.proxy_index.prefetch import Prefetcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

    from codeartifact_pipenv.proxy_index.content import Content
    from codeartifact_pipenv.proxy_index.model import Listing
    from codeartifact_pipenv.proxy_index.pages import Pages
    from codeartifact_pipenv.proxy_index.server import Server


class ProxyIndex:
    """The index, from ``with`` to the end of its block.

    Args:
        sources: what it serves.
        access: how it asks the sources.

    Attributes:
        observed: what it saw.
        password: what clients must send.
        uses_saved_address: whether URLs here are those of the last run.
    """

    def __init__(self, sources: IndexSources, access: IndexAccess | None = None) -> None:
        self.sources = sources
        self.observed = Observations()
        self.password = secrets.token_urlsafe(24)
        self.uses_saved_address = False
        self._access = access or IndexAccess()
        self._content: Once[Content | None] = Once()
        self._prefetcher = Prefetcher(self._fetch_page, self.observed.wanted)
        self._server: Server | None = None

    def __enter__(self) -> Self:
        """Start to serve."""
        from codeartifact_pipenv.proxy_index.address import saved_address
        from codeartifact_pipenv.proxy_index.server import serve

        address = saved_address(self._access.cache)
        self._server = serve(self.password, self.content, address)
        self.uses_saved_address = self._server.server_address[:2] == address
        self._prefetcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._prefetcher.stop()
        self.close()

    def close(self) -> None:
        """Close what was opened to ask the sources; nothing is opened any more."""
        content = self._content.get("", lambda: None)
        if content is not None:
            content.close()

    @property
    def url(self) -> str:
        """The index URL, without credentials."""
        return f"http://{self.host}:{self._running.server_port}/simple"

    @property
    def host(self) -> str:
        """The address that it has to itself: the password is for it alone."""
        host = str(self._running.server_address[0])
        # (pips differ in how they look for an IPv6 address in a netrc.)
        return "localhost" if ":" in host else host

    @property
    def _running(self) -> Server:
        assert self._server is not None, "the index serves inside its block only"  # noqa: S101
        return self._server

    def content(self) -> Content:
        """Return its pages and files.

        Raises:
            RuntimeError: it has been closed.
        """
        content = self._content.get("", self._open_content)
        if content is None:
            raise RuntimeError("the index is closed")
        return content

    @property
    def pages(self) -> Pages:
        """Its pages; errors as of ``content``."""
        return self.content().pages

    def prefetch(self, names: Iterable[str]) -> None:
        """Fetch the pages of packages in the background, each once."""
        self._prefetcher.prefetch(names)

    def real_url(self, url: str) -> str:
        """Return where a file is whose URL here is given; other URLs as they are."""
        root = self.url.removesuffix("simple")
        if not url.startswith(root):
            return url
        return self.content().table.real_url(url.removeprefix(root)) or url

    def known_listing(self, name: str) -> Listing | None:
        """Return the page of a normalised name, if it was made in this run."""
        content = self._content.peek("")
        return None if content is None else content.pages.known_listing(name)

    def _fetch_page(self, name: str) -> None:
        self.pages.listing(name)

    def _open_content(self) -> Content:
        from codeartifact_pipenv.proxy_index.content import open_content

        prefetch = self._prefetcher.prefetch_requirements
        return open_content(self.sources, self._access, self.observed, prefetch)
