"""Uploads in the legacy format, as sent by twine and uv."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser

from codeartifact_pipenv.sandbox.answers import RefusalError
from codeartifact_pipenv.sandbox.distributions import (
    canonical,
    name_and_version,
    read_file,
)
from codeartifact_pipenv.sandbox.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.datastructures import FileStorage, MultiDict
    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.package import DistributionFile

# A form field contains the package's whole description.
_MAX_FORM_BYTES = 64 * 1024 * 1024
_MAX_FIELDS = 1000
_BLOCK = 1 << 18
_REQUIRED = (":action", "protocol_version", "name", "version", "filetype")
_SUFFIXES = {"bdist_wheel": (".whl",), "sdist": (".tar.gz", ".zip")}
# Form fields of digests; BLAKE2 has 256 bits.
_DIGESTS: dict[str, Callable[[], Any]] = {
    "md5_digest": lambda: hashlib.md5(usedforsecurity=False),
    "sha256_digest": hashlib.sha256,
    "blake2_256_digest": lambda: hashlib.blake2b(digest_size=32),
}


class Upload(NamedTuple):
    """An upload's form: name and version are normalised, digests are keyed by field."""

    name: str
    version: str
    filename: str
    digests: dict[str, str]
    content: FileStorage


@contextmanager
def receive(request: Request) -> Iterator[Upload]:
    """Parse an upload's form; its files are temporary and removed at the end of the block.

    Raises:
        RefusalError: the form is invalid, or its file name does not match.
    """
    if request.mimetype != "multipart/form-data":
        raise RefusalError(400, "An upload must be a multipart/form-data form.")
    with ExitStack() as stack:

        def begin(*_: Any, **__: Any) -> Any:
            return stack.enter_context(TemporaryFile())

        parser = FormDataParser(
            stream_factory=begin,
            max_form_memory_size=_MAX_FORM_BYTES,
            max_form_parts=_MAX_FIELDS,
            silent=False,
        )
        try:
            _, form, files = parser.parse(
                request.stream, request.mimetype, request.content_length, request.mimetype_params
            )
        except HTTPException as error:
            code = error.code or 400
            raise RefusalError(code, f"The form cannot be parsed: {error.name}.") from error
        except ValueError as error:
            raise RefusalError(400, f"The form cannot be parsed: {error}.") from error
        yield _check(form, files.get("content"))


def _check(form: MultiDict[str, str], content: FileStorage | None) -> Upload:
    if content is None or not content.filename:
        raise RefusalError(400, "The form field content has no file.")
    missing = [name for name in _REQUIRED if not form.get(name)]
    if missing:
        raise RefusalError(400, f"The form lacks {', '.join(missing)}.")
    if (form[":action"], form["protocol_version"]) != ("file_upload", "1"):
        raise RefusalError(400, "Only file_upload with protocol version 1 is supported.")
    filename = content.filename
    if set("/\\\0") & set(filename):
        raise RefusalError(400, "A file name cannot contain a slash, a backslash or NUL.")
    named = canonical((form["name"], form["version"]))
    if name_and_version(filename) != named:
        raise RefusalError(400, f"{filename!r} is not a file name for {named[0]} {named[1]}.")
    if not filename.endswith(_SUFFIXES.get(form["filetype"], ())):
        raise RefusalError(400, f"{filename} does not have the file type {form['filetype']}.")
    digests = {name: form[name] for name in _DIGESTS if form.get(name)}
    return Upload(*named, filename, digests, content)


def store(upload: Upload, folder: Path) -> DistributionFile:
    """Store an uploaded file.

    Raises:
        RefusalError: a digest does not match, or the file is not a package of that name.
    """
    for name, promised in upload.digests.items():
        digest = _DIGESTS[name]()
        upload.content.seek(0)
        for block in iter(lambda: upload.content.read(_BLOCK), b""):
            digest.update(block)
        if promised.lower() != digest.hexdigest():
            raise RefusalError(400, f"The file does not match its {name}.")
    upload.content.seek(0)
    try:
        return keep(upload.filename, folder, upload.content.save)
    except SandboxError as error:
        raise RefusalError(400, error.sentence) from error


def keep(filename: str, folder: Path, write: Callable[[Path], object]) -> DistributionFile:
    """Store a wheel or an sdist in a new subfolder.

    Raises:
        SandboxError: the file is neither, or its name and metadata disagree.
        OSError: the file cannot be written.
    """
    path = Path(mkdtemp(dir=folder)) / filename
    try:
        write(path)
        return read_file(path)
    except (OSError, SandboxError):
        remove(path)
        raise


def remove(path: Path) -> None:
    """Remove a stored file and its subfolder."""
    path.unlink(missing_ok=True)
    path.parent.rmdir()
