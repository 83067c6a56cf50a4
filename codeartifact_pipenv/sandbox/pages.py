"""A project's page of the simple API. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from codeartifact_pipenv import simple_page
from codeartifact_pipenv.sandbox.answers import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.sandbox.package import File


def page(
    accept: str, project: str, files: list[File], locate: Callable[[File], str], *, metadata: bool
) -> Response:
    """Show a project's files in the form that the client likes best; HTML if it is not asked.

    Args:
        accept: the client's Accept header.
        project: the normalised name.
        files: its files.
        locate: returns a file's URL, which may be relative to the page.
        metadata: whether METADATA is offered for wheels.

    Raises:
        RefusalError: the client takes none of the forms.
    """
    kind = simple_page.choose_kind(accept)
    if kind is None:
        raise RefusalError(406, f"This is served as {', '.join(simple_page.OFFERS)}.")
    versions = dict.fromkeys(file.version for file in files)
    listed = [_as_listed(file, locate(file), metadata) for file in files]
    body = simple_page.write_page(project, listed, kind, versions)
    return Response(body, content_type=kind, headers={"Vary": "Accept"})


def _as_listed(file: File, url: str, metadata: bool) -> simple_page.File:
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
