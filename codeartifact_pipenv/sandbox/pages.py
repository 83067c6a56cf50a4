"""A project's page of the simple API, as HTML and as JSON. Pure."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.answers import RefusalError

if TYPE_CHECKING:
    from werkzeug.datastructures import MIMEAccept

    from codeartifact_pipenv.sandbox.package import File

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "application/vnd.pypi.simple.v1+html"
# What may be asked for, the most liked first, and what is given.
_OFFERS = {
    "text/html": "text/html",
    _HTML: _HTML,
    "application/vnd.pypi.simple.latest+html": _HTML,
    _JSON: _JSON,
    "application/vnd.pypi.simple.latest+json": _JSON,
}


def page(accept: MIMEAccept | None, project: str, files: list[File]) -> Response:
    """Show a project's files in the form that the client likes best; HTML if it is not asked.

    Raises:
        RefusalError: the client takes none of the forms.
    """
    wanted = accept.best_match(list(_OFFERS)) if accept else "text/html"
    if wanted is None:
        raise RefusalError(406, f"This is served as {', '.join(_OFFERS)}.")
    kind = _OFFERS[wanted]
    render = _as_json if kind == _JSON else _as_html
    return Response(render(project, files), content_type=kind, headers={"Vary": "Accept"})


def _as_html(project: str, files: list[File]) -> str:
    title = html.escape(f"Links for {project}")
    version = f'<meta name="pypi:repository-version" content="{_api_version(files)}">'
    lines = [
        "<!DOCTYPE html>",
        f"<html><head>{version}<title>{title}</title></head>",
        f"<body><h1>{title}</h1>",
        *(_anchor(file) for file in files),
        "</body></html>",
    ]
    return "\n".join(lines)


def _anchor(file: File) -> str:
    attributes = {"href": _link(file) + (f"#sha256={file.sha256}" if file.sha256 else "")}
    if file.requires_python is not None:
        attributes["data-requires-python"] = file.requires_python
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    spelled = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {spelled}>{html.escape(file.filename)}</a><br>"


def _as_json(project: str, files: list[File]) -> str:
    document = {
        "meta": {"api-version": _api_version(files)},
        "name": project,
        "versions": list(dict.fromkeys(file.version for file in files)),
        "files": [_as_document(file) for file in files],
    }
    return json.dumps(document)


def _as_document(file: File) -> dict[str, Any]:
    document: dict[str, Any] = {
        "filename": file.filename,
        "url": _link(file),
        "hashes": {"sha256": file.sha256} if file.sha256 else {},
        "yanked": False if file.yanked is None else file.yanked or True,
    }
    optional = {
        "size": file.size,
        "requires-python": file.requires_python,
        "upload-time": file.upload_time,
    }
    return document | {key: value for key, value in optional.items() if value is not None}


def _link(file: File) -> str:
    return f"{quote(file.version)}/{quote(file.filename)}"


def _api_version(files: list[File]) -> str:
    # 1.1 promises sizes; an upstream index of 1.0 does not tell them.
    return "1.0" if any(file.size is None for file in files) else "1.1"
