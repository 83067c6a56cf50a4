"""Makes small pure packages, for tests and the demonstration: same input, same bytes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
# Makes the wheel of an sdist that names no backend: nothing has to be fetched to build it.
_OWN_BACKEND = """\
import base64, hashlib, os, tarfile, zipfile

NAME, VERSION, METADATA, MODULES = {facts}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info = NAME + "-" + VERSION + ".dist-info/"
    contents = dict()
    for path in MODULES:
        with open(path, encoding="utf-8") as file:
            contents[path] = file.read()
    contents[info + "METADATA"] = METADATA
    contents[info + "WHEEL"] = "Wheel-Version: 1.0\\nGenerator: sandbox\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    record = ""
    filename = NAME + "-" + VERSION + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, filename), "w") as archive:
        for path, text in contents.items():
            data = text.encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += path + ",sha256=" + digest + "," + str(len(data)) + "\\n"
            archive.writestr(path, data)
        archive.writestr(info + "RECORD", record + info + "RECORD,,\\n")
    return filename


def build_sdist(sdist_directory, config_settings=None):
    stem = NAME + "-" + VERSION
    with tarfile.open(os.path.join(sdist_directory, stem + ".tar.gz"), "w:gz") as archive:
        archive.add(".", stem, filter=lambda entry: None if "__pycache__" in entry.name else entry)
    return stem + ".tar.gz"
"""


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    requires: Iterable[str] = (),
    *,
    requires_python: str | None = None,
    modules: Mapping[str, str] | None = None,
) -> Path:
    """Make a pure wheel.

    Args:
        folder: where it goes; made if missing.
        name: the project's name.
        version: its version, in normal form.
        requires: the requirements that it has.
        requires_python: the Pythons it is for; None for any.
        modules: the text of each file, by its path in the wheel; None for one package of
            the project's name with its ``__version__``.

    Returns:
        the wheel's path.
    """
    stem = f"{_escape(name)}-{version}"
    info = f"{stem}.dist-info"
    contents = {
        **(_default_modules(name, version) if modules is None else modules),
        f"{info}/METADATA": _metadata(name, version, requires, requires_python),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: sandbox\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
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


def make_sdist(
    folder: Path,
    name: str,
    version: str,
    requires: Iterable[str] = (),
    build_requires: Iterable[str] = ("setuptools",),
    *,
    requires_python: str | None = None,
    modules: Mapping[str, str] | None = None,
) -> Path:
    """Make an sdist; see :func:`make_wheel` for the arguments.

    Args:
        folder: where it goes; made if missing.
        name: the project's name.
        version: its version, in normal form.
        requires: the requirements that it has.
        build_requires: what it takes to build it. With setuptools among them that is the
            backend, else the sdist brings its own.
        requires_python: the Pythons it is for; None for any.
        modules: the text of each file, by its path; None as with wheels.

    Returns:
        the sdist's path.
    """
    needs = list(build_requires)
    metadata = _metadata(name, version, requires, requires_python)
    sources = dict(_default_modules(name, version) if modules is None else modules)
    project = [f"[build-system]\nrequires = {json.dumps(needs)}"]
    contents = {"PKG-INFO": metadata, **sources}
    if any(need.startswith("setuptools") for need in needs):
        project.append('build-backend = "setuptools.build_meta"')
        project.append(f"\n[project]\nname = {json.dumps(name)}\nversion = {json.dumps(version)}")
        project.append(f"dependencies = {json.dumps(list(requires))}")
        if requires_python is not None:
            project.append(f"requires-python = {json.dumps(requires_python)}")
        tops = sorted({path.partition("/")[0] for path in sources if "/" in path})
        single = sorted(path.removesuffix(".py") for path in sources if "/" not in path)
        project.append(
            f"\n[tool.setuptools]\npackages = {json.dumps(tops)}\npy-modules = {json.dumps(single)}"
        )
    else:
        project.append('build-backend = "_backend"\nbackend-path = ["."]')
        facts = repr((_escape(name), version, metadata, list(sources)))
        contents["_backend.py"] = _OWN_BACKEND.format(facts=facts)
    contents["pyproject.toml"] = "\n".join([*project, ""])
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{_escape(name)}-{version}"
    path = folder / f"{stem}.tar.gz"
    path.write_bytes(gzip.compress(_tar(stem, contents), mtime=0))
    return path


def _tar(stem: str, contents: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, text in contents.items():
            entry = tarfile.TarInfo(f"{stem}/{member}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _metadata(name: str, version: str, requires: Iterable[str], requires_python: str | None) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join([*lines, "", ""])


def _default_modules(name: str, version: str) -> dict[str, str]:
    return {f"{_escape(name)}/__init__.py": f'__version__ = "{version}"\n'}


def _escape(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name).replace("-", "_")


def _record_digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
