"""Errors before pipenv starts: one sentence, a hint, and unchanged files."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV, PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import (
    TOKEN_VARIABLE,
    Calls,
    assert_error,
    get_token,
)
from support.traces import files_below
from support.users import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-common = "*"\n'
LOCK = '{"_meta": {"hash": {"sha256": "0"}, "sources": []}, "default": {}, "develop": {}}\n'


class Attempt(Workspace):
    """A healthy project to break, so that a command fails before pipenv starts."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        super().__init__(sandbox, env, folder)
        self.pipfile('orb-common = "*"')
        (folder / "Pipfile.lock").write_text(LOCK)

    def fails(
        self, status: int, *parts: str, words: tuple[str, ...] = ("lock",), code: str | None = None
    ) -> Result:
        """Run a command and check its message and code, and that no file has changed."""
        before = self._files()
        done = self.run(*words)
        assert_error(done, status, *parts)
        error, hint = done.stderr.splitlines()[-2:]
        # It is one sentence.
        assert not re.search(r"[.!?] +[A-Z]", error), error
        assert len(hint) < 400
        found = re.search(r" \[([a-z-]+)\]$", error)
        assert (found[1] if found else None) == code, error
        for secret in (self.sandbox.user.secret_access_key, self.env.get(TOKEN_VARIABLE)):
            assert not secret or secret not in done.output
        assert self._files() == before
        assert os.listdir(self.env["TMPDIR"]) == []
        return done

    def _files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in files_below(self.folder)}


@pytest.fixture
def attempt(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Attempt:
    return Attempt(sandbox, sandbox_env, project)


# --- AWS ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "code", "said"),
    [
        ("nope", "unknown-profile", "AWS profile nope was not"),
        ("dev", "credentials-source", "vault"),
    ],
)
def test_credentials_that_cannot_be_used_are_an_error_that_names_them(
    profile: str, code: str, said: str, attempt: Attempt
) -> None:
    """Each way in which credentials fail is in test_credentials.py and test_causes.py."""
    process = "[profile dev]\ncredential_process = sh -c 'echo no vault >&2; exit 3'\n"
    attempt.aws_config(process, None)
    attempt.fails(1, said, code=code, words=("--ca-profile", profile, "lock"))


@pytest.mark.wide  # botocore waits between attempts
def test_throttled_calls_are_repeated(attempt: Attempt) -> None:
    attempt.sandbox.throttle(11, retry_after=0)
    calls = Calls(attempt.sandbox)
    try:
        assert get_token(attempt.sandbox, attempt.env, attempt.folder)
    finally:
        attempt.sandbox.throttle(0)
    assert calls.count() == 5 + 7


# --- the project's files -----------------------------------------------------------------


LEAK = '[[source]]\nname = "near"\nurl = "{}"\n'
AWS_HOST = "my-dom-123456789012.d.codeartifact.us-east-1.amazonaws.com"
NEAR = f"https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{AWS_HOST}/pypi/team/simple/"
STRAY = "https://aws:${CODEARTIFACT_AUTH_TOKEN}@example.org/simple"
IN_PACKAGE = '[packages]\nx = {file = "https://e.org/${CODEARTIFACT_AUTH_TOKEN}"}\n'


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (LEAK.format(STRAY), "token-elsewhere", "would send the token in CODEARTIFACT_AUTH_TOKEN"),
        (LEAK.format(NEAR.replace("https", "http")), "token-elsewhere", "http, not https (near: "),
        (LEAK.format(NEAR.replace("/pypi", ":443x/pypi")), None, "443x"),
        (PYPI_SOURCE + IN_PACKAGE, "token-elsewhere", "packages.x.file"),
        ('[packages]\nsix = "*"\norb-common = \n', None, "line 3, column"),
        ('[packages]\nsix = "*"  # caf\udce9\n', None, "Pipfile, line 2"),
    ],
    ids=["foreign", "http", "text-port", "package", "toml", "encoding"],
)
def test_a_pipfile_that_leaks_the_token_or_is_invalid_is_refused(
    text: str, code: str | None, said: str, attempt: Attempt
) -> None:
    (attempt.folder / "Pipfile").write_text(text, errors="surrogateescape")
    calls = Calls(attempt.sandbox)
    attempt.fails(2, said, code=code)
    assert calls.to_aws() == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("token", f"http://{AWS_HOST}/pypi/team/"), "it is http, not https"),
        (("token",), "not valid TOML"),
    ],
)
def test_token_explains_why_it_has_no_repository(
    words: tuple[str, ...], said: str, attempt: Attempt
) -> None:
    (attempt.folder / "Pipfile").write_text("[packages\n")
    attempt.fails(2, said, words=words)


# --- left to pipenv ---------------------------------------------------------------


@pytest.mark.wide
def test_a_project_without_codeartifact_gets_no_token(attempt: Attempt) -> None:
    (attempt.folder / "Pipfile.lock").unlink()
    (attempt.folder / "Pipfile").write_text("")
    calls = Calls(attempt.sandbox)
    env = attempt.env | {"PIPENV_MAX_DEPTH": "1"}
    ours = run(PIPENV_CA, "verify", env=env, cwd=attempt.folder)
    assert ours == run(PIPENV, "verify", env=env, cwd=attempt.folder)
    words = (PIPENV_CA, "--ca-pipenv", "true", "lock")
    assert run(*words, env=env, cwd=attempt.folder) == Result(0, "", "")
    assert calls.to_aws() == 0


@pytest.mark.wide
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("Pipfile", "[packages\n", ("run", "pip", "install", "x")),
        ("Pipfile.lock", '{"_meta": ', ("sync",)),
    ],
)
def test_an_invalid_file_that_needs_no_change_is_left_to_pipenv(
    name: str, content: str, words: tuple[str, ...], attempt: Attempt
) -> None:
    attempt.env[TOKEN_VARIABLE] = get_token(attempt.sandbox, attempt.env, attempt.folder)
    (attempt.folder / name).write_text(content)
    results, files = [], []
    for program in (PIPENV_CA, PIPENV):
        twin = attempt.folder.with_name("twin")
        shutil.copytree(attempt.folder, twin)
        results.append(run(program, *words, env=attempt.env, cwd=twin))
        files.append({path.name: path.read_bytes() for path in twin.glob("Pipfile*")})
        shutil.rmtree(twin)
    assert files[0] == files[1]
    ours, theirs = results
    assert (ours.status, ours.stdout) == (theirs.status, theirs.stdout)
    # Lines before these have the time that the virtual environment took.
    assert ours.stderr.splitlines()[-1] == theirs.stderr.splitlines()[-1]
    assert not re.search(r"^(error|hint):", ours.stderr, re.MULTILINE)


@pytest.mark.wide
def test_a_pipfile_that_pipenv_rejects_is_reported_and_unchanged(attempt: Attempt) -> None:
    requires = "[pipenv]\nx = 1\n[requires]\npython_version = 3\n"
    write_pipfile(attempt.folder, PYPI_SOURCE, source(attempt.team), requires, PACKAGES)
    before = (attempt.folder / "Pipfile").read_bytes()
    done = attempt.run("lock")
    assert not re.search(r'File ".*codeartifact_pipenv', done.stderr), done.stderr
    assert done.status != 0
    assert "python_version must be a string. [pipfile-invalid]" in done.stderr
    assert (attempt.folder / "Pipfile").read_bytes() == before
