"""What is masked before anything is printed, and what is left readable."""

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
def test_tokens(text: str, shown: str) -> None:
    """A token is masked wherever it stands, also when it is cut short."""
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
def test_logins(text: str, shown: str) -> None:
    """A login is masked in the form that a header has it in."""
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
def test_passwords_of_urls(text: str, shown: str) -> None:
    """The password of a URL is masked, its user and host stay."""
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
def test_readable(text: str) -> None:
    """Names of variables, and what is no secret, are not touched."""
    assert redact(text) == text


@pytest.mark.parametrize("word", ["a", "a.", "://", "-eyJ", "Basic ", "x-amz-security-token"])
def test_long_words(word: str) -> None:
    """A text of one long word, such as a name in somebody's Pipfile, is read in no time."""
    text = word * (100_000 // len(word))
    began = time.process_time()
    assert mask(text).startswith(word[:1])
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("text", ["1https://aws:secret@host", "-git+https://aws:secret@host"])
def test_what_stands_before_a_url(text: str) -> None:
    """A password is masked whatever stands before its URL."""
    assert redact(text) == text.replace("secret", "****")
