"""The private folder: nobody else's to enter, and gone with the run."""

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
    """Have temporary files made in an empty folder, by this process and its children."""
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
def test_modes(umask: int) -> None:
    """Folders are 0700 and files 0600, whatever the umask."""
    before = os.umask(umask)
    try:
        with private_folder() as folder:
            written = folder.write("netrc", "secret \N{SNOWMAN}\n")
            assert mode(folder.path) == 0o700
            assert {mode(written), mode(f"{folder.path}.lock")} == {0o600}
            assert Path(written).read_text(encoding="utf-8") == "secret \N{SNOWMAN}\n"
    finally:
        os.umask(before)


def test_no_room(parent: Path) -> None:
    """Where a folder or a file cannot be made, that is told with what to do, and nothing is left."""
    with (
        private_folder() as folder,
        pytest.raises(CodeArtifactPipenvError, match=r"netrc.* cannot be written: No such file"),
    ):
        folder.write("none/netrc", "secret")
    assert list(parent.iterdir()) == []
    (parent / "plain").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_files, "_temporary_folder", lambda: str(parent / "plain"))
        with pytest.raises(CodeArtifactPipenvError, match="cannot be written") as told:
            sweep()
    assert "TMPDIR" in told.value.hint


def test_gone_after_the_block(parent: Path) -> None:
    """With the block the folder goes, and all that was left in it."""
    with private_folder() as folder:
        Path(folder.path, "requests.txt").write_text("token")
        Path(folder.path, "deep").mkdir()
        assert {path.stem for path in parent.iterdir()} == {Path(folder.path).name}
    assert list(parent.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_gone_after_an_exception(parent: Path, error: type[BaseException]) -> None:
    """An exception, an interruption and an exit take the folder with them."""

    def fail() -> None:
        with private_folder() as folder:
            folder.write("netrc", "token")
            raise error

    with pytest.raises(error):
        fail()
    assert list(parent.iterdir()) == []


def test_two_at_a_time(parent: Path) -> None:
    """Two runs at once do not sweep each other's folder."""
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


def test_living_holder_is_left_alone() -> None:
    """A folder whose process lives is not swept."""
    holder = Holder()
    try:
        sweep()
        assert (holder.path / "netrc").read_text() == "token"
    finally:
        holder.kill_child()
        holder.kill()


def test_killed_holder_is_swept(parent: Path) -> None:
    """What a killed process left is removed by the next run, though a stranger of it lives."""
    holder = Holder()
    holder.kill()
    try:
        assert (holder.path / "netrc").exists()
        sweep()
        assert list(parent.iterdir()) == []
    finally:
        holder.kill_child()


def test_inherited_folder_is_left_alone(parent: Path) -> None:
    """A folder that a living child inherited is swept only after that child."""
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
    """Make what a killed run leaves; return its lock."""
    (parent / RUN).mkdir()
    (parent / RUN / "netrc").write_text("token")
    lock = parent / f"{RUN}.lock"
    lock.touch()
    return lock


def test_run_killed_at_its_birth(parent: Path) -> None:
    """What a run has left that was killed before it made its folder, or wrote into it, is removed."""
    left_by_a_run(parent)
    (parent / f"{RUN[:-1]}0.lock").touch()
    sweep()
    assert list(parent.iterdir()) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can play another user"
)
def test_folder_of_another_user_is_left_alone(parent: Path) -> None:
    """Another user's folder is not swept, even where it could be."""
    os.chown(left_by_a_run(parent), 65534, 65534)
    sweep()
    assert (parent / RUN / "netrc").exists()


def test_links_are_left_alone(parent: Path, tmp_path: Path) -> None:
    """A link in the place of the lock, or of the folder, is not followed."""
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


def test_other_things_are_left_alone(parent: Path) -> None:
    """Files and folders of other names stay, and folders without our lock."""
    for name in ("pipenv-ca-file.lock", "pipenv-ca-0123.lock", f"{RUN}.lock.txt"):
        (parent / name).write_text("x")
    for name in (RUN, "pipenv-ca-file", "pipenv-other"):
        (parent / name).mkdir()
    before = sorted(path.name for path in parent.iterdir())
    sweep()
    assert sorted(path.name for path in parent.iterdir()) == before


def test_links_inside_are_not_followed(parent: Path, tmp_path: Path) -> None:
    """Removing a folder removes a link in it, not what it points to."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").touch()
    with private_folder() as folder:
        Path(folder.path, "link").symlink_to(target)
    assert (target / "precious").exists()
    assert list(parent.iterdir()) == []
