"""Authorization tokens: made in the real shape, valid only if made here."""

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

# Bytes of random matter in the parts after the header: together with it some 1,300 characters.
_ENCRYPTED_KEY, _IV, _CIPHERTEXT, _TAG = 16, 12, 780, 16


class Issued(NamedTuple):
    """What is remembered of a token: its id in the request log, seconds since the epoch, to whom."""

    token_id: str
    domain: Domain
    expires_at: float
    arn: str


class TokenStore:
    """The tokens that this sandbox issued."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, Issued] = {}
        self._lock = threading.Lock()

    def issue(self, domain: Domain, seconds: float, principal: Principal) -> tuple[str, Issued]:
        """Make a token for a domain that lives so many seconds; return its text, too."""
        now = self._clock.time()
        token = _make(now, now + seconds)
        issued = Issued(token_id(token), domain, now + seconds, principal.arn)
        with self._lock:
            self._issued[_digest(token)] = issued
        return token, issued

    def find(self, token: str, domain: Domain | None) -> Issued | None:
        """Return what is known of a token if it opens a domain now."""
        with self._lock:
            issued = self._issued.get(_digest(token))
        if issued is None or issued.domain != domain or issued.expires_at <= self._clock.time():
            return None
        return issued

    def revoke_all(self) -> None:
        """Forget every token that was issued so far."""
        with self._lock:
            self._issued.clear()


def token_id(token: str) -> str:
    """Return the eight characters that name a token in the request log."""
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
