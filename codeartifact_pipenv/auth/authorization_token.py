"""AuthorizationToken: what GetAuthorizationToken returns, with the times in its header."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from codeartifact_pipenv.terminal.redact import MASK

# A token is renewed 15 minutes before its end, as botocore does with credentials, or after half of its
# life if it lives shorter than 30 minutes.
_RENEWAL_WINDOW = 15 * 60.0
# Seconds: an inherited token that expires sooner is too short-lived for a command.
_MIN_REMAINING = 60.0
# The clock may have been set back since a token was stored.
_CLOCK_TOLERANCE = 5 * 60.0
# Sources of tokens that this program obtained.
FROM_AWS, FROM_CACHE = "AWS", "cache"
# Far more than any token has, and less than a variable and a header can hold.
_MAX_CHARACTERS = 64 * 1024
OWN_SOURCES = (FROM_AWS, FROM_CACHE)


class AuthorizationToken:
    """A CodeArtifact authorization token; its text and repr are redacted.

    Attributes:
        value: the secret.
        issued_at: when it was made, aware UTC, or None if unknown.
        expires_at: when it ends, aware UTC, or None if unknown.
        source: where it came from, for messages: ``AWS``, ``cache``, ``the environment``...

    Raises:
        ValueError: the value cannot be a token; the text says why, and does not quote it.
    """

    __slots__ = ("expires_at", "issued_at", "source", "value")

    def __init__(
        self,
        value: object,
        *,
        source: str,
        issued_at: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        # White space would break the files and headers that carry the token.
        if not isinstance(value, str) or not value:
            raise ValueError("it is not a text")
        if not value.isascii() or any(not "!" <= character <= "~" for character in value):
            raise ValueError("it has white space or unusual characters in it")
        if len(value) > _MAX_CHARACTERS:
            raise ValueError(f"it is longer than {_MAX_CHARACTERS} characters")
        self.value = value
        self.source = source
        self.issued_at = issued_at
        self.expires_at = expires_at

    @classmethod
    def from_text(cls, value: str, *, source: str) -> AuthorizationToken:
        """Return a token with the times in its header.

        The first of its five parts is readable JSON with ``isu`` and ``exp`` in seconds
        since the epoch. That is observed, not documented, so a header that cannot be read
        leaves the times None.

        Raises:
            ValueError: as for the class.
        """
        issued_at, expires_at = _times_in_header(value)
        return cls(value, source=source, issued_at=issued_at, expires_at=expires_at)

    def __repr__(self) -> str:
        return f"AuthorizationToken({MASK}, expires_at={self.expires_at}, source={self.source!r})"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("an AuthorizationToken is not pickled: it would be written in clear text")

    def has_expired(self, now: float | None = None) -> bool:
        """Whether it has certainly expired (``now`` in seconds since the epoch; default: the clock)."""
        moment = time.time() if now is None else now
        return self.expires_at is not None and moment >= self.expires_at.timestamp()

    def is_ending(self, now: float | None = None) -> bool:
        """Whether it expires too soon for a command (``now`` as for ``has_expired``)."""
        return self.has_expired((time.time() if now is None else now) + _MIN_REMAINING)

    def is_fresh(self, now: float | None = None) -> bool:
        """Whether it can be used without renewal (``now`` as for ``has_expired``).

        A token whose times are not both known is not fresh.
        """
        if self.issued_at is None or self.expires_at is None:
            return False
        moment = time.time() if now is None else now
        begin, end = self.issued_at.timestamp(), self.expires_at.timestamp()
        window = min((end - begin) / 2, _RENEWAL_WINDOW)
        return begin - _CLOCK_TOLERANCE <= moment < end - window


def utc_datetime(seconds: float) -> datetime:
    """Turn seconds since the epoch into an aware UTC datetime.

    Raises:
        ValueError, OverflowError, OSError: the number is out of range.
    """
    return datetime.fromtimestamp(seconds, tz=timezone.utc)


def describe_duration(seconds: float) -> str:
    """Describe a duration in seconds by its largest unit, such as ``3 hours``."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def _times_in_header(value: str) -> tuple[datetime | None, datetime | None]:
    import base64
    import json

    head, dot, _ = value.partition(".")
    if not dot:
        return None, None
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        return utc_datetime(header["isu"]), utc_datetime(header["exp"])
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return None, None
