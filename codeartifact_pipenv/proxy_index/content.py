"""Everything behind the server: made when the first page is asked for, since its imports are slow."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.lookups.index_client import trusted_bundle
from codeartifact_pipenv.proxy_index.file_table import FileTable
from codeartifact_pipenv.proxy_index.metadata import MetadataStore
from codeartifact_pipenv.proxy_index.other_indexes import OtherIndex
from codeartifact_pipenv.proxy_index.pages import Pages
from codeartifact_pipenv.proxy_index.repository_pages import Existence, RepositoryPages
from codeartifact_pipenv.proxy_index.upstreams import UpstreamClient, upstream_clients
from codeartifact_pipenv.proxy_index.wheels import WheelDownloads, WheelMetadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codeartifact_pipenv.proxy_index.model import IndexAccess, IndexSources, Observations


class Content(NamedTuple):
    """What an index has.

    Attributes:
        sources: what it serves.
        observed: what it saw.
        pages: its pages.
        table: the origins of the files on them.
        metadata: METADATA of the wheels among them.
        downloads: whole wheels that were fetched for it.
        upstreams: ask the repositories, by number.
        others: by URL, the clients of the other indexes.
    """

    sources: IndexSources
    observed: Observations
    pages: Pages
    table: FileTable
    metadata: WheelMetadata
    downloads: WheelDownloads
    upstreams: Sequence[UpstreamClient]
    others: Mapping[str, OtherIndex]

    def close(self) -> None:
        """Close the connections, and remove what was fetched."""
        self.downloads.close()
        for client in self.upstreams:
            client.close()
        for other in self.others.values():
            other.close()


def open_content(
    sources: IndexSources,
    access: IndexAccess,
    observed: Observations,
    on_metadata: Callable[[bytes], object],
) -> Content:
    """Make what an index has.

    Args:
        sources: what it serves.
        access: how it asks.
        observed: what it saw.
        on_metadata: is given the METADATA of each wheel that pipenv asks about.
    """
    verify = trusted_bundle(os.environ)
    table = FileTable(sources.upstreams)
    upstreams = upstream_clients(sources.upstreams, verify, access.renew)
    urls = {*sources.elsewhere.values(), *filter(None, [sources.default_source])}
    others = {url: OtherIndex(url, access.logins, verify) for url in urls}
    endpoints = [upstream.endpoint for upstream in sources.upstreams]
    existence = Existence(endpoints, access.ask_exists, access.cache)
    repositories = RepositoryPages(sources, upstreams, existence, observed)
    downloads = WheelDownloads(upstreams, access.folder, observed)
    store = MetadataStore(os.path.join(access.cache, "metadata") if access.cache else None)
    return Content(
        sources,
        observed,
        Pages(sources, observed, repositories, others, table),
        table,
        WheelMetadata(
            downloads,
            others.get(sources.default_source or ""),
            store,
            [e.url for e in endpoints],
            on_metadata,
        ),
        downloads,
        upstreams,
        others,
    )
