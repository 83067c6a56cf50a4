"""What users of Windows see, on Wine: ``pytest -m windows -n 0``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support_windows import Windows, windows_machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import Result

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.windows


@pytest.fixture(scope="session")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Windows]:
    """The machine."""
    with windows_machine(tmp_path_factory.mktemp("wheels")) as machine:
        yield machine


class User:
    """A user of that machine, whose name is neither ASCII nor without a blank, and a project."""

    def __init__(self, windows: Windows, environ: dict[str, str], folder: Path) -> None:
        self.windows = windows
        self.env = environ
        self.folder = folder

    def __call__(self, *words: str) -> Result:
        return self.windows.run("pipenv-ca", *words, env=self.env, cwd=self.folder)


@pytest.fixture
def user(
    windows: Windows, sandbox: Sandbox, clean_env: dict[str, str], tmp_path: Path, project: Path
) -> User:
    home = tmp_path / "Jörg Müller"
    environ = windows.environ(sandbox.environ(clean_env), home)
    del environ["PIPENV_CA_CACHE_DIR"]
    return User(windows, environ, project)


def test_version(user: User) -> None:
    """pipenv-ca.exe starts, and passes on what pipenv says."""
    said = user("--version")
    assert (said.status, said.stdout[:15]) == (0, "pipenv, version"), said
