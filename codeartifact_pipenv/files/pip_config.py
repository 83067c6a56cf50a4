"""Where pip's configuration for a user is, as pip's documentation ("Configuration") has it."""

from __future__ import annotations

import contextlib
import functools
import os
import sys

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_settings import normalise_key
from codeartifact_pipenv.files.reading import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_MAXIMUM_BYTES = 1024 * 1024
# Parts of the keys that are looked for; configparser takes long to import.
_TELLING = ("index", "pypi", "links", "constraint", "requirement", "host", "log", "cert")
NAME = "pip.ini" if sys.platform == "win32" else "pip.conf"
_HOMEBREW = ("/opt/homebrew/", "/usr/local/")


def named_file(environ: Mapping[str, str]) -> str | None:
    """Return the file of ``PIP_CONFIG_FILE``, with which pip does not read the user's own.

    None if the variable is not set, or names a file that does not exist; ``os.devnull`` is
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
        with contextlib.suppress(ConfigurationError):  # no home directory
            places += user_files(environ)
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
    # Later sections override earlier ones; an empty value is ignored.
    return {key: found for items in sections.values() for key, found in items.items() if found[0]}


def read_config(path: str) -> str:
    """Read a file of pip's, in the encoding that pip takes: on Windows that is rarely UTF-8.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    import locale

    text = read_bytes(path, _MAXIMUM_BYTES).decode(locale.getpreferredencoding(do_setlocale=False))
    return text.replace("\r\n", "\n").replace("\r", "\n")


@functools.lru_cache(maxsize=16)
def _parsed(path: str, _changed_at: int, _size: int) -> dict[str, dict[str, str]]:
    """Return the sections of a file, which is asked for many times in one command."""
    text = read_config(path)
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
    others: list[str] = []
    if sys.platform == "win32":
        shared = [environ.get("PROGRAMDATA", r"C:\ProgramData")]
    elif sys.platform == "darwin":
        # (pip before 26.2 reads the last one only.)
        brew = [f"{place}share" for place in _HOMEBREW if sys.base_prefix.startswith(place)]
        shared = environ.get("XDG_DATA_DIRS", "").split(":") + brew
        others = ["/Library/Application Support/pip"]
    else:
        shared, others = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"), ["/etc"]
    return [*(os.path.join(folder, "pip") for folder in shared if folder), *others]


def user_files(environ: Mapping[str, str]) -> list[str]:
    """Return the user's own files, the weakest first; a login belongs in the last.

    Raises:
        ConfigurationError: the home directory was not found.
    """
    if sys.platform == "win32":
        data = environ.get("APPDATA") or home("AppData", "Roaming", environ=environ)
        legacy, folders = home("pip", environ=environ), [os.path.join(data, "pip")]
    else:
        legacy, folders = home(".pip", environ=environ), _user_folders(environ)
    return list(dict.fromkeys(os.path.join(folder, NAME) for folder in [legacy, *folders]))


def _user_folders(environ: Mapping[str, str]) -> list[str]:
    config = home(".config", "pip", environ=environ)
    if sys.platform == "darwin":
        # pip before 26.2 knows the first one only.
        library = home("Library", "Application Support", environ=environ)
        data = [library, *_absolute(environ.get("XDG_DATA_HOME", ""))]
        found = [os.path.join(folder, "pip") for folder in data]
        folders = [folder if os.path.isdir(folder) else config for folder in found]
    else:
        base = _absolute(environ.get("XDG_CONFIG_HOME", ""))
        folders = [os.path.join(base[0], "pip") if base else config]
    return folders


def _absolute(path: str) -> list[str]:
    return [path] if os.path.isabs(path) else []


def home(*names: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a path below the user's home.

    Raises:
        ConfigurationError: the home directory was not found.
    """
    folder = environ.get("HOME", "") if sys.platform != "win32" else ""
    folder = folder or os.path.expanduser("~")
    if not os.path.isabs(folder):
        raise ConfigurationError("The home directory was not found.", "Set HOME.")
    return os.path.join(folder, *names)
