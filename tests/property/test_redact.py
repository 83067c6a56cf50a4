"""Redaction masks each secret before anything is printed; other text stays readable."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codeartifact_pipenv.checks.files.secrets import mask
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


@given(st.one_of(st.text(), texts))
def test_text_without_a_token_or_userinfo_is_unchanged(text: str) -> None:
    assume("eyJ" not in text)
    assume("://" not in text or "@" not in text)
    assert redact(text) == text


TOKEN = "eyJ2ZXIiOjEsImlzdSI6MTYwMzY0NDQ0MH0.dGhlLWtleQ.aXY-_w.Y2lwaGVydGV4dA.dGFn"
SESSION = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJ=="
LOGIN = base64.b64encode(f"aws:{TOKEN}".encode()).decode()
# The pipe marks what is masked.
MASKED = [
    *(f'{{"token":"|{TOKEN}|"}}', f"Authorization: Bearer |{TOKEN}|\r\n", f"|{TOKEN[:40]}|"),
    *(f"https://|{TOKEN}|@host/simple", f"https://host/|{TOKEN}|/simple", f"x|{TOKEN}|"),
    *(f"Invalid header value b'Basic |{LOGIN}|\\n'", f"{{'auth': '|{LOGIN}|'}}"),
    *("Basic |dTpwYXNzd29yZA==|", f"SignedHeaders=host, Signature=|{'0a' * 32}|'"),
    *(f"'X-Amz-Security-Token': b'|{SESSION}|'", f"x-amz-security-token:|{SESSION}|\n"),
    *("https://:|secret|@host", "https://u:|p@ss:w|@host", "-git+https://u:|secret|@host/x.git"),
    *("a https://u:|one|@a/ b http://v:|two|@b/ c", "1https://aws:|secret|@host"),
    *("'https://u:|$ecret-x|@h'", "https://u:|${VAR}secret|@h"),
]


@pytest.mark.parametrize("text", MASKED, ids=range(len(MASKED)))
def test_a_secret_is_masked_anywhere_and_the_rest_kept(text: str) -> None:
    parts = text.split("|")
    expected = (part if n % 2 == 0 else MASK for n, part in enumerate(parts))
    assert redact("".join(parts)) == "".join(expected)


@pytest.mark.parametrize(
    "text",
    [
        "https://aws:${CODEARTIFACT_AUTH_TOKEN}@host/simple",
        "https://aws:$CODEARTIFACT_AUTH_TOKEN@host/simple",
        *("https://aws@host:443/simple", "https://host:8080/a@b", "mailto:someone@example.com"),
        *("me@host:path", "eyJ and eyJhbGc are short", "", "Basic authentication"),
        "a basic password1",
    ],
)
def test_text_without_a_secret_is_not_changed(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("word", ["a", "a.", "://", "-eyJ", "Basic ", "x-amz-security-token"])
def test_a_text_of_one_long_word_is_processed_within_a_second(word: str) -> None:
    text = word * (100_000 // len(word))
    began = time.process_time()
    assert mask(text).startswith(word[:1])
    assert time.process_time() - began < 1.0
