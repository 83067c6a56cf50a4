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


@pytest.mark.wide
def test_a_reader_installs_and_does_not_publish(inside: Sandbox, wheel: Path) -> None:
    """AWS's read-only policy, by a group, is enough for a token and to read, not to publish."""
    keys = make_user("reader")
    iam().create_group(GroupName="readers")
    iam().attach_group_policy(GroupName="readers", PolicyArn=READ_ONLY)
    iam().add_user_to_group(GroupName="readers", UserName="reader")
    token = get_token(keys)
    assert read(inside, token) == 200
    assert publish(inside, token, wheel) == 403


@pytest.mark.wide
@pytest.mark.parametrize(("name", "status"), [("acme-new", 200), ("acme", 403)])
def test_a_publisher_publishes_what_its_policy_names(
    inside: Sandbox, wheel: Path, name: str, status: int
) -> None:
    """Publishing is decided for the package's own ARN, with the double slash of Python's."""
    publisher = allow("codeartifact:PublishPackageVersion", resource=f"{PACKAGES}{name}")
    token = get_token(make_user("publisher", *TOKEN, publisher))
    assert publish(inside, token, wheel) == status
    assert read(inside, token) == 403


@pytest.mark.wide
def test_a_token_may_be_bounded_in_duration(inside: Sandbox) -> None:
    """A condition on sts:DurationSeconds refuses twelve hours and grants one."""
    del inside
    within = {"NumericLessThanEquals": {"sts:DurationSeconds": 3600}}
    keys = make_user("brief", TOKEN[0], allow(BEARER, Condition=within))
    assert f"perform: {BEARER} on resource: * because no identity-based" in refusal(get_token, keys)
    assert get_token(keys, durationSeconds=3600)
    assert get_token(keys, durationSeconds=0)


@pytest.mark.wide
def test_the_bearer_token_is_the_identity_policys_to_grant(inside: Sandbox) -> None:
    """A domain's policy grants GetAuthorizationToken in its account, never the bearer token."""
    keys = make_user("guest")
    arn = f"arn:aws:iam::{OWNER}:user/guest"
    granted = policy(allow("*", Principal={"AWS": arn}))
    client().put_domain_permissions_policy(domain="demo", policyDocument=granted)
    assert f"perform: {BEARER}" in refusal(get_token, keys)
    iam().put_user_policy(UserName="guest", PolicyName="p", PolicyDocument=policy(TOKEN[1]))
    assert read(inside, get_token(keys)) == 200


@pytest.mark.wide
@pytest.mark.parametrize("by", ["identity", "domain", "repository", "deleted", "sandbox"])
def test_a_token_stops_with_its_owners_permission(inside: Sandbox, by: str) -> None:
    """What may be done is decided when the token is used: a deny anywhere ends it with 403."""
    token = get_token(make_user("leaver", *TOKEN, READ))
    assert read(inside, token) == 200
    denied = deny("codeartifact:Read*")
    everybody = policy({**denied, "Principal": "*"})
    if by == "identity":
        iam().put_user_policy(UserName="leaver", PolicyName="q", PolicyDocument=policy(denied))
    elif by == "domain":
        client().put_domain_permissions_policy(domain="demo", policyDocument=everybody)
    elif by == "repository":
        client().put_repository_permissions_policy(
            domain="demo", repository="pypi-store", policyDocument=everybody
        )
        # Nobody locks himself out: the policy that is put has no say in it.
        client().delete_repository_permissions_policy(domain="demo", repository="pypi-store")
        assert read(inside, token) == 200
        client().put_repository_permissions_policy(
            domain="demo", repository="pypi-store", policyDocument=everybody
        )
    elif by == "deleted":
        iam().delete_user_policy(UserName="leaver", PolicyName="p")
    else:
        inside.deny("codeartifact:ReadFromRepository")
    assert read(inside, token) == 403


@pytest.mark.wide
def test_across_accounts_both_sides_must_allow(inside: Sandbox) -> None:
    """A principal of another account needs its own policy, the domain's and the repository's."""
    theirs = inside.administrator(OTHER)
    keys = make_user("partner", *TOKEN, READ, account=theirs)
    asked = {"domainOwner": OWNER}
    assert "no resource-based policy allows" in refusal(get_token, keys, **asked)
    partner = {"AWS": f"arn:aws:iam::{OTHER}:root"}
    api = client()
    for_domain = policy(allow("codeartifact:GetAuthorizationToken", Principal=partner))
    api.put_domain_permissions_policy(domain="demo", policyDocument=for_domain)
    token = get_token(keys, **asked)
    assert read(inside, token) == 403
    for_repository = policy(allow("codeartifact:ReadFromRepository", Principal=partner))
    api.put_repository_permissions_policy(
        domain="demo", repository="pypi-store", policyDocument=for_repository
    )
    assert read(inside, token) == 200
    iam(theirs).put_user_policy(UserName="partner", PolicyName="p", PolicyDocument=policy(*TOKEN))
    assert read(inside, token) == 403


@pytest.mark.wide
def test_an_organization_can_be_let_in(inside: Sandbox) -> None:
    """aws:PrincipalOrgID lets in accounts of the organization that is set, and no other."""
    keys = make_user("partner", *TOKEN, account=inside.administrator(OTHER))
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-ours"}}
    granted = policy(allow("codeartifact:*", Principal="*", Condition=condition))
    client().put_domain_permissions_policy(domain="demo", policyDocument=granted)
    assert "no resource-based policy" in refusal(get_token, keys, domainOwner=OWNER)
    inside.organization = "o-ours"
    assert get_token(keys, domainOwner=OWNER)


def assume(keys: Any = None, role: str = "deployer", **more: Any) -> Any:
    given = client("sts", **({} if keys is None else of(keys))).assume_role(
        RoleArn=f"arn:aws:iam::{OWNER}:role/{role}", RoleSessionName="me", **more
    )
    return given["Credentials"]


def make_role(trust: str, *statements: dict[str, Any], name: str = "deployer", **more: Any) -> None:
    iam().create_role(RoleName=name, AssumeRolePolicyDocument=trust, **more)
    iam().put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(*statements))


@pytest.mark.wide
def test_a_role_is_assumed_by_whom_it_trusts(inside: Sandbox) -> None:
    """A trusted user needs no more, one of a trusted account its own policy, others get nothing."""
    del inside
    trusted, other = make_user("trusted"), make_user("other")
    make_role(trusting({"AWS": f"arn:aws:iam::{OWNER}:user/trusted"}), *TOKEN)
    make_role(trusting({"AWS": OWNER}), *TOKEN, name="anyones")
    assert get_token(assume(trusted))
    assert refusal(assume, other).startswith("AccessDenied: User: arn:aws:iam::")
    assert "no identity-based policy" in refusal(assume, other, "anyones")
    may = policy(allow("sts:AssumeRole", resource=f"arn:aws:iam::{OWNER}:role/anyones"))
    iam().put_user_policy(UserName="other", PolicyName="p", PolicyDocument=may)
    assert assume(other, "anyones")
    assert "AccessDenied" in refusal(assume, None, "nobody")


@pytest.mark.wide
def test_a_session_is_narrowed(inside: Sandbox, wheel: Path) -> None:
    """A session's own policy and a role's boundary narrow what the role may do."""
    trust = trusting({"AWS": inside.user.arn})
    make_role(trust, allow("codeartifact:*"), allow(BEARER))
    narrow = policy(*TOKEN, READ)
    token = get_token(assume(Policy=narrow))
    assert (read(inside, token), publish(inside, token, wheel)) == (200, 403)
    token = get_token(assume(PolicyArns=[{"arn": READ_ONLY}]))
    assert (read(inside, token), publish(inside, token, wheel)) == (200, 403)
    assert publish(inside, get_token(assume()), wheel) == 200
    iam().put_role_permissions_boundary(RoleName="deployer", PermissionsBoundary=READ_ONLY)
    assert publish(inside, get_token(assume()), wheel) == 403


BRANCH = "repo:acme/app:ref:refs/heads/main"


@pytest.mark.wide
@pytest.mark.parametrize(
    ("minted", "code"),
    [
        ({}, None),
        ({"subject": "repo:acme/app:ref:refs/heads/other"}, "AccessDenied"),
        ({"subject": "repo:evil/app:ref:refs/heads/main"}, "AccessDenied"),
        ({"audience": "somebody"}, "InvalidIdentityToken"),
        ({"issuer": "https://gitlab.example.com"}, "InvalidIdentityToken"),
        ({"lifetime": -60}, "ExpiredTokenException"),
    ],
)
def test_a_web_identity_is_held_to_the_trust_policy(
    inside: Sandbox, minted: dict[str, Any], code: str | None
) -> None:
    """A job of the very repository and branch gets the role, any other token is refused."""
    provider = iam().create_open_id_connect_provider(
        Url=f"https://{GITHUB}", ClientIDList=["sts.amazonaws.com"]
    )
    exact = {f"{GITHUB}:sub": BRANCH, f"{GITHUB}:aud": "sts.amazonaws.com"}
    trust = trusting(
        {"Federated": provider["OpenIDConnectProviderArn"]},
        "sts:AssumeRoleWithWebIdentity",
        Condition={"StringEquals": exact},
    )
    make_role(trust, *TOKEN)
    asked = {
        "RoleArn": f"arn:aws:iam::{OWNER}:role/deployer",
        "RoleSessionName": "ci",
        "WebIdentityToken": inside.web_identity_token(**{"subject": BRANCH, **minted}),
    }
    ask = client("sts").assume_role_with_web_identity
    if code is None:
        assert get_token(ask(**asked)["Credentials"])
        head, claims, _ = asked["WebIdentityToken"].split(".")
        forged = {**asked, "WebIdentityToken": f"{head}.{claims}.AAAA"}
        assert "InvalidIdentityToken" in refusal(ask, **forged)
    else:
        assert refusal(ask, **asked).startswith(f"{code}: ")


@pytest.mark.wide
def test_iam_itself_is_for_those_who_may(inside: Sandbox) -> None:
    """IAM's own operations are decided, too, for the resource that they are about."""
    del inside
    own = allow("iam:*AccessKey*", resource=f"arn:aws:iam::{OWNER}:user/${{aws:username}}")
    made = iam(None), make_user("self", own)
    theirs = client("iam", **of(made[1]))
    assert theirs.create_access_key(UserName="self")["AccessKey"]
    assert "iam:CreateAccessKey" in refusal(theirs.create_access_key, UserName="sandbox")
    assert "iam:CreateUser" in refusal(theirs.create_user, UserName="more")
    assert client("sts", **of(made[1])).get_caller_identity()["Account"] == OWNER


@pytest.mark.wide
def test_iam_is_there_again(
    tmp_path: Path, wheel: Path, clean_base: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a folder for its state, users, keys and policies and whose a token is outlive a run."""
    state = tmp_path / "state"
    with Sandbox([wheel], state=state, base=clean_base, upstream=False) as first:
        enter(first, monkeypatch)
        keys = make_user("lasting", *TOKEN, READ)
        make_role(trusting({"AWS": first.user.arn}), *TOKEN, READ)
        tokens = [get_token(keys), get_token(assume())]
        described = iam().get_user(UserName="lasting")["User"]["UserId"]
    with Sandbox(state=state, base=clean_base, upstream=False) as second:
        enter(second, monkeypatch)
        assert [read(second, token) for token in (*tokens, get_token(keys))] == [200] * 3
        assert iam().get_user(UserName="lasting")["User"]["UserId"] == described
        iam().delete_user_policy(UserName="lasting", PolicyName="p")
        assert [read(second, token) for token in tokens] == [403, 200]
