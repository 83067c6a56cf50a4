"""The keyring command and library in real processes, with keyringrc.cfg and other backends."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.clients import OURS
from support.programs import SCRIPTS, run
from support.projects import source, write_pipfile
from support.runs import KEYRING, Calls, assert_error, without_credentials
from support.sandbox import client_of
from support.traces import files_with
from support.workspace import section

from codeartifact_pipenv.sandbox.signature import Principal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.clients import Clients, Drive
    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.wide
PYTHON = SCRIPTS / "python"


@pytest.fixture(scope="module")
def guest(sandbox: Sandbox) -> Principal:
    """Return another user of the account, with an access key."""
    with contextlib.closing(client_of(sandbox, "iam", sandbox.user)) as iam:
        arn = iam.create_user(UserName="guest")["User"]["Arn"]
        keys = iam.create_access_key(UserName="guest")["AccessKey"]
    return Principal(keys["AccessKeyId"], keys["SecretAccessKey"], None, None, "", arn)


@pytest.fixture
def keyringrc(home: Path) -> Path:
    """Return the path of the keyring configuration file."""
    path = home / ".config" / "python_keyring" / "keyringrc.cfg"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def pipfile(sandbox: Sandbox, project: Path) -> Path:
    return write_pipfile(project, source(sandbox.endpoint), "[packages]\n")


def own_lines(stderr: str) -> list[str]:
    """Return the lines that this package printed, without those of keyring."""
    return [line for line in stderr.splitlines() if line.startswith("codeartifact-pipenv:")]


# --- keyringrc.cfg -----------------------------------------------------------------------


def test_wrapper_and_keyring_use_the_profile_of_keyringrc(
    sandbox: Sandbox, user: User, guest: Principal, keyringrc: Path, tmp_path: Path
) -> None:
    """Both entry points share one call, and --ca-profile wins over the file."""
    (tmp_path / "aws").write_text(section("mine", sandbox.user) + section("theirs", guest))
    env = without_credentials(user.env)
    env["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "aws")
    title = f'[codeartifact account="{sandbox.endpoint.domain.owner}"]'
    text = (
        "[codeartifact]\nprofile_name = nobody\ntoken_duration = 1800\n"
        f"{title}\nprofile_name = theirs\n"
        '[codeartifact account="000000000000" name="team"]\nprofile_name = nobody\n'
    )
    keyringrc.write_text(text)
    calls = Calls(sandbox)
    service = user.url
    token = user.keyring(env=env)
    assert token.status == 0, token.output
    shown = user.run("--ca-verbose", "token", service, env=env)
    assert shown.stdout == token.stdout
    (note,) = [line for line in shown.stderr.splitlines() if str(keyringrc) in line]
    assert title in note
    assert "profile theirs, 1800 seconds" in note
    mine = user.run("--ca-profile", "mine", "token", service, env=env)
    assert mine.status == 0, mine.output
    assert calls.callers() == [guest.access_key_id, sandbox.user.access_key_id]
    # Another profile in the file is another identity and gets its token.
    keyringrc.write_text(text.replace("= theirs", "= mine"))
    assert user.keyring(env=env).stdout == mine.stdout != token.stdout
    assert calls.count() == 2


@pytest.mark.usefixtures("pipfile")
def test_access_keys_of_keyringrc_are_used_and_never_shown(
    *, sandbox: Sandbox, user: User, guest: Principal, keyringrc: Path
) -> None:
    """They get tokens that are separate from those of the environment."""
    before = user.keyring()
    keyringrc.write_text(section("codeartifact", guest) + "profile_name = none\n")
    calls = Calls(sandbox)
    found = user.keyring()
    assert found.status == 0, found.output
    assert found.stdout != before.stdout
    assert user.keyring() == found
    assert calls.callers() == [guest.access_key_id]
    looked = user.run("--ca-verbose", "doctor", "--json")
    findings = [f for s in json.loads(looked.stdout)["sections"] for f in s["findings"]]
    sentences = {finding["subject"]: finding["sentence"] for finding in findings}
    assert sentences["identity"].endswith(":user/guest")
    assert str(keyringrc) in sentences["keyringrc.cfg"]
    for subject in ("credentials", "keyringrc.cfg, codeartifact"):
        assert guest.access_key_id in sentences[subject]
    assert guest.secret_access_key not in looked.output
    assert files_with(guest.secret_access_key, [Path(user.env["PIPENV_CA_CACHE_DIR"])]) == []


def test_error_about_an_unknown_profile_names_keyringrc_as_its_origin(
    user: User, keyringrc: Path
) -> None:
    keyringrc.write_text("[codeartifact]\nprofile_name = nobody\n")
    failed = user.run("token", user.url)
    assert_error(failed, 1, "nobody", f"[codeartifact] in {keyringrc}", "unknown-profile")
    (line,) = own_lines(user.keyring().stderr)
    assert "nobody" in line
    assert str(keyringrc) in line
    # The corrected file ends the remembered refusal.
    keyringrc.write_text("[codeartifact]\n")
    assert user.keyring().status == 0


_LOOK_UP = """
import sys
from codeartifact_pipenv.auth.backend import CodeArtifactBackend
for service in (sys.argv[1], "https://example.org/simple/"):
    assert CodeArtifactBackend().get_credential(service, None) is None
"""


@pytest.mark.usefixtures("pipfile")
def test_each_entry_point_reports_a_broken_keyringrc(
    sandbox: Sandbox, user: User, keyringrc: Path
) -> None:
    """The file is not changed, and AWS is not asked."""
    keyringrc.write_text("[codeartifact]\nprofile_name secret-thing\n")
    before = keyringrc.read_bytes()
    calls = Calls(sandbox)
    failed = user.run("token", user.url)
    assert_error(failed, 2, str(keyringrc), "[keyringrc-broken]")
    # The keyring command stops at a file that it cannot parse; a client continues.
    asked = run(PYTHON, "-c", _LOOK_UP, user.url, env=user.env, cwd=user.folder)
    assert asked.status == 0, asked.output
    assert [str(keyringrc) in line for line in asked.stderr.splitlines()] == [True]
    looked = user.run("doctor", "--offline")
    assert "[keyringrc-broken]" in looked.stdout
    for done in (failed, asked, looked):
        assert "secret-thing" not in done.output
        assert "Traceback" not in done.output
    assert keyringrc.read_bytes() == before
    assert calls.count() == 0


@pytest.mark.usefixtures("pipfile")
def test_doctor_lists_the_keyringrc_settings_that_are_ignored(user: User, keyringrc: Path) -> None:
    keyringrc.write_text("[backend]\nkeyring-path = /x\n")
    assert "keyringrc" not in user.run("doctor", "--offline").stdout
    text = '[codeartifact]\nverify = no\n[codeartifact team="x"]\nprofile_name=x\n'
    keyringrc.write_text(f"{text}[codeartifact name=z]\naws_access_key_id = AKIAEXAMPLE\n")
    looked = user.run("doctor", "--offline")
    lines = [line for line in looked.stdout.splitlines() if "[keyringrc-ignored]" in line]
    wanted = ("verify in [codeartifact]", 'team="x"]: its title is invalid', "name=z]: aws_secret")
    assert [part in line for part, line in zip(wanted, lines, strict=True)] == [True] * 3


# --- refusals ----------------------------------------------------------------------------

_ASK = f"""
import subprocess, sys
for service in sys.argv[1:]:
    words = [{KEYRING!r}, "get", service, "aws"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    print(done.returncode, done.stdout.decode().strip(), flush=True)
"""


def ask(user: User, **changes: str) -> tuple[list[str], list[str]]:
    """Ask the keyring command for URL and host, as a client does, each in a new process.

    Returns:
        The lines that it got and the lines that this package printed.
    """
    words = (PYTHON, "-c", _ASK, user.url, user.sandbox.endpoint.host)
    done = run(*words, env=user.env | changes, cwd=user.folder)
    assert done.status == 0, done.output
    return done.stdout.splitlines(), own_lines(done.stderr)


@pytest.fixture
def denied(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Return the sandbox, in which no one may get a token."""
    sandbox.deny("codeartifact:GetAuthorizationToken")
    yield sandbox
    sandbox.allow("codeartifact:GetAuthorizationToken")


@pytest.mark.shows_token("output")
def test_a_denied_client_that_asks_again_costs_one_call(denied: Sandbox, user: User) -> None:
    """The reason is printed once per client."""
    calls = Calls(denied)
    got, printed = ask(user)
    assert got == ["1 ", "1 "]
    (line,) = printed
    assert "codeartifact:GetAuthorizationToken" in line
    assert calls.count() == 1
    # The next client gets the reason once too, without a call.
    assert ask(user) == (got, printed)
    assert calls.count() == 1
    # The token command, a refresh and another identity ask AWS.
    assert_error(user.run("token", user.url), 1, "token-denied")
    assert calls.count() == 2
    assert ask(user, PIPENV_CA_REFRESH="1") == (got, printed * 2)
    assert calls.count() == 4
    assert user.keyring(env=user.env | {"AWS_ACCESS_KEY_ID": "AKIAOTHER"}).status == 1
    assert calls.count() == 5
    # A token for this identity ends the refusal at once.
    denied.allow("codeartifact:GetAuthorizationToken")
    token = user.run("token", user.url).stdout.strip()
    assert ask(user) == ([f"0 {token}"] * 2, [])
    assert calls.count() == 6


def test_pip_that_imports_keyring_is_denied_with_one_call(denied: Sandbox, user: User) -> None:
    """A pip asks twice in one process; one line is printed."""
    words = [str(PYTHON), "-m", "pip", "install", "--no-deps", "--no-input", "--target", "target"]
    words += ["--keyring-provider", "import", "--index-url", user.url, "orb-common"]
    env = user.env | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONFIG_FILE": os.devnull}
    calls = Calls(denied)
    done = run(*words, env=env, cwd=user.folder)
    assert (done.status, len(own_lines(done.stderr)), calls.count()) == (1, 1, 1), done.output


def test_this_backend_answers_when_keyrings_codeartifact_is_installed_too(
    user: User, clean_base: dict[str, str]
) -> None:
    """Any number of `keyring get` commands make one call."""
    words = [str(PYTHON), "-m", "pip", "install", "-q", "--no-deps", "--target", "beside"]
    installed = run(*words, "keyrings.codeartifact", env=clean_base, cwd=user.folder)
    assert installed.status == 0, installed.output
    env = user.env | {"PYTHONPATH": str(user.folder / "beside")}
    listed = run(KEYRING, "--list-backends", env=env, cwd=user.folder)
    assert "keyrings.codeartifact.CodeArtifactBackend" in listed.stdout
    calls = Calls(user.sandbox)
    assert len({user.keyring(env=env) for _ in range(2)}) == 1
    assert calls.count() == 1


# --- the command and the library, alone and with other backends --------------------------

CHAIN = "keyring.backends.chainer.ChainerBackend"
ALONE = "codeartifact_pipenv.auth.backend.CodeArtifactBackend"
PLAIN = "keyrings.alt.file.PlaintextKeyring"


def addresses(drive: Drive) -> list[str]:
    """Return the forms of address that clients ask for."""
    endpoint = drive.sandbox.endpoint
    urls = [drive.url, drive.aws_url, f"{drive.url}orb-common/", endpoint.url]
    cut = [url.removesuffix("/") for url in (drive.url, endpoint.url)]
    return [*urls, *cut, endpoint.host, f"{endpoint.host}:443"]


def secret(drive: Drive, *words: str) -> str:
    """Return what the keyring command prints, which is in no output that is checked."""
    return drive.ask("keyring", *words).stdout.strip()


LIBRARY = """
import json, sys, keyring

ours, others = json.loads(sys.argv[1])
found = set()
for service in ours:
    for username in (None, "", "aws"):
        credential = keyring.get_credential(service, username)
        assert credential.username == "aws"
        found |= {keyring.get_password(service, username), credential.password}
assert len(found) == 1 and None not in found
for service in others:
    for username in (None, "", "aws", "python-poetry", "__token__"):
        assert keyring.get_password(service, username) is None, service
        assert keyring.get_credential(service, username) is None, service
assert keyring.get_credential(ours[0], "somebody") is None
"""
WAYS = {"as it comes": "", "our backend alone": ALONE, "in keyring's chain": CHAIN}


@pytest.mark.parametrize("way", WAYS)
def test_keyring_returns_one_token_for_every_form_of_address_and_none_for_others(
    way: str, clients: Clients, drive: Drive
) -> None:
    """The command, and the library, which is silent."""
    keyring = clients("keyring", OURS)
    drive.path(keyring)
    drive.env |= {"PYTHON_KEYRING_BACKEND": WAYS[way]} if WAYS[way] else {}
    others = [
        "python-poetry-check",
        "poetry-repository-codeartifact",
        "pdm-pypi-codeartifact",
        "https://example.org/pypi/team/simple/",
        f"https://{drive.endpoint.host}.example.org/pypi/team/simple/",
        drive.url.replace("https://", "http://"),
    ]
    row = ("keyring", keyring.version("keyring"), way, "get and creds, in every form of address")
    with drive.checked(*row):
        words = json.dumps([addresses(drive), others])
        assert drive.run(keyring.python, "-c", LIBRARY, words).output == ""
        token = secret(drive, "get", drive.url, "aws")
        for service in addresses(drive):
            assert secret(drive, "get", service, "aws") == token
            creds = secret(drive, "--mode=creds", "--output=json", "get", service)
            assert json.loads(creds) == {"username": "aws", "password": token}
        # pdm asks with an empty username, uv for plain text.
        assert secret(drive, "--mode=creds", "get", drive.url, "") == f"aws\n{token}"
        assert secret(drive, "get", drive.url, "--mode", "creds") == f"aws\n{token}"


def test_keyring_chain_stores_other_secrets_and_serves_our_token(
    clients: Clients, drive: Drive
) -> None:
    place = clients("keyring", "keyrings.alt", OURS)
    drive.path(place)
    drive.env["PYTHON_KEYRING_BACKEND"] = CHAIN
    way = f"with keyrings.alt {place.version('keyrings.alt')}"
    row = ("keyring", place.version("keyring"), way, "set, get, del for others; get for us")
    service = "https://index.example.org/simple/"
    with drive.checked(*row):
        drive.run("keyring", "set", service, "me", stdin="open sesame\n")
        assert drive.run("keyring", "get", service, "me").stdout == "open sesame\n"
        assert secret(drive, "get", drive.url, "aws").startswith("eyJ")
        # A secret stored earlier for our host is not used: it would have expired.
        drive.run("keyring", "-b", PLAIN, "set", drive.url, "aws", stdin="stale\n")
        assert secret(drive, "get", drive.url, "aws").startswith("eyJ")
        drive.run("keyring", "del", service, "me")
        assert drive.ask("keyring", "get", service, "me").status == 1
