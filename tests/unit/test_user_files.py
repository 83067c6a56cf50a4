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


EXTRA = f"[install]\nextra-index-url =\n    https://index.example/s\n    {url('hunter2')}\n"


@posix
@pytest.mark.parametrize(
    ("name", "text", "level", "line"),
    [
        (".config/pip/pip.conf", f"[global]\nindex-url = {url(TOKEN)}\n", "warning", 2),
        (".pip/pip.conf", f"[global]\ntimeout = 9\nindex_url={url(EXPIRED)}\n", "failure", 3),
        ("xdg/pip/pip.conf", EXTRA, "warning", 4),
        ("named.conf", f"[global]\nindex-url = {url(TOKEN)}\n", "warning", 2),
        ("venv/pip.conf", EXTRA, "warning", 4),
    ],
)
def test_token_in_a_pip_configuration_is_reported_with_its_line(
    name: str, text: str, level: str, line: int, environ: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, name, text)
    if name == "named.conf":
        environ["PIP_CONFIG_FILE"] = str(path)
    if name.startswith("venv/"):
        write(tmp_path, "venv/pyvenv.cfg", "")
        environ["VIRTUAL_ENV"] = str(path.parent)
    (finding,) = found(environ)
    assert (finding.code, finding.level) == ("login-left", level)
    assert (finding.path, finding.line) == (str(path), line)
    by_us = name in {".config/pip/pip.conf", "named.conf"}
    assert ("`pipenv-ca logout pip`" if by_us else "pip config unset") in finding.hint


@pytest.mark.parametrize(
    "text",
    [
        f"[global]\nindex-url = https://aws@{HOST}/pypi/team/simple/\n",
        "[global]\nindex-url = https://me:hunter2@index.example/simple\n",
        f"[global]\nuser-agent = {url(TOKEN)}\n",
    ],
)
def test_pip_configuration_without_a_stored_login_is_not_reported(
    text: str, environ: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, ".pip/pip.conf", text)
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


@pytest.mark.parametrize(
    ("text", "line", "level"),
    [
        (f"machine a login b\nmachine {VPCE}\n login aws\n password {TOKEN}\n", 2, "warning"),
        (f"# machine x\n\n{LOGIN} {EXPIRED}\n", 3, "failure"),
    ],
)
def test_codeartifact_login_in_netrc_is_reported_with_its_line(
    text: str, line: int, level: str, environ: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, ".netrc", text)
    (finding,) = found(environ)
    assert (finding.code, finding.level, finding.line) == ("login-left", level, line)
    assert finding.path == str(path)


@pytest.mark.parametrize(
    ("code", "text", "line"),
    [
        ("netrc-unreadable", "machine a.example\n  login b\n  password c\n  protocol https\n", 4),
        ("netrc-unreadable", f"machine {HOST} login aws passwort {TOKEN}\n", 1),
        ("pip-config-invalid", "[global]\n\nnonsense\n", 3),
        ("pip-config-invalid", "[a]\nb=1\nb=2\n", 3),
    ],
)
def test_line_that_python_or_pip_cannot_read_is_reported(
    code: str, text: str, line: int, environ: dict[str, str], tmp_path: Path
) -> None:
    name = ".pip/pip.conf"
    if code == "netrc-unreadable":
        name = "my.netrc"
        environ["NETRC"] = str(tmp_path / name)
    write(tmp_path, name, text)
    (finding,) = found(environ)
    assert (finding.code, finding.level, finding.line) == (code, "failure", line)


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_netrc_with_a_token_that_others_can_read_is_reported(
    mode: int, environ: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, ".netrc", f"{LOGIN} {TOKEN}\n", mode)
    hints = {finding.code: finding.hint for finding in found(environ)}
    assert hints.keys() == {"login-left", "file-readable"}
    assert f"chmod 600 {path}" in hints["file-readable"]


@pytest.mark.parametrize("token", [EXPIRED, "hunter2"], ids=["over", "other"])
def test_token_in_pypirc_is_reported_with_its_section(
    token: str, environ: dict[str, str], tmp_path: Path
) -> None:
    text = f"[distutils]\nindex-servers = ca\n[ca]\nrepository = https://{HOST}/pypi/team/\n"
    write(tmp_path, ".pypirc", f"{text}username = aws\npassword = {token}\n")
    (finding,) = found(environ)
    assert (finding.code, finding.level, finding.line) == ("login-left", "warning", 3)
    write(tmp_path, ".pypirc", f"{text}username = aws\n[pypi]\npassword = {token}\n")
    assert found(environ) == []


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
