"""The tokens and permissions that reading and publishing need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3
from support.sandbox import WHEEL, RepositoryClient, ask, client_of, get_token

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PAGE, FILE = "acme-alone/", f"acme-alone/2.0/{WHEEL}"


def make_wrong_token(sandbox: Sandbox, case: str) -> str | None:
    """Return a token that does not open the default repository."""
    if case == "another domain's":
        return get_token(sandbox, sandbox.add_repository("theirs", domain="other"))
    if case == "another region's":
        sandbox.add_repository("theirs", region="eu-west-1")
        service = client_of(sandbox, "codeartifact", sandbox.user, "eu-west-1")
        return str(service.get_authorization_token(domain="demo")["authorizationToken"])
    if case == "expired":
        sandbox.token_life = -1
    token = get_token(sandbox)
    if case == "revoked":
        sandbox.revoke_tokens()
    return {"missing": None, "empty": "", "made up": "x.y.z.a.b"}.get(case, token)


@pytest.mark.parametrize(
    "case",
    ["missing", "empty", "made up", "expired", "revoked", "another domain's", "another region's"],
)
def test_a_wrong_token_is_401_everywhere(
    sandbox: Sandbox, repository: RepositoryClient, case: str
) -> None:
    """Pages, files, uploads and missing packages have both challenges, and a record."""
    token, url = make_wrong_token(sandbox, case), repository.url
    for method, place in (
        ("GET", url + PAGE),
        ("HEAD", url + FILE),
        ("GET", f"{url}nothing/"),
        ("POST", sandbox.endpoint.url),
    ):
        answer = repository.http(place, token, method)
        challenges = [each.split()[0] for each in answer.headers.getlist("WWW-Authenticate")]
        assert (answer.status, challenges) == (401, ["Bearer", "Basic"])
        record = sandbox.requests[-1]
        assert record.credential is None
        assert record.sent == (sandbox.token_id(token) if token else None)


def test_a_token_is_the_password_of_aws_or_a_bearer(repository: RepositoryClient) -> None:
    http, url = repository.http, repository.url + PAGE
    assert http(url, headers={"Authorization": f"Bearer {repository.token}"}).status == 200
    other = urllib3.make_headers(basic_auth=f"me:{repository.token}")
    assert http(url, headers=other).status == 401


def test_missing_resources_are_answered_with_404(
    sandbox: Sandbox, repository: RepositoryClient
) -> None:
    for place in (
        "nothing/",
        FILE.replace("/2.0/", "/3.0/"),
        FILE.replace(".whl", ".tar.gz"),
        f"{repository.url}{PAGE}".replace("pypi-store", "another"),
        "",  # CodeArtifact has no list of all names and no JSON API
        f"{sandbox.endpoint.url}acme-alone/json",
    ):
        assert repository.status(place) == 404
    assert sandbox.requests[-1].credential == sandbox.token_id(repository.token)
    sandbox.remove_repository(sandbox.endpoint)
    assert ask(sandbox, "DELETE", "/v1/domain?domain=demo").status == 200
    assert repository.status(PAGE) == 404


def test_reading_without_permission_is_answered_with_403(
    sandbox: Sandbox, repository: RepositoryClient
) -> None:
    sandbox.deny("codeartifact:ReadFromRepository")
    for place in (PAGE, FILE, "nothing/"):
        answer = repository.get(place)
        assert (answer.status, b"codeartifact:ReadFromRepository" in answer.data) == (403, True)
