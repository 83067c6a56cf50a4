"""Cache tokens between processes, in files that only their owner can read.

Every problem (unreadable, corrupt, another user's, read-only, a newer version's) is a miss. A checksum
covers key and content, because a client would not explain why a damaged token is refused. One process
at a time fetches a token of a key; the others wait for it, up to a limit.
"""

from __future__ import annotations

import contextlib
import json
import os

from codeartifact_pipenv.auth.authorization_token import (
    FROM_CACHE,
    AuthorizationToken,
    utc_datetime,
)
from codeartifact_pipenv.files.writing import (
    acquire,
    check_own_folder,
    digest,
    make_private_folder,
    read_private,
    remove_leftovers,
    write_private_file,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from codeartifact_pipenv.endpoint import Domain

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
