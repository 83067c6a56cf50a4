"""Authorization tokens in the shape of real ones."""

from __future__ import annotations

import json
import secrets
import threading
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.sandbox.clock import Clock
    from codeartifact_pipenv.sandbox.signature import Principal

# Random bytes in the parts after the header; a token has some 1,300 characters.
_ENCRYPTED_KEY, _IV, _CIPHERTEXT, _TAG = 16, 12, 780, 16


class IssuedToken(NamedTuple):
    """A token's record: its id, its domain, its expiry in seconds since the epoch, and its caller."""

    token_id: str
    domain: Domain
    expires_at: float
    arn: str


class TokenStore:
    """The tokens issued by a sandbox."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, IssuedToken] = {}
        self._lock = threading.Lock()

    def issue(
        self, domain: Domain, seconds: float, principal: Principal
    ) -> tuple[str, IssuedToken]:
        """Issue a token for a domain with a lifetime in seconds; return its text and record."""
        now = self._clock.time()
        token = _make(now, now + seconds)
        issued = IssuedToken(token_id(token), domain, now + seconds, principal.arn)
        with self._lock:
            self._issued[_digest(token)] = issued
        return token, issued

    def find(self, token: str, domain: Domain | None) -> IssuedToken | None:
        """Return the record of a token if it is valid for a domain now."""
        with self._lock:
            issued = self._issued.get(_digest(token))
        if issued is None or issued.domain != domain or issued.expires_at <= self._clock.time():
            return None
        return issued

    def revoke_all(self) -> None:
        """Invalidate all tokens issued so far."""
        with self._lock:
            self._issued.clear()


def token_id(token: str) -> str:
    """Return the eight-character id of a token in the request log."""
    return _digest(token)[:8]


def _make(issued_at: float, expires_at: float) -> str:
    header = {
        "ver": 1,
        "isu": int(issued_at),
        "enc": "A128GCM",
        "tag": secrets.token_urlsafe(_TAG),
        "exp": int(expires_at),
        "alg": "A128GCMKW",
        "iv": secrets.token_urlsafe(_IV),
    }
    first = urlsafe_b64encode(json.dumps(header, separators=(",", ":")).encode()).rstrip(b"=")
    sizes = (_ENCRYPTED_KEY, _IV, _CIPHERTEXT, _TAG)
    return ".".join([first.decode(), *map(secrets.token_urlsafe, sizes)])


def _digest(token: str) -> str:
    return sha256(token.encode(errors="surrogateescape")).hexdigest()
