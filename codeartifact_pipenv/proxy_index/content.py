"""Everything behind the server: made when the first page is asked for, since its imports are slow."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.lookups.index_client import trusted_bundle
from codeartifact_pipenv.proxy_index.existence import Existence
from codeartifact_pipenv.proxy_index.file_table import FileTable
from codeartifact_pipenv.proxy_index.metadata import MetadataStore
from codeartifact_pipenv.proxy_index.other_indexes import OtherIndexes
from codeartifact_pipenv.proxy_index.pages import Pages
from codeartifact_pipenv.proxy_index.repository_pages import RepositoryPages
from codeartifact_pipenv.proxy_index.upstreams import UpstreamClient
from codeartifact_pipenv.proxy_index.wheels import WheelDownloads, WheelMetadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.proxy_index.model import IndexAccess, IndexSources, Observations


class Content(NamedTuple):
    """What an index has.

    Attributes:
        pages: its pages.
        table: the origins of the files on them.
        metadata: METADATA of the wheels among them.
        downloads: whole wheels that were fetched for it.
        upstreams: asks the repositories.
        others: asks the other indexes.
    """

    pages: Pages
    table: FileTable
    metadata: WheelMetadata
    downloads: WheelDownloads
    upstreams: UpstreamClient
    others: OtherIndexes

    def close(self) -> None:
        """Close the connections, and remove what was fetched."""
        self.upstreams.close()
        self.downloads.close()
        self.others.close()


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
    upstreams = UpstreamClient(sources.upstreams, verify, access.renew)
    others = OtherIndexes(sources.default_source, access.logins, verify)
    endpoints = [upstream.endpoint for upstream in sources.upstreams]
    existence = Existence(endpoints, access.ask_exists, access.cache)
    repositories = RepositoryPages(sources, upstreams, existence, observed)
    downloads = WheelDownloads(upstreams, access.folder, observed)
    store = MetadataStore(os.path.join(access.cache, "metadata") if access.cache else None)
    return Content(
        Pages(sources, observed, repositories, others, table),
        table,
        WheelMetadata(downloads, others.default, store, [e.url for e in endpoints], on_metadata),
        downloads,
        upstreams,
        others,
    )
