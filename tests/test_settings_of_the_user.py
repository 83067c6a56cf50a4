"""User settings of indexes, and the indexes that may serve a private name."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomlkit
from support.files import files_with
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import StandIn, assert_error, get_token, started
from support.traces import ProcessWatch

from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.clients import Clients


# A private package whose name the public index has too, in higher versions.
SHADOW = "sampleproject"
PRIVATE = 'orb-common = {version = "*", index = "codeartifact"}\n'
OTHER_INDEX = "https://index.example.com/simple"


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """A CodeArtifact with team, which reaches the public index, and lonely, which does not."""
    folder = tmp_path_factory.mktemp("shadows")
    wheels = [
        make_wheel(folder, SHADOW, "0.0.1", modules={"sample_shadow.py": ""}),
        make_wheel(folder, "orb-common", "2.0.0"),
        make_wheel(folder, "orb-needy", "1.0", [SHADOW]),
    ]
    with Sandbox(domain="my-dom", repository="team", base=clean_base) as sandbox:
        lonely = sandbox.add_repository("lonely")
        for wheel in wheels:
            sandbox.publish(wheel)
            sandbox.publish(wheel, lonely)
        yield sandbox


class Mixed:
    """A project with the public index first and a private repository second.

    Attributes:
        env: the environment of its commands.
        folder: where it is.
    """

    def __init__(self, world: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.world = world
        self.env = env
        self.folder = folder
        self.repository = "lonely"

    def write(self, *packages: str, sources: list[str] | None = None) -> None:
        """Write the Pipfile."""
        endpoint = endpoint_for(self.world.endpoint.domain, self.repository)
        tables = sources or [PYPI_SOURCE, source(endpoint)]
        write_pipfile(self.folder, *tables, "[packages]\n" + "".join(packages))

    def __call__(self, *words: str, **env: str) -> Result:
        """Run a command."""
        return run(PIPENV_CA, *words, env=self.env | env, cwd=self.folder)

    def well(self, *words: str, **env: str) -> Result:
        """Run a command that is to succeed."""
        done = self(*words, **env)
        assert done.status == 0, done.output
        return done

    def refused(self, *words: str, parts: tuple[str, ...] = (), **env: str) -> None:
        """Run a command that must be refused before pipenv starts."""
        marker = StandIn(self.folder.parent / "never")
        done = self(*words, **env, PIPENV_CA_PIPENV=str(marker.path))
        assert_error(done, 2, *parts)
        assert not marker.was_run

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the project, by name."""
        return {p.name: p.read_bytes() for p in self.folder.iterdir() if p.is_file()}

    def locked(self, name: str) -> dict[str, Any]:
        """Return a package's entry in the lock."""
        document = json.loads((self.folder / "Pipfile.lock").read_text())
        found: dict[str, Any] = document["default"][name]
        return found

    def entries(self) -> dict[str, Any]:
        """Return the Pipfile's packages."""
        document = tomlkit.parse((self.folder / "Pipfile").read_text()).unwrap()
        found: dict[str, Any] = document["packages"]
        return found

    def installed(self, name: str) -> str | None:
        """Return the version that is in the project's environment."""
        places = [str(path) for path in (self.folder / ".venv").glob("lib/*/site-packages")]
        for found in importlib.metadata.distributions(path=places):
            if found.name.replace("_", "-") == name:
                return found.version
        return None

    def stand_in(self, name: str = "bin", behaviour: str = "") -> StandIn:
        """Put a stand-in in pipenv's place from now on."""
        made = StandIn(self.folder.parent / name, behaviour)
        self.env = self.env | {"PIPENV_CA_PIPENV": str(made.path)}
        return made


@pytest.fixture
def mixed(world: Sandbox, clean_env: dict[str, str], project: Path, tmp_path: Path) -> Mixed:
    """Return the project with one private package that names its index."""
    env = world.environ(clean_env) | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}
    made = Mixed(world, env, project)
    made.write(PRIVATE)
    return made


# -- dependency confusion -------------------------------------------------------------------


@pytest.mark.wide
@pytest.mark.parametrize(
    ("repository", "entry"),
    [("lonely", ""), ("team", f'{SHADOW} = "*"\n')],
    ids=["new", "without index="],
)
def test_every_command_installs_the_private_package(
    repository: str, entry: str, mixed: Mixed
) -> None:
    mixed.repository = repository
    mixed.write(PRIVATE, entry)
    mixed.well("install", SHADOW)
    assert mixed.installed(SHADOW) == "0.0.1"
    assert mixed.entries()[SHADOW]["index"] == "codeartifact"
    for words in (["lock"], ["update", SHADOW], ["update"], ["upgrade", SHADOW], ["sync"]):
        mixed.well(*words)
        assert mixed.locked(SHADOW)["version"] == "==0.0.1", words
        assert mixed.locked(SHADOW)["index"] == "codeartifact", words
    mixed.well("run", "python", "-m", "pip", "install", "--upgrade", "--force-reinstall", SHADOW)
    assert mixed.installed(SHADOW) == "0.0.1"


@pytest.mark.wide
def test_fallback_installs_the_private_package(mixed: Mixed) -> None:
    mixed.write(PRIVATE, 'orb-no-such-package = "*"\n')
    done = mixed("--ca-fallback", "install", SHADOW)
    assert done.status == 0, done.output
    assert mixed.installed(SHADOW) == "0.0.1"


@pytest.fixture
def unreadable(world: Sandbox) -> Iterator[Callable[[], None]]:
    """Return what makes CodeArtifact refuse every read from now on."""
    action = "codeartifact:ReadFromRepository"
    yield lambda: world.deny(action)
    world.allow(action)


@pytest.fixture
def revoke(world: Sandbox) -> Iterator[Callable[[], None]]:
    """Return what revokes all tokens, and lets nobody have a new one."""
    action = "codeartifact:GetAuthorizationToken"

    def revoked() -> None:
        world.deny(action)
        world.revoke_tokens()

    yield revoked
    world.allow(action)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("way", "listed", "words"),
    [
        ("denied", True, ["lock"]),
        ("denied", True, ["install"]),
        ("denied", False, ["install", SHADOW]),
        ("denied", True, ["update", SHADOW]),
        ("denied", False, ["upgrade", SHADOW]),
        ("denied", True, ["--ca-fallback", "install", SHADOW]),
        ("denied", False, ["run", "pip", "install", "--upgrade", SHADOW]),
        ("revoked", True, ["install", SHADOW]),
        ("revoked", False, ["update", SHADOW]),
        ("revoked", False, ["--ca-fallback", "install", SHADOW]),
        ("revoked", True, ["run", "pip", "install", "--upgrade", SHADOW]),
    ],
    ids=str,
)
def test_every_command_fails_if_the_token_is_refused(
    way: str,
    listed: bool,
    words: list[str],
    mixed: Mixed,
    unreadable: Callable[[], None],
    revoke: Callable[[], None],
) -> None:
    mixed.write(f'{SHADOW} = {{version = "*", index = "codeartifact"}}\n' if listed else PRIVATE)
    before = mixed.files
    if way == "denied":
        unreadable()
    else:
        get_token(mixed.world, mixed.env, mixed.folder)
        revoke()
    done = mixed(*words)
    assert done.status != 0, done.output
    assert mixed.installed(SHADOW) is None
    assert mixed.files == before


@pytest.mark.wide
def test_token_revoked_during_a_resolution_lets_no_public_package_in(
    mixed: Mixed, revoke: Callable[[], None]
) -> None:
    mixed.write(f'{SHADOW} = {{version = "*", index = "codeartifact"}}\n')
    mixed.well("lock")
    before, asked = mixed.files, mixed.world.count(SHADOW)
    with started(PIPENV_CA, "update", env=mixed.env, cwd=mixed.folder) as process:
        while mixed.world.count(SHADOW) == asked and process.poll() is None:
            pass
        revoke()
        process.communicate(timeout=120)
    # (The resolver may have had all that it needed; then the download fails.)
    assert process.returncode != 0
    assert mixed.files == before
    assert mixed.installed(SHADOW) is None


# -- the fallback ---------------------------------------------------------------------------

# Locking fails on this; pip does not care about it.
CONFLICT = 'six = "==1.16.0"\norb-clash = "*"\n'


@pytest.fixture(scope="module")
def clash(world: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Publish a package that does not go together with what the Pipfile pins."""
    wheel = make_wheel(tmp_path_factory.mktemp("clash"), "orb-clash", "1.0", ["six==1.15.0"])
    world.publish(wheel)
    world.publish(wheel, endpoint_for(world.endpoint.domain, "lonely"))


@pytest.mark.wide
@pytest.mark.usefixtures("clash")
def test_fallback_installs_a_package_that_does_not_resolve(mixed: Mixed) -> None:
    mixed.write(PRIVATE, CONFLICT)
    before = mixed.files
    done = mixed("--ca-fallback", "install", "orb-common==2.0.0")
    assert done.status == 0, done.output
    assert mixed.installed("orb-common") == "2.0.0"
    assert mixed.files == before
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2, done.stderr
    assert "orb-common==2.0.0" in warnings[-1]
    assert "Pipfile and lock are unchanged" in warnings[-1]
    assert "pipenv-ca install orb-common==2.0.0" in warnings[-1]
    assert os.listdir(mixed.env["TMPDIR"]) == []


@pytest.mark.wide
@pytest.mark.usefixtures("clash")
def test_fallback_needs_its_option_or_variable(mixed: Mixed) -> None:
    mixed.write(PRIVATE)
    mixed.well("lock")
    mixed.write(PRIVATE, CONFLICT)
    before = mixed.files
    done = mixed("install", "orb-common==2.0.0")
    assert done.status == 1, done.output
    assert "pip installs it instead" not in done.output
    assert mixed.files == before
    mixed.well("install", "orb-common==2.0.0", PIPENV_CA_FALLBACK="1")
    assert mixed.installed("orb-common") == "2.0.0"
    assert mixed.files == before


@pytest.mark.wide
def test_fallback_for_a_missing_package_fails_with_the_status_of_pip(mixed: Mixed) -> None:
    before = mixed.files
    done = mixed("--ca-fallback", "install", "orb-no-such-package")
    assert done.status == 1, done.output
    assert "No matching distribution found for orb-no-such-package" in done.output
    assert "is installed by pip" not in done.output
    assert mixed.files == before


@pytest.mark.wide
def test_fallback_only_after_a_failure_to_resolve(mixed: Mixed) -> None:
    """A command that names no package to install is not tried by pip."""
    failing = StandIn(mixed.folder.parent / "failing", "", "sys.exit(1)")
    for words in (["install"], ["uninstall", "orb-common"], ["lock"]):
        done = mixed("--ca-fallback", *words, PIPENV_CA_PIPENV=str(failing.path))
        assert done.status == 1, done.output
        assert "pip installs" not in done.output
        assert failing.record["argv"] == words


# -- what others can see of a run -----------------------------------------------------------


class Tree(ProcessWatch):
    """Keeps what processes that carry a mark in their environment show, while a block runs.

    Args:
        mark: a word that all of them inherit, and nobody else.

    Attributes:
        shown: by arguments, the environments that were seen.
    """

    def __init__(self, mark: str) -> None:
        super().__init__()
        self.shown: set[tuple[bytes, bytes]] = set()
        self._mark = mark.encode()

    def see(self, process: Path) -> None:
        """Keep its arguments and its environment, if it has the mark."""
        environ = (process / "environ").read_bytes()
        if self._mark in environ:
            self.shown.add(((process / "cmdline").read_bytes(), environ))

    def holders(self, token: str) -> list[bytes]:
        """Return the arguments of the processes that held a token."""
        forms = [token.encode(), base64.b64encode(f"aws:{token}".encode())[:-4]]
        return [
            words.replace(b"\0", b" ")
            for words, environ in self.shown
            if any(form in words or form in environ for form in forms)
        ]


def check_traces(mixed: Mixed, tree: Tree, token: str, done: Result) -> None:
    """Check that a token was in no process's sight, nor output, nor is in a file."""
    assert tree.holders(token) == []
    assert token not in done.output
    folders = [mixed.folder, Path(mixed.env["HOME"]), Path(mixed.env["TMPDIR"])]
    assert files_with(token, folders) == []
    assert os.listdir(mixed.env["TMPDIR"]) == []


@pytest.mark.wide
@pytest.mark.parametrize("version", ["newest", "2023.12.1"])
def test_token_is_hidden_from_pipenv_children_and_files(
    version: str, mixed: Mixed, clients: Clients, tmp_path: Path
) -> None:
    script = clients.pipenv(version)
    mixed.env = mixed.env | {"PIPENV_CA_PIPENV": str(script)}
    token = get_token(mixed.world, mixed.env, mixed.folder)
    with Tree(str(tmp_path)) as tree:
        done = mixed.well("update", "orb-common")
    assert any(b"pipenv\0update" in words for words, _ in tree.shown)
    assert any(b"resolver" in words for words, _ in tree.shown)
    check_traces(mixed, tree, token, done)
    with Tree(str(tmp_path)) as tree:
        mixed.well("sync")
    assert mixed.installed("orb-common") == "2.0.0"
    in_arguments = [words for words, _ in tree.shown if token.encode() in words]
    assert in_arguments == []
    if version != "newest":
        assert tree.holders(token) == []


def test_resolving_pipenv_gets_the_proxy_index_and_no_token(mixed: Mixed) -> None:
    pipenv = mixed.stand_in("bin", 'record["netrc"] = open(os.environ["NETRC"]).read()')
    token = get_token(mixed.world, mixed.env, mixed.folder)
    mixed.well("lock")
    record = pipenv.record
    assert [name for name, value in record["environ"].items() if token in value] == []
    assert token not in record["netrc"]
    assert re.search(
        r"^machine 127[0-9.]+ login pipenv-ca password ", record["netrc"], re.MULTILINE
    )


@pytest.mark.wide
def test_pip_gets_only_the_proxy_index(mixed: Mixed, tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nextra-index-url = {OTHER_INDEX}\nindex-url = {OTHER_INDEX}\n")
    token = get_token(mixed.world, mixed.env, mixed.folder)
    words = ["run", "pip", "install", "--upgrade", SHADOW, "six"]
    with Tree(str(tmp_path)) as tree:
        done = mixed.well(*words, PIP_CONFIG_FILE=str(config))
    assert any(b"pip\0install" in words for words, _ in tree.shown)
    check_traces(mixed, tree, token, done)
    looking = [line for line in done.stdout.splitlines() if "Looking in indexes" in line]
    assert len(looking) == 1, done.stdout
    index = looking[0].removeprefix("Looking in indexes: ")
    assert index.startswith("http://127.")
    assert index.endswith("/simple")
    assert "," not in index
    assert mixed.installed(SHADOW) == "0.0.1"
    assert mixed.installed("six") is not None


# -- what the user has set ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["install", "-i", OTHER_INDEX, "six"], ("-i names an index", "--index codeartifact")),
        (["install", f"--index={OTHER_INDEX}", "six"], ("--index names an index",)),
        (["install", f"-i{OTHER_INDEX}", "six"], ("index",)),
        (["update", f"-di{OTHER_INDEX}", "orb-common"], ("index",)),
        (["run", "pip", "install", "--extra-index-url", OTHER_INDEX, "six"], ("extra index",)),
        (["run", "pip3", "install", f"--extra-index-url={OTHER_INDEX}", "six"], ("extra index",)),
    ],
    ids=lambda value: value[-1][:24] if isinstance(value, list) else "",
)
def test_other_index_on_the_command_line_is_refused(
    words: list[str], parts: tuple[str, ...], mixed: Mixed
) -> None:
    mixed.refused(*words, parts=parts)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["install", "six"], "PIP_INDEX_URL"),
        (["run", "pip", "install", "six"], "PIP_INDEX_URL"),
        (["lock"], "PIP_EXTRA_INDEX_URL"),
        (["update", "orb-common"], "PIP_EXTRA_INDEX_URL"),
        (["run", "pip", "install", "six"], "PIP_EXTRA_INDEX_URL"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_other_index_in_the_environment_is_refused(
    words: list[str], name: str, mixed: Mixed
) -> None:
    parts = (name, "a private package could come from elsewhere", f"Unset {name}")
    mixed.refused(*words, parts=parts, **{name: OTHER_INDEX})


def test_route_that_shows_the_token_gives_a_warning(mixed: Mixed, tmp_path: Path) -> None:
    mixed.write(PRIVATE)
    package = tmp_path / "old" / "lib" / "python3" / "site-packages" / "pipenv"
    package.mkdir(parents=True)
    (package / "__version__.py").write_text('__version__ = "2026.5.2"\n')
    stand_in = StandIn(tmp_path / "old" / "bin")
    done = mixed("--ca-pipenv", str(stand_in.path), "--ca-route", "as-written", "lock")
    assert done.status == 0, done.output
    assert done.stderr.count("warning: ") == 1
    assert "pipenv 2026.5.2 shows the token in its arguments" in done.stderr
    assert "2026.6 or later" in done.stderr


_PROXIED = (
    "[global]\nproxy = {}\nindex-url = https://me:hunter2@a.example/\n\n[list]\nformat = json\n"
)


@pytest.mark.wide
@pytest.mark.parametrize("place", [".config/pip/pip.conf", ".pip/pip.conf", "named"])
def test_proxy_in_pip_conf_is_not_used_for_loopback(
    place: str, mixed: Mixed, tmp_path: Path
) -> None:
    config = Path(mixed.env["HOME"], place)
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(_PROXIED.format("proxy.example:3128"))
    named = {"PIP_CONFIG_FILE": str(config)} if place == "named" else {}
    read = 'record["pip.conf"] = open(os.environ["PIP_CONFIG_FILE"]).read()'
    pipenv = StandIn(tmp_path / "reads", read)
    mixed.well("lock", PIPENV_CA_PIPENV=str(pipenv.path), **named)
    assert "format = json" in pipenv.record["pip.conf"]
    assert "proxy" not in pipenv.record["pip.conf"]
    assert "hunter2" not in pipenv.record["pip.conf"]
    environ = pipenv.record["environ"]
    assert environ["https_proxy"] == environ["http_proxy"] == "proxy.example:3128"
    assert "127." in environ["no_proxy"]
    assert config.read_text() == _PROXIED.format("proxy.example:3128")
    assert not Path(environ["PIP_CONFIG_FILE"]).exists()


@pytest.mark.wide
def test_project_locks_with_its_only_proxy_in_pip_conf(mixed: Mixed) -> None:
    config = Path(mixed.env["HOME"], ".config/pip/pip.conf")
    config.parent.mkdir(parents=True)
    config.write_text(_PROXIED.format(mixed.env["HTTPS_PROXY"]))
    mixed.write(PRIVATE, 'six = "*"\n')
    mixed.well("install")
    assert mixed.installed("orb-common") == "2.0.0"
    assert mixed.installed("six") is not None


def test_pip_index_url_does_not_reach_a_lock(mixed: Mixed) -> None:
    pipenv = mixed.stand_in()
    mixed.well("lock", PIP_INDEX_URL=OTHER_INDEX)
    assert "PIP_INDEX_URL" not in pipenv.record["environ"]


@pytest.mark.wide
def test_lock_is_correct_with_indexes_in_pip_settings(mixed: Mixed, tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nextra-index-url = {OTHER_INDEX}\n")
    mixed.write('orb-needy = {version = "*", index = "codeartifact"}\n')
    mixed.well("lock", PIP_INDEX_URL=OTHER_INDEX, PIP_CONFIG_FILE=str(config))
    assert mixed.locked(SHADOW)["version"] == "==0.0.1"


@pytest.mark.wide
def test_public_index_in_pip_conf_serves_no_higher_version(mixed: Mixed, tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    public = PYPI_SOURCE.partition('url = "')[2].partition('"')[0]
    config.write_text(f"[global]\nextra-index-url = {public}\n")
    mixed.write('orb-needy = {version = "*", index = "codeartifact"}\n')
    for words in (["lock"], ["install", SHADOW], ["update"]):
        mixed.well(*words, PIP_CONFIG_FILE=str(config))
        assert mixed.locked(SHADOW)["version"] == "==0.0.1", words
    mixed.well("run", "pip", "install", "--upgrade", SHADOW, PIP_CONFIG_FILE=str(config))
    assert mixed.installed(SHADOW) == "0.0.1"


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["lock"], "NETRC"),
        (["lock"], "PIP_EXTRA_INDEX_URL"),
        (["lock"], "PIPENV_PYPI_MIRROR"),
        (["lock"], "TMPDIR"),
        (["run", "pip", "install", "six"], "NETRC"),
        (["run", "pip", "install", "six"], "PIP_EXTRA_INDEX_URL"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_dotenv_that_overrides_a_variable_is_refused(
    words: list[str], name: str, mixed: Mixed
) -> None:
    (mixed.folder / ".env").write_text(f"{name}=/somewhere\n")
    mixed.refused(*words, parts=(name, ".env", "PIPENV_DONT_LOAD_ENV=1"))


def test_dotenv_that_pipenv_does_not_load_is_ignored(mixed: Mixed) -> None:
    (mixed.folder / ".env").write_text(f"PIP_EXTRA_INDEX_URL={OTHER_INDEX}\nTMPDIR=/nowhere\n")
    pipenv = mixed.stand_in()
    mixed.well("lock", PIPENV_DONT_LOAD_ENV="1")
    assert pipenv.record["environ"]["PIP_EXTRA_INDEX_URL"] == " "


@pytest.mark.wide
def test_index_option_takes_the_package_from_that_source(mixed: Mixed) -> None:
    before = (mixed.folder / "Pipfile").read_text()
    mixed.write()
    mixed.well("install", "--index", "codeartifact", "orb-common")
    assert (mixed.folder / "Pipfile").read_text() == before
    assert mixed.locked("orb-common")["index"] == "codeartifact"
    assert mixed.installed("orb-common") == "2.0.0"


def test_netrc_of_the_user_still_serves_other_hosts(mixed: Mixed, tmp_path: Path) -> None:
    own = tmp_path / "my-netrc"
    own.write_text("machine index.example.com login me password hunter2\n")
    pipenv = mixed.stand_in("bin", 'record["netrc"] = open(os.environ["NETRC"]).read()')
    mixed.well("lock", NETRC=str(own))
    text = pipenv.record["netrc"]
    assert "machine index.example.com login me password hunter2" in text
    assert "\nmachine 127." in f"\n{text}"
    assert own.read_text() == "machine index.example.com login me password hunter2\n"


# -- a mirror of the public index -----------------------------------------------------------


class _Mirror(BaseHTTPRequestHandler):
    """Counts what it is asked, and sends it on to the public index."""

    protocol_version = "HTTP/1.1"
    server: Mirror

    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        self.server.asked.append(name)
        if self.server.credentials is not None:
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            if base64.b64decode(given).decode() != self.server.credentials:
                self._end(401, {"WWW-Authenticate": 'Basic realm="mirror"'})
                return
        self._end(302, {"Location": f"{self.server.public}/{name}/"})

    def _end(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Mirror(ThreadingHTTPServer):
    """A mirror of the public index on loopback.

    Attributes:
        asked: the names that it was asked for.
        credentials: what it wants to be asked with; None for anybody.
    """

    daemon_threads = True
    public = PYPI_SOURCE.partition('url = "')[2].partition('"')[0]

    def __init__(self) -> None:
        super().__init__(("localhost", 0), _Mirror)
        self.asked: list[str] = []
        self.credentials: str | None = None

    @property
    def url(self) -> str:
        """Its URL; not by number, so that it is told from the index of a run."""
        return f"http://localhost:{self.server_port}/simple"


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """Serve a mirror."""
    with Mirror() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def check_mirror(mixed: Mixed, mirror: Mirror) -> None:
    """Check that public packages came by the mirror, private ones not, and no file names it."""
    assert mixed.locked("six")["index"] == "pypi"
    assert mixed.locked("orb-common")["index"] == "codeartifact"
    assert "six" in mirror.asked
    assert "orb-common" not in mirror.asked
    for text in mixed.files.values():
        assert b"localhost" not in text
        assert b"http://127." not in text


@pytest.mark.wide
def test_mirror_replaces_the_public_index_and_stays_out_of_the_files(
    mixed: Mixed, mirror: Mirror
) -> None:
    env = {"PIPENV_PYPI_MIRROR": mirror.url, "NO_PROXY": "localhost,127.0.0.1"}
    mixed.write(PRIVATE)
    for words in (
        ["install", "six"],
        ["lock"],
        ["update", "six"],
        ["run", "pip", "install", "--force-reinstall", "six"],
    ):
        mirror.asked.clear()
        mixed.well(*words, **env)
        check_mirror(mixed, mirror)
    assert mixed.entries()["six"] == "*"
    mixed.well("sync", **env)
    assert mixed.installed("six") is not None


@pytest.mark.wide
@pytest.mark.parametrize("way", ["variable", "source"])
def test_mirror_gets_the_credentials_of_its_url(way: str, mixed: Mixed, mirror: Mirror) -> None:
    mirror.credentials = "me:hunter2"
    env = {"NO_PROXY": "localhost,127.0.0.1", "MIRROR_PASSWORD": "hunter2"}
    if way == "variable":
        env["PIPENV_PYPI_MIRROR"] = mirror.url.replace("://", "://me:hunter2@")
        mixed.write(PRIVATE, 'six = "*"\n')
    else:
        own = source(endpoint_for(mixed.world.endpoint.domain, mixed.repository))
        url = mirror.url.replace("://", "://me:${MIRROR_PASSWORD}@")
        first = f'[[source]]\nurl = "{url}"\nverify_ssl = true\nname = "pypi"\n'
        mixed.write(PRIVATE, 'six = "*"\n', sources=[first, own])
    mixed.well("lock", **env)
    assert mixed.locked("six")["index"] == "pypi"
    assert "six" in mirror.asked
    assert all(b"hunter2" not in text for text in mixed.files.values())
