"""The private folder: only its owner can enter it, and it is removed with the run."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.wrapper import run_files
from codeartifact_pipenv.wrapper.run_files import private_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="owners, modes and locks are POSIX's")


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty folder for temporary files of this process and its children."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def sweep() -> None:
    with private_folder():
        pass


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_folders_and_files_are_private_with_any_umask(umask: int) -> None:
    before = os.umask(umask)
    try:
        with private_folder() as folder:
            written = folder.write("netrc", "secret \N{SNOWMAN}\n")
            assert mode(folder.path) == 0o700
            assert {mode(written), mode(f"{folder.path}.lock")} == {0o600}
            assert Path(written).read_text(encoding="utf-8") == "secret \N{SNOWMAN}\n"
    finally:
        os.umask(before)


def test_a_failed_write_is_an_error_and_leaves_nothing(parent: Path) -> None:
    """The hint names TMPDIR."""
    with (
        private_folder() as folder,
        pytest.raises(CodeArtifactPipenvError, match=r"netrc.* cannot be written: No such file"),
    ):
        folder.write("none/netrc", "secret")
    assert list(parent.iterdir()) == []
    (parent / "plain").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_files, "_temporary_folder", lambda: str(parent / "plain"))
        with pytest.raises(CodeArtifactPipenvError, match="cannot be written") as caught:
            sweep()
    assert "TMPDIR" in caught.value.hint


def test_the_folder_is_removed_after_the_block(parent: Path) -> None:
    with private_folder() as folder:
        Path(folder.path, "requests.txt").write_text("token")
        Path(folder.path, "deep").mkdir()
        assert {path.stem for path in parent.iterdir()} == {Path(folder.path).name}
    assert list(parent.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_folder_is_removed_after_an_exception(parent: Path, error: type[BaseException]) -> None:

    def fail() -> None:
        with private_folder() as folder:
            folder.write("netrc", "token")
            raise error

    with pytest.raises(error):
        fail()
    assert list(parent.iterdir()) == []


def test_two_runs_do_not_remove_each_others_folder(parent: Path) -> None:
    with private_folder() as one, private_folder() as two:
        assert one.path != two.path
        assert Path(one.path).is_dir()
        assert Path(two.path).is_dir()
    assert list(parent.iterdir()) == []


_HOLDER = """
import subprocess, sys, time
from codeartifact_pipenv.wrapper.run_files import private_folder
with private_folder() as folder:
    folder.write("netrc", "token")
    inherited = [folder.descriptor] if "child" in sys.argv else []
    words = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = subprocess.Popen(words, pass_fds=inherited)
    print(folder.path, child.pid, flush=True)
    time.sleep(60)
"""


class Holder:
    """A process that holds a private folder, and its child, which may hold it too."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, *words], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        path, child = self.process.stdout.readline().split()
        self.path, self.child = Path(path), int(child)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def kill_child(self) -> None:
        os.kill(self.child, signal.SIGKILL)


def test_the_folder_of_a_live_process_is_not_removed() -> None:
    holder = Holder()
    try:
        sweep()
        assert (holder.path / "netrc").read_text() == "token"
    finally:
        holder.kill_child()
        holder.kill()


def test_the_next_run_removes_the_folder_of_a_killed_process(parent: Path) -> None:
    """A live child that does not hold the folder does not matter."""
    holder = Holder()
    holder.kill()
    try:
        assert (holder.path / "netrc").exists()
        sweep()
        assert list(parent.iterdir()) == []
    finally:
        holder.kill_child()


def test_a_folder_inherited_by_a_child_is_removed_after_it_ends(parent: Path) -> None:
    holder = Holder("child")
    holder.kill()
    try:
        sweep()
        assert (holder.path / "netrc").exists()
    finally:
        holder.kill_child()
    deadline = time.monotonic() + 10
    while list(parent.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
        sweep()
    assert list(parent.iterdir()) == []


RUN = "pipenv-ca-0123456789abcdef"


def left_by_a_run(parent: Path) -> Path:
    """Create the files that a killed run leaves; return its lock."""
    (parent / RUN).mkdir()
    (parent / RUN / "netrc").write_text("token")
    lock = parent / f"{RUN}.lock"
    lock.touch()
    return lock


def test_the_files_of_a_run_killed_at_its_start_are_removed(parent: Path) -> None:
    left_by_a_run(parent)
    (parent / f"{RUN[:-1]}0.lock").touch()
    sweep()
    assert list(parent.iterdir()) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can play another user"
)
def test_the_folder_of_another_user_is_not_removed(parent: Path) -> None:
    os.chown(left_by_a_run(parent), 65534, 65534)
    sweep()
    assert (parent / RUN / "netrc").exists()


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


def test_a_link_in_a_folder_is_removed_without_its_target(parent: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").touch()
    with private_folder() as folder:
        Path(folder.path, "link").symlink_to(target)
    assert (target / "precious").exists()
    assert list(parent.iterdir()) == []
