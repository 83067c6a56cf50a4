"""The sandbox meets clients that others wrote; the summary says what was driven and checked."""

from __future__ import annotations

import configparser
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.programs import Result, run
from support.sandbox import client, enter

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.clients import Clients

    Checks = Callable[[str, str], None]

pytestmark = pytest.mark.wide

OWNER = "123456789012"
NAMED = ("--domain", "demo", "--domain-owner", OWNER, "--repository", "pypi-store")


class World:
    """A sandbox, and a place to drive clients from."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.sandbox = sandbox
        self.env = env
        self.folder = folder
        self.url = sandbox.endpoint.simple_url
        self.there = folder / "there"

    def token(self) -> str:
        return self.run(
            sys.executable, "-m", "codeartifact_pipenv", "token", self.url
        ).stdout.strip()

    def with_token(self, token: str) -> str:
        return self.url.replace("https://", f"https://aws:{token}@")

    def run(self, *words: str | Path) -> Result:
        done = run(*words, env=self.env, cwd=self.folder)
        assert done.status == 0, done.output
        return done

    def installed(self) -> list[str]:
        return sorted(path.name for path in self.there.glob("*.dist-info"))


@pytest.fixture
def world(clean_env: dict[str, str], clean_base: dict[str, str], tmp_path: Path) -> Iterator[World]:
    with Sandbox(base=clean_base, upstream=False) as sandbox:
        for version in ("1.0", "1.1"):
            sandbox.publish(make_wheel(tmp_path / "wheels", "acme-tools", version))
        folder = tmp_path / "a folder"
        folder.mkdir()
        env = sandbox.environ(clean_env) | {"AWS_DEFAULT_REGION": "us-east-1"}
        yield World(sandbox, env, folder)


@pytest.fixture
def checks(record_property: Callable[[str, object], None]) -> Checks:
    """Return what writes a row of the table."""
    return lambda driven, checked: record_property("conformance", (driven, checked))


def test_token_of_the_aws_cli_opens_the_repository(
    world: World, clients: Clients, checks: Checks
) -> None:
    aws = clients("awscli").bin / "aws"
    words = ("codeartifact", "get-authorization-token", *NAMED[:4], "--duration-seconds", "900")
    answer = json.loads(world.run(aws, *words).stdout)
    url = world.with_token(answer["authorizationToken"])
    world.run(sys.executable, "-m", "pip", "download", "-q", "--index-url", url, "acme-tools")
    checks("aws get-authorization-token", "the token opens the repository")


@pytest.mark.shows_token("files")
def test_pip_installs_after_aws_login_for_pip(
    world: World, clients: Clients, checks: Checks, home: Path
) -> None:
    aws = clients("awscli").bin / "aws"
    world.env["PATH"] = f"{Path(sys.executable).parent}:{world.env['PATH']}"
    world.run(aws, "codeartifact", "login", "--tool", "pip", *NAMED)
    written = list(home.rglob("pip.conf"))
    assert len(written) == 1
    world.run(
        sys.executable, "-m", "pip", "install", "-q", "--target", world.there, "acme-tools==1.0"
    )
    assert world.installed() == ["acme_tools-1.0.dist-info"]
    checks("aws login --tool pip", "pip installs by the configuration that it wrote")


def test_twine_uploads_after_aws_login_for_twine(
    world: World, clients: Clients, checks: Checks, home: Path, tmp_path: Path
) -> None:
    aws, twine = clients("awscli").bin / "aws", clients("twine").bin / "twine"
    world.run(aws, "codeartifact", "login", "--tool", "twine", *NAMED)
    parser = configparser.RawConfigParser()
    parser.read(home / ".pypirc")
    assert parser["codeartifact"]["repository"] == world.sandbox.endpoint.url
    wheel = make_wheel(tmp_path / "new", "acme-new", "3.0")
    for _ in range(2):  # the same content again is allowed
        world.run(twine, "upload", "--repository", "codeartifact", wheel)
    listed = world.run(aws, "codeartifact", "list-packages", *NAMED, "--format", "pypi")
    names = [package["package"] for package in json.loads(listed.stdout)["packages"]]
    assert names == ["acme-new", "acme-tools"]
    checks("aws login --tool twine, twine upload", "twice, and list-packages shows it")


@pytest.mark.parametrize("requirement", ["twine==6.0.1", "twine"])
def test_twine_of_any_age_uploads_with_a_token(
    requirement: str, world: World, clients: Clients, checks: Checks, tmp_path: Path
) -> None:
    twine = clients(requirement).bin / "twine"
    world.env |= {"TWINE_USERNAME": "aws", "TWINE_PASSWORD": world.token()}
    wheel = make_wheel(tmp_path / "new", "acme-new", "3.0")
    words = (twine, "upload", "--non-interactive", "--repository-url", world.sandbox.endpoint.url)
    world.run(*words, wheel)
    other = make_wheel(tmp_path / "other", "acme-new", "3.0", requires=["six"])
    refused = run(*words, other, env=world.env, cwd=world.folder)
    assert refused.status != 0
    assert "409" in refused.output
    checks(requirement, "uploads; other content under the same name is refused with 409")


@pytest.mark.parametrize("requirement", ["pip==23.2.1", "pip"])
def test_pip_of_any_age_installs_the_version_asked_for(
    requirement: str, world: World, clients: Clients, checks: Checks
) -> None:
    pip = clients(requirement).bin / "pip"
    url = world.with_token(world.token())
    world.run(pip, "install", "-q", "--target", world.there, "--index-url", url, "acme-tools<1.1")
    assert world.installed() == ["acme_tools-1.0.dist-info"]
    checks(requirement, "installs the version asked for")


def test_uv_publishes_and_installs_with_a_token(
    world: World, clients: Clients, checks: Checks
) -> None:
    uv = clients("uv").bin / "uv"
    token = world.token()
    url = world.with_token(token)
    world.env |= {"UV_CACHE_DIR": str(world.folder / "cache"), "UV_NATIVE_TLS": "1"}
    words = (uv, "pip", "install", "-q", "--python", sys.executable, "--target", world.there)
    world.run(*words, "--default-index", url, "acme-tools")
    assert world.installed() == ["acme_tools-1.1.dist-info"]
    wheel = make_wheel(world.folder / "new", "acme-new", "3.0")
    publish = (uv, "publish", "--publish-url", world.sandbox.endpoint.url, "--username", "aws")
    world.run(*publish, "--password", token, wheel)
    world.run(*words, "--default-index", url, "acme-new")
    assert "acme_new-3.0.dist-info" in world.installed()
    checks("uv pip install, uv publish", "installs the newest, and what it published")


def test_keyrings_codeartifact_gets_a_token_for_pip(
    world: World, clients: Clients, checks: Checks
) -> None:
    python = clients("keyring", "keyrings.codeartifact", "pip").bin / "python"
    url = world.url.replace("https://", "https://aws@")
    words = ("-m", "pip", "install", "-q", "--keyring-provider", "import", "--target", world.there)
    world.run(python, *words, "--index-url", url, "acme-tools")
    assert world.installed() == ["acme_tools-1.1.dist-info"]
    assert world.sandbox.count("GetAuthorizationToken") >= 1
    checks("keyrings.codeartifact, with pip", "installs with AWS's credentials alone")


def test_boto3_paginators_list_every_package_once(
    world: World, checks: Checks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(7):
        world.sandbox.publish(make_wheel(tmp_path / "many", f"acme-{number}", "1.0"))
    enter(world.sandbox, monkeypatch)
    asked = {"domain": "demo", "repository": "pypi-store", "PaginationConfig": {"PageSize": 3}}
    pages = client().get_paginator("list_packages").paginate(**asked)
    names = [package["package"] for page in pages for package in page["packages"]]
    assert names == [*(f"acme-{number}" for number in range(7)), "acme-tools"]
    checks("boto3 paginators", "every package once, in pages of 3")


@pytest.mark.shows_token("files")
def test_curl_reads_a_page_by_netrc(world: World, checks: Checks) -> None:
    netrc = world.folder / "netrc"
    host = world.sandbox.endpoint.host
    netrc.write_text(f"machine {host} login aws password {world.token()}\n")
    shown = world.run("curl", "-sS", "--fail", "--netrc-file", netrc, f"{world.url}acme-tools/")
    assert "acme_tools-1.1" in shown.stdout
    checks("curl", "reads a page, with the token from a netrc file")
