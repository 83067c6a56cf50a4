"""Every pipenv command in every layout of Pipfile, driven through pipenv-ca alone.

One test is one version of pipenv in one layout: a project that goes through the commands in
turn, each a cell that is checked for what its user sees. The table of all cells is printed at
the end of the run. ``pytest -m "wide or matrix"`` runs every cell; CI runs those of ``cases``.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.clients import Place
from support.programs import PIPENV_CA, run
from support.projects import PUBLIC_URL, PYPI_SOURCE, installed_version, source, write_pipfile
from support.runs import Calls
from support.servers import running_mirror
from support.traces import files_with

from codeartifact_pipenv.files.io import load_toml_bytes
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.clients import Clients
    from support.programs import Result

    Cell = Callable[["ProjectRun"], None]

WIDE, MATRIX = pytest.mark.wide, pytest.mark.matrix
NEWEST = "newest"
OLDER = ("2023.12.1", "2024.4.1", "2025.1.3")
# A private package whose name is taken on the public index too, by higher versions.
SHADOW = "sampleproject"
OURS = {"codeartifact", "second"}
OWNER, OTHER_OWNER = "123456789012", "210987654321"


class Layout(NamedTuple):
    """A way to write a Pipfile.

    Attributes:
        tables: its sources.
        named: the index that private entries name, if any.
        extra: further tables, such as a category with a package.
        category: where the first package stands.
    """

    tables: list[str]
    named: str | None = None
    extra: str = ""
    category: str = "packages"


@pytest.fixture(scope="module")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """A CodeArtifact with the packages in team (with the public index) and in lonely."""
    folder = tmp_path_factory.mktemp("matrix-packages")
    needs = ("orb-common", "six")
    hidden = make_wheel(folder, "orb-hidden", "0.3")
    packages = [
        hidden,
        make_wheel(folder, "orb-common", "2.0.0"),
        make_wheel(folder, "orb-schema-generator", "1.0.1", needs),
        make_wheel(folder, "orb-schema-generator", "1.1.0", needs),
        make_wheel(folder, "orb-extra", "1.0", ("orb-hidden",)),
        make_wheel(folder, "orb-builder", "1.0"),
        make_sdist(folder, "orb-source", "1.0", ("orb-common",), ("orb-builder",)),
        make_wheel(folder, SHADOW, "0.0.1", modules={"sample_shadow.py": ""}),
    ]
    with Sandbox(domain="my-dom", repository="team", base=clean_base) as running:
        lonely = running.add_repository("lonely")
        for path in packages:
            running.publish(path)
            running.publish(path, lonely)
        running.publish(hidden, running.add_repository("second", domain="other", owner=OTHER_OWNER))
        yield running


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    """Serve a mirror of the public index as a default source under another name."""
    with running_mirror() as server:
        yield server.url


def layouts(sandbox: Sandbox, mirror: str) -> dict[str, Layout]:
    """Return the layouts that teams use, by name."""
    team = sandbox.endpoint
    lonely = endpoint_for(team.domain, "lonely")
    second = endpoint_for(team.domain._replace(name="other", owner=OTHER_OWNER), "second")
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
            [PYPI_SOURCE.replace(PUBLIC_URL, mirror).replace('"pypi"', '"mirror"'), own],
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


class ProjectRun:
    """A project that goes through the commands."""

    def __init__(
        self, version: str, layout: Layout, folder: Path, env: dict[str, str], sandbox: Sandbox
    ) -> None:
        self.version = version
        self.layout = layout
        self.folder = folder
        self.env = env
        self.calls = Calls(sandbox)
        self.pipfile = folder / "Pipfile"
        value = '"==1.0.1"'
        if layout.named:
            value = f'{{version = {value}, index = "{layout.named}"}}'
        first = f"# private\norb-schema-generator = {value}\n"
        empty = "" if layout.category == "packages" else "[packages]\n"
        package = f"[{layout.category}]\n{first}"
        write_pipfile(folder, "# The team's own.", *layout.tables, empty, package, layout.extra)

    @property
    def categories(self) -> list[str]:
        """The words that make a command work on the layout's category."""
        other = {"packages": [], "dev-packages": ["--dev"]}
        return other.get(self.layout.category, ["--categories", self.layout.category])

    @property
    def files(self) -> tuple[bytes, bytes]:
        lock = self.folder / "Pipfile.lock"
        return self.pipfile.read_bytes(), lock.read_bytes() if lock.exists() else b""

    def __call__(self, *words: str, status: int = 0, **env: str) -> Result:
        """Run pipenv-ca and check what holds for every command."""
        before = self.files
        done = run(PIPENV_CA, *words, env=self.env | env, cwd=self.folder)
        assert done.status == status, done.output[-3000:]
        assert "Traceback" not in done.stderr or status, done.output[-3000:]
        assert b"http://127." not in b"".join(self.files)
        temporary = Path(self.env["TMPDIR"])
        assert list(temporary.iterdir()) == [], sorted(temporary.rglob("*"))
        if status:
            assert self.files == before
        return done

    def keeps_pipfile(self, *words: str) -> None:
        before = self.pipfile.read_bytes()
        self(*words)
        assert self.pipfile.read_bytes() == before

    def keeps_files(self, *words: str) -> None:
        before = self.files
        self(*words)
        assert self.files == before

    def locked(self) -> dict[str, Any]:
        """Return the entries of all categories of the lock."""
        lock = json.loads(self.files[1])
        return {k: v for key, each in lock.items() if key != "_meta" for k, v in each.items()}

    def sources_and_entries(self) -> tuple[list[dict[str, str]], dict[str, Any]]:
        """Return the sources of the Pipfile, and the entries of all its packages."""
        document = load_toml_bytes(self.files[0])
        tables = (document.get(name, {}) for name in ("packages", "dev-packages", "tools", "deep"))
        return document["source"], {k: v for table in tables for k, v in table.items()}

    def installed(self, name: str) -> str | None:
        return installed_version(self.folder, name)

    def check_lock(self) -> None:
        """Every private entry names CodeArtifact, every public one the default source."""
        sources = json.loads(self.files[1])["_meta"]["sources"]
        written, _ = self.sources_and_entries()
        assert [each["url"] for each in sources] == [each["url"] for each in written]
        names = {each["name"] for each in sources}
        for name, found in self.locked().items():
            if "version" not in found:
                continue
            assert found["hashes"], name
            assert name != SHADOW or found["version"] == "==0.0.1"
            private = name.startswith("orb-") or name == SHADOW
            wanted = OURS if private else (names - OURS or names)
            assert len(names) == 1 or found["index"] in wanted, (name, found)

    def check_index(self, name: str) -> None:
        """A private package names its index in the Pipfile if another source is first."""
        sources, entries = self.sources_and_entries()
        if sources[0]["name"] not in OURS:
            assert entries[name]["index"] == "codeartifact", entries


# -- the cells, in the order in which a project goes through them ---------------------------


def lock(walk: ProjectRun) -> None:
    walk.keeps_pipfile("lock")
    assert walk.locked()["orb-schema-generator"]["version"] == "==1.0.1"
    walk.check_lock()


def sync(walk: ProjectRun) -> None:
    walk.keeps_files("sync", *walk.categories)
    assert walk.installed("orb-schema-generator") == "1.0.1"
    assert walk.installed("orb-common") == "2.0.0"


def bare_sync(walk: ProjectRun) -> None:
    """Install what pipenv-ca has locked by pipenv itself, with exported tokens."""
    tables = "".join(walk.layout.tables)
    if "$" not in tables:
        return
    shutil.rmtree(walk.folder / ".venv")
    tokens = {"TMPDIR": str(walk.folder)}
    for name in ("CODEARTIFACT_AUTH_TOKEN", "TOKEN_A", "TOKEN_B"):
        if name in tables:
            domain, owner = ("other", OTHER_OWNER) if name == "TOKEN_B" else ("my-dom", OWNER)
            words = ("--domain", domain, "--domain-owner", owner, "--region", "us-east-1")
            got = run(PIPENV_CA, "token", *words, env=walk.env, cwd=walk.folder)
            tokens[name] = got.stdout.strip()
    for command in (["sync", *walk.categories], ["verify"]):
        done = run(walk.env["PIPENV_CA_PIPENV"], *command, env=walk.env | tokens, cwd=walk.folder)
        assert done.status == 0, done.output[-3000:]
    assert walk.installed("orb-schema-generator") == "1.0.1"


def install(walk: ProjectRun) -> None:
    walk.keeps_pipfile("install", *walk.categories)


def deploy(walk: ProjectRun) -> None:
    walk.keeps_files("install", "--deploy", *walk.categories)


def verify(walk: ProjectRun) -> None:
    walk("verify")


def update(walk: ProjectRun) -> None:
    walk.keeps_pipfile("update", *walk.categories)
    walk.check_lock()


def outdated(walk: ProjectRun) -> None:
    before = walk.files
    done = run(PIPENV_CA, "update", "--outdated", env=walk.env, cwd=walk.folder)
    assert done.status in {0, 1}, done.output[-3000:]  # 1 where something is out of date
    assert "Traceback" not in done.output
    assert walk.files == before


def update_package(walk: ProjectRun) -> None:
    walk("update", "orb-schema-generator", *walk.categories)
    assert walk.locked()["orb-schema-generator"]["version"] == "==1.1.0"
    assert walk.installed("orb-schema-generator") == "1.1.0"
    walk.check_lock()
    if walk.layout.named:
        walk.check_index("orb-schema-generator")
    assert walk.pipfile.read_text().startswith("# The team's own.\n")
    assert "# private\n" in walk.pipfile.read_text()


def upgrade_package(walk: ProjectRun) -> None:
    walk("upgrade", "orb-schema-generator", *walk.categories)
    assert walk.locked()["orb-schema-generator"]["version"] == "==1.1.0"
    walk.check_lock()


def install_private(walk: ProjectRun) -> None:
    walk("install", "orb-extra")
    assert walk.installed("orb-extra") == "1.0"
    assert walk.installed("orb-hidden") == "0.3"
    walk.check_lock()
    walk.check_index("orb-extra")


def install_public(walk: ProjectRun) -> None:
    walk("install", "idna")
    assert walk.installed("idna")
    walk.check_lock()


def shadowed(walk: ProjectRun) -> None:
    """A private name that is public too comes from CodeArtifact, whatever the version."""
    walk("install", SHADOW)
    assert walk.installed(SHADOW) == "0.0.1"
    walk.check_lock()
    walk.check_index(SHADOW)
    walk("update", SHADOW)
    walk.check_lock()


def install_requirements(walk: ProjectRun) -> None:
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


def install_editable(walk: ProjectRun) -> None:
    (walk.folder / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='the-app', version='0', py_modules=[], install_requires=['orb-extra'])\n"
    )
    walk("install", "-e", ".")
    assert walk.installed("the-app") == "0"
    walk.check_lock()


def install_source(walk: ProjectRun) -> None:
    walk("install", "orb-source")
    assert walk.installed("orb-source") == "1.0"
    walk.check_lock()
    walk.check_index("orb-source")


def uninstall(walk: ProjectRun) -> None:
    walk("uninstall", "idna")
    assert "idna" not in walk.sources_and_entries()[1]
    assert walk.installed("idna") is None
    walk.check_lock()


def run_pip(walk: ProjectRun) -> None:
    before = walk.files
    walk("run", "pip", "install", "--force-reinstall", "orb-schema-generator==1.0.1")
    assert walk.installed("orb-schema-generator") == "1.0.1"
    walk("run", "pip", "install", "--upgrade", "--force-reinstall", SHADOW)
    assert walk.installed(SHADOW) == "0.0.1"
    assert walk.files == before


def requirements(walk: ProjectRun) -> None:
    assert "orb-schema-generator==1.1.0" in walk("requirements", *walk.categories).stdout


def clean(walk: ProjectRun) -> None:
    walk("run", "pip", "install", "--no-deps", "orb-builder")
    walk("clean")
    assert walk.installed("orb-builder") is None


def skip_lock(walk: ProjectRun) -> None:
    walk.keeps_files("install", "--skip-lock", *walk.categories)


def sync_system(walk: ProjectRun) -> None:
    """Install into a virtual environment outside of the project, as in a container."""
    place = walk.folder.parent / "system"
    made = run(sys.executable, "-m", "venv", "--without-pip", place, env=walk.env, cwd=walk.folder)
    assert made.status == 0, made.output
    path = f"{place / 'bin'}:{walk.env['PATH']}"
    walk("sync", "--system", *walk.categories, PATH=path, VIRTUAL_ENV=str(place))
    assert Place(place).version("orb_schema_generator")


def failing(walk: ProjectRun) -> None:
    walk("install", "orb-no-such-package", status=1)


def pure_python(walk: ProjectRun) -> None:
    walk("lock", "--backend", "pure-python")
    walk.check_lock()


def pylock(walk: ProjectRun) -> None:
    walk("pylock", "--generate")
    path = walk.folder / "pylock.toml"
    assert "http://127." not in path.read_text()
    path.unlink()


def audit(walk: ProjectRun) -> None:
    """An audit of what is installed asks no repository: it is pipenv's own, to the exit status."""
    ours = run(PIPENV_CA, "audit", env=walk.env, cwd=walk.folder)
    theirs = run(walk.env["PIPENV_CA_PIPENV"], "audit", env=walk.env, cwd=walk.folder)
    assert (ours.status, ours.stdout) == (theirs.status, theirs.stdout)


def no_traces(walk: ProjectRun) -> None:
    """No token is anywhere but in the cache."""
    cache = Path(walk.env["PIPENV_CA_CACHE_DIR"])
    tokens = [json.loads(path.read_text())["token"] for path in cache.glob("*.json")]
    assert tokens
    places = [walk.folder, Path(walk.env["HOME"]), Path(walk.env["TMPDIR"])]
    assert [files_with(token, places) for token in tokens] == [[] for _ in tokens]
    assert walk.calls.count() == len(tokens)


ALL: tuple[Cell, ...] = (
    *(lock, sync, bare_sync, install, deploy, verify, update, outdated, update_package),
    *(upgrade_package, install_private, install_public, shadowed, install_requirements),
    *(install_editable, install_source, requirements, uninstall, run_pip, skip_lock, clean),
    *(failing, sync_system, no_traces),
)
FEW = (lock, sync, bare_sync, update_package, install_private, no_traces)
NEWEST_ONLY = (pure_python, pylock, audit)
# The cells of CI; a release runs all. Every command is tried in one layout, and all others have a few. The
# oldest version is tried where pipenv's own way to choose an index differs, and stands for those between.
WHOLE = "public first, lonely, index="
DIFFERING = {WHOLE, "public first"}
# Further cells of CI, by layout.
ALSO: dict[str, set[Cell]] = {
    "only": {deploy, requirements, run_pip, uninstall},
    "public first": {shadowed, requirements},
    "lonely first": {shadowed},
    "two domains": {run_pip},
    "category": {requirements},
    WHOLE: {*ALL, *NEWEST_ONLY},
}


def cases() -> Iterator[Any]:
    """Yield version, layout and cells of each test: for CI, and those which it leaves out."""
    for version, name in itertools.product((NEWEST, *OLDER), NAMES):
        every, wanted = ALL, set(FEW if version == OLDER[0] and name in DIFFERING else ())
        if version == NEWEST:
            every, wanted = (*ALL[:3], *NEWEST_ONLY, *ALL[3:]), {*FEW, *ALSO.get(name, ())}
        some = tuple(cell for cell in every if cell in wanted)
        if some:
            yield pytest.param(version, name, some, id=f"{version}-{name}-ci", marks=WIDE)
        if some != every:
            yield pytest.param(version, name, every, id=f"{version}-{name}", marks=MATRIX)


@pytest.mark.parametrize(("version", "name", "cells"), [*cases()])
def test_every_command_of_a_version_works_in_a_layout(
    version: str,
    name: str,
    cells: tuple[Cell, ...],
    sandbox: Sandbox,
    mirror: str,
    clean_env: dict[str, str],
    tmp_path: Path,
    clients: Clients,
    project: Path,
    record_property: Callable[[str, object], None],
) -> None:
    env = sandbox.environ(clean_env) | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}
    env["PIPENV_CA_PIPENV"] = str(clients.pipenv(version))
    walk = ProjectRun(version, layouts(sandbox, mirror)[name], project, env, sandbox)
    results = dict.fromkeys((cell.__name__ for cell in cells), "ok")
    record_property("cells", (version, name, results))
    wrong = []
    for cell in cells:
        try:
            cell(walk)
        except AssertionError as error:
            results[cell.__name__] = "FAIL"
            wrong.append(f"--- {cell.__name__}\n{error}")
    assert not wrong, "\n".join(wrong)
