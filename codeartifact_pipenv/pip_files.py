"""Where pip's configuration for a user is, as pip's documentation ("Configuration") has it."""

from __future__ import annotations

import contextlib
import functools
import os
import sys

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.pip_settings import normalise_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_MAXIMUM_BYTES = 1024 * 1024
# Parts of the keys that are looked for; configparser takes long to import.
_TELLING = ("index", "pypi", "links", "constraint", "requirement", "host", "log", "cert")
NAME = "pip.ini" if os.name == "nt" else "pip.conf"


def named_file(environ: Mapping[str, str]) -> str | None:
    """Return the file of ``PIP_CONFIG_FILE``, with which pip does not read the user's own.

    None where the variable is not set, or names a file that does not exist; ``os.devnull`` is
    for pip to read no file at all.
    """
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return named
    return os.path.abspath(named) if named and os.path.exists(named) else None


def all_files(environ: Mapping[str, str]) -> list[str]:
    """Return the files that pip reads, the weakest first; those need not exist."""
    named = named_file(environ)
    if named == os.devnull:
        return []
    places = [os.path.join(folder, NAME) for folder in _global_folders(environ)]
    if named is None:
        with contextlib.suppress(ConfigurationError):  # there is no home
            places += [legacy_file(environ), user_file(environ)]
    places.append(os.path.join(sys.prefix, NAME))
    return [*places, *([named] if named else [])]


def index_settings(environ: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return the index URL and the extra index URLs that pip is told by variables and files.

    Files that pip could not read either say nothing.
    """
    first = [word for kind in ("index-url", "pypi-url") for word in words(kind, environ)]
    return next(iter(first), None), words("extra-index-url", environ)


def words(setting: str, environ: Mapping[str, str], command: str = "install") -> list[str]:
    """Return the words of a setting that takes several, such as ``trusted-host``.

    A variable takes the place of the files, unless it is empty; files that pip could not read
    either say nothing.
    """
    return setting_value(setting, environ, command)[0].split()


def setting_value(
    setting: str, environ: Mapping[str, str], command: str = "install"
) -> tuple[str, str]:
    """Return the value of a setting for one of pip's commands, and where it stands.

    That is the name of a variable, or the path of a file; two empty texts where it is not set.
    """
    for name, given in reversed(list(environ.items())):
        if name.startswith("PIP_") and normalise_key(name[len("PIP_") :]) == setting and given:
            return given, name
    return in_files(environ, command).get(setting, ("", ""))


def in_files(environ: Mapping[str, str], command: str = "install") -> dict[str, tuple[str, str]]:
    """Return what pip's configuration files say for one of its commands.

    By normalised key, value and file. Only files with a setting of ``_TELLING`` are parsed.
    """
    sections: dict[str, dict[str, tuple[str, str]]] = {"global": {}, command: {}}
    for path in all_files(environ):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            now = os.stat(path)
            parsed = _parsed(path, now.st_mtime_ns, now.st_size)
            for section, items in sections.items():
                items.update({key: (value, path) for key, value in parsed.get(section, {}).items()})
    # (What is for one command counts more; an empty value says nothing.)
    return {key: found for items in sections.values() for key, found in items.items() if found[0]}


@functools.lru_cache(maxsize=16)
def _parsed(path: str, _changed_at: int, _size: int) -> dict[str, dict[str, str]]:
    """Return the sections of a file, which is asked for many times in one command."""
    text = read_text(path, _MAXIMUM_BYTES)
    if not any(part in text.lower() for part in _TELLING):
        return {}
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {
        section: {normalise_key(key): value or "" for key, value in parser.items(section)}
        for section in parser.sections()
    }


def _global_folders(environ: Mapping[str, str]) -> list[str]:
    if os.name == "nt":
        return [os.path.join(environ.get("PROGRAMDATA", r"C:\ProgramData"), "pip")]
    if sys.platform == "darwin":
        return ["/Library/Application Support/pip"]
    folders = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return [*(os.path.join(folder, "pip") for folder in folders.split(":") if folder), "/etc"]


def user_file(environ: Mapping[str, str]) -> str:
    """Return the file of the user's own.

    Raises:
        ConfigurationError: there is no home.
    """
    return os.path.join(_user_folder(environ), NAME)


def legacy_file(environ: Mapping[str, str] = os.environ) -> str:
    """Return where the user's own file once was; pip reads it before the other one.

    Raises:
        ConfigurationError: there is no home.
    """
    return home("pip" if os.name == "nt" else ".pip", NAME, environ=environ)


def home(*names: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a path below the user's home.

    Raises:
        ConfigurationError: there is no home.
    """
    folder = environ.get("HOME", "") if os.name != "nt" else ""
    folder = folder or os.path.expanduser("~")
    if not os.path.isabs(folder):
        raise ConfigurationError("There is no home folder.", "Set HOME.")
    return os.path.join(folder, *names)


def _user_folder(environ: Mapping[str, str]) -> str:
    if os.name == "nt":
        data = environ.get("APPDATA") or home("AppData", "Roaming", environ=environ)
        return os.path.join(data, "pip")
    if sys.platform == "darwin":
        library = home("Library", "Application Support", "pip", environ=environ)
        return library if os.path.isdir(library) else home(".config", "pip", environ=environ)
    base = environ.get("XDG_CONFIG_HOME", "")
    return os.path.join(base if os.path.isabs(base) else home(".config", environ=environ), "pip")
