"""Masks secrets in a text before it is printed."""

from __future__ import annotations

import re

MASK = "****"

# Patterns as text: most processes that import this module print nothing.
#
# An authorization token is a JWE in compact form (RFC 7516): five base64url parts, the first
# the encoding of a JSON object, so it begins with "eyJ". Fewer parts are masked too: a
# token that a narrow log cut off is still most of a token.
_JWE = r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"
# The value of a Basic header (RFC 7617), which is an encoded password; and encoded "aws:eyJ"
# anywhere.
_BASIC = (
    r"(?P<scheme>\bBasic )(?=[A-Za-z]*[0-9+/=])[A-Za-z0-9+/_-]{8,}=*|YXdzOmV5S[A-Za-z0-9+/_-]{8,}=*"
)
# The signature of a request (SigV4), which anybody can send again for some minutes, and the
# session token of temporary keys.
_SIGNED = r"(?P<signed>\bSignature=)[0-9a-f]{16,}"
_SESSION = r"(?P<session>(?i:x-amz-security-token)\W{1,6}(?:b')?)[A-Za-z0-9+/_-]{16,}=*"
# The password in a URL's userinfo; a variable such as ${NAME} stays readable. The pattern starts
# after the scheme, because searching for the scheme in one long word takes quadratic time.
_USERINFO = r"(?P<head>://[^/\s:@]*:)(?P<secret>[^/\s]+)(?=@)"
_VARIABLE = r"\$\{(?:\w+|\.\.\.)\}|\$\w+"


def redact(text: str) -> str:
    """Mask everything that looks like an authorization token, a login or a URL's password.

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
