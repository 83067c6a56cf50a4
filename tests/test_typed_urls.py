"""A repository's URL that is typed, or in PIP_INDEX_URL, never gets into Pipfile or lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
INDEX, PACKAGE, LOCKS = "names a repository", "[package-url]", ""
PACKAGES = "[packages]\n"


class TypedCommand:
    """A command in a project, with a pipenv that only writes down that it was run."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.pipenv = StandIn(folder.parent / "pipenv")
        self._env = env | {"PIPENV_CA_PIPENV": str(self.pipenv.path)}

    def __call__(self, *words: str, **env: str) -> Result:
        return run(PIPENV_CA, *words, env=self._env | env, cwd=self.folder)


@pytest.mark.parametrize(
    ("words", "variable", "says"),
    [
        (("install", "-i", LOGIN, "acme"), "", INDEX),
        (("install", "--index", URL, "acme"), "", INDEX),
        (("upgrade", f"--index={LOGIN}", "acme"), "", INDEX),
        (("install", "acme"), LOGIN, INDEX),
        (("update", "acme"), LOGIN, INDEX),
        (("install", "-e", "."), LOGIN, INDEX),
        (("install", "--edit=."), LOGIN, INDEX),
        (("install", "--ind", LOGIN, "acme"), "", INDEX),
        (("install", f"-i{LOGIN}", "acme"), "", INDEX),
        (("install", "-r", "requirements.txt"), LOGIN, INDEX),
        (("install", WHEEL), "", PACKAGE),
        (("install", "--index=", WHEEL), "", PACKAGE),
        (("install", f"acme @ {WHEEL}"), "", PACKAGE),
        (("install", f"acme[x] @ {WHEEL.replace('https', 'HTTPS')}"), "", PACKAGE),
        (("install", f"--editable={WHEEL}"), "", PACKAGE),
        (("upgrade", "-e", f"{WHEEL}#egg=acme"), "", PACKAGE),
        (("lock",), LOGIN, LOCKS),
        (("install", "--dev"), LOGIN, LOCKS),
        (("install", "--deploy"), LOGIN, LOCKS),
        (("uninstall", "acme"), LOGIN, LOCKS),
        (("install", "acme"), "https://other.example/simple", LOCKS),
        (("install", "--index", "https://aws:x@other.example/simple", "acme"), "", LOCKS),
        (("install", URL.replace("https://", "https://aws@")), "", LOCKS),
    ],
)
def test_pipenv_is_not_given_a_url_that_it_would_write_into_the_pipfile(
    words: tuple[str, ...], variable: str, says: str, project: Path, clean_env: dict[str, str]
) -> None:
    path = write_pipfile(project, PYPI_SOURCE, PACKAGES)
    before = path.read_text()
    typed = TypedCommand(project, clean_env)
    done = typed(*words, **({"PIP_INDEX_URL": variable} if variable else {}))
    assert says in done.stderr
    assert typed.pipenv.was_run == (says == LOCKS)
    assert done.status == (0 if says == LOCKS else 2), done.output
    assert TOKEN not in done.output
    assert path.read_text() == before


def test_url_of_a_package_is_refused_beside_a_repository_too(
    project: Path, clean_env: dict[str, str]
) -> None:
    endpoint = parse_url(URL)
    assert endpoint is not None
    write_pipfile(project, PYPI_SOURCE, source(endpoint), PACKAGES)
    done = TypedCommand(project, clean_env)("install", WHEEL)
    assert (done.status, TOKEN in done.output) == (2, False)
    assert PACKAGE in done.stderr


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
    pipfile = write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), PACKAGES)
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
