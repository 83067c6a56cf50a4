"""`provision` from an empty account to a working index, repeated and concurrent."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA
from support.provision import ACME, OTHER, OWNER, Account, enter_account
from support.sandbox import client, client_of

from codeartifact_pipenv.provision.aws import AbsentError, Aws
from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WANTED = {"pypi-store": ([], ["public:pypi"]), "team": (["pypi-store"], [])}
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
    with Sandbox(upstream=False) as running:
        enter_account(running, monkeypatch)
        yield Account(running, capsys)


def test_provision_creates_domain_store_and_repository_in_an_empty_account(
    account: Account,
) -> None:
    """It prints the next steps; a second run changes nothing."""
    status, said = account.provision(*ACME, "--yes", "--wait", "0")
    assert status == 0
    assert account.repositories() == WANTED
    url = "acme-123456789012.d.codeartifact.us-east-1.amazonaws.com/pypi/team/"
    assert f'url = "https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{url}simple/"' in said
    assert f"--keyring-provider import --index-url https://{url}simple/" in said
    assert f"twine upload --repository-url https://{url} dist/*" in said
    assert said.rstrip().endswith(f"\n    pipenv-ca fix --add-source https://{url}simple/")
    written = account.writes()
    assert len(written) == 4
    status, said = account.provision(*ACME)  # no --yes: there is nothing to agree to
    assert (status, account.writes()) == (0, written)
    assert "No changes needed." in said


def test_plan_is_only_shown_without_a_terminal_and_without_yes(account: Account) -> None:
    status, said = account.provision(*ACME)
    assert status == 2
    assert "+ create domain acme" in said
    assert "without a terminal" in said
    status, said = account.provision(*ACME, "--dry-run")
    assert status == 0
    assert "~ connect pypi-store to public:pypi" in said
    assert f"as {account.sandbox.user.arn}" in said
    assert account.writes() == []


@pytest.mark.wide
@pytest.mark.parametrize(("answer", "made"), [("y", True), ("", False)])
def test_provision_asks_on_a_terminal_and_defaults_to_no(
    account: Account, answer: str, made: bool, tmp_path: Path
) -> None:
    pexpect = pytest.importorskip("pexpect")
    environ = account.sandbox.environ() | {"AWS_REGION": "us-east-1"}
    running = pexpect.spawn(
        PIPENV_CA, ["provision", *ACME], env=environ, cwd=tmp_path, encoding="utf-8", timeout=30
    )
    running.expect(r"Carry this out\? \[y/N\] ")
    assert account.writes() == []
    running.sendline(answer)
    running.expect(pexpect.EOF)
    running.close()
    assert running.exitstatus == (0 if made else 1)
    assert bool(account.writes()) == made


@pytest.mark.wide
def test_variables_name_the_repository_and_region(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MY_DOMAIN, DOMAIN_OWNER and MY_REPO name it; the region comes from AWS_REGION or the profile."""
    for name, value in {"MY_DOMAIN": "acme", "DOMAIN_OWNER": OWNER, "MY_REPO": "team"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    status, said = account.provision("--dry-run")
    assert status == 2
    assert "AWS region" in said
    account.sandbox.aws_config.write_text("[default]\nregion = eu-west-1\n")
    assert account.json("--dry-run")["region"] == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert account.json("--dry-run")["region"] == "eu-west-2"
    assert account.json("--dry-run", "--region", "eu-west-3")["region"] == "eu-west-3"


def test_json_output_is_one_document_with_plan_and_result(account: Account) -> None:
    found = account.json(*ACME, "--yes", "--description", "Ours")
    assert [step["action"] for step in found["plan"]] == ["make", "make", "change", "make"]
    assert found["done"] == [step["step"] for step in found["plan"]]
    assert found["as_wanted"] is True
    assert "[[source]]" in found["next"]["source"]
    assert found["identity"] == account.sandbox.user.arn
    again = account.json(*ACME, "--description", "Ours")
    assert (again["plan"], again["done"], again["as_wanted"]) == ([], [], True)
    assert len(again["present"]) == 3
    account.sandbox.deny("codeartifact:CreateRepository")
    status, said = account.provision(*ACME, "--store", "second", "--yes", "--json")
    failed, _ = json.JSONDecoder().raw_decode(said)
    assert (status, failed["as_wanted"], failed["error"]["code"]) == (1, False, "operation-denied")


def test_the_identity_is_printed_before_the_first_change(account: Account) -> None:
    said = account.provision(*ACME, "--yes")[1]
    assert 0 < said.index(f"  as {account.sandbox.user.arn}\n") < said.index("done: ")


def test_an_unknown_identity_is_printed_as_unknown(account: Account) -> None:
    assert account.provision(*ACME, "--yes")[0] == 0
    account.sandbox.deny("sts:GetCallerIdentity")
    owner = account.sandbox.endpoint.domain.owner
    words = ("protect", "invoices", *ACME, "--domain-owner", owner, "--dry-run")
    status, said = account.provision(*words)
    assert (status, "  as an unknown identity\n" in said) == (0, True), said


def test_existing_upstreams_are_kept_first_and_description_is_changed_on_request(
    account: Account,
) -> None:
    account.aws.create_domain(domain="acme")
    account.make_repository("older")
    account.make_repository("team", "older", description="Before")
    assert account.provision(*ACME, "--yes")[0] == 0
    assert account.repository("team") == (["older", "pypi-store"], [])
    assert account.provision(*ACME, "--yes", "--description", "After")[0] == 0
    assert account.repository("team") == (["older", "pypi-store"], [])
    found = account.aws.describe_repository(domain="acme", repository="team")["repository"]
    assert found["description"] == "After"


@pytest.mark.wide
def test_provision_points_out_an_upstream_that_already_reaches_pypi(account: Account) -> None:
    account.aws.create_domain(domain="acme")
    account.make_repository("mirror", connection="public:pypi")
    account.make_repository("team", "mirror")
    assert "with --store mirror no other one is needed" in account.provision(*ACME, "--dry-run")[1]
    found = account.json(*ACME, "--store", "mirror")
    assert (found["plan"], found["notes"]) == ([], [])


def test_repositories_are_created_in_a_domain_of_another_account(account: Account) -> None:
    theirs = client_of(account.sandbox, "codeartifact", account.sandbox.administrator(OTHER))
    theirs.create_domain(domain="acme")
    assert account.provision(*ACME, "--domain-owner", OTHER, "--yes")[0] == 0
    found = theirs.describe_repository(domain="acme", repository="team")["repository"]
    theirs.close()
    assert (found["domainOwner"], found["administratorAccount"]) == (OTHER, OWNER)


def test_a_repository_connected_to_pypi_needs_no_store(account: Account) -> None:
    account.aws.create_domain(domain="acme")
    account.make_repository("team", connection="public:pypi")
    status, said = account.provision(*ACME)
    assert (status, list(account.repositories())) == (0, ["team"])
    assert "connected to public:pypi itself" in said


def make_conflict(account: Account, case: str) -> None:
    """Make a state that cannot be reconciled."""
    account.aws.create_domain(domain="acme")
    match case:
        case "npm":
            account.make_repository("team", connection="public:npmjs")
        case "npm-store":
            account.make_repository("pypi-store", connection="public:npmjs")
        case "store-above":
            account.make_repository("older")
            account.make_repository("pypi-store", "older")
        case "ten":
            names = [f"other-{number}" for number in range(10)]
            for name in names:
                account.make_repository(name)
            account.make_repository("team", *names)
        case _:
            pass  # an option does not fit the domain


@pytest.mark.wide
@pytest.mark.parametrize(
    ("case", "words", "said"),
    [
        ("npm", (), "team is connected to public:npmjs"),
        ("npm-store", (), "pypi-store is connected to public:npmjs"),
        ("store-above", (), "pypi-store has upstreams (older)"),
        ("ten", (), "team has 10 upstreams"),
        (
            "key",
            ("--kms-key", f"arn:aws:kms:us-east-1:{OWNER}:key/other"),
            "a domain's key cannot be changed",
        ),
        (
            "owner",
            ("--domain-owner", OTHER),
            f"account {OWNER} cannot create a domain in account {OTHER}",
        ),
    ],
)
def test_a_conflict_is_explained_and_nothing_is_changed(
    account: Account, case: str, words: tuple[str, ...], said: str
) -> None:
    make_conflict(account, case)
    before = account.writes()
    status, output = account.provision(*ACME, *words, "--yes")
    assert status == 1
    assert said in output
    assert "[provision-conflict]" in output
    assert "hint: " in output
    assert "  + " not in output
    assert account.writes() == before


@pytest.mark.wide
@pytest.mark.parametrize(
    "words",
    [
        ("--kms-key", "alias/mine"),
        ("--store", "team"),
        ("--store", "no/name"),
        ("--tags", "alone"),
        ("--grant-read", "*"),
        ("--domain-owner", "12"),
        ("--domain", "No_Domain"),
        ("--wait", "nan"),
        ("--wait", "-1"),
    ],
)
def test_invalid_options_are_refused_before_any_change_in_aws(
    account: Account, words: tuple[str, ...]
) -> None:
    status, said = account.provision(*ACME, *words, "--yes")
    assert (status, account.writes()) == (2, [])
    assert "error: " in said
    assert "hint: " in said


@pytest.mark.wide
def test_a_missing_permission_is_named_and_the_next_run_continues(account: Account) -> None:
    account.sandbox.deny("codeartifact:AssociateExternalConnection")
    status, said = account.provision(*ACME, "--yes")
    assert status == 1
    assert "AWS denies codeartifact:AssociateExternalConnection on arn:aws:codeartifact:" in said
    assert "[operation-denied]" in said
    assert "provision policy admin" in said
    account.sandbox.allow("codeartifact:AssociateExternalConnection")
    assert account.provision(*ACME, "--yes")[0] == 0
    assert account.repositories() == WANTED


@pytest.mark.wide
def test_a_domain_over_the_quota_is_reported_as_a_quota_error(account: Account) -> None:
    for number in range(9):
        account.aws.create_domain(domain=f"other-{number}")
    status, said = account.provision(*ACME, "--yes")
    assert status == 1
    assert "[quota-exceeded]" in said
    assert "Service Quotas" in said


def test_missing_credentials_are_reported_without_mention_of_a_token(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    status, said = account.provision(*ACME, "--yes")
    assert status == 1
    assert "[no-credentials]" in said
    assert "CODEARTIFACT_AUTH_TOKEN" not in said  # a token is of no use here


def test_an_unreachable_proxy_is_reported_when_the_owner_is_named(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    status, said = account.provision(*ACME, "--domain-owner", OWNER, "--yes")
    assert status == 1
    assert "[proxy-down]" in said


# --- interrupted and concurrent ------------------------------------------------------------


class _Killed(BaseException):
    """The end of a process between two calls."""


@pytest.mark.wide
def test_the_next_run_finishes_after_an_interruption_at_any_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = Aws.call
    left = 0

    def dying(self: Aws, service: str, operation: str, **parameters: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _Killed
        return ask(self, service, operation, **parameters)

    monkeypatch.setattr(Aws, "call", dying)
    words = (*ACME, "--yes", "--grant-read", OTHER)
    for life in range(30):
        with monkeypatch.context() as inner, Sandbox(upstream=False) as running:
            enter_account(running, inner)
            account = Account(running, capsys)
            left = life
            try:
                account.provision(*words)
                finished = True
            except _Killed:
                finished = False
            left = 1_000
            assert account.provision(*words)[0] == 0
            assert account.repositories() == WANTED
            assert len(account.statements()) == len(account.statements(None)) == 1
            assert len(account.writes()) == 6
            account.aws.close()
        if finished:
            assert life > 10
            return
    pytest.fail("it makes more calls than thirty")


def show_late(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """Let AWS show a new domain only after some looks."""
    ask, left = Aws.call, looks

    def late(aws: Aws, service: str, operation: str, **parameters: Any) -> Any:
        nonlocal left
        if operation == "describe_domain" and left > 0:
            left -= 1
            raise AbsentError("The domain was not found.", "")
        return ask(aws, service, operation, **parameters)

    monkeypatch.setattr(Aws, "call", late)


@pytest.mark.wide
def test_aws_shows_late_what_was_created(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provision waits until AWS shows all resources, or reports a timeout; the next run continues."""
    with monkeypatch.context() as late:
        show_late(late, looks=1_000)
        status, said = account.provision(*ACME, "--yes", "--wait", "0")
    assert status == 1
    assert "hint: Run the command again" in said
    show_late(monkeypatch, looks=3)
    assert account.provision(*ACME, "--yes")[0] == 0
    assert account.repositories() == WANTED
    assert account.writes().count("CreateDomain") == 1


@pytest.mark.wide
def test_two_runs_at_once_both_succeed_with_one_result(account: Account, tmp_path: Path) -> None:
    words = [PIPENV_CA, "provision", *ACME, "--yes", "--grant-read"]
    running = [
        subprocess.Popen(
            [*words, who],
            env=account.sandbox.environ() | {"AWS_REGION": "us-east-1"},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for who in (OTHER, "111111111111")
    ]
    said = [each.communicate(timeout=120)[0] for each in running]
    assert [each.returncode for each in running] == [0, 0], said
    assert account.repositories() == WANTED
    assert account.writes().count("CreateRepository") == 2
    for name in ("team", None):
        assert len(account.statements(name)[0]["Principal"]["AWS"]) == 2


# --- permissions for others ---------------------------------------------------------------


def test_others_are_let_in(account: Account) -> None:
    """An account's users may get a token, read and publish; the output lists what else they need."""
    status, said = account.provision(*ACME, "--yes", "--grant-publish", OTHER)
    assert status == 0
    assert "pipenv-ca provision policy publisher --domain acme" in said
    them = {"AWS": [f"arn:aws:iam::{OTHER}:root"]}
    (token,) = account.statements(None)
    read, publish = account.statements()
    assert token["Principal"] == read["Principal"] == publish["Principal"] == them
    assert "codeartifact:GetAuthorizationToken" in token["Action"]
    assert "codeartifact:ReadFromRepository" in read["Action"]
    assert publish["Action"] == ["codeartifact:PublishPackageVersion"]
    assert publish["Resource"].endswith(":package/acme/team/pypi//*")


@pytest.mark.wide
def test_existing_statements_of_a_policy_are_kept(account: Account) -> None:
    """Statements are added to a policy and principals to a statement."""
    assert account.provision(*ACME, "--yes")[0] == 0
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    account.aws.put_repository_permissions_policy(
        domain="acme", repository="team", policyDocument=document
    )
    for words in (
        ("--grant-read", OTHER),
        ("--grant-publish", "o-abcdefghij"),
        ("--grant-read", "111111111111", "--grant-read", "o-0123456789"),
    ):
        assert account.provision(*ACME, "--yes", *words)[0] == 0
        assert account.json(*ACME, *words)["plan"] == []
    theirs, accounts, organizations, publishers = account.statements()
    assert theirs == THEIRS
    assert "Sid" not in accounts  # it must be unique in a policy
    assert accounts["Principal"] == {
        "AWS": ["arn:aws:iam::111111111111:root", f"arn:aws:iam::{OTHER}:root"]
    }
    assert organizations["Condition"] == {
        "StringEquals": {"aws:PrincipalOrgID": ["o-0123456789", "o-abcdefghij"]}
    }
    assert publishers["Action"] == ["codeartifact:PublishPackageVersion"]


@pytest.mark.wide
@pytest.mark.parametrize("had_one", [True, False])
def test_a_policy_that_changes_during_the_run_is_not_overwritten(
    account: Account, monkeypatch: pytest.MonkeyPatch, had_one: bool
) -> None:
    words = ("--grant-read", "222222222222") if had_one else ()
    assert account.provision(*ACME, "--yes", *words)[0] == 0
    ask = Aws.call
    beside = [*(account.statements() if had_one else ()), THEIRS]

    def meddled(self: Aws, service: str, operation: str, **parameters: Any) -> Any:
        # After the first look; where that showed a policy, after the last one.
        late = f"put_{'repository' if had_one else 'domain'}_permissions_policy"
        if operation == late and beside:
            document = json.dumps({"Version": "2012-10-17", "Statement": [*beside]})
            beside.clear()
            account.aws.put_repository_permissions_policy(
                domain="acme", repository="team", policyDocument=document
            )
        return ask(self, service, operation, **parameters)

    monkeypatch.setattr(Aws, "call", meddled)
    assert account.provision(*ACME, "--yes", "--grant-read", OTHER)[0] == 0
    found = account.statements()
    assert THEIRS in found
    ours = [each for each in found if each != THEIRS]
    assert [len(each["Principal"]["AWS"]) for each in ours] == [1 + had_one]


@pytest.mark.wide
def test_tags_go_to_all_resources_and_the_key_to_the_domain(account: Account) -> None:
    """A second run has nothing to change."""
    arn = f"arn:aws:kms:us-east-1:{OWNER}:key/mine"
    words = (*ACME, "--yes", "--kms-key", arn)
    assert account.provision(*words, "--tags", "team=acme", "cost=42")[0] == 0
    assert client().describe_domain(domain="acme")["domain"]["encryptionKey"] == arn
    start = f"arn:aws:codeartifact:us-east-1:{OWNER}"
    resource = f"{start}:repository/acme/pypi-store"
    for arn in (f"{start}:domain/acme", f"{start}:repository/acme/team", resource):
        assert account.tags(arn) == {"team": "acme", "cost": "42"}
    account.aws.untag_resource(resourceArn=resource, tagKeys=["cost"])
    again = account.json(*words, "--tags", "team=ours", "cost=42")
    reasons = ["it has team=acme", "it has team=acme", "it has team=acme"]
    assert [step["reason"] for step in again["plan"]] == reasons
    assert again["plan"][1]["step"] == "tag pypi-store with team=ours, cost=42"
    assert account.tags(resource) == {"team": "ours", "cost": "42"}
    assert account.json(*words, "--tags", "cost=42")["plan"] == []
    assert account.json(*words)["plan"] == []
    assert account.json(*ACME, "--yes", "--kms-key", "mine")["plan"] == []
