"""Reader and writer for pages of the simple API: HTML (PEP 503) and JSON (PEP 691).

Also PEP 592 (yanked), PEP 658 and 714 (core metadata), PEP 700 (size, upload-time). The library
`simple-repository` 0.11.1 was not suitable: one invalid file, such as one without hashes, loses
the whole page; quoted links are quoted again; numpy's page of 4,400 files takes 110 ms, not 17.
"""

from __future__ import annotations

import contextlib
import html
import html.parser
import json
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
PLAIN_HTML = "text/html"
# Content types by the type that a client accepts, in order of preference.
OFFERS = {
    PLAIN_HTML: PLAIN_HTML,
    HTML: HTML,
    "application/vnd.pypi.simple.latest+html": HTML,
    JSON: JSON,
    "application/vnd.pypi.simple.latest+json": JSON,
}


class File(NamedTuple):
    """One file of a page.

    Attributes:
        name: the file's name.
        url: its URL without a fragment.
        requires_python: the specifier of Python versions; '' for any.
        yanked: whether it was yanked, or the reason.
        hashes: hex digests by algorithm.
        size: in bytes, if known.
        upload_time: in ISO 8601; '' if unknown.
        metadata: whether its METADATA is available at its URL plus ``.metadata``, or the SHA-256
            hex digest of that (PEP 658).
    """

    name: str
    url: str
    requires_python: str = ""
    yanked: bool | str = False
    hashes: Mapping[str, str] = {}
    size: int | None = None
    upload_time: str = ""
    metadata: bool | str = False

    @property
    def sha256(self) -> str:
        """The SHA-256 hex digest; '' if unknown."""
        return self.hashes.get("sha256", "")


def completed(files: Iterable[File], public: Iterable[File]) -> list[File]:
    """Add the public index's data to a repository's files with the same SHA-256.

    Other files are private; they get no upload time, because a cool-down is about public uploads.
    """
    same_files = {file.sha256: file for file in public if file.sha256}
    return [_completed(file, same_files.get(file.sha256)) for file in files]


def _completed(file: File, same: File | None) -> File:
    if same is None:
        return file._replace(upload_time="")
    return file._replace(
        upload_time=same.upload_time,
        yanked=same.yanked or file.yanked,
        requires_python=file.requires_python or same.requires_python,
        size=same.size if file.size is None else file.size,
    )


def read_page(body: bytes, content_type: str, url: str) -> tuple[File, ...]:
    """Read a page of the simple API.

    Args:
        body: the page, of limited length.
        content_type: its Content-Type.
        url: its URL, which links are relative to.

    Returns:
        The files; invalid entries are left out.

    Raises:
        ValueError: the page is invalid, or no file on it can be read.
    """
    if "json" not in content_type:
        return _each_read(_html_links(body), url, _from_link)
    try:
        return _each_read(iter(json.loads(body)["files"]), url, _from_json)
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"the page at {url} is not a JSON page of an index") from error


def write_page(
    name: str, files: Collection[File], kind: str, versions: Iterable[str] = ()
) -> bytes:
    """Write a page.

    Args:
        name: the project's normalised name.
        files: the files; URLs can be relative to the page.
        kind: one of the values of OFFERS.
        versions: all versions of the project, if known.
    """
    # Version 1.1 requires the versions, and the size of each file (PEP 700).
    known = list(versions)
    complete = known and all(file.size is not None for file in files)
    meta = {"api-version": "1.1" if complete else "1.0"}
    if kind != JSON:
        return _html_page(name, files, meta["api-version"]).encode("utf-8", "replace")
    rows = [_json_file(file) for file in files]
    document = {"meta": meta, "name": name, "files": rows}
    return json.dumps(document | ({"versions": known} if known else {})).encode()


def choose_kind(accept: str) -> str | None:
    """Return the Content-Type that a client prefers, or None if it accepts none of OFFERS.

    Args:
        accept: its Accept header; '' if missing.
    """
    liked: dict[str, float] = {}
    for entry in accept.split(",") if accept.strip() else ["*/*"]:
        kind, *parameters = (word.strip().lower() for word in entry.split(";"))
        weights = [word[2:].strip() for word in parameters if word.startswith("q=")]
        try:
            liked[kind] = float(weights[0]) if weights else 1.0
        except ValueError:
            liked[kind] = 0.0
    weights_of = {
        offer: next((liked[k] for k in (offer, f"{offer.split('/')[0]}/*", "*/*") if k in liked), 0)
        for offer in OFFERS
    }
    best = max(weights_of, key=lambda offer: weights_of[offer])
    return OFFERS[best] if weights_of[best] > 0 else None


def _each_read(
    found: Iterable[Any], place: str, read: Callable[[Any, str], File]
) -> tuple[File, ...]:
    files, entries = [], 0
    for entry in found:
        entries += 1
        # Skip an invalid entry, keep the others.
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            files.append(read(entry, place))
    if entries and not files:
        raise ValueError(f"no file on the page at {place} can be read")
    return tuple(files)


def _from_json(file: Any, place: str) -> File:
    # PEP 714: core-metadata replaces dist-info-metadata.
    metadata = file.get("core-metadata", file.get("dist-info-metadata"))
    if isinstance(metadata, dict):
        metadata = metadata.get("sha256", True)
    url, _, fragment = _absolute(str(file["url"]), place).partition("#")
    return File(
        str(file["filename"]),
        url,
        str(file.get("requires-python") or ""),
        _yanked(file.get("yanked")),
        _hashes(file.get("hashes") or {}) or _hash_of(fragment),
        size if isinstance(size := file.get("size"), int) else None,
        str(file.get("upload-time") or ""),
        metadata if isinstance(metadata, str) else bool(metadata),
    )


def _hashes(found: Any) -> dict[str, str]:
    return {str(name): str(digest) for name, digest in found.items()}


def _hash_of(fragment: str) -> dict[str, str]:
    name, _, digest = fragment.partition("=")
    return {name: digest} if name and digest else {}


def _yanked(reason: Any) -> bool | str:
    # The reason can be empty.
    return reason or True if isinstance(reason, str) else bool(reason)


def _absolute(url: str, place: str) -> str:
    if not url.startswith("https://"):
        return urljoin(place, url)
    if "[" in url.split("/", 3)[2]:
        urlsplit(url)  # raises ValueError for an invalid IPv6 address
    return url


def _from_link(link: Mapping[str, str], place: str) -> File:
    url, _, fragment = _absolute(link["href"], place).partition("#")
    metadata = link.get("data-core-metadata", link.get("data-dist-info-metadata"))
    _, is_hash, digest = (metadata or "").partition("sha256=")
    return File(
        unquote(urlsplit(url).path.rpartition("/")[2]),
        url,
        link.get("data-requires-python") or "",
        _yanked(link.get("data-yanked", False)),
        _hash_of(fragment),
        metadata=digest if is_hash else metadata is not None and metadata.lower() != "false",
    )


def _html_links(body: bytes) -> list[dict[str, str]]:
    links = _Links()
    # The parser of Python 3.10 raises AssertionError for an invalid declaration.
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


def _json_file(file: File) -> dict[str, Any]:
    document: dict[str, Any] = {
        "filename": file.name,
        "url": file.url,
        "hashes": file.hashes,
        "yanked": file.yanked,
    }
    if file.requires_python:
        document["requires-python"] = file.requires_python
    if file.size is not None:
        document["size"] = file.size
    if file.upload_time:
        document["upload-time"] = file.upload_time
    if file.metadata:
        digest = file.metadata
        document["core-metadata"] = {"sha256": digest} if isinstance(digest, str) else True
    return document


def _html_page(name: str, files: Iterable[File], version: str) -> str:
    title = html.escape(f"Links for {name}")
    meta = f'<meta name="pypi:repository-version" content="{version}">'
    lines = [
        "<!DOCTYPE html>",
        f"<html><head>{meta}<title>{title}</title></head>",
        f"<body><h1>{title}</h1>",
        *map(_anchor, files),
        "</body></html>",
    ]
    return "\n".join(lines)


def _anchor(file: File) -> str:
    hashes = file.hashes
    name = "sha256" if "sha256" in hashes else next(iter(hashes), "")
    attributes = {"href": f"{file.url}#{name}={hashes[name]}" if name else file.url}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.yanked is not False:
        attributes["data-yanked"] = file.yanked if isinstance(file.yanked, str) else ""
    if file.metadata:
        digest = file.metadata
        attributes["data-core-metadata"] = f"sha256={digest}" if isinstance(digest, str) else "true"
    spelled = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<a {spelled}>{html.escape(file.name)}</a><br>"
