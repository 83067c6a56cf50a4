"""Web identity tokens, as an OIDC provider gives them to a job in CI: made and checked here."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from codeartifact_pipenv.sandbox.clock import Clock

_KEY_BITS = 2048
_PARTS = 3


class TokenRefusedError(Exception):
    """A web identity token cannot be taken.

    Attributes:
        code: STS's error code.
        message: STS's sentence.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Claims(NamedTuple):
    """What a token says.

    Attributes:
        issuer: the provider's host and path, as IAM names it.
        subject: whom it is about.
        audience: whom it is for.
    """

    issuer: str
    subject: str
    audience: str


class WebIdentities:
    """Makes tokens for any issuer, and knows again what it made: no other is taken."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key: RSAPrivateKey | None = None

    def mint(self, subject: str, audience: str, issuer: str, lifetime: float) -> str:
        """Return a signed JWT; see :meth:`Sandbox.web_identity_token`."""
        now = self._clock.time()
        header = {"alg": "RS256", "kid": "sandbox", "typ": "JWT"}
        claims = {
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + lifetime),
            "jti": secrets.token_hex(16),
        }
        signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{_encode(self._sign(signed))}"

    def check(self, token: str) -> Claims:
        """Return what a token says.

        Raises:
            TokenRefusedError: it is no JWT, was not made here, was changed, or has ended.
        """
        claims = _parse(token)
        signed, _, signature = token.rpartition(".")
        if not self._has_signed(signed, signature):
            raise TokenRefusedError(
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider, please reference"
                " AssumeRoleWithWebIdentity documentation for requirements",
            )
        now = int(self._clock.time())
        if claims["exp"] <= now:
            raise TokenRefusedError(
                "ExpiredTokenException",
                f"Token expired: current date/time {now} must be before the expiration date/time"
                f" {claims['exp']}",
            )
        issuer = str(claims["iss"]).removeprefix("https://").rstrip("/")
        return Claims(issuer, str(claims["sub"]), str(claims["aud"]))

    def _sign(self, text: str) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256

        if self._key is None:
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        return self._key.sign(text.encode(), padding.PKCS1v15(), SHA256())

    def _has_signed(self, text: str, signature: str) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.hashes import SHA256

        if self._key is None:
            return False
        try:
            self._key.public_key().verify(
                _decode(signature), text.encode(), padding.PKCS1v15(), SHA256()
            )
        except (InvalidSignature, ValueError):
            return False
        return True


def _parse(token: str) -> dict[str, Any]:
    parts = token.split(".")
    try:
        claims = json.loads(_decode(parts[1])) if len(parts) == _PARTS else None
    except ValueError:
        claims = None
    if not isinstance(claims, dict) or not {"iss", "sub", "aud", "exp"} <= set(claims):
        raise TokenRefusedError(
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an"
            " Access Token)",
        )
    return claims


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
