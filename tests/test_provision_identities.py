"""`provision policy` and `trust`: what they print allows what it is for, and nothing more."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from support_provision import ACME, OTHER, OWNER, Account, enter_account
from support_sandbox import GITHUB, Http, client, upload

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.provision.aws import Aws
from codeartifact_pipenv.provision.identity_policies import ROLES, document
from codeartifact_pipenv.provision.trust import trust_policy
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

DOMAIN = Domain("acme", OWNER, "us-east-1")
PLACE = {"domain": "acme", "repository": "team"}
PACKAGE = {**PLACE, "format": "pypi", "package": "acme-new"}


class Index:
    """A domain with a repository that has a package, and a second repository."""

    def __init__(self, sandbox: Sandbox, account: Account, wheel: Path) -> None:
        self.sandbox = sandbox
        self.account = account
        self.wheel = wheel
        self.iam = client("iam")

    @property
    def endpoint(self) -> RepositoryEndpoint:
        return self.sandbox.endpoint

    def user(self, policy: str) -> dict[str, Any]:
        """Make a user with a policy; return the settings of clients that are theirs."""
        self.iam.create_user(UserName="somebody")
        self.iam.put_user_policy(UserName="somebody", PolicyName="p", PolicyDocument=policy)
        made = self.iam.create_access_key(UserName="somebody")["AccessKey"]
        return {
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
        }

    def done(self, keys: dict[str, Any]) -> set[str]:
        """Return what of all that one may try is allowed with keys."""
        aws = client(**keys)
        token = ""
        allowed = set()
        with contextlib.suppress(ClientError):
            token = aws.get_authorization_token(domain="acme")["authorizationToken"]
            allowed.add("token")
        with contextlib.suppress(ClientError):
            aws.get_authorization_token(domain="acme", durationSeconds=900)
            allowed.add("short token")
        http = Http(self.sandbox)
        page = http(f"{self.endpoint.simple_url}acme-new/", token or "none").status
        allowed |= {"install"} if page == 200 else set()
        aside = self.endpoint.simple_url.replace("/team/", "/aside/")
        allowed |= {"install aside"} if http(f"{aside}acme-new/", token).status == 200 else set()
        allowed |= {"publish"} if upload(http, self.endpoint, token, self.wheel) == 200 else set()
        http.close()
        for what, operation, parameters in (
            ("list", "list_packages", PLACE),
            ("describe", "describe_package", PACKAGE),
            (
                "reserve",
                "put_package_origin_configuration",
                {**PACKAGE, "restrictions": {"publish": "ALLOW", "upstream": "BLOCK"}},
            ),
            ("delete", "delete_repository", {**PLACE, "repository": "aside"}),
        ):
            with contextlib.suppress(ClientError):
                getattr(aws, operation)(**parameters)
                allowed.add(what)
        aws.close()
        return allowed


@pytest.fixture
def index(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Index]:
    wheel = make_wheel(tmp_path, "acme-new", "1.0")
    with Sandbox([wheel], domain="acme", repository="team", upstream=False) as running:
        running.publish(wheel, running.add_repository("aside"))
        enter_account(running, monkeypatch)
        yield Index(running, Account(running, capsys), wheel)


def printed(index: Index, *words: str) -> str:
    status, said = index.account.provision("policy", *words, *ACME)
    assert status == 0, said
    json.loads(said)  # it is that and nothing else
    return said


INSTALL = {"token", "short token", "install"}


@pytest.mark.wide
@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("ci", INSTALL),
        ("reader", INSTALL | {"list", "describe"}),
        ("publisher", INSTALL | {"list", "describe", "publish"}),
        ("admin", INSTALL | {"list", "describe", "reserve"}),
    ],
)
def test_each_role_may_what_it_is_for(index: Index, role: str, allowed: set[str]) -> None:
    """A printed policy allows what its role is for in its repository, and nothing else."""
    assert index.done(index.user(printed(index, role))) == allowed


@pytest.mark.wide
def test_an_admin_provisions(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """An admin's policy is enough for all of provision, and for no other domain."""
    words = ("--domain", "second", "--repository", "team")
    policy = index.account.provision("policy", "admin", *words)[1]
    keys = index.user(policy)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
    grants = ("--grant-publish", OTHER, "--tags", "a=b")
    assert index.account.provision(*words, "--yes", *grants)[0] == 0
    assert index.account.provision(*words, "--description", "Ours", "--yes")[0] == 0
    assert index.account.provision("protect", "acme-new", *words, "--yes")[0] == 0
    status, said = index.account.provision(*ACME, "--yes")
    assert status == 1
    assert "[operation-denied]" in said


def test_a_maximum_duration(index: Index) -> None:
    """With a bound a short token is granted, and the twelve hours are not."""
    keys = index.user(printed(index, "ci", "--maximum-duration", "900"))
    assert index.done(keys) == {"short token"}
    for wrong in ("899", "43201"):
        assert index.account.provision("policy", "ci", *ACME, "--maximum-duration", wrong)[0] == 2


@pytest.mark.parametrize("role", ROLES)
def test_arns(role: str) -> None:
    """Every statement names its resource: no star but that of the bearer token; two slashes."""
    text = document(role, DOMAIN, "team", "pypi-store", None)
    start = f"arn:aws:codeartifact:us-east-1:{OWNER}"
    allowed = {
        f"{start}:domain/acme",
        f"{start}:repository/acme/team",
        f"{start}:package/acme/team/pypi//*",
    }
    if role == "admin":
        allowed |= {f"{start}:repository/acme/pypi-store", f"{start}:repository/acme/*"}
    *ours, bearer = text["Statement"]
    resources = [each["Resource"] for each in ours]
    named = {arn for each in resources for arn in (each if isinstance(each, list) else [each])}
    assert named <= allowed
    assert bearer["Action"] == "sts:GetServiceBearerToken"


def test_the_key_of_an_admin(index: Index) -> None:
    """Who makes a domain with a key of his own needs it, too; anything but its ARN is refused."""
    arn = f"arn:aws:kms:us-east-1:{OWNER}:key/mine"
    found = json.loads(printed(index, "admin", "--kms-key", arn))["Statement"]
    assert [each["Action"] for each in found if each["Resource"] == arn] == [
        ["kms:CreateGrant", "kms:DescribeKey"]
    ]
    assert index.account.provision("policy", "admin", *ACME, "--kms-key", "*")[0] == 2


def test_who_may_not_use_iam(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody without permissions in IAM is told which one it is, and what to do instead."""
    keys = index.user(printed(index, "admin"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
    status, said = index.account.provision(*CREATE, "--yes")
    assert status == 1
    assert "AWS denies iam:ListPolicyVersions" in said
    assert "without --create" in said


# --- made in IAM --------------------------------------------------------------------------

ARN = f"arn:aws:iam::{OWNER}:policy/acme-ci"
CREATE = ("policy", "ci", *ACME, "--create", "acme-ci")


def versions(index: Index) -> list[tuple[str, bool]]:
    found = index.iam.list_policy_versions(PolicyArn=ARN)["Versions"]
    return sorted((each["VersionId"], each["IsDefaultVersion"]) for each in found)


@pytest.mark.wide
def test_a_policy_is_made_and_attached(index: Index) -> None:
    """It is made and attached once; the second run has nothing to do, and it works."""
    look = {"Effect": "Allow", "Action": "codeartifact:ListDomains", "Resource": "*"}
    keys = index.user(json.dumps({"Version": "2012-10-17", "Statement": [look]}))
    index.iam.create_group(GroupName="us")
    trust = json.dumps(trust_policy(OWNER, "repo:acme/app:ref:refs/heads/main"))
    index.iam.create_role(RoleName="job", AssumeRolePolicyDocument=trust)
    words = (*CREATE, "--attach-user", "somebody", "--attach-group", "us", "--attach-role", "job")
    assert index.account.provision(*words)[0] == 2  # nobody to ask
    status, said = index.account.provision(*words, "--yes")
    assert status == 0
    assert ARN in said
    status, said = index.account.provision(*words)
    assert status == 0
    assert "Nothing is to be done." in said
    assert versions(index) == [("v1", True)]
    assert "install" in index.done(keys)


@pytest.mark.wide
def test_another_document_is_a_new_version(index: Index) -> None:
    """What it said before stays as a version, and comes back as the default when asked for."""
    assert index.account.provision(*CREATE, "--yes")[0] == 0
    bounded = (*CREATE, "--maximum-duration", "900")
    status, said = index.account.provision(*bounded, "--yes")
    assert status == 0
    assert f"+ make a new default version of {ARN}: v1 says something else" in said
    assert versions(index) == [("v1", False), ("v2", True)]
    assert index.account.provision(*CREATE, "--yes")[0] == 0
    assert versions(index) == [("v1", True), ("v2", False)]


@pytest.mark.wide
def test_a_version_that_is_shown_late(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """IAM shows changes late: what was made is waited for, and not made twice."""
    assert index.account.provision(*CREATE, "--yes")[0] == 0
    ask = Aws.pages
    looks = 0

    def stale(self: Aws, operation: str, key: str, **parameters: Any) -> list[Any]:
        nonlocal looks
        found = ask(self, operation, key, **parameters)
        looks += 1
        if operation != "list_policy_versions" or looks > 3:
            return found
        first = next(each for each in found if each["VersionId"] == "v1")
        return [{**first, "IsDefaultVersion": True}]

    monkeypatch.setattr(Aws, "pages", stale)
    assert index.account.provision(*CREATE, "--maximum-duration", "900", "--yes")[0] == 0
    assert looks == 4
    assert versions(index) == [("v1", False), ("v2", True)]


@pytest.mark.wide
def test_five_versions_are_all_that_there_is(index: Index) -> None:
    """With five versions it is said which one to delete, and nothing is done."""
    for seconds in range(900, 905):
        words = (*CREATE, "--maximum-duration", str(seconds), "--yes")
        assert index.account.provision(*words)[0] == 0
    before = versions(index)
    status, said = index.account.provision(*CREATE, "--yes")
    assert status == 1
    assert f"delete-policy-version --policy-arn {ARN} --version-id v1" in said
    assert versions(index) == before


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--create", "acme-ci", "--attach-user", "nobody", "--yes"), 1, "There is no user nobody"),
        (("--attach-user", "somebody"), 2, "Without --create"),
        (("--create", "no name"), 2, "no policy named"),
    ],
)
def test_what_cannot_be_attached(
    index: Index, words: tuple[str, ...], status: int, said: str
) -> None:
    """Somebody who is not there is a conflict, and nothing is made."""
    done, output = index.account.provision("policy", "ci", *ACME, *words)
    assert (done, index.iam.list_policies(Scope="Local")["Policies"]) == (status, [])
    assert said in output


# --- trust --------------------------------------------------------------------------------


def assumed(index: Index, trust: str, subject: str, audience: str = "sts.amazonaws.com") -> bool:
    """Whether a job of GitHub with a subject gets a role with a trust policy."""
    with contextlib.suppress(index.iam.exceptions.EntityAlreadyExistsException):
        index.iam.create_open_id_connect_provider(
            Url=f"https://{GITHUB}", ClientIDList=["sts.amazonaws.com", "other"]
        )
    with contextlib.suppress(index.iam.exceptions.EntityAlreadyExistsException):
        index.iam.create_role(RoleName="ci", AssumeRolePolicyDocument=trust)
    try:
        client("sts").assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{OWNER}:role/ci",
            RoleSessionName="job",
            WebIdentityToken=index.sandbox.web_identity_token(subject, audience),
        )
    except ClientError:
        return False
    return True


@pytest.mark.wide
@pytest.mark.parametrize(
    ("where", "trusted", "others"),
    [
        (
            "acme/app@main",
            "repo:acme/app:ref:refs/heads/main",
            ["repo:acme/app:ref:refs/heads/mainly", "repo:evil/app:ref:refs/heads/main"],
        ),
        (
            "acme/app@release/1.x",
            "repo:acme/app:ref:refs/heads/release/1.x",
            ["repo:acme/app:ref:refs/tags/release/1.x", "repo:acme/app:pull_request"],
        ),
        (
            "acme/app:environment:live: one",
            "repo:acme/app:environment:live%3A one",
            ["repo:acme/app:environment:live", "repo:acme/app:ref:refs/heads/main"],
        ),
    ],
)
def test_one_branch_is_trusted(index: Index, where: str, trusted: str, others: list[str]) -> None:
    """A job of that branch or environment gets the role; of another, or for another, it does not."""
    status, trust = index.account.provision("trust", "--github", where)
    assert status == 0
    assert "StringLike" not in trust
    assert assumed(index, trust, trusted)
    assert [assumed(index, trust, each) for each in others] == [False] * len(others)
    assert not assumed(index, trust, trusted, "other")


@pytest.mark.wide
@pytest.mark.parametrize("where", ["acme/app", "acme/app@*", "acme/*@main", "acme/app@v?"])
def test_several_branches_only_on_request(index: Index, where: str) -> None:
    """What would trust more than one branch is refused, unless that is asked for."""
    status, said = index.account.provision("trust", "--github", where)
    assert status == 2
    assert "more than one branch" in said
    status, trust = index.account.provision("trust", "--github", where, "--allow-wildcards")
    assert status == 0
    statement = json.loads(trust)["Statement"][0]
    assert statement["Condition"]["StringLike"][f"{GITHUB}:sub"].startswith("repo:acme/")
    assert statement["Condition"]["StringEquals"] == {f"{GITHUB}:aud": "sts.amazonaws.com"}


@pytest.mark.parametrize("where", ["acme", "acme/app@", "acme/app@a b", "acme/app:branch:x", "@x"])
def test_what_is_no_repository(
    where: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other forms are refused without AWS being asked; an account can be named."""
    from codeartifact_pipenv.errors import UsageError
    from codeartifact_pipenv.provision import trust
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with pytest.raises(UsageError):
        trust.main(["--github", where, "--account", OWNER], Settings({}, {}), Report())
    assert trust.main(["--github", "a/b@c", "--account", OWNER], Settings({}, {}), Report()) == 0
    assert f"arn:aws:iam::{OWNER}:oidc-provider/{GITHUB}" in capsys.readouterr().out
