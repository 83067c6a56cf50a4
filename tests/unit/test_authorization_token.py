"""AuthorizationToken hides its secret and knows when it expires."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
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
    return f"{encode(json.dumps(header).encode())}.a2V5.aXY.Y2lwaGVy.dGFn"


def alive(issued: float, life: float, now: float = NOW) -> AuthorizationToken:
    """Return a token issued this many seconds after now, with a lifetime in seconds."""
    issued_at = utc_datetime(now + issued)
    end = issued_at + timedelta(seconds=life)
    return AuthorizationToken(SECRET, source="AWS", issued_at=issued_at, expires_at=end)


def test_the_text_of_a_token_does_not_show_the_secret() -> None:
    token = alive(0, 900)
    shown = [repr(token), str(token), f"{token}", f"{token!r}", format(token)]
    shown += [str([token]), str({"token": token}), repr(ValueError(token))]
    shown += ["%s %r" % (token, token)]  # noqa: UP031 - one of the ways
    assert [text for text in shown if "eyJ" in text or "c2Vj" in text] == []
    assert "source='AWS'" in repr(token)


def test_a_token_cannot_be_pickled_or_copied() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(alive(0, 900), protocol)
    with pytest.raises(TypeError, match="not pickled"):
        copy.copy(alive(0, 900))


@pytest.mark.parametrize(
    ("issued", "life", "fresh"),
    [
        (-43200 + 901, 43200, True),  # 15 minutes and a second left
        (-43200 + 900, 43200, False),
        (-449, 900, True),  # a short life: half of it
        (-450, 900, False),
        (299, 43200, True),  # a clock that is a little behind
        (301, 43200, False),  # issued in the future
        (0, 0, False),
    ],
)
def test_a_token_is_fresh_until_its_renewal_window(issued: float, life: float, fresh: bool) -> None:
    assert alive(issued, life).is_fresh(NOW) is fresh


@pytest.mark.parametrize(("issued", "over"), [(-899, False), (-900, True)])
def test_a_token_expires_at_its_end(issued: float, over: bool) -> None:
    assert alive(issued, 900).has_expired(NOW) is over
    now = datetime.now(timezone.utc).timestamp()  # by default
    assert alive(issued, 900, now).has_expired() is over


def test_a_token_with_an_unknown_time_is_not_fresh() -> None:
    token = AuthorizationToken(SECRET, source="the environment")
    assert (token.is_fresh(NOW), token.has_expired(NOW)) == (False, False)
    half = AuthorizationToken(SECRET, source="x", expires_at=utc_datetime(NOW + 9999))
    assert not half.is_fresh(NOW)


@given(st.integers(0, 4_000_000_000), st.integers(0, 43200))
def test_the_times_of_a_token_are_read_from_its_header_in_utc(issued: int, life: int) -> None:
    header = {"ver": 1, "isu": issued, "enc": "A128GCM", "tag": "eHh4", "exp": issued + life}
    text = with_header({**header, "alg": "A128GCMKW", "iv": "eHh4"})
    token = AuthorizationToken.from_text(text, source="the environment")
    assert token.issued_at == datetime.fromtimestamp(issued, timezone.utc)
    assert token.expires_at == datetime.fromtimestamp(issued + life, timezone.utc)
    assert token.expires_at.utcoffset() == timedelta(0)
    assert (token.value, token.source) == (text, "the environment")


@pytest.mark.parametrize(
    "value",
    ["", 7, ["abc"], *(f"ab{mark}cd" for mark in "\n \x1b\x7f\xe9"), "a" * 10_000_000],
    ids=lambda value: repr(value)[:9],
)
def test_a_value_that_cannot_be_a_token_is_refused(value: object) -> None:
    """A token has visible ASCII characters only, and fits into an HTTP header."""
    with pytest.raises(ValueError, match=r"^it ") as refused:
        AuthorizationToken(value, source="x")
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
@example("&.x")
@example(with_header({"isu": 1, "exp": 10**30}))
@example(f"{encode(b'[' * 10_000)}.x")
@example(f"{encode(b'9' * 10_000)}.x")
def test_any_printable_text_may_be_a_token(text: str) -> None:
    token = AuthorizationToken.from_text(text, source="x")
    assert (token.issued_at is None) == (token.expires_at is None)
    assert token.has_expired(NOW) in {True, False}
    assert token.is_fresh(NOW) in {True, False}
    assert token.value == text


def test_a_duration_is_described_in_its_largest_unit() -> None:
    described = [describe_duration(seconds) for seconds in (59.9, 60, 7199, 864000)]
    assert described == ["less than a minute", "1 minute", "1 hour", "10 days"]
