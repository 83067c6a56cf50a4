"""Editing the pylock.toml (PEP 751) that pipenv wrote. Pure."""

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
    """Return the pylock.toml for the user.

    Args:
        text: the text that pipenv wrote.
        index: the URL of the proxy index.
        real_url: returns a file's upstream URL for its URL at the proxy index.
        index_of: returns a package's index URL, as written in the Pipfile.
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
