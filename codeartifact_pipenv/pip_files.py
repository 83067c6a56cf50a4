"""Where pip's configuration for a user is, as pip's documentation ("Configuration") has it."""

from __future__ import annotations

import contextlib
import os
import sys

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.reading import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_MAXIMUM_BYTES = 1024 * 1024
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
            places += [legacy_file(), user_file(environ)]
    places.append(os.path.join(sys.prefix, NAME))
    return [*places, *([named] if named else [])]


def index_settings(environ: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return the index URL and the extra index URLs that pip is told by variables and files.

    Files that pip could not read either say nothing.
    """
    first = environ.get("PIP_INDEX_URL", "").split() or _in_files("index-url", environ)
    return next(iter(first), None), words("extra-index-url", environ)


def words(setting: str, environ: Mapping[str, str]) -> list[str]:
    """Return the words of a setting that takes several, such as ``trusted-host``.

    A variable takes the place of the files, also an empty one; those that pip could not read
    either say nothing.
    """
    given = environ.get(f"PIP_{setting.upper().replace('-', '_')}")
    return _in_files(setting, environ) if given is None else given.split()


def _in_files(setting: str, environ: Mapping[str, str]) -> list[str]:
    texts = []
    for path in all_files(environ):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            texts.append(read_text(path, _MAXIMUM_BYTES))
    if not any(setting in text for text in texts):
        return []
    import configparser

    parser = configparser.RawConfigParser()
    try:
        for text in texts:
            parser.read_string(text)
    except configparser.Error:
        return []
    # (pip takes what is for one command before what is for all.)
    sections = sorted(parser.sections(), key=lambda name: name == "install")
    found = [parser.get(name, setting, fallback="").split() for name in sections]
    return next(filter(None, reversed(found)), [])


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


def legacy_file() -> str:
    """Return where the user's own file once was; pip reads it before the other one.

    Raises:
        ConfigurationError: there is no home.
    """
    return home("pip" if os.name == "nt" else ".pip", NAME)


def home(*names: str) -> str:
    """Return a path below the user's home.

    Raises:
        ConfigurationError: there is no home.
    """
    folder = os.path.expanduser("~")
    if not os.path.isabs(folder):
        raise ConfigurationError("There is no home folder.", "Set HOME.")
    return os.path.join(folder, *names)


def _user_folder(environ: Mapping[str, str]) -> str:
    if os.name == "nt":
        return os.path.join(environ.get("APPDATA") or home("AppData", "Roaming"), "pip")
    if sys.platform == "darwin":
        library = home("Library", "Application Support", "pip")
        return library if os.path.isdir(library) else home(".config", "pip")
    base = environ.get("XDG_CONFIG_HOME", "")
    return os.path.join(base if os.path.isabs(base) else home(".config"), "pip")
