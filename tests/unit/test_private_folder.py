"""The private folder: only its owner can enter it, and a run removes only files of dead runs."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.wrapper import run_files
from codeartifact_pipenv.wrapper.run_files import private_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="owners, modes and locks are POSIX's")


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def sweep() -> None:
    """Begin and end another run."""
    with private_folder():
        pass


def test_folders_and_files_are_private_with_any_umask() -> None:
    before = os.umask(0)
    try:
        with private_folder() as folder:
            written = folder.write("netrc", "secret \N{SNOWMAN}\n")
            assert mode(folder.path) == 0o700
            assert {mode(written), mode(f"{folder.path}.lock")} == {0o600}
            assert Path(written).read_text(encoding="utf-8") == "secret \N{SNOWMAN}\n"
    finally:
        os.umask(before)


def test_a_failed_write_is_an_error_and_leaves_nothing(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        private_folder() as folder,
        pytest.raises(CodeArtifactPipenvError, match=r"netrc.* cannot be written: No such file"),
    ):
        folder.write("none/netrc", "secret")
    assert list(parent.iterdir()) == []
    (parent / "plain").touch()
    monkeypatch.setattr(run_files, "_temporary_folder", lambda: str(parent / "plain"))
    with pytest.raises(CodeArtifactPipenvError, match="cannot be written") as caught:
        sweep()
    assert "TMPDIR" in caught.value.hint


RUN = "pipenv-ca-0123456789abcdef"


@pytest.fixture
def left(parent: Path) -> Path:
    """Create the files that a killed run leaves; return its folder."""
    (parent / RUN).mkdir()
    (parent / RUN / "netrc").write_text("token")
    (parent / f"{RUN}.lock").touch()
    return parent / RUN


def test_the_files_of_a_run_killed_at_its_start_are_removed(parent: Path, left: Path) -> None:
    (parent / f"{RUN[:-1]}0.lock").touch()
    sweep()
    assert not left.exists()
    assert list(parent.iterdir()) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can play another user"
)
def test_the_folder_of_another_user_is_not_removed(left: Path) -> None:
    os.chown(f"{left}.lock", 65534, 65534)
    sweep()
    assert (left / "netrc").exists()


def test_links_in_place_of_folders_or_locks_are_not_followed(parent: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").touch()
    (parent / f"{RUN}.lock").symlink_to(target / "precious")
    (parent / RUN).symlink_to(target)
    other = parent / f"{RUN[:-1]}0"
    other.symlink_to(target)
    (parent / f"{other.name}.lock").touch()
    sweep()
    assert (target / "precious").exists()
    assert (parent / f"{RUN}.lock").is_symlink()


def test_other_names_and_folders_without_a_lock_are_not_removed(parent: Path) -> None:
    for name in ("pipenv-ca-file.lock", "pipenv-ca-0123.lock", f"{RUN}.lock.txt"):
        (parent / name).write_text("x")
    for name in (RUN, "pipenv-ca-file", "pipenv-other"):
        (parent / name).mkdir()
    before = sorted(path.name for path in parent.iterdir())
    sweep()
    assert sorted(path.name for path in parent.iterdir()) == before
