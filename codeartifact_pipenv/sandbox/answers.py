"""Shared parts of HTTP responses: error responses, project pages, and credentials for the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from codeartifact_pipenv.lookups import simple_page
from codeartifact_pipenv.sandbox.tokens import token_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.package import DistributionFile


def sent_credential(request: Request) -> str | None:
    """Return the access key id or the token id that a request carries, valid or not."""
    given = request.authorization
    if given is None:
        return None
    key = given.parameters.get("Credential")
    if key is not None:
        return key.partition("/")[0]
    token = given.password if given.type == "basic" else given.token
    return token_id(token) if token else None


class RefusalError(Exception):
    """An HTTP error of the package endpoint; AWS does not document its text."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence

    def response(self) -> Response:
        """Return this error as an HTTP response."""
        body, kind = f"{self.sentence}\n", "text/plain; charset=utf-8"
        return Response(body, self.status, content_type=kind)


def add_challenges(response: Response, kinds: str) -> None:
    """Add ``WWW-Authenticate`` headers for schemes such as ``bearer-basic``; the realm is made up."""
    for kind in kinds.split("-"):
        response.headers.add("WWW-Authenticate", f'{kind.title()} realm="AWS CodeArtifact"')


def page(
    accept: str,
    project: str,
    files: list[DistributionFile],
    locate: Callable[[DistributionFile], str],
    *,
    metadata: bool,
) -> Response:
    """Return a project's page in the format that the client prefers; HTML by default.

    Args:
        accept: the client's Accept header.
        project: the normalised name.
        files: its files.
        locate: returns a file's URL, which may be relative to the page.
        metadata: whether the page offers METADATA files of wheels.

    Raises:
        RefusalError: the client accepts no available format.
    """
    kind = simple_page.choose_kind(accept)
    if kind is None:
        raise RefusalError(406, f"This is served as {', '.join(simple_page.OFFERS)}.")
    versions = dict.fromkeys(file.version for file in files)
    listed = [_as_listed(file, locate(file), metadata) for file in files]
    body = simple_page.write_page(project, listed, kind, versions)
    return Response(body, content_type=kind, headers={"Vary": "Accept"})


def _as_listed(file: DistributionFile, url: str, metadata: bool) -> simple_page.File:
    offered = metadata and file.is_wheel
    return simple_page.File(
        file.filename,
        url,
        file.requires_python or "",
        False if file.yanked is None else file.yanked or True,
        {"sha256": file.sha256} if file.sha256 else {},
        file.size,
        file.upload_time or "",
        (file.metadata or True) if offered else False,
    )
