"""Makes small pure packages, for tests and the demonstration: same input, same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox import build_backend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_OWN_BACKEND = 'build-backend = "_backend"\nbackend-path = ["."]\n'


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
    metadata = _metadata(name, version, requires, requires_python)
    sources = _default_modules(name, version) if modules is None else modules
    return build_backend.write_wheel(folder, metadata, sources)


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
    requires, build_requires = list(requires), list(build_requires)
    sources = dict(_default_modules(name, version) if modules is None else modules)
    files = {"PKG-INFO": _metadata(name, version, requires, requires_python), **sources}
    project = f"[build-system]\nrequires = {json.dumps(build_requires)}\n"
    if any(need.startswith("setuptools") for need in build_requires):
        project += _for_setuptools(name, version, requires, requires_python, list(sources))
    else:
        project += _OWN_BACKEND
        files["_backend.py"] = Path(build_backend.__file__).read_text(encoding="utf-8")
    return build_backend.write_sdist(folder, {**files, "pyproject.toml": project})


def _for_setuptools(
    name: str, version: str, requires: list[str], requires_python: str | None, sources: list[str]
) -> str:
    tops = sorted({path.partition("/")[0] for path in sources if "/" in path})
    single = sorted(path.removesuffix(".py") for path in sources if "/" not in path)
    project: dict[str, str | list[str]] = {
        "name": name,
        "version": version,
        "dependencies": requires,
    }
    if requires_python is not None:
        project["requires-python"] = requires_python
    return (
        'build-backend = "setuptools.build_meta"\n'
        + _toml_table("project", project)
        + _toml_table("tool.setuptools", {"packages": tops, "py-modules": single})
    )


def _toml_table(name: str, values: Mapping[str, str | list[str]]) -> str:
    # JSON's texts and lists of texts are TOML's, too.
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"\n[{name}]", *lines, ""])


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
