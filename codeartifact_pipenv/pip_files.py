"""Where pip's configuration for a user is, as pip's documentation ("Configuration") has it."""

from __future__ import annotations

import os
import sys

from codeartifact_pipenv.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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
