"""Clients of the sandbox, and a public index behind it."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import botocore.session
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.sandbox.signature import Principal

    # Starts a sandbox with the given options.
    Start = Callable[..., tuple[Sandbox, "RepositoryClient"]]

# The token of a job's OIDC provider; the sandbox accepts any.
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


# The statuses of AWS's errors; all others are 403.
STATUSES = {
    "ValidationException": 400,
    "ServiceQuotaExceededException": 402,
    "ResourceNotFoundException": 404,
    "ConflictException": 409,
}


def refused(call: Callable[..., Any], **parameters: Any) -> tuple[str, dict[str, Any]]:
    """Call an operation that AWS refuses; return the error's code and the response."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response: dict[str, Any] = caught.value.response
    code = str(response["Error"]["Code"])
    assert response["ResponseMetadata"]["HTTPStatusCode"] == STATUSES.get(code, 403)
    return code, response


def ask(sandbox: Sandbox, method: str, path: str) -> Any:
    """Call the API with the sandbox's keys, faster than a client of botocore."""
    request = AWSRequest(method, f"https://codeartifact.us-east-1.amazonaws.com{path}")
    keys = Credentials(sandbox.user.access_key_id, sandbox.user.secret_access_key)
    SigV4Auth(keys, "codeartifact", "us-east-1").add_auth(request)
    http = Http(sandbox)
    answer = http(request.url, method=method, headers=dict(request.headers))
    http.close()
    return answer


def get_token(sandbox: Sandbox, endpoint: RepositoryEndpoint | None = None) -> str:
    """Get a token for a repository's domain, by default the sandbox's."""
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


class RepositoryClient:
    """A client of one repository, with a token."""

    def __init__(self, http: Http, endpoint: RepositoryEndpoint, token: str) -> None:
        self.http = http
        self.token = token
        self.url = endpoint.simple_url
        self._upload_url = endpoint.url

    def get(self, place: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
        """Ask for a URL, or for a path below the repository's own."""
        url = place if place.startswith("https://") else self.url + place
        return self.http(url, self.token, method, headers=headers)

    def status(self, place: str) -> int:
        return self.get(place).status

    def page(self, name: str) -> Any:
        """Return a package's page as JSON."""
        return self.get(f"{name}/", Accept=JSON).json()

    def versions(self, name: str) -> set[str]:
        """Return the versions on a package's page, an empty set if the answer is 404."""
        answer = self.get(f"{name}/", Accept=JSON)
        return set(answer.json()["versions"]) if answer.status == 200 else set()

    def download(self, name: str, version: str) -> bytes:
        """Return the bytes of a wheel, b"" if it is not served."""
        filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        answer = self.get(f"{name}/{version}/{filename}")
        return answer.data if answer.status == 200 else b""

    def upload(
        self, wheel: Path, filename: str | None = None, **changed: str | None
    ) -> urllib3.BaseHTTPResponse:
        """Send a wheel as twine does, with changes to the form; None leaves a field out."""
        data = wheel.read_bytes()
        name, version, *_ = wheel.name.split("-")
        fields = {
            ":action": "file_upload",
            "protocol_version": "1",
            "name": name.replace("_", "-"),
            "version": version,
            "filetype": "bdist_wheel",
            "md5_digest": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            "sha256_digest": hashlib.sha256(data).hexdigest(),
            "blake2_256_digest": hashlib.blake2b(data, digest_size=32).hexdigest(),
            **changed,
        }
        form: dict[str, Any] = {key: value for key, value in fields.items() if value is not None}
        form["content"] = (filename or wheel.name, data)
        return self.http(self._upload_url, self.token, "POST", fields=form)


@contextmanager
def serving(*packages: Path, **options: Any) -> Iterator[tuple[Sandbox, RepositoryClient]]:
    """Start a sandbox; yield it with a client of its repository."""
    with Sandbox(packages, **options) as sandbox:
        http = Http(sandbox)
        yield sandbox, RepositoryClient(http, sandbox.endpoint, get_token(sandbox))
        http.close()
