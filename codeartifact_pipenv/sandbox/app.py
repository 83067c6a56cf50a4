"""The WSGI application: routes each request to the service of its host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import ClosingIterator

from codeartifact_pipenv.sandbox.answers import (
    RefusalError,
    add_challenges,
    sent_credential,
)
from codeartifact_pipenv.sandbox.api import (
    domains,
    groups,
    packages,
    policies,
    repositories,
    tags,
)
from codeartifact_pipenv.sandbox.api.call import Call
from codeartifact_pipenv.sandbox.api.errors import ServiceError, invalid, throttled
from codeartifact_pipenv.sandbox.api.model import (
    find_operation,
    read_request,
    write_answer,
    write_error,
    write_fault,
)
from codeartifact_pipenv.sandbox.signature import verify
from codeartifact_pipenv.sandbox.state import RequestRecord
from codeartifact_pipenv.sandbox.upstream import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from botocore.model import OperationModel

    from codeartifact_pipenv.sandbox.api.model import Document
    from codeartifact_pipenv.sandbox.assets import Assets
    from codeartifact_pipenv.sandbox.hosts import Host
    from codeartifact_pipenv.sandbox.identity import Identities
    from codeartifact_pipenv.sandbox.index import PackageIndex
    from codeartifact_pipenv.sandbox.public_host import PublicHost
    from codeartifact_pipenv.sandbox.state import State

_MODULES = (domains, groups, packages, policies, repositories, tags)


def _find_handler(operation: OperationModel) -> Callable[[Call], Document] | None:
    """Return the handler of an operation, which has the name of boto3's method."""
    from botocore import xform_name

    name = xform_name(operation.name)
    return next((getattr(each, name) for each in _MODULES if hasattr(each, name)), None)


_UNAUTHORIZED = 401
HOST_KEY = "codeartifact_pipenv.host"
"""Key of the WSGI environment for the Host of the connection."""
CUT_HEAD_KEY = "codeartifact_pipenv.cut_head"
"""Key for the function that cuts off the response head after a number of bytes."""


class Application:
    """Answers requests to all hosts of the sandbox."""

    def __init__(
        self,
        state: State,
        identities: Identities,
        index: PackageIndex,
        assets: Assets,
        public: PublicHost,
    ) -> None:
        self._state = state
        self._identities = identities
        self._services = {
            "packages": index.respond,
            "assets": assets.respond,
            "public": public.respond,
            "codeartifact": self._call,
            "sts": identities.respond,
            "iam": identities.respond,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request and log it."""
        host: Host = environ[HOST_KEY]
        with Request(environ) as request:
            sent = sent_credential(request)
            record = RequestRecord(request.method, host.name, request.path, None, 500, None, sent)
            try:
                response = self._respond(self._services[host.service], request, host, record)
                record.status = response.status_code
                if request.method != "HEAD":
                    self._state.faults.break_body(response, record.places, record.name)
                cut = self._state.faults.take("reset-head", record.places, record.name)
                if cut is not None:
                    environ[CUT_HEAD_KEY](int(cut))
            finally:
                self._state.records.append(record)
        # Clients must not cache answers across runs, unless the answer never changes.
        if not response.cache_control.immutable:
            response.headers["Cache-Control"] = "no-store"
        body = response(environ, start_response)
        return ClosingIterator(self._transfer(body, record), getattr(body, "close", None))

    def _transfer(self, body: Iterable[bytes], record: RequestRecord) -> Iterator[bytes]:
        for block in body:
            self._state.faults.transfer(len(block))
            record.body_bytes += len(block)
            yield block

    def _respond(
        self,
        service: Callable[[Request, Host, RequestRecord], Response],
        request: Request,
        host: Host,
        record: RequestRecord,
    ) -> Response:
        try:
            return service(request, host, record)
        except ServiceError as error:
            return write_error(error)
        except UpstreamError as error:
            return RefusalError(502, str(error)).response()
        except RefusalError as refusal:
            response = refusal.response()
            if refusal.status == _UNAUTHORIZED:
                add_challenges(response, self._state.behaviour.challenges)
            return response

    def _call(self, request: Request, host: Host, record: RequestRecord) -> Response:
        operation = find_operation(request.method, request.path)
        record.name = None if operation is None else operation.name
        record.places = ("api",)
        fault = self._state.faults.meet(record.places, record.name)
        if fault is not None:
            return write_fault(fault)
        principal = verify(request, host, self._identities.find, self._state.clock)
        record.credential = principal.access_key_id
        wait = self._state.take_throttle(record.name)
        if wait is not None:
            raise throttled(wait)
        handler = None if operation is None else _find_handler(operation)
        if operation is None or handler is None:
            raise invalid("Unknown operation.", "UNKNOWN_OPERATION")
        given = read_request(operation, request.args, request.get_data())
        with self._state.lock:
            call = Call(self._state, given, principal, host.region)
            call.refuse_denied(f"codeartifact:{operation.name}", call.resource)
            return write_answer(handler(call))
