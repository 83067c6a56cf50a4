"""Project settings that could redirect or expose the token, and private files."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest
from support.projects import PYPI_SOURCE, write_pipfile

from codeartifact_pipenv.auth.resolver import DotEnv
from codeartifact_pipenv.checks.machine.interpreter import version_of_environment
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import NotOwnError, check_own_folder, read_private
from codeartifact_pipenv.project.pipfile import load_project
from codeartifact_pipenv.project.sources import assign_variables, login_of, read_source
from codeartifact_pipenv.wrapper.pipenv_cli import LOCKED
from codeartifact_pipenv.wrapper.plan import (
    PROXY,
    choose_route,
    direct_environment,
    proxy_environment,
    refuse_exposed,
    token_risk,
)

if TYPE_CHECKING:
    from pathlib import Path

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
URL = f"https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{HOST}/pypi/team/simple/"
SOURCE = read_source("ours", URL, "Pipfile", {})
UNVERIFIED = SOURCE._replace(verified=False)
PUBLIC = read_source("public", "https://public.example/simple", "Pipfile", {})._replace(
    verified=False
)


@pytest.mark.parametrize(
    "name",
    [
        "PIP_CERT",
        "pip_cert",
        "REQUESTS_CA_BUNDLE",
        "SSLKEYLOGFILE",
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    ],
)
def test_dotenv_that_changes_certificates_is_a_risk(name: str) -> None:
    dotenv = DotEnv("/p/.env", {name: "./ca.pem"})
    assert token_risk([SOURCE], dotenv, {}) == f"/p/.env sets {name}"
    assert token_risk([SOURCE], dotenv, {name: "./ca.pem"}) is None


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "PIP_INDEX_URL", "PYTHONPATH", "DATABASE_URL"])
def test_dotenv_with_a_proxy_or_other_settings_is_not_a_risk(name: str) -> None:
    assert token_risk([SOURCE], DotEnv("/p/.env", {name: "x"}), {}) is None
    assert token_risk([SOURCE], None, {}) is None


def test_verify_ssl_is_a_risk_only_for_a_repository() -> None:
    assert token_risk([UNVERIFIED], None, {}) is not None
    assert token_risk([SOURCE, PUBLIC], None, {}) is None


def test_exposed_token_uses_the_proxy_index_or_is_refused() -> None:
    for version in ("2026.10.3", None):
        assert choose_route(LOCKED, [SOURCE], version, risk="x") == (PROXY, "x")
    assigned = assign_variables([SOURCE])
    refuse_exposed(proxy_environment(assigned, set()), "x")
    for child in (
        direct_environment([SOURCE], assigned),
        proxy_environment(assigned, {"CODEARTIFACT_AUTH_TOKEN"}),
    ):
        with pytest.raises(ConfigurationError, match="to another host: x"):
            refuse_exposed(child, "x")


@pytest.mark.parametrize(
    "name", ["PIP_USER_AGENT_USER_DATA", "https_proxy", "PATH", "AWS_SECRET_ACCESS_KEY", "A=B", ""]
)
def test_variable_with_another_meaning_is_refused(name: str) -> None:
    source = read_source("s", URL.replace("CODEARTIFACT_AUTH_TOKEN", name), "Pipfile", {})
    with pytest.raises(ConfigurationError, match="wants the token in"):
        assign_variables([source])


@pytest.mark.parametrize(
    "name", ["T_TOKEN", "PIPENV_ACME_TOKEN", "PIP_PASSWORD", "AWS_CA_TOKEN", "pw"]
)
def test_usual_names_of_token_variables_are_accepted(name: str) -> None:
    source = read_source("s", URL.replace("CODEARTIFACT_AUTH_TOKEN", name), "Pipfile", {})
    assert name in assign_variables([source])


STRAY = "https://evil.example/${CODEARTIFACT_AUTH_TOKEN}/x.whl"


@pytest.mark.parametrize(
    "document",
    [
        {"default": {"x": {"file": STRAY}}},
        {"develop": {f"x @ {STRAY}": {"version": "*"}}},
        {"docs": {"x": {"extras": [STRAY]}}},
    ],
)
def test_variables_in_lock_entries_are_checked(document: dict[str, object], tmp_path: Path) -> None:
    write_pipfile(tmp_path, f'[[source]]\nname = "s"\nurl = "{URL}"\nverify_ssl = true\n')
    (tmp_path / "Pipfile.lock").write_text(json.dumps({"_meta": {"sources": []}, **document}))
    project = load_project({}, str(tmp_path), lambda: None)
    with pytest.raises(ConfigurationError, match=r"Pipfile\.lock would send the token"):
        project.assign_variables(project.sources())


def test_file_url_of_the_repository_may_name_the_variable(tmp_path: Path) -> None:
    write_pipfile(tmp_path, PYPI_SOURCE, f'[[source]]\nname = "s"\nurl = "{URL}"\n')
    entry = {"file": URL.replace("simple/", "simple/x/1/x.whl")}
    (tmp_path / "Pipfile.lock").write_text(json.dumps({"default": {"x": entry}}))
    project = load_project({}, str(tmp_path), lambda: None)
    assert project.assign_variables(project.sources())
    assert project.mentioned_variables() == {"CODEARTIFACT_AUTH_TOKEN"}


def test_host_with_a_blank_gets_no_netrc_login() -> None:
    assert login_of("https://u:p@evil login x/simple") is None
    assert login_of("https://u:p@good.example/simple") == ("good.example", ("u", "p"))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("home = /x\nversion = 3.12.4\n", "3.12.4"),
        ("version_info = 3.11.7.final.0\n", "3.11.7"),
        ("version = evil\n", None),
        ("", None),
    ],
)
def test_version_is_read_without_running_the_interpreter(
    text: str, version: str | None, tmp_path: Path
) -> None:
    (tmp_path / "pyvenv.cfg").write_text(text)
    assert version_of_environment(str(tmp_path)) == version
    assert version_of_environment(str(tmp_path / "nowhere")) is None


@pytest.mark.skipif(os.name == "nt", reason="modes as on POSIX")
def test_private_file_is_read_only_if_safe(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("abc")
    for mode in (0o604, 0o640, 0o606):
        path.chmod(mode)
        with pytest.raises(NotOwnError):
            read_private(str(path))
    path.chmod(0o600)
    assert read_private(str(path)) == b"abc"
    (tmp_path / "link").symlink_to(path)
    for other in ("link", "none", "."):
        with pytest.raises(OSError, match=r".*"):
            read_private(str(tmp_path / other))
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    check_own_folder(str(folder))
    folder.chmod(0o1777)
    with pytest.raises(NotOwnError):
        check_own_folder(str(folder))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
