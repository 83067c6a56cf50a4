"""The proxy index of one run.

Slow imports happen in the threads that request the first pages, so pipenv starts at once.
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
    """Serves an index during a ``with`` block.

    Args:
        sources: the sources to serve.
        access: how to access them.

    Attributes:
        observed: records of the run.
        password: the password for clients.
        uses_saved_address: whether the URLs are the same as in the last run.
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
        """Start the server."""
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
        """Stop the server."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._prefetcher.stop()
        self.close()

    def close(self) -> None:
        """Close the content; it cannot be opened again."""
        content = self._content.get("", lambda: None)
        if content is not None:
            content.close()

    @property
    def url(self) -> str:
        """The index URL, without credentials."""
        return f"http://{self.host}:{self._running.server_port}/simple"

    @property
    def host(self) -> str:
        """The host for which clients use the password."""
        host = str(self._running.server_address[0])
        # Versions of pip differ in how they look up IPv6 addresses in a netrc file.
        return "localhost" if ":" in host else host

    @property
    def _running(self) -> Server:
        assert self._server is not None, "the index serves inside its block only"  # noqa: S101
        return self._server

    def content(self) -> Content:
        """Return the content.

        Raises:
            RuntimeError: the index is closed.
        """
        content = self._content.get("", self._open_content)
        if content is None:
            raise RuntimeError("the index is closed")
        return content

    @property
    def pages(self) -> Pages:
        """The pages; raises as ``content`` does."""
        return self.content().pages

    def prefetch(self, names: Iterable[str]) -> None:
        """Fetch the pages of packages in the background, each once."""
        self._prefetcher.prefetch(names)

    def real_url(self, url: str) -> str:
        """Return the upstream URL of a file here; return other URLs unchanged."""
        root = self.url.removesuffix("simple")
        if not url.startswith(root):
            return url
        return self.content().table.real_url(url.removeprefix(root)) or url

    def known_listing(self, name: str) -> Listing | None:
        """Return the page of a normalised name if this run has created it."""
        content = self._content.peek("")
        return None if content is None else content.pages.known_listing(name)

    def _fetch_page(self, name: str) -> None:
        self.pages.listing(name)

    def _open_content(self) -> Content:
        from codeartifact_pipenv.proxy_index.content import open_content

        prefetch = self._prefetcher.prefetch_requirements
        return open_content(self.sources, self._access, self.observed, prefetch)
