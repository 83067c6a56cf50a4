"""A door to a running sandbox for programs in any language: HTTP with JSON, on loopback.

============================= =====================================================
``POST ADDRESS/faults``       ``{"fault": "delay", "seconds": 0.5, "times": 2}``: one of
                              the table of controls, with its parameters
``GET ADDRESS/requests``      ``{"requests": [...]}``, oldest first, without any token
============================= =====================================================

The address ends in a secret of this run. A browser cannot use it, nor a page that guesses the
port: host and content type must be right, and there must be no ``Origin``.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from codeartifact_pipenv.sandbox import controls
from codeartifact_pipenv.sandbox.errors import SandboxError, SandboxUsageError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

VARIABLE = "CODEARTIFACT_SANDBOX_ADMIN"
"""Names the address to the command that runs inside a sandbox."""

_MOST_BYTES = 65536
_IDLE_SECONDS = 30


class Admin(ThreadingHTTPServer):
    """The door of one sandbox, open within a ``with`` block.

    Attributes:
        sandbox: whose.
        secret: 256 random bits.
    """

    daemon_threads = True

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sandbox = sandbox
        self.secret = secrets.token_urlsafe(32)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The address, with its final slash."""
        return f"http://127.0.0.1:{self.server_port}/{self.secret}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over a client that hangs up."""


class _RefusedError(Exception):
    def __init__(self, status: int, error: str, hint: str) -> None:
        super().__init__(error)
        self.status = status
        self.document = {"error": error, "hint": hint}


class _Handler(BaseHTTPRequestHandler):
    server: Admin
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Write nothing: the secret is in every path."""

    def _answer(self) -> None:
        try:
            status, document = 200, self._respond()
        except _RefusedError as refused:
            status, document = refused.status, refused.document
        except SandboxError as error:
            status, document = 400, {"error": error.sentence, "hint": error.hint}
        except OSError as error:
            why = f"The sandbox cannot keep its state: {error.strerror or error}."
            status, document = 500, {"error": why, "hint": "See the folder of --state."}
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _respond(self) -> dict[str, Any]:
        place = f"127.0.0.1:{self.server.server_port}"
        if self.headers.get("Host") != place or "Origin" in self.headers:
            raise _RefusedError(403, "This is for programs only.", f"Ask {place}, as its address.")
        secret, _, what = self.path.lstrip("/").partition("/")
        if not hmac.compare_digest(secret.encode(), self.server.secret.encode()):
            raise _RefusedError(404, "There is nothing here.", f"See the variable {VARIABLE}.")
        if (self.command, what) == ("GET", "requests"):
            return {"requests": [asdict(record) for record in self.server.sandbox.requests]}
        if (self.command, what) == ("POST", "faults"):
            given = self._body()
            name = given.pop("fault", None)
            if not isinstance(name, str):
                raise SandboxUsageError("No fault is named.", 'Send {"fault": "NAME", ...}.')
            controls.apply(self.server.sandbox, name, given)
            return {}
        raise _RefusedError(404, "There is nothing here.", "POST to faults, or GET requests.")

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise _RefusedError(
                415, "The body is not said to be JSON.", "Send Content-Type: application/json."
            )
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            raise _RefusedError(
                413, "The body has no length, or is too long.", "Send Content-Length."
            )
        try:
            document = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise SandboxUsageError("The body is no JSON object.", 'Send {"fault": "NAME", ...}.')
        return document
