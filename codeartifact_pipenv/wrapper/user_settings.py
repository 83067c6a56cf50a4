"""Settings of the user's own that pip gets in another form, or not at all: indexes, files, a proxy."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import pip_config, pip_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# An index may have a password in its URL, and a run by the proxy index has one index.
_LEFT_OUT = (pip_settings.INDEX, pip_settings.EXTRA_INDEX)


class FindLinks(NamedTuple):
    """Where pip is told to find files beside its indexes.

    Attributes:
        where: the variable or the file that names them; empty if none does.
        local: absolute paths of folders and files that exist.
        remote: URLs.
    """

    where: str = ""
    local: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()


class UserSettings(NamedTuple):
    """Settings of the user's own that could bring packages from outside the project's sources.

    Attributes:
        names: the variables to keep from pip.
        links: find-links.
    """

    names: list[str]
    links: FindLinks


def user_settings(environ: Mapping[str, str]) -> UserSettings:
    """Return the indexes and find-links that the user's environment and configuration name.

    Args:
        environ: the user's environment, without the variables of a ``.env``.
    """
    names = [n.name for n in pip_settings.in_environment(environ) if n.kind != pip_settings.FILES]
    configured = map(pip_settings.setting_of_key, pip_config.in_files(environ))
    if any(setting is not None and setting.kind != pip_settings.FILES for setting in configured):
        names += pip_settings.NEUTRAL
    return UserSettings(names, own_find_links(environ))


def own_find_links(environ: Mapping[str, str], command: str = "install") -> FindLinks:
    """Return the find-links that the user's environment, or else pip's configuration, names.

    Args:
        environ: the user's environment, without the variables of a ``.env``.
        command: pip's command.
    """
    value, where = pip_config.setting_value("find-links", environ, command)
    local, remote = [], []
    for link in value.split():
        path = _path(link)
        if path is not None and os.path.exists(path):
            local.append(os.path.abspath(path))
        elif "://" in link and not link.lower().startswith("file:"):
            remote.append(link)
    return FindLinks(where if value.split() else "", tuple(local), tuple(remote))


def _path(link: str) -> str | None:
    """Return the path that a link means; None for a URL of another host."""
    if link.lower().startswith("file:"):
        from codeartifact_pipenv.project.requirements_files import path_of_url

        return path_of_url(link)
    expanded = os.path.expanduser(link) if link.startswith("~") else link
    return None if "://" in link and not os.path.exists(expanded) else expanded


def without_proxy(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the proxy of the user's configuration of pip, and the text of that without it.

    pip would ask that proxy for the proxy index on loopback: its own setting has no exceptions,
    unlike the common variables. A proxy for all users of a machine, or in a virtual environment,
    cannot be taken from pip.

    Returns:
        None without a proxy, or if pip could not read the files either.
    """
    texts = [text for path in _files(environ) if (text := _text(path))]
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
    # (pip prefers the section of a command to the one for all; any proxy is as good as another.)
    sections = sorted(parser.sections(), key=lambda name: name != "global")
    proxy = next((p for name in sections if (p := parser.get(name, "proxy", fallback=""))), "")
    for section in sections:
        for option in parser.options(section):
            setting = pip_settings.setting_of_key(option)
            if option == "proxy" or (setting and setting.kind in _LEFT_OUT):
                parser.remove_option(section, option)
    written = io.StringIO()
    parser.write(written)
    return (proxy, written.getvalue()) if proxy else None


def _files(environ: Mapping[str, str]) -> list[str]:
    named = pip_config.named_file(environ)
    if named is not None:
        return [] if named == os.devnull else [named]
    try:
        return pip_config.user_files(environ)
    except ConfigurationError:
        return []


def _text(path: str) -> str | None:
    try:
        return pip_config.read_config(path)
    except (OSError, UnicodeDecodeError):
        return None
