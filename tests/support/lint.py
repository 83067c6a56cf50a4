"""Build projects for the tests of lint and fix."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.corpus import PIPFILES, lock_of
from support.programs import PIPENV_CA, Result, run
from support.projects import pipfile_hash
from support.runs import Terminal

from codeartifact_pipenv.checks.files.contents import projects_at
from codeartifact_pipenv.checks.files.review import ProjectReview
from codeartifact_pipenv.checks.views.fixes import FixOptions, FixResult, fix
from codeartifact_pipenv.project.toml_text import sources_of
from codeartifact_pipenv.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
OTHER_HOST = HOST.replace("my-dom", "far-dom")
USERINFO = "aws:${CODEARTIFACT_AUTH_TOKEN}@"
PUBLIC = ("public", "https://index.example/simple")
OURS = ("ca", f"https://{USERINFO}{HOST}/pypi/team/simple/")
# Looks like a token, but is shorter.
TOKEN = "eyJ2ZXIiOjEsImlzdSI6MX0.aaaaaaaaaaaa.bbbbbbbbbbbb.cccc.dddd"
GITHUB_TOKEN = "ghp_" + "a1B2" * 9
HASH = "sha256:" + "0" * 64


def table(name: str, url: str, verify: str = "true") -> str:
    return f'[[source]]\nname = "{name}"\nurl = "{url}"\nverify_ssl = {verify}\n'


def pipfile(packages: str, *sources: tuple[str, str]) -> str:
    """Return a Pipfile, by default with the public index and the repository."""
    tables = [table(*source) for source in (sources or (PUBLIC, OURS))]
    return "\n".join([*tables, f"[packages]\n{packages}\n"])


def lock(text: str, entries: Mapping[str, Mapping[str, Any]], **meta: Any) -> str:
    """Return the lock of a Pipfile; keywords replace values in ``_meta``."""
    about = {"hash": {"sha256": pipfile_hash(text)}, "pipfile-spec": 6, "requires": {}}
    about |= {"sources": sources_of(text), **meta}
    whole = {"_meta": about, "default": entries, "develop": {}}
    return json.dumps(whole, indent=4, sort_keys=True) + "\n"


def entry(index: str | None = None, **more: Any) -> dict[str, Any]:
    """Return an entry of a lock."""
    found = {"hashes": [HASH], "version": "==1.0", **more}
    return found if index is None else {**found, "index": index}


def write_project(folder: Path, text: str | bytes, locked: str | None = None) -> Path:
    """Write a Pipfile and optionally its lock; return the Pipfile's path."""
    path = folder / "Pipfile"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if locked is not None:
        (folder / "Pipfile.lock").write_text(locked, encoding="utf-8")
    return path


def copy_of(name: str, folder: Path) -> Path:
    """Copy a Pipfile of the corpus, and its lock, into a new folder."""
    folder.mkdir()
    path = folder / "Pipfile"
    shutil.copyfile(PIPFILES[name], path)
    beside = lock_of(name)
    if beside is not None:
        shutil.copyfile(beside, folder / "Pipfile.lock")
    return path


def reviewed(path: Path, **settings: str) -> ProjectReview:
    """Review a project with the given settings, such as ``lint_ignore``."""
    environ = {f"PIPENV_CA_{name.upper()}": value for name, value in settings.items()}
    environ["PIPENV_CA_CONFIG"] = os.devnull
    (paths,) = projects_at([str(path)], {})
    return ProjectReview(paths, Settings({}, environ), {})


def codes(path: Path, **settings: str) -> list[str]:
    return [code for _, _, code in found_in(path, **settings)]


def found_in(path: Path, **settings: str) -> list[tuple[str, int, str]]:
    """Return file, line and code of each finding."""
    findings = reviewed(path, **settings).findings
    return [(Path(finding.path).name, finding.line, finding.code or "") for finding in findings]


def fixed(path: Path, private: str = "", options: FixOptions | None = None) -> FixResult:
    """Return what fix would do to a project, without writing."""
    found = reviewed(path, private_packages=private)
    return fix(found, options or FixOptions(transitive=True))


def check_rest(before: str, done: FixResult) -> None:
    """Check that at most one line per change differs, and that comments survive."""
    # Fix may end the last line with a newline.
    old, new = ([x.rstrip("\r") for x in text.split("\n")] for text in (before, done.text))
    gone = [line for line in old if line not in new]
    assert len(gone) <= len(done.changes), gone
    for line in gone:
        comment = re.search(r"\s#[^\"']*$", line)
        assert comment is None or any(kept.endswith(comment[0]) for kept in new), line
    if not done.changes:
        assert done.text == before


class Shell:
    """Runs `pipenv-ca lint` and `pipenv-ca fix` in a folder."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self.env = dict(env)
        self.folder = folder

    def lint(self, *words: str, **variables: str) -> Result:
        return run(PIPENV_CA, "lint", *words, env=self.env | variables, cwd=self.folder)

    def fix(self, *words: str) -> Result:
        return run(PIPENV_CA, "fix", *words, env=self.env, cwd=self.folder)

    def see(self, verb: str = "lint", columns: int = 80, env: dict[str, str] | None = None) -> str:
        """Return the output of a verb that fails on a terminal."""
        env = self.env | {"TERM": "xterm", "NO_COLOR": "1"} | (env or {})
        with Terminal(PIPENV_CA, verb, env=env, cwd=self.folder, columns=columns) as terminal:
            assert terminal.finish() == 1
        return terminal.shown.replace("\r\n", "\n")

    def write(self, text: str) -> Path:
        return write_project(self.folder, text)

    def project(self, name: str, text: str) -> Path:
        """Write a Pipfile in a folder below; return its path."""
        (self.folder / name).mkdir()
        return write_project(self.folder / name, text)
