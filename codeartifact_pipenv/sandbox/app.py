"""The WSGI application: each request to one of our hosts, to who answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from codeartifact_pipenv.sandbox.answers import Answer, sent_credential
from codeartifact_pipenv.sandbox.api.call import Call, read_body
from codeartifact_pipenv.sandbox.api.errors import (
    ServiceError,
    document_response,
    fault_response,
    throttled,
    unknown_operation,
)
from codeartifact_pipenv.sandbox.api.table import OPERATIONS
from codeartifact_pipenv.sandbox.signature import SignatureError, verify
from codeartifact_pipenv.sandbox.state import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from codeartifact_pipenv.sandbox.api.errors import Document
    from codeartifact_pipenv.sandbox.assets import Assets
    from codeartifact_pipenv.sandbox.hosts import Host
    from codeartifact_pipenv.sandbox.identity import Identities
    from codeartifact_pipenv.sandbox.index import PackageIndex
    from codeartifact_pipenv.sandbox.permissions import Permissions
    from codeartifact_pipenv.sandbox.query_service import QueryService
    from codeartifact_pipenv.sandbox.state import State

HOST_KEY = "codeartifact_pipenv.host"
"""Where the WSGI environment says which of our hosts the connection is for."""
CUT_HEAD_KEY = "codeartifact_pipenv.cut_head"
"""Where it has the function that cuts off the answer's head after so many bytes."""

# How operations begin that change nothing.
_READING = ("Describe", "List", "GetDomain", "GetRepository")


class Application:
    """Answers for all of our hosts."""

    def __init__(
        self,
        state: State,
        identities: Identities,
        index: PackageIndex,
        assets: Assets,
        keep: Callable[[], None],
        *,
        permissions: Permissions,
        queries: QueryService,
    ) -> None:
        self._state = state
        self._identities = identities
        self._permissions = permissions
        self._queries = queries
        self._index = index
        self._assets = assets
        self._keep = keep

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, and write it into the log."""
        host: Host = environ[HOST_KEY]
        answer = Answer()
        status = 500
        try:
            with Request(environ) as request:
                response = self._respond(request, host, answer)
            status = response.status_code
            if request.method != "HEAD":
                self._state.faults.spoil(response, answer.places, answer.name)
            cut = self._state.faults.take("reset-head", answer.places, answer.name)
            if cut is not None:
                environ[CUT_HEAD_KEY](int(cut))
        finally:
            self._state.record(
                RequestRecord(
                    request.method,
                    host.name,
                    request.path,
                    answer.name,
                    status,
                    answer.credential,
                    sent_credential(request),
                )
            )
        self._keep()
        # No client may keep what one run said for the next.
        response.headers["Cache-Control"] = "no-store"
        return response(environ, start_response)

    def _respond(self, request: Request, host: Host, answer: Answer) -> Response:
        if host.service == "packages":
            return self._index.respond(request, host, answer)
        if host.service == "assets":
            return self._assets.respond(request, host, answer)
        if host.service == "codeartifact":
            name, _ = OPERATIONS.get((request.method, request.path), (None, None))
            answer.name = name
            answer.places = ("api",)
            self._state.faults.wait(answer.places, name)
            fault = self._state.faults.take("status", answer.places, name)
            if fault is not None:
                return fault_response(int(fault))
            try:
                return document_response(self._operate(request, host, answer))
            except ServiceError as error:
                return error.response()
        return self._queries.respond(request, host, answer)

    def _operate(self, request: Request, host: Host, answer: Answer) -> Document:
        try:
            principal = verify(request, host, self._identities.find, self._state.clock)
        except SignatureError as error:
            raise ServiceError(error.code, 403, error.message) from None
        answer.credential = principal.access_key_id
        wait = self._state.take_throttle(answer.name)
        if wait is not None:
            raise throttled(wait)
        name, operation = OPERATIONS.get((request.method, request.path), (None, None))
        if operation is None:
            raise unknown_operation()
        body = read_body(request.get_data())
        with self._state.lock:
            self._state.changed |= not (name or "").startswith(_READING)
            return operation(
                Call(
                    self._state,
                    request.args,
                    body,
                    principal,
                    host.region,
                    self._permissions,
                    self._identities.actor(principal),
                    request.remote_addr or "",
                )
            )
