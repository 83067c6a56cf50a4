"""What in a text is a secret by its looks. Pure."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

from codeartifact_pipenv.project.placeholders import placeholder_in
from codeartifact_pipenv.project.sources import userinfo_of
from codeartifact_pipenv.terminal.redact import MASK, redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Beginnings that services give their own tokens, as their documentation of secret scanning
# has them: GitHub, GitLab, AWS access keys, PyPI, npm, Slack, and a CodeArtifact token (a JWE).
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}"
    r"|gl(?:pat|dt|cbt|ptt|rt|oas)-[A-Za-z0-9_-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|pypi-AgE[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{16,}|xox[abpors]-[A-Za-z0-9-]{10,}"
    r"|eyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_.-]+)"
)
_VARIABLES = re.compile(r"(?:\$\w+|\$\{[^}]*\})+")
# What stands where a password would, and is none: the token is the user of such a URL.
_NO_PASSWORDS = {"", "x-oauth-basic", "x"}
_SECRET_PARAMETERS = re.compile(
    r"(?:access|auth|private|api)?[_-]?(?:token|key|password|passwd|secret|sig|signature)",
    re.IGNORECASE,
)
# A token in the place of the user: long, without a mark, and no word.
_USERS = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,}")


def secret_in(text: str) -> str | None:
    """Say what kind of secret a URL, or another text, holds; None where it seems to hold none.

    A variable is none. What is returned is a noun such as ``a password``, never the secret.
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
    """Yield the lines of a text, from 1, on which something looks like a service's token."""
    for match in _TOKENS.finditer(text):
        yield text.count("\n", 0, match.start()) + 1


def mask(text: str) -> str:
    """Return a text with everything masked that ``secret_in`` would tell of."""
    text = redact(_TOKENS.sub(MASK, text))
    text = re.sub(rf"(://){_USERS.pattern}(?=[:@])", rf"\1{MASK}", text)
    return re.sub(
        rf"([?&]{_SECRET_PARAMETERS.pattern}=)(?!\$)[^&#\s\"']+",
        rf"\1{MASK}",
        text,
        flags=re.IGNORECASE,
    )
