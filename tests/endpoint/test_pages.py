"""The package endpoint's pages, held to what is known of CodeArtifact's own."""

from __future__ import annotations

import hashlib
import re
import zipfile
from typing import TYPE_CHECKING

import pytest
from support.sandbox import JSON, WHEEL, FakePublicIndex, Http, get_token

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path


HTML = "application/vnd.pypi.simple.v1+html"


@pytest.mark.wide
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/html"),
        ("", "text/html"),
        ("*/*", "text/html"),
        ("text/*", "text/html"),
        ("application/*", HTML),
        ("application/vnd.pypi.simple.latest+html", HTML),
        ("application/vnd.pypi.simple.latest+json;q=0.5, text/html;q=0.4", JSON),
        # As pip and uv ask.
        (f"{JSON}, {HTML}; q=0.1, text/html; q=0.01", JSON),
        (f"{JSON};q=0.2, {HTML};q=0.9, text/html;q=0.01", HTML),
        (f"{JSON};q=0.2, */*;q=0.8", "text/html"),
        ("text/html;q=0, */*", HTML),
        (f"{JSON};q=0", None),
        ("application/json", None),
        ("application/vnd.pypi.simple.v2+json", None),
    ],
)
def test_quality_values_choose_the_form(
    http: Http, token: str, page_url: str, accept: str | None, kind: str | None
) -> None:
    """The form with the highest quality is served, HTML where nothing is asked, else 406."""
    headers = {} if accept is None else {"Accept": accept}
    answer = http(page_url, token, headers=headers)
    if kind is None:
        assert answer.status == 406
    else:
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)


def test_before_2026_there_is_html_only(packages: Path, clean_base: dict[str, str]) -> None:
    """Where only HTML is spoken a client that would take JSON gets HTML, and says so itself."""
    with Sandbox(
        [packages], upstream=False, behaviour=Behaviour(pages="html"), base=clean_base
    ) as sandbox:
        http, token = Http(sandbox), get_token(sandbox)
        for accept in (JSON, f"{JSON}, text/html;q=0.1", "image/png"):
            url = f"{sandbox.endpoint.simple_url}acme-alone/"
            page = http(url, token, headers={"Accept": accept})
            assert (page.status, page.headers["Content-Type"]) == (200, "text/html")
            assert b"<a href=" in page.data
        http.close()


@pytest.mark.parametrize("offered", [False, True])
def test_metadata_apart(packages: Path, clean_base: dict[str, str], offered: bool) -> None:
    """Both forms of a page speak of METADATA files if that is chosen, and they are there."""
    behaviour = Behaviour(metadata=offered)
    with Sandbox([packages], upstream=False, behaviour=behaviour, base=clean_base) as sandbox:
        http, token = Http(sandbox), get_token(sandbox)
        url = f"{sandbox.endpoint.simple_url}acme-alone/"
        forms = [http(url, token, headers={"Accept": kind}).data for kind in (HTML, JSON)]
        apart = http(f"{url}2.0/{WHEEL}.metadata", token)
        http.close()
    with zipfile.ZipFile(packages / WHEEL) as archive:
        metadata = archive.read("acme_alone-2.0.dist-info/METADATA")
    digest = hashlib.sha256(metadata).hexdigest().encode()
    assert [digest in form for form in forms] == [offered, offered]
    assert (apart.status, apart.data == metadata) == ((200, True) if offered else (404, False))


def test_head_says_what_get_would(http: Http, token: str, page_url: str, file_url: str) -> None:
    """HEAD has the status, type and length of GET, for pages, files and refusals, and no body."""
    for url, given in ((page_url, token), (file_url, token), (file_url, None), (page_url, None)):
        head, whole = http(url, given, "HEAD"), http(url, given)
        assert head.status == whole.status
        assert head.data == b""
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == whole.headers[name]
    assert http(f"{page_url}2.0/other.whl", token, "HEAD").status == 404
    # No client may keep what one run said for the next.
    assert http(file_url, token).headers["Cache-Control"] == "no-store"


@pytest.mark.wide
@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=0-0", 206),
        ("bytes=-22", 206),
        ("bytes=10-", 206),
        ("bytes=99999999-", 416),
    ],
)
def test_a_file_comes_in_parts(
    packages: Path, clean_base: dict[str, str], asked: str, status: int
) -> None:
    """A part is served with its place in the whole, and 416 if it cannot be; or Range is ignored."""
    data = (packages / WHEEL).read_bytes()
    for ranges in (True, False):
        behaviour = Behaviour(ranges=ranges)
        with Sandbox([packages], upstream=False, behaviour=behaviour, base=clean_base) as sandbox:
            http, token = Http(sandbox), get_token(sandbox)
            url = f"{sandbox.endpoint.simple_url}acme-alone/2.0/{WHEEL}"
            answer = http(url, token, headers={"Range": asked})
            whole = http(url, token)
            http.close()
        assert whole.headers.get("Accept-Ranges") == ("bytes" if ranges else None)
        assert answer.status == (status if ranges else 200)
        if answer.status == 206:
            place = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers["Content-Range"])
            assert place is not None
            first, last, size = map(int, place.groups())
            assert size == len(data)
            assert answer.data == data[first : last + 1]
        elif answer.status == 200:
            assert answer.data == data
            assert "Accept-Ranges" not in answer.headers


def test_yanked_stays_with_a_version_that_was_fetched(
    packages: Path, clean_base: dict[str, str], public: FakePublicIndex, tmp_path: Path
) -> None:
    """A yanked version keeps its flag when it is retained; what was published here has none."""
    wheel = make_wheel(tmp_path, "pub", "1.0")
    public.add("pub", wheel, yanked="broken", **{"upload-time": "2020-01-02T03:04:05.000000Z"})
    base, timed = (
        clean_base | {"PIP_INDEX_URL": public.url},
        Behaviour(upload_time=True, yanked=True),
    )
    with Sandbox([packages], base=base, behaviour=timed) as sandbox:
        http, token, url = Http(sandbox), get_token(sandbox), sandbox.endpoint.simple_url
        assert http(f"{url}pub/1.0/{wheel.name}", token).data == wheel.read_bytes()
        public.pages.clear()
        (file,) = http(f"{url}pub/", token, headers={"Accept": JSON}).json()["files"]
        (own,) = http(f"{url}acme-alone/", token, headers={"Accept": JSON}).json()["files"]
        http.close()
    assert (file["yanked"], file["upload-time"]) == ("broken", "2020-01-02T03:04:05.000000Z")
    assert file["hashes"]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert own["yanked"] is False
