"""The keyring command in real processes: shared calls, keyringrc.cfg, and refusals."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.identities import AccessKey, make_user, section
from support.programs import SCRIPTS, run
from support.projects import source, write_pipfile
from support.runs import KEYRING, Calls, assert_error, without_credentials
from support.traces import files_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.wide
PYTHON = SCRIPTS / "python"


@pytest.fixture(scope="module")
def guest(sandbox: Sandbox) -> AccessKey:
    """Return the access key of another user of the account."""
    return make_user(sandbox, "guest")


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
    sandbox: Sandbox, user: User, guest: AccessKey, keyringrc: Path, tmp_path: Path
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
    *, sandbox: Sandbox, user: User, guest: AccessKey, keyringrc: Path
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


def ask(user: User, env: Mapping[str, str] | None = None) -> tuple[list[str], list[str]]:
    """Ask the keyring command for URL and host, as a client does, each in a new process.

    Returns:
        The lines that it got and the lines that this package printed.
    """
    words = (PYTHON, "-c", _ASK, user.url, user.sandbox.endpoint.host)
    done = run(*words, env=env or user.env, cwd=user.folder)
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
    refreshing = user.env | {"PIPENV_CA_REFRESH": "1"}
    assert ask(user, refreshing) == (got, printed * 2)
    assert calls.count() == 4
    assert user.keyring(env=user.env | {"AWS_ACCESS_KEY_ID": "AKIAOTHER"}).status == 1
    assert calls.count() == 5
    # A token for this identity ends the refusal at once.
    denied.allow("codeartifact:GetAuthorizationToken")
    token = user.run("token", user.url).stdout.strip()
    assert ask(user) == ([f"0 {token}"] * 2, [])
    assert calls.count() == 6


def test_each_request_asks_aws_when_a_refusal_cannot_be_cached(denied: Sandbox, user: User) -> None:
    calls = Calls(denied)
    got, printed = ask(user, user.env | {"PIPENV_CA_CACHE_DIR": "/proc/cache"})
    assert (got, len(printed)) == (["1 ", "1 "], 2)
    assert calls.count() == 2


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
