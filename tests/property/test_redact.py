"""Redaction masks each token, in any text."""

from __future__ import annotations

import base64
import json

from hypothesis import assume, example, given
from hypothesis import strategies as st

from codeartifact_pipenv.terminal.redact import MASK, redact


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# CodeArtifact tokens are JWEs; the header is compact JSON.
headers = st.fixed_dictionaries(
    {"ver": st.integers(0, 9), "isu": st.integers(0), "exp": st.integers(0)},
    optional={"enc": st.text(), "alg": st.text(), "iv": st.text(), "tag": st.text()},
).map(lambda header: encode(json.dumps(header, separators=(",", ":")).encode()))
tokens = st.builds(
    lambda header, parts: ".".join([header, *parts]),
    headers,
    st.lists(st.binary(min_size=8, max_size=60).map(encode), min_size=4, max_size=4),
)
pieces = st.text() | st.sampled_from(
    [
        *("https://", "http://aws:", "@", ":", "/", "?", "#", "aws:", "host", " ", "\n", "\t"),
        *("${TOKEN}", "$TOKEN", "$", "{", "}", "=", "'", '"', "\\", "eyJ", ".", "-", "_", "****"),
        *("https://u:p@h/", "password ", "Bearer ", "token=", "%40", "\x1b[31m", "eyJabcdefghij"),
    ]
)
texts = st.lists(pieces, max_size=6).map("".join)


@given(texts, tokens, texts)
def test_each_part_of_a_token_is_masked_in_any_text(before: str, token: str, after: str) -> None:
    shown = redact(before + token + after)
    for part in token.split("."):
        # A part that also occurs in the text around it is not a secret.
        assume(part not in before + after)
        assert part not in shown
    assert MASK in shown


@given(
    st.sampled_from(["https", "http", "git+ssh", "HTTPS"]),
    st.text("abcXYZ019-_.%${}", max_size=8),
    st.text(st.characters(exclude_characters="/", exclude_categories=["Z", "C"]), min_size=1).map(
        lambda text: f"sEcReT{text}"
    ),
    st.text("abc.019", min_size=1),
)
def test_a_url_password_of_any_characters_is_masked(
    scheme: str, user: str, password: str, host: str
) -> None:
    shown = redact(f"see {scheme}://{user}:{password}@{host}/path.")
    assert "sEcReT" not in shown
    assert shown.startswith("see ")
    assert shown.endswith(f"@{host}/path.")


@given(st.text("ABC_abc019", min_size=1), st.booleans())
def test_a_variable_in_place_of_a_password_is_not_masked(name: str, braces: bool) -> None:
    variable = f"${{{name}}}" if braces else f"${name}"
    text = f"https://aws:{variable}@host/simple/"
    assert redact(text) == text


@given(st.one_of(texts, st.builds("".join, st.lists(st.one_of(pieces, tokens), max_size=5))))
@example("https://aws:$eyJabcdefghij@host/")
def test_masking_twice_equals_masking_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.one_of(st.text(), texts))
def test_text_without_a_token_or_userinfo_is_unchanged(text: str) -> None:
    assume("eyJ" not in text)
    assume("://" not in text or "@" not in text)
    assert redact(text) == text
