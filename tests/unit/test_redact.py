"""Secrets are masked before anything is printed; other text stays readable."""

from __future__ import annotations

import base64
import time

import pytest

from codeartifact_pipenv.checks.files.secrets import mask
from codeartifact_pipenv.terminal.redact import redact

TOKEN = "eyJ2ZXIiOjEsImlzdSI6MTYwMzY0NDQ0MH0.dGhlLWtleQ.aXY-_w.Y2lwaGVydGV4dA.dGFn"
SESSION = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJ=="
LOGIN = base64.b64encode(f"aws:{TOKEN}".encode()).decode()


# The pipe marks what is masked.
MASKED = [
    *(f"|{TOKEN}|", f"token=|{TOKEN}|!", f'{{"token":"|{TOKEN}|"}}', f"|{TOKEN}| and |{TOKEN}|"),
    *(f"Authorization: Bearer |{TOKEN}|\r\n", f"machine h login aws password |{TOKEN}|"),
    *(f"https://|{TOKEN}|@host/simple", f"https://aws:|{TOKEN}|@host/simple"),
    *(f"https://host/|{TOKEN}|/simple", f"|{TOKEN[:40]}|", f"x|{TOKEN}|"),
    *(f"Authorization: Basic |{LOGIN}|", f"Invalid header value b'Basic |{LOGIN}|\\n'"),
    *(f"{{'auth': '|{LOGIN}|'}}", "Basic |dTpwYXNzd29yZA==|"),
    f"SignedHeaders=host, Signature=|{'0a' * 32}|'",
    *(f"'X-Amz-Security-Token': b'|{SESSION}|'", f"x-amz-security-token:|{SESSION}|\n"),
    *("https://aws:|secret|@host/simple", "https://:|secret|@host", "https://u:|p@ss:w|@host"),
    "git+https://u:|secret|@host/x.git",
    "a https://u:|one|@a/ b http://v:|two|@b/ c",
    *("'https://u:|$ecret-x|@h'", "https://u:|${VAR}secret|@h"),
    *("1https://aws:|secret|@host", "-git+https://aws:|secret|@host"),
]


@pytest.mark.parametrize("text", MASKED, ids=range(len(MASKED)))
def test_a_secret_is_masked_anywhere_and_the_rest_kept(text: str) -> None:
    parts = text.split("|")
    assert redact("".join(parts)) == "".join(
        p if n % 2 == 0 else "****" for n, p in enumerate(parts)
    )


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
