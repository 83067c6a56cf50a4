"""The user's own find-links: folders and files here, and places on the net. Looks at paths only."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.files.pip_config import setting_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class FindLinks(NamedTuple):
    """Where pip is told to find files beside its indexes.

    Attributes:
        where: the variable or the file that says so; empty where nothing does.
        local: absolute paths of folders and files that exist.
        remote: URLs.
    """

    where: str = ""
    local: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()


def own_find_links(environ: Mapping[str, str], command: str = "install") -> FindLinks:
    """Return the find-links that the user's environment, or else pip's configuration, names.

    Args:
        environ: the user's environment, without what a ``.env`` says.
        command: pip's command.
    """
    value, where = setting_value("find-links", environ, command)
    local, remote = [], []
    for link in value.split():
        path = _path(link)
        if path is not None and os.path.exists(path):
            local.append(os.path.abspath(path))
        elif "://" in link and not link.lower().startswith("file:"):
            remote.append(link)
    return FindLinks(where if value.split() else "", tuple(local), tuple(remote))


def _path(link: str) -> str | None:
    """Return the path that a link means; None for a place on the net."""
    if link.lower().startswith("file:"):
        from codeartifact_pipenv.project.requirements_files import path_of_url

        return path_of_url(link)
    expanded = os.path.expanduser(link) if link.startswith("~") else link
    return None if "://" in link and not os.path.exists(expanded) else expanded
