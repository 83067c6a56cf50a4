"""`provision` from an empty account to a working index, repeated and concurrent."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA
from support.provision import ACME, OTHER, OWNER, Account, intercept, open_account
from support.runs import Terminal
from support.sandbox import client_of

from codeartifact_pipenv.provision.aws import AbsentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WANTED = {"pypi-store": ([], ["public:pypi"]), "team": (["pypi-store"], [])}
KEY = f"arn:aws:kms:us-east-1:{OWNER}:key/mine"
THEIRS = {
    "Sid": "PipenvCaRead",
    "Effect": "Allow",
    "Principal": {"AWS": "111111111111"},
    "Action": "codeartifact:ReadFromRepository",
    "Resource": "*",
}


@pytest.fixture
def account(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Account]:
    """Return an account without the domain acme; this process is in it."""
    with open_account(monkeypatch, capsys, upstream=False) as account:
        yield account


def test_provision_creates_domain_store_and_repository_in_an_empty_account(
    account: Account,
) -> None:
    """It prints the identity first and the next steps last; a second run changes nothing."""
    said = account.says(*ACME, "--yes", "--wait", "0")
    assert account.repositories() == WANTED
    assert 0 < said.index(f"  as {account.sandbox.user.arn}\n") < said.index("done: ")
    url = "acme-123456789012.d.codeartifact.us-east-1.amazonaws.com/pypi/team/"
    assert f'url = "https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{url}simple/"' in said
    assert f"--keyring-provider import --index-url https://{url}simple/" in said
    assert f"twine upload --repository-url https://{url} dist/*" in said
    assert said.rstrip().endswith(f"\n    pipenv-ca fix --add-source https://{url}simple/")
    written = account.writes()
    assert len(written) == 4
    assert "No changes needed." in account.says(*ACME)  # nothing that needs --yes
    account.sandbox.deny("sts:GetCallerIdentity")
    assert "  as an unknown identity\n" in account.says(*ACME, "--domain-owner", OWNER)
    assert account.writes() == written


def test_plan_is_only_shown_without_a_terminal_and_without_yes(account: Account) -> None:
    said = account.says(*ACME, status=2)
    assert "+ create domain acme" in said
    assert "without a terminal" in said
    assert "~ connect pypi-store to public:pypi" in account.says(*ACME, "--dry-run")
    assert account.writes() == []


@pytest.mark.wide
@pytest.mark.parametrize(("answer", "made"), [(b"y\n", True), (b"\n", False)])
def test_provision_asks_on_a_terminal_and_defaults_to_no(
    account: Account, answer: bytes, made: bool, tmp_path: Path
) -> None:
    environ = account.sandbox.environ() | {"AWS_REGION": "us-east-1"}
    with Terminal(PIPENV_CA, "provision", *ACME, env=environ, cwd=tmp_path) as terminal:
        terminal.type(answer)
        assert terminal.finish() == (0 if made else 1)
    assert "Apply this plan? [y/N] " in terminal.shown
    assert bool(account.writes()) == made


@pytest.mark.wide
def test_variables_name_the_repository_and_region(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"MY_DOMAIN": "acme", "DOMAIN_OWNER": OWNER, "MY_REPO": "team"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert "AWS region" in account.says("--dry-run", status=2)
    account.sandbox.aws_config.write_text("[default]\nregion = eu-west-1\n")
    assert account.json("--dry-run")["region"] == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert account.json("--dry-run")["region"] == "eu-west-2"
    assert account.json("--dry-run", "--region", "eu-west-3")["region"] == "eu-west-3"


def test_json_output_is_one_document_with_plan_and_result(account: Account) -> None:
    found = account.json(*ACME, "--yes", "--description", "Ours")
    assert [step["action"] for step in found["plan"]] == ["make", "make", "change", "make"]
    assert found["done"] == [step["step"] for step in found["plan"]]
    assert (found["as_wanted"], found["identity"]) == (True, account.sandbox.user.arn)
    assert "[[source]]" in found["next"]["source"]
    again = account.json(*ACME, "--description", "Ours")
    assert (again["plan"], len(again["present"])) == ([], 3)
    account.sandbox.deny("codeartifact:CreateRepository")
    said = account.says(*ACME, "--store", "second", "--yes", "--json", status=1)
    failed, _ = json.JSONDecoder().raw_decode(said)
    assert (failed["as_wanted"], failed["error"]["code"]) == (False, "operation-denied")


@pytest.mark.wide
def test_a_repository_that_already_reaches_pypi_needs_no_store(account: Account) -> None:
    account.aws.create_domain(domain="acme")
    account.make_repository("mirror", "public:pypi")
    account.make_repository("team", "mirror")
    assert "with --store mirror no other one is needed" in account.says(*ACME, "--dry-run")
    found = account.json(*ACME, "--store", "mirror")
    assert (found["plan"], found["notes"]) == ([], [])
    words = ("--domain", "acme", "--repository", "mirror")
    assert "connected to public:pypi itself" in account.says(*words)


def test_repositories_are_created_in_a_domain_of_another_account(account: Account) -> None:
    theirs = client_of(account.sandbox, "codeartifact", account.sandbox.administrator(OTHER))
    theirs.create_domain(domain="acme")
    account.says(*ACME, "--domain-owner", OTHER, "--yes")
    found = theirs.describe_repository(domain="acme", repository="team")["repository"]
    theirs.close()
    assert (found["domainOwner"], found["administratorAccount"]) == (OTHER, OWNER)


OTHERS = [f"other-{number}" for number in range(10)]


@pytest.mark.wide
@pytest.mark.parametrize(
    ("repositories", "words", "said"),
    [
        ([("team", "public:npmjs")], (), "team is connected to public:npmjs"),
        ([("pypi-store", "public:npmjs")], (), "is connected to public:npmjs"),
        ([("older",), ("pypi-store", "older")], (), "pypi-store has upstreams (older)"),
        ([*((name,) for name in OTHERS), ("team", *OTHERS)], (), "team has 10 upstreams"),
        ([], ("--kms-key", f"{KEY}-2"), "a domain's key cannot be changed"),
        ([], ("--domain-owner", OTHER), f"{OWNER} cannot create a domain in account {OTHER}"),
    ],
    ids=["npm", "npm store", "store with upstreams", "ten upstreams", "key", "owner"],
)
def test_a_conflict_is_explained_and_nothing_is_changed(
    account: Account, repositories: list[tuple[str, ...]], words: tuple[str, ...], said: str
) -> None:
    account.aws.create_domain(domain="acme")
    for repository in repositories:
        account.make_repository(*repository)
    before = account.writes()
    output = account.says(*ACME, *words, "--yes", status=1)
    assert said in output
    assert "[provision-conflict]\nhint: " in output
    assert account.writes() == before


@pytest.mark.wide
@pytest.mark.parametrize(
    "words",
    [
        *("--kms-key alias/mine", "--store team", "--tags alone", "--grant-read *"),
        *("--domain-owner 12", "--domain No_Domain", "--wait nan"),
    ],
)
def test_invalid_options_are_refused_before_any_change_in_aws(account: Account, words: str) -> None:
    said = account.says(*ACME, *words.split(), "--yes", status=2)
    assert "error: " in said
    assert "hint: " in said
    assert account.writes() == []


@pytest.mark.wide
def test_a_missing_permission_or_quota_is_named_and_the_next_run_continues(
    account: Account,
) -> None:
    for number in range(9):
        account.aws.create_domain(domain=f"other-{number}")
    assert "[quota-exceeded]" in account.says(*ACME, "--yes", status=1)
    account.aws.delete_domain(domain="other-0")
    account.sandbox.deny("codeartifact:AssociateExternalConnection")
    said = account.says(*ACME, "--yes", status=1)
    assert "AWS denies codeartifact:AssociateExternalConnection on arn:aws:codeartifact:" in said
    assert "provision policy admin" in said
    account.sandbox.allow("codeartifact:AssociateExternalConnection")
    account.says(*ACME, "--yes")
    assert account.repositories() == WANTED


def test_an_unreachable_proxy_and_missing_credentials_are_reported(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hint mentions a token, which provisioning does not use."""
    words = (*ACME, "--domain-owner", OWNER, "--yes")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert "[proxy-down]" in account.says(*words, status=1)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    said = account.says(*words, status=1)
    assert "[no-credentials]" in said
    assert "CODEARTIFACT_AUTH_TOKEN" not in said


@pytest.mark.wide
def test_provision_waits_until_aws_shows_what_was_created(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a timeout, the next run continues."""
    left = 1_000

    def hide(operation: str) -> None:
        nonlocal left
        if operation == "describe_domain" and left > 0:
            left -= 1
            raise AbsentError("The domain was not found.", "")

    intercept(monkeypatch, hide)
    assert "hint: Run the command again" in account.says(*ACME, "--yes", "--wait", "0", status=1)
    left = 3
    account.says(*ACME, "--yes")
    assert account.repositories() == WANTED
    assert account.writes().count("CreateDomain") == 1


@pytest.mark.wide
def test_two_runs_at_once_both_succeed_with_one_result(account: Account, tmp_path: Path) -> None:
    environ = account.sandbox.environ() | {"AWS_REGION": "us-east-1"}
    words = [PIPENV_CA, "provision", *ACME, "--yes", "--grant-read"]
    running = [
        subprocess.Popen([*words, account_id], env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL)
        for account_id in (OTHER, "111111111111")
    ]
    assert [each.wait(120) for each in running] == [0, 0]
    assert account.repositories() == WANTED
    assert account.writes().count("CreateRepository") == 2
    for name in ("team", None):
        assert len(account.statements(name)[0]["Principal"]["AWS"]) == 2


@pytest.mark.wide
@pytest.mark.parametrize("had_one", [True, False])
def test_a_policy_that_changes_during_the_run_is_not_overwritten(
    account: Account, monkeypatch: pytest.MonkeyPatch, had_one: bool
) -> None:
    """It changes after the last look if there was a policy, else after the first one."""
    account.says(*ACME, "--yes", *(("--grant-read", "222222222222") if had_one else ()))
    statements = [*(account.statements() if had_one else ()), THEIRS]
    last = f"put_{'repository' if had_one else 'domain'}_permissions_policy"

    def meddle(operation: str) -> None:
        if operation == last and statements:
            account.put_statements(*statements)
            statements.clear()

    intercept(monkeypatch, meddle)
    account.says(*ACME, "--yes", "--grant-read", OTHER)
    found = account.statements()
    assert THEIRS in found
    (ours,) = (each for each in found if each != THEIRS)
    assert len(ours["Principal"]["AWS"]) == 1 + had_one
    assert had_one or "Sid" not in ours  # it must be unique in a policy


@pytest.mark.wide
def test_other_accounts_may_get_a_token_read_and_publish(account: Account) -> None:
    """The output says what their users need; the property test follows later changes."""
    said = account.says(*ACME, "--yes", "--grant-publish", OTHER, "--grant-read", "o-abcdefghij")
    assert "pipenv-ca provision policy publisher --domain acme" in said
    token, _ = account.statements(None)
    read, members, publish = account.statements()
    them = {"AWS": [f"arn:aws:iam::{OTHER}:root"]}
    assert token["Principal"] == read["Principal"] == publish["Principal"] == them
    assert "codeartifact:GetAuthorizationToken" in token["Action"]
    assert "codeartifact:ReadFromRepository" in read["Action"]
    assert members["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": ["o-abcdefghij"]}}
    assert publish["Action"] == ["codeartifact:PublishPackageVersion"]
    assert publish["Resource"].endswith(":package/acme/team/pypi//*")


@pytest.mark.wide
def test_tags_go_to_all_resources_and_the_key_to_the_domain(account: Account) -> None:
    account.says(*ACME, "--yes", "--kms-key", KEY, "--tags", "team=acme", "cost=42")
    assert account.aws.describe_domain(domain="acme")["domain"]["encryptionKey"] == KEY
    for name in ("domain/acme", "repository/acme/team", "repository/acme/pypi-store"):
        arn = f"arn:aws:codeartifact:us-east-1:{OWNER}:{name}"
        tags = account.aws.list_tags_for_resource(resourceArn=arn)["tags"]
        assert {each["key"]: each["value"] for each in tags} == {"team": "acme", "cost": "42"}
