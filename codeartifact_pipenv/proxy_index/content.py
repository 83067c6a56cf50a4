"""The content of the index, created for the first request because its imports are slow."""

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
    """The content of an index.

    Attributes:
        sources: the sources that it serves.
        observed: records of the run.
        pages: its pages.
        table: the origins of the files on the pages.
        metadata: the METADATA of wheels.
        downloads: the downloaded wheels.
        upstreams: the clients of the repositories, by number.
        others: the clients of other indexes, by URL.
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
        """Close the connections and remove downloads."""
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
    """Create the content of an index.

    Args:
        sources: the sources to serve.
        access: how to access them.
        observed: records of the run.
        on_metadata: called with the METADATA of each wheel that pipenv requests.
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
