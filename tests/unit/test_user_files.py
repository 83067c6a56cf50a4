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

EXPIRED = (
    base64.urlsafe_b64encode(json.dumps({"isu": 1_600_000_000, "exp": 1_600_043_200}).encode())
    .decode()
    .rstrip("=")
    + ".a.b.c.d"
)
VPCE = "vpce-1-a.d.codeartifact.eu-west-1.vpce.amazonaws.com"


def url(token: str, host: str = HOST) -> str:
    return f"https://aws:{token}@{host}/pypi/team/simple/"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}


def found(environ: dict[str, str]) -> list[Finding]:
    """Return the findings, after checking that they show no token."""
    findings = user_findings(environ)
    for finding in findings:
        assert not {TOKEN, EXPIRED, "hunter2"} & set(
            finding.sentence.split() + finding.hint.split()
        )
        assert "eyJ" not in "".join(map(str, finding))
        assert finding.sentence.endswith(".")
        assert finding.hint.endswith(".")
    return findings


def write(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.skipif(os.name == "nt", reason="places of POSIX")
@pytest.mark.parametrize(
    "name",
    [".config/pip/pip.conf", ".pip/pip.conf", "xdg/pip/pip.conf", "named.conf", "venv/pip.conf"],
)
@pytest.mark.parametrize(
    ("text", "level", "line"),
    [
        (f"[global]\nindex-url = {url(TOKEN)}\n", "warning", 2),
        (f"[global]\ntimeout = 9\nindex_url={url(EXPIRED)}\n", "failure", 3),
        (
            f"[install]\nextra-index-url =\n    https://index.example/s\n    {url('hunter2')}\n",
            "warning",
            4,
        ),
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
    by_us = name in {".config/pip/pip.conf", "named.conf", "venv/pip.conf"} and "[global]" in text
    assert ("`pipenv-ca logout pip`" in finding.hint) == by_us
    assert by_us or "pip config unset" in finding.hint


@pytest.mark.parametrize(
    "text",
    [
        f"[global]\nindex-url = https://aws@{HOST}/pypi/team/simple/\n",
        f"[global]\nindex-url = https://{HOST}/pypi/team/simple/\nkeyring-provider = import\n",
        "[global]\nindex-url = https://me:hunter2@index.example/simple\n",
        f"[global]\nuser-agent = {url(TOKEN)}\n",
        "",
    ],
)
def test_pip_configuration_without_a_stored_login_is_not_reported(
    text: str, environ: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, ".pip/pip.conf", text)
    assert found(environ) == []


@pytest.mark.parametrize("text", ["index-url = x\n", "[global]\n\nnonsense\n", "[a]\nb=1\nb=2\n"])
def test_pip_configuration_that_pip_cannot_read_is_reported(
    text: str, environ: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, ".pip/pip.conf", text)
    (finding,) = found(environ)
    assert (finding.code, finding.level) == ("pip-config-invalid", "failure")
    assert 1 <= finding.line <= text.count("\n")


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"])
@pytest.mark.parametrize(("token", "level"), [(TOKEN, "warning"), (EXPIRED, "failure")])
def test_token_in_a_pip_variable_is_reported_by_the_variable_name(
    name: str, token: str, level: str, environ: dict[str, str]
) -> None:
    environ[name] = f"https://index.example/simple {url(token)}"
    (finding,) = found(environ)
    assert (finding.code, finding.level, finding.subject) == ("login-left", level, name)


@pytest.mark.parametrize(
    ("text", "line", "level"),
    [
        (f"machine {HOST} login aws password {TOKEN}\n", 1, "warning"),
        (
            f"machine a.example login b password c\nmachine {VPCE}\n login aws\n password {TOKEN}\n",
            2,
            "warning",
        ),
        (f"# machine x\n\nmachine {HOST} login aws password {EXPIRED}\n", 3, "failure"),
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
    ("text", "line"),
    [
        ("machine a.example\n  login b\n  password c\n  protocol https\n", 4),
        (f"machine {HOST} login aws passwort {TOKEN}\n", 1),
        ("\nmachne a login b password c\n", 2),
    ],
)
def test_netrc_line_that_python_cannot_read_is_reported(
    text: str, line: int, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["NETRC"] = str(write(tmp_path, "my.netrc", text))
    (finding,) = found(environ)
    assert (finding.code, finding.level, finding.line) == ("netrc-unreadable", "failure", line)


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_netrc_with_a_token_that_others_can_read_is_reported(
    mode: int, environ: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, ".netrc", f"machine {HOST} login aws password {TOKEN}\n", mode)
    codes = {finding.code: finding for finding in found(environ)}
    assert codes.keys() == {"login-left", "file-readable"}
    assert f"chmod 600 {path}" in codes["file-readable"].hint


@pytest.mark.parametrize("token", [TOKEN, EXPIRED, "hunter2"], ids=["live", "over", "other"])
def test_token_in_pypirc_is_reported_with_its_section(
    token: str, environ: dict[str, str], tmp_path: Path
) -> None:
    text = f"[distutils]\nindex-servers = ca\n[ca]\nrepository = https://{HOST}/pypi/team/\n"
    write(tmp_path, ".pypirc", f"{text}username = aws\npassword = {token}\n")
    (finding,) = found(environ)
    assert (finding.code, finding.level, finding.line) == ("login-left", "warning", 3)
    write(tmp_path, ".pypirc", f"{text}username = aws\n[pypi]\npassword = {token}\n")
    assert found(environ) == []


@pytest.mark.skipif(os.name == "nt", reason="named pipes of POSIX")
@pytest.mark.parametrize("name", [".netrc", ".pypirc", ".pip/pip.conf"])
def test_named_pipes_and_devices_are_skipped(
    name: str, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / ".pip").mkdir()
    os.mkfifo(tmp_path / name)
    assert found(environ) == []
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    assert found(environ) == []


def test_home_without_such_files_has_no_findings(environ: dict[str, str]) -> None:
    assert found(environ) == []
    assert found(environ | {"HOME": "/nowhere/at/all"}) == []
