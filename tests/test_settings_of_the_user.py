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
from support.runs import get_token, replace_pipenv, started
from support.servers import Mirror, running_mirror

from codeartifact_pipenv.files.io import load_toml_bytes
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
    """A CodeArtifact whose repository does not reach the public index."""
    folder = tmp_path_factory.mktemp("shadows")
    with Sandbox(domain="my-dom", repository="lonely", upstream=False, base=clean_base) as sandbox:
        sandbox.publish(make_wheel(folder, SHADOW, "0.0.1"))
        sandbox.publish(make_wheel(folder, "orb-common", "2.0.0"))
        sandbox.publish(make_wheel(folder, "orb-clash", "1.0", ["six==1.15.0"]))
        yield sandbox


class Mixed:
    """A project with the public index first and a private repository second."""

    def __init__(self, world: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.world = world
        self.env = env
        self.folder = folder

    def write(self, *packages: str, first: str = PYPI_SOURCE) -> None:
        own = source(self.world.endpoint)
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

    def installed(self, name: str) -> str | None:
        return installed_version(self.folder, name)


@pytest.fixture
def mixed(world: Sandbox, clean_env: dict[str, str], project: Path, tmp_path: Path) -> Mixed:
    """Return the project with one private package that names its index."""
    env = world.environ(clean_env) | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}
    made = Mixed(world, env, project)
    made.write(PRIVATE)
    return made


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
    for words in ("install", "lock"):  # which name no package
        assert "pip installs" not in mixed("--ca-fallback", words, status=1).output
    assert mixed.files == before
    assert os.listdir(mixed.env["TMPDIR"]) == []


def test_resolving_pipenv_gets_the_proxy_index_and_no_token(mixed: Mixed, tmp_path: Path) -> None:
    own, line = tmp_path / "my-netrc", "machine index.example.com login me password hunter2\n"
    own.write_text(line)
    config = Path(mixed.env["HOME"], ".config/pip/pip.conf")
    config.parent.mkdir(parents=True)
    config.write_text(
        "[global]\nproxy = proxy.example:3128\nindex-url = https://me:hunter2@index.example.com/\n"
        "[list]\nformat = json\n"
    )
    pipenv = replace_pipenv(
        mixed.env,
        "for n in ('NETRC', 'PIP_CONFIG_FILE'): record[n] = open(os.environ[n]).read()",
    )
    token = get_token(mixed.world, mixed.env, mixed.folder)
    mixed("lock", NETRC=str(own), PIP_INDEX_URL=OTHER_INDEX)
    record, environ = pipenv.record, pipenv.record["environ"]
    assert token not in json.dumps(record)
    assert re.search(r"(?m)^machine 127[0-9.]+ login pipenv-ca password ", record["NETRC"])
    assert line in record["NETRC"]
    assert own.read_text() == line
    assert environ["PIP_EXTRA_INDEX_URL"] == " "
    assert "PIP_INDEX_URL" not in environ
    assert record["PIP_CONFIG_FILE"].split() == ["[global]", "[list]", "format", "=", "json"]
    assert environ["https_proxy"] == environ["http_proxy"] == "proxy.example:3128"
    assert "127." in environ["no_proxy"]


def test_route_that_shows_the_token_gives_a_warning(mixed: Mixed, tmp_path: Path) -> None:
    package = tmp_path / "lib" / "python3" / "site-packages" / "pipenv"
    package.mkdir(parents=True)
    (package / "__version__.py").write_text('__version__ = "2026.5.2"\n')
    replace_pipenv(mixed.env)
    done = mixed("--ca-route", "as-written", "lock")
    assert done.stderr.count("warning: ") == 1
    assert "pipenv 2026.5.2 shows the token in its arguments" in done.stderr
    assert "2026.6 or later" in done.stderr


@WIDE
def test_project_locks_with_its_only_proxy_in_pip_conf(mixed: Mixed) -> None:
    config = Path(mixed.env["HOME"], ".config/pip/pip.conf")
    config.parent.mkdir(parents=True)
    text = f"[global]\nproxy = {mixed.env['HTTPS_PROXY']}\nindex-url = {OTHER_INDEX}\n"
    config.write_text(text)
    mixed.write(PRIVATE, 'six = "*"\n')
    mixed("install")
    assert mixed.installed("orb-common") == "2.0.0"
    assert mixed.installed("six") is not None
    assert config.read_text() == text


@pytest.fixture
def mirror(mixed: Mixed) -> Iterator[Mirror]:
    mixed.env["NO_PROXY"] = "localhost,127.0.0.1"
    with running_mirror() as server:
        yield server


@WIDE
def test_mirror_replaces_the_public_index_and_stays_out_of_the_files(
    mixed: Mixed, mirror: Mirror
) -> None:
    mirror.credentials = "me:hunter2"
    mixed.env["PIPENV_PYPI_MIRROR"] = mirror.url.replace("://", "://me:hunter2@")
    for words in ("install six", "lock", "update six", "run pip install --force-reinstall six"):
        mirror.asked.clear()
        mixed(*words.split())
        assert mixed.locked("six")["index"] == "pypi", words
        assert mixed.locked("orb-common")["index"] == "codeartifact", words
        assert "six" in mirror.asked, words
        assert "orb-common" not in mirror.asked, words
        written = b"".join(mixed.files.values())
        assert not re.search(b"localhost|http://127|hunter2", written), words
    assert load_toml_bytes(mixed.files["Pipfile"])["packages"]["six"] == "*"
    mixed("sync")
    assert mixed.installed("six") is not None


@WIDE
def test_public_source_gets_the_credentials_that_its_url_names(
    mixed: Mixed, mirror: Mirror
) -> None:
    mirror.credentials = "me:hunter2"
    url = mirror.url.replace("://", "://me:${MIRROR_PASSWORD}@")
    mixed.write(PRIVATE, 'six = "*"\n', first=PYPI_SOURCE.replace(PUBLIC_URL, url))
    mixed("lock", MIRROR_PASSWORD="hunter2")
    assert mixed.locked("six")["index"] == "pypi"
    assert "six" in mirror.asked
    assert b"hunter2" not in b"".join(mixed.files.values())
