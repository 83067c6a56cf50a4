"""The public index."""

from __future__ import annotations

from typing import Any

from plette.pipfiles import DEFAULT_SOURCE_TOML

from codeartifact_pipenv.files.reading import load_toml_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def default_source() -> dict[str, str | bool]:
    """Return the source that pipenv writes into new Pipfiles and uses by default."""
    document: dict[str, Any] = load_toml_bytes(DEFAULT_SOURCE_TOML.encode())
    found: dict[str, str | bool] = document["source"][0]
    return found


# PIPENV_PYPI_MIRROR replaces it.
_DEFAULT = str(default_source()["url"]).rstrip("/")


def is_default_source(url: str) -> bool:
    """Whether a URL is that of pipenv's default source."""
    return url.rstrip("/") == _DEFAULT


def public_index_url(environ: Mapping[str, str]) -> str:
    """Return the URL of the public index or of its configured mirror."""
    return environ.get("PIPENV_PYPI_MIRROR") or _DEFAULT
