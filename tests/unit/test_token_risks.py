"""Project settings that could redirect or expose the token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.projects import PYPI_SOURCE, write_pipfile

from codeartifact_pipenv.auth.resolver import DotEnv
from codeartifact_pipenv.checks.machine.interpreter import version_of_environment
from codeartifact_pipenv.errors import ConfigurationError
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
    from collections.abc import Mapping
    from pathlib import Path

    from codeartifact_pipenv.project.pipfile import Project

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
URL = f"https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{HOST}/pypi/team/simple/"
SOURCE = read_source("ours", URL, "Pipfile", {})
PUBLIC = read_source("public", "https://public.example/simple", "Pipfile", {})._replace(
    verified=False
)


RISKS = ("PIP_CERT", "pip_cert", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "HOME", "XDG_CONFIG_HOME")


@pytest.mark.parametrize("name", [*RISKS, "HTTPS_PROXY", "PIP_INDEX_URL", "PYTHONPATH"])
def test_dotenv_that_changes_certificates_or_files_is_a_risk(name: str) -> None:
    dotenv = DotEnv("/p/.env", {name: "./ca.pem"})
    assert token_risk([SOURCE], dotenv, {}) == (f"/p/.env sets {name}" if name in RISKS else None)
    assert token_risk([SOURCE], dotenv, {name: "./ca.pem"}) is None


def test_verify_ssl_is_a_risk_only_for_a_repository() -> None:
    assert token_risk([SOURCE._replace(verified=False)], None, {}) is not None
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


@pytest.mark.parametrize("name", ["PIP_USER_AGENT_USER_DATA", "https_proxy", "PATH", "A=B", ""])
def test_variable_with_another_meaning_is_refused(name: str) -> None:
    source = read_source("s", URL.replace("CODEARTIFACT_AUTH_TOKEN", name), "Pipfile", {})
    with pytest.raises(ConfigurationError, match="wants the token in"):
        assign_variables([source])


@pytest.mark.parametrize("name", ["PIPENV_ACME_TOKEN", "PIP_PASSWORD", "AWS_CA_TOKEN", "pw"])
def test_usual_names_of_token_variables_are_accepted(name: str) -> None:
    source = read_source("s", URL.replace("CODEARTIFACT_AUTH_TOKEN", name), "Pipfile", {})
    assert name in assign_variables([source])


STRAY = "https://evil.example/${CODEARTIFACT_AUTH_TOKEN}/x.whl"


def locked_project(folder: Path, entry: Mapping[str, object]) -> Project:
    write_pipfile(folder, PYPI_SOURCE, f'[[source]]\nname = "s"\nurl = "{URL}"\n')
    (folder / "Pipfile.lock").write_text(json.dumps({"default": entry}))
    return load_project({}, str(folder), lambda: None)


@pytest.mark.parametrize(
    "entry",
    [{"x": {"file": STRAY}}, {f"x @ {STRAY}": {"version": "*"}}, {"x": {"extras": [STRAY]}}],
)
def test_a_lock_that_would_send_the_token_elsewhere_is_refused(
    entry: Mapping[str, object], tmp_path: Path
) -> None:
    project = locked_project(tmp_path, entry)
    with pytest.raises(ConfigurationError, match=r"Pipfile\.lock would send the token"):
        project.assign_variables(project.sources())


def test_file_url_of_the_repository_may_name_the_variable(tmp_path: Path) -> None:
    entry = {"x": {"file": URL.replace("simple/", "simple/x/1/x.whl")}}
    project = locked_project(tmp_path, entry)
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
