"""Read user settings that pip must not get unchanged: indexes, find-links, a proxy."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import pip_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# URLs of indexes may contain a password, and the proxy index is the only index of its run.
_REMOVED_KINDS = (pip_config.INDEX, pip_config.EXTRA_INDEX)


class FindLinks(NamedTuple):
    """The find-links of a user.

    Attributes:
        where: the variable or the file that names them; '' if not set.
        local: absolute paths of existing folders and files.
        remote: URLs.
    """

    where: str = ""
    local: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()


class UserSettings(NamedTuple):
    """User settings that name places outside the project's sources.

    Attributes:
        names: the variables to hide from pip.
        links: the find-links.
    """

    names: list[str]
    links: FindLinks


def user_settings(environ: Mapping[str, str]) -> UserSettings:
    """Return the indexes and find-links in the user's environment and configuration.

    Args:
        environ: the user's environment, without the variables of a ``.env``.
    """
    names = [n.name for n in pip_config.in_environment(environ) if n.kind != pip_config.FILES]
    configured = map(pip_config.setting_of_key, pip_config.in_files(environ))
    if any(setting is not None and setting.kind != pip_config.FILES for setting in configured):
        names += pip_config.NEUTRAL
    return UserSettings(names, user_find_links(environ))


def user_find_links(environ: Mapping[str, str], command: str = "install") -> FindLinks:
    """Return the find-links in the user's environment, or those in pip's configuration.

    Args:
        environ: the user's environment, without the variables of a ``.env``.
        command: pip's command.
    """
    value, where = pip_config.setting_value("find-links", environ, command)
    local, remote = [], []
    for link in value.split():
        path = _link_path(link)
        if path is not None and os.path.exists(path):
            local.append(os.path.abspath(path))
        elif "://" in link and not link.lower().startswith("file:"):
            remote.append(link)
    return FindLinks(where if value.split() else "", tuple(local), tuple(remote))


def _link_path(link: str) -> str | None:
    """Return the path of a link, or None for a URL of another host."""
    if link.lower().startswith("file:"):
        from codeartifact_pipenv.project.requirements_files import path_of_url

        return path_of_url(link)
    expanded = os.path.expanduser(link) if link.startswith("~") else link
    return None if "://" in link and not os.path.exists(expanded) else expanded


def split_proxy(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Split the proxy off the user's pip configuration.

    pip would send requests for the proxy index to that proxy, because its setting has no
    exceptions, unlike the variables for all programs. A proxy in the configuration of the machine
    or of a virtual environment cannot be hidden from pip.

    Returns:
        The proxy and the rest of the configuration, or None without a proxy or a readable file.
    """
    texts = [text for path in _config_files(environ) if (text := _config_text(path))]
    if not any("proxy" in text.lower() for text in texts):
        return None
    import configparser
    import io

    parser = configparser.RawConfigParser()
    try:
        for text in texts:
            parser.read_string(text)
    except configparser.Error:
        return None
    # Any proxy works; like pip, prefer [global] last.
    sections = sorted(parser.sections(), key=lambda name: name != "global")
    proxy = next((p for name in sections if (p := parser.get(name, "proxy", fallback=""))), "")
    for section in sections:
        for option in parser.options(section):
            setting = pip_config.setting_of_key(option)
            if option == "proxy" or (setting and setting.kind in _REMOVED_KINDS):
                parser.remove_option(section, option)
    written = io.StringIO()
    parser.write(written)
    return (proxy, written.getvalue()) if proxy else None


def _config_files(environ: Mapping[str, str]) -> list[str]:
    named = pip_config.named_file(environ)
    if named is not None:
        return [] if named == os.devnull else [named]
    try:
        return pip_config.user_files(environ)
    except ConfigurationError:
        return []


def _config_text(path: str) -> str | None:
    try:
        return pip_config.read_config(path)
    except (OSError, UnicodeDecodeError):
        return None
