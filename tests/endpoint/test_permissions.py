"""Who may read at the package endpoint, and who may publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.session
import pytest
import urllib3
from botocore.config import Config
from support.sandbox import Http, ask, get_token

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.sandbox import Sandbox


def make_wrong_token(sandbox: Sandbox, case: str) -> str | None:
    """Return a token that does not open the default repository."""
    if case == "another domain's":
        return get_token(sandbox, sandbox.add_repository("theirs", domain="other"))
    if case == "another region's":
        sandbox.add_repository("theirs", region="eu-west-1")
        host = "https://codeartifact.eu-west-1.amazonaws.com"
        return token_in(sandbox, host)
    if case == "expired":
        sandbox.token_life = -1
    token = get_token(sandbox)
    if case == "revoked":
        sandbox.revoke_tokens()
    return {"missing": None, "empty": "", "made up": "x.y.z.a.b"}.get(case, token)


def token_in(sandbox: Sandbox, host: str) -> str:
    region = host.split(".")[1]
    keys = sandbox.user
    session = botocore.session.Session()
    session.set_credentials(keys.access_key_id, keys.secret_access_key)
    environ = sandbox.environ()
    config = Config(proxies={"https": environ["HTTPS_PROXY"]})
    service = session.create_client(
        "codeartifact", region, config=config, verify=environ["SSL_CERT_FILE"]
    )
    return str(service.get_authorization_token(domain="demo")["authorizationToken"])


@pytest.mark.parametrize(
    "case",
    ["missing", "empty", "made up", "expired", "revoked", "another domain's", "another region's"],
)
def test_a_wrong_token_is_401_everywhere(
    sandbox: Sandbox, http: Http, page_url: str, file_url: str, case: str
) -> None:
    """Pages, files, uploads and what does not exist: 401 with both challenges, and a record."""
    token = make_wrong_token(sandbox, case)
    missing = f"{sandbox.endpoint.simple_url}nothing/"
    for method, url in (
        ("GET", page_url),
        ("HEAD", file_url),
        ("GET", missing),
        ("POST", sandbox.endpoint.url),
    ):
        answer = http(url, token, method)
        challenges = [each.split()[0] for each in answer.headers.getlist("WWW-Authenticate")]
        assert (answer.status, challenges) == (401, ["Bearer", "Basic"])
        record = sandbox.requests[-1]
        assert record.credential is None
        assert record.sent == (sandbox.token_id(token) if token else None)


def test_only_the_user_aws_has_a_token(http: Http, token: str, page_url: str) -> None:
    """A token is taken as aws's password or as a bearer, and as nobody else's password."""
    logins = {
        200: {"Authorization": f"Bearer {token}"},
        401: urllib3.make_headers(basic_auth=f"me:{token}"),
    }
    for status, headers in logins.items():
        assert http(page_url, headers=headers).status == status


def test_what_is_missing_is_404(
    sandbox: Sandbox, http: Http, token: str, page_url: str, file_url: str
) -> None:
    """A package, version, file or repository that is not there, or a domain that went, is 404."""
    for url in (
        page_url.replace("acme-alone", "nothing"),
        file_url.replace("/2.0/", "/3.0/"),
        file_url.replace(".whl", ".tar.gz"),
        page_url.replace("pypi-store", "another"),
        sandbox.endpoint.simple_url,  # nor is there a list of all names, or a JSON API
        f"{sandbox.endpoint.url}acme-alone/json",
    ):
        assert http(url, token).status == 404
    assert sandbox.requests[-1].credential == sandbox.token_id(token)
    sandbox.remove_repository(sandbox.endpoint)
    assert ask(sandbox, "DELETE", "/v1/domain?domain=demo").status == 200
    assert http(page_url, token).status == 404


def test_without_permission_it_is_403(
    sandbox: Sandbox, http: Http, token: str, page_url: str, file_url: str
) -> None:
    """Without ReadFromRepository pages, files and missing packages are 403 alike."""
    sandbox.deny("codeartifact:ReadFromRepository")
    for url in (page_url, file_url, page_url.replace("acme-alone", "nothing")):
        answer = http(url, token)
        assert answer.status == 403
        assert b"codeartifact:ReadFromRepository" in answer.data
    assert sandbox.requests[-1].credential == sandbox.token_id(token)
