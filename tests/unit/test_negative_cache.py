"""The negative cache: it remembers a refusal for seconds, until something changes."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.auth.authorization_token import TokenCache
from codeartifact_pipenv.auth.negative_cache import NegativeCache
from codeartifact_pipenv.aws.caller import AccessKeys, Caller, TokenRequest
from codeartifact_pipenv.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = 1_800_000_000.0
ASKED = TokenRequest(43200)
ERROR = TokenError("AWS says no.", "Ask somebody.", "token-denied")


class Clock:
    """A clock for the negative cache."""

    now = NOW


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("codeartifact_pipenv.auth.negative_cache.time.time", lambda: made.now)
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the cache, in an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "cache"


def put(refusals: NegativeCache, asked: TokenRequest = ASKED, error: TokenError = ERROR) -> None:
    refusals.put("key", asked, error, began=NOW - 1)


def remembered(
    refusals: NegativeCache, asked: TokenRequest = ASKED, key: str = "key"
) -> TokenError | None:
    """Return the refusal for a client that asks now and did not wait."""
    return refusals.get(key, asked, requested_at=time.time(), include_recent=True)


def error_parts(error: TokenError | None) -> tuple[str, str, str | None] | None:
    return None if error is None else (error.sentence, error.hint, error.code)


@pytest.mark.parametrize(
    ("later", "holds"),
    [(0, True), (9.9, True), (10, False), (3600, False), (-0.1, False), (-3600, False)],
)
def test_a_refusal_expires_after_ten_seconds(
    later: float, holds: bool, clock: Clock, folder: Path
) -> None:
    """A clock that is set back ends it permanently."""
    refusals = NegativeCache(TokenCache(str(folder)), {})
    put(refusals)
    clock.now = NOW + later
    expected = ("AWS says no.", "Ask somebody.", "token-denied") if holds else None
    assert error_parts(remembered(refusals)) == expected
    clock.now = NOW
    assert error_parts(remembered(refusals)) == expected
    assert remembered(refusals, key="other") is None


@pytest.mark.parametrize(
    ("requested_at", "later", "shared"),
    [
        (NOW - 60, 0, True),
        (NOW - 1, 0, True),
        (NOW - 0.5, 0, False),  # requested during the call: the cause may be fixed by now
        (NOW - 60, 3600, True),  # the queue may take this long
        (NOW - 60, -1, False),
    ],
)
def test_a_refusal_is_shared_with_requests_made_before_the_call(
    requested_at: float, later: float, shared: bool, clock: Clock, folder: Path
) -> None:
    """The remembered refusal stays for other clients."""
    refusals = NegativeCache(TokenCache(str(folder)), {})
    put(refusals)
    clock.now = NOW + later
    found = refusals.get("key", ASKED, requested_at=requested_at, include_recent=False)
    assert (found is not None) == shared
    clock.now = NOW
    assert (remembered(refusals) is not None) == (later >= 0)


def test_a_refusal_is_stored_privately(folder: Path) -> None:
    token = "eyJ2ZXIiOjEsImlzdSI6MX0.a.b.c.d"
    environ = {"AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_SESSION_TOKEN": "session-secret"}
    refusals = NegativeCache(TokenCache(str(folder)), environ)
    keys = AccessKeys("id", "other-secret")
    error = TokenError(f"Bad {token}.", f"Not {token}.")
    put(refusals, ASKED._replace(caller=Caller(keys=keys)), error)
    (path,) = folder.iterdir()
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    text = path.read_text()
    for secret in (token, "very-secret", "session-secret", "other-secret"):
        assert secret not in text


def login(name: str) -> Callable[[Path], None]:
    def write(home: Path) -> None:
        path = home / ".aws" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{path.read_text() if path.exists() else ''}x")

    return write


@pytest.mark.parametrize(
    "name",
    [
        "credentials",
        "config",
        "sso/cache/0123.json",
        "login/cache/0123.json",
        "cli/cache/0123.json",
    ],
)
@pytest.mark.parametrize("was_there", [True, False])
def test_a_login_discards_the_refusal(
    name: str, was_there: bool, folder: Path, tmp_path: Path
) -> None:
    repair = login(name)
    if was_there:
        repair(tmp_path)
    refusals = NegativeCache(TokenCache(str(folder)), {})
    put(refusals)
    assert remembered(refusals) is not None
    repair(tmp_path)
    assert remembered(refusals) is None


@pytest.mark.parametrize(
    "variable", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HTTPS_PROXY", "AWS_CA_BUNDLE"]
)
def test_a_changed_variable_discards_the_refusal(variable: str, folder: Path) -> None:
    cache = TokenCache(str(folder))
    put(NegativeCache(cache, {}))
    assert remembered(NegativeCache(cache, {variable: "x"})) is None


def test_changed_keys_discard_the_refusal(folder: Path) -> None:
    refusals = NegativeCache(TokenCache(str(folder)), {})
    put(refusals, ASKED._replace(caller=Caller(keys=AccessKeys("id", "wrong"))))
    assert (
        remembered(refusals, ASKED._replace(caller=Caller(keys=AccessKeys("id", "right")))) is None
    )


def test_each_client_reports_a_refusal_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client is a process, or all keyring commands of one parent process."""
    refusals = NegativeCache(TokenCache(str(folder)), {})

    def was_reported() -> bool:
        error = remembered(refusals)
        assert error is not None
        return error.is_reported

    monkeypatch.setattr(sys, "argv", ["/usr/bin/pip", "install"])
    put(refusals)
    assert was_reported()
    monkeypatch.setattr(os, "getpid", lambda: 4_000_001)
    assert [was_reported(), was_reported()] == [False, True]
    for script in ("/usr/bin/keyring", "C:\\Scripts\\keyring.exe", "/lib/keyring/__main__.py"):
        monkeypatch.setattr(sys, "argv", [script.replace("\\", os.sep), "get"])
        monkeypatch.setattr(os, "getppid", lambda script=script: 5_000_000 + len(script))
        monkeypatch.setattr(os, "getpid", lambda script=script: 6_000_000 + len(script))
        assert not was_reported()
        monkeypatch.setattr(os, "getpid", lambda script=script: 7_000_000 + len(script))
        assert was_reported()
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert not was_reported()
        monkeypatch.setattr(sys.stdout, "isatty", lambda: False)


def test_without_a_folder_nothing_is_remembered(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    for directory in (None, str(blocked / "cache")):
        refusals = NegativeCache(TokenCache(directory), {})
        put(refusals)
        assert remembered(refusals) is None
        refusals.discard("key")


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner)),
    max_leaves=4,
)


@given(
    raw=st.one_of(st.none(), st.binary(max_size=30)),
    name=st.sampled_from(
        ["version", "at", "began", "askers", "witness", "sentence", "hint", "code"]
    ),
    value=values,
)
def test_any_file_contents_never_raise(
    raw: bytes | None, name: str, value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("refusals")
    refusals = NegativeCache(TokenCache(str(folder)), {})
    put(refusals)
    (path,) = folder.iterdir()
    document = json.loads(path.read_bytes())
    path.write_bytes(json.dumps({**document, name: value}).encode() if raw is None else raw)
    error = remembered(refusals)
    assert error is None or {type(error.sentence), type(error.hint)} == {str}
