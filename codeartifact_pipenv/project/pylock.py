"""Changes to a pylock.toml (PEP 751) that pipenv wrote beside the lock. Pure."""

from __future__ import annotations

from typing import Any

import tomlkit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def final_pylock(
    text: str,
    index: str,
    real_url: Callable[[str], str],
    index_of: Callable[[str], str | None],
) -> str:
    """Return the file that the user gets.

    Args:
        text: the file as pipenv wrote it.
        index: the URL that stood in place of all sources.
        real_url: returns where a file really is, from its URL there.
        index_of: says at which URL, as the Pipfile writes it, a package's index is.
    """
    document = tomlkit.parse(text)
    for package in document.get("packages", []):
        if str(package.get("index", "")).startswith(index):
            place = index_of(str(package["name"]))
            if place is not None:
                package["index"] = f"{place.rstrip('/')}/"
        for file in _files(package):
            if "url" in file:
                file["url"] = real_url(str(file["url"]))
    return tomlkit.dumps(document)


def _files(package: Mapping[str, Any]) -> list[Any]:
    single = [package[key] for key in ("sdist", "archive") if key in package]
    return [*package.get("wheels", []), *single]
