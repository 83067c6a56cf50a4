"""Reads pages of the simple API, HTML (PEP 503) or JSON (PEP 691)."""

from __future__ import annotations

import contextlib
import html.parser
import json
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


class File(NamedTuple):
    """One file of a page.

    Attributes:
        name: the file's name.
        url: where it is.
        requires_python: the specifier; '' for any Python.
        yanked: whether it was withdrawn, or why.
        sha256: hex digest; '' where the index does not say.
        size: in bytes, if the index says.
        upload_time: ISO 8601; '' where the index does not say.
    """

    name: str
    url: str
    requires_python: str
    yanked: bool | str
    sha256: str = ""
    size: int | None = None
    upload_time: str = ""


def read_page(body: bytes, content_type: str, url: str) -> tuple[File, ...]:
    """Read a page of the simple API (PEP 503, PEP 691).

    Args:
        body: the page; its reader has limited its length.
        content_type: its Content-Type.
        url: its URL, which links are relative to.

    Returns:
        The files; none where the page cannot be read.
    """
    if "json" in content_type:
        return _read_json(body, url)
    return _each_read(_html_links(body), url, _from_link)


def _read_json(body: bytes, place: str) -> tuple[File, ...]:
    try:
        return _each_read(iter(json.loads(body)["files"]), place, _from_json)
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()


def _each_read(
    found: Iterable[Any], place: str, read: Callable[[Any, str], File]
) -> tuple[File, ...]:
    files = []
    for entry in found:
        # One that cannot be read does not hide the others.
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            files.append(read(entry, place))
    return tuple(files)


def _from_json(file: Any, place: str) -> File:
    return File(
        str(file["filename"]),
        urljoin(place, str(file["url"])),
        str(file.get("requires-python") or ""),
        _yanked(file.get("yanked")),
        str((file.get("hashes") or {}).get("sha256") or ""),
        size if isinstance(size := file.get("size"), int) else None,
        str(file.get("upload-time") or ""),
    )


def _yanked(said: Any) -> bool | str:
    # A reason may be empty.
    return said or True if isinstance(said, str) else bool(said)


def _from_link(link: Mapping[str, str], place: str) -> File:
    parts = urlsplit(link["href"])
    return File(
        unquote(parts.path.rpartition("/")[2]),
        urljoin(place, link["href"]),
        link.get("data-requires-python") or "",
        _yanked(link.get("data-yanked", False)),
        parts.fragment.partition("sha256=")[2],
    )


def _html_links(body: bytes) -> list[dict[str, str]]:
    links = _Links()
    # (Python 3.10's parser raises AssertionError over a broken declaration.)
    with contextlib.suppress(AssertionError):
        links.feed(body.decode("utf-8", "replace"))
    return links.found


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "a" and named.get("href"):
            self.found.append(named)
