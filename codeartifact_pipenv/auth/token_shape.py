"""Recognise values that are certainly not a token.

AWS does not document the form of its tokens, so an unknown value is used. Only values that are
certainly something else are named. Imported only for inherited tokens.
"""

from __future__ import annotations

import base64
import json
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# No request accepts a longer login.
_LONGEST = 64 * 1024
_LONGEST_PATH = 1024
# Tokens today: five parts, the first of which is JSON (RFC 7516, compact form).
_JWE = r"eyJ[\w-]+(?:\.[\w-]+){4}"
_PARTS = 5
# A signed token (RFC 7515) has three parts and one of these algorithms (RFC 7518).
_SIGNED_PARTS, _SIGNATURES = 3, r"(?:HS|RS|ES|PS)\d{3}|EdDSA|none"
# The authentication tag of an encryption in Galois counter mode has 16 bytes: 22 letters.
_TAG = 22
_COMMAND = "a command as text, which was not run"
_FILE = "the path of a file instead of its content"
# Pattern of the whole text, and its description; the first match wins.
_SHAPES = (
    (
        r"(?i:none|null|nil|undefined|nan|n/a|true|false|0|1|-)",
        "a program's word for an empty value",
    ),
    (
        r"(?i:<.*>|\[.*\]|x{3,}|\*{3,}|\.{3,}|_{3,}|-{3,}|#{3,}|change[-_]?me|to[-_]?do|tbd|"
        r"redacted|masked|placeholder|dummy|"
        r"(?:the|my|your|insert|replace|paste|put|enter|add)[-_ ].{0,40}|"
        r"(?:aws|code[-_]?artifact|access)?[-_ ]?(?:auth(?:orization)?)?[-_ ]?"
        r"(?:token|secret|password))",
        "a placeholder",
    ),
    (
        r"(?i:\$\{?\w+(?::?[-=?+].*)?\}?|%\w+%|\$env:\w+|\$?\{\{.*\}\})",
        "the name of a variable instead of its value",
    ),
    (r"(?:\$\(|`|aws\s+codeartifact\s)[\s\S]*", _COMMAND),
    (r"""(["'])[\s\S]*\1""", "a value in quotation marks, which are part of it here"),
    (
        r"\{[\s\S]*",
        "the whole JSON of `aws codeartifact get-authorization-token`, without --query",
    ),
    (r"[\w+.-]+://[\s\S]*", "a URL"),
    (r"(?i:(?:authorization:\s*)?(?:bearer|basic)\s[\s\S]*)", "the value of an HTTP header"),
    (r"aws:[\s\S]*", "a username and a token, with `aws:` before it"),
    (r"(?:export\s+|set\s+)?[A-Z_][A-Z0-9_]*\s*=\s*\S[\s\S]*", "an assignment, NAME= included"),
    (
        rf"{_JWE}\s+\d[\d.:T+-]+\S*",
        "a token and its expiration, as `--output text` prints without --query",
    ),
    (r"(?:gh[opsur]|github_pat)_\w{36,255}", "a token of GitHub"),
    (r"gl\w{2,6}-[\w.-]{16,}", "a token of GitLab"),
    (r"pypi-[\w-]{16,}", "a token of PyPI"),
    (r"npm_\w{36}", "a token of npm"),
    (r"dckr_pat_[\w-]{16,}", "a token of Docker Hub"),
    (r"xox[a-z]-[\w-]{16,}", "a token of Slack"),
    (r"hf_\w{30,40}", "a token of Hugging Face"),
    (r"A[A-Z]{2}A[A-Z0-9]{16}", "the id of an AWS access key"),
    (r"(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)\S+", "an AWS session token"),
    (
        r"(?=.*[A-Z])(?=.*[a-z])(?=.*\d)(?=.*[/+])[A-Za-z0-9/+]{40}",
        "an AWS secret access key",
    ),
    (r"(?:/|~/|\.{1,2}/|[A-Za-z]:[\\/])\S*", _FILE),
    (
        r"(?i:(?:aws|usage|error|exception|traceback|the config profile|unable to|could not|"
        r"partial credentials|an error occurred|invalid|you must|token has expired|no credentials|"
        r"parameter validation)\b[\s\S]*\s[\s\S]*|[^\n]*: (?:command )?not found[\s\S]*)",
        "a message of a command, such as an error of the AWS CLI",
    ),
)
_OF_AWS = {
    "AWS_ACCESS_KEY_ID": "the id of an AWS access key",
    "AWS_SECRET_ACCESS_KEY": "an AWS secret access key",
    "AWS_SESSION_TOKEN": "an AWS session token",
}


def describe_non_token(value: str, environ: Mapping[str, str]) -> str | None:
    """Say what a text is that surely is not an authorization token.

    Args:
        value: what a variable holds, without blanks around it.
        environ: the environment, whose AWS keys are known.

    Returns:
        What it seems to be, without a part of it; or None if it may be a token.
    """
    if len(value) > _LONGEST:
        return f"a text of {len(value)} characters, which no request can carry"
    if len(value) < _LONGEST_PATH and os.sep in value and os.path.isfile(value):
        return _FILE
    for shape, what in _SHAPES:
        if re.fullmatch(shape, value):
            return what
    for name, what in _OF_AWS.items():
        if value == environ.get(name, "").strip():
            return what
    return _broken(value) or _coded(value) or _cut(value)


def _broken(value: str) -> str | None:
    # It would break the files and headers that it goes into.
    if re.fullmatch(r"[!-~]+", value):
        return None
    if re.fullmatch(_JWE, re.sub(r"\s+", "", value)):
        return "a token that is broken into lines"
    return "a text with spaces or unusual characters"


def _coded(value: str) -> str | None:
    if not re.match(r"ZXlK|YXdzOmV5S", value):
        return None
    try:
        text = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_").decode("ascii")
    except ValueError:
        return None
    found = re.fullmatch(rf"(?:aws:)?{_JWE}\s*", text)
    return "a token that is encoded with base64 again" if found else None


def _cut(value: str) -> str | None:
    """Say that a text is the beginning of a token, or a token of another kind."""
    head, *rest = value.split(".")
    if not head.startswith("eyJ"):
        return None
    text = _decoded(head)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        # (A text in JSON that has no end.)
        unended = not rest and re.match(rb'\{"\w+":', text)
        return "a token that was cut off" if unended else None
    if not isinstance(header, dict):
        return None
    parts = 1 + len(rest)
    if "enc" in header and rest:
        short = str(header["enc"]).endswith("GCM") and len(rest[-1]) < _TAG
        return "a token that was cut off" if parts < _PARTS or (parts == _PARTS and short) else None
    signed = parts == _SIGNED_PARTS and re.fullmatch(_SIGNATURES, str(header.get("alg")))
    return "a signed token (JWT), of another service" if signed else None


def _decoded(head: str) -> bytes:
    # (Of a text that was cut off, as much as makes whole bytes.)
    whole = head[:-1] if len(head) % 4 == 1 else head
    try:
        return base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4))
    except ValueError:
        return b""
