"""The last failed command of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.checks.last_failure import last_failure, save_failure
from codeartifact_pipenv.settings import Settings, parse_command_line

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "Pipfile").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PIPENV_PIPFILE", raising=False)
    return Settings({"cache-dir": str(tmp_path / "cache")}, {})


@pytest.mark.parametrize(
    "words",
    [
        ["install", "git+https://me:hunter2@git.example/a"],
        ["install", "--index", "https://hunter2hunter2hunter2hunter2@index.example/simple", "six"],
        ["run", "env", "PASSWORD=hunter2", "python", "deploy.py"],
        ["run", "deploy", "--password", "hunter2"],
    ],
)
def test_no_secret_of_a_failed_command_is_saved(
    words: list[str], settings: Settings, tmp_path: Path
) -> None:
    save_failure(settings, parse_command_line(words), is_direct=False, code=None)
    (kept,) = (tmp_path / "cache").iterdir()
    assert "hunter2" not in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_each_project_has_its_own_failure(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = parse_command_line(["sync", "--system"])
    save_failure(settings, command, is_direct=True, code="read-denied")
    found = last_failure(settings)
    assert found is not None
    assert found[:3] == (["sync", "--system"], True, "read-denied")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Pipfile").touch()
    monkeypatch.chdir(tmp_path / "other")
    assert last_failure(settings) is None
