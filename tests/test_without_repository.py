"""Without a repository in the Pipfile: private names, and repositories that are named by URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import StandIn

from codeartifact_pipenv.endpoint import parse_url

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

URL = "https://acme-123456789012.d.codeartifact.us-east-1.amazonaws.com/pypi/team/simple/"
TOKEN = "eyJ2ZXIiOjF9.a.b.c.secret"
LOGIN = URL.replace("https://", f"https://aws:{TOKEN}@")
WHEEL = f"{LOGIN}acme/1.0/acme-1.0-py3-none-any.whl"
LISTED = '[packages]\nAcme_Utils = "*"\n'
NAMED = '[packages]\nacme-utils = {version = "*", index = "other"}\n'
EMPTY = "[packages]\n"
OTHER = '[[source]]\nname = "other"\nurl = "https://other.example/simple"\nverify_ssl = true\n'
MISSING = "[source-missing]"


class PublicProject:
    """A project, and a pipenv that only writes down that it was run; acme-* is private."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.pipfile = folder / "Pipfile"
        self.pipenv = StandIn(folder.parent / "pipenv")
        self._env = env | {
            "PIPENV_CA_PIPENV": str(self.pipenv.path),
            "PIPENV_CA_PRIVATE_PACKAGES": "billing acme-*",
        }

    def run(self, *words: str, **env: str) -> Result:
        return run(PIPENV_CA, *words, env=self._env | env, cwd=self.folder)

    def lock(self, entry: dict[str, str], *sources: dict[str, Any]) -> None:
        """Write a lock with the entry of acme-utils."""
        meta = {"hash": {"sha256": "0"}, "pipfile-spec": 6, "requires": {}, "sources": [*sources]}
        document = {"_meta": meta, "default": {"acme-utils": entry}, "develop": {}}
        (self.folder / "Pipfile.lock").write_text(json.dumps(document))

    def check(self, *words: str, says: str, **env: str) -> Result:
        """Run a command, which is refused with a text, or reaches pipenv without it."""
        done = self.run(*words, **env)
        assert (done.status, self.pipenv.was_run) == ((2, False) if says else (0, True)), done
        assert says in done.stderr
        assert bool(says) == ("error: " in done.stderr)
        assert TOKEN not in done.output
        return done


@pytest.fixture
def public(project: Path, clean_env: dict[str, str]) -> PublicProject:
    write_pipfile(project, PYPI_SOURCE, EMPTY)
    (project / "requirements.txt").write_text("six\nacme_utils[s3]==1 ; python_version > '3'\n")
    return PublicProject(project, clean_env)


@pytest.mark.parametrize(
    ("packages", "words", "variable", "is_refused"),
    [
        (LISTED, ("lock",), "", True),
        (LISTED, ("sync",), "", True),
        (LISTED, ("install", "six"), "", True),
        (LISTED, ("uninstall", "acme.utils"), "", False),
        (NAMED, ("lock",), "", False),
        (EMPTY, ("install", "ACME-utils[s3]>=1"), "", True),
        (EMPTY, ("upgrade", "acme-utils"), "", True),
        (EMPTY, ("install", "-r", "requirements.txt"), "", True),
        (EMPTY, ("install", "six"), "", False),
        (EMPTY, ("run", "pip", "install", "acme-utils==1"), "", True),
        (EMPTY, ("run", "python", "-m", "pip", "wheel", "-r", "requirements.txt"), "", True),
        (f'{EMPTY}[scripts]\nset-up = "pip install acme-utils"\n', ("run", "set-up"), "", True),
        (EMPTY, ("run", "pip", "install", "acme-utils"), URL, False),
        (EMPTY, ("run", "pip", "install", "--index-url", URL, "acme-utils"), "", False),
        (EMPTY, ("run", "pip", "list"), "", False),
        (None, ("install", "acme-utils"), "", True),
    ],
)
def test_private_name_is_refused_before_another_index_is_asked(
    packages: str | None,
    words: tuple[str, ...],
    variable: str,
    is_refused: bool,
    public: PublicProject,
) -> None:
    if packages is None:
        public.pipfile.unlink()
    else:
        write_pipfile(public.folder, PYPI_SOURCE, packages)
    public.check(*words, says=MISSING if is_refused else "", PIP_INDEX_URL=variable)


@pytest.mark.parametrize(
    ("words", "index", "is_refused"),
    [
        (("sync",), "", True),
        (("install", "--deploy"), "pypi", True),
        (("audit", "--locked"), "", True),
        (("sync",), "other", False),
        (("lock",), "", False),
    ],
)
def test_private_name_that_only_the_lock_has_is_refused_before_another_index_is_asked(
    words: tuple[str, ...], index: str, is_refused: bool, public: PublicProject
) -> None:
    write_pipfile(public.folder, PYPI_SOURCE, OTHER, EMPTY)
    public.lock({"version": "==1.0", **({"index": index} if index else {})})
    public.check(*words, says=MISSING if is_refused else "")
    if words != ("lock",):
        assert (MISSING in public.run("lint").stdout) == is_refused


@pytest.mark.parametrize(
    ("words", "is_refused"),
    [(("lock",), True), (("install", "six"), True), (("uninstall", "acme-utils"), False)],
)
def test_name_that_the_lock_has_from_a_lost_repository_is_refused(
    words: tuple[str, ...], is_refused: bool, public: PublicProject
) -> None:
    write_pipfile(public.folder, PYPI_SOURCE, LISTED)
    login = URL.replace("https://", "https://aws:${CODEARTIFACT_AUTH_TOKEN}@")
    own = {"name": "codeartifact", "url": login, "verify_ssl": True}
    public.lock({"index": "codeartifact", "version": "==1.0"}, own)
    env = {"PIPENV_CA_PRIVATE_PACKAGES": "", "CODEARTIFACT_AUTH_TOKEN": TOKEN}
    public.check(*words, says=f"fix --add-source {URL}`" if is_refused else "", **env)
    if is_refused:
        assert MISSING in public.run("lint", **env).stdout


@pytest.mark.parametrize(
    "variable", ["PIPENV_REQUIREMENTSTXT", "PIPENV_REQUIREMENTS", "PIPENV_EDITABLE"]
)
def test_option_that_a_variable_gives_to_pipenv_is_checked_like_a_typed_one(
    variable: str, public: PublicProject
) -> None:
    """An unknown version of pipenv may read the variables of all versions."""
    is_editable = variable == "PIPENV_EDITABLE"
    env = {variable: "requirements.txt", "PIP_INDEX_URL": URL if is_editable else ""}
    public.check("install", says="names a repository" if is_editable else MISSING, **env)


@pytest.mark.wide
def test_requirements_file_that_a_variable_names_is_imported_into_the_pipfile(
    project: Path, sandbox: Sandbox, sandbox_env: dict[str, str]
) -> None:
    """Only the variable that this version of pipenv reads is taken."""
    pipfile = write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), EMPTY)
    (project / "requirements.txt").write_text("orb-common\n")
    files = {"PIPENV_REQUIREMENTSTXT": "requirements.txt", "PIPENV_REQUIREMENTS": "missing.txt"}
    done = run(PIPENV_CA, "install", env=sandbox_env | files, cwd=project)
    assert done.status == 0, done.output
    assert "orb-common" in pipfile.read_text()


INDEX, PACKAGE, LOCKS = "names a repository", "[package-url]", ""


@pytest.mark.parametrize(
    ("words", "variable", "says"),
    [
        (("install", "-i", LOGIN, "six"), "", INDEX),
        (("install", "--index", URL, "six"), "", INDEX),
        (("upgrade", f"--index={LOGIN}", "six"), "", INDEX),
        (("install", "six"), LOGIN, INDEX),
        (("update", "six"), LOGIN, INDEX),
        (("install", "-e", "."), LOGIN, INDEX),
        (("install", "--edit=."), LOGIN, INDEX),
        (("install", "--ind", LOGIN, "six"), "", INDEX),
        (("install", f"-i{LOGIN}", "six"), "", INDEX),
        (("install", "-r", "requirements.txt"), LOGIN, INDEX),
        (("install", WHEEL), "", PACKAGE),
        (("install", "--index=", WHEEL), "", PACKAGE),
        (("install", f"six @ {WHEEL}"), "", PACKAGE),
        (("install", f"six[x] @ {WHEEL.replace('https', 'HTTPS')}"), "", PACKAGE),
        (("install", f"--editable={WHEEL}"), "", PACKAGE),
        (("upgrade", "-e", f"{WHEEL}#egg=six"), "", PACKAGE),
        (("lock",), LOGIN, LOCKS),
        (("install", "--dev"), LOGIN, LOCKS),
        (("install", "--deploy"), LOGIN, LOCKS),
        (("uninstall", "six"), LOGIN, LOCKS),
        (("install", "six"), "https://other.example/simple", LOCKS),
        (("install", "--index", "https://aws:x@other.example/simple", "six"), "", LOCKS),
        (("install", URL.replace("https://", "https://aws@")), "", LOCKS),
    ],
)
def test_pipenv_is_not_given_a_url_that_it_would_write_into_the_pipfile(
    words: tuple[str, ...], variable: str, says: str, public: PublicProject
) -> None:
    before = public.pipfile.read_text()
    public.check(*words, says=says, PIP_INDEX_URL=variable)
    assert public.pipfile.read_text() == before


def test_url_of_a_package_is_refused_beside_a_repository_too(public: PublicProject) -> None:
    endpoint = parse_url(URL)
    assert endpoint is not None
    write_pipfile(public.folder, PYPI_SOURCE, source(endpoint), EMPTY)
    public.check("install", WHEEL, says=PACKAGE)


WRITES = f"""
import json, os, pathlib
path = pathlib.Path(os.environ["PIPENV_PIPFILE"])
entry = {{"file": "{WHEEL}"}}
PLACE
"""
IN_PIPFILE = 'path.write_text(path.read_text() + f\'acme = {{file = "{entry["file"]}"}}\\n\')'
IN_LOCK = """
meta = {"hash": {"sha256": "0"}, "pipfile-spec": 6, "requires": {}, "sources": []}
lock = {"_meta": meta, "default": {"acme": entry}, "develop": {}}
pathlib.Path(f"{path}.lock").write_text(json.dumps(lock))
"""


@pytest.mark.parametrize("place", [IN_PIPFILE, IN_LOCK], ids=["Pipfile", "lock"])
def test_result_with_a_token_in_a_url_is_dropped(
    place: str, sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    pipfile = write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), EMPTY)
    before = pipfile.read_text()
    made = StandIn(project.parent / "pipenv", "", WRITES.replace("PLACE", place))
    env = sandbox_env | {"PIPENV_CA_PIPENV": str(made.path)}
    (project / "requirements.txt").write_text(f"acme @ {WHEEL}\n")
    done = run(PIPENV_CA, "install", "-r", "requirements.txt", env=env, cwd=project)
    assert made.was_run, done.output
    assert (done.status, TOKEN in done.output) == (2, False), done.output
    assert PACKAGE in done.stderr
    assert pipfile.read_text() == before
    assert not (project / "Pipfile.lock").exists()
