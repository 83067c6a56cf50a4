"""Wheels and sdists: their names and metadata, and finding or building them in folders."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from codeartifact_pipenv.processes.capture import capture
from codeartifact_pipenv.report import printable
from codeartifact_pipenv.sandbox.errors import SandboxError, SandboxUsageError
from codeartifact_pipenv.sandbox.package import DistributionFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SUFFIXES = (".whl", ".tar.gz", ".zip")
_BLOCK = 1 << 18
# Old sdists of post-releases have a dash in the version.
_POST_RELEASE = re.compile(r"(.+)-(\d+(?:\.\d+)+-\d+)(?:\.tar\.gz|\.zip)")
UNREADABLE = (
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors that zipfile and tarfile raise for damaged, encrypted or unsupported archives."""
_NOT_COPIED = shutil.ignore_patterns(".venv", "venv", "node_modules", ".tox", ".nox", "__pycache__")


def is_distribution(path: Path) -> bool:
    """Return whether a path is a file with the suffix of a wheel or an sdist."""
    return path.is_file() and path.name.endswith(_SUFFIXES)


def name_and_version(filename: str) -> tuple[str, str] | None:
    """Return the normalised name and version of a file name.

    Returns:
        None if it is not the name of a wheel or an sdist.
    """
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        elif post_release := _POST_RELEASE.fullmatch(filename):
            name, version = canonicalize_name(post_release[1]), Version(post_release[2])
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return name, str(version)


def read_file(path: Path) -> DistributionFile:
    """Describe a wheel or an sdist.

    Raises:
        SandboxError: the file is neither, or its name and metadata disagree.
    """
    named = name_and_version(path.name)
    if named is None:
        raise SandboxError(
            f"{path.name} is not the name of a wheel or an sdist.",
            "Build it again, for example with python -m build.",
        )
    try:
        text = _read_metadata(path)
        metadata, _ = parse_email(text)
        sha256 = _digest(path)
    except UNREADABLE as error:
        reason = str(error).partition(":\n")[0] or type(error).__name__
        raise SandboxError(
            f"{path.name} cannot be read as a package: {reason}.",
            "Build it again.",
        ) from error
    metadata_says = metadata.get("name", ""), metadata.get("version", "")
    if canonical(metadata_says) != named:
        raise SandboxError(
            f"{path.name} contains {metadata_says[0] or 'a package without a name'} {metadata_says[1]}.",
            "Build it again; do not rename the file.",
        )
    return DistributionFile(
        name=named[0],
        version=named[1],
        filename=path.name,
        sha256=sha256,
        size=path.stat().st_size,
        requires_python=metadata.get("requires_python"),
        metadata=hashlib.sha256(text).hexdigest() if path.suffix == ".whl" else None,
        path=path,
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for block in blocks(path):
        digest.update(block)
    return digest.hexdigest()


def blocks(path: Path) -> Iterator[bytes]:
    """Read a file in blocks, because it may be large."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def canonical(named: tuple[str, str]) -> tuple[str, str]:
    """Normalise a name and a version; return an invalid version unchanged."""
    name, version = named
    try:
        return canonicalize_name(name), str(Version(version))
    except InvalidVersion:
        return canonicalize_name(name), version


def collect(folder: Path, workspace: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the wheels and sdists of a folder; build its projects.

    Args:
        folder: a project, a folder of projects and files, or one wheel or sdist.
        workspace: where projects are copied and built.
        environ: the environment to build in.

    Raises:
        SandboxError: the folder contains no package, or a build fails.
    """
    is_collection = folder.is_dir() and not _is_project(folder)
    candidates = sorted(folder.iterdir()) if is_collection else [folder]
    wanted = [path for path in candidates if _is_project(path) or is_distribution(path)]
    if not wanted:
        raise SandboxUsageError(
            f"{folder} contains no wheel, sdist or project.",
            "Name a folder with *.whl or *.tar.gz files, or with a pyproject.toml or setup.py.",
        )
    for path in wanted:
        if _is_project(path):
            yield from _build(path, workspace, environ)
        else:
            yield path


def _is_project(path: Path) -> bool:
    return (path / "pyproject.toml").is_file() or (path / "setup.py").is_file()


def _build(project: Path, workspace: Path, environ: Mapping[str, str]) -> list[Path]:
    number = sum(1 for _ in workspace.iterdir())
    source = workspace / str(number) / project.resolve().name
    # Build backends write into the source tree, so build a copy.
    shutil.copytree(project, source, symlinks=True, ignore=_NOT_COPIED)
    made = source.parent / "dist"
    command = [sys.executable, "-m", "build", "--outdir", str(made), str(source)]
    done = capture(command, seconds=None, environ=environ)
    if done.status != 0:
        said = (done.stdout + done.stderr).expandtabs().splitlines()
        sys.stderr.write("".join(f"{printable(line)}\n" for line in said))
        raise SandboxError(f"The build of {project} failed.", "See its output above.")
    return sorted(made.iterdir())


def wheel_metadata(path: Path) -> bytes:
    """Return a wheel's METADATA; raise one of UNREADABLE if it cannot be read."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(_metadata_among(archive.namelist(), ".dist-info/METADATA"))


def _read_metadata(path: Path) -> bytes:
    if path.suffix == ".whl":
        return wheel_metadata(path)
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as archive:
            stream = archive.extractfile(_metadata_among(archive.getnames(), "/PKG-INFO"))
            return b"" if stream is None else stream.read()
    with zipfile.ZipFile(path) as archive_zip:
        return archive_zip.read(_metadata_among(archive_zip.namelist(), "/PKG-INFO"))


def _metadata_among(members: list[str], ending: str) -> str:
    for name in members:
        if name.count("/") == 1 and name.endswith(ending):
            return name
    raise ValueError(f"{ending.lstrip('/')} is missing")
