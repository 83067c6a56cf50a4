"""AuthorizationToken hides its secret and knows when it expires."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import traceback
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.auth.authorization_token import (
    AuthorizationToken,
    describe_duration,
    utc_datetime,
)

SECRET = "eyJ2ZXIiOjEsImlzdSI6MX0.a2V5.aXY.c2VjcmV0LWNpcGhlcnRleHQ.dGFn"
NOW = 1_800_000_000.0


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_header(header: object) -> str:
    text = json.dumps(header, separators=(",", ":"))
    return ".".join([encode(text.encode()), "a2V5", "aXY", "Y2lwaGVy", "dGFn"])


def alive(issued: float, life: float) -> AuthorizationToken:
    """Return a token issued this many seconds after NOW, with a lifetime in seconds."""
    issued_at = utc_datetime(NOW + issued)
    return AuthorizationToken(
        SECRET, source="AWS", issued_at=issued_at, expires_at=issued_at + timedelta(seconds=life)
    )


def test_the_text_of_a_token_does_not_show_the_secret() -> None:
    token = AuthorizationToken(SECRET, source="AWS", expires_at=utc_datetime(NOW))
    shown = [
        repr(token),
        str(token),
        f"{token}",
        f"{token!r}",
        format(token),
        "%s %r" % (token, token),  # noqa: UP031 - one of the ways
        str([token]),
        str({"token": token}),
        repr(ValueError(token)),
    ]
    assert [text for text in shown if "eyJ" in text or "c2Vj" in text] == []
    assert "****" in repr(token)
    assert "source='AWS'" in repr(token)


def test_a_traceback_with_local_variables_does_not_show_the_secret() -> None:
    token = alive(0, 43200)

    def use(credential: AuthorizationToken) -> None:
        raise RuntimeError(f"{credential} was refused")

    with pytest.raises(RuntimeError) as caught:
        use(token)
    shown = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    )
    assert "credential = AuthorizationToken(****" in shown
    assert SECRET not in shown


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_token_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(alive(0, 900), protocol)


def test_a_token_cannot_be_copied() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        copy.copy(alive(0, 900))


@pytest.mark.parametrize(
    ("issued", "life", "fresh"),
    [
        (0, 43200, True),
        (-43200 + 901, 43200, True),  # 15 minutes and a second left
        (-43200 + 900, 43200, False),
        (-43200, 43200, False),
        (-50000, 43200, False),
        (-1800 + 901, 1800, True),
        (-449, 900, True),  # a short life: half of it
        (-450, 900, False),
        (0, 900, True),
        (299, 43200, True),  # a clock that is a little behind
        (301, 43200, False),  # issued in the future
        (0, 0, False),
        (0, -10, False),
    ],
)
def test_a_token_is_fresh_until_its_renewal_window(issued: float, life: float, fresh: bool) -> None:
    """The window is 15 minutes, or half of a short lifetime."""
    assert alive(issued, life).is_fresh(NOW) is fresh


@given(st.integers(-100_000, 100_000), st.integers(0, 43200))
def test_a_fresh_token_has_not_expired(issued: int, life: int) -> None:
    """It has more than 15 minutes, or half of its lifetime, left."""
    token = alive(issued, life)
    if token.is_fresh(NOW):
        assert not token.has_expired(NOW)
        assert life + issued > min(life / 2, 900)


@pytest.mark.parametrize(("issued", "over"), [(-899, False), (-900, True), (-2000, True)])
def test_a_token_expires_at_its_end(issued: float, over: bool) -> None:
    assert alive(issued, 900).has_expired(NOW) is over


def test_freshness_and_expiry_use_the_clock_by_default() -> None:
    now = datetime.now(timezone.utc)
    young = AuthorizationToken(
        SECRET, source="x", issued_at=now, expires_at=now + timedelta(hours=12)
    )
    old = AuthorizationToken(SECRET, source="x", issued_at=now, expires_at=now)
    assert (young.is_fresh(), young.has_expired()) == (True, False)
    assert (old.is_fresh(), old.has_expired()) == (False, True)


def test_a_token_with_unknown_times_is_not_fresh() -> None:
    token = AuthorizationToken(SECRET, source="the environment")
    assert not token.is_fresh(NOW)
    assert not token.has_expired(NOW)
    half = AuthorizationToken(SECRET, source="x", expires_at=utc_datetime(NOW + 9999))
    assert not half.is_fresh(NOW)


def test_the_times_of_a_codeartifact_token_are_read_from_its_header() -> None:
    header = {
        "ver": 1,
        "isu": 1603644440,
        "enc": "A128GCM",
        "tag": "eHh4",
        "exp": 1603687640,
        "alg": "A128GCMKW",
        "iv": "eHh4",
    }
    token = AuthorizationToken.from_text(with_header(header), source="the environment")
    assert token.issued_at == datetime(2020, 10, 25, 16, 47, 20, tzinfo=timezone.utc)
    assert token.expires_at == datetime(2020, 10, 26, 4, 47, 20, tzinfo=timezone.utc)
    assert token.value == with_header(header)
    assert token.source == "the environment"


@given(st.integers(0, 4_000_000_000), st.integers(0, 43200))
def test_any_times_in_a_header_are_read_in_utc(issued: int, life: int) -> None:
    token = AuthorizationToken.from_text(
        with_header({"ver": 1, "isu": issued, "exp": issued + life}), source="x"
    )
    assert token.issued_at is not None
    assert token.expires_at is not None
    assert token.issued_at.timestamp() == issued
    assert token.expires_at.timestamp() == issued + life
    assert token.expires_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "opaque",
        "opaque.token",
        "..",
        "eyJ",
        "eyJ.x",
        "=.=",
        "&.x",
        with_header([]),
        with_header("text"),
        with_header({}),
        with_header({"isu": 1}),
        with_header({"isu": "1", "exp": "2"}),
        with_header({"isu": None, "exp": 2}),
        with_header({"isu": 1, "exp": 10**30}),
        with_header({"isu": 1, "exp": float("nan")}),
        with_header({"isu": 1, "exp": float("inf")}),
        f"{encode(b'{' * 9)}.x",
        f"{encode(b'[' * 10_000)}.x",
        f"{encode(bytes([255] * 40))}.x",
        f"{encode(b'9' * 10_000)}.x",
    ],
)
def test_an_unreadable_header_leaves_the_times_unknown(text: str) -> None:
    token = AuthorizationToken.from_text(text, source="x")
    assert (token.issued_at, token.expires_at) == (None, None)
    assert token.value == text


NO_TOKENS = {
    "nothing": "",
    "number": 7,
    "list": ["abc"],
    "line break": "ab\ncd",
    "blank": "ab cd",
    "escape": "ab\x1b[2Jcd",
    "delete": "ab\x7f",
    "letter": "ab\N{LATIN SMALL LETTER E WITH ACUTE}",
    "long": "a" * 10_000_000,
}


@pytest.mark.parametrize("kind", NO_TOKENS)
def test_a_value_that_cannot_be_a_token_is_refused(kind: str) -> None:
    """A token has visible ASCII characters only, and fits into an HTTP header."""
    value: Any = NO_TOKENS[kind]
    makers: list[Any] = [AuthorizationToken]
    makers += [AuthorizationToken.from_text] if isinstance(value, str) else []
    for make in makers:
        with pytest.raises(ValueError, match=r"^it ") as refused:
            make(value, source="x")
        assert not value or str(value)[:9] not in str(refused.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["isu", "exp", "x"]), inner),
    max_leaves=8,
)


@given(
    st.one_of(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
        st.binary().map(lambda data: f"{encode(data)}.x"),
        json_values.map(with_header),
        st.fixed_dictionaries({"isu": json_values, "exp": json_values}).map(with_header),
    )
)
def test_any_printable_text_may_be_a_token(text: str) -> None:
    token = AuthorizationToken.from_text(text, source="x")
    assert (token.issued_at is None) == (token.expires_at is None)
    assert token.has_expired(NOW) in {True, False}
    assert token.is_fresh(NOW) in {True, False}
    assert token.value == text


@pytest.mark.parametrize(
    ("seconds", "description"),
    [
        (0, "less than a minute"),
        (59.9, "less than a minute"),
        (60, "1 minute"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (7200, "2 hours"),
        (86400, "1 day"),
        (864000, "10 days"),
    ],
)
def test_a_duration_is_described_in_its_largest_unit(seconds: float, description: str) -> None:
    assert describe_duration(seconds) == description
