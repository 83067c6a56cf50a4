"""No token survives redaction, whatever stands around it."""

from __future__ import annotations

import base64
import json

from hypothesis import assume, example, given
from hypothesis import strategies as st

from codeartifact_pipenv.terminal.redact import MASK, redact


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# As CodeArtifact's: a JWE whose header is compact JSON with letters for keys.
headers = st.fixed_dictionaries(
    {"ver": st.integers(0, 9), "isu": st.integers(0), "exp": st.integers(0)},
    optional={"enc": st.text(), "alg": st.text(), "iv": st.text(), "tag": st.text()},
).map(lambda header: encode(json.dumps(header, separators=(",", ":")).encode()))
tokens = st.builds(
    lambda header, parts: ".".join([header, *parts]),
    headers,
    st.lists(st.binary(min_size=8, max_size=60).map(encode), min_size=4, max_size=4),
)
pieces = st.one_of(
    st.text(),
    st.sampled_from(
        [
            *("https://", "http://aws:", "@", ":", "/", "?", "#", "aws:", "host", " ", "\n", "\t"),
            *(
                "${TOKEN}",
                "$TOKEN",
                "$",
                "{",
                "}",
                "=",
                "'",
                '"',
                "\\",
                "eyJ",
                ".",
                "-",
                "_",
                "****",
            ),
            *(
                "https://u:p@h/",
                "password ",
                "Bearer ",
                "token=",
                "%40",
                "\x1b[31m",
                "eyJabcdefghij",
            ),
        ]
    ),
)
texts = st.lists(pieces, max_size=6).map("".join)


@given(texts, tokens, texts)
def test_no_token_survives(before: str, token: str, after: str) -> None:
    """Neither a token nor any of its parts is left, wherever it stands in a text."""
    shown = redact(before + token + after)
    for part in token.split("."):
        # (A part that the text around holds too is no secret.)
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
def test_no_password_survives(scheme: str, user: str, password: str, host: str) -> None:
    """The password of a URL is masked whatever characters it has."""
    shown = redact(f"see {scheme}://{user}:{password}@{host}/path.")
    assert "sEcReT" not in shown
    assert shown.startswith("see ")
    assert shown.endswith(f"@{host}/path.")


@given(st.text("ABC_abc019", min_size=1), st.booleans())
def test_variables_stay(name: str, braces: bool) -> None:
    """The name of a variable in place of a password is no secret."""
    variable = f"${{{name}}}" if braces else f"${name}"
    text = f"https://aws:{variable}@host/simple/"
    assert redact(text) == text


@given(st.one_of(texts, st.builds("".join, st.lists(st.one_of(pieces, tokens), max_size=5))))
@example("https://aws:$eyJabcdefghij@host/")
def test_idempotent(text: str) -> None:
    """What is masked once is not masked further."""
    assert redact(redact(text)) == redact(text)


@given(st.one_of(st.text(), texts))
def test_other_text_is_unchanged(text: str) -> None:
    """A text that has neither a token nor a URL with userinfo stays as it is."""
    assume("eyJ" not in text)
    assume("://" not in text or "@" not in text)
    assert redact(text) == text
