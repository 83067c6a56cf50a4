"""Projects without a Pipfile or a source are created correctly, or left empty."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomlkit
from support.programs import PIPENV, PIPENV_CA, run
from support.projects import PYPI_SOURCE, installed_version, source, write_pipfile
from support.runs import StandIn, assert_error, get_token, started, until_exists

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
ENTRY = {"version": "*", "index": "codeartifact"}


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

    def __call__(self, *words: str, status: int = 0) -> Result:
        done = run(PIPENV_CA, *words, env=self.env, cwd=self.path)
        assert done.status == status, done.output
        return done

    def login(self, endpoint: RepositoryEndpoint) -> str:
        """Return the URL with the token in it that `aws codeartifact login` writes for pip."""
        return endpoint.simple_url.replace("://", f"://aws:{self.token}@")

    def pipenv(self, behaviour: str = "", afterwards: str = "") -> StandIn:
        """Run a stand-in for pipenv from now on."""
        made = StandIn(self.path.parent / "bin", behaviour, afterwards)
        self.env["PIPENV_CA_PIPENV"] = str(made.path)
        return made

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.path.iterdir()}

    @property
    def pipfile(self) -> dict[str, Any]:
        return tomlkit.parse((self.path / "Pipfile").read_text()).unwrap()

    @property
    def locked(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / "Pipfile.lock").read_text())
        return found

    def check_current(self, *sources: dict[str, Any]) -> None:
        """Check the sources, that the lock is current for pipenv, and that no file has a token."""
        assert self.pipfile["source"] == list(sources)
        checked = run(PIPENV, "verify", env=self.env, cwd=self.path)
        assert checked.status == 0, checked.output
        text = (self.path / "Pipfile").read_text() + (self.path / "Pipfile.lock").read_text()
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
    return Folder(sandbox, sandbox_env, project)


@pytest.fixture(params=EACH)
def each(request: pytest.FixtureRequest, folder: Folder, clients: Clients) -> Folder:
    """Return an empty folder for each supported pipenv."""
    folder.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(request.param))
    return folder


@pytest.mark.parametrize("option", ["--index URL", "-iURL", "--index LOGIN"])
@WIDE
def test_install_from_a_repository_url_creates_a_correct_project(
    option: str, folder: Folder
) -> None:
    words = option.replace("URL", folder.lonely.simple_url)
    words = words.replace("LOGIN", folder.login(folder.lonely))
    folder("install", *words.split(), "orb-schema-generator")
    assert folder.pipfile["packages"] == {"orb-schema-generator": ENTRY}
    indexes = {name: entry["index"] for name, entry in folder.locked["default"].items()}
    assert indexes["orb-common"] == indexes["orb-schema-generator"] == "codeartifact"
    assert indexes["six"] == "pypi"
    folder.check_current(PUBLIC, variable_source(folder.lonely))


def test_every_pipenv_creates_the_same_project(each: Folder) -> None:
    each("install", "--index", each.lonely.simple_url, "orb-common==2.0.0")
    assert each.pipfile["packages"] == {"orb-common": ENTRY | {"version": "==2.0.0"}}
    assert each.names == {"Pipfile", "Pipfile.lock", ".venv"}
    each.check_current(PUBLIC, variable_source(each.lonely))
    each("run", "python", "-c", "import orb_common")
    shutil.rmtree(each.path / ".venv")
    each("sync")


@WIDE
@pytest.mark.parametrize("words", ["install orb-no-such-package", "install -r r.txt", "lock"])
def test_failed_first_command_leaves_the_folder_empty(words: str, folder: Folder) -> None:
    if words.endswith("r.txt"):
        (folder.path / "r.txt").write_text("orb-no-such-package\n")
    elif words == "lock":
        folder.env["PIP_INDEX_URL"] = folder.login(folder.lonely)
        folder.pipenv("", "sys.exit(1)")
    else:
        words += f" --index {folder.lonely.simple_url}"
    before = folder.names
    folder(*words.split(), status=1)
    assert folder.names == before


@WIDE
@pytest.mark.parametrize(
    "way", ["PIP_INDEX_URL", "PIPENV_PYPI_MIRROR", "PIP_EXTRA_INDEX_URL", "pip.conf", "file"]
)
def test_login_in_pip_settings_becomes_a_variable(way: str, folder: Folder, tmp_path: Path) -> None:
    place = tmp_path / "pip of the team"
    if way == "pip.conf":
        place = Path(folder.env["HOME"], ".config", "pip", "pip.conf")
        place.parent.mkdir(parents=True)
    if way in {"pip.conf", "file"}:
        place.write_text(f"[global]\nindex-url = {folder.login(folder.team)}\n")
    if way == "file":
        folder.env["PIP_CONFIG_FILE"] = str(place)
    elif way != "pip.conf":
        folder.env[way] = folder.login(folder.team)
    folder("install", "orb-common")
    assert "orb-common" in folder.locked["default"]
    folder.check_current(*([PUBLIC] if "EXTRA" in way else []), variable_source(folder.team))
    place.unlink(missing_ok=True)  # which had a token before


@WIDE
@pytest.mark.parametrize("words", ["run true", "check", "clean", "--python 3", "uninstall six"])
@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"])
def test_command_that_would_copy_a_login_is_refused(words: str, name: str, folder: Folder) -> None:
    folder.env[name] = folder.login(folder.team)
    assert_error(
        folder(*words.split(), status=2), 2, "would copy the login", "fix --add-source URL"
    )
    assert folder.names == set()


@WIDE
@pytest.mark.parametrize("words", ["--version", "graph", "--envs", "run --help"])
def test_login_does_not_stop_commands_without_a_new_pipfile(words: str, folder: Folder) -> None:
    env = folder.env | {"PIP_INDEX_URL": folder.login(folder.team)}
    done = run(PIPENV_CA, *words.split(), env=env, cwd=folder.path)
    assert "would copy" not in done.stderr


@WIDE
@pytest.mark.parametrize("words", ["lock", "install six", "update"])
def test_pipfile_without_a_source_is_refused_with_a_login(words: str, folder: Folder) -> None:
    (folder.path / "Pipfile").write_text('[packages]\norb-common = "*"\n')
    folder.env["PIP_INDEX_URL"] = folder.login(folder.team)
    assert "has no [[source]]" in folder(*words.split(), status=2).stderr
    assert folder.names == {"Pipfile"}


def test_sources_of_a_lock_without_a_pipfile_get_the_token(each: Folder) -> None:
    entry = '[packages]\norb-common = {version = "*", index = "codeartifact"}\n'
    write_pipfile(each.path, PYPI_SOURCE, source(each.lonely), entry)
    each("lock")
    before = (each.path / "Pipfile.lock").read_bytes()
    for words in (["sync"], ["install", "--ignore-pipfile"]):
        shutil.rmtree(each.path / ".venv")
        (each.path / "Pipfile").unlink(missing_ok=True)
        each(*words)
        assert installed_version(each.path, "orb-common") == "2.0.0"
        assert (each.path / "Pipfile.lock").read_bytes() == before
        assert each.names - {"Pipfile"} == {"Pipfile.lock", ".venv"}


@WIDE
def test_command_that_would_empty_a_lock_is_refused(folder: Folder) -> None:
    write_pipfile(folder.path, source(folder.lonely), '[packages]\norb-common = "*"\n')
    folder("lock")
    (folder.path / "Pipfile").unlink()
    before = (folder.path / "Pipfile.lock").read_bytes()
    assert "pipenv would empty the lock" in folder("lock", status=2).stderr
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
    each("install", *([] if way == "found" else ["-r", name]))
    entry = each.pipfile["packages"]["orb-common"]
    assert (entry if isinstance(entry, str) else entry["version"]) == "==2.0.0"
    if "2024.4.1" in each.env["PIPENV_CA_PIPENV"]:  # it imports without locking, without us too
        each("lock")
    assert each.locked["default"]["orb-common"]["version"] == "==2.0.0"
    each.check_current(variable_source(each.team))


@WIDE
def test_requirements_file_without_indexes_uses_the_named_index(folder: Folder) -> None:
    (folder.path / "r.txt").write_text("orb-common\n")
    folder("install", "-r", "r.txt", "--index", folder.login(folder.lonely))
    assert folder.pipfile["packages"]["orb-common"]["index"] == "codeartifact"
    folder.check_current(PUBLIC, variable_source(folder.lonely))


def test_second_first_command_waits_and_keeps_the_project(folder: Folder, tmp_path: Path) -> None:
    makes = "open('Pipfile', 'w').write('[[source]]\\n')"
    first = folder.pipenv("", until_exists(tmp_path / "go on") + makes)
    words = ("install", "--index", folder.lonely.simple_url, "orb-common")
    with started(PIPENV_CA, "install", "six", env=folder.env, cwd=folder.path) as one:
        first.wait_until_run()
        with started(PIPENV_CA, *words, env=folder.env, cwd=folder.path) as two:
            assert two.stderr is not None
            assert "waiting for it" in two.stderr.readline()
            (tmp_path / "go on").touch()
            assert "created a Pipfile here" in two.communicate(timeout=30)[1]
        one.communicate(timeout=30)
    assert (one.returncode, two.returncode) == (0, 2)
    assert folder.names == {"Pipfile"}


@WIDE
@pytest.mark.parametrize("way", ["pipenv alone", "a new project"])
def test_failed_first_command_keeps_a_pipfile_of_the_user(way: str, folder: Folder) -> None:
    folder.pipenv("open('Pipfile', 'w').write('# mine\\n')", "sys.exit(1)")
    words = ["--index", folder.lonely.simple_url] if way == "a new project" else []
    folder("install", *words, "orb-common", status=1)
    assert (folder.path / "Pipfile").read_text() == "# mine\n"


@WIDE
def test_index_named_twice_is_one_source(folder: Folder) -> None:
    folder.env["PIP_INDEX_URL"] = folder.login(folder.team)
    folder("install", "--index", folder.team.simple_url, "orb-common")
    assert folder.pipfile["packages"]["orb-common"] in ("*", ENTRY)
    folder.check_current(variable_source(folder.team))


@WIDE
def test_fix_add_source_creates_a_working_pipfile(folder: Folder) -> None:
    words = ["fix", "--add-source", folder.lonely.simple_url]
    assert folder(*words, "--diff").stdout.startswith("--- a/Pipfile\n+++ b/Pipfile\n")
    assert folder.names == set()
    assert "Next: `pipenv-ca install --index codeartifact PACKAGE`" in folder(*words).stdout
    folder("install", "--index", "codeartifact", "orb-common")
    assert folder.pipfile["packages"] == {"orb-common": ENTRY}
    assert folder.pipfile["source"] == [PUBLIC, variable_source(folder.lonely)]


def test_fix_creates_no_pipfile_for_an_existing_lock(folder: Folder) -> None:
    (folder.path / "Pipfile.lock").write_text("{}")
    folder("fix", "--add-source", folder.lonely.simple_url, status=2)
    assert folder.names == {"Pipfile.lock"}


@WIDE
def test_pipenv_creates_its_own_pipfile_without_codeartifact(folder: Folder) -> None:
    folder("install", "--skip-lock", "six")
    assert folder.pipfile["source"] == [PUBLIC]
