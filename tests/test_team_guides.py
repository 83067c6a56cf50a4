"""The guides that teams copy, followed from the first line to the last in a fresh project."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.acme import Reader, acme_sandbox, make_invoices, write_acme_project
from support.clients import OURS
from support.guides import blocks, document, script, section
from support.projects import PYPI_SOURCE, write_pipfile
from support.runs import Calls, get_token
from support.traces import CommandLines, assert_no_secrets, assert_not_shown, files_with

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.clients import Clients
    from support.programs import Result

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.wide

INDEXED = 'acme-invoices = {version = "*", index = "codeartifact"}'


def guide(name: str) -> str:
    return document(f"examples/guides/{name}")


@pytest.fixture
def acme(clean_base: dict[str, str], tmp_path: Path) -> Iterator[Sandbox]:
    with acme_sandbox(tmp_path / "packages", clean_base) as acme:
        yield acme


@pytest.fixture
def reader(acme: Sandbox, clean_env: dict[str, str], project: Path) -> Reader:
    """A developer who may read all packages, in a project with a public package."""
    reader = Reader(acme, clean_env, project)
    reader.add_profile("acme-dev")
    write_pipfile(project, PYPI_SOURCE, '[packages]\nsix = "*"\n')
    return reader


@pytest.fixture
def locked(reader: Reader) -> Reader:
    """A developer in a project that is locked and in git; newer versions are published later."""
    write_acme_project(reader.folder, reader.acme)
    (reader.home / ".gitconfig").write_text("[user]\nname = A\nemail = a@acme.example\n")
    reader.run(
        "pipx install codeartifact-pipenv",
        "AWS_PROFILE=acme-dev pipenv-ca --ca-no-cache lock -q",
        "git init -q; echo .venv > .gitignore; git add .; git commit -qm locked",
    )
    publish_versions(reader)
    reader.calls = Calls(reader.acme)
    return reader


def publish_versions(reader: Reader) -> None:
    for version in ("1.1", "2.0"):
        reader.acme.publish(make_invoices(reader.folder.parent / "packages", version))


def token(reader: Reader) -> str:
    """Return the token that is in our cache."""
    profile = {} if "AWS_ROLE_ARN" in reader.env else {"AWS_PROFILE": "acme-dev"}
    return get_token(reader.acme, reader.env | profile, reader.folder)


def follow(reader: Reader, *texts: str) -> Result:
    """Do what some texts say, with one token that is seen nowhere but in our cache."""
    with CommandLines(pause=0.05) as lines:
        done = reader.run(script(*texts))
    secret = token(reader)
    assert reader.calls.count() == 1
    assert lines.holding(secret) == set()
    assert_not_shown(secret, done)
    temporary = Path(reader.env["TMPDIR"])
    for left in temporary.glob("pipenv-request-*.json"):
        left.unlink()  # plain pipenv's, as the guide says; pipenv-ca leaves none
        assert "Plain pipenv" in "".join(texts)
    assert_no_secrets(secret, reader.folder, temporary, reader.home / ".config")
    return done


def move(reader: Reader, name: str) -> None:
    reader.folder = reader.folder.parent / name
    reader.folder.mkdir()


def for_acme(reader: Reader, text: str) -> str:
    """Return commands with acme's names in place of those in capitals."""
    url = reader.acme.endpoint.simple_url
    text = re.sub(r"https://(?:DOMAIN-\S+|HOST\S+)/simple/", url, text)
    return re.sub(r"\b(?:PRIVATE-)?PACKAGE\b", "acme-invoices", text)


def test_integration_guide_leads_from_public_packages_to_private_ones(reader: Reader) -> None:
    publish_versions(reader)
    url = reader.acme.endpoint.simple_url.replace("https://", "https://aws:dead-token@")
    reader.run(f"pip config --user --quiet set global.index-url {url}")
    follow(reader, guide("integration.md"))
    assert reader.version("acme_invoices") == "2.0"
    assert files_with("dead-token", [reader.home]) == []


def test_quick_start_and_daily_commands_work_in_a_new_project(reader: Reader) -> None:
    reader.env["AWS_PROFILE"] = "acme-dev"
    _, daily = next(blocks(section(guide("usage.md"), "Daily use")))
    text = section(document("README.md"), "Quick start") + f"```sh\n{daily}```\n"
    follow(reader, for_acme(reader, text))
    assert reader.version("acme_invoices") == "1.0"
    assert INDEXED in (reader.folder / "Pipfile").read_text(encoding="utf-8")


@pytest.mark.shows_token("output")
def test_variables_a_printed_token_and_a_login_work_and_logout_removes_it(locked: Reader) -> None:
    locked.env["AWS_PROFILE"] = "acme-dev"
    text = section(guide("tokens.md"), "Tools that cannot ask a keyring")
    env, token, login, logout = (for_acme(locked, block) for _, block in blocks(text))
    url, secret = locked.run(f"{env}echo $PIP_INDEX_URL\n{token}").stdout.split()
    assert url == locked.acme.endpoint.simple_url.replace("https://", f"https://aws:{secret}@")
    locked.run(login)
    assert secret in (locked.home / ".pypirc").read_text(encoding="utf-8")
    locked.run(logout)
    assert files_with(secret, [locked.home, locked.folder]) == []


@pytest.mark.shows_token("files")  # as the guide says of plain pipenv
def test_update_by_plain_pipenv_drops_the_index_and_fix_restores_it(locked: Reader) -> None:
    pipfile = locked.folder / "Pipfile"
    locked.env["CODEARTIFACT_AUTH_TOKEN"] = token(locked)
    for command in ("pipenv update acme-invoices", "pipenv lock"):
        failed = locked.ask(command)
        assert failed.status == 1
        assert "No matching distribution found for acme-invoices" in failed.output
    assert 'acme-invoices = "*"' in pipfile.read_text()
    locked.run("pipenv-ca fix; pipenv lock")
    assert INDEXED in pipfile.read_text()


def test_standards_guide_changes_nothing_but_the_lock(locked: Reader) -> None:
    locked.env["AWS_PROFILE"] = "acme-dev"
    follow(locked, guide("python-standards.md"))
    assert locked.version("acme_invoices") == "1.1"
    assert locked.run("git diff --cached --name-only").stdout.split() == ["Pipfile.lock"]


def test_template_puts_both_files_of_an_update_in_one_commit(locked: Reader) -> None:
    follow(locked, guide("project-template.md"))
    assert locked.version("acme_invoices") == "2.0"
    changed = locked.run("git show --format=%s --name-only").stdout.split("\n")
    assert changed[:4] == ["Update acme-invoices", "", "Pipfile", "Pipfile.lock"]


@pytest.fixture
def job(locked: Reader) -> Reader:
    """A job of the same project, which has a web identity and no profile."""
    (locked.home / ".aws" / "config").unlink()
    locked.take_role()
    for name in ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR"):
        del locked.env[name]
    return locked


def test_ci_job_installs_the_locked_packages_and_changes_nothing(job: Reader) -> None:
    follow(job, *(section(guide("ci.md"), title) for title in ("pipenv", "Caches")))
    job.run("rm -r .venv")
    follow(job, section(document("README.md"), "CI"))
    assert job.version("acme_invoices") == "1.0"
    assert job.run("git status --porcelain").stdout == ""
    (cached,) = files_with(token(job), [job.home / ".cache"])
    assert cached.is_relative_to(job.home / ".cache" / "codeartifact-pipenv")


def test_uv_and_uvx_get_private_packages_also_when_a_configuration_starts_uvx(job: Reader) -> None:
    text = guide("ci.md")
    move(job, "uv")
    follow(job, section(text, "uv"))
    assert job.version("acme_core") == "1.0"
    move(job, "uvx")
    assert follow(job, section(text, "uvx")).stdout == "orbs are well\n" * 2
    (servers,) = [json.loads(block) for kind, block in blocks(text) if kind == "json"]
    server = servers["mcpServers"]["acme"]
    job.add_profile("acme-dev")
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        del job.env[name]
    command = shlex.join([server["command"], *server["args"]])
    assert job.run(command, **server["env"]).stdout == "orbs are well\n"


@pytest.mark.parametrize("tool", ["uv", "poetry"])
def test_a_project_that_leaves_keeps_both_sources(tool: str, job: Reader, clients: Clients) -> None:
    beside = [OURS] if tool == "poetry" else []
    job.env["PATH"] += os.pathsep + str(clients(tool, *beside).bin)
    job.env["POETRY_VIRTUALENVS_IN_PROJECT"] = "true"
    move(job, tool)
    follow(job, section(guide("leaving.md"), tool))
    assert job.version("acme_core") == "1.0"
    assert job.version("acme_invoices").startswith("1.")
    assert job.version("six")
    assert job.acme.endpoint.host in (job.folder / f"{tool}.lock").read_text()
