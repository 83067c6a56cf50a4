"""Makes small, reproducible pure Python packages for tests and the demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox import build_backend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BUILD_SYSTEM = """\
[build-system]
requires = {}
build-backend = "_backend"
backend-path = ["."]
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
        folder: the target folder; created if missing.
        name: the project's name.
        version: its normalised version.
        requires: its requirements.
        requires_python: the supported Python versions; by default any.
        modules: the text of each file by its path in the wheel; by default one package of the
            project's name with ``__version__``.

    Returns:
        the wheel's path.
    """
    metadata = _metadata(name, version, requires, requires_python)
    sources = _default_modules(name, version) if modules is None else modules
    return build_backend.write_wheel(folder, metadata, sources)


def make_sdist(
    folder: Path,
    name: str,
    version: str,
    requires: Iterable[str] = (),
    build_requires: Iterable[str] = (),
    *,
    requires_python: str | None = None,
    modules: Mapping[str, str] | None = None,
) -> Path:
    """Make an sdist with its own build backend; see also :func:`make_wheel`.

    Args:
        folder: the target folder; created if missing.
        name: the project's name.
        version: its normalised version.
        requires: its requirements.
        build_requires: its build requirements.
        requires_python: the supported Python versions; by default any.
        modules: the text of each file by path; the same default as for wheels.

    Returns:
        the sdist's path.
    """
    files = {
        "PKG-INFO": _metadata(name, version, requires, requires_python),
        **(_default_modules(name, version) if modules is None else modules),
        "_backend.py": Path(build_backend.__file__).read_text(encoding="utf-8"),
        "pyproject.toml": _BUILD_SYSTEM.format(json.dumps(list(build_requires))),
    }
    return build_backend.write_sdist(folder, files)


def _metadata(name: str, version: str, requires: Iterable[str], requires_python: str | None) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join([*lines, "", ""])


def _default_modules(name: str, version: str) -> dict[str, str]:
    from packaging.utils import canonicalize_name

    package = canonicalize_name(name).replace("-", "_")
    return {f"{package}/__init__.py": f'__version__ = "{version}"\n'}
