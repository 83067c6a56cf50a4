"""Dependency confusion by every way in which pip gets files from elsewhere, with real pipenvs.

``acme-lib`` is private. An attacker's 99.0.0 of that name is in a folder, on another index,
and on the public index. Each way is refused with its place, or the private package is installed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import PUBLIC_URL, PYPI_SOURCE, source, write_pipfile
from support.runs import assert_error
from support.sandbox import FakePublicIndex
from support.servers import served

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from support.clients import Clients

WIDE, MATRIX = pytest.mark.wide, pytest.mark.matrix
OLDEST = "2023.12.1"
NAME = "acme-lib"
OURS, THEIRS = "WHOSE = 'ours'", "WHOSE = 'theirs'"


class Attack(NamedTuple):
    """The private repository and the hash of its wheel; an attacker's folder and server."""

    sandbox: Sandbox
    hash: str
    folder: Path
    server: FakePublicIndex

    def fill(self, text: str, project: Path) -> str:
        """Replace the names of places in a text."""
        url = self.server.url.removesuffix("/")
        places = {
            "{PIP}": PIP,
            "{DIR}": str(self.folder),
            "{URL}": url,
            "{SITE}": url.removesuffix("/simple"),
            "{PUBLIC}": PUBLIC_URL,
            "{OWN}": self.sandbox.endpoint.simple_url,
            "{PROJECT}": str(project),
        }
        for name, place in places.items():
            text = text.replace(name, place)
        return text


@pytest.fixture(scope="module")
def attack(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Attack]:
    base = tmp_path_factory.mktemp("elsewhere")
    private, folder = base / "private", base / "attacker"
    wheel = make_wheel(private, NAME, "1.0", modules={"acme_lib.py": OURS})
    make_wheel(private, "acme-app", "1.0", [NAME])
    theirs = {"acme_lib.py": THEIRS}
    wheels = [make_wheel(folder, NAME, version, modules=theirs) for version in ("99.0.0", "1.0")]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with (
        served(FakePublicIndex()) as server,
        Sandbox([private], public=folder, base=clean_base) as sandbox,
    ):
        links = ""
        for path in wheels:
            links += f'<a href="{path.name}">{path.name}</a>'
            server.pages[f"/simple/{NAME}/{path.name}"] = (200, "a/b", path.read_bytes())
        server.pages[f"/simple/{NAME}/"] = (200, "text/html", f"<!DOCTYPE html>{links}".encode())
        server.pages["/plain.txt"] = (200, "text/plain", b"acme-lib<100\n")
        server.pages["/bad.txt"] = (200, "text/plain", f"--extra-index-url {server.url}".encode())
        yield Attack(sandbox, f"sha256:{digest}", folder, server)


class Way(NamedTuple):
    """One way for an attacker's file to get in.

    ``says`` is the place that a refusal names, or the warning of a command that works; a name of
    a file that begins with ~ is the user's own.
    """

    words: str
    says: str = ""
    files: Mapping[str, str] = {}
    env: Mapping[str, str] = {}
    scripts: str = ""
    layouts: tuple[str, ...] = ("one", "two")


EXTRA_LINE = "--extra-index-url {URL}\nacme-lib\n"
PIP = "run pip install acme-lib"
R, C = "r.txt", "c.txt"
OWN_LINE = {R: "-i {OWN}\n"}


def deps(script: str, says: str = "[scripts] deps", more: str = "", **given: Any) -> Way:
    """Return a way by the script ``deps``."""
    return Way(f"run deps {more}", says, scripts=f"deps = {script}", **given)


def dotenv(text: str, words: str, says: str, **files: str) -> Way:
    """Return a way by the project's .env."""
    return Way(words, says, {".env": f"{text}\n", **files})


# The property tests of pip's settings hold every spelling of each option, file and variable.
REFUSED = [
    # Arguments of pip.
    Way("{PIP} -f {DIR}", "-f names files"),
    Way("{PIP} --index {PUBLIC}", "--index names an index"),
    Way("{PIP} --no-index -f {DIR}", "--no-index keeps pip"),
    Way("{PIP} $HIDDEN", "--find-links", env={"HIDDEN": "--find-links={DIR}"}),
    Way("run python -m pip install -f {DIR} acme-lib", "-f names files"),
    # Arguments of pipenv.
    Way("install -i {URL} acme-lib", "-i names an index by its URL"),
    Way("install -i {OWN} acme-lib", "--index codeartifact"),
    Way("install --extra-pip-args '-f {DIR}' acme-lib", "-f in --extra-pip-args"),
    Way("lock --extra-pip-args '-c c.txt'", "c.txt, line 1", {C: EXTRA_LINE}),
    # Requirements and constraints files.
    Way("install -r r.txt", "{PROJECT}/r.txt, line 1", {R: EXTRA_LINE}),
    Way("{PIP} -c c.txt", "c.txt, line 1", {C: "-i {URL}\n"}),
    Way(
        "{PIP} -Ur deep/r.txt",
        "{PROJECT}/c.txt, line 3",
        {"deep/r.txt": "-c ../c.txt\n", C: "a\\\nb\n--extra {URL}\n"},
    ),
    Way("{PIP} -r r.txt", "r.txt, line 1", {R: "${WHERE}\n"}, {"WHERE": "-f {DIR}"}),
    Way("{PIP} -r {SITE}/bad.txt", "{SITE}/bad.txt, line 1"),
    Way("{PIP} -c {SITE}/none.txt", "cannot be fetched: "),
    Way("{PIP}", "c.txt, line 1", {C: "-f {DIR}\n"}, {"PIP_CONSTRAINT": C}),
    # Assignments before pip.
    Way(
        "run A=1 PIP_EXTRA_INDEX_URL={URL} python -m pip install acme-lib",
        "PIP_EXTRA_INDEX_URL= names an extra index",
    ),
    Way("run PIP_INDEX_URL= pip install acme-lib", "PIP_INDEX_URL="),
    Way(
        "run PIP_CONFIG_FILE=pip.conf pip install acme-lib",
        "c.txt, line 1",
        {"pip.conf": "[global]\nConstraint = c.txt\n", C: EXTRA_LINE},
    ),
    Way("run PIP_CONSTRAINT=r.txt pip install acme-lib", "PIP_CONSTRAINT names", OWN_LINE),
    # Scripts.
    deps('"pip install -f {DIR} acme-lib"'),
    deps('"pip install"', more="--extra-index-url {URL} acme-lib"),
    deps('["echo x", "pip install -i {URL} acme-lib"]'),
    deps('"PIP_FIND_LINKS={DIR} pip install acme-lib"', "PIP_FIND_LINKS= in [scripts] deps"),
    deps('"pip install $OPTS acme-lib"', files={".env": "OPTS=--extra-index-url={URL}\n"}),
    deps('["pip install -r r.txt", "echo x"]', "several lines", files=OWN_LINE),
    # The project's .env.
    dotenv("PIP_FIND_LINKS={DIR}", "lock", ".env sets PIP_FIND_LINKS"),
    dotenv("PIP_Find_Links={DIR}", "sync", ".env sets PIP_Find_Links"),
    dotenv("PIP_CONSTRAINT=c.txt", "lock", "c.txt, line 1", **{C: EXTRA_LINE}),
    dotenv(
        'PIPENV_EXTRA_PIP_ARGS=["-f", "{DIR}"]',
        "lock",
        "-f in PIPENV_EXTRA_PIP_ARGS of {PROJECT}/.env",
    ),
    # The user's environment, which may be meant for another project.
    Way("lock", "PIP_EXTRA_INDEX_URL names", env={"PIP_EXTRA_INDEX_URL": "{URL}"}),
    Way("install acme-lib", "Unset PIP_INDEX_URL", env={"PIP_INDEX_URL": "{URL}"}),
    Way("{PIP}", "PIP_Index_URL names", env={"PIP_Index_URL": "{URL}"}),
]
CONF = "~/.config/pip/pip.conf"
BOTH = "find-links =\n  {DIR}\n--Extra_Index-url = {URL}\n"
FIND_LINKS = {"PIP_FIND_LINKS": "{DIR}"}
LEFT_OUT = "left out here"
ONE, TWO = ("one",), ("two",)
PRIVATE = [
    Way("lock", env=FIND_LINKS, layouts=TWO),
    Way("lock", env=FIND_LINKS | {"PIP_NO_INDEX": "1"}, layouts=ONE),
    Way("lock", LEFT_OUT, env={"PIP_FIND_LINKS": "{URL}/acme-lib/"}, layouts=TWO),
    Way("--ca-route as-written lock", LEFT_OUT, env=FIND_LINKS, layouts=ONE),
    Way("lock", files={CONF: f"[global]\n{BOTH}"}, layouts=TWO),
    Way("install acme-lib", env={"PIP_FIND_LINKS": "file://{DIR}"}, layouts=ONE),
    Way("{PIP}", env=FIND_LINKS),
    Way("{PIP}", files={CONF: f"[install]\n{BOTH}"}),
    Way("{PIP} -i {OWN}", LEFT_OUT, {CONF: f"[global]\n{BOTH}"}),
    Way("{PIP} -c {SITE}/plain.txt"),
    Way("{PIP}", env={"PIP_CONSTRAINT": "{SITE}/plain.txt"}),
]
# Files that name only the project's own source: pip gets a copy without that line.
OWN_FILES = {
    R: "-i {OWN}\n--constraint 'c d.txt'\nacme-lib\n",
    "c d.txt": "--extra-index-url {OWN}\n-r {SITE}/plain.txt\n",
}
UTF_16 = {"utf-16.txt": "-i {OWN}\nacme-lib\n"}
COPIED = [
    Way("run pip install --requirement=r.txt", files=OWN_FILES),
    Way("run pip install -rutf-16.txt", files=UTF_16, layouts=TWO),
    deps('"X=1 pip install -Ur r.txt"', "", "acme-app", files=OWN_FILES, layouts=ONE),
    Way("{PIP}", files=OWN_FILES, env={"PIP_CONSTRAINT": R}, layouts=TWO),
    Way("install -r r.txt", files={**OWN_FILES, "c d.txt": ""}, layouts=TWO),
    Way("lock --extra-pip-args '-c r.txt'", files=OWN_FILES, layouts=ONE),
]


class Attempt:
    """A project in which a way is tried."""

    def __init__(self, attack: Attack, env: dict[str, str], folder: Path, layout: str) -> None:
        self.attack = attack
        self.folder = folder
        self.layout = layout
        self.env = attack.sandbox.environ(env) | {"PIPENV_CA_CACHE_DIR": str(folder.parent / "t")}
        self.write()

    def write(self, scripts: str = "") -> None:
        own = source(self.attack.sandbox.endpoint)
        tables = {"one": [own], "two": [PYPI_SOURCE, own], "private first": [own, PYPI_SOURCE]}
        packages = f'[packages]\nacme-app = "*"\n\n[scripts]\n{scripts}\n'
        write_pipfile(self.folder, *tables[self.layout], packages)

    def fill(self, text: str) -> str:
        return self.attack.fill(text, self.folder)

    def run(self, way: Way) -> Result:
        """Write a way's files and run its command."""
        self.write(self.fill(way.scripts))
        for name, text in way.files.items():
            path = self.folder / name.replace("~", self.env["HOME"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.fill(text), "utf-16" if name.startswith("utf-16") else "utf-8")
        self.before = self.files
        self.attack.server.asked.clear()
        env = self.env | {name: self.fill(value) for name, value in way.env.items()}
        words = shlex.split(self.fill(way.words))
        return run(PIPENV_CA, *words, env=env, cwd=self.folder, timeout=120)

    def __call__(self, words: str, **env: str) -> Result:
        """Run a command that succeeds."""
        done = run(PIPENV_CA, *words.split(), env=self.env | env, cwd=self.folder)
        assert done.status == 0, done.output
        return done

    @property
    def files(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in self.folder.iterdir() if p.is_file()}

    def lock_entry(self) -> dict[str, Any]:
        lock = json.loads((self.folder / "Pipfile.lock").read_text())
        found: dict[str, Any] = lock["default"][NAME]
        return found

    def whose(self) -> str | None:
        """Return whose acme-lib is in the project's environment."""
        texts = [p.read_text() for p in self.folder.glob(".venv/lib/*/site-packages/acme_lib.py")]
        return texts[0] if texts else None

    def attacker_was_asked(self) -> bool:
        return any("acme" in path or login for path, login in self.attack.server.asked)

    def check_private(self, way: Way) -> None:
        done = self.run(way)
        assert done.status == 0, done.output
        assert way.says in done.stderr
        assert done.stderr.count("warning: ") == bool(way.says), done.stderr
        words = self.fill(way.words).split()
        if "run" not in words:
            assert self.lock_entry()["version"] == "==1.0"
            assert self.lock_entry()["hashes"] == [self.attack.hash]
        if "lock" not in words:
            assert self.whose() == OURS
        assert not self.attacker_was_asked()


@pytest.fixture
def attempt(
    attack: Attack, clean_env: dict[str, str], project: Path, request: pytest.FixtureRequest
) -> Attempt:
    """Return a project in a layout."""
    return Attempt(attack, clean_env, project, getattr(request, "param", "two"))


def each(ways: list[Way]) -> list[Any]:
    """Return a parameter for each layout of each way."""
    return [
        pytest.param(
            layout,
            way,
            id=f"{way.words}, {' '.join([*way.files, *way.env, way.scripts])}, {layout}",
        )
        for way in ways
        for layout in way.layouts
    ]


@pytest.mark.parametrize(("attempt", "way"), each(REFUSED), indirect=["attempt"])
def test_other_indexes_of_the_project_are_refused_with_their_place(
    attempt: Attempt, way: Way
) -> None:
    assert_error(attempt.run(way), 2, attempt.fill(way.says))
    assert attempt.files == attempt.before
    assert not (attempt.folder / ".venv").exists()
    assert not attempt.attacker_was_asked()


@WIDE
@pytest.mark.parametrize(("attempt", "way"), each(PRIVATE), indirect=["attempt"])
def test_user_settings_do_not_replace_a_private_package(attempt: Attempt, way: Way) -> None:
    attempt.check_private(way)


@WIDE
@pytest.mark.parametrize(("attempt", "way"), each(COPIED), indirect=["attempt"])
def test_pip_gets_a_copy_without_lines_of_project_sources(attempt: Attempt, way: Way) -> None:
    attempt.check_private(way)
    assert not list((attempt.folder.parent / "tmp").iterdir())


@WIDE
@pytest.mark.parametrize(
    ("attempt", "words", "hashes"),
    [("one", "sync", True), ("one", "install --deploy", False), ("two", "sync", False)],
    indirect=["attempt"],
)
def test_find_links_are_used_only_with_locked_hashes(
    attempt: Attempt, words: str, hashes: bool
) -> None:
    attempt("lock")
    path = attempt.folder / "Pipfile.lock"
    if not hashes:
        document = json.loads(path.read_text())
        del document["default"][NAME]["hashes"]
        path.write_text(json.dumps(document))
    done = attempt.run(Way(words, env=FIND_LINKS))
    assert done.stderr.count("left out here: no hashes are checked") == int(not hashes)
    assert attempt.whose() != THEIRS, done.output
    assert done.status == 0 or hashes, done.output  # pip refuses the wrong file by its hash


@WIDE
def test_find_links_are_left_out_when_the_lock_is_skipped(attempt: Attempt) -> None:
    attempt("install --skip-lock", PIP_FIND_LINKS=str(attempt.attack.folder))
    assert attempt.whose() == OURS


@WIDE
@pytest.mark.parametrize("attempt", ["one", "two", "private first"], indirect=True)
def test_output_of_requirements_can_be_installed_and_imported(attempt: Attempt) -> None:
    attempt("lock")
    printed = attempt("requirements").stdout
    assert "-i " in printed
    (attempt.folder / R).write_text(printed)
    before = attempt.files
    attempt("run pip install -r r.txt --target pkg")
    assert (attempt.folder / "pkg" / "acme_lib.py").read_text() == OURS
    attempt("run pip install -Ur r.txt")
    assert attempt.whose() == OURS
    assert attempt.files == before
    assert not list((attempt.folder.parent / "tmp").iterdir())
    attempt("install -r r.txt")
    text = (attempt.folder / "Pipfile").read_text()
    sources = before["Pipfile"].decode().partition("[packages]")[0]
    assert text.startswith(sources)
    assert re.search(r"^acme-lib = (.==1\.0.|\{)", text, re.MULTILINE)
    assert attempt.lock_entry()["hashes"] == [attempt.attack.hash]


OF_ANY_AGE = [way for way in PRIVATE if "as-written" not in way.words]


@MATRIX
@pytest.mark.parametrize(("attempt", "way"), each(OF_ANY_AGE), indirect=["attempt"])
def test_oldest_pipenv_gets_the_private_package(
    attempt: Attempt, way: Way, clients: Clients
) -> None:
    attempt.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(OLDEST))
    attempt.check_private(way)


@MATRIX
def test_output_of_requirements_of_the_oldest_pipenv_can_be_installed(
    attempt: Attempt, clients: Clients
) -> None:
    attempt.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(OLDEST))
    test_output_of_requirements_can_be_installed_and_imported(attempt)
