"""Sending a file, from disk or from the public index behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.utils import send_file
from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.answers import RefusalError
from codeartifact_pipenv.sandbox.upstream import UpstreamError

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.package import File
    from codeartifact_pipenv.sandbox.upstream import PublicIndex

_BYTES = "application/octet-stream"


class Sender:
    """Sends files whole or in parts; what comes from the public index is kept on its way."""

    def __init__(self, upstream: PublicIndex) -> None:
        self._upstream = upstream

    def send(self, request: Request, file: File) -> Response:
        """Answer with a file, or with 416 or 502."""
        try:
            return self._send(request, file)
        except RequestedRangeNotSatisfiable:
            return RefusalError(416, f"{file.filename} is not that long.").response()
        except UpstreamError as error:
            return RefusalError(502, str(error)).response()

    def _send(self, request: Request, file: File) -> Response:
        path = file.path or self._upstream.kept(file)
        if path is None and request.method == "GET" and "Range" not in request.headers:
            length, blocks = self._upstream.download(file)
            headers = {} if length is None else {"Content-Length": str(length)}
            return Response(blocks, headers=headers, mimetype=_BYTES)
        if path is None:
            path = self._upstream.fetch(file)
        return send_file(path, request.environ, mimetype=_BYTES, conditional=True)
