"""Files by redirect to a host like S3, which refuses an Authorization header."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import urllib3
from support.sandbox import WHEEL, enter

from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import USERNAME, IndexSources, Upstream
from codeartifact_pipenv.sandbox.behaviour import Behaviour

if TYPE_CHECKING:
    from pathlib import Path

    from support.sandbox import Start

ASSETS = "assets-193858265520-us-east-1.s3.amazonaws.com"
FILE = f"acme-alone/2.0/{WHEEL}"


@pytest.mark.parametrize("status", [302, 307])
def test_a_file_is_served_by_a_signed_url_of_another_host(
    start: Start, data: bytes, status: int
) -> None:
    """The URL is given only for a token, and does not hold it; pages are not redirected."""
    _, repository = start(behaviour=Behaviour(redirect=status))
    http, moved = repository.http, repository.get(FILE)
    place = moved.headers["Location"]
    assert (moved.status, urlsplit(place).hostname) == (status, ASSETS)
    assert repository.token not in place
    assert http(place).data == data
    assert http(place, headers={"Range": "bytes=2-5"}).data == data[2:6]
    assert http(repository.url + FILE).status == 401
    assert repository.status("acme-alone/") == 200


def test_the_asset_host_accepts_only_its_own_signature(start: Start) -> None:
    """It refuses an Authorization header with 400, and a false or expired URL with 403."""
    sandbox, repository = start(behaviour=Behaviour(redirect=302))
    http, place = repository.http, repository.get(FILE).headers["Location"]
    assert http(place, repository.token).status == 400
    assert sandbox.requests[-1].sent == sandbox.token_id(repository.token)
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
    sandbox.clock_offset = 301
    answer = http(place)
    assert (answer.status, b"expired" in answer.data) == (403, True)


def test_the_proxy_index_follows_a_redirect_without_a_login(
    start: Start, monkeypatch: pytest.MonkeyPatch, data: bytes, tmp_path: Path
) -> None:
    """An entry of netrc for the asset host is not used."""
    sandbox, repository = start(behaviour=Behaviour(redirect=302))
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {ASSETS} login me password hunter2\n")
    netrc.chmod(0o600)
    enter(sandbox, monkeypatch)
    monkeypatch.setenv("NETRC", str(netrc))
    upstream = Upstream(sandbox.endpoint, repository.token)
    with ProxyIndex(IndexSources([upstream])) as index, urllib3.PoolManager(retries=False) as pool:
        url = f"{index.url.removesuffix('/simple')}/repository/0/simple/{FILE}"
        headers = urllib3.make_headers(basic_auth=f"{USERNAME}:{index.password}")
        answer = pool.request("GET", url, headers=headers)
        part = pool.request("GET", url, headers=headers | {"Range": "bytes=2-5"})
    assert (answer.status, answer.data) == (200, data)
    assert (part.status, part.data) == (206, data[2:6])
    sent = [(r.status, r.sent) for r in sandbox.requests if (r.host, r.method) == (ASSETS, "GET")]
    assert sent == [(200, None), (206, None)]
