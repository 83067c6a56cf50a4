"""Faults of the package endpoint: late, broken off, reset, spoilt, throttled."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import urllib3
from support.sandbox import WHEEL, Http, ask, get_token

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.clock import RateLimit
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path


def test_an_answer_can_be_late(sandbox: Sandbox, http: Http, token: str, page_url: str) -> None:
    """A delay holds back the answers about the named package, and no others."""
    sandbox.delay(600, name="acme-alone")
    assert http(f"{sandbox.endpoint.simple_url}other/", token).status == 404
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        http(page_url, token, timeout=urllib3.Timeout(read=0.5))
    sandbox.heal()
    assert http(page_url, token).status == 200
    sandbox.delay(0.1)
    started = time.monotonic()
    assert http(page_url, token).status == 200
    assert time.monotonic() - started >= 0.1


def test_a_delay_does_not_outlive_the_sandbox(packages: Path, clean_base: dict[str, str]) -> None:
    """Closing ends the threads whose answers are held back."""
    before = set(threading.enumerate())
    with Sandbox([packages], upstream=False, base=clean_base) as sandbox:
        http, url = Http(sandbox), sandbox.endpoint.simple_url
        assert http(url).status == 401
        sandbox.delay(600)
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            http(f"{url}acme-alone/", timeout=urllib3.Timeout(read=0.2))
        http.close()
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("where", ["files", "assets"])
@pytest.mark.parametrize("kind", ["reset", "truncate", "corrupt"])
def test_a_download_can_break(
    packages: Path,
    clean_base: dict[str, str],
    where: str,
    kind: str,
) -> None:
    """A file breaks off, by a reset or by a proper end, or has a wrong byte: once, then it is whole."""
    data = (packages / WHEEL).read_bytes()
    redirected = where == "assets"
    with Sandbox(
        [packages],
        upstream=False,
        behaviour=Behaviour(redirect=302 if redirected else None),
        base=clean_base,
    ) as sandbox:
        http, token = Http(sandbox), get_token(sandbox)
        url = f"{sandbox.endpoint.simple_url}acme-alone/2.0/{WHEEL}"

        def download() -> urllib3.BaseHTTPResponse:
            place = http(url, token).headers["Location"] if redirected else url
            return http(place, None if redirected else token, preload_content=False)

        getattr(sandbox, kind)(100, times=1, on=where, name="acme-alone")
        # A page is no file, and takes nothing of it.
        assert http(f"{sandbox.endpoint.simple_url}acme-alone/", token).status == 200
        broken = download()
        assert (broken.status, int(broken.headers["Content-Length"])) == (200, len(data))
        if kind == "corrupt":
            spoilt = bytearray(data)
            spoilt[100] ^= 0xFF
            assert broken.data == spoilt
        else:
            # (A reset may overtake the bytes before it.)
            said = "100 bytes read" + ("|reset by peer" if kind == "reset" else "")
            with pytest.raises(urllib3.exceptions.ProtocolError, match=said):
                broken.read()
        assert download().data == data
        http.close()


def read_to_the_end(sandbox: Sandbox, token: str, path: str) -> bytes:
    """Return the bytes of an answer as they come; an end that is not TLS's own is an error."""
    host, port = sandbox.endpoint.host, int(sandbox.environ()["HTTPS_PROXY"].rpartition(":")[2])
    login = urllib3.make_headers(basic_auth=f"aws:{token}")["authorization"]
    trusted = ssl.create_default_context(cafile=sandbox.environ()["SSL_CERT_FILE"])
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
        assert b" 200 " in plain.recv(1000)
        with trusted.wrap_socket(
            plain, server_hostname=host, suppress_ragged_eofs=False
        ) as secured:
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {login}\r\n\r\n"
            secured.sendall(head.encode())
            return b"".join(iter(lambda: secured.recv(4096), b""))


def test_a_reset_is_no_proper_end(
    sandbox: Sandbox, packages: Path, token: str, file_url: str
) -> None:
    """A body that is cut off short ends its connection in order; a reset does not."""
    path, data = urlsplit(file_url).path, (packages / WHEEL).read_bytes()
    sandbox.truncate(100, times=1)
    assert read_to_the_end(sandbox, token, path).endswith(b"\r\n\r\n" + data[:100])
    sandbox.reset(100, times=1)
    # OpenSSL takes a reset for an end without notice in some of its versions.
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        read_to_the_end(sandbox, token, path)


def test_a_head_can_break(
    sandbox: Sandbox, packages: Path, token: str, file_url: str, page_url: str, http: Http
) -> None:
    """An answer breaks off in its head, by a reset: once, and only where it was asked for."""
    path, data = urlsplit(file_url).path, (packages / WHEEL).read_bytes()
    sandbox.reset_head(40, times=1, on="files")
    assert http(page_url, token).status == 200
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
        read_to_the_end(sandbox, token, path)
    assert http(file_url, token).data == data
    sandbox.reset_head(on="api", name="GetAuthorizationToken")
    with pytest.raises(urllib3.exceptions.HTTPError):
        get_token(sandbox)
    sandbox.heal()
    assert get_token(sandbox)


def test_a_fault_has_its_target(
    sandbox: Sandbox, http: Http, token: str, page_url: str, file_url: str
) -> None:
    """A fault of pages leaves files alone, one of a name leaves others alone, and all are healed."""
    sandbox.fault(503, on="pages")
    assert [http(url, token).status for url in (page_url, file_url)] == [503, 200]
    sandbox.fault(500, on="files", name="other")
    assert http(file_url, token).status == 200
    sandbox.fault(500, on="api", name="ListPackages")
    path = "domain=demo&repository=pypi-store"
    assert ask(sandbox, "POST", f"/v1/packages?{path}").status == 500
    assert ask(sandbox, "GET", f"/v1/repository?{path}").status == 200
    sandbox.corrupt(0)
    sandbox.heal()
    assert http(page_url, token).status == 200
    assert http(file_url, token).data[:2] == b"PK"


@pytest.mark.parametrize(
    ("kind", "value"), [("delay", -1), ("reset", -1), ("corrupt", -5), ("fault", 200)]
)
def test_a_fault_with_invalid_arguments_is_rejected(
    sandbox: Sandbox, kind: str, value: float
) -> None:
    """A fault that cannot be is refused when it is asked for, and so is a place that is none."""
    with pytest.raises(SandboxError, match="is not supported"):
        getattr(sandbox, kind)(value)
    with pytest.raises(SandboxError, match="on nowhere"):
        getattr(sandbox, kind)(503, on="nowhere")
    with pytest.raises(SandboxError, match=", 0 times"):
        getattr(sandbox, kind)(503, times=0)


def test_only_an_action_can_be_denied(sandbox: Sandbox) -> None:
    """A misspelt action is said at once: it would deny nothing."""
    with pytest.raises(SandboxError, match="GetAuthorizationToken is not an action"):
        sandbox.deny("GetAuthorizationToken")


def test_calls_are_limited(sandbox: Sandbox) -> None:
    """The API throttles as many calls as asked, and those of one operation only if it is named."""

    def statuses(count: int) -> list[int]:
        path = "/v1/repository?domain=demo&repository=pypi-store"
        return [ask(sandbox, "GET", path).status for _ in range(count)]

    sandbox.limit_rate(0)
    assert statuses(2) == [429, 429]
    sandbox.heal()
    assert statuses(2) == [200, 200]
    sandbox.limit_rate(0, times=2)
    assert statuses(4) == [429, 429, 200, 200]
    sandbox.limit_rate(0, name="ListPackages")
    path = "/v1/packages?domain=demo&repository=pypi-store"
    assert ask(sandbox, "POST", path).status == 429
    assert statuses(1) == [200]


def test_a_limit_is_for_any_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are granted in any second, to each who asks."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    limit = RateLimit(2)
    assert [limit.grants("a") for _ in range(3)] == [True, True, False]
    assert limit.grants("b")
    now = 101.0
    assert [limit.grants("a") for _ in range(3)] == [True, True, False]
