"""Recognise and mask secrets in a text. Pure."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

from codeartifact_pipenv.project.placeholders import placeholder_in
from codeartifact_pipenv.project.sources import userinfo_of
from codeartifact_pipenv.terminal.redact import MASK, redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Prefixes of tokens, from the services' documentation of secret scanning: GitHub, GitLab, AWS
# access keys, PyPI, npm, Slack, and a CodeArtifact token (a JWE).
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}"
    r"|gl(?:pat|dt|cbt|ptt|rt|oas)-[A-Za-z0-9_-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|pypi-AgE[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{16,}|xox[abpors]-[A-Za-z0-9-]{10,}"
    r"|eyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_.-]+)"
)
_VARIABLES = re.compile(r"(?:\$\w+|\$\{[^}]*\})+")
# Passwords that are placeholders: the token is the user name of such a URL.
_NO_PASSWORDS = {"", "x-oauth-basic", "x"}
_SECRET_PARAMETERS = re.compile(
    r"(?:access|auth|private|api)?[_-]?(?:token|key|password|passwd|secret|sig|signature)",
    re.IGNORECASE,
)
# A token as the user name: long, letters and digits only, and with a digit.
_USERS = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,}")


def secret_in(text: str) -> str | None:
    """Return the kind of secret in a URL or another text, such as ``a password``.

    Returns:
        None if no secret is found; a variable is not a secret.
    """
    userinfo = userinfo_of(text) if "://" in text else None
    if userinfo is not None and not placeholder_in(text):
        username, _, password = userinfo.partition(":")
        if _TOKENS.search(unquote(userinfo)) or _USERS.fullmatch(username):
            return "a token"
        if password not in _NO_PASSWORDS and not _VARIABLES.fullmatch(password):
            return "a password"
    if _TOKENS.search(text):
        return "a token"
    query = text.partition("?")[2].partition("#")[0] if "://" in text else ""
    for name, value in parse_qsl(query):
        if _SECRET_PARAMETERS.fullmatch(name) and not _VARIABLES.fullmatch(value):
            return f"a secret ({name})"
    return None


def tokens_in(text: str) -> Iterator[int]:
    """Yield the numbers, from 1, of the lines that seem to contain a token."""
    for match in _TOKENS.finditer(text):
        yield text.count("\n", 0, match.start()) + 1


def mask(text: str) -> str:
    """Mask all secrets in a text that ``secret_in`` would find."""
    text = redact(_TOKENS.sub(MASK, text))
    text = re.sub(rf"(://){_USERS.pattern}(?=[:@])", rf"\1{MASK}", text)
    return re.sub(
        rf"([?&]{_SECRET_PARAMETERS.pattern}=)(?!\$)[^&#\s\"']+",
        rf"\1{MASK}",
        text,
        flags=re.IGNORECASE,
    )
