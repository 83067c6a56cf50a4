"""An authorization token, and the cache that keeps tokens between commands."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from datetime import datetime, timezone

from codeartifact_pipenv.files.io import (
    acquire,
    check_own_folder,
    digest,
    make_private_folder,
    read_bytes,
    read_private,
    read_text,
    remove_leftovers,
    write_private_file,
)
from codeartifact_pipenv.terminal.redact import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from codeartifact_pipenv.endpoint import Domain

    _Section = tuple[str, str]

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
        if re.search("[^!-~]", value):
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

    head, dot, _ = value.partition(".")
    if not dot:
        return None, None
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        return utc_datetime(header["isu"]), utc_datetime(header["exp"])
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return None, None


# --- the cache -----------------------------------------------------------------------------
# Tokens are kept in files that only their owner can read. Every problem (unreadable, corrupt, another
# user's, read-only, a newer version's) is a miss. A checksum covers key and content, because a client
# would not explain why a damaged token is refused. One process at a time fetches a token of a key; the
# others wait for it, up to a limit.

_VERSION = 2
_SUFFIX = ".json"
_MAXIMUM_BYTES = 64 * 1024


class TokenCache:
    """A folder of tokens, one file for each key.

    Args:
        directory: the folder's path; None disables the cache.
        lock_timeout: the range in seconds of the random time that a process waits for another one's
            call. It is longer than all time-outs and retries together, and random, so that
            waiting processes do not all call at once.
    """

    def __init__(
        self, directory: str | None, lock_timeout: tuple[float, float] = (90.0, 120.0)
    ) -> None:
        self._directory = directory
        self._lock_timeout = lock_timeout

    def get(self, key: str) -> AuthorizationToken | None:
        """Return the cached token of a key, fresh or not, or None for a miss."""
        document = self.read(key)
        try:
            if document is None or not isinstance(document["token"], str):
                return None
            return AuthorizationToken(
                document["token"],
                source=FROM_CACHE,
                issued_at=utc_datetime(document["issued_at"]),
                expires_at=utc_datetime(document["expires_at"]),
            )
        except (OSError, ValueError, TypeError, KeyError, OverflowError):
            return None

    def put(self, key: str, token: AuthorizationToken, domain: Domain | None = None) -> None:
        """Keep a token whose times are both known; ignore a failure.

        The domain is stored with it, so that a logout finds it.
        """
        if token.issued_at is None or token.expires_at is None:
            return
        document = {
            "token": token.value,
            "issued_at": token.issued_at.timestamp(),
            "expires_at": token.expires_at.timestamp(),
            "domain": domain and list(domain),
        }
        self.write(key, document)

    def read(self, key: str, suffix: str = _SUFFIX) -> dict[str, Any] | None:
        """Return the document of a key, or None if it is missing or invalid."""
        if self._directory is None:
            return None
        try:
            document = json.loads(self._read(self._path(key, suffix)))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            return None
        check = document.pop("check", None)
        return document if check == _checksum(key + suffix, document) else None

    def write(self, key: str, document: dict[str, Any], suffix: str = _SUFFIX) -> None:
        """Keep something under a key; ignore a failure."""
        if self._directory is None:
            return
        document = {**document, "version": _VERSION}
        document["check"] = _checksum(key + suffix, document)
        with contextlib.suppress(OSError):
            make_private_folder(self._directory)
            write_private_file(self._path(key, suffix), json.dumps(document).encode())

    def domains(self) -> dict[str, Domain | None]:
        """Return the domain of each token that is kept, by key, or None if unknown."""
        from codeartifact_pipenv.endpoint import Domain

        try:
            names = os.listdir(self._directory or "")
        except OSError:
            return {}
        found: dict[str, Domain | None] = {}
        for key in (name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)):
            document = self.read(key)
            if document is not None and "token" in document:
                domain = document.get("domain")
                found[key] = Domain(*map(str, domain)) if domain else None
        return found

    def discard(self, key: str, suffix: str = _SUFFIX) -> None:
        """Forget what is kept under a key."""
        if self._directory is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path(key, suffix))

    @contextlib.contextmanager
    def single_flight(self, key: str) -> Iterator[None]:
        """Lock a key against other processes; continue without if that fails."""
        if self._directory is None:
            yield
            return
        import random

        held = None
        with contextlib.suppress(OSError):
            make_private_folder(self._directory)
            lock_timeout = random.uniform(*self._lock_timeout)  # noqa: S311 - nothing to guess here
            held = acquire(self._path(key, ".lock"), seconds=lock_timeout)
        if held is not None:  # Only the holder writes this key, so a temporary file is a leftover.
            remove_leftovers(self._path(key), 0.0)
        try:
            yield
        finally:
            if held is not None:
                os.close(held)

    def _read(self, path: str) -> bytes:
        check_own_folder(self._directory or "")
        return read_private(path, _MAXIMUM_BYTES)

    def _path(self, key: str, suffix: str = _SUFFIX) -> str:
        return os.path.join(self._directory or "", key + suffix)


def _checksum(name: str, document: dict[str, Any]) -> str:
    return digest(f"{name} {json.dumps(document, sort_keys=True)}".encode())


# --- the identity for which a token is kept ------------------------------------------------
# One identity must never get another's token. Importing botocore takes longer than the rest of a warm
# start. Instead, this code hashes everything that botocore reads to find the identity
# (botocore.credentials, "configuration and credential file settings" of the AWS CLI user guide). An
# irrelevant change costs one call to AWS; a missing input would give out another identity's token.

# AWS_ variables that do not select the identity: secrets (the key id does), output, details of calls.
_IRRELEVANT = frozenset(
    {
        "AWS_CA_BUNDLE",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_DEFAULT_OUTPUT",
        "AWS_DEFAULT_REGION",
        "AWS_DEFAULTS_MODE",
        "AWS_EXECUTION_ENV",
        "AWS_MAX_ATTEMPTS",
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
        "AWS_METADATA_SERVICE_TIMEOUT",
        "AWS_PAGER",
        "AWS_REGION",
        "AWS_RETRY_MODE",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_EXPIRATION",
        "AWS_SESSION_TOKEN",
        "AWS_STS_REGIONAL_ENDPOINTS",
    }
)
_SECRET_KEYS = frozenset({"aws_secret_access_key", "aws_session_token", "aws_security_token"})
_UNREADABLE = ("", "\0unreadable")
# A profile may name another one to start from, an SSO session, or a set of endpoints.
_REFERENCES = {"source_profile": "profile", "sso_session": "sso-session", "services": "services"}


def fingerprint(environ: Mapping[str, str], profile: str | None) -> list[object]:
    """Return everything that selects the identity, as JSON-able data.

    Args:
        environ: the environment that botocore would see.
        profile: the requested profile, or None for the environment's.
    """
    variables = sorted(
        (name, value)
        for name, value in environ.items()
        if name.startswith("AWS_") and name not in _IRRELEVANT
    )
    # botocore prefers AWS_DEFAULT_PROFILE.
    name = profile or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"
    # Instance and container roles belong to the machine; a home may be shared by several.
    return [profile, variables, _profile_chain(environ, name), _legacy(environ), _machine()]


def _profile_chain(environ: Mapping[str, str], name: str) -> list[object]:
    config = _sections(environ.get("AWS_CONFIG_FILE") or "~/.aws/config", _config_section)
    path = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    credentials = _sections(path, lambda title: ("profile", title))
    chain: list[object] = []
    pending, seen = [("profile", name)], set()
    while pending:
        kind, wanted = pending.pop()
        if (kind, wanted) in seen:
            continue
        seen.add((kind, wanted))
        values = [*config.get((kind, wanted), ()), *credentials.get((kind, wanted), ())]
        chain.append([kind, wanted, *values])
        for line in values:
            key, _, value = line.partition("=")
            if key in _REFERENCES:
                pending.append((_REFERENCES[key], value))
    return [*chain, config.get(_UNREADABLE, ()), credentials.get(_UNREADABLE, ())]


def _sections(path: str, named: Callable[[str], _Section]) -> dict[_Section, list[str]]:
    """Return the lines of each section of a file, by its kind and name."""
    path = os.path.expanduser(os.path.expandvars(path))
    try:
        if os.stat(path).st_size == 0:
            return {}
    except OSError:
        return {}  # most CI jobs do not have one
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(read_text(path))
    except (OSError, ValueError, configparser.Error):
        # botocore will report the error; the bytes still distinguish identities.
        return {_UNREADABLE: [_digest(path)]}
    found: dict[_Section, list[str]] = {}
    for title in parser.sections():
        lines = [f"{k}={v}" for k, v in parser.items(title) if k not in _SECRET_KEYS]
        found.setdefault(named(title), []).extend(lines)
    return found


def _config_section(title: str) -> _Section:
    """Return the kind and the name of a section as botocore.configloader reads its title."""
    if title == "default":
        return "profile", title
    kind = next((kind for kind in _REFERENCES.values() if title.startswith(kind)), "")
    if title.isascii() and title.isprintable() and not {*title} & {*"\"'\\"}:
        words = title.split()
    else:
        import shlex

        try:
            words = shlex.split(title)
        except ValueError:
            words = []
    return (kind, words[1]) if len(words) == 2 else ("", title)  # noqa: PLR2004 - kind and name


def _digest(path: str) -> str:
    try:
        return digest(read_bytes(path))
    except OSError:
        return ""


def _legacy(environ: Mapping[str, str]) -> list[str]:
    # The files of boto 2, which botocore reads after all others (BotoProvider).
    named = environ.get("BOTO_CONFIG")
    paths = ["/etc/boto.cfg", "~/.boto"] if named is None else [named]
    return [_digest(os.path.expanduser(path)) for path in paths]


def _machine() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
