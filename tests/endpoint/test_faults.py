"""Faults of the package endpoint: late, broken off, reset, wrong, throttled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import urllib3
from support.sandbox import WHEEL, RepositoryClient, ask, get_token

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.errors import SandboxError

if TYPE_CHECKING:
    from support.sandbox import Start

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PAGE, FILE = "acme-alone/", f"acme-alone/2.0/{WHEEL}"
SOON = urllib3.Timeout(read=0.5)


def test_only_answers_about_the_named_package_are_late(
    sandbox: Sandbox, repository: RepositoryClient
) -> None:
    sandbox.delay(600, name="acme-alone")
    assert repository.status("other/") == 404
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        repository.http(repository.url + PAGE, repository.token, timeout=SOON)
    sandbox.heal()
    sandbox.delay(0.1)
    begin = time.monotonic()
    assert repository.status(PAGE) == 200
    assert time.monotonic() - begin >= 0.1


@pytest.mark.parametrize("where", ["files", "assets"])
@pytest.mark.parametrize("kind", ["reset", "truncate", "corrupt"])
def test_a_download_breaks_once_and_then_is_whole(
    start: Start, data: bytes, where: str, kind: str
) -> None:
    redirected = where == "assets"
    sandbox, repository = start(behaviour=Behaviour(redirect=302 if redirected else None))
    places = iter([repository.url + FILE] * 2)
    if redirected:
        places = iter([repository.get(FILE).headers["Location"] for _ in range(2)])
    token = None if redirected else repository.token
    getattr(sandbox, kind)(100, times=1, on=where, name="acme-alone")
    assert repository.status(PAGE) == 200  # a page is not a file
    broken = repository.http(next(places), token, preload_content=False)
    assert (broken.status, int(broken.headers["Content-Length"])) == (200, len(data))
    if kind == "corrupt":
        assert broken.data == data[:100] + bytes([data[100] ^ 0xFF]) + data[101:]
    else:
        # A reset may overtake the bytes before it.
        said = "100 bytes read" + ("|reset by peer" if kind == "reset" else "")
        with pytest.raises(urllib3.exceptions.ProtocolError, match=said):
            broken.read()
    assert repository.http(next(places), token).data == data


def test_a_fault_has_a_target_until_it_is_healed(
    sandbox: Sandbox, repository: RepositoryClient
) -> None:
    sandbox.fault(503, on="pages")
    assert [repository.status(place) for place in (PAGE, FILE)] == [503, 200]
    sandbox.fault(500, on="files", name="other")
    assert repository.status(FILE) == 200
    sandbox.fault(500, on="api", name="ListPackages")
    path = "domain=demo&repository=pypi-store"
    assert ask(sandbox, "POST", f"/v1/packages?{path}").status == 500
    assert ask(sandbox, "GET", f"/v1/repository?{path}").status == 200
    sandbox.reset_head(on="api", name="GetAuthorizationToken")
    with pytest.raises(urllib3.exceptions.HTTPError):
        get_token(sandbox)
    sandbox.corrupt(0)
    sandbox.heal()
    assert get_token(sandbox)
    assert repository.status(PAGE) == 200
    assert repository.get(FILE).data[:2] == b"PK"


@pytest.mark.parametrize(
    ("kind", "value"), [("delay", -1), ("reset", -1), ("corrupt", -5), ("fault", 200)]
)
def test_a_fault_with_invalid_arguments_is_rejected(
    sandbox: Sandbox, kind: str, value: float
) -> None:
    with pytest.raises(SandboxError, match="is not supported"):
        getattr(sandbox, kind)(value)
    with pytest.raises(SandboxError, match="on nowhere"):
        getattr(sandbox, kind)(503, on="nowhere")
    with pytest.raises(SandboxError, match=", 0 times"):
        getattr(sandbox, kind)(503, times=0)
    with pytest.raises(SandboxError, match="GetAuthorizationToken is not an action"):
        sandbox.deny("GetAuthorizationToken")


def test_calls_of_the_api_are_limited_by_number_and_operation(sandbox: Sandbox) -> None:
    query = "domain=demo&repository=pypi-store"

    def statuses(count: int) -> list[int]:
        return [ask(sandbox, "GET", f"/v1/repository?{query}").status for _ in range(count)]

    sandbox.limit_rate(0)
    assert statuses(2) == [429, 429]
    sandbox.heal()
    sandbox.limit_rate(0, times=2)
    assert statuses(4) == [429, 429, 200, 200]
    sandbox.limit_rate(0, name="ListPackages")
    assert ask(sandbox, "POST", f"/v1/packages?{query}").status == 429
    assert statuses(1) == [200]
