"""Tokens never reach a log or a message: the last thing done to any text that is printed."""

from __future__ import annotations

import re

MASK = "****"

# (Patterns as text: most processes that import this print nothing.)
#
# An authorization token is a JWE in compact form (RFC 7516): five base64url parts, the first
# the encoding of a JSON object, so it begins with "eyJ". Fewer parts are masked as well: a
# token cut short by a narrow log is still most of a token.
_JWE = r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"
# What a Basic header says (RFC 7617), which is no more than another spelling of a password; and
# "aws:eyJ" in it wherever it stands.
_BASIC = (
    r"(?P<scheme>\bBasic )(?=[A-Za-z]*[0-9+/=])[A-Za-z0-9+/_-]{8,}=*|YXdzOmV5S[A-Za-z0-9+/_-]{8,}=*"
)
# What AWS takes a signed request by, for some minutes, whoever sends it (SigV4), and the session
# that keys belong to.
_SIGNED = r"(?P<signed>\bSignature=)[0-9a-f]{16,}"
_SESSION = r"(?P<session>(?i:x-amz-security-token)\W{1,6}(?:b')?)[A-Za-z0-9+/_-]{16,}=*"
# The password of a URL's userinfo, variables in it left readable: ${NAME} is not a secret. (From
# the scheme's end: to look for its beginning in one long word takes the square of its length.)
_USERINFO = r"(?P<head>://[^/\s:@]*:)(?P<secret>[^/\s]+)(?=@)"
_VARIABLE = r"\$\{(?:\w+|\.\.\.)\}|\$\w+"


def redact(text: str) -> str:
    """Mask whatever in a text looks like an authorization token, a login or a URL's password.

    Names of variables (``${CODEARTIFACT_AUTH_TOKEN}``) stay as they are.
    """
    text = re.sub(_BASIC, lambda match: f"{match['scheme'] or ''}{MASK}", text)
    text = re.sub(_SIGNED, rf"\g<signed>{MASK}", text)
    text = re.sub(_SESSION, rf"\g<session>{MASK}", text)
    return re.sub(_JWE, MASK, re.sub(_USERINFO, _mask_password, text))


def _mask_password(match: re.Match[str]) -> str:
    secret = match["secret"]
    return match["head"] + (
        secret if re.fullmatch(_VARIABLE, secret) and not re.search(_JWE, secret) else MASK
    )
