"""Writing projects and the private packages that they need."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from codeartifact_pipenv.files.io import load_toml_bytes
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

# The default source that pipenv itself writes.
PYPI_SOURCE = '[[source]]\nurl = "https://pypi.org/simple"\nverify_ssl = true\nname = "pypi"\n'
PUBLIC_URL = PYPI_SOURCE.partition('url = "')[2].partition('"')[0]


def source(
    endpoint: RepositoryEndpoint,
    userinfo: str = "aws:${CODEARTIFACT_AUTH_TOKEN}@",
    name: str = "codeartifact",
) -> str:
    """Return a [[source]] table for a repository."""
    url = endpoint.simple_url.replace("https://", f"https://{userinfo}")
    return f'[[source]]\nurl = "{url}"\nverify_ssl = true\nname = "{name}"\n'


def write_pipfile(folder: Path, *tables: str) -> Path:
    """Write a Pipfile from its tables, each a text of its own."""
    path = folder / "Pipfile"
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


def make_private_packages(folder: Path) -> list[Path]:
    """Make the private packages that the tests speak of.

    orb-schema-generator 1.0.1 and 1.1.0 needs orb-common, which is private too, and six,
    which is public.
    """
    module = {"orb_schema_generator/__init__.py": ""}
    needs = ("orb-common", "six")
    return [
        make_wheel(folder, "orb-common", "2.0.0", modules={"orb_common/__init__.py": ""}),
        make_wheel(folder, "orb-schema-generator", "1.0.1", requires=needs, modules=module),
        make_wheel(folder, "orb-schema-generator", "1.1.0", requires=needs, modules=module),
    ]


def pipfile_hash(text: str) -> str:
    """Return the hash of a Pipfile that every pipenv has written since its beginnings."""
    from codeartifact_pipenv.project.lock import pipfile_hashes

    return pipfile_hashes(load_toml_bytes(text.encode()))[0]


def installed_version(folder: Path, name: str) -> str | None:
    """Return the version of a package in a project's environment."""
    places = [str(path) for path in (folder / ".venv").glob("lib/*/site-packages")]
    for found in importlib.metadata.distributions(path=places):
        if found.name.replace("_", "-") == name:
            return found.version
    return None
