"""Writes wheels and sdists of pure modules with the standard library only.

:mod:`~codeartifact_pipenv.sandbox.wheels` also copies this file into each sdist as its build
backend (PEP 517), so that builds need no download.
"""

from __future__ import annotations

import base64
import email
import gzip
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: sandbox\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_NOT_MODULES = {"PKG-INFO", "pyproject.toml", "_backend.py"}


def write_wheel(folder: Path, metadata: str, modules: Mapping[str, str]) -> Path:
    """Write a wheel from its metadata and the text of each file by path; return the wheel's path."""
    stem = _stem(metadata)
    info = f"{stem}.dist-info"
    contents = {**modules, f"{info}/METADATA": metadata, f"{info}/WHEEL": _WHEEL}
    record = [
        f"{path},sha256={_record_digest(text)},{len(text.encode())}"
        for path, text in contents.items()
    ]
    contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            entry = zipfile.ZipInfo(member, _ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return path


def write_sdist(folder: Path, files: Mapping[str, str]) -> Path:
    """Write an sdist from the text of each file by path; return the sdist's path."""
    stem = _stem(files["PKG-INFO"])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, text in files.items():
            entry = tarfile.TarInfo(f"{stem}/{member}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.tar.gz"
    path.write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    return path


def build_wheel(
    wheel_directory: str,
    config_settings: object = None,
    metadata_directory: object = None,
) -> str:
    """Build the wheel of the sdist in the current directory (PEP 517)."""
    del config_settings, metadata_directory
    files = _project_files()
    modules = {path: text for path, text in files.items() if path not in _NOT_MODULES}
    return write_wheel(Path(wheel_directory), files["PKG-INFO"], modules).name


def build_sdist(sdist_directory: str, config_settings: object = None) -> str:
    """Build an sdist of the current directory (PEP 517)."""
    del config_settings
    return write_sdist(Path(sdist_directory), _project_files()).name


def _project_files() -> dict[str, str]:
    found = sorted(path for path in Path().rglob("*") if path.is_file())
    return {
        path.as_posix(): path.read_text(encoding="utf-8")
        for path in found
        if "__pycache__" not in path.parts
    }


def _stem(metadata: str) -> str:
    fields = email.message_from_string(metadata)
    return f"{re.sub(r'[-_.]+', '_', fields['Name']).lower()}-{fields['Version']}"


def _record_digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
