"""Every pipenv command in every layout of Pipfile, driven through pipenv-ca alone.

One test is one version of pipenv in one layout: a project that goes through the commands in
turn, each a cell that is checked for what its user sees. The table of all cells is printed at
the end of the run. ``pytest -m "wide or matrix"`` runs every cell; CI runs those of ``cells_of``.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import tomlkit
from support.files import files_with
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, source

from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.clients import Clients
    from support.programs import Result

    Cell = Callable[["Walk"], None]

NEWEST = "newest"
OLDER = ("2023.12.1", "2024.4.1", "2025.1.3")
# A private package whose name is taken on the public index too, by higher versions.
SHADOW = "sampleproject"


class Layout(NamedTuple):
    """A way to write a Pipfile.

    Attributes:
        tables: its sources.
        named: what private entries say of their index; None for nothing.
        extra: further tables, such as a category with a package.
        category: where the first package stands.
    """

    tables: list[str]
    named: str | None = None
    extra: str = ""
    category: str = "packages"


def entry(version: str, index: str | None) -> str:
    """Return the value of a Pipfile's entry."""
    return f'"{version}"' if index is None else f'{{version = "{version}", index = "{index}"}}'


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Make the private packages."""
    folder = tmp_path_factory.mktemp("matrix-packages")
    needs = ("orb-common", "six")
    return [
        make_wheel(folder, "orb-common", "2.0.0"),
        make_wheel(folder, "orb-schema-generator", "1.0.1", needs),
        make_wheel(folder, "orb-schema-generator", "1.1.0", needs),
        make_wheel(folder, "orb-hidden", "0.3"),
        make_wheel(folder, "orb-extra", "1.0", ("orb-hidden",)),
        make_wheel(folder, "orb-builder", "1.0"),
        make_sdist(folder, "orb-source", "1.0", ("orb-common",), ("orb-builder",)),
        make_wheel(folder, SHADOW, "0.0.1", modules={"sample_shadow.py": ""}),
    ]


@pytest.fixture(scope="module")
def world(packages: list[Path], clean_base: dict[str, str]) -> Iterator[Sandbox]:
    """A CodeArtifact with the packages in team (with the public index) and in lonely."""
    with Sandbox(domain="my-dom", repository="team", base=clean_base) as sandbox:
        lonely = sandbox.add_repository("lonely")
        second = sandbox.add_repository("second", domain="other", owner="210987654321")
        for path in packages:
            sandbox.publish(path)
            sandbox.publish(path, lonely)
        sandbox.publish(packages[3], second)
        yield sandbox


class _Mirror(BaseHTTPRequestHandler):
    """A default source under another name: it sends everything on to the public index."""

    protocol_version = "HTTP/1.1"
    public = ""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.public + self.path.removeprefix("/simple"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    """Serve a mirror of the public index on loopback; return its URL."""
    _Mirror.public = PYPI_SOURCE.partition('url = "')[2].partition('"')[0]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Mirror)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


def layouts(world: Sandbox, mirror: str) -> dict[str, Layout]:
    """Return the layouts that teams use, by name."""
    team = world.endpoint
    lonely = endpoint_for(team.domain, "lonely")
    second = endpoint_for(team.domain._replace(name="other", owner="210987654321"), "second")
    own = source(lonely)
    return {
        "only": Layout([source(team)]),
        "only, no credentials": Layout([source(team, userinfo="")]),
        "public first": Layout([PYPI_SOURCE, source(team)]),
        "public first, index=": Layout([PYPI_SOURCE, source(team)], "codeartifact"),
        "public first, lonely, index=": Layout([PYPI_SOURCE, own], "codeartifact"),
        "public first, aws@": Layout([PYPI_SOURCE, source(lonely, "aws@")], "codeartifact"),
        "two domains": Layout(
            [source(team, "aws:${TOKEN_A}@"), source(second, "aws:$TOKEN_B@", "second")],
            extra='[deep]\norb-hidden = {version = "*", index = "second"}\n',
        ),
        "dual-stack": Layout([source(endpoint_for(team.domain, "team", "dualstack"))]),
        "VPC endpoint": Layout([source(endpoint_for(team.domain, "team", "vpce"))]),
        "dev-packages": Layout([PYPI_SOURCE, own], "codeartifact", category="dev-packages"),
        "category": Layout([PYPI_SOURCE, own], "codeartifact", category="tools"),
        "lonely first": Layout([own, PYPI_SOURCE]),
        "mirror first": Layout(
            [f'[[source]]\nurl = "{mirror}"\nverify_ssl = true\nname = "mirror"\n', own],
            "codeartifact",
        ),
    }


# By name, the text in the compatibility guide.
NAMES = {
    "only": "CodeArtifact alone",
    "only, no credentials": "CodeArtifact alone, its URL without a variable",
    "public first": "PyPI, then CodeArtifact; no `index=`",
    "public first, index=": "PyPI, then CodeArtifact; `index=` at private packages",
    "public first, lonely, index=": "the same, with a repository that does not reach PyPI",
    "public first, aws@": "PyPI, then `https://aws@...`",
    "two domains": "two CodeArtifact domains, a variable each",
    "dual-stack": "the dual-stack host",
    "VPC endpoint": "a VPC endpoint's host",
    "dev-packages": "private packages in `[dev-packages]`",
    "category": "private packages in a category",
    "lonely first": "CodeArtifact, then PyPI; a repository that does not reach it",
    "mirror first": "a default source of another name, then CodeArtifact",
}


class Walk:
    """One project on its way through the commands, and what went wrong on it."""

    def __init__(
        self,
        version: str,
        name: str,
        layout: Layout,
        folder: Path,
        env: dict[str, str],
        pipenv: Path,
        world: Sandbox,
    ) -> None:
        self.version = version
        self.name = name
        self.layout = layout
        self.folder = folder
        self.env = env | {"PIPENV_CA_PIPENV": str(pipenv)}
        self.world = world
        self.calls_before = 0
        self.pipfile = folder / "Pipfile"
        self.lock_file = folder / "Pipfile.lock"
        head = "# The team's own.\n" + "\n".join(layout.tables)
        body = f"[{layout.category}]\n# private\norb-schema-generator = "
        body += f"{entry('==1.0.1', layout.named)}\n"
        extra = f"{layout.extra}\n" if layout.extra else ""
        tables = (
            [head, body, extra] if layout.category == "packages" else [head, "[packages]\n", body]
        )
        self.pipfile.write_text("\n".join(tables), encoding="utf-8")

    @property
    def categories(self) -> list[str]:
        """Return the words that make a command work on the layout's category."""
        return {
            "packages": [],
            "dev-packages": ["--dev"],
            "tools": ["--categories", "tools"],
        }[self.layout.category]

    @property
    def requirements_words(self) -> list[str]:
        """Return the words that make ``requirements`` print the layout's category."""
        return ["--categories", "tools"] if self.layout.category == "tools" else self.categories

    def __call__(self, *words: str, status: int = 0, env: dict[str, str] | None = None) -> Result:
        """Run pipenv-ca and check what holds for every command."""
        before = self.pipfile.read_bytes()
        lock_before = self.lock_file.read_bytes() if self.lock_file.exists() else None
        done = run(PIPENV_CA, *words, env=self.env | (env or {}), cwd=self.folder)
        assert done.status == status, done.output[-3000:]
        assert "Traceback" not in done.stderr or status, done.output[-3000:]
        for path in (self.pipfile, self.lock_file):
            if path.exists():
                text = path.read_text()
                assert "http://127." not in text.replace(self._mirror_url(), ""), text
        temporary = Path(self.env["TMPDIR"])
        assert list(temporary.iterdir()) == [], sorted(temporary.rglob("*"))
        if status:
            assert self.pipfile.read_bytes() == before
            assert (self.lock_file.read_bytes() if self.lock_file.exists() else None) == lock_before
        return done

    def _mirror_url(self) -> str:
        return self.layout.tables[0].partition('url = "')[2].partition('"')[0]

    def lock(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.lock_file.read_text())
        return document

    def locked(self, name: str) -> dict[str, Any]:
        """Return a package's entry in the lock, of whatever category."""
        for category, entries in self.lock().items():
            if category != "_meta" and name in entries:
                found: dict[str, Any] = entries[name]
                return found
        raise AssertionError(f"{name} is not locked")

    def entries(self) -> dict[str, Any]:
        """Return the entries of all packages in the Pipfile."""
        document = tomlkit.parse(self.pipfile.read_text()).unwrap()
        return {
            name: value
            for category, entries in document.items()
            if isinstance(entries, dict) and category not in {"requires", "pipenv", "scripts"}
            for name, value in entries.items()
        }

    def installed(self, name: str) -> str | None:
        """Return the version that is in the project's environment."""
        places = [str(path) for path in (self.folder / ".venv").glob("lib/*/site-packages")]
        for found in importlib.metadata.distributions(path=places):
            if found.name.replace("_", "-") == name:
                return found.version
        return None

    def check_lock(self) -> None:
        """Every private entry names CodeArtifact, every public one the default source."""
        names = [source["name"] for source in self.lock()["_meta"]["sources"]]
        urls = [source["url"] for source in self.lock()["_meta"]["sources"]]
        written = tomlkit.parse(self.pipfile.read_text()).unwrap()["source"]
        assert urls == [source["url"] for source in written]
        for category, entries in self.lock().items():
            if category == "_meta":
                continue
            for name, found in entries.items():
                if "version" not in found:
                    continue
                assert found["hashes"], name
                if len(names) > 1:
                    assert found.get("index") in names, (name, found)
                    private = name.startswith("orb-") or name == SHADOW
                    ours = {"codeartifact", "second"}
                    if private:
                        assert found["index"] in ours, (name, found)
                    elif set(names) - ours:
                        assert found["index"] not in ours, (name, found)

    def check_index(self, name: str) -> None:
        """A private package names its index in the Pipfile where another source is first."""
        first = tomlkit.parse(self.pipfile.read_text()).unwrap()["source"][0]["name"]
        if first not in {"codeartifact", "second"}:
            assert self.entries()[name]["index"] == "codeartifact", self.entries()


# -- the cells, in the order in which a project goes through them ---------------------------


def lock(walk: Walk) -> None:
    before = walk.pipfile.read_bytes()
    walk("lock")
    assert walk.pipfile.read_bytes() == before
    assert walk.locked("orb-schema-generator")["version"] == "==1.0.1"
    walk.check_lock()


def sync(walk: Walk) -> None:
    before = walk.pipfile.read_bytes(), walk.lock_file.read_bytes()
    walk("sync", *walk.categories)
    assert (walk.pipfile.read_bytes(), walk.lock_file.read_bytes()) == before
    assert walk.installed("orb-schema-generator") == "1.0.1"
    assert walk.installed("orb-common") == "2.0.0"


def bare_sync(walk: Walk) -> None:
    """Install what pipenv-ca has locked by pipenv itself, with exported tokens."""
    if not any("${" in table or "$T" in table for table in walk.layout.tables):
        return
    shutil.rmtree(walk.folder / ".venv")
    tokens = {}
    for name, domain, owner in (
        ("CODEARTIFACT_AUTH_TOKEN", "my-dom", "123456789012"),
        ("TOKEN_A", "my-dom", "123456789012"),
        ("TOKEN_B", "other", "210987654321"),
    ):
        if name not in "".join(walk.layout.tables):
            continue
        words = ("--domain", domain, "--domain-owner", owner, "--region", "us-east-1")
        tokens[name] = run(PIPENV_CA, "token", *words, env=walk.env, cwd=walk.folder).stdout.strip()
    pipenv = walk.env["PIPENV_CA_PIPENV"]
    temporary = {"TMPDIR": str(walk.folder)}
    done = run(pipenv, "sync", *walk.categories, env=walk.env | tokens | temporary, cwd=walk.folder)
    assert done.status == 0, done.output[-3000:]
    assert walk.installed("orb-schema-generator") == "1.0.1"
    done = run(pipenv, "verify", env=walk.env | tokens | temporary, cwd=walk.folder)
    assert done.status == 0, done.output[-3000:]


def install(walk: Walk) -> None:
    before = walk.pipfile.read_bytes()
    walk("install", *walk.categories)
    assert walk.pipfile.read_bytes() == before


def deploy(walk: Walk) -> None:
    before = walk.pipfile.read_bytes(), walk.lock_file.read_bytes()
    walk("install", "--deploy", *walk.categories)
    assert (walk.pipfile.read_bytes(), walk.lock_file.read_bytes()) == before


def verify(walk: Walk) -> None:
    walk("verify")


def update(walk: Walk) -> None:
    before = walk.pipfile.read_bytes()
    walk("update", *walk.categories)
    assert walk.pipfile.read_bytes() == before
    walk.check_lock()


def outdated(walk: Walk) -> None:
    before = walk.pipfile.read_bytes(), walk.lock_file.read_bytes()
    done = run(PIPENV_CA, "update", "--outdated", env=walk.env, cwd=walk.folder)
    assert done.status in {0, 1}, done.output[-3000:]  # 1 where something is out of date
    assert "Traceback" not in done.output
    assert (walk.pipfile.read_bytes(), walk.lock_file.read_bytes()) == before


def update_package(walk: Walk) -> None:
    walk("update", "orb-schema-generator", *walk.categories)
    assert walk.locked("orb-schema-generator")["version"] == "==1.1.0"
    assert walk.installed("orb-schema-generator") == "1.1.0"
    walk.check_lock()
    if walk.layout.named:
        walk.check_index("orb-schema-generator")
    assert walk.pipfile.read_text().startswith("# The team's own.\n")
    assert "# private\n" in walk.pipfile.read_text()


def upgrade_package(walk: Walk) -> None:
    walk("upgrade", "orb-schema-generator", *walk.categories)
    assert walk.locked("orb-schema-generator")["version"] == "==1.1.0"
    walk.check_lock()


def install_private(walk: Walk) -> None:
    walk("install", "orb-extra")
    assert walk.installed("orb-extra") == "1.0"
    assert walk.installed("orb-hidden") == "0.3"
    walk.check_lock()
    walk.check_index("orb-extra")


def install_public(walk: Walk) -> None:
    walk("install", "idna")
    assert walk.installed("idna")
    walk.check_lock()


def shadowed(walk: Walk) -> None:
    """A private name that is public too comes from CodeArtifact, whatever the version."""
    walk("install", SHADOW)
    assert walk.installed(SHADOW) == "0.0.1"
    walk.check_lock()
    walk("update", SHADOW)
    assert walk.locked(SHADOW)["version"] == "==0.0.1"


def install_requirements(walk: Walk) -> None:
    path = walk.folder / "requirements.txt"
    path.write_text("orb-common\niniconfig\n")
    walk("install", "-r", "requirements.txt")
    path.unlink()
    if walk.version == "2024.4.1":  # which writes the names into the Pipfile and stops there
        walk("lock")
        walk("sync")
    assert walk.installed("iniconfig")
    walk.check_lock()
    walk.check_index("orb-common")


def install_editable(walk: Walk) -> None:
    (walk.folder / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='the-app', version='0', py_modules=[], install_requires=['orb-extra'])\n"
    )
    walk("install", "-e", ".")
    assert walk.installed("the-app") == "0"
    walk.check_lock()


def install_source(walk: Walk) -> None:
    walk("install", "orb-source")
    assert walk.installed("orb-source") == "1.0"
    walk.check_lock()
    walk.check_index("orb-source")


def uninstall(walk: Walk) -> None:
    walk("uninstall", "idna")
    assert "idna" not in walk.entries()
    assert walk.installed("idna") is None
    walk.check_lock()


def run_pip(walk: Walk) -> None:
    before = walk.pipfile.read_bytes(), walk.lock_file.read_bytes()
    walk("run", "pip", "install", "--force-reinstall", "orb-schema-generator==1.0.1")
    assert walk.installed("orb-schema-generator") == "1.0.1"
    walk("run", "pip", "install", "--upgrade", "--force-reinstall", SHADOW)
    assert walk.installed(SHADOW) == "0.0.1"
    assert (walk.pipfile.read_bytes(), walk.lock_file.read_bytes()) == before


def requirements(walk: Walk) -> None:
    assert "orb-schema-generator==1.1.0" in walk("requirements", *walk.requirements_words).stdout


def clean(walk: Walk) -> None:
    walk("run", "pip", "install", "--no-deps", "orb-builder")
    walk("clean")
    assert walk.installed("orb-builder") is None


def skip_lock(walk: Walk) -> None:
    before = walk.pipfile.read_bytes(), walk.lock_file.read_bytes()
    walk("install", "--skip-lock", *walk.categories)
    assert (walk.pipfile.read_bytes(), walk.lock_file.read_bytes()) == before


def sync_system(walk: Walk) -> None:
    """Install into an environment of its own, as in a container."""
    place = walk.folder.parent / "system"
    made = run(sys.executable, "-m", "venv", "--without-pip", place, env=walk.env, cwd=walk.folder)
    assert made.status == 0, made.output
    env = {"PATH": f"{place / 'bin'}:{walk.env['PATH']}", "VIRTUAL_ENV": str(place)}
    walk("sync", "--system", *walk.categories, env=env)
    found = importlib.metadata.distributions(
        path=[str(p) for p in place.glob("lib/*/site-packages")]
    )
    assert "orb-schema-generator" in {d.name.replace("_", "-") for d in found}


def failing(walk: Walk) -> None:
    walk("install", "orb-no-such-package", status=1)


def pure_python(walk: Walk) -> None:
    walk("lock", "--backend", "pure-python")
    walk.check_lock()


def pylock(walk: Walk) -> None:
    walk("pylock", "--generate")
    path = walk.folder / "pylock.toml"
    assert "http://127." not in path.read_text().replace(walk._mirror_url(), "")
    path.unlink()


def audit(walk: Walk) -> None:
    """An audit of what is installed asks no repository: it is pipenv's own, to the exit status."""
    ours = run(PIPENV_CA, "audit", env=walk.env, cwd=walk.folder)
    theirs = run(walk.env["PIPENV_CA_PIPENV"], "audit", env=walk.env, cwd=walk.folder)
    assert (ours.status, ours.stdout) == (theirs.status, theirs.stdout)


def no_traces(walk: Walk) -> None:
    """No token is anywhere but in the cache."""
    cache = Path(walk.env["PIPENV_CA_CACHE_DIR"])
    tokens = [json.loads(path.read_text())["token"] for path in cache.glob("*.json")]
    assert tokens
    places = [walk.folder, Path(walk.env["HOME"]), Path(walk.env["TMPDIR"])]
    assert [files_with(token, places) for token in tokens] == [[] for _ in tokens]
    assert walk.world.count("GetAuthorizationToken") - walk.calls_before == len(tokens)


ALL: tuple[Cell, ...] = (
    lock,
    sync,
    bare_sync,
    install,
    deploy,
    verify,
    update,
    outdated,
    update_package,
    upgrade_package,
    install_private,
    install_public,
    shadowed,
    install_requirements,
    install_editable,
    install_source,
    requirements,
    uninstall,
    run_pip,
    skip_lock,
    clean,
    failing,
    sync_system,
    no_traces,
)
FEW = (lock, sync, bare_sync, update_package, install_private, no_traces)
NEWEST_ONLY = (pure_python, pylock, audit)
# What CI leaves to a release. Every command is tried in one layout, and all others have a few. The
# oldest version is tried where pipenv's own way to choose an index differs, and stands for those between.
WHOLE = "public first, lonely, index="
DIFFERING = {WHOLE, "public first"}
# What the layouts differ in beside the few.
ALSO = {
    "only": {deploy, requirements, run_pip, uninstall},
    "public first": {shadowed, requirements},
    "lonely first": {shadowed},
    "two domains": {run_pip},
    "category": {requirements},
}


def cells_of(version: str, name: str) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    """Return what CI tries of one version in one layout, and what there is in all."""
    if version != NEWEST:
        return FEW if version == OLDER[0] and name in DIFFERING else (), ALL
    every = (*ALL[:3], *NEWEST_ONLY, *ALL[3:])
    if name == WHOLE:
        return every, every
    wanted = {*FEW, *ALSO.get(name, ())}
    return tuple(cell for cell in every if cell in wanted), every


def cases() -> Iterator[Any]:
    """Yield version, layout and cells of each test: for CI, and those which it leaves out."""
    for version in (NEWEST, *OLDER):
        for name in NAMES:
            some, every = cells_of(version, name)
            if some:
                short = f"{version}-{name}" + ("-few" if some != every else "")
                yield pytest.param(version, name, some, id=short, marks=pytest.mark.wide)
            if some != every:
                whole = f"{version}-{name}"
                yield pytest.param(version, name, every, id=whole, marks=pytest.mark.matrix)


def walk_through(walk: Walk, cells: tuple[Cell, ...], record: dict[str, str]) -> list[str]:
    """Go through the cells; return what went wrong."""
    wrong = []
    for cell in cells:
        try:
            cell(walk)
        except AssertionError as error:
            record[cell.__name__] = "FAIL"
            wrong.append(f"--- {cell.__name__}\n{error}")
        else:
            record[cell.__name__] = "ok"
    return wrong


@pytest.mark.parametrize(("version", "name", "cells"), [*cases()])
def test_cells(
    version: str,
    name: str,
    cells: tuple[Cell, ...],
    world: Sandbox,
    mirror: str,
    clean_env: dict[str, str],
    tmp_path: Path,
    clients: Clients,
    project: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Every command of one version does in one layout what its user expects."""
    env = world.environ(clean_env) | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}
    pipenv = clients.pipenv(version)
    walk = Walk(version, name, layouts(world, mirror)[name], project, env, pipenv, world)
    walk.calls_before = world.count("GetAuthorizationToken")
    results: dict[str, str] = {}
    record_property("cells", (version, name, results))
    wrong = walk_through(walk, cells, results)
    assert not wrong, "\n".join(wrong)
