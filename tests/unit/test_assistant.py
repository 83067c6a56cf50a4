"""The folders that an assistant may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.assistant.roots import Roots
from codeartifact_pipenv.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a folder with two projects; a folder next to it has a name that starts the same."""
    for name in ("work/one", "work/two", "work-not"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "Pipfile").write_text("")
    return tmp_path / "work"


def refused(roots: Roots, path: str, of_client: list[str] | None = None) -> bool:
    """Whether a path is refused because it is outside."""
    try:
        roots.project(path, of_client)
    except ConfigurationError as error:
        assert "is outside of the folders" in error.sentence  # noqa: PT017 - what else is wrong
        return True
    return False


def test_only_the_working_directory_except_the_root_may_be_read_by_default(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    assert Roots([]).project("one", None) == str(work / "one")
    assert Roots([]).project("one/Pipfile", None) == str(work / "one")
    assert refused(Roots([]), "../work-not")
    assert refused(Roots([]), str(work.parent))
    monkeypatch.chdir("/")
    assert refused(Roots([]), str(work / "one"))


def test_a_project_must_be_in_the_roots_of_client_and_command_line(work: Path) -> None:
    one, two = (work / "one").as_uri(), (work / "two").as_uri()
    assert not refused(Roots([]), str(work / "one"), [one])
    assert refused(Roots([]), str(work / "two"), [one])
    assert not refused(Roots([str(work)]), str(work / "two"))
    assert not refused(Roots([str(work)]), str(work / "two"), [two])
    assert refused(Roots([str(work / "one")]), str(work / "two"), [one, two])
    assert refused(Roots([str(work)]), str(work / "one"), [])
    assert refused(Roots([]), str(work / "one"), ["https://example.com/"])


@pytest.mark.parametrize(
    "name", ["Pipfile", "Pipfile.lock", "pylock.toml", "pyproject.toml", ".env"]
)
def test_links_to_files_or_folders_outside_are_refused(name: str, work: Path) -> None:
    place = work / "one" / name
    place.unlink(missing_ok=True)
    place.symlink_to(work.parent / "work-not" / "Pipfile")
    assert refused(Roots([str(work)]), "one")
    (work / "link").symlink_to(work.parent / "work-not")
    assert refused(Roots([str(work)]), "link")


def test_dotenv_cannot_name_a_pipfile_outside_of_the_roots(work: Path) -> None:
    for folder, is_outside in ((work.parent / "work-not", True), (work / "two", False)):
        (work / "one" / ".env").write_text(f"PIPENV_PIPFILE={folder / 'Pipfile'}\n")
        assert refused(Roots([str(work)]), str(work / "one")) is is_outside


def test_a_folder_with_a_pipfile_only_above_is_not_a_project(work: Path) -> None:
    (work / "Pipfile").touch()
    (work / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"A Pipfile was not found in empty\."):
        Roots([str(work)]).project("empty", None)
