"""The token cache is private, and a damaged or insecure entry is a miss."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codeartifact_pipenv.auth.authorization_token import (
    AuthorizationToken,
    TokenCache,
    utc_datetime,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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


def filled(folder: Path) -> tuple[TokenCache, Path]:
    cache = TokenCache(str(folder))
    cache.put("key", TOKEN)
    (path,) = folder.iterdir()
    assert cache.get("key") is not None
    return cache, path


def assert_cannot_store(cache: TokenCache) -> None:
    """Check that nothing is stored, without an error, and that the work under the lock is done."""
    done = []
    cache.put("key", TOKEN)
    cache.discard("key")
    with cache.single_flight("key"):
        done.append(cache.get("key"))
    assert done == [None]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_stored_token_is_read_back_until_replaced_or_discarded(folder: Path) -> None:
    cache, path = filled(folder)
    kept = TokenCache(str(folder)).get("key")
    assert kept is not None
    assert (kept.value, kept.source) == (TOKEN.value, "cache")
    times = {"issued_at": kept.issued_at, "expires_at": kept.expires_at}
    assert tuple(times.values()) == (TOKEN.issued_at, TOKEN.expires_at)
    assert TokenCache(str(folder)).get("another") is None
    cache.put("key", AuthorizationToken("newer", source="AWS", **times))
    newer = cache.get("key")
    assert newer is not None
    assert newer.value == "newer"
    assert list(folder.iterdir()) == [path]
    cache.discard("key")
    cache.discard("key")
    assert cache.get("key") is None
    assert not path.exists()


@posix
@pytest.mark.parametrize("umask", [0o000, 0o177])
def test_files_and_folder_are_private_with_any_umask(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        cache, path = filled(folder)
        with cache.single_flight("key"):
            pass
    finally:
        os.umask(before)
    assert (mode(folder), mode(path)) == (0o700, 0o600)
    assert [oct(mode(found)) for found in folder.iterdir() if mode(found) & 0o077] == []


@posix
def test_an_existing_folder_keeps_its_mode_and_must_not_be_open_to_all(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    _, path = filled(folder)
    assert (mode(folder), mode(path)) == (0o755, 0o600)
    path.unlink()
    folder.chmod(0o1777)
    assert_cannot_store(TokenCache(str(folder)))
    assert (mode(folder), list(folder.iterdir())) == (0o1777, [])


def test_a_miss_or_a_token_without_known_times_creates_no_folder(folder: Path) -> None:
    assert TokenCache(str(folder)).get("key") is None
    TokenCache(str(folder)).put("key", AuthorizationToken("opaque", source="backend"))
    assert not folder.exists()


@pytest.mark.parametrize("version", [1, "2", None])
def test_an_entry_of_another_version_is_a_miss(folder: Path, version: object) -> None:
    cache, _ = filled(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codeartifact_pipenv.auth.authorization_token._VERSION", version)
        cache.put("key", TOKEN)
        assert cache.get("key") is not None
    assert cache.get("key") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


edits = st.tuples(st.integers(0, 400), st.integers(0, 400), st.binary(max_size=4))


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()) | edits)
@example(b"[" * 60_000)
@example(b"9" * 60_000)
def test_any_other_file_contents_are_a_miss_or_the_same_token(
    contents: bytes | tuple[int, int, bytes],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        cache, path = filled(Path(name) / "cache")
        if isinstance(contents, tuple):
            at, replaced, new = contents
            data = path.read_bytes()
            contents = data[:at] + new + data[at + replaced :]
        path.write_bytes(contents)
        kept = cache.get("key")
        assert kept is None or (kept.value, kept.expires_at) == (TOKEN.value, TOKEN.expires_at)


times = st.just(1_800_000_000.0) | json_values


@given(
    st.fixed_dictionaries(
        {"token": st.just("abc") | json_values, "issued_at": times, "expires_at": times}
    )
)
@example({"token": "abc", "issued_at": None, "expires_at": 1e9})
@example({"token": "abc", "issued_at": 1e9, "expires_at": 10**300})
def test_any_field_values_are_a_token_or_a_miss(document: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as name:
        cache = TokenCache(name)
        cache.write("key", document)
        kept = cache.get("key")
        assert kept is None or kept.value == document["token"]


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "of another key": lambda path: path.replace(path.with_name("other.json")),
    "too large": lambda path: path.write_bytes(b" " * 200_000 + path.read_bytes()),
    "group may read": lambda path: path.chmod(0o640),
    "others may read": lambda path: path.chmod(0o604),
    "group may execute": lambda path: path.chmod(0o610),
    "pipe": replace_by_pipe,
}


@posix
@pytest.mark.parametrize("kind", DAMAGES)
def test_an_insecure_or_foreign_entry_is_a_miss(kind: str, folder: Path) -> None:
    """The lookup does not wait."""
    cache, path = filled(folder)
    DAMAGES[kind](path)
    assert (cache.get("key"), cache.get("other")) == (None, None)


@posix
def test_a_symlinked_file_is_a_miss_and_its_target_unchanged(folder: Path, tmp_path: Path) -> None:
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
def test_a_symlinked_folder_may_hold_the_cache(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    filled(folder)


@posix
def test_a_folder_in_place_of_an_entry_or_its_lock_is_a_miss(folder: Path) -> None:
    """A failed put leaves no temporary file."""
    cache, path = filled(folder)
    path.unlink()
    places = [path, path.with_suffix(".lock")]
    for place in places:
        place.mkdir()
    with cache.single_flight("key"):
        cache.put("key", TOKEN)
        assert cache.get("key") is None
    assert sorted(folder.iterdir()) == places


@as_root
def test_a_file_or_folder_of_another_user_is_not_used(folder: Path) -> None:
    cache, path = filled(folder)
    os.chown(path, NOBODY, NOBODY)
    assert cache.get("key") is None
    path.unlink()
    os.chown(folder, NOBODY, NOBODY)
    assert_cannot_store(cache)
    assert list(folder.iterdir()) == []


def test_nothing_is_stored_without_a_folder_or_below_a_file(folder: Path) -> None:
    folder.write_text("mine")
    for directory in (None, str(folder), str(folder / "below")):
        assert_cannot_store(TokenCache(directory))
    assert folder.read_text() == "mine"


def test_an_error_under_the_lock_is_raised_and_the_lock_released(folder: Path) -> None:
    cache = TokenCache(str(folder))
    for _ in range(2):
        with pytest.raises(OSError, match="of the work"), cache.single_flight("key"):
            raise OSError("of the work")


def test_waiters_continue_after_a_timeout_at_different_moments(folder: Path) -> None:
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


def test_single_flight_locks_each_key_by_itself(folder: Path) -> None:
    cache = TokenCache(str(folder))
    with cache.single_flight("one"), TokenCache(str(folder)).single_flight("two"):
        assert {path.name for path in folder.iterdir()} == {"one.lock", "two.lock"}


def test_the_next_request_removes_the_partial_file_of_a_killed_writer(tmp_path: Path) -> None:
    left, other = tmp_path / ".key.json.12ab.pipenv-ca", tmp_path / ".other.json.12ab.pipenv-ca"
    for path in (left, other):
        path.write_text("half a token")
    with TokenCache(str(tmp_path)).single_flight("key"):
        assert (left.exists(), other.exists()) == (False, True)
