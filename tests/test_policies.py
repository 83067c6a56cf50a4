"""IAM's and resources' policies decide in the sandbox as they do at AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from support_sandbox import Http, client, enter, upload

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeartifact_pipenv.sandbox.signature import Principal

OWNER, OTHER = "123456789012", "210987654321"
DOMAIN = f"arn:aws:codeartifact:us-east-1:{OWNER}:domain/demo"
REPOSITORY = f"arn:aws:codeartifact:us-east-1:{OWNER}:repository/demo/pypi-store"
PACKAGES = f"arn:aws:codeartifact:us-east-1:{OWNER}:package/demo/pypi-store/pypi//"
READ_ONLY = "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess"
ADMIN = "arn:aws:iam::aws:policy/AWSCodeArtifactAdminAccess"
GITHUB = "token.actions.githubusercontent.com"
BEARER = "sts:GetServiceBearerToken"


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {**allow(*actions, resource=resource, **more), "Effect": "Deny"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trusting(principal: dict[str, str], action: str = "sts:AssumeRole", **more: Any) -> str:
    return policy({"Effect": "Allow", "Action": action, "Principal": principal, **more})


TOKEN = (allow("codeartifact:GetAuthorizationToken", resource=DOMAIN), allow(BEARER))
READ = allow("codeartifact:ReadFromRepository", resource=REPOSITORY)
PUBLISH = allow("codeartifact:PublishPackageVersion", resource=f"{PACKAGES}*")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("wheels"), "acme-new", "1.0")


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> Iterator[Sandbox]:
    """Return a sandbox that this process is in, with one package."""
    with Sandbox([wheel], upstream=False) as running:
        enter(running, monkeypatch)
        yield running


def iam(principal: Principal | None = None) -> Any:
    return client("iam", **({} if principal is None else of(principal)))


def of(keys: Principal | dict[str, Any]) -> dict[str, Any]:
    """Return a client's settings that make it ask with keys."""
    if isinstance(keys, dict):
        return {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys.get("SessionToken"),
        }
    return {
        "aws_access_key_id": keys.access_key_id,
        "aws_secret_access_key": keys.secret_access_key,
        "aws_session_token": keys.session_token,
    }


def make_user(name: str, *statements: dict[str, Any], account: Principal | None = None) -> Any:
    """Make a user with an inline policy, and return its keys."""
    admin = iam(account)
    admin.create_user(UserName=name)
    if statements:
        admin.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(*statements))
    return admin.create_access_key(UserName=name)["AccessKey"]


def get_token(keys: Any, **asked: Any) -> str:
    answer = client(**of(keys)).get_authorization_token(**{"domain": "demo", **asked})
    return str(answer["authorizationToken"])


def refusal(call: Any, *arguments: Any, **named: Any) -> str:
    """Return code and message of what a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def read(sandbox: Sandbox, token: str) -> int:
    http = Http(sandbox)
    status = http(f"{sandbox.endpoint.simple_url}acme-new/", token).status
    http.close()
    return status


def publish(sandbox: Sandbox, token: str, wheel: Path) -> int:
    http = Http(sandbox)
    status = upload(http, sandbox.endpoint, token, wheel)
    http.close()
    return status


def test_a_user_without_policies_may_do_nothing(inside: Sandbox) -> None:
    """A new user is refused in AWS's words, the sandbox's own user is an administrator in IAM."""
    keys = make_user("new")
    assert refusal(get_token, keys) == (
        f"AccessDeniedException: User: arn:aws:iam::{OWNER}:user/new is not authorized to perform:"
        f" codeartifact:GetAuthorizationToken on resource: {DOMAIN} because no identity-based"
        " policy allows the codeartifact:GetAuthorizationToken action"
    )
    attached = iam().list_attached_user_policies(UserName=inside.user.arn.rpartition("/")[2])
    names = [each["PolicyName"] for each in attached["AttachedPolicies"]]
    assert names == ["AdministratorAccess"]


def test_a_reader_installs_and_does_not_publish(inside: Sandbox, wheel: Path) -> None:
    """AWS's read-only policy, by a group, is enough for a token and to read, not to publish."""
    keys = make_user("reader")
    iam().create_group(GroupName="readers")
    iam().attach_group_policy(GroupName="readers", PolicyArn=READ_ONLY)
    iam().add_user_to_group(GroupName="readers", UserName="reader")
    token = get_token(keys)
    assert read(inside, token) == 200
    assert publish(inside, token, wheel) == 403


@pytest.mark.parametrize(("name", "status"), [("acme-new", 200), ("acme", 403)])
def test_a_publisher_publishes_what_its_policy_names(
    inside: Sandbox, wheel: Path, name: str, status: int
) -> None:
    """Publishing is decided for the package's own ARN, with the double slash of Python's."""
    publisher = allow("codeartifact:PublishPackageVersion", resource=f"{PACKAGES}{name}")
    token = get_token(make_user("publisher", *TOKEN, publisher))
    assert publish(inside, token, wheel) == status
    assert read(inside, token) == 403
