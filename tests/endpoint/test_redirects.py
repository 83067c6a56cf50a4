"""Files by redirect to a host like S3, which refuses an Authorization header."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import urllib3
from support.sandbox import WHEEL, Http, enter, get_token

from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import USERNAME, IndexSources, Upstream
from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


ASSETS = "assets-193858265520-us-east-1.s3.amazonaws.com"


@pytest.fixture
def redirecting(packages: Path, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    with Sandbox(
        [packages], upstream=False, behaviour=Behaviour(redirect=302), base=clean_base
    ) as running:
        yield running


@pytest.mark.parametrize("wanted", [302, 307])
def test_a_file_comes_from_another_host(
    packages: Path, clean_base: dict[str, str], wanted: int
) -> None:
    """A file's address leads to a signed one at S3, which serves it whole, in parts and by HEAD."""
    data = (packages / WHEEL).read_bytes()
    with Sandbox(
        [packages], upstream=False, behaviour=Behaviour(redirect=wanted), base=clean_base
    ) as sandbox:
        http, token = Http(sandbox), get_token(sandbox)
        url = f"{sandbox.endpoint.simple_url}acme-alone/2.0/{WHEEL}"
        moved = http(url, token)
        place = moved.headers["Location"]
        assert (moved.status, urlsplit(place).hostname) == (wanted, ASSETS)
        assert token not in place
        assert http(place).data == data
        assert http(place, headers={"Range": "bytes=2-5"}).data == data[2:6]
        assert http(place, headers={"Range": "bytes=99999999-"}).status == 416
        head = http(http(url, token, "HEAD").headers["Location"], method="HEAD")
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(data)))
        # Without a token nobody is told where the file is.
        assert http(url).status == 401
        # Pages are not redirected.
        assert http(f"{sandbox.endpoint.simple_url}acme-alone/", token).status == 200
        http.close()


def test_the_asset_host_takes_its_own_signature_only(redirecting: Sandbox) -> None:
    """S3 refuses an Authorization header with 400, and a false, foreign or old URL with 403."""
    http, token = Http(redirecting), get_token(redirecting)
    url = f"{redirecting.endpoint.simple_url}acme-alone/2.0/{WHEEL}"
    place = http(url, token).headers["Location"]
    assert http(place, token).status == 400
    assert redirecting.requests[-1].sent == redirecting.token_id(token)
    for wrong in (
        place.replace("Signature=", "Signature=0"),
        place.replace("Expires=", "Expires=9"),
        place.replace(f"{ASSETS}/", f"{ASSETS}/0"),
        place.partition("?")[0],
        f"https://{ASSETS}/",
    ):
        assert http(wrong).status == 403
    assert http(place, method="HEAD").status == 403
    assert http(place).status == 200
    redirecting.clock_offset = 301
    answer = http(place)
    assert answer.status == 403
    assert b"expired" in answer.data
    http.close()


def asset_requests(sandbox: Sandbox) -> list[tuple[int, str | None]]:
    """Return status and sent credential of what came to the asset host; all that came by GET."""
    return [(r.status, r.sent) for r in sandbox.requests if r.host == ASSETS and r.method == "GET"]


@pytest.mark.parametrize(
    "login",
    ["", f"machine {ASSETS} login me password hunter2\n", "default login me password hunter2\n"],
)
def test_loopback_follows_without_a_login(
    redirecting: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    packages: Path,
    tmp_path: Path,
    login: str,
) -> None:
    """The index on loopback brings a file from the asset host, with no login of anybody's."""
    (tmp_path / "netrc").write_text(login)
    (tmp_path / "netrc").chmod(0o600)
    enter(redirecting, monkeypatch)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    upstream = Upstream(redirecting.endpoint, get_token(redirecting))
    with ProxyIndex(IndexSources([upstream])) as index:
        root = index.url.removesuffix("/simple")
        url = f"{root}/repository/0/simple/acme-alone/2.0/{WHEEL}"
        headers = urllib3.make_headers(basic_auth=f"{USERNAME}:{index.password}")
        with urllib3.PoolManager(retries=False) as pool:
            answer = pool.request("GET", url, headers=headers)
            part = pool.request("GET", url, headers=headers | {"Range": "bytes=2-5"})
    assert (answer.status, answer.data) == (200, (packages / WHEEL).read_bytes())
    assert (part.status, part.data) == (206, answer.data[2:6])
    assert asset_requests(redirecting) == [(200, None), (206, None)]
