"""Findings in user files and variables that keep a login or cannot be read."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING

import pytest
from support.lint import HOST, TOKEN

from codeartifact_pipenv.checks.machine.environment import user_findings

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.findings import Finding

_ENDED = json.dumps({"isu": 1_600_000_000, "exp": 1_600_043_200}).encode()
EXPIRED = base64.urlsafe_b64encode(_ENDED).decode().rstrip("=") + ".a.b.c.d"
VPCE = "vpce-1-a.d.codeartifact.eu-west-1.vpce.amazonaws.com"
LOGIN = f"machine {HOST} login aws password"
posix = pytest.mark.skipif(os.name == "nt", reason="places, modes and pipes of POSIX")


def url(token: str, host: str = HOST) -> str:
    return f"https://aws:{token}@{host}/pypi/team/simple/"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}


def found(environ: dict[str, str]) -> list[Finding]:
    """Return the findings, after checking that they show no token."""
    findings = user_findings(environ)
    for finding in findings:
        text = "".join(map(str, finding))
        assert not any(secret in text for secret in (TOKEN, EXPIRED, "hunter2", "eyJ"))
        assert finding.sentence.endswith(".")
        assert finding.hint.endswith(".")
    return findings


def write(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


CLEAR = f"[global]\nindex-url = {url(TOKEN)}\n"
OVER = f"[global]\ntimeout = 9\nindex_url={url(EXPIRED)}\n"
EXTRA = f"[install]\nextra-index-url =\n    https://index.example/s\n    {url('hunter2')}\n"
NETRC = f"machine a login b\nmachine {VPCE}\n login aws\n password {TOKEN}\n"
PROTOCOL = "machine a.example\n  login b\n  password c\n  protocol https\n"
PYPIRC = f"[distutils]\nindex-servers = ca\n[ca]\nrepository = https://{HOST}/pypi/team/\n"
PYPIRC += "username = aws\n"


@posix
@pytest.mark.parametrize(
    ("name", "text", "code", "line", "hint"),
    [
        ("named.conf", CLEAR, "login-left", 2, "`pipenv-ca logout pip`"),
        (".config/pip/pip.conf", OVER, "login-left", 3, "`pipenv-ca logout pip`"),
        *(
            (f"{folder}/pip.conf", EXTRA, "login-left", 4, "pip config unset")
            for folder in (".pip", "xdg/pip", "venv")
        ),
        (".pip/pip.conf", "[global]\n\nnonsense\n", "pip-config-invalid", 3, ""),
        (".pip/pip.conf", "[a]\nb=1\nb=2\n", "pip-config-invalid", 3, ""),
        (".netrc", NETRC, "login-left", 2, "`pipenv-ca logout netrc`"),
        (".netrc", f"# machine x\n\n{LOGIN} {EXPIRED}\n", "login-left", 3, "logout netrc`"),
        ("named.netrc", PROTOCOL, "netrc-unreadable", 4, ""),
        ("named.netrc", f"machine {HOST} login aws passwort {TOKEN}\n", "netrc-unreadable", 1, ""),
        (".pypirc", f"{PYPIRC}password = {EXPIRED}\n", "login-left", 3, "logout twine`"),
        (".pypirc", f"{PYPIRC}password = hunter2\n", "login-left", 3, "logout twine`"),
    ],
)
def test_a_login_or_an_unreadable_line_is_reported_with_its_place(
    *,
    name: str,
    text: str,
    code: str,
    line: int,
    hint: str,
    environ: dict[str, str],
    tmp_path: Path,
) -> None:
    """A token that has expired is a failure, except for twine, and so is an unreadable line."""
    path = write(tmp_path, name, text)
    if name.startswith("venv/"):
        write(tmp_path, "venv/pyvenv.cfg", "")
        environ["VIRTUAL_ENV"] = str(path.parent)
    variable = {"named.conf": "PIP_CONFIG_FILE", "named.netrc": "NETRC"}.get(name)
    environ |= {variable: str(path)} if variable else {}
    (finding,) = found(environ)
    assert (finding.code, finding.path, finding.line) == (code, str(path), line)
    assert hint in finding.hint
    fails = code != "login-left" or (EXPIRED in text and name != ".pypirc")
    assert finding.level == ("failure" if fails else "warning")


@pytest.mark.parametrize(
    "text",
    [
        f"[global]\nindex-url = https://aws@{HOST}/pypi/team/simple/\n",
        "[global]\nindex-url = https://me:hunter2@index.example/simple\n",
        f"[global]\nuser-agent = {url(TOKEN)}\n",
    ],
)
def test_files_without_a_stored_login_are_not_reported(
    text: str, environ: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, ".pip/pip.conf", text)
    write(tmp_path, ".pypirc", f"{PYPIRC}[pypi]\npassword = hunter2\n")
    assert found(environ) == []


@pytest.mark.parametrize(
    ("name", "token", "level"),
    [
        ("PIP_INDEX_URL", TOKEN, "warning"),
        ("PIP_EXTRA_INDEX_URL", EXPIRED, "failure"),
        ("PIP_FIND_LINKS", TOKEN, "warning"),
    ],
)
def test_token_in_a_pip_variable_is_reported_by_the_variable_name(
    name: str, token: str, level: str, environ: dict[str, str]
) -> None:
    environ[name] = f"https://index.example/simple {url(token)}"
    (finding,) = found(environ)
    assert (finding.code, finding.level, finding.subject) == ("login-left", level, name)


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_netrc_with_a_token_that_others_can_read_is_reported(
    mode: int, environ: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, ".netrc", f"{LOGIN} {TOKEN}\n", mode)
    hints = {finding.code: finding.hint for finding in found(environ)}
    assert hints.keys() == {"login-left", "file-readable"}
    assert f"chmod 600 {path}" in hints["file-readable"]


@posix
@pytest.mark.parametrize("name", [".netrc", ".pypirc", ".pip/pip.conf"])
def test_missing_files_and_named_pipes_are_skipped(
    name: str, environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    assert found(environ) == []
    os.mkfifo(path)
    assert found(environ) == []
