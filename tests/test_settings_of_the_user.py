"""User settings of indexes, and the indexes that may serve a private name."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import PUBLIC_URL, PYPI_SOURCE, installed_version, source, write_pipfile
from support.runs import assert_error, get_token, replace_pipenv, started
from support.servers import Mirror, running_mirror

from codeartifact_pipenv.files.io import load_toml_bytes
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WIDE = pytest.mark.wide
# A private package whose name the public index has too, in higher versions.
SHADOW = "sampleproject"
PRIVATE = 'orb-common = {version = "*", index = "codeartifact"}\n'
PRIVATE_SHADOW = f'{SHADOW} = {{version = "*", index = "codeartifact"}}\n'
OTHER_INDEX = "https://index.example.com/simple"


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """A CodeArtifact with team, which reaches the public index, and lonely, which does not."""
    folder = tmp_path_factory.mktemp("shadows")
    wheels = [
        make_wheel(folder, SHADOW, "0.0.1"),
        make_wheel(folder, "orb-common", "2.0.0"),
        make_wheel(folder, "orb-clash", "1.0", ["six==1.15.0"]),
    ]
    with Sandbox(domain="my-dom", repository="team", base=clean_base) as sandbox:
        lonely = sandbox.add_repository("lonely")
        for wheel in wheels:
            sandbox.publish(wheel)
            sandbox.publish(wheel, lonely)
        yield sandbox


class Mixed:
    """A project with the public index first and a private repository second."""

    def __init__(self, world: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.world = world
        self.env = env
        self.folder = folder

    def write(self, *packages: str, repository: str = "lonely", first: str = PYPI_SOURCE) -> None:
        own = source(endpoint_for(self.world.endpoint.domain, repository))
        write_pipfile(self.folder, first, own, "[packages]\n" + "".join(packages))

    def __call__(self, *words: str, status: int = 0, **env: str) -> Result:
        done = run(PIPENV_CA, *words, env=self.env | env, cwd=self.folder)
        assert done.status == status, (words, done.output)
        return done

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the project, by name."""
        return {p.name: p.read_bytes() for p in self.folder.iterdir() if p.is_file()}

    def locked(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.files["Pipfile.lock"])["default"][name]
        return found

    def entry(self, name: str) -> Any:
        return load_toml_bytes(self.files["Pipfile"])["packages"][name]

    def installed(self, name: str) -> str | None:
        return installed_version(self.folder, name)


@pytest.fixture
def mixed(world: Sandbox, clean_env: dict[str, str], project: Path, tmp_path: Path) -> Mixed:
    """Return the project with one private package that names its index."""
    env = world.environ(clean_env) | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}
    made = Mixed(world, env, project)
    made.write(PRIVATE)
    return made


@WIDE
@pytest.mark.parametrize(("repository", "entry"), [("lonely", ""), ("team", f'{SHADOW} = "*"\n')])
def test_every_command_installs_the_private_package(
    repository: str, entry: str, mixed: Mixed
) -> None:
    mixed.write(PRIVATE, entry, repository=repository)
    mixed("install", SHADOW)
    assert mixed.installed(SHADOW) == "0.0.1"
    assert mixed.entry(SHADOW)["index"] == "codeartifact"
    for words in ("lock", f"update {SHADOW}", "update", f"upgrade {SHADOW}", "sync"):
        mixed(*words.split())
        assert mixed.locked(SHADOW)["version"] == "==0.0.1", words
        assert mixed.locked(SHADOW)["index"] == "codeartifact", words
    mixed("run", "python", "-m", "pip", "install", "--upgrade", "--force-reinstall", SHADOW)
    assert mixed.installed(SHADOW) == "0.0.1"


@pytest.fixture
def deny(world: Sandbox) -> Iterator[Callable[[str], None]]:
    """Return a function that denies an action, and revokes all tokens if it issues tokens."""
    denied = []

    def begin(name: str) -> None:
        denied.append(f"codeartifact:{name}")
        world.deny(denied[-1])
        if name == "GetAuthorizationToken":
            world.revoke_tokens()

    yield begin
    for action in denied:
        world.allow(action)


@WIDE
@pytest.mark.parametrize(
    ("way", "listed", "words"),
    [
        ("denied", True, "lock"),
        ("denied", False, f"install {SHADOW}"),
        ("denied", True, f"update {SHADOW}"),
        ("denied", True, f"--ca-fallback install {SHADOW}"),
        ("denied", False, f"run pip install --upgrade {SHADOW}"),
        ("revoked", True, "install"),
        ("revoked", False, f"upgrade {SHADOW}"),
        ("revoked", False, f"--ca-fallback install {SHADOW}"),
        ("revoked", True, f"run pip install --upgrade {SHADOW}"),
    ],
    ids=str,
)
def test_every_command_fails_if_the_token_is_refused(
    way: str, listed: bool, words: str, mixed: Mixed, deny: Callable[[str], None]
) -> None:
    mixed.write(PRIVATE_SHADOW if listed else PRIVATE)
    before = mixed.files
    get_token(mixed.world, mixed.env, mixed.folder)
    deny("ReadFromRepository" if way == "denied" else "GetAuthorizationToken")
    done = run(PIPENV_CA, *words.split(), env=mixed.env, cwd=mixed.folder)
    assert done.status != 0, done.output
    assert mixed.installed(SHADOW) is None
    assert mixed.files == before


@WIDE
def test_token_revoked_during_a_resolution_lets_no_public_package_in(
    mixed: Mixed, deny: Callable[[str], None]
) -> None:
    mixed.write(PRIVATE_SHADOW)
    mixed("lock")
    before, asked = mixed.files, mixed.world.count(SHADOW)
    with started(PIPENV_CA, "update", env=mixed.env, cwd=mixed.folder) as process:
        while mixed.world.count(SHADOW) == asked and process.poll() is None:
            pass
        deny("GetAuthorizationToken")
        process.communicate(timeout=120)
    assert process.returncode != 0
    assert mixed.files == before
    assert mixed.installed(SHADOW) is None


@WIDE
def test_fallback_installs_what_does_not_resolve_only_if_it_is_chosen(mixed: Mixed) -> None:
    mixed.write(PRIVATE, 'six = "==1.16.0"\norb-clash = "*"\n')  # which pip does not read
    before = mixed.files
    done = mixed("install", "orb-common==2.0.0", status=1)
    assert "pip installs it instead" not in done.output
    done = mixed("install", "orb-common==2.0.0", PIPENV_CA_FALLBACK="1")
    assert mixed.installed("orb-common") == "2.0.0"
    _, warning = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert "Pipfile and lock are unchanged" in warning
    assert "pipenv-ca install orb-common==2.0.0" in warning
    mixed("--ca-fallback", "install", SHADOW)
    assert mixed.installed(SHADOW) == "0.0.1"
    done = mixed("--ca-fallback", "install", "orb-no-such-package", status=1)
    assert "No matching distribution found for orb-no-such-package" in done.output
    assert "is installed by pip" not in done.output
    assert mixed.files == before
    assert os.listdir(mixed.env["TMPDIR"]) == []


@WIDE
@pytest.mark.parametrize("words", ["install", "uninstall orb-common", "lock"])
def test_fallback_is_only_for_commands_that_name_packages_to_install(
    words: str, mixed: Mixed
) -> None:
    failing = replace_pipenv(mixed.env, "", "sys.exit(1)")
    done = mixed("--ca-fallback", *words.split(), status=1)
    assert "pip installs" not in done.output
    assert failing.record["argv"] == words.split()


def test_resolving_pipenv_gets_the_proxy_index_and_no_token(mixed: Mixed, tmp_path: Path) -> None:
    own, line = tmp_path / "my-netrc", "machine index.example.com login me password hunter2\n"
    own.write_text(line)
    pipenv = replace_pipenv(mixed.env, 'record["netrc"] = open(os.environ["NETRC"]).read()')
    for words, name in (("lock", "TMPDIR"), ("run pip install six", "NETRC")):
        (mixed.folder / ".env").write_text(f"{name}=/nowhere\n")
        refused = mixed(*words.split(), status=2)
        assert_error(refused, 2, f".env sets {name}", "PIPENV_DONT_LOAD_ENV=1")
    assert not pipenv.was_run
    token = get_token(mixed.world, mixed.env, mixed.folder)
    mixed("lock", NETRC=str(own), PIPENV_DONT_LOAD_ENV="1", PIP_INDEX_URL=OTHER_INDEX)
    record = pipenv.record
    assert token not in json.dumps(record)
    assert re.search(r"(?m)^machine 127[0-9.]+ login pipenv-ca password ", record["netrc"])
    assert line in record["netrc"]
    assert own.read_text() == line
    assert record["environ"]["PIP_EXTRA_INDEX_URL"] == " "
    assert "PIP_INDEX_URL" not in record["environ"]


def test_route_that_shows_the_token_gives_a_warning(mixed: Mixed, tmp_path: Path) -> None:
    package = tmp_path / "lib" / "python3" / "site-packages" / "pipenv"
    package.mkdir(parents=True)
    (package / "__version__.py").write_text('__version__ = "2026.5.2"\n')
    replace_pipenv(mixed.env)
    done = mixed("--ca-route", "as-written", "lock")
    assert done.stderr.count("warning: ") == 1
    assert "pipenv 2026.5.2 shows the token in its arguments" in done.stderr
    assert "2026.6 or later" in done.stderr


_PROXIED = (
    "[global]\nproxy = {}\nindex-url = https://me:hunter2@a.example/\n\n[list]\nformat = json\n"
)


@WIDE
def test_proxy_in_pip_conf_is_not_used_for_loopback(mixed: Mixed) -> None:
    config = Path(mixed.env["HOME"], ".pip", "pip.conf")
    config.parent.mkdir()
    config.write_text(_PROXIED.format("proxy.example:3128"))
    pipenv = replace_pipenv(mixed.env, 'record["c"] = open(os.environ["PIP_CONFIG_FILE"]).read()')
    mixed("lock")
    given, environ = pipenv.record["c"], pipenv.record["environ"]
    assert "format = json" in given
    assert not re.search("proxy|hunter2", given)
    assert environ["https_proxy"] == environ["http_proxy"] == "proxy.example:3128"
    assert "127." in environ["no_proxy"]
    assert config.read_text() == _PROXIED.format("proxy.example:3128")
    assert not Path(environ["PIP_CONFIG_FILE"]).exists()


@WIDE
def test_project_locks_with_its_only_proxy_in_pip_conf(mixed: Mixed) -> None:
    config = Path(mixed.env["HOME"], ".config/pip/pip.conf")
    config.parent.mkdir(parents=True)
    config.write_text(_PROXIED.format(mixed.env["HTTPS_PROXY"]))
    mixed.write(PRIVATE, 'six = "*"\n')
    mixed("install")
    assert mixed.installed("orb-common") == "2.0.0"
    assert mixed.installed("six") is not None


@pytest.fixture
def mirror(mixed: Mixed) -> Iterator[Mirror]:
    mixed.env["NO_PROXY"] = "localhost,127.0.0.1"
    with running_mirror() as server:
        yield server


@WIDE
def test_mirror_replaces_the_public_index_and_stays_out_of_the_files(
    mixed: Mixed, mirror: Mirror
) -> None:
    mixed.env["PIPENV_PYPI_MIRROR"] = mirror.url
    for words in ("install six", "lock", "update six", "run pip install --force-reinstall six"):
        mirror.asked.clear()
        mixed(*words.split())
        assert mixed.locked("six")["index"] == "pypi", words
        assert mixed.locked("orb-common")["index"] == "codeartifact", words
        assert "six" in mirror.asked, words
        assert "orb-common" not in mirror.asked, words
        assert not re.search(b"localhost|http://127", b"".join(mixed.files.values())), words
    assert mixed.entry("six") == "*"
    mixed("sync")
    assert mixed.installed("six") is not None


@WIDE
@pytest.mark.parametrize("way", ["variable", "source"])
def test_mirror_gets_the_credentials_of_its_url(way: str, mixed: Mixed, mirror: Mirror) -> None:
    mirror.credentials = "me:hunter2"
    first = PYPI_SOURCE
    if way == "variable":
        mixed.env["PIPENV_PYPI_MIRROR"] = mirror.url.replace("://", "://me:hunter2@")
    else:
        mixed.env["MIRROR_PASSWORD"] = "hunter2"
        url = mirror.url.replace("://", "://me:${MIRROR_PASSWORD}@")
        first = first.replace(PUBLIC_URL, url)
    mixed.write(PRIVATE, 'six = "*"\n', first=first)
    mixed("lock")
    assert mixed.locked("six")["index"] == "pypi"
    assert "six" in mirror.asked
    assert b"hunter2" not in b"".join(mixed.files.values())
