"""Dependency confusion by every way in which pip gets files from elsewhere, with real pipenvs.

``acme-lib`` is private. An attacker's 99.0.0 of that name is in a folder, on another index,
and on the public index. Whatever the way: it is refused with its place, or the private one comes.
"""

from __future__ import annotations

import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import assert_error

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.clients import Clients

WIDE = pytest.mark.wide

NAME = "acme-lib"
PUBLIC = PYPI_SOURCE.partition('url = "')[2].partition('"')[0]
PIP = ["run", "pip", "install"]
LAYOUTS = ("one", "two", "private first")
OLDEST = "2023.12.1"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        asked = self.server.asked  # type: ignore[attr-defined]
        asked.append(self.path)
        super().do_GET()


class World(NamedTuple):
    """The private repository, and an attacker's folder and index.

    Attributes:
        sandbox: CodeArtifact and the public index.
        folder: the attacker's wheels.
        site: the folder that the attacker's server serves; it has an index at ``simple``.
        url: the URL of that server.
        asked: the paths that it was asked for.
        hash: that of the private wheel.
    """

    sandbox: Sandbox
    folder: Path
    site: Path
    url: str
    asked: list[str]
    hash: str

    def filled(self, text: str, project: Path) -> str:
        """Put the places of this world into a text."""
        places = {
            "{DIR}": str(self.folder),
            "{URL}": f"{self.url}/simple",
            "{SITE}": self.url,
            "{PUBLIC}": PUBLIC,
            "{OWN}": self.sandbox.endpoint.simple_url,
            "{PROJECT}": str(project),
        }
        for name, place in places.items():
            text = text.replace(name, place)
        return text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]) -> Iterator[World]:
    base = tmp_path_factory.mktemp("elsewhere")
    private, folder, site = base / "private", base / "stranger", base / "site"
    wheel = make_wheel(private, NAME, "1.0", modules={"acme_lib.py": "WHOSE = 'ours'"})
    make_wheel(private, "acme-app", "1.0", [NAME])
    make_wheel(folder, NAME, "99.0.0", modules={"acme_lib.py": "WHOSE = 'theirs'"})
    make_wheel(folder, NAME, "1.0", modules={"acme_lib.py": "WHOSE = 'theirs'"})
    page = site / "simple" / NAME
    page.mkdir(parents=True)
    links = []
    for path in folder.iterdir():
        (page / path.name).write_bytes(path.read_bytes())
        links.append(f'<a href="{path.name}">{path.name}</a>')
    (page / "index.html").write_text(f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>")
    (site / "plain.txt").write_text("acme-lib<100\n")
    handler = partial(_Quiet, directory=str(site))
    with (
        ThreadingHTTPServer(("localhost", 0), handler) as server,
        Sandbox([private], public=folder, base=clean_base) as sandbox,
    ):
        server.daemon_threads = True
        asked: list[str] = []
        server.asked = asked  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://localhost:{server.server_port}"
        (site / "bad.txt").write_text(f"--extra-index-url {url}/simple\n")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        yield World(sandbox, folder, site, url, asked, f"sha256:{digest}")
        server.shutdown()


class Way(NamedTuple):
    """One way for an attacker's file to come in.

    Attributes:
        words: the command.
        files: by name, files of the project; a name that begins with ~ is the user's own.
        scripts: the Pipfile's ``[scripts]``.
        env: the user's environment.
        parts: what the refusal says; None where the private package comes.
        says: what is said where it comes.
        layouts: which of them.
    """

    words: list[str]
    files: dict[str, str] = {}  # noqa: RUF012 - never changed
    scripts: str = ""
    env: dict[str, str] = {}  # noqa: RUF012 - never changed
    parts: tuple[str, ...] | None = None
    says: str = ""
    layouts: tuple[str, ...] = ("one", "two")


def pip(*words: str, parts: tuple[str, ...], **more: Any) -> Way:
    """Return a refused ``run pip install acme-lib``."""
    return Way([*PIP, *words, NAME], parts=parts, **more)


EXTRA_LINE = "--extra-index-url {URL}\nacme-lib\n"
REFUSED = {
    # Arguments of pip.
    "-f": pip("-f", "{DIR}", parts=("-f names files",)),
    "attached -f": pip("-f{DIR}", parts=("-f names files",)),
    "clustered -f": pip("-Uf", "{DIR}", parts=("-f names files",)),
    "--find-links=": pip("--find-links={DIR}", parts=("--find-links names files",)),
    "--find": pip("--find", "{DIR}", parts=("--find names files",)),
    "find-links on the net": pip("-f", "{URL}/acme-lib/", parts=("-f names files",)),
    "--extra-index-url": pip("--extra-index-url", "{URL}", parts=("extra index",)),
    "--ext=": pip("--ext={URL}", parts=("extra index",)),
    "-i": pip("-i", "{URL}", parts=("-i names an index",)),
    "clustered -i": pip("-qi{URL}", parts=("-i names an index",)),
    "--index": pip("--index", "{URL}", parts=("--index names an index",)),
    "--pypi-url": pip("--pypi-url", "{URL}", parts=("--pypi-url names an index",)),
    "-i public": pip("-i", "{PUBLIC}", parts=("-i names an index",)),
    "two -i": pip("-i", "{OWN}", "-i", "{URL}", parts=("-i names an index",)),
    "--no-index": pip("--no-index", "-f", "{DIR}", parts=("--no-index keeps pip",)),
    "--isolated": pip("--isolated", parts=("--isolated keeps pip",)),
    "expanded": pip("$HIDDEN", env={"HIDDEN": "--find-links={DIR}"}, parts=("--find-links",)),
    "python -m pip": Way(
        ["run", "python", "-m", "pip", "install", "-f", "{DIR}", NAME], parts=("-f names files",)
    ),
    # Arguments of pipenv.
    "install -i": Way(["install", "-i", "{URL}", NAME], parts=("-i names an index by its URL",)),
    "install --index=": Way(["install", "--index={URL}", NAME], parts=("by its URL",)),
    "install -i own": Way(["install", "-i", "{OWN}", NAME], parts=("--index codeartifact",)),
    "update -di": Way(["update", "-di{URL}", NAME], parts=("by its URL",)),
    "extra args -f": Way(
        ["install", "--extra-pip-args", "-f {DIR}", NAME], parts=("-f in --extra-pip-args",)
    ),
    "extra args index": Way(
        ["lock", "--extra-pip-args=--extra-index-url {URL}"], parts=("in --extra-pip-args",)
    ),
    "extra args in a file": Way(
        ["lock", "--extra-pip-args", "-c c.txt"],
        files={"c.txt": EXTRA_LINE},
        parts=("c.txt, line 1",),
    ),
    # Requirements and constraints files.
    "install -r": Way(
        ["install", "-r", "r.txt"], files={"r.txt": EXTRA_LINE}, parts=("{PROJECT}/r.txt, line 1",)
    ),
    "install -r with links": Way(
        ["install", "--requirements=r.txt"],
        files={"r.txt": "six\n-f {DIR}\nacme-lib\n"},
        parts=("--find-links in {PROJECT}/r.txt, line 2",),
    ),
    "install -r, hidden in a continuation": Way(
        ["install", "-r", "r.txt"],
        files={"r.txt": "acme-lib --hash=sha256:0\\\n-i {URL}\n"},
        parts=("r.txt, line 2",),
    ),
    "pip -r": pip("-r", "r.txt", files={"r.txt": "\n# x\n" + EXTRA_LINE}, parts=("r.txt, line 3",)),
    "pip -r no-index": pip(
        "-r", "r.txt", files={"r.txt": "--no-index\n-f {DIR}\n"}, parts=("--no-index in",)
    ),
    "pip -c": pip("-c", "c.txt", files={"c.txt": "-i {URL}\n"}, parts=("c.txt, line 1",)),
    "pip -r nested": pip(
        "-Ur",
        "deep/r.txt",
        files={"deep/r.txt": "-c ../c.txt\n", "c.txt": "a\\\nb\n--extra {URL}\n"},
        parts=("{PROJECT}/c.txt, line 3",),
    ),
    "pip -r with a variable": pip(
        "-r",
        "r.txt",
        files={"r.txt": "${WHERE}\n"},
        env={"WHERE": "-f {DIR}"},
        parts=("r.txt, line 1",),
    ),
    "pip -r in UTF-16": pip(
        "-r", "utf-16.txt", files={"utf-16.txt": EXTRA_LINE}, parts=("utf-16.txt, line 1",)
    ),
    "pip -r on the net": pip("-r", "{SITE}/bad.txt", parts=("{SITE}/bad.txt, line 1",)),
    "pip -c that is not there": pip("-c", "{SITE}/none.txt", parts=("cannot be fetched: ",)),
    "PIP_CONSTRAINT": Way(
        [*PIP, NAME],
        files={"c.txt": "-f {DIR}\n"},
        env={"PIP_CONSTRAINT": "c.txt"},
        parts=("c.txt, line 1",),
    ),
    "PIP_Constraint of a lock": Way(
        ["lock"],
        files={"c.txt": "-f {DIR}\n"},
        env={"PIP_Constraint": "c.txt"},
        parts=("c.txt, line 1",),
    ),
    # Assignments before pip.
    "assigned extra index": Way(
        ["run", "PIP_EXTRA_INDEX_URL={URL}", "pip", "install", NAME],
        parts=("PIP_EXTRA_INDEX_URL= names an extra index",),
    ),
    "assigned find-links": Way(
        ["run", "A=1", "PIP_Find_Links={DIR}", "python", "-m", "pip", "install", NAME],
        parts=("PIP_Find_Links= names files",),
    ),
    "assigned nothing": Way(
        ["run", "PIP_INDEX_URL=", "pip", "install", NAME], parts=("PIP_INDEX_URL=",)
    ),
    "assigned configuration": Way(
        ["run", "PIP_CONFIG_FILE=pip.conf", "pip", "install", NAME],
        files={"pip.conf": "[global]\nConstraint = c.txt\n", "c.txt": EXTRA_LINE},
        parts=("c.txt, line 1",),
    ),
    # Scripts.
    "script -f": Way(
        ["run", "deps"], scripts='deps = "pip install -f {DIR} acme-lib"', parts=("[scripts] deps",)
    ),
    "script with words": Way(
        ["run", "deps", "--extra-index-url", "{URL}", NAME],
        scripts='deps = "pip install"',
        parts=("[scripts] deps",),
    ),
    "script of lines": Way(
        ["run", "deps"],
        scripts='deps = ["echo x", "pip install -i {URL} acme-lib"]',
        parts=("[scripts] deps",),
    ),
    "script that assigns": Way(
        ["run", "deps"],
        scripts='deps = "PIP_FIND_LINKS={DIR} pip install acme-lib"',
        parts=("PIP_FIND_LINKS= in [scripts] deps",),
    ),
    "script and .env": Way(
        ["run", "deps"],
        files={".env": "OPTS=--extra-index-url={URL}\n"},
        scripts='deps = "pip install $OPTS acme-lib"',
        parts=("[scripts] deps",),
    ),
    "script -r": Way(
        ["run", "deps"],
        files={"r.txt": EXTRA_LINE},
        scripts='deps = "pip install -r r.txt"',
        parts=("r.txt, line 1",),
    ),
    # The project's .env.
    ".env find-links": Way(
        ["lock"], files={".env": "PIP_FIND_LINKS={DIR}\n"}, parts=(".env sets PIP_FIND_LINKS",)
    ),
    ".env find-links and pip": Way(
        [*PIP, NAME], files={".env": "PIP_FIND_LINKS={DIR}\n"}, parts=(".env sets PIP_FIND_LINKS",)
    ),
    ".env find-links and sync": Way(
        ["sync"], files={".env": "PIP_Find_Links={DIR}\n"}, parts=(".env sets PIP_Find_Links",)
    ),
    ".env extra index": Way(
        ["install", NAME],
        files={".env": "PIP_EXTRA_INDEX_URL={URL}\n"},
        parts=(".env sets PIP_EXTRA_INDEX_URL",),
    ),
    ".env PyPI URL": Way(
        [*PIP, NAME], files={".env": "PIP_PYPI_URL={URL}\n"}, parts=(".env sets PIP_PYPI_URL",)
    ),
    ".env no-index": Way(["lock"], files={".env": "PIP_NO_INDEX=1\n"}, parts=("PIP_NO_INDEX",)),
    ".env constraint": Way(
        ["lock"],
        files={".env": "PIP_CONSTRAINT=c.txt\n", "c.txt": EXTRA_LINE},
        parts=("c.txt, line 1",),
    ),
    ".env words": Way(
        ["lock"],
        files={".env": 'PIPENV_EXTRA_PIP_ARGS=["-f", "{DIR}"]\n'},
        parts=("-f in PIPENV_EXTRA_PIP_ARGS of {PROJECT}/.env",),
    ),
    # The user's environment, where what is meant is not known.
    "environment and lock": Way(
        ["lock"], env={"PIP_EXTRA_INDEX_URL": "{URL}"}, parts=("PIP_EXTRA_INDEX_URL names",)
    ),
    "environment and pip": Way(
        [*PIP, NAME], env={"PIP_Extra_Index_URL": "{URL}"}, parts=("PIP_Extra_Index_URL names",)
    ),
}
CONF = "~/.config/pip/pip.conf"
# (What resolves has the same index in each layout; pip goes directly in the first one.)
PRIVATE = {
    "lock with find-links": Way(["lock"], env={"PIP_FIND_LINKS": "{DIR}"}, layouts=("two",)),
    "lock with Find_Links": Way(
        ["lock"], env={"PIP_FIND_LINKS": "{DIR}/none", "PIP_Find_Links": "{DIR}"}, layouts=("two",)
    ),
    "lock without index": Way(
        ["lock"], env={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "{DIR}"}, layouts=("one",)
    ),
    "lock with links on the net": Way(
        ["lock"],
        env={"PIP_FIND_LINKS": "{URL}/acme-lib/"},
        says="left out here",
        layouts=("two",),
    ),
    "lock as written": Way(
        ["--ca-route", "as-written", "lock"],
        env={"PIP_FIND_LINKS": "{DIR}"},
        says="left out here",
        layouts=("one",),
    ),
    "lock with pip.conf": Way(
        ["lock"],
        files={CONF: "[global]\nfind-links =\n  {DIR}\nextra-index-url = {URL}\n"},
        layouts=("two",),
    ),
    "install with find-links": Way(
        ["install", NAME], env={"PIP_FIND_LINKS": "file://{DIR}"}, layouts=("one",)
    ),
    "pip with find-links": Way([*PIP, NAME], env={"PIP_FIND_LINKS": "{DIR}"}),
    "pip with pip.conf": Way(
        [*PIP, NAME], files={CONF: "[install]\nFind_Links = {DIR}\n--extra-index-url = {URL}\n"}
    ),
    "pip with PyPI URL in pip.conf": Way(
        [*PIP, NAME], files={CONF: "[install]\npypi-url = {URL}\nno-index = yes\n"}
    ),
    "pip -i own with pip.conf": Way(
        [*PIP, "-i", "{OWN}", NAME],
        files={CONF: "[global]\nextra-index-url = {URL}\nfind-links = {DIR}\n"},
        says="left out here",
    ),
    "script with find-links": Way(
        ["run", "deps"], scripts='deps = "pip install acme-lib"', env={"PIP_FIND_LINKS": "{DIR}"}
    ),
    "pip -c on the net": Way([*PIP, "-c", "{SITE}/plain.txt", NAME]),
    "PIP_CONSTRAINT on the net": Way([*PIP, NAME], env={"PIP_CONSTRAINT": "{SITE}/plain.txt"}),
}


class Attempt:
    """A project in which a way is tried."""

    def __init__(self, world: World, env: dict[str, str], folder: Path, layout: str) -> None:
        self.world = world
        self.folder = folder
        self.layout = layout
        self.env = world.sandbox.environ(env) | {"PIPENV_CA_CACHE_DIR": str(folder.parent / "t")}
        self.write()

    def write(self, scripts: str = "") -> None:
        own = source(self.world.sandbox.endpoint)
        tables = {
            "one": [own],
            "two": [PYPI_SOURCE, own],
            "private first": [own, PYPI_SOURCE],
        }[self.layout]
        packages = '[packages]\nacme-app = "*"\n'
        table = f"[scripts]\n{scripts}\n" if scripts else ""
        write_pipfile(self.folder, *tables, packages, table)

    def fill(self, text: str) -> str:
        return self.world.filled(text, self.folder)

    def prepare(self, way: Way) -> dict[str, str]:
        """Write a way's files, and return its environment."""
        self.write(self.fill(way.scripts))
        for name, text in way.files.items():
            home = self.env["HOME"]
            path = self.folder / name.replace("~", home)
            path.parent.mkdir(parents=True, exist_ok=True)
            encoding = "utf-16" if name.startswith("utf-16") else "utf-8"
            path.write_text(self.fill(text), encoding=encoding)
        self.world.asked.clear()
        return self.env | {name: self.fill(value) for name, value in way.env.items()}

    def __call__(self, *words: str, env: dict[str, str] | None = None) -> Result:
        return run(
            PIPENV_CA, *map(self.fill, words), env=env or self.env, cwd=self.folder, timeout=120
        )

    @property
    def files(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in self.folder.iterdir() if p.is_file()}

    def installed(self) -> set[str]:
        """Return the versions of acme-lib in the project's environment, and whose they are."""
        found = set()
        for site in (self.folder / ".venv").glob("lib/*/site-packages"):
            found |= {path.name for path in site.glob("acme_lib-*.dist-info")}
            if (site / "acme_lib.py").exists():
                found.add((site / "acme_lib.py").read_text())
        return found

    def check_refused(self, way: Way) -> None:
        env = self.prepare(way)
        before = self.files
        done = self(*way.words, env=env)
        assert_error(done, 2, *map(self.fill, way.parts or ()))
        assert self.files == before
        assert not (self.folder / ".venv").exists()
        assert not [path for path in self.world.asked if "acme" in path]

    def check_private(self, way: Way) -> None:
        done = self(*way.words, env=self.prepare(way))
        assert done.status == 0, done.output
        assert way.says in done.stderr
        if way.says:
            assert done.stderr.count("warning: ") == 1, done.stderr
        if "run" not in way.words:
            lock = json.loads((self.folder / "Pipfile.lock").read_text())["default"]
            assert lock[NAME]["version"] == "==1.0"
            assert self.world.hash in lock[NAME]["hashes"]
            assert len(lock[NAME]["hashes"]) == 1
        if "lock" not in way.words:
            assert self.installed() == {"acme_lib-1.0.dist-info", "WHOSE = 'ours'"}
        assert not [path for path in self.world.asked if "acme" in path]


@pytest.fixture
def attempt(
    world: World, clean_env: dict[str, str], project: Path, request: pytest.FixtureRequest
) -> Attempt:
    """Return a project in a layout."""
    return Attempt(world, clean_env, project, getattr(request, "param", "two"))


def each(ways: dict[str, Way]) -> list[Any]:
    return [
        pytest.param(layout, way, id=f"{name}, {layout}")
        for name, way in ways.items()
        for layout in way.layouts
    ]


@WIDE
@pytest.mark.parametrize(("attempt", "way"), each(REFUSED), indirect=["attempt"])
def test_other_indexes_of_the_project_are_refused_with_their_place(
    attempt: Attempt, way: Way
) -> None:
    attempt.check_refused(way)


@WIDE
@pytest.mark.parametrize(("attempt", "way"), each(PRIVATE), indirect=["attempt"])
def test_user_settings_do_not_replace_a_private_package(attempt: Attempt, way: Way) -> None:
    attempt.check_private(way)


@WIDE
@pytest.mark.parametrize(
    ("attempt", "words", "hashes"),
    [
        ("one", ["sync"], True),
        ("one", ["install", "--deploy"], False),
        ("two", ["sync"], False),
        ("two", ["install", "--deploy"], True),
    ],
    indirect=["attempt"],
)
def test_find_links_are_used_only_with_locked_hashes(
    attempt: Attempt, words: list[str], hashes: bool
) -> None:
    assert attempt("lock").status == 0
    path = attempt.folder / "Pipfile.lock"
    if not hashes:
        document = json.loads(path.read_text())
        del document["default"][NAME]["hashes"]
        path.write_text(json.dumps(document))
    done = attempt(*words, env=attempt.env | {"PIP_FIND_LINKS": str(attempt.world.folder)})
    assert done.stderr.count("left out here: no hashes are checked") == int(not hashes)
    theirs = "WHOSE = 'theirs'" in attempt.installed()
    assert not theirs, done.output
    assert done.status == 0 or hashes, done.output  # (then pip finds the wrong file by its hash)


@WIDE
def test_find_links_are_left_out_when_the_lock_is_skipped(attempt: Attempt) -> None:
    env = attempt.env | {"PIP_FIND_LINKS": str(attempt.world.folder)}
    done = attempt("install", "--skip-lock", env=env)
    assert done.status == 0, done.output
    assert attempt.installed() == {"acme_lib-1.0.dist-info", "WHOSE = 'ours'"}


# -- requirements files with lines of the project's own ---------------------------------------


def own_lines(attempt: Attempt) -> str:
    """Return what ``pipenv-ca requirements`` prints for a locked project."""
    assert attempt("lock").status == 0
    done = attempt("requirements")
    assert done.status == 0, done.output
    assert "-i " in done.stdout
    return done.stdout


def check_installed(attempt: Attempt) -> None:
    before = attempt.files
    done = attempt(*PIP, "-r", "r.txt", "--target", "pkg")
    assert done.status == 0, done.output
    assert (attempt.folder / "pkg" / "acme_lib.py").read_text() == "WHOSE = 'ours'"
    done = attempt(*PIP, "-Ur", "r.txt")
    assert done.status == 0, done.output
    assert attempt.installed() == {"acme_lib-1.0.dist-info", "WHOSE = 'ours'"}
    assert attempt.files == before
    assert not list((attempt.folder.parent / "tmp").iterdir())


def check_imported(attempt: Attempt) -> None:
    before = (attempt.folder / "Pipfile").read_text()
    done = attempt("install", "-r", "r.txt")
    assert done.status == 0, done.output
    assert attempt.installed() == {"acme_lib-1.0.dist-info", "WHOSE = 'ours'"}
    after = (attempt.folder / "Pipfile").read_text()
    assert after.partition("[packages]")[0] == before.partition("[packages]")[0]
    assert 'acme-lib = "==1.0"' in after.replace("'", '"') or "acme-lib = {" in after
    lock = json.loads((attempt.folder / "Pipfile.lock").read_text())["default"]
    assert lock[NAME]["hashes"] == [attempt.world.hash]


@WIDE
@pytest.mark.parametrize("attempt", LAYOUTS, indirect=True)
def test_output_of_requirements_can_be_installed_and_imported(attempt: Attempt) -> None:
    (attempt.folder / "r.txt").write_text(own_lines(attempt))
    check_installed(attempt)
    check_imported(attempt)


OWN_FILES = {
    "r.txt": "-i {OWN}\n--constraint 'c d.txt'\nacme-lib\n",
    "c d.txt": "--extra-index-url {OWN}\n-r {SITE}/plain.txt\n",
}
ACCEPTED = {
    "nested": Way([*PIP, "--requirement=r.txt"], files=OWN_FILES),
    "UTF-16": Way(
        [*PIP, "-rutf-16.txt"],
        files={"utf-16.txt": "-i {OWN}\nacme-lib\n"},
        layouts=("two",),
    ),
    "-i own": Way([*PIP, "-i", "{OWN}", "-r", "r.txt"], files=OWN_FILES),
    "script": Way(
        ["run", "deps", "acme-app"],
        files=OWN_FILES,
        scripts='deps = "X=1 pip install -Ur r.txt"',
        layouts=("one",),
    ),
    "variable": Way(
        [*PIP, NAME], files=OWN_FILES, env={"PIP_CONSTRAINT": "r.txt"}, layouts=("two",)
    ),
    "pip.conf": Way(
        [*PIP, NAME],
        files={CONF: "[install]\nconstraint = r.txt\n", **OWN_FILES},
        layouts=("one",),
    ),
    "imported": Way(
        ["install", "-r", "r.txt"],
        files={"r.txt": OWN_FILES["r.txt"], "c d.txt": ""},
        layouts=("two",),
    ),
    "extra args": Way(["lock", "--extra-pip-args", "-c r.txt"], files=OWN_FILES, layouts=("one",)),
}


@WIDE
@pytest.mark.parametrize(("attempt", "way"), each(ACCEPTED), indirect=["attempt"])
def test_pip_gets_a_copy_without_lines_of_project_sources(attempt: Attempt, way: Way) -> None:
    attempt.check_private(way)
    assert not list((attempt.folder.parent / "tmp").iterdir())


@WIDE
def test_script_of_several_lines_cannot_use_a_copy(attempt: Attempt) -> None:
    way = Way(
        ["run", "deps"],
        files=OWN_FILES,
        scripts='deps = ["pip install -r r.txt", "echo x"]',
        parts=("[scripts] deps", "several lines"),
    )
    attempt.check_refused(way)


@WIDE
def test_assigned_variable_cannot_name_a_copy(attempt: Attempt) -> None:
    words = ["run", "PIP_CONSTRAINT=r.txt", "pip", "install", NAME]
    attempt.check_refused(Way(words, files=OWN_FILES, parts=("PIP_CONSTRAINT names",)))


def with_an_old_pipenv() -> Iterator[Any]:
    """Yield what is tried with the oldest pipenv: in CI one way for each of pip's two callers."""
    for name, way in PRIVATE.items():
        for layout in () if "as-written" in way.words else way.layouts:
            first = layout == "two" and name in {"lock with pip.conf", "pip with find-links"}
            marks = WIDE if first else pytest.mark.matrix
            yield pytest.param(layout, way, id=f"{name}, {layout}", marks=marks)


@pytest.mark.parametrize(("attempt", "way"), [*with_an_old_pipenv()], indirect=["attempt"])
def test_oldest_pipenv_gets_the_private_package(
    attempt: Attempt, way: Way, clients: Clients
) -> None:
    attempt.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(OLDEST))
    attempt.check_private(way)


@pytest.mark.matrix
def test_output_of_requirements_of_the_oldest_pipenv_can_be_installed(
    attempt: Attempt, clients: Clients
) -> None:
    attempt.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(OLDEST))
    test_output_of_requirements_can_be_installed_and_imported(attempt)
