"""Projects without a Pipfile or a source are created correctly, or left empty."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV, PIPENV_CA, run
from support.projects import PYPI_SOURCE, installed_version, source, write_pipfile
from support.runs import assert_error, get_token, replace_pipenv, started, until_exists

from codeartifact_pipenv.files.io import load_toml_bytes
from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
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
    """An empty folder; ``team`` reaches the public index, and ``lonely`` does not."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], path: Path) -> None:
        self.path = path
        self.env = env
        self.team = sandbox.endpoint
        self.lonely = endpoint_for(sandbox.endpoint.domain, "lonely")
        self.token = get_token(sandbox, env, path)

    def __call__(self, *words: str, status: int = 0) -> Result:
        done = run(PIPENV_CA, *words, env=self.env, cwd=self.path)
        assert done.status == status, done.output
        return done

    def login(self, endpoint: RepositoryEndpoint) -> str:
        """Return the URL with the token in it that `aws codeartifact login` writes for pip."""
        return endpoint.simple_url.replace("://", f"://aws:{self.token}@")

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.path.iterdir()}

    @property
    def pipfile(self) -> dict[str, Any]:
        return load_toml_bytes((self.path / "Pipfile").read_bytes())

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


def table(text: str) -> dict[str, Any]:
    found: dict[str, Any] = load_toml_bytes(text.encode())["source"][0]
    return found


PUBLIC = table(PYPI_SOURCE)


@pytest.fixture
def folder(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Folder:
    return Folder(sandbox, sandbox_env, project)


@pytest.fixture(params=EACH)
def each(request: pytest.FixtureRequest, folder: Folder, clients: Clients) -> Folder:
    """Return an empty folder for each supported pipenv."""
    folder.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(request.param))
    return folder


@WIDE
@pytest.mark.parametrize(
    "words",
    ["-iURL orb-schema-generator", "--index LOGIN orb-schema-generator", "-r r.txt -iLOGIN"],
)
def test_install_from_a_repository_url_creates_a_correct_project(
    words: str, folder: Folder
) -> None:
    (folder.path / "r.txt").write_text("orb-schema-generator\n")
    words = words.replace("URL", folder.lonely.simple_url)
    folder("install", *words.replace("LOGIN", folder.login(folder.lonely)).split())
    assert folder.pipfile["packages"] == {"orb-schema-generator": ENTRY}
    indexes = {name: entry["index"] for name, entry in folder.locked["default"].items()}
    assert indexes["orb-common"] == indexes["orb-schema-generator"] == "codeartifact"
    assert indexes["six"] == "pypi"
    folder.check_current(PUBLIC, table(source(folder.lonely)))


def test_every_pipenv_creates_the_same_project(each: Folder) -> None:
    each("install", "--index", each.lonely.simple_url, "orb-common==2.0.0")
    assert each.pipfile["packages"] == {"orb-common": ENTRY | {"version": "==2.0.0"}}
    assert each.names == {"Pipfile", "Pipfile.lock", ".venv"}
    each.check_current(PUBLIC, table(source(each.lonely)))
    each("run", "python", "-c", "import orb_common")
    shutil.rmtree(each.path / ".venv")
    each("sync")


@WIDE
@pytest.mark.parametrize(
    "words", ["install orb-no-such-package --index URL", "install -r r.txt", "lock"]
)
def test_failed_first_command_makes_no_file(words: str, folder: Folder) -> None:
    (folder.path / "r.txt").write_text("orb-no-such-package\n")
    if words == "lock":
        folder.env["PIP_INDEX_URL"] = folder.login(folder.lonely)
        replace_pipenv(folder.env, "", "sys.exit(1)")
    folder(*words.replace("URL", folder.lonely.simple_url).split(), status=1)
    assert folder.names == {"r.txt"}


@WIDE
@pytest.mark.parametrize(
    ("way", "words"),
    [
        *((way, "install orb-common") for way in ("PIPENV_PYPI_MIRROR", "PIP_EXTRA_INDEX_URL")),
        ("PIP_INDEX_URL", "install orb-common --index URL"),
        *((way, "install orb-common") for way in ("pip.conf", "PIP_CONFIG_FILE")),
    ],
)
def test_login_in_pip_settings_becomes_one_source_with_a_variable(
    way: str, words: str, folder: Folder
) -> None:
    place = Path(folder.env["HOME"], ".config", "pip", "pip.conf")
    if way in {"pip.conf", "PIP_CONFIG_FILE"}:
        place = place if way == "pip.conf" else folder.path.parent / "of the team"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"[global]\nindex-url = {folder.login(folder.team)}\n")
    if way != "pip.conf":
        folder.env[way] = str(place) if way == "PIP_CONFIG_FILE" else folder.login(folder.team)
    folder(*words.replace("URL", folder.team.simple_url).split())
    assert "orb-common" in folder.locked["default"]
    folder.check_current(*([PUBLIC] if "EXTRA" in way else []), table(source(folder.team)))
    place.unlink(missing_ok=True)  # which had a token before


NO_SOURCE = '[packages]\norb-common = "*"\n'


@WIDE
@pytest.mark.parametrize(
    ("words", "pipfile"),
    [
        *((words, "") for words in ("run true", "check", "clean", "--python 3", "uninstall six")),
        *((words, NO_SOURCE) for words in ("lock", "install six", "update")),
    ],
)
@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"])
def test_command_that_would_copy_a_login_is_refused(
    words: str, pipfile: str, name: str, folder: Folder
) -> None:
    if pipfile:
        (folder.path / "Pipfile").write_text(pipfile)
    before, folder.env[name] = folder.names, folder.login(folder.team)
    said = "has no [[source]]" if pipfile else "would copy the login"
    assert_error(folder(*words.split(), status=2), 2, said, "fix --add-source URL")
    assert folder.names == before


@WIDE
@pytest.mark.parametrize("words", ["--version", "graph", "--envs", "run --help"])
def test_login_does_not_stop_commands_without_a_new_pipfile(words: str, folder: Folder) -> None:
    folder.env["PIP_INDEX_URL"] = folder.login(folder.team)
    done = run(PIPENV_CA, *words.split(), env=folder.env, cwd=folder.path)
    assert "would copy" not in done.stderr


def test_lock_without_a_pipfile_is_installed_and_never_emptied(each: Folder) -> None:
    entry = '[packages]\norb-common = {version = "*", index = "codeartifact"}\n'
    write_pipfile(each.path, PYPI_SOURCE, source(each.lonely), entry)
    each("lock")
    before = (each.path / "Pipfile.lock").read_bytes()
    (each.path / "Pipfile").unlink()
    assert "pipenv would empty the lock" in each("lock", status=2).stderr
    for words in (["sync"], ["install", "--ignore-pipfile"]):
        shutil.rmtree(each.path / ".venv")
        (each.path / "Pipfile").unlink(missing_ok=True)
        each(*words)
        assert installed_version(each.path, "orb-common") == "2.0.0"
        assert (each.path / "Pipfile.lock").read_bytes() == before
        assert each.names - {"Pipfile"} == {"Pipfile.lock", ".venv"}


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
    each.check_current(table(source(each.team)))


def test_second_first_command_waits_and_keeps_the_project(folder: Folder, tmp_path: Path) -> None:
    makes = "open('Pipfile', 'w').write('[[source]]\\n')"
    first = replace_pipenv(folder.env, "", until_exists(tmp_path / "go on") + makes)
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
    replace_pipenv(folder.env, "open('Pipfile', 'w').write('# mine\\n')", "sys.exit(1)")
    words = ["--index", folder.lonely.simple_url] if way == "a new project" else []
    folder("install", *words, "orb-common", status=1)
    assert (folder.path / "Pipfile").read_text() == "# mine\n"


@WIDE
def test_fix_add_source_creates_a_working_pipfile_unless_there_is_a_lock(folder: Folder) -> None:
    words = ["fix", "--add-source", folder.lonely.simple_url]
    (folder.path / "Pipfile.lock").write_text("{}")
    folder(*words, status=2)
    assert folder.names == {"Pipfile.lock"}
    (folder.path / "Pipfile.lock").unlink()
    assert folder(*words, "--diff").stdout.startswith("--- a/Pipfile\n+++ b/Pipfile\n")
    assert folder.names == set()
    assert "Next: `pipenv-ca install --index codeartifact PACKAGE`" in folder(*words).stdout
    folder("install", "--index", "codeartifact", "orb-common")
    assert folder.pipfile["packages"] == {"orb-common": ENTRY}
    assert folder.pipfile["source"] == [PUBLIC, table(source(folder.lonely))]


@WIDE
def test_pipenv_creates_its_own_pipfile_without_codeartifact(folder: Folder) -> None:
    folder("install", "--skip-lock", "six")
    assert folder.pipfile["source"] == [PUBLIC]
