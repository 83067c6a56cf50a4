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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (TOKEN, "****"),
        (f"token={TOKEN}!", "token=****!"),
        (f'{{"token":"{TOKEN}"}}', '{"token":"****"}'),
        (f"Authorization: Bearer {TOKEN}\r\n", "Authorization: Bearer ****\r\n"),
        (f"{TOKEN} and {TOKEN}", "**** and ****"),
        (f"machine h login aws password {TOKEN}", "machine h login aws password ****"),
        (f"https://{TOKEN}@host/simple", "https://****@host/simple"),
        (f"https://aws:{TOKEN}@host/simple", "https://aws:****@host/simple"),
        (f"https://host/{TOKEN}/simple", "https://host/****/simple"),
        (TOKEN[:40], "****"),
        (f"x{TOKEN}", "x****"),
    ],
)
def test_a_token_is_masked_anywhere_in_a_text(text: str, shown: str) -> None:
    """A truncated token is masked too."""
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Authorization: Basic {LOGIN}", "Authorization: Basic ****"),
        (f"Invalid header value b'Basic {LOGIN}\\n'", "Invalid header value b'Basic ****\\n'"),
        (f"{{'auth': '{LOGIN}'}}", "{'auth': '****'}"),
        ("Basic dTpwYXNzd29yZA==", "Basic ****"),
        (f"SignedHeaders=host, Signature={'0a' * 32}'", "SignedHeaders=host, Signature=****'"),
        (f"'X-Amz-Security-Token': b'{SESSION}'", "'X-Amz-Security-Token': b'****'"),
        (f"x-amz-security-token:{SESSION}\n", "x-amz-security-token:****\n"),
        ("Basic authentication", "Basic authentication"),
        ("a basic password1", "a basic password1"),
    ],
)
def test_a_login_in_a_header_is_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://aws:secret@host/simple", "https://aws:****@host/simple"),
        ("https://:secret@host", "https://:****@host"),
        ("https://u:p@ss:w@host", "https://u:****@host"),
        ("git+https://u:secret@host/x.git", "git+https://u:****@host/x.git"),
        ("a https://u:one@a/ b http://v:two@b/ c", "a https://u:****@a/ b http://v:****@b/ c"),
        ("'https://u:$ecret-x@h'", "'https://u:****@h'"),
        ("https://u:${VAR}secret@h", "https://u:****@h"),
    ],
)
def test_the_password_of_a_url_is_masked_and_the_rest_kept(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://aws:${CODEARTIFACT_AUTH_TOKEN}@host/simple",
        "https://aws:$CODEARTIFACT_AUTH_TOKEN@host/simple",
        "https://aws@host:443/simple",
        "https://host:8080/a@b",
        "mailto:someone@example.com",
        "me@host:path",
        "eyJ and eyJhbGc are short",
        "",
    ],
)
def test_text_without_a_secret_is_not_changed(text: str) -> None:
    """Names of variables are not secrets."""
    assert redact(text) == text


@pytest.mark.parametrize("word", ["a", "a.", "://", "-eyJ", "Basic ", "x-amz-security-token"])
def test_a_text_of_one_long_word_is_processed_within_a_second(word: str) -> None:
    text = word * (100_000 // len(word))
    began = time.process_time()
    assert mask(text).startswith(word[:1])
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("text", ["1https://aws:secret@host", "-git+https://aws:secret@host"])
def test_a_password_is_masked_when_characters_precede_its_url(text: str) -> None:
    assert redact(text) == text.replace("secret", "****")
