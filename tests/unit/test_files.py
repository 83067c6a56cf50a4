"""Reading, writing and locking files."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import replacing
from codeartifact_pipenv.files.io import (
    acquire,
    make_private_folder,
    read_bytes,
    read_user_file,
    remove_leftovers,
    write_file,
    write_user_file,
)
from codeartifact_pipenv.files.replacing import Replacement, exchange, replace_together

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="modes, pipes and devices as on POSIX")


@posix
@pytest.mark.parametrize("name", ["pipe", "folder", "link to a device"])
def test_pipes_devices_and_folders_are_not_read(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link to a device").symlink_to("/dev/zero")
    with pytest.raises(ConfigurationError, match="it is not a regular file"):
        read_user_file(str(tmp_path / name))


def test_a_missing_file_is_none_and_one_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read_user_file(str(path)) is None
    path.write_bytes(b"12345")
    assert read_bytes(str(path), 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_bytes(str(path), 4)


@posix
@pytest.mark.parametrize("umask", [0o000, 0o177])
def test_written_files_have_the_right_modes(umask: int, tmp_path: Path) -> None:
    old, new, given = (tmp_path / name for name in ("old", "new", "given"))
    old.write_bytes(b"1")
    old.chmod(0o640)
    before = os.umask(umask)
    try:
        for path in (old, new):
            write_file(str(path), b"2")
        write_file(str(given), b"2", 0o600)
        make_private_folder(str(tmp_path / "a" / "b"))
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (old, new, given)]
    assert modes == [0o640, 0o666 & ~umask, 0o600]
    assert {stat.S_IMODE((tmp_path / p).stat().st_mode) for p in ("a", "a/b")} == {0o700}


@posix
def test_writing_through_a_link_replaces_its_target(tmp_path: Path) -> None:
    target, link, null = tmp_path / "target", tmp_path / "link", tmp_path / "null"
    target.write_bytes(b"1")
    link.symlink_to(target)
    null.symlink_to(os.devnull)
    write_file(str(link), b"2")
    assert link.is_symlink()
    assert target.read_bytes() == b"2"
    with pytest.raises(ConfigurationError, match="cannot be written: it is not a regular file"):
        write_user_file(str(null), b"2")


# Ends the process before the Nth system call of writing a file.
_ENDING = """
import os, sys
from codeartifact_pipenv.files import io
path, before = sys.argv[1], int(sys.argv[2])
calls = 0
def counting(real):
    def call(*args, **kwargs):
        global calls
        if calls == before:
            os._exit(9)
        calls += 1
        return real(*args, **kwargs)
    return call
for name in ("open", "fsync", "fdopen", "chmod", "chown", "stat", "replace", "unlink", "scandir"):
    setattr(os, name, counting(getattr(os, name)))
io.write_file(path, b"new" * 5000)
"""


@posix
def test_a_file_is_old_or_new_wherever_the_writer_ends(tmp_path: Path) -> None:
    path, seen = tmp_path / "Pipfile", []
    for number in range(30):
        path.write_bytes(b"old")
        words = [sys.executable, "-c", _ENDING, str(path), str(number)]
        status = subprocess.run(words, check=False).returncode
        seen.append(path.read_bytes())
        remove_leftovers(str(path))
        assert list(tmp_path.iterdir()) == [path]
        if status == 0:
            break
        assert status == 9
    assert set(seen) == {b"old", b"new" * 5000}
    assert seen == sorted(seen, reverse=True)


@posix
@pytest.mark.parametrize("saves", [1, 2])
def test_a_save_right_before_the_exchange_is_kept(
    saves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    texts = [f"saved {number}" for number in range(saves)]

    def late(one: str, two: str) -> bool:
        if texts:
            other.write_text(texts.pop(0))
            other.replace(path)
        return exchange(one, two)

    path.write_text("before")
    other.write_text("before")
    if not exchange(str(path), str(other)):
        pytest.skip("this system does not swap files")
    monkeypatch.setattr(replacing, "exchange", late)
    replacement = Replacement(str(path), b"before", b"ours", None)
    assert not replace_together([replacement])
    assert path.read_text() == f"saved {saves - 1}"
    other.unlink(missing_ok=True)
    assert replace_together([replacement._replace(before=path.read_bytes())])
    assert path.read_text() == "ours"
    assert os.listdir(tmp_path) == ["file"]


_HOLDER = """
import sys, time
from codeartifact_pipenv.files.io import locked
with locked(sys.argv[1], seconds=None):
    print(flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize(("seconds", "killed"), [(0.0, True), (None, False), (30.0, False)])
def test_lock_is_free_once_it_is_released_or_its_process_killed(
    seconds: float | None, killed: bool, tmp_path: Path
) -> None:
    path, told = str(tmp_path / "lock"), []
    words = [sys.executable, "-c", _HOLDER, path, "60" if killed else "0.3"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        if killed:
            with pytest.raises(TimeoutError):
                acquire(path, seconds=0.1, waiting=lambda: told.append(1))
            assert told == [1]
            other.kill()
            other.wait()
        descriptor = acquire(path, seconds=seconds)
    assert descriptor is not None
    os.close(descriptor)


def test_files_are_replaced_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, held = (str(tmp_path / name) for name in ("old", "new", "held"))
    (tmp_path / "old").write_bytes(b"1")
    really = os.replace

    def replace(source: str, target: str) -> None:
        if target == held:
            raise OSError(13, "it is open", source, None, target)
        really(source, target)

    monkeypatch.setattr(os, "replace", replace)
    befores = {old: b"1", new: None, held: None}
    with pytest.raises(OSError, match="it is open"):
        replace_together([Replacement(path, was, b"2", None) for path, was in befores.items()])
    assert os.listdir(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"1"
