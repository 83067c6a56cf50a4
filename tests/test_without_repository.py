"""Private names in a project without a CodeArtifact source: no other index is asked for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

URL = "https://acme-123456789012.d.codeartifact.us-east-1.amazonaws.com/pypi/team/simple/"
LISTED = '[packages]\nAcme_Utils = "*"\n'
NAMED = '[packages]\nacme-utils = {version = "*", index = "other"}\n'
EMPTY = "[packages]\n"


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
    project: Path,
    clean_env: dict[str, str],
) -> None:
    if packages is not None:
        write_pipfile(project, PYPI_SOURCE, packages)
    (project / "requirements.txt").write_text("six\nacme_utils[s3]==1 ; python_version > '3'\n")
    pipenv = StandIn(project.parent / "pipenv")
    env = clean_env | {
        "PIPENV_CA_PIPENV": str(pipenv.path),
        "PIPENV_CA_PRIVATE_PACKAGES": "billing acme-*",
        "PIP_INDEX_URL": variable,
    }
    done = run(PIPENV_CA, *words, env=env, cwd=project)
    assert pipenv.was_run != is_refused, done.output
    assert done.status == (2 if is_refused else 0), done.output
    assert ("[source-missing]" in done.stderr) == is_refused


@pytest.mark.parametrize(
    "variable", ["PIPENV_REQUIREMENTSTXT", "PIPENV_REQUIREMENTS", "PIPENV_EDITABLE"]
)
def test_option_that_a_variable_gives_to_pipenv_is_checked_like_a_typed_one(
    variable: str, project: Path, clean_env: dict[str, str]
) -> None:
    """An unknown version of pipenv may read the variables of all versions."""
    write_pipfile(project, PYPI_SOURCE, EMPTY)
    (project / "requirements.txt").write_text("acme-utils\n")
    pipenv = StandIn(project.parent / "pipenv")
    env = clean_env | {
        "PIPENV_CA_PIPENV": str(pipenv.path),
        "PIPENV_CA_PRIVATE_PACKAGES": "acme-*",
        variable: "requirements.txt",
    }
    if variable == "PIPENV_EDITABLE":
        env["PIP_INDEX_URL"] = URL
    done = run(PIPENV_CA, "install", env=env, cwd=project)
    assert (done.status, pipenv.was_run) == (2, False), done.output


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


@pytest.mark.parametrize(
    ("words", "is_refused"),
    [(("lock",), True), (("install", "six"), True), (("uninstall", "acme-utils"), False)],
)
def test_name_that_the_lock_has_from_a_lost_repository_is_refused(
    words: tuple[str, ...], is_refused: bool, project: Path, clean_env: dict[str, str]
) -> None:
    write_pipfile(project, PYPI_SOURCE, LISTED)
    login = URL.replace("https://", "https://aws:${CODEARTIFACT_AUTH_TOKEN}@")
    own = {"name": "codeartifact", "url": login, "verify_ssl": True}
    lock = {
        "_meta": {"hash": {"sha256": "0"}, "pipfile-spec": 6, "requires": {}, "sources": [own]},
        "default": {"acme-utils": {"index": "codeartifact", "version": "==1.0"}},
        "develop": {},
    }
    (project / "Pipfile.lock").write_text(json.dumps(lock))
    pipenv = StandIn(project.parent / "pipenv")
    env = clean_env | {
        "PIPENV_CA_PIPENV": str(pipenv.path),
        "CODEARTIFACT_AUTH_TOKEN": "eyJ2ZXIiOjF9.a.b.c.d",
    }
    done = run(PIPENV_CA, *words, env=env, cwd=project)
    assert pipenv.was_run != is_refused, done.output
    assert (f"fix --add-source {URL}`" in done.stderr) == is_refused, done.output
    if is_refused:
        assert "[source-missing]" in run(PIPENV_CA, "lint", env=env, cwd=project).stdout


@pytest.mark.parametrize(
    ("words", "index", "is_refused"),
    [
        (("sync",), None, True),
        (("install", "--deploy"), "pypi", True),
        (("audit", "--locked"), None, True),
        (("sync",), "other", False),
        (("lock",), None, False),
    ],
)
def test_private_name_that_only_the_lock_has_is_refused_before_another_index_is_asked(
    words: tuple[str, ...],
    index: str | None,
    is_refused: bool,
    project: Path,
    clean_env: dict[str, str],
) -> None:
    other = '[[source]]\nname = "other"\nurl = "https://other.example/simple"\nverify_ssl = true\n'
    write_pipfile(project, PYPI_SOURCE, other, EMPTY)
    entry = {"version": "==1.0", **({"index": index} if index else {})}
    lock = {"_meta": {"sources": []}, "default": {"acme-utils": entry}, "develop": {}}
    (project / "Pipfile.lock").write_text(json.dumps(lock))
    pipenv = StandIn(project.parent / "pipenv")
    env = clean_env | {
        "PIPENV_CA_PIPENV": str(pipenv.path),
        "PIPENV_CA_PRIVATE_PACKAGES": "acme-*",
    }
    done = run(PIPENV_CA, *words, env=env, cwd=project)
    assert (done.status, pipenv.was_run) == ((2, False) if is_refused else (0, True)), done.output
    assert ("[source-missing]" in done.stderr) == is_refused
    if words != ("lock",):
        assert (
            "[source-missing]" in run(PIPENV_CA, "lint", env=env, cwd=project).stdout
        ) == is_refused
