"""Unexpected files, folders, responses and arguments give an error without a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, Result
from support.runs import assert_error
from support.servers import FixedAnswer, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Invoke = Callable[..., Result]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="devices and pipes are POSIX matters")

HOST = "acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com"
PIPFILE = f"""\
[[source]]
name = "codeartifact"
url = "https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{HOST}/pypi/main/simple/"
verify_ssl = true
"""
FAULTS = ("at fault", "Traceback", "Exception ignored")
LOCK = ["--ca-pipenv", "/bin/true", "lock"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a repository, and a home next to it."""
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "home").mkdir()
    (folder / "Pipfile").write_text(PIPFILE)
    return folder


@pytest.fixture
def invoke(tmp_path: Path) -> Invoke:
    """Run pipenv-ca with bounded memory and time."""

    def ended(folder: Path | bytes, *words: str, before: str = "", **environ: str) -> Result:
        own = {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["/bin/sh", "-c", f'{before} ulimit -v 2000000; exec "$@"', "sh", PIPENV_CA, *words],
            env={"CODEARTIFACT_AUTH_TOKEN": "e30.x", **own, **environ},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        assert not any(fault in done.stderr for fault in FAULTS), done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return ended


def sparse(path: Path) -> None:
    """Create a file that is larger than any lock but uses no disk space."""
    path.touch()
    os.truncate(path, 80 << 20)


NOT_FILES: dict[str, Callable[[Path], object]] = {
    "device": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path),
    "large": sparse,
}


@pytest.mark.wide
@pytest.mark.parametrize("kind", NOT_FILES)
@pytest.mark.parametrize("name", ["Pipfile", "Pipfile.lock"])
def test_pipfile_or_lock_that_is_not_a_normal_file_is_refused(
    name: str, kind: str, project: Path, invoke: Invoke
) -> None:
    (project / name).unlink(missing_ok=True)
    NOT_FILES[kind](project / name)
    for words in (["lint"], LOCK):
        ended = invoke(project, *words)
        assert ended.status == 2
        assert f"{name} is not a file" in ended.stderr or f"{name} cannot be read: " in ended.stderr


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_pylock_that_is_not_a_file_is_refused(kind: str, project: Path, invoke: Invoke) -> None:
    NOT_FILES[kind](project / "pylock.toml")
    assert_error(invoke(project, *LOCK), 2, "pylock.toml is not a file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PIPFILE.replace(HOST, "example.org"), "would send the token in CODEARTIFACT_AUTH_TOKEN"),
        ('[packages]\nx = {file = "https://e.org/${CODEARTIFACT_AUTH_TOKEN}"}', "packages.x.file"),
        ('[packages]\nsix = "*"\nx = \n', "line 3, column"),
        ('[packages]\nsix = "*"  # caf\udce9\n', "Pipfile, line 2"),
    ],
    ids=["foreign source", "package", "TOML", "encoding"],
)
def test_pipfile_that_leaks_the_token_or_is_invalid_is_refused(
    text: str, said: str, project: Path, invoke: Invoke
) -> None:
    (project / "Pipfile").write_text(text, errors="surrogateescape")
    assert_error(invoke(project, *LOCK), 2, said)
    assert (project / "Pipfile").read_text(errors="surrogateescape") == text


def test_project_without_codeartifact_needs_no_token(project: Path, invoke: Invoke) -> None:
    (project / "Pipfile").write_text('[packages]\nsix = "*"\n')
    assert invoke(project, *LOCK, CODEARTIFACT_AUTH_TOKEN="") == Result(0, "", "")


def test_unverified_public_source_does_not_withhold_the_token(
    project: Path, invoke: Invoke
) -> None:
    public = '[[source]]\nname = "x"\nurl = "https://x.example/simple"\nverify_ssl = false\n'
    (project / "Pipfile").write_text(PIPFILE + public)
    assert invoke(project, "--ca-route", "as-written", *LOCK) == Result(0, "", "")


DEEP = {
    "arrays": "a = " + "[" * 100_000,
    "inline tables": "a = " + "{a = " * 300 + "1" + "}" * 300,
    "dotted key": ".".join(["a"] * 600) + " = 1",
    "quoted parts": '"a" . ' * 100_000 + "b = 1",
    "dotted table": "[packages." + ".".join(["a"] * 100_000) + "]",
}


@pytest.mark.wide
@pytest.mark.parametrize("kind", DEEP)
def test_toml_that_is_nested_too_deeply_is_reported(
    kind: str, project: Path, invoke: Invoke
) -> None:
    for name in ("Pipfile", "pylock.toml"):
        (project / name).write_text(f"{DEEP[kind]}\n")
    ended = invoke(project, *LOCK)
    assert ended.status == 2
    assert "is not valid TOML: it is nested too deeply." in ended.stderr
    printed = invoke(project, "lint").stdout
    assert printed.count("is not valid TOML: it is nested too deeply.") == 2


@pytest.mark.wide
def test_lock_is_refused_in_a_folder_whose_name_is_not_utf_8(
    project: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """Commands that do not need pipenv work there."""
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.rename(project, folder)
    ended = invoke(folder, *LOCK)
    assert (ended.status, "its name is not UTF-8" in ended.stderr) == (2, True)
    assert [invoke(folder, *words).status for words in (["lint"], ["token"], ["env"])] == [0, 0, 0]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["lint"], 2, "This folder cannot be read"),
        (["lint", "a"], 2, "a does not exist."),
        (["env", f"https://{HOST}/pypi/main/"], 2, "This folder cannot be read"),
        (LOCK, 2, "This folder cannot be read"),
        (["doctor", "--offline"], 1, "[folder-unreadable]"),
    ],
)
def test_removed_working_directory_is_an_error(
    words: list[str], status: int, said: str, project: Path, invoke: Invoke
) -> None:
    ended = invoke(project, *words, before='rm -r "$PWD";')
    assert (ended.status, said in ended.output) == (status, True)


@pytest.mark.parametrize("home", ["", "relative", "/nowhere/at/all", "/dev/null"])
def test_token_works_without_a_home_and_login_fails(
    home: str, project: Path, invoke: Invoke
) -> None:
    gone = "unset XDG_CONFIG_HOME;"
    assert invoke(project, "token", before=gone, HOME=home).stdout == "e30.x\n"
    if os.geteuid() != 0 or home in {"relative", "/dev/null"}:
        ended = invoke(project, "login", "pip", before=gone, HOME=home)
        assert (ended.status, ended.stderr.startswith("error: ")) == (2, True)


@pytest.mark.parametrize(
    "words",
    ["--json doctor --offline", "--bogus lint", "--python 3.12 token", "-v --ca-verbose env"],
)
def test_option_before_the_verb_is_refused(words: str, project: Path, invoke: Invoke) -> None:
    ended = invoke(project, *words.split())
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {words.partition(' ')[0]} stands before ")


@pytest.mark.wide
@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("PIPENV_CA_PROFIL", "did you mean PIPENV_CA_PROFILE?"),
        ("PIPENV_CA_ZZZ", "see `pipenv-ca --ca-help`."),
    ],
)
def test_misspelt_setting_gets_a_warning_with_the_nearest_name(
    name: str, advice: str, project: Path, invoke: Invoke
) -> None:
    for words in (["lint"], LOCK):
        ended = invoke(project, *words, **{name: "x"})
        sentence = f"warning: {name} is not a setting, and has no effect; {advice}\n"
        assert (ended.status, ended.stderr.count(sentence)) == (0, 1)
    known = invoke(project, "lint", PIPENV_CA_CONFIG="", PIPENV_CA_NO_CACHE="1")
    assert "warning" not in known.stderr


@pytest.mark.parametrize("word", ["acme/utils", "acme utils", "acme-"])
def test_word_that_is_neither_name_nor_url_is_refused(
    word: str, project: Path, invoke: Invoke
) -> None:
    ended = invoke(project, "packages", "--", word)
    assert ended.status == 2
    assert "is neither the name of a package nor the URL of an index." in ended.stderr


def token(value: object = "abc.def", expiration: object = None) -> bytes:
    """Return an answer of AWS to GetAuthorizationToken."""
    end = time.time() + 3600 if expiration is None else expiration
    return json.dumps({"authorizationToken": value, "expiration": end}).encode()


GARBLED = {
    "list": b"[]",
    "HTML": b"<html><body>Log in</body></html>",
    "null": b"null",
    "deep": b"[" * 5_000 + b"]" * 5_000,
    "object": b"{}",
    "bytes": b"\xff\xfe\x00",
    "token: number": token(7),
    "token: line break": token("ab\ncd"),
    "token: half a pair": b'{"authorizationToken": "a\\ud800", "expiration": 4000000000}',
    "end: missing": b'{"authorizationToken": "abc"}',
    "end: beyond": token(expiration=1e300),
    "end: digits": b'{"authorizationToken": "abc", "expiration": %s}' % (b"9" * 9_000),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[FixedAnswer]:
    with served(FixedAnswer()) as server:
        server.heads = "Content-Type: application/json\r\n"
        yield server


@pytest.fixture
def invoke_with_answer(aws: FixedAnswer, project: Path, invoke: Invoke) -> Invoke:
    """Run a command for which AWS gives a fixed answer."""

    def asked(answer: bytes, *words: str) -> Result:
        aws.body = answer
        env = {"AWS_ENDPOINT_URL": aws.url, "NO_PROXY": "127.0.0.1", "CODEARTIFACT_AUTH_TOKEN": ""}
        env |= {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x" * 40}
        return invoke(project, *words, **env)

    return asked


@pytest.mark.wide
@pytest.mark.parametrize("kind", GARBLED)
def test_garbled_token_response_is_reported_and_not_printed(
    kind: str, invoke_with_answer: Invoke
) -> None:
    ended = invoke_with_answer(GARBLED[kind], "token")
    assert (ended.status, ended.stdout) == (1, "")
    assert "is incomplete or damaged. [service-fault]" in ended.stderr


def test_valid_token_response_is_printed(invoke_with_answer: Invoke) -> None:
    assert invoke_with_answer(token("abc.def"), "token").stdout == "abc.def\n"


OF_ACME = "--domain acme --region eu-west-1"


@pytest.mark.wide
@pytest.mark.parametrize("kind", ["list", "HTML", "null", "deep"])
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"token {OF_ACME}", "request for the caller's account is incom"),
        ("packages", "is incomplete or damaged. [service-fault]"),
        (
            f"provision --dry-run {OF_ACME} --domain-owner 111122223333 --repository main",
            "is incomplete or damaged. [service-fault]",
        ),
    ],
    ids=["token", "packages", "provision"],
)
def test_garbled_answer_to_any_command_is_reported(
    command: str, said: str, kind: str, invoke_with_answer: Invoke
) -> None:
    ended = invoke_with_answer(GARBLED[kind], *command.split())
    assert (ended.status, said in ended.stderr) == (1, True), ended


@pytest.mark.wide
@pytest.mark.parametrize("kind", ["list", "object", "HTML"])
def test_doctor_does_not_take_a_garbled_response_for_a_denial(
    kind: str, invoke_with_answer: Invoke
) -> None:
    ended = invoke_with_answer(GARBLED[kind], "doctor")
    assert ended.status == 1
    assert "denied" not in ended.stdout
