"""Where public packages come from."""

from __future__ import annotations

import tomlkit
from plette.pipfiles import DEFAULT_SOURCE_TOML

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# The source that pipenv writes itself, and replaces by PIPENV_PYPI_MIRROR.
_DEFAULT: str = tomlkit.parse(DEFAULT_SOURCE_TOML)["source"][0]["url"].rstrip("/")


def default_source() -> dict[str, str | bool]:
    """Return the source that pipenv writes itself, and takes where a Pipfile has none."""
    found: dict[str, str | bool] = tomlkit.parse(DEFAULT_SOURCE_TOML).unwrap()["source"][0]
    return found


def is_default_source(url: str) -> bool:
    """Whether a URL is that of the source that pipenv writes itself."""
    return url.rstrip("/") == _DEFAULT


def public_index(environ: Mapping[str, str]) -> str:
    """Return the URL of the public index, or of the mirror that is set for it."""
    return environ.get("PIPENV_PYPI_MIRROR") or _DEFAULT
