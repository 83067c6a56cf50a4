"""Fetching, reading and writing index pages."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from support.servers import FixedAnswer, served

from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.lookups.index_client import UNREACHABLE, Answer, IndexClient
from codeartifact_pipenv.lookups.simple_page import HTML as HTML_V1
from codeartifact_pipenv.lookups.simple_page import File, choose_kind, read_page, write_page

if TYPE_CHECKING:
    from support.sandbox import FakePublicIndex

PLACE = "https://index.example/simple/acme/"
HTML, JSON = "text/html; charset=utf-8", "application/vnd.pypi.simple.v1+json"
WHEEL = "acme-1.0-py3-none-any.whl"
SHA = "0" * 64


FILES = (
    File(WHEEL, f"https://index.example/files/{WHEEL}", ">=3.8", False, {"sha256": SHA}),
    File("acme-1.0+x.tar.gz", f"{PLACE}acme-1.0%2Bx.tar.gz", "", "broken"),
)


def test_an_html_page_lists_its_files() -> None:
    body = f"""<!DOCTYPE html><html><body>
        <a href="../../files/{WHEEL}#sha256={SHA}" data-requires-python="&gt;=3.8">x</a>
        <A HREF='{PLACE}acme-1.0%2Bx.tar.gz' data-yanked="broken">x</a>
        <a href="http://[::1">x</a> <a name="top">no link</a> <a href>none either</a>"""
    assert read_page(body.encode(), HTML, PLACE) == FILES


def test_a_json_page_lists_its_valid_files() -> None:
    url, hashes = f"/files/{WHEEL}", {"sha256": SHA}
    wheel = {"filename": WHEEL, "url": url, "requires-python": ">=3.8", "hashes": hashes}
    bad: list[object] = [{"filename": "x", "url": "http://[::1"}, {"filename": "x"}, 1, None, []]
    bad.append({"filename": 1, "url": 1, "hashes": 5})
    sdist = {"filename": "acme-1.0+x.tar.gz", "url": "acme-1.0%2Bx.tar.gz", "yanked": "broken"}
    other = {"filename": "b", "url": "u", "yanked": False, "requires-python": None}
    body = json.dumps({"files": [wheel, sdist, *bad, other]}).encode()
    assert read_page(body, JSON, PLACE) == (*FILES, File("b", f"{PLACE}u", "", False))


keys = st.text(max_size=3) | st.sampled_from(["files", "filename", "url", "hashes", "sha256"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(values)
@example({"files": [{"filename": {}, "url": [], "hashes": []}]})
def test_any_json_is_a_page_or_an_error(document: object) -> None:
    for shape in (document, {"files": document}, {"files": [document]}):
        with contextlib.suppress(ValueError):
            files = read_page(json.dumps(shape).encode(), JSON, PLACE)
            for kind in (JSON, HTML):
                assert write_page("acme", files, kind)


@given(st.binary() | st.text(alphabet="<>![]-/a href='\"=&#x?:;CDATA").map(str.encode))
@example(b"[" * 100_000)
@example(b'{"files": ' + b"9" * 5000 + b"}")
@example(b"<![if")
@example(b"<!DOCTYPE [<!")
def test_any_bytes_are_a_page_or_an_error(body: bytes) -> None:
    for kind in (JSON, HTML):
        with contextlib.suppress(ValueError):
            read_page(body, kind, PLACE)


words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
listed = st.builds(
    File,
    name=words.map(lambda text: text.replace("/", "")).filter(bool),
    url=st.just(PLACE),
    requires_python=st.just("") | words,
    yanked=st.booleans() | words,
    hashes=st.builds(dict, sha256=digests) | st.builds(dict, md5=digests) | st.just({}),
    metadata=st.booleans() | digests,
).map(lambda file: file._replace(url=PLACE + quote(file.name)))


@given(st.lists(listed))
def test_a_written_page_is_read_back_identically(files: list[File]) -> None:
    for kind in (JSON, HTML_V1, "text/html"):
        assert read_page(write_page("acme", files, kind), kind, PLACE) == tuple(files)


def test_a_json_page_keeps_sizes_upload_times_and_hashes() -> None:
    file = File(WHEEL, PLACE + WHEEL, hashes={"sha256": SHA, "md5": "0" * 32}, size=7)
    file = file._replace(upload_time="2026-01-01T00:00:00.000000Z")
    body = write_page("acme", [file], JSON, ["1.0"])
    assert read_page(body, JSON, PLACE) == (file,)
    document = json.loads(body)
    assert (document["meta"], document["versions"]) == ({"api-version": "1.1"}, ["1.0"])
    body = write_page("acme", [file._replace(size=None)], JSON, ["1.0"])
    assert json.loads(body)["meta"] == {"api-version": "1.0"}  # 1.1 requires a size


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/html"),
        (f"{JSON}, {HTML_V1}; q=0.1, text/html; q=0.01", JSON),
        (f"{JSON};q=0, text/html", "text/html"),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("text/*;q=0.5, image/png", "text/html"),
        ("text/html;q=0, */*", HTML_V1),
        (f"text/html;q=bad, {HTML_V1};q=0.1", HTML_V1),
        ("application/vnd.pypi.simple.v2+json", None),
    ],
)
def test_the_accept_header_chooses_the_format(accept: str, kind: str | None) -> None:
    assert choose_kind(accept) == kind


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_page_is_fetched_and_the_name_is_quoted(public: FakePublicIndex) -> None:
    public.pages["/simple/..%2Fa%3Fb%23c/"] = (200, HTML, f'<a href="{WHEEL}">x</a>'.encode())
    found = IndexClient({}).ask_index(public.url, "../a?b#c")
    assert (found.has_page, [file.name for file in found.files]) == (True, [WHEEL])


@pytest.mark.parametrize("body", [gzip.compress(bytes(100_000_000), 1), b"no gzip"])
def test_a_compressed_page_that_is_too_large_or_broken_is_not_an_answer(body: bytes) -> None:
    with served(FixedAnswer()) as server:
        server.heads, server.body = "Content-Encoding: gzip\r\n", body
        assert IndexClient({}).ask_index(server.url, "acme") == Answer(None, UNREACHABLE)


@pytest.mark.parametrize("url", ["ftp://h/", "http://[::1", "http://127.0.0.1:1"])
def test_an_invalid_index_url_is_unreachable(url: str) -> None:
    assert IndexClient({}, seconds=1).ask_index(url, "acme").has_page is False


HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"


def test_a_file_is_requested_only_from_its_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = parse_url(f"https://{HOST}/pypi/team/simple/")
    assert endpoint is not None
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    assert IndexClient({}, 1).fetch(f"{endpoint.url}a.whl", endpoint, "secret", 100) is None
    monkeypatch.delattr(requests.Session, "send")
    for url in (
        "https://files.example/acme.whl",
        f"http://{HOST}/pypi/team/a.whl",
        f"https://{HOST}.evil/pypi/team/a",
        f"https://{HOST}@evil/pypi/team/a",
        f"https://{HOST}/pypi/other/a.whl",
    ):
        assert IndexClient({}).fetch(url, endpoint, "secret", 100) is None
        assert IndexClient({}).ask_file(url, endpoint, "secret") is None


@pytest.mark.parametrize(
    ("head", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nDate: Mon", b""),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n", b"<!-- more -->", marks=pytest.mark.wide),
    ],
    ids=["truncated head", "endless body"],
)
def test_a_page_without_an_end_is_not_an_answer(head: bytes, more: bytes) -> None:
    def answer() -> None:
        with server.accept()[0] as connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(head)
            for _ in range(1000 * len(more)):
                time.sleep(0.01)
                connection.sendall(more)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        index = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        assert IndexClient({}, 2).ask_index(index, "acme") == Answer(None, UNREACHABLE)
        thread.join()
