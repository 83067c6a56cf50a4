"""Remembers for some seconds that AWS refused a token or was not reached, for keyring clients.

Clients ask again at once, often in a new process: pip and uv for the URL and then for the
host, poetry up to five times. The second call gets the first one's
answer without a call to AWS, and its reason is shown once. Commands of this program do not
use a remembered refusal, and a login discards it.

Processes that need a token at the same time wait for one another (cache.single_flight). They
share a refusal if they asked before that call began; otherwise each would try in turn, and the
last would fail minutes later.
"""

from __future__ import annotations

import os
import sys
import time

from codeartifact_pipenv.errors import TokenError
from codeartifact_pipenv.files.io import digest
from codeartifact_pipenv.terminal.redact import redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from codeartifact_pipenv.auth.authorization_token import TokenCache
    from codeartifact_pipenv.aws.caller import TokenRequest

# Seconds: long enough for the repeated calls of one client, too short to hide a repair.
_LIFETIME = 10.0
_SUFFIX = ".refused"
_MAX_CLIENTS = 32
# A repair may change these, beyond the variables and sections that the key is made of:
# variables with secrets and ways to AWS...
_VARIABLES = (
    "AWS_CA_BUNDLE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "HTTPS_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "https_proxy",
    "no_proxy",
)
# ...files, where a variable names them or by default...
_FILES = (
    ("AWS_CONFIG_FILE", "~/.aws/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
)
# ...and the folders of `aws sso login`, `aws login` and assumed roles.
_FOLDERS = (
    ("", "~/.aws/sso/cache"),
    ("AWS_LOGIN_CACHE_DIRECTORY", "~/.aws/login/cache"),
    ("", "~/.aws/cli/cache"),
)


class NegativeCache:
    """Recent refusals, stored with the tokens and as private.

    Args:
        cache: stores the refusals; an invalid entry is ignored.
        environ: botocore's environment.
    """

    def __init__(self, cache: TokenCache, environ: Mapping[str, str]) -> None:
        self._cache = cache
        self._environ = environ

    def get(
        self, key: str, request: TokenRequest, *, requested_at: float, include_recent: bool
    ) -> TokenError | None:
        """Return the recent refusal of a key; ``is_reported`` if this client has read it.

        Args:
            key: the token's key in the cache.
            request: the request to AWS.
            requested_at: when the token was requested, in seconds since 1970; a call that began later
                counts.
            include_recent: whether a refusal of a few seconds ago counts as well.
        """
        document = self._cache.read(key, _SUFFIX)
        if document is None:
            return None
        texts = [document.get(name) for name in ("sentence", "hint", "code")]
        began, at, clients = (document.get(name) for name in ("began", "at", "clients"))
        if (
            not isinstance(began, float)
            or not isinstance(at, float)
            or not isinstance(clients, list)
            or not all(isinstance(text, str) for text in texts)
            or document.get("fingerprint") != self._fingerprint(request)
        ):
            self.discard(key)
            return None
        now = time.time()
        # A clock that was set back does not extend the life.
        is_recent = 0 <= now - at < _LIFETIME
        if not (requested_at <= began <= at <= now or (is_recent and include_recent)):
            if not is_recent:
                self.discard(key)
            return None
        error = TokenError(str(texts[0]), str(texts[1]), str(texts[2]) or None)
        known = _client() in clients
        error.is_reported = known and not (_client().startswith("child") and _has_terminal())
        if not known:
            document["clients"] = [*clients[-_MAX_CLIENTS:], _client()]
            self._cache.write(key, document, _SUFFIX)
        return error

    def put(self, key: str, request: TokenRequest, error: TokenError, *, began: float) -> None:
        """Remember a refusal that this client is about to read.

        Args:
            key: as for ``get``.
            request: as for ``get``.
            error: the refusal.
            began: when the call began, in seconds since 1970.
        """
        document = {
            "began": began,
            "at": time.time(),
            "clients": [_client()],
            "fingerprint": self._fingerprint(request),
            "sentence": redact(error.sentence),
            "hint": redact(error.hint),
            "code": error.code or "",
        }
        self._cache.write(key, document, _SUFFIX)

    def discard(self, key: str) -> None:
        """Forget the refusal of a key."""
        self._cache.discard(key, _SUFFIX)

    def _fingerprint(self, request: TokenRequest) -> str:
        values = [self._environ.get(name, "") for name in _VARIABLES]
        if request.caller.keys is not None:
            values.append(request.caller.keys.secret)
        for path in self._paths(_FILES):
            values += _file_states([path])
        for path in self._paths(_FOLDERS):
            try:
                values += _file_states(
                    sorted(os.path.join(path, name) for name in os.listdir(path))
                )
            except OSError:
                values.append("")
        return digest("\0".join(values).encode("utf-8", "surrogateescape"))

    def _paths(self, places: Iterable[tuple[str, str]]) -> Iterator[str]:
        for variable, usual in places:
            yield os.path.expanduser((variable and self._environ.get(variable)) or usual)


def _file_states(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            yield f"{path} none"
        else:
            yield f"{path} {status.st_mtime_ns} {status.st_size} {status.st_ino}"


def _client() -> str:
    # A client that runs the keyring command is the parent of each process that asks for it;
    # one that imports keyring asks from its own.
    script = sys.argv[0] if sys.argv else ""
    folder, name = os.path.split(script)
    if name.startswith("keyring") or os.path.basename(folder) == "keyring":
        return f"child of {os.getppid()}"
    return f"process {os.getpid()}"


def _has_terminal() -> bool:
    # A client captures the output; on a terminal, a user has typed the command and always sees the reason.
    return sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty()
