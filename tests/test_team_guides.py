"""The guides that teams copy, followed from the first line to the last in a fresh project."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.acme import (
    acme_environment,
    acme_sandbox,
    add_profile,
    make_invoices,
    web_identity,
    write_acme_project,
)
from support.clients import OURS, Place
from support.files import files_with
from support.guides import blocks, script, section, with_ours
from support.programs import Result, run
from support.projects import PYPI_SOURCE, write_pipfile
from support.runs import get_token
from support.traces import CommandLines, assert_no_secrets, assert_not_shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

_EXAMPLES = Path(__file__).parent.parent / "examples"
JOB = "repo:acme/app:ref:refs/heads/main"


def guide(name: str) -> str:
    return (_EXAMPLES / "guides" / name).read_text(encoding="utf-8")


def readme() -> str:
    return (_EXAMPLES.parent / "README.md").read_text(encoding="utf-8")


class Reader:
    """A developer at acme, or a job, that follows a guide.

    Attributes:
        env: the environment, in which our package is not installed.
        folder: the project's folder.
    """

    def __init__(self, acme: Sandbox, base: dict[str, str], folder: Path) -> None:
        self.acme = acme
        self.folder = folder
        self.env = acme_environment(acme, base, folder.parent)
        self.home = Path(self.env["HOME"])
        self.temporary = Path(self.env["TMPDIR"])
        self.asked = 1

    def bash(self, text: str) -> Result:
        """Run some lines, which must succeed."""
        # (A guide is twenty commands of pipenv, which take minutes on a machine with much to do.)
        done = run("bash", "-c", text, env=self.env, cwd=self.folder, timeout=900)
        assert done.status == 0, done.output[-6000:]
        return done

    def follow(self, *texts: str) -> Result:
        """Do what some texts say, in one shell.

        AWS is asked for one token at most, and that is in no argument of a program, in nothing
        that was said, and in no file but our cache.
        """
        with CommandLines(pause=0.05) as lines:
            done = self.bash("\n".join(map(with_ours, script(*texts).splitlines())))
        token = self.token()
        assert self.acme.count("GetAuthorizationToken") == self.asked
        assert lines.holding(token) == set()
        assert_not_shown(token, done)
        for left in self.temporary.glob("pipenv-request-*.json"):
            left.unlink()  # plain pipenv's, as the guide says; pipenv-ca leaves none
            assert "Plain pipenv" in "".join(texts)
        assert_no_secrets(token, self.folder, self.temporary, self.home / ".config")
        return done

    def token(self) -> str:
        """Return the token that is in our cache."""
        profile = {} if "AWS_ROLE_ARN" in self.env else {"AWS_PROFILE": "acme-dev"}
        return get_token(self.acme, self.env | profile, self.folder)

    def move(self, name: str) -> None:
        """Go to an empty folder."""
        self.folder = self.folder.parent / name
        self.folder.mkdir()

    def version(self, name: str) -> str:
        """Return the version of a distribution in the project's environment."""
        return Place(self.folder / ".venv").version(name)


@pytest.fixture
def reader(
    clean_base: dict[str, str], clean_env: dict[str, str], project: Path
) -> Iterator[Reader]:
    """Return somebody with a profile who may read what there is, in an empty folder."""
    with acme_sandbox(project.parent / "packages", clean_base) as acme:
        reader = Reader(acme, clean_env, project)
        add_profile(acme, reader.home, "acme-dev")
        yield reader


@pytest.fixture
def locked(reader: Reader) -> Reader:
    """Return a reader in a project that is locked and in git; newer versions are published later."""
    write_acme_project(reader.folder, reader.acme)
    (reader.home / ".gitconfig").write_text("[user]\nname = A\nemail = a@acme.example\n")
    install = with_ours("pipx install codeartifact-pipenv")
    reader.bash(
        f"set -e; export AWS_PROFILE=acme-dev; {install}; pipenv-ca --ca-no-cache lock -q;"
        "git init -q; echo .venv > .gitignore; git add .; git commit -qm locked"
    )
    publish_versions(reader)
    reader.asked = 2
    return reader


def publish_versions(reader: Reader) -> None:
    for version in ("1.1", "2.0"):
        reader.acme.publish(make_invoices(reader.folder.parent / "packages", version))


@pytest.mark.wide
def test_integration(reader: Reader) -> None:
    """The guide leads from public packages to private ones, with pipenv-ca and with plain pipenv."""
    write_pipfile(reader.folder, PYPI_SOURCE, '[packages]\nsix = "*"\n')
    publish_versions(reader)
    url = reader.acme.endpoint.simple_url.replace("https://", "https://aws:dead-token@")
    reader.bash(f"pip config --user --quiet set global.index-url {url}")
    reader.follow(guide("integration.md"))
    assert reader.version("acme_invoices") == "2.0"
    assert files_with("dead-token", [reader.home]) == []


def for_acme(text: str, url: str) -> str:
    """Return commands with acme's names in the place of those in capitals."""
    text = re.sub(r"https://(?:DOMAIN-\S+|HOST\S+)/simple/", url, text)
    return re.sub(r"\b(?:PRIVATE-)?PACKAGE\b", "acme-invoices", text)


@pytest.mark.wide
def test_quick_start(reader: Reader) -> None:
    """The README's quick start and the guide's daily commands work in a new project."""
    write_pipfile(reader.folder, PYPI_SOURCE, '[packages]\nsix = "*"\n')
    reader.env["AWS_PROFILE"] = "acme-dev"
    _, daily = next(blocks(guide("usage.md")))
    text = section(readme(), "Quick start") + f"```sh\n{daily}```\n"
    reader.follow(for_acme(text, reader.acme.endpoint.simple_url))
    assert reader.version("acme_invoices") == "1.0"
    assert 'acme-invoices = {version = "*", index = "codeartifact"}' in (
        reader.folder / "Pipfile"
    ).read_text(encoding="utf-8")


@pytest.mark.wide
@pytest.mark.shows_token("output")
def test_tools_without_a_keyring(locked: Reader) -> None:
    """Variables, a printed token and a login work as written in the guide; logout removes the token."""
    locked.env["AWS_PROFILE"] = "acme-dev"
    text = section(guide("tokens.md"), "Tools that cannot ask a keyring")
    url = locked.acme.endpoint.simple_url
    env, token, login, logout = (for_acme(block, url) for _, block in blocks(text))
    printed = locked.bash(f"{env}echo $PIP_INDEX_URL\n{token}").stdout.split()
    assert printed[0] == url.replace("https://", f"https://aws:{printed[1]}@")
    pypirc = locked.home / ".pypirc"
    locked.bash(login)
    assert printed[1] in pypirc.read_text(encoding="utf-8")
    locked.bash(logout)
    assert files_with(printed[1], [locked.home, locked.folder]) == []


@pytest.mark.wide
@pytest.mark.shows_token("files")  # as the guide says of plain pipenv
def test_update_by_plain_pipenv_drops_the_index_and_fix_restores_it(locked: Reader) -> None:
    """Without ``index=`` the package is not found."""
    pipfile = locked.folder / "Pipfile"
    before = pipfile.read_text()
    locked.env["CODEARTIFACT_AUTH_TOKEN"] = locked.token()
    for words in ("update acme-invoices", "lock"):
        failed = run("pipenv", *words.split(), env=locked.env, cwd=locked.folder)
        assert failed.status == 1
        assert "No matching distribution found for acme-invoices" in failed.output
    assert 'acme-invoices = "*"' in pipfile.read_text()
    locked.bash("pipenv-ca fix; pipenv lock")
    assert 'acme-invoices = {version = "*", index = "codeartifact"}' in pipfile.read_text()
    assert pipfile.read_text() != before


@pytest.mark.wide
def test_standards(locked: Reader) -> None:
    """The commands of the standards guide work in a project."""
    locked.env["AWS_PROFILE"] = "acme-dev"
    locked.follow(guide("python-standards.md"))
    assert locked.version("acme_invoices") == "1.1"
    assert locked.bash("git diff --cached --name-only").stdout.split() == ["Pipfile.lock"]


@pytest.mark.wide
def test_template(locked: Reader) -> None:
    """The template's update commands put both files in one commit."""
    locked.follow(guide("project-template.md"))
    assert locked.version("acme_invoices") == "2.0"
    changed = locked.bash("git show --format=%s --name-only").stdout.split("\n")
    assert changed[:4] == ["Update acme-invoices", "", "Pipfile", "Pipfile.lock"]


@pytest.fixture
def job(locked: Reader) -> Reader:
    """Return a job of the same project, which has a web identity and no profile."""
    (locked.home / ".aws" / "config").unlink()
    locked.env |= web_identity(locked.folder.parent)
    for name in ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR"):
        del locked.env[name]
    return locked


@pytest.mark.wide
def test_ci(job: Reader) -> None:
    """A job with the CI role installs the locked packages and changes nothing."""
    text = guide("ci.md")
    job.follow(*(section(text, title) for title in ("pipenv", "Caches")))
    job.bash("rm -r .venv")
    job.follow(section(readme(), "CI"))
    assert job.version("acme_invoices") == "1.0"
    assert job.bash("git status --porcelain").stdout == ""
    (cached,) = files_with(job.token(), [job.home / ".cache"])
    assert cached.is_relative_to(job.home / ".cache" / "codeartifact-pipenv")


@pytest.mark.wide
def test_uv(job: Reader) -> None:
    """Uv and uvx get private packages by keyring, also when a configuration starts uvx."""
    text = guide("ci.md")
    job.move("uv")
    job.follow(section(text, "uv"))
    assert job.version("acme_core") == "1.0"
    job.move("uvx")
    assert job.follow(section(text, "uvx")).stdout == "orbs are well\n" * 2
    (servers,) = [json.loads(block) for kind, block in blocks(text) if kind == "json"]
    server = servers["mcpServers"]["acme"]
    variables = [f"{name}={value}" for name, value in server["env"].items()]
    words = ["env", *variables, server["command"], *server["args"]]
    add_profile(job.acme, job.home, "acme-dev")
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        del job.env[name]
    assert job.bash(shlex.join(words)).stdout == "orbs are well\n"


@pytest.mark.wide
@pytest.mark.parametrize("tool", ["uv", "poetry"])
def test_leaving(tool: str, job: Reader, clients: Clients) -> None:
    """A project that moves to uv or poetry keeps both sources and gets the token from keyring."""
    beside = [OURS] if tool == "poetry" else []
    job.env["PATH"] += os.pathsep + str(clients(tool, *beside).bin)
    job.env["POETRY_VIRTUALENVS_IN_PROJECT"] = "true"
    job.move(tool)
    job.follow(section(guide("leaving.md"), tool))
    assert job.version("acme_core") == "1.0"
    assert job.version("acme_invoices").startswith("1.")
    assert job.version("six")
    lock = (job.folder / f"{tool}.lock").read_text()
    assert job.acme.endpoint.host in lock
