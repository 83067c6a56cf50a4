"""Uploads in the legacy form, as twine and uv send them."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser

from codeartifact_pipenv.sandbox.answers import RefusalError
from codeartifact_pipenv.sandbox.distributions import (
    blocks,
    canonical,
    name_and_version,
    read_file,
)
from codeartifact_pipenv.sandbox.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from werkzeug.datastructures import FileStorage, MultiDict
    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.package import File

# The whole description comes in a form field.
_MAX_FORM_BYTES = 64 * 1024 * 1024
_MAX_FIELDS = 1000
_REQUIRED = (":action", "protocol_version", "name", "version", "filetype")
_SUFFIXES = {"bdist_wheel": (".whl",), "sdist": (".tar.gz", ".zip")}
# The names under which digests are sent; BLAKE2 with 256 bits.
_DIGESTS: dict[str, Callable[[], Any]] = {
    "md5_digest": lambda: hashlib.md5(usedforsecurity=False),
    "sha256_digest": hashlib.sha256,
    "blake2_256_digest": lambda: hashlib.blake2b(digest_size=32),
}


class Upload(NamedTuple):
    """A form that was sent.

    Attributes:
        name: the project's normalised name, as the form says it.
        version: the version, normalised.
        filename: the file's name.
        digests: the promised digests by the names of their fields, perhaps none.
        path: where the file's bytes are, until the request is answered.
    """

    name: str
    version: str
    filename: str
    digests: dict[str, str]
    path: Path


@contextmanager
def receive(request: Request, folder: Path) -> Iterator[Upload]:
    """Take an upload's form; its files go to a folder while they arrive, and from it at the end.

    Raises:
        RefusalError: it is no upload, or the file's name is not what the form says.
    """
    arriving: list[IO[bytes]] = []

    def begin(**_: object) -> IO[bytes]:
        stream = NamedTemporaryFile(dir=folder, prefix="arriving-", delete=False)  # noqa: SIM115 - closed below
        arriving.append(cast("IO[bytes]", stream))
        return arriving[-1]

    try:
        form, content = _parse(request, begin)
        for stream in arriving:
            stream.close()
        yield _check(form, content)
    finally:
        for stream in arriving:
            stream.close()
            Path(stream.name).unlink(missing_ok=True)


def _parse(
    request: Request, begin: Callable[..., IO[bytes]]
) -> tuple[MultiDict[str, str], FileStorage]:
    if request.mimetype != "multipart/form-data":
        raise RefusalError(400, "An upload is a form of the type multipart/form-data.")
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
        raise RefusalError(error.code or 400, f"The form cannot be taken: {error.name}.") from error
    except ValueError as error:
        raise RefusalError(400, f"The form cannot be read: {error}.") from error
    content = files.get("content")
    if content is None or not content.filename:
        raise RefusalError(400, "The form has no file in its field content.")
    return form, content


def _check(form: MultiDict[str, str], content: FileStorage) -> Upload:
    missing = [name for name in _REQUIRED if not form.get(name)]
    if missing:
        raise RefusalError(400, f"The form lacks {', '.join(missing)}.")
    if (form[":action"], form["protocol_version"]) != ("file_upload", "1"):
        raise RefusalError(400, "This is no upload of a file by version 1 of the protocol.")
    filename = content.filename or ""
    if set("/\\\0") & set(filename):
        raise RefusalError(400, "A file's name has no folder and no NUL in it.")
    named = canonical((form["name"], form["version"]))
    if name_and_version(filename) != named:
        raise RefusalError(400, f"{filename!r} is no file name for {named[0]} {named[1]}.")
    if not filename.endswith(_SUFFIXES.get(form["filetype"], ())):
        raise RefusalError(400, f"{filename} is no {form['filetype']}.")
    digests = {name: form[name] for name in _DIGESTS if form.get(name)}
    return Upload(*named, filename, digests, Path(content.stream.name))


def store(upload: Upload, folder: Path) -> File:
    """Keep an uploaded file.

    Raises:
        RefusalError: it does not have the promised digest, or is not a package of that name.
    """
    counted = {name: _DIGESTS[name]() for name in upload.digests}
    for block in blocks(upload.path):
        for digest in counted.values():
            digest.update(block)
    for name, digest in counted.items():
        if upload.digests[name].lower() != digest.hexdigest():
            raise RefusalError(400, f"The file does not have the {name} that was sent with it.")
    try:
        return keep(upload.path, upload.filename, folder)
    except SandboxError as error:
        raise RefusalError(400, error.sentence) from error


def keep(source: Path, filename: str, folder: Path) -> File:
    """Copy a wheel or an sdist into a new folder of its own below a folder.

    Raises:
        SandboxError: it is neither, or its name and its metadata disagree.
        OSError: it cannot be copied.
    """
    path = Path(mkdtemp(dir=folder)) / filename
    try:
        shutil.copyfile(source, path)
        return read_file(path)
    except (OSError, SandboxError):
        remove(path)
        raise


def remove(path: Path) -> None:
    """Remove a file that was kept, with its folder."""
    path.unlink(missing_ok=True)
    path.parent.rmdir()
