"""The negative cache: it remembers a refusal for seconds, until something changes."""

from __future__ import annotations

import os
import stat
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.auth.authorization_token import TokenCache
from codeartifact_pipenv.auth.negative_cache import NegativeCache
from codeartifact_pipenv.aws.caller import AccessKeys, Caller, TokenRequest
from codeartifact_pipenv.errors import TokenError

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
ASKED = TokenRequest(43200)
ERROR = TokenError("AWS says no.", "Ask somebody.", "token-denied")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return the time, for the negative cache."""
    made = SimpleNamespace(now=NOW)
    monkeypatch.setattr("codeartifact_pipenv.auth.negative_cache.time.time", lambda: made.now)
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the cache, in an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "cache"


@pytest.fixture
def refusals(folder: Path) -> NegativeCache:
    """Return a negative cache that remembers a refusal."""
    found = NegativeCache(TokenCache(str(folder)), {})
    found.put("key", ASKED, ERROR, began=time.time() - 1)
    return found


def remembered(
    refusals: NegativeCache, asked: TokenRequest = ASKED, key: str = "key"
) -> TokenError | None:
    """Return the refusal for a client that asks now and did not wait."""
    return refusals.get(key, asked, requested_at=time.time(), include_recent=True)


@pytest.mark.parametrize(
    ("later", "holds"),
    [(0, True), (9.9, True), (10, False), (-0.1, False)],
)
def test_a_refusal_expires_after_ten_seconds(
    later: float, holds: bool, clock: SimpleNamespace, refusals: NegativeCache
) -> None:
    """A clock that is set back ends it permanently."""
    for moment in (NOW + later, NOW):
        clock.now = moment
        found = remembered(refusals)
        assert (found is not None) == holds
        if found is not None:
            assert (found.args, found.hint, found.code) == (ERROR.args, ERROR.hint, ERROR.code)
    assert remembered(refusals, key="other") is None


@pytest.mark.parametrize(
    ("requested_at", "later", "shared"),
    [
        (NOW - 1, 0, True),
        (NOW - 0.5, 0, False),  # requested during the call: the cause may be fixed by now
        (NOW - 60, 3600, True),  # the queue may take this long
        (NOW - 60, -1, False),
    ],
)
def test_a_refusal_is_shared_with_requests_made_before_the_call(
    requested_at: float, later: float, shared: bool, clock: SimpleNamespace, refusals: NegativeCache
) -> None:
    """The remembered refusal stays for other clients."""
    clock.now = NOW + later
    found = refusals.get("key", ASKED, requested_at=requested_at, include_recent=False)
    assert (found is not None) == shared
    clock.now = NOW
    assert (remembered(refusals) is not None) == (later >= 0)


def test_a_refusal_is_stored_privately_and_without_secrets(folder: Path) -> None:
    token = "eyJ2ZXIiOjEsImlzdSI6MX0.a.b.c.d"
    environ = {"AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_SESSION_TOKEN": "session-secret"}
    asked = ASKED._replace(caller=Caller(keys=AccessKeys("id", "other-secret")))
    error = TokenError(f"Bad {token}.", f"Not {token}.")
    NegativeCache(TokenCache(str(folder)), environ).put("key", asked, error, began=NOW)
    (path,) = folder.iterdir()
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for secret in (token, "very-secret", "session-secret", "other-secret"):
        assert secret not in path.read_text()


@pytest.mark.parametrize(
    "name", ["credentials", "config", *(f"{way}/cache/0.json" for way in ("sso", "login", "cli"))]
)
@pytest.mark.parametrize("was_there", [True, False])
def test_a_login_discards_the_refusal(
    name: str, was_there: bool, folder: Path, request: pytest.FixtureRequest
) -> None:
    path = folder.parent / ".aws" / name
    path.parent.mkdir(parents=True)
    if was_there:
        path.write_text("x")
    refusals = request.getfixturevalue("refusals")
    assert remembered(refusals) is not None
    path.write_text("xx")
    assert remembered(refusals) is None


@pytest.mark.parametrize(
    ("variable", "secret"),
    [("AWS_SECRET_ACCESS_KEY", ""), ("HTTPS_PROXY", ""), ("AWS_CA_BUNDLE", ""), ("OTHER", "b")],
)
@pytest.mark.usefixtures("refusals")
def test_changed_variables_or_keys_discard_the_refusal(
    variable: str, secret: str, folder: Path
) -> None:
    changed = NegativeCache(TokenCache(str(folder)), {variable: "x"})
    keys = AccessKeys("id", secret) if secret else None
    assert remembered(changed, ASKED._replace(caller=Caller(keys=keys))) is None


def test_each_client_reports_a_refusal_once(
    refusals: NegativeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client is a process, or all keyring commands of one parent process."""

    def was_reported() -> bool:
        error = remembered(refusals)
        assert error is not None
        return error.is_reported

    def be(pid: int, parent: int, script: str, *, terminal: bool = False) -> None:
        monkeypatch.setattr(os, "getpid", lambda: pid)
        monkeypatch.setattr(os, "getppid", lambda: parent)
        monkeypatch.setattr(sys, "argv", [script.replace("\\", os.sep), "get"])
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)

    be(os.getpid(), 1, "/usr/bin/pip")
    assert was_reported()
    be(4_000_001, 1, "/usr/bin/pip")
    assert [was_reported(), was_reported()] == [False, True]
    scripts = ("/usr/bin/keyring", "C:\\Scripts\\keyring.exe", "/lib/keyring/__main__.py")
    for parent, script in enumerate(scripts, 5_000_000):
        be(6_000_001, parent, script)
        assert not was_reported()
        be(6_000_002, parent, script)
        assert was_reported()
        be(6_000_003, parent, script, terminal=True)
        assert not was_reported()


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner)),
    max_leaves=4,
)
names = st.sampled_from(["at", "began", "clients", "fingerprint", "sentence", "hint", "code"])


@given(name=names, value=values)
def test_any_field_value_is_a_refusal_or_a_miss(
    name: str, value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = TokenCache(str(tmp_path_factory.mktemp("refusals")))
    refusals = NegativeCache(cache, {})
    refusals.put("key", ASKED, ERROR, began=time.time() - 1)
    document = cache.read("key", ".refused")
    assert document is not None
    cache.write("key", {**document, name: value}, ".refused")
    error = remembered(refusals)
    assert error is None or {type(error.sentence), type(error.hint)} == {str}
