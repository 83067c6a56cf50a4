"""What the tests of the sandbox use: its clients, and a public index behind it."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import botocore.session
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.sandbox.sandbox import Sandbox
    from codeartifact_pipenv.sandbox.signature import Principal

GITHUB = "token.actions.githubusercontent.com"
# What a job in CI has from its OIDC provider; the sandbox does not judge it.
IDENTITY = "an identity of the job's"
# The one file of the package with which the package endpoint is tested.
WHEEL = "acme_alone-2.0-py3-none-any.whl"
JSON = "application/vnd.pypi.simple.v1+json"


def enter(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put this very process into a sandbox."""
    environ = sandbox.environ()
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def client(service: str = "codeartifact", region: str = "us-east-1", **settings: Any) -> Any:
    quick = Config(retries={"total_max_attempts": 1})
    config = settings.pop("config", Config()).merge(quick)
    session = botocore.session.Session()
    return session.create_client(service, region_name=region, config=config, **settings)


def client_of(sandbox: Sandbox, service: str, keys: Principal, region: str = "us-east-1") -> Any:
    """Make a client of a sandbox that this process is not in."""
    environ = sandbox.environ()
    return client(
        service,
        region,
        verify=environ["AWS_CA_BUNDLE"],
        config=Config(proxies={"https": environ["HTTPS_PROXY"]}),
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
    )


def ask(
    sandbox: Sandbox,
    method: str,
    path: str,
    *,
    at: datetime | None = None,
    scope: tuple[str, str] = ("codeartifact", "us-east-1"),
    signed: dict[str, str] | None = None,
    unsigned: dict[str, str] | None = None,
    instead: str | None = None,
    body: bytes = b"",
    body_instead: bytes | None = None,
) -> Any:
    """Call the API with the sandbox's keys, without the half second that a client takes.

    Args:
        sandbox: whom to ask.
        method: the HTTP method.
        path: path and query, as signed.
        at: when it is signed; None for now.
        scope: service and region that it is signed for.
        signed: headers that are added before.
        unsigned: headers that are added afterwards.
        instead: path and query that are sent; None for those that were signed.
        body: the body, as signed.
        body_instead: the body that is sent; None for the one that was signed.
    """
    host = "https://codeartifact.us-east-1.amazonaws.com"
    request = AWSRequest(method, f"{host}{path}", data=body, headers=signed or {})
    timestamp = f"{at or datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"
    request.context["timestamp"] = request.headers["X-Amz-Date"] = timestamp
    keys = Credentials(sandbox.user.access_key_id, sandbox.user.secret_access_key)
    signer = SigV4Auth(keys, *scope)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    headers = dict(request.headers) | (unsigned or {})
    http = Http(sandbox)
    sent = body if body_instead is None else body_instead
    answer = http(f"{host}{instead or path}", method=method, headers=headers, body=sent or None)
    http.close()
    return answer


def get_token(sandbox: Sandbox, endpoint: RepositoryEndpoint | None = None) -> str:
    """Get a token for a repository's domain; for the default one's where it is None."""
    name, owner, _ = (endpoint or sandbox.endpoint).domain
    answer = ask(sandbox, "POST", f"/v1/authorization-token?domain={name}&domain-owner={owner}")
    return str(answer.json()["authorizationToken"])


class Http:
    """A plain HTTP client inside the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        environ = sandbox.environ()
        self._pool = urllib3.ProxyManager(
            environ["HTTPS_PROXY"], ca_certs=environ["SSL_CERT_FILE"], retries=False
        )

    def __call__(
        self, url: str, token: str | None = None, method: str = "GET", **options: Any
    ) -> urllib3.BaseHTTPResponse:
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers |= urllib3.make_headers(basic_auth=f"aws:{token}")
        return self._pool.request(method, url, headers=headers, redirect=False, **options)

    def close(self) -> None:
        self._pool.clear()


class FakePublicIndex(ThreadingHTTPServer):
    """A public index on loopback: pages and files by path, a count of what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FakePublicIndexHandler)
        self.pages: dict[str, tuple[int, str, bytes]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/simple/"

    def add(self, project: str, wheel: Path, **facts: Any) -> None:
        """Serve a wheel, and a JSON page that lists it alone."""
        data = wheel.read_bytes()
        file = {
            "filename": wheel.name,
            "url": f"/files/{wheel.name}",
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
            "size": len(data),
            **facts,
        }
        page = {"meta": {"api-version": "1.1"}, "name": project, "files": [file]}
        self.pages[f"/simple/{project}/"] = (200, JSON, json.dumps(page).encode())
        self.pages[f"/files/{wheel.name}"] = (200, "application/octet-stream", data)


class FakePublicIndexHandler(BaseHTTPRequestHandler):
    server: FakePublicIndex
    missing: ClassVar = (404, "text/plain", b"")

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status, kind, body = self.server.pages.get(self.path, self.missing)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name that BaseHTTPRequestHandler expects

    def log_message(self, *arguments: object) -> None:
        del arguments


def upload(
    http: Http, endpoint: RepositoryEndpoint, token: str, wheel: Path, **changed: str
) -> int:
    data = wheel.read_bytes()
    form = {
        ":action": "file_upload",
        "protocol_version": "1",
        "name": "acme-new",
        "version": "1.0",
        "filetype": "bdist_wheel",
        "sha256_digest": hashlib.sha256(data).hexdigest(),
    }
    fields = {**form, **changed, "content": (wheel.name, data)}
    return http(endpoint.url, token, "POST", fields=fields).status
