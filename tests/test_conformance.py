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

    def run(self, *words: str | Path) -> Result:
        done = run(*words, env=self.env, cwd=self.folder)
        assert done.status == 0, done.output
        return done

    def installed(self, folder: Path) -> list[str]:
        return sorted(path.name for path in folder.glob("*.dist-info"))


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
def checks(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """Return what writes a row of the table."""
    return lambda driven, checked: record_property("conformance", (driven, checked))


def test_aws_get_authorization_token(
    world: World, clients: Clients, checks: Callable[[str, str], None]
) -> None:
    """The AWS CLI gets a token, and the repository takes it."""
    aws = clients("awscli").bin / "aws"
    words = ("codeartifact", "get-authorization-token", *NAMED[:4], "--duration-seconds", "900")
    answer = json.loads(world.run(aws, *words).stdout)
    url = world.url.replace("https://", f"https://aws:{answer['authorizationToken']}@")
    world.run(sys.executable, "-m", "pip", "download", "-q", "--index-url", url, "acme-tools")
    checks("aws get-authorization-token", "the token opens the repository")


@pytest.mark.shows_token("files")
def test_aws_login_for_pip(
    world: World, clients: Clients, checks: Callable[[str, str], None], home: Path
) -> None:
    """The AWS CLI's login --tool pip leaves a pip that installs."""
    aws = clients("awscli").bin / "aws"
    world.env["PATH"] = f"{Path(sys.executable).parent}:{world.env['PATH']}"
    world.run(aws, "codeartifact", "login", "--tool", "pip", *NAMED)
    written = list(home.rglob("pip.conf"))
    assert len(written) == 1
    target = world.folder / "there"
    world.run(sys.executable, "-m", "pip", "install", "-q", "--target", target, "acme-tools==1.0")
    assert world.installed(target) == ["acme_tools-1.0.dist-info"]
    checks("aws login --tool pip", "pip installs by the configuration that it wrote")


def test_aws_login_for_twine(
    world: World, clients: Clients, checks: Callable[[str, str], None], home: Path, tmp_path: Path
) -> None:
    """The AWS CLI's login --tool twine leaves a twine that uploads, and pip installs that."""
    aws, twine = clients("awscli").bin / "aws", clients("twine").bin / "twine"
    world.run(aws, "codeartifact", "login", "--tool", "twine", *NAMED)
    parser = configparser.RawConfigParser()
    parser.read(home / ".pypirc")
    assert parser["codeartifact"]["repository"] == world.sandbox.endpoint.url
    wheel = make_wheel(tmp_path / "new", "acme-new", "3.0")
    for _ in range(2):  # the same content again is no error
        world.run(twine, "upload", "--repository", "codeartifact", wheel)
    listed = world.run(aws, "codeartifact", "list-packages", *NAMED, "--format", "pypi")
    names = [package["package"] for package in json.loads(listed.stdout)["packages"]]
    assert names == ["acme-new", "acme-tools"]
    checks("aws login --tool twine, twine upload", "twice, and list-packages shows it")


@pytest.mark.parametrize("requirement", ["twine==6.0.1", "twine"])
def test_twine_of_any_age_uploads_with_a_token(
    requirement: str,
    world: World,
    clients: Clients,
    checks: Callable[[str, str], None],
    tmp_path: Path,
) -> None:
    """A twine, new or older, uploads with a token in its variables; other content is refused."""
    twine = clients(requirement).bin / "twine"
    token = client_token(world)
    world.env |= {"TWINE_USERNAME": "aws", "TWINE_PASSWORD": token}
    wheel = make_wheel(tmp_path / "new", "acme-new", "3.0")
    words = (twine, "upload", "--non-interactive", "--repository-url", world.sandbox.endpoint.url)
    world.run(*words, wheel)
    other = make_wheel(tmp_path / "other", "acme-new", "3.0", requires=["six"])
    refused = run(*words, other, env=world.env, cwd=world.folder)
    assert refused.status != 0
    assert "409" in refused.output
    checks(requirement, "uploads; other content under the same name is refused with 409")


def client_token(world: World) -> str:
    words = ("-m", "codeartifact_pipenv", "token", world.url)
    return world.run(sys.executable, *words).stdout.strip()


@pytest.mark.parametrize("requirement", ["pip==23.2.1", "pip"])
def test_pip_of_any_age_installs_the_version_asked_for(
    requirement: str, world: World, clients: Clients, checks: Callable[[str, str], None]
) -> None:
    """A pip of any age installs the version that is asked for."""
    pip = clients(requirement).bin / "pip"
    url = world.url.replace("https://", f"https://aws:{client_token(world)}@")
    target = world.folder / "there"
    world.run(pip, "install", "-q", "--target", target, "--index-url", url, "acme-tools<1.1")
    assert world.installed(target) == ["acme_tools-1.0.dist-info"]
    checks(requirement, "installs the version asked for")


def test_uv_publishes_and_installs_with_a_token(
    world: World, clients: Clients, checks: Callable[[str, str], None]
) -> None:
    """With a token, uv installs, and publishes what it then installs."""
    uv = clients("uv").bin / "uv"
    token = client_token(world)
    url = world.url.replace("https://", f"https://aws:{token}@")
    world.env |= {"UV_CACHE_DIR": str(world.folder / "cache"), "UV_NATIVE_TLS": "1"}
    target = world.folder / "there"
    words = (uv, "pip", "install", "-q", "--python", sys.executable, "--target", target)
    world.run(*words, "--default-index", url, "acme-tools")
    assert world.installed(target) == ["acme_tools-1.1.dist-info"]
    wheel = make_wheel(world.folder / "new", "acme-new", "3.0")
    publish = (uv, "publish", "--publish-url", world.sandbox.endpoint.url, "--username", "aws")
    world.run(*publish, "--password", token, wheel)
    world.run(*words, "--default-index", url, "acme-new")
    assert "acme_new-3.0.dist-info" in world.installed(target)
    checks("uv pip install, uv publish", "installs the newest, and what it published")


def test_keyrings_codeartifact_gets_a_token_for_pip(
    world: World, clients: Clients, checks: Callable[[str, str], None]
) -> None:
    """The existing keyring package gets a token for pip, with no credentials but AWS's."""
    python = clients("keyring", "keyrings.codeartifact", "pip").bin / "python"
    url = world.url.replace("https://", "https://aws@")
    target = world.folder / "there"
    words = ("-m", "pip", "install", "-q", "--keyring-provider", "import", "--target", target)
    world.run(python, *words, "--index-url", url, "acme-tools")
    assert world.installed(target) == ["acme_tools-1.1.dist-info"]
    assert world.sandbox.count("GetAuthorizationToken") >= 1
    checks("keyrings.codeartifact, with pip", "installs with AWS's credentials alone")


def test_boto3_paginators_list_every_package_once(
    world: World,
    checks: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """boto3's paginators bring every package once, whatever the pages' size."""
    for number in range(7):
        world.sandbox.publish(make_wheel(tmp_path / "many", f"acme-{number}", "1.0"))
    enter(world.sandbox, monkeypatch)
    pages = (
        client()
        .get_paginator("list_packages")
        .paginate(domain="demo", repository="pypi-store", PaginationConfig={"PageSize": 3})
    )
    names = [package["package"] for page in pages for package in page["packages"]]
    assert names == [*(f"acme-{number}" for number in range(7)), "acme-tools"]
    checks("boto3 paginators", "every package once, in pages of 3")


@pytest.mark.shows_token("files")
def test_curl_reads_a_page_by_netrc(world: World, checks: Callable[[str, str], None]) -> None:
    """Even curl, which knows nothing of Python, reads a page by netrc."""
    netrc = world.folder / "netrc"
    host = world.sandbox.endpoint.host
    netrc.write_text(f"machine {host} login aws password {client_token(world)}\n")
    shown = world.run("curl", "-sS", "--fail", "--netrc-file", netrc, f"{world.url}acme-tools/")
    assert "acme_tools-1.1" in shown.stdout
    checks("curl", "reads a page, with the token from a netrc file")
