"""Projects without a Pipfile, or without a source: made right, or left as empty as they were."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomlkit
from support.programs import PIPENV, PIPENV_CA, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import StandIn, get_token, started

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.clients import Clients
    from support.programs import Result

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.sandbox.sandbox import Sandbox

WIDE = pytest.mark.wide
MATRIX = pytest.mark.matrix
EACH = [
    *(pytest.param(version, marks=WIDE) for version in ("newest", "2023.12.1")),
    *(pytest.param(version, marks=MATRIX) for version in ("2024.4.1", "2025.1.3")),
]


class Folder:
    """An empty folder, and commands in it.

    Attributes:
        path: the folder.
        env: the environment of its commands.
        team: a repository that reaches the public index.
        lonely: one that has private packages only.
        token: a token for both.
    """

    def __init__(self, sandbox: Sandbox, env: Mapping[str, str], path: Path) -> None:
        self.path = path
        self.env = dict(env)
        self.team = sandbox.endpoint
        self.lonely = endpoint_for(sandbox.endpoint.domain, "lonely")
        self.token = get_token(sandbox, self.env, path)

    def __call__(self, *words: str, **env: str) -> Result:
        """Run a command."""
        return run(PIPENV_CA, *words, env=self.env | env, cwd=self.path)

    def login(self, endpoint: RepositoryEndpoint) -> str:
        """Return the URL with the token in it that `aws codeartifact login` writes for pip."""
        return endpoint.simple_url.replace("://", f"://aws:{self.token}@")

    @property
    def names(self) -> set[str]:
        """The names of the folder's files."""
        return {path.name for path in self.path.iterdir()}

    @property
    def pipfile(self) -> dict[str, Any]:
        """The text of the Pipfile."""
        return tomlkit.parse((self.path / "Pipfile").read_text()).unwrap()

    @property
    def locked(self) -> dict[str, Any]:
        """The parsed lock."""
        found: dict[str, Any] = json.loads((self.path / "Pipfile.lock").read_text())
        return found

    def check_current(self) -> None:
        """Check that pipenv takes the lock for one of the Pipfile, and that no token is in them."""
        checked = run(PIPENV, "verify", env=self.env, cwd=self.path)
        assert checked.status == 0, checked.output
        for name in ("Pipfile", "Pipfile.lock"):
            text = (self.path / name).read_text()
            assert self.token not in text
            assert "127.0.0" not in text
        assert self.locked["_meta"]["sources"] == self.pipfile["source"]
        assert self.locked["_meta"]["requires"] == self.pipfile["requires"]


def variable_source(endpoint: RepositoryEndpoint) -> dict[str, Any]:
    found: dict[str, Any] = tomlkit.parse(source(endpoint)).unwrap()["source"][0]
    return found


PUBLIC = tomlkit.parse(PYPI_SOURCE).unwrap()["source"][0]


@pytest.fixture
def folder(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Folder:
    """Return an empty folder."""
    return Folder(sandbox, sandbox_env, project)


@pytest.fixture(params=EACH)
def each(request: pytest.FixtureRequest, folder: Folder, clients: Clients) -> Folder:
    """Return an empty folder, with one of the supported pipenvs after the other."""
    folder.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(request.param))
    return folder


@pytest.mark.parametrize("option", ["--index URL", "-iURL"])
@pytest.mark.wide
def test_install_from_a_repository_url_creates_a_correct_project(
    option: str, folder: Folder
) -> None:
    words = option.replace("URL", folder.lonely.simple_url).split()
    done = folder("install", *words, "orb-schema-generator")
    assert done.status == 0, done.output
    assert folder.pipfile["source"] == [PUBLIC, variable_source(folder.lonely)]
    entry = {"version": "*", "index": "codeartifact"}
    assert folder.pipfile["packages"] == {"orb-schema-generator": entry}
    indexes = {name: entry["index"] for name, entry in folder.locked["default"].items()}
    assert indexes["orb-common"] == indexes["orb-schema-generator"] == "codeartifact"
    assert indexes["six"] == "pypi"
    folder.check_current()


def test_every_pipenv_creates_the_same_project(each: Folder) -> None:
    done = each("install", "--index", each.lonely.simple_url, "orb-common==2.0.0")
    assert done.status == 0, done.output
    assert each.pipfile["packages"] == {
        "orb-common": {"version": "==2.0.0", "index": "codeartifact"}
    }
    assert each.names == {"Pipfile", "Pipfile.lock", ".venv"}
    each.check_current()
    done = each("run", "python", "-c", "import orb_common")
    assert done.status == 0, done.output
    shutil.rmtree(each.path / ".venv")
    done = each("sync")
    assert done.status == 0, done.output


@pytest.mark.wide
def test_token_in_the_url_reaches_neither_pipfile_nor_lock(folder: Folder) -> None:
    done = folder("install", "--index", folder.login(folder.lonely), "orb-common")
    assert done.status == 0, done.output
    assert folder.pipfile["source"] == [PUBLIC, variable_source(folder.lonely)]
    folder.check_current()


@pytest.mark.wide
@pytest.mark.parametrize(
    "words",
    ["install orb-no-such-package", pytest.param("install -r r.txt", marks=WIDE), "lock"],
)
def test_failed_first_command_leaves_the_folder_empty(words: str, folder: Folder) -> None:
    env = {}
    if words.endswith("r.txt"):
        (folder.path / "r.txt").write_text("orb-no-such-package\n")
    elif words == "lock":
        env = {"PIP_INDEX_URL": folder.login(folder.lonely), "PIPENV_PYTHON": "/nowhere"}
        env |= {"PIPENV_CA_PIPENV": shutil.which("false") or ""}
    else:
        words = words.replace("install", f"install --index {folder.lonely.simple_url}")
    before = folder.names
    done = folder(*words.split(), **env)
    assert done.status != 0
    assert folder.names == before


@pytest.mark.wide
@pytest.mark.parametrize(
    "way",
    [
        "PIP_INDEX_URL",
        "PIPENV_PYPI_MIRROR",
        *(pytest.param(w, marks=WIDE) for w in ("PIP_EXTRA_INDEX_URL", "pip.conf", "file")),
    ],
)
def test_login_in_pip_settings_becomes_a_variable(way: str, folder: Folder, tmp_path: Path) -> None:
    url, env = folder.login(folder.team), {}
    text = f"[global]\nindex-url = {url}\n"
    if way == "pip.conf":
        place = Path(folder.env["HOME"], ".config", "pip", "pip.conf")
        place.parent.mkdir(parents=True)
        place.write_text(text)
    elif way == "file":
        (tmp_path / "pip of the team").write_text(text)
        env["PIP_CONFIG_FILE"] = str(tmp_path / "pip of the team")
    else:
        env[way] = url
    done = folder("install", "orb-common", **env)
    assert done.status == 0, done.output
    sources = [variable_source(folder.team)]
    assert folder.pipfile["source"] == ([PUBLIC] if "EXTRA" in way else []) + sources
    assert "orb-common" in folder.locked["default"]
    folder.check_current()
    for name in ("pip.conf", "pip of the team"):  # it was there before
        for path in tmp_path.rglob(name):
            path.unlink()


@pytest.mark.wide
@pytest.mark.parametrize("words", ["run true", "check", "clean", "--python 3", "uninstall six"])
def test_command_that_would_copy_a_login_is_refused(words: str, folder: Folder) -> None:
    for name in ("PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"):
        done = folder(*words.split(), **{name: folder.login(folder.team)})
        assert done.status == 2, done.output
        assert "would copy the login" in done.stderr
        assert "pipenv-ca fix --add-source URL" in done.stderr
        assert folder.names == set()


@pytest.mark.wide
def test_login_does_not_stop_commands_without_a_new_pipfile(folder: Folder) -> None:
    for words in (["--version"], ["graph"], ["--envs"], ["run", "--help"]):
        done = folder(*words, PIP_INDEX_URL=folder.login(folder.team))
        assert "would copy" not in done.stderr


@pytest.mark.wide
@pytest.mark.parametrize("words", ["lock", "install", "install six", "update"])
def test_pipfile_without_a_source_is_refused_with_a_login(words: str, folder: Folder) -> None:
    (folder.path / "Pipfile").write_text('[packages]\norb-common = "*"\n')
    done = folder(*words.split(), PIP_INDEX_URL=folder.login(folder.team))
    assert done.status == 2, done.output
    assert "has no [[source]]" in done.stderr
    assert folder.names == {"Pipfile"}


def test_sources_of_a_lock_without_a_pipfile_get_the_token(each: Folder) -> None:
    write_pipfile(
        each.path,
        PYPI_SOURCE,
        source(each.lonely),
        '[packages]\norb-common = {version = "*", index = "codeartifact"}\n',
    )
    assert each("lock").status == 0
    before = (each.path / "Pipfile.lock").read_bytes()
    for words in (["sync"], ["install", "--ignore-pipfile"]):
        shutil.rmtree(each.path / ".venv")
        (each.path / "Pipfile").unlink(missing_ok=True)
        done = each(*words)
        assert done.status == 0, done.output
        assert list((each.path / ".venv").glob("lib/*/site-packages/orb_common"))
        assert (each.path / "Pipfile.lock").read_bytes() == before
        assert each.names - {"Pipfile"} == {"Pipfile.lock", ".venv"}


@pytest.mark.wide
def test_command_that_would_empty_a_lock_is_refused(folder: Folder) -> None:
    write_pipfile(folder.path, source(folder.lonely), '[packages]\norb-common = "*"\n')
    assert folder("lock").status == 0
    (folder.path / "Pipfile").unlink()
    before = (folder.path / "Pipfile.lock").read_bytes()
    done = folder("lock")
    assert done.status == 2, done.output
    assert "pipenv would empty the lock" in done.stderr
    assert (folder.path / "Pipfile.lock").read_bytes() == before


@pytest.mark.parametrize(
    ("each", "way"),
    [
        pytest.param("newest", "named", marks=WIDE),
        pytest.param("newest", "found", marks=WIDE),
        pytest.param("2023.12.1", "nested", marks=WIDE),
        pytest.param("2024.4.1", "named", marks=MATRIX),
        pytest.param("2025.1.3", "found", marks=MATRIX),
    ],
    indirect=["each"],
)
def test_requirements_file_with_indexes_is_imported_without_a_token(way: str, each: Folder) -> None:
    lines = f"-i {each.team.simple_url.replace('://', '://aws:${CODEARTIFACT_AUTH_TOKEN}@')}\n"
    lines += "orb-common==2.0.0 ; python_version >= '3'\n"
    if way == "nested":
        (each.path / "base.txt").write_text(lines)
        lines = "--requirement base.txt  # the base\n"
    name = "requirements.txt" if way == "found" else "r.txt"
    (each.path / name).write_text(lines)
    done = each("install", *([] if way == "found" else ["-r", name]))
    assert done.status == 0, done.output
    assert each.pipfile["source"] == [variable_source(each.team)]
    entry = each.pipfile["packages"]["orb-common"]
    assert (entry if isinstance(entry, str) else entry["version"]) == "==2.0.0"
    if "2024.4.1" in each.env["PIPENV_CA_PIPENV"]:  # it imports, and does not lock: bare neither
        assert each("lock").status == 0
    assert each.locked["default"]["orb-common"]["version"] == "==2.0.0"
    each.check_current()


@pytest.mark.wide
def test_requirements_file_without_indexes_uses_the_named_index(folder: Folder) -> None:
    (folder.path / "r.txt").write_text("orb-common\n")
    done = folder("install", "-r", "r.txt", "--index", folder.login(folder.lonely))
    assert done.status == 0, done.output
    assert folder.pipfile["source"] == [PUBLIC, variable_source(folder.lonely)]
    assert folder.pipfile["packages"]["orb-common"]["index"] == "codeartifact"
    folder.check_current()


def test_second_first_command_waits_and_keeps_the_project(folder: Folder, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    wait = f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    makes = "open('Pipfile', 'w').write('[[source]]\\n')"
    first = StandIn(tmp_path / "first", "", f"{wait}\n{makes}")
    env = folder.env | {"PIPENV_CA_PIPENV": str(first.path)}
    words = ("install", "--index", folder.lonely.simple_url, "orb-common")
    with started(PIPENV_CA, "install", "six", env=env, cwd=folder.path) as one:
        first.wait_until_run()
        with started(PIPENV_CA, *words, env=folder.env, cwd=folder.path) as two:
            assert two.stderr is not None
            assert "waiting for it" in two.stderr.readline()
            go_on.touch()
            assert "created a Pipfile here" in two.communicate(timeout=30)[1]
        one.communicate(timeout=30)
    assert (one.returncode, two.returncode) == (0, 2)
    assert folder.names == {"Pipfile"}


@pytest.mark.wide
@pytest.mark.parametrize("way", ["pipenv alone", "a new project"])
def test_failed_first_command_keeps_a_pipfile_of_the_user(
    way: str, folder: Folder, tmp_path: Path
) -> None:
    writes = "open('Pipfile', 'w').write('# mine\\n')"
    pipenv = StandIn(tmp_path / "bin", writes, "sys.exit(1)")
    words = ["--index", folder.lonely.simple_url] if way == "a new project" else []
    done = folder("install", *words, "orb-common", PIPENV_CA_PIPENV=str(pipenv.path))
    assert done.status == 1, done.output
    assert (folder.path / "Pipfile").read_text() == "# mine\n"


@pytest.mark.wide
def test_index_named_twice_is_one_source(folder: Folder) -> None:
    url = folder.login(folder.team)
    done = folder("install", "--index", folder.team.simple_url, "orb-common", PIP_INDEX_URL=url)
    assert done.status == 0, done.output
    assert folder.pipfile["source"] == [variable_source(folder.team)]
    assert folder.pipfile["packages"]["orb-common"] in (
        "*",
        {"version": "*", "index": "codeartifact"},
    )
    folder.check_current()


@pytest.mark.wide
def test_fix_add_source_creates_a_working_pipfile(folder: Folder) -> None:
    words = ["fix", "--add-source", folder.lonely.simple_url]
    shown = folder(*words, "--diff")
    assert shown.stdout.startswith("--- a/Pipfile\n+++ b/Pipfile\n")
    assert folder.names == set()
    done = folder(*words)
    assert done.status == 0, done.output
    assert "Next: `pipenv-ca install --index codeartifact PACKAGE`" in done.stdout
    assert folder.pipfile["source"] == [PUBLIC, variable_source(folder.lonely)]
    done = folder("install", "--index", "codeartifact", "orb-common")
    assert done.status == 0, done.output
    entry = {"version": "*", "index": "codeartifact"}
    assert folder.pipfile["packages"] == {"orb-common": entry}


def test_fix_creates_no_pipfile_for_an_existing_lock(folder: Folder) -> None:
    (folder.path / "Pipfile.lock").write_text("{}")
    done = folder("fix", "--add-source", folder.lonely.simple_url)
    assert done.status == 2, done.output
    assert folder.names == {"Pipfile.lock"}


@pytest.mark.wide
def test_pipenv_creates_its_own_pipfile_without_codeartifact(folder: Folder) -> None:
    done = folder("install", "--skip-lock", "six")
    assert done.status == 0, done.output
    assert folder.pipfile["source"] == [PUBLIC]
    assert os.path.isdir(folder.path / ".venv")
