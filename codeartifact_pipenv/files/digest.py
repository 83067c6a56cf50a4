"""SHA-256 for file names, without OpenSSL if possible: loading hashlib takes 2 ms."""

from __future__ import annotations

try:
    from _sha2 import sha256  # type: ignore[import-not-found] # Python 3.12 and later
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found] # until Python 3.11
    except ImportError:
        from hashlib import sha256


def digest(data: bytes) -> str:
    """Return the hex digest of some bytes."""
    found: str = sha256(data).hexdigest()
    return found
