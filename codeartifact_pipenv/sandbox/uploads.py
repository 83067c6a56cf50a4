"""Uploads in the legacy form, as twine and uv send them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, NamedTuple

from codeartifact_pipenv.sandbox.answers import RefusalError
from codeartifact_pipenv.sandbox.distributions import canonical, name_and_version, read_file
from codeartifact_pipenv.sandbox.errors import SandboxError

if TYPE_CHECKING:
    from werkzeug.datastructures import FileStorage
    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.package import File

# The whole description comes in a form field.
_MAX_FORM_BYTES = 64 * 1024 * 1024


class Upload(NamedTuple):
    """A form that was sent.

    Attributes:
        name: the project's normalised name, as the form says it.
        version: the version, normalised.
        filename: the file's name.
        sha256: the promised digest; None where none was sent.
        content: the file.
    """

    name: str
    version: str
    filename: str
    sha256: str | None
    content: FileStorage


def read_form(request: Request) -> Upload:
    """Read an upload's form.

    Raises:
        RefusalError: it is no upload, or the file's name is not what the form says.
    """
    request.max_form_memory_size = _MAX_FORM_BYTES
    form, content = request.form, request.files.get("content")
    if form.get(":action") != "file_upload" or content is None or not content.filename:
        raise RefusalError(400, "This is not an upload of a file.")
    named = canonical((form.get("name", ""), form.get("version", "")))
    if name_and_version(content.filename) != named or set("/\\") & set(content.filename):
        raise RefusalError(400, f"{content.filename} is not {named[0]} {named[1]}.")
    return Upload(*named, content.filename, form.get("sha256_digest") or None, content)


def store(upload: Upload, folder: Path) -> File:
    """Keep an uploaded file.

    Raises:
        RefusalError: it has not the promised digest, or is no package of that name.
    """
    path = Path(mkdtemp(dir=folder)) / upload.filename
    upload.content.save(path)
    if upload.sha256 not in {None, hashlib.sha256(path.read_bytes()).hexdigest()}:
        raise RefusalError(400, "The file does not have the sha256 digest that was sent with it.")
    try:
        return read_file(path)
    except SandboxError as error:
        raise RefusalError(400, error.sentence) from error
