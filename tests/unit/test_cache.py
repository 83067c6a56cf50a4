"""The token cache: a damaged or insecure entry is a miss, and one process renews a token."""

from __future__ import annotations

import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codeartifact_pipenv.auth.authorization_token import (
    AuthorizationToken,
    TokenCache,
    utc_datetime,
)
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import TokenError
from codeartifact_pipenv.report import Report
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.settings import Settings

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


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


INSECURE: dict[str, Callable[[Path], object]] = {
    "of another key": lambda path: path.replace(path.with_name("other.json")),
    "too large": lambda path: path.write_bytes(b" " * 200_000 + path.read_bytes()),
    "group may read": lambda path: path.chmod(0o640),
    "others may read": lambda path: path.chmod(0o604),
    "group may execute": lambda path: path.chmod(0o610),
    "pipe": replace_by_pipe,
    "his file": lambda path: os.chown(path, NOBODY, NOBODY),
    "his folder": lambda path: os.chown(path.parent, NOBODY, NOBODY),
    "folder of everybody": lambda path: path.parent.chmod(0o1777),
}


@posix
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=as_root if "his" in kind else ()) for kind in INSECURE]
)
def test_an_insecure_or_foreign_entry_is_a_miss(kind: str, folder: Path) -> None:
    """The lookup does not wait, and an insecure folder gets no token."""
    cache, path = filled(folder)
    INSECURE[kind](path)
    assert (cache.get("key"), cache.get("other")) == (None, None)
    if "folder" in kind:
        path.unlink()
        cache.put("key", TOKEN)
        assert list(folder.iterdir()) == []


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


def test_an_error_under_the_lock_is_raised_and_the_lock_released(folder: Path) -> None:
    cache = TokenCache(str(folder))
    for _ in range(2):
        with pytest.raises(OSError, match="of the work"), cache.single_flight("key"):
            raise OSError("of the work")


def test_waiters_continue_after_a_timeout_at_different_moments(folder: Path) -> None:
    def wait(began: float) -> float:
        with TokenCache(str(folder), lock_timeout=(0.1, 0.6)).single_flight("key"):
            return time.monotonic() - began

    with TokenCache(str(folder)).single_flight("key"), ThreadPoolExecutor(8) as threads:
        waits = [*threads.map(wait, [time.monotonic()] * 8)]
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


def test_a_refused_token_is_renewed_once_without_a_prompt(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later renewals of the old token return the new one; a refused renewal is an error."""
    monkeypatch.setenv("HOME", str(folder.parent))
    endpoint = endpoint_for(Domain("my-dom", "123456789012", "us-east-1"), "team")
    prompts: list[object] = []

    def ask_aws(domain: Domain, *, may_prompt: bool, **_: object) -> AuthorizationToken:
        if len(prompts) == 2:
            raise TokenError(f"AWS denies a token for {domain}.", "Ask for it.")
        prompts.append(may_prompt)
        now = utc_datetime(time.time())
        times = {"issued_at": now, "expires_at": now + timedelta(hours=1)}
        return AuthorizationToken(f"made-{len(prompts)}", source="AWS", **times)

    environ = {"PIPENV_CA_CACHE_DIR": str(folder)}
    resolver = Resolver(Settings({}, environ), environ, Report(), provider=ask_aws)
    first = resolver.token(endpoint)
    for _ in range(2):
        renewed = resolver.renew(endpoint, first)
        assert renewed is not None
        assert renewed.value == resolver.token(endpoint).value == "made-2"
    assert prompts == [True, False]
    with pytest.raises(TokenError):
        resolver.renew(endpoint, resolver.token(endpoint))
