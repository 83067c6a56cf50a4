"""File downloads, and the S3-like host that the package endpoint may redirect to.

The bucket's account outside us-east-1 and the lifetime of a URL are made up.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.utils import send_file
from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.answers import RefusalError
from codeartifact_pipenv.sandbox.distributions import wheel_metadata
from codeartifact_pipenv.sandbox.hosts import asset_host

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.clock import Clock
    from codeartifact_pipenv.sandbox.faults import Faults
    from codeartifact_pipenv.sandbox.hosts import Host
    from codeartifact_pipenv.sandbox.package import DistributionFile
    from codeartifact_pipenv.sandbox.state import RequestRecord
    from codeartifact_pipenv.sandbox.upstream import PublicIndex

_LIFE_SECONDS = 300
_BYTES = "application/octet-stream"


class Assets:
    """Sends files and signs URLs of the asset host.

    A file of the public index is cached once it has been sent completely.
    """

    def __init__(self, clock: Clock, faults: Faults, upstream: PublicIndex) -> None:
        self._clock = clock
        self._faults = faults
        self._upstream = upstream
        # By method and URL: the file, and when the URL expires.
        self._grants: dict[tuple[str, str], tuple[DistributionFile, float]] = {}

    def send(self, request: Request, file: DistributionFile, *, ranges: bool = True) -> Response:
        """Send a file; without ``ranges``, ignore the ``Range`` header.

        Raises:
            RefusalError: the requested range is beyond the end of the file.
            UpstreamError: the public index does not serve the file.
        """
        path = file.path or self._upstream.kept(file)
        partial = ranges and "Range" in request.headers
        if path is None and request.method == "GET" and not partial:
            length, blocks = self._upstream.download(file)
            headers = {} if length is None else {"Content-Length": str(length)}
            response = Response(blocks, headers=headers, mimetype=_BYTES)
        else:
            environ = {k: v for k, v in request.environ.items() if ranges or k != "HTTP_RANGE"}
            path = path or self._upstream.fetch(file)
            try:
                response = send_file(path, environ, mimetype=_BYTES, conditional=True)
            except RequestedRangeNotSatisfiable:
                raise RefusalError(416, f"{file.filename} is not that long.") from None
        if ranges:
            response.headers["Accept-Ranges"] = "bytes"
        else:
            response.headers.pop("Accept-Ranges", None)
        return response

    def send_metadata(self, request: Request, file: DistributionFile) -> Response:
        """Send a wheel's METADATA.

        Raises:
            UpstreamError: the public index does not serve it.
        """
        text = wheel_metadata(file.path) if file.path else self._upstream.metadata(file)
        return Response(text, mimetype=_BYTES).make_conditional(request)

    def sign(self, file: DistributionFile, region: str, method: str) -> str:
        """Return a URL that serves a file to one HTTP method for five minutes."""
        key = sha256(f"{file.path} {file.url} {file.filename}".encode()).hexdigest()
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Expires": str(_LIFE_SECONDS),
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": secrets.token_hex(32),
        }
        url = f"https://{asset_host(region)}/{key}?{urlencode(query)}"
        self._grants[method, url] = file, self._clock.time() + _LIFE_SECONDS
        return url

    def respond(self, request: Request, host: Host, record: RequestRecord) -> Response:
        """Answer one request."""
        url = f"https://{host.name}{request.environ['RAW_URI']}"
        file, ends_at = self._grants.get((request.method, url), (None, 0))
        record.name, record.places = None if file is None else file.name, ("assets",)
        fault = self._faults.meet(record.places, record.name)
        if fault is not None:
            return _refuse(fault, "SlowDown", "Please reduce your request rate.")
        if "Authorization" in request.headers:
            # S3 rejects a signed URL with an Authorization header.
            return _refuse(400, "InvalidArgument", "Only one auth mechanism allowed.")
        if file is None:
            return _refuse(403, "SignatureDoesNotMatch", "The signature does not match.")
        if ends_at <= self._clock.time():
            return _refuse(403, "AccessDenied", "Request has expired")
        return self.send(request, file)


def _refuse(status: int, code: str, message: str) -> Response:
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Response(body, status, content_type="application/xml")
