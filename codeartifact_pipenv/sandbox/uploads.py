"""Uploads in the legacy form, as twine and uv send them."""

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

# The whole description comes in a form field.
_MAX_FORM_BYTES = 64 * 1024 * 1024
_MAX_FIELDS = 1000
_BLOCK = 1 << 18
_REQUIRED = (":action", "protocol_version", "name", "version", "filetype")
_SUFFIXES = {"bdist_wheel": (".whl",), "sdist": (".tar.gz", ".zip")}
# The names under which digests are sent; BLAKE2 with 256 bits.
_DIGESTS: dict[str, Callable[[], Any]] = {
    "md5_digest": lambda: hashlib.md5(usedforsecurity=False),
    "sha256_digest": hashlib.sha256,
    "blake2_256_digest": lambda: hashlib.blake2b(digest_size=32),
}


class Upload(NamedTuple):
    """A form that was sent: name and version are normalised, digests are by their fields."""

    name: str
    version: str
    filename: str
    digests: dict[str, str]
    content: FileStorage


@contextmanager
def receive(request: Request) -> Iterator[Upload]:
    """Take an upload's form; its files are temporary files until the end.

    Raises:
        RefusalError: it is not an upload, or the file's name is not what the form says.
    """
    if request.mimetype != "multipart/form-data":
        raise RefusalError(400, "An upload is a form of the type multipart/form-data.")
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
            raise RefusalError(code, f"The form cannot be taken: {error.name}.") from error
        except ValueError as error:
            raise RefusalError(400, f"The form cannot be read: {error}.") from error
        yield _check(form, files.get("content"))


def _check(form: MultiDict[str, str], content: FileStorage | None) -> Upload:
    if content is None or not content.filename:
        raise RefusalError(400, "The form has no file in its field content.")
    missing = [name for name in _REQUIRED if not form.get(name)]
    if missing:
        raise RefusalError(400, f"The form lacks {', '.join(missing)}.")
    if (form[":action"], form["protocol_version"]) != ("file_upload", "1"):
        raise RefusalError(400, "This is no upload of a file by version 1 of the protocol.")
    filename = content.filename
    if set("/\\\0") & set(filename):
        raise RefusalError(400, "A file's name has no folder and no NUL in it.")
    named = canonical((form["name"], form["version"]))
    if name_and_version(filename) != named:
        raise RefusalError(400, f"{filename!r} is no file name for {named[0]} {named[1]}.")
    if not filename.endswith(_SUFFIXES.get(form["filetype"], ())):
        raise RefusalError(400, f"{filename} is no {form['filetype']}.")
    digests = {name: form[name] for name in _DIGESTS if form.get(name)}
    return Upload(*named, filename, digests, content)


def store(upload: Upload, folder: Path) -> DistributionFile:
    """Keep an uploaded file.

    Raises:
        RefusalError: it does not have the promised digest, or is not a package of that name.
    """
    for name, promised in upload.digests.items():
        digest = _DIGESTS[name]()
        upload.content.seek(0)
        for block in iter(lambda: upload.content.read(_BLOCK), b""):
            digest.update(block)
        if promised.lower() != digest.hexdigest():
            raise RefusalError(400, f"The file does not have the {name} that was sent with it.")
    upload.content.seek(0)
    try:
        return keep(upload.filename, folder, upload.content.save)
    except SandboxError as error:
        raise RefusalError(400, error.sentence) from error


def keep(filename: str, folder: Path, write: Callable[[Path], object]) -> DistributionFile:
    """Keep a wheel or an sdist in a folder of its own below a folder.

    Raises:
        SandboxError: it is neither, or its name and its metadata disagree.
        OSError: it cannot be written.
    """
    path = Path(mkdtemp(dir=folder)) / filename
    try:
        write(path)
        return read_file(path)
    except (OSError, SandboxError):
        remove(path)
        raise


def remove(path: Path) -> None:
    """Remove a file that was kept, with its folder."""
    path.unlink(missing_ok=True)
    path.parent.rmdir()
