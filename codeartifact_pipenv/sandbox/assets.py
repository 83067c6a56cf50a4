"""The host that files are downloaded from where the package endpoint redirects: like S3.

Which account's bucket it is outside of us-east-1 is made up, and so is the life of a URL.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.hosts import asset_host

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.answers import Answer
    from codeartifact_pipenv.sandbox.clock import Clock
    from codeartifact_pipenv.sandbox.faults import Faults
    from codeartifact_pipenv.sandbox.hosts import Host
    from codeartifact_pipenv.sandbox.package import File
    from codeartifact_pipenv.sandbox.sending import Sender

_LIFE_SECONDS = 300
_ALGORITHM = "AWS4-HMAC-SHA256"


class Assets:
    """Signs URLs of files, and serves who comes with one, and with nothing else."""

    def __init__(self, clock: Clock, faults: Faults, sender: Sender) -> None:
        self._clock = clock
        self._faults = faults
        self._sender = sender
        self._secret = secrets.token_bytes(32)
        self._files: dict[str, File] = {}
        self._lock = threading.Lock()

    def sign(self, file: File, region: str, method: str) -> str:
        """Return a URL that gives a file to one method, for five minutes."""
        key = sha256(f"{file.path} {file.url} {file.filename}".encode()).hexdigest()
        with self._lock:
            self._files[key] = file
        host, ends_at = asset_host(region), int(self._clock.time()) + _LIFE_SECONDS
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Expires": str(_LIFE_SECONDS),
            "X-Sandbox-Ends": str(ends_at),
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": self._signature(method, host, key, str(ends_at)),
        }
        return f"https://{host}/{key}?{urlencode(query)}"

    def respond(self, request: Request, host: Host, answer: Answer) -> Response:
        """Answer one request."""
        with self._lock:
            file = self._files.get(request.path.lstrip("/"))
        answer.name, answer.places = None if file is None else file.name, ("assets",)
        fault = self._faults.meet(answer.places, answer.name)
        try:
            return self._respond(request, host, file, fault)
        except _RefusalError as refusal:
            body = f"<Error><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message></Error>"
            return Response(body, refusal.status, content_type="application/xml")

    def _respond(
        self, request: Request, host: Host, file: File | None, fault: int | None
    ) -> Response:
        if fault is not None:
            raise _RefusalError(fault, "SlowDown", "Please reduce your request rate.")
        if "Authorization" in request.headers:
            # What S3 says of two ways to prove who asks.
            raise _RefusalError(400, "InvalidArgument", "Only one auth mechanism allowed.")
        key, ends_at = request.path.lstrip("/"), request.args.get("X-Sandbox-Ends", "")
        wanted = self._signature(request.method, host.name, key, ends_at)
        given = request.args.get("X-Amz-Signature", "")
        if file is None or not hmac.compare_digest(given.encode(), wanted.encode()):
            raise _RefusalError(403, "SignatureDoesNotMatch", "The signature does not match.")
        if int(ends_at) <= self._clock.time():
            raise _RefusalError(403, "AccessDenied", "Request has expired")
        return self._sender.send(request, file)

    def _signature(self, *signed: str) -> str:
        return hmac.new(self._secret, "\n".join(signed).encode(), sha256).hexdigest()


class _RefusalError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
