"""The token cache is private, and a damaged or insecure entry is a miss."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.auth.authorization_token import (
    AuthorizationToken,
    TokenCache,
    utc_datetime,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
TOKEN = AuthorizationToken(
    "eyJ2ZXIiOjEsImlzdSI6MX0.a.b.c.d",
    source="AWS",
    issued_at=utc_datetime(1_800_000_000.25),
    expires_at=utc_datetime(1_800_043_200.5),
)

posix = pytest.mark.skipif(os.name == "nt", reason="owners and modes are POSIX's")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can play another user"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder that each user of this machine can reach."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def filled(folder: Path) -> tuple[TokenCache, Path]:
    cache = TokenCache(str(folder))
    cache.put("key", TOKEN)
    (path,) = folder.iterdir()
    assert cache.get("key") is not None
    return cache, path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_stored_token_is_read_back(folder: Path) -> None:
    cache, _ = filled(folder)
    kept = TokenCache(str(folder)).get("key")
    assert kept is not None
    assert (kept.value, kept.source) == (TOKEN.value, "cache")
    assert (kept.issued_at, kept.expires_at) == (TOKEN.issued_at, TOKEN.expires_at)
    assert cache.get("another") is None


def test_put_replaces_the_stored_token(folder: Path) -> None:
    cache, _ = filled(folder)
    newer = AuthorizationToken(
        "newer", source="AWS", issued_at=TOKEN.issued_at, expires_at=TOKEN.expires_at
    )
    cache.put("key", newer)
    kept = cache.get("key")
    assert kept is not None
    assert kept.value == "newer"
    assert len(list(folder.iterdir())) == 1


def test_a_discarded_token_is_a_miss(folder: Path) -> None:
    cache, path = filled(folder)
    cache.discard("key")
    cache.discard("key")
    assert cache.get("key") is None
    assert not path.exists()


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177])
def test_files_and_folder_are_private(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        cache, path = filled(folder)
        with cache.single_flight("key"):
            pass
    finally:
        os.umask(before)
    assert mode(folder) == 0o700
    assert mode(path) == 0o600
    assert [oct(mode(found)) for found in folder.iterdir() if mode(found) & 0o077] == []


@posix
def test_an_open_folder_stays_open_and_the_file_is_private(folder: Path) -> None:
    """An existing folder keeps its mode."""
    folder.mkdir(mode=0o755)
    filled(folder)
    assert mode(folder) == 0o755
    assert [mode(path) for path in folder.glob("*.json")] == [0o600]


def test_a_missing_file_is_a_miss(folder: Path) -> None:
    assert TokenCache(str(folder)).get("key") is None
    assert not folder.exists()


def test_a_cache_without_a_directory_stores_nothing() -> None:
    cache = TokenCache(None)
    cache.put("key", TOKEN)
    cache.discard("key")
    with cache.single_flight("key"):
        assert cache.get("key") is None


def test_a_token_without_known_times_is_not_stored(folder: Path) -> None:
    TokenCache(str(folder)).put("key", AuthorizationToken("opaque", source="backend"))
    assert not folder.exists()


@pytest.mark.parametrize("version", [0, 1, 3, "2", None, [2]])
def test_another_version_is_a_miss(folder: Path, version: object) -> None:
    cache, path = filled(folder)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"version": version}))
    assert cache.get("key") is None
    cache.put("key", TOKEN)
    assert cache.get("key") is not None


@pytest.mark.parametrize("name", ["version", "token", "issued_at", "expires_at", "check"])
def test_a_missing_field_is_a_miss(folder: Path, name: str) -> None:
    cache, path = filled(folder)
    document = json.loads(path.read_text())
    del document[name]
    path.write_text(json.dumps(document))
    assert cache.get("key") is None


@pytest.mark.parametrize("length", [0, 1, 20, -1])
def test_a_truncated_file_is_a_miss(folder: Path, length: int) -> None:
    cache, path = filled(folder)
    path.write_bytes(path.read_bytes()[:length])
    assert cache.get("key") is None


@given(st.binary())
def test_any_bytes_are_a_miss(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        cache, path = filled(Path(name) / "cache")
        path.write_bytes(data)
        assert cache.get("key") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
parts = st.fixed_dictionaries(
    {"token": json_values, "issued_at": json_values, "expires_at": json_values}
)


def is_moment(value: object) -> bool:
    if not isinstance(value, (int, float)):
        return False
    try:
        utc_datetime(value)
    except (ValueError, OverflowError, OSError):
        return False
    return True


@given(json_values)
def test_any_json_is_a_miss(document: object) -> None:
    with tempfile.TemporaryDirectory() as name:
        cache, path = filled(Path(name) / "cache")
        path.write_text(json.dumps(document), encoding="utf-8")
        assert cache.get("key") is None


@given(parts)
def test_invalid_field_values_are_a_miss(document: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as name:
        cache = TokenCache(name)
        cache.write("key", document)
        is_token = (
            isinstance(document["token"], str)
            and re.fullmatch(r"[!-~]+", document["token"]) is not None
            and is_moment(document["issued_at"])
            and is_moment(document["expires_at"])
        )
        assert (cache.get("key") is not None) == is_token


@pytest.mark.parametrize("part", ["token", "issued_at", "expires_at"])
def test_a_changed_field_is_a_miss(folder: Path, part: str) -> None:
    cache, path = filled(folder)
    document = json.loads(path.read_text())
    document[part] = "another" if part == "token" else document[part] + 1
    path.write_text(json.dumps(document))
    assert cache.get("key") is None


def test_the_file_of_another_key_is_a_miss(folder: Path) -> None:
    cache, path = filled(folder)
    shutil.copy(path, folder / "other.json")
    assert cache.get("other") is None
    assert cache.get("key") is not None


@pytest.mark.parametrize("data", [b"[" * 60_000, b"9" * 60_000, b" " * 200_000 + b"{}"])
def test_a_huge_or_deep_file_is_a_miss(folder: Path, data: bytes) -> None:
    cache, path = filled(folder)
    path.write_bytes(data)
    assert cache.get("key") is None


@posix
def test_a_symlinked_file_is_a_miss(folder: Path, tmp_path: Path) -> None:
    cache, path = filled(folder)
    target = tmp_path / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    before = target.read_bytes()
    assert cache.get("key") is None
    cache.put("key", TOKEN)
    assert not path.is_symlink()
    assert target.read_bytes() == before


@posix
def test_a_symlinked_folder_is_used(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    TokenCache(str(folder)).put("key", TOKEN)
    found = TokenCache(str(folder)).get("key")
    assert found is not None
    assert found.value == TOKEN.value


@posix
@pytest.mark.parametrize("others", [0o640, 0o604, 0o660, 0o610])
def test_a_file_that_others_may_read_or_write_is_a_miss(folder: Path, others: int) -> None:
    cache, path = filled(folder)
    path.chmod(others)
    assert cache.get("key") is None


@posix
def test_a_folder_or_pipe_in_place_of_a_file_is_a_miss(folder: Path) -> None:
    """The lookup does not wait, and put does not raise."""
    cache, path = filled(folder)
    path.unlink()
    path.mkdir()
    assert cache.get("key") is None
    cache.put("key", TOKEN)
    assert cache.get("key") is None
    path.rmdir()
    os.mkfifo(path, 0o600)
    assert cache.get("key") is None


@as_root
def test_the_file_of_another_user_is_a_miss(folder: Path) -> None:
    cache, path = filled(folder)
    os.chown(path, NOBODY, NOBODY)
    assert cache.get("key") is None


@as_root
def test_nothing_is_stored_in_the_folder_of_another_user(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    TokenCache(str(folder)).put("key", TOKEN)
    assert list(folder.iterdir()) == []


@as_root
def test_a_folder_that_cannot_be_created_is_a_miss(open_folder: Path) -> None:
    """The work under the lock is done."""
    cache = TokenCache(str(open_folder / "cache"))
    done = []
    with as_nobody():
        cache.put("key", TOKEN)
        cache.discard("key")
        assert cache.get("key") is None
        with cache.single_flight("key"):
            done.append("once")
    assert done == ["once"]
    assert list(open_folder.iterdir()) == []


@as_root
def test_a_folder_owned_by_another_user_is_not_used_or_changed(open_folder: Path) -> None:
    cache, path = filled(open_folder / "cache")
    path.parent.chmod(0o755)
    with as_nobody():
        cache.put("key", TOKEN)
        assert cache.get("key") is None
        with cache.single_flight("key"):
            pass
    assert mode(path.parent) == 0o755
    assert list(path.parent.iterdir()) == [path]


def test_a_file_in_place_of_the_folder_stores_nothing(folder: Path) -> None:
    """The file, or a file above the folder, is not changed."""
    folder.write_text("mine")
    for path in (folder, folder / "below"):
        cache = TokenCache(str(path))
        cache.put("key", TOKEN)
        cache.discard("key")
        assert cache.get("key") is None
        with cache.single_flight("key"):
            pass
    assert folder.read_text() == "mine"


def test_a_failed_put_leaves_no_temporary_file(folder: Path) -> None:
    cache, path = filled(folder)
    path.unlink()
    path.mkdir()
    cache.put("key", TOKEN)
    assert list(folder.iterdir()) == [path]


def test_an_error_under_the_lock_is_raised_and_the_lock_released(folder: Path) -> None:
    cache = TokenCache(str(folder))
    for _ in range(2):
        with pytest.raises(OSError, match="of the work"), cache.single_flight("key"):
            raise OSError("of the work")


_WORK = """
import sys, time
from codeartifact_pipenv.auth.authorization_token import TokenCache
folder, log = sys.argv[1:]
with TokenCache(folder).single_flight("key"):
    with open(log, "a") as file:
        file.write("in\\n")
    time.sleep(0.03)
    with open(log, "a") as file:
        file.write("out\\n")
"""


def test_single_flight_excludes_other_processes(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [
        subprocess.Popen([sys.executable, "-c", _WORK, str(folder), str(log)]) for _ in range(6)
    ]
    assert [process.wait(timeout=30) for process in processes] == [0] * 6
    assert log.read_text().split() == ["in", "out"] * 6


def test_waiting_for_the_lock_is_limited(folder: Path) -> None:
    """Waiters continue after a timeout, at different moments."""
    waits = []

    def wait() -> None:
        began = time.monotonic()
        with TokenCache(str(folder), lock_timeout=(0.1, 0.6)).single_flight("key"):
            waits.append(time.monotonic() - began)

    with TokenCache(str(folder)).single_flight("key"):
        threads = [Thread(target=wait) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(waits) == 8
    assert min(waits) >= 0.1
    assert max(waits) - min(waits) > 0.1


def test_single_flight_is_per_key(folder: Path) -> None:
    cache = TokenCache(str(folder))
    done = []
    with cache.single_flight("one"), TokenCache(str(folder)).single_flight("two"):
        done.append("both")
    assert done == ["both"]


def test_the_lock_is_released_at_the_end(folder: Path) -> None:
    for _ in range(3):
        with TokenCache(str(folder)).single_flight("key"):
            assert TokenCache(str(folder)).get("key") is None


def test_the_next_request_removes_the_partial_file_of_a_killed_writer(tmp_path: Path) -> None:
    cache = TokenCache(str(tmp_path))
    left, other = tmp_path / ".key.json.12ab.pipenv-ca", tmp_path / ".other.json.12ab.pipenv-ca"
    for path in (left, other):
        path.write_text("half a token")
    with cache.single_flight("key"):
        assert not left.exists()
    assert other.exists()
