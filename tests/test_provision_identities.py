"""`provision policy` and `trust`: what they print, and policies that are created in IAM."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from policy_sentry.querying.actions import get_action_data
from support.provision import ACME, OWNER, Account, open_account
from support.sandbox import client

from codeartifact_pipenv.provision.documents import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

GITHUB = "token.actions.githubusercontent.com"
KEY = f"arn:aws:kms:us-east-1:{OWNER}:key/mine"
EXPECTED = Path(__file__).parent / "printed_policies"


@pytest.fixture
def account(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Account]:
    options = {"domain": "acme", "repository": "team", "upstream": False}
    with open_account(monkeypatch, capsys, **options) as account:
        yield account


def printed(account: Account, *words: str) -> Any:
    """Return the output of the command, which must be plain JSON."""
    return json.loads(account.says(*words))


@pytest.mark.wide
@pytest.mark.parametrize("role", ROLES)
def test_each_roles_policy_equals_the_expected_file(account: Account, role: str) -> None:
    expected = json.loads((EXPECTED / f"{role}.json").read_text(encoding="utf-8"))
    assert printed(account, "policy", role, *ACME) == expected


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


STATEMENTS = [
    statement
    for path in sorted(EXPECTED.glob("*.json"))
    for statement in json.loads(path.read_text(encoding="utf-8"))["Statement"]
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: listed(each["Action"])[0])
def test_statements_use_only_actions_resources_and_conditions_that_aws_lists(
    statement: dict[str, Any],
) -> None:
    """An action that can be limited to a resource is limited to one."""
    for action in listed(statement["Action"]):
        service, _, name = action.partition(":")
        data = get_action_data(service, name)
        assert data, f"AWS has no action {action}"
        forms = {each["resource_arn_format"] for each in data[service]}
        # A form is such as arn:${Partition}:codeartifact:${Region}:...
        patterns = [re.sub(r"\\\$\\\{[A-Za-z]+\\\}", ".*", re.escape(form)) for form in forms]
        for arn in listed(statement["Resource"]):
            fits = any(re.fullmatch(pattern, arn) for pattern in patterns)
            assert forms == {"*"} if arn == "*" else fits, (action, arn)
        keys = {key for each in data[service] for key in each["condition_keys"]}
        for condition in statement.get("Condition", {}).values():
            assert {key for key in condition if not key.startswith("aws:")} <= keys


@pytest.mark.wide
def test_options_limit_the_duration_and_allow_one_kms_key(account: Account) -> None:
    bearer = printed(account, "policy", "ci", *ACME, "--maximum-duration", "900")["Statement"][-1]
    assert bearer["Action"] == "sts:GetServiceBearerToken"
    assert bearer["Condition"]["NumericLessThanEquals"] == {"sts:DurationSeconds": "900"}
    admin = printed(account, "policy", "admin", *ACME, "--kms-key", KEY)["Statement"]
    (own,) = (each for each in admin if each["Resource"] == KEY)
    assert own["Action"] == ["kms:CreateGrant", "kms:DescribeKey"]


ARN = f"arn:aws:iam::{OWNER}:policy/acme-ci"
CREATE = ("policy", "ci", *ACME, "--create", "acme-ci")


def versions() -> list[tuple[str, bool]]:
    found = client("iam").list_policy_versions(PolicyArn=ARN)["Versions"]
    return sorted((each["VersionId"], each["IsDefaultVersion"]) for each in found)


@pytest.mark.wide
def test_a_policy_is_created_once_and_each_change_is_a_new_default_version(
    account: Account,
) -> None:
    """An earlier version becomes the default again on request; of five, one must be deleted."""
    account.says(*CREATE, status=2)  # without a terminal
    said = account.says(*CREATE, "--yes")
    assert f"aws iam attach-role-policy --role-name ROLE --policy-arn {ARN}" in said
    assert "No changes needed." in account.says(*CREATE)
    said = account.says(*CREATE, "--maximum-duration", "900", "--yes")
    assert f"+ create a new default version of {ARN} (v1 says something else" in said
    assert versions() == [("v1", False), ("v2", True)]
    account.says(*CREATE, "--yes")
    assert versions() == [("v1", True), ("v2", False)]
    for seconds in ("901", "902", "903"):
        account.says(*CREATE, "--maximum-duration", seconds, "--yes")
    said = account.says(*CREATE, "--maximum-duration", "904", "--yes", status=1)
    assert f"delete-policy-version --policy-arn {ARN} --version-id v1" in said
    assert len(versions()) == 5


@pytest.mark.wide
def test_a_missing_iam_permission_is_named_with_an_alternative(account: Account) -> None:
    account.sandbox.deny("iam:ListPolicyVersions")
    said = account.says(*CREATE, "--yes", status=1)
    assert "AWS denies iam:ListPolicyVersions" in said
    assert "without --create" in said


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ci --yes", "Without --create"),
        ("ci --create a/b", "a/b is not a name of"),
        ("ci --maximum-duration 899", "900 to 43200"),
        ("admin --kms-key *", "--kms-key"),
    ],
)
def test_invalid_policy_options_are_refused_and_nothing_is_created(
    account: Account, words: str, said: str
) -> None:
    assert said in account.says("policy", *words.split(), *ACME, status=2)
    assert client("iam").list_policies(Scope="Local")["Policies"] == []


@pytest.mark.parametrize(
    ("where", "subject"),
    [
        ("acme/app@release/1.x", "repo:acme/app:ref:refs/heads/release/1.x"),
        ("acme/app:environment:live: one", "repo:acme/app:environment:live%3A one"),
    ],
)
def test_trust_policy_names_exactly_one_branch_or_environment(
    account: Account, where: str, subject: str
) -> None:
    """If the account is named, no request is sent."""
    before = len(account.sandbox.requests)
    trust = printed(account, "trust", "--github", where, "--account", OWNER)
    assert len(account.sandbox.requests) == before
    condition = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": subject}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{OWNER}:oidc-provider/{GITHUB}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": condition},
    }
    assert trust == {"Version": "2012-10-17", "Statement": [statement]}
    assert printed(account, "trust", "--github", where) == trust


@pytest.mark.wide
@pytest.mark.parametrize("where", ["acme/app", "acme/*@main", "acme/app@v?"])
def test_trust_in_several_branches_requires_allow_wildcards(account: Account, where: str) -> None:
    assert "more than one branch" in account.says("trust", "--github", where, status=2)
    trust = printed(account, "trust", "--github", where, "--allow-wildcards")
    condition = trust["Statement"][0]["Condition"]
    assert condition["StringLike"][f"{GITHUB}:sub"].startswith("repo:acme/")
    assert condition["StringEquals"] == {f"{GITHUB}:aud": "sts.amazonaws.com"}


@pytest.mark.wide
@pytest.mark.parametrize("where", ["acme", "acme/app@", "acme/app@a b", "acme/app:branch:x"])
def test_trust_refuses_other_forms_of_a_github_repository(account: Account, where: str) -> None:
    account.says("trust", "--github", where, "--account", OWNER, status=2)
