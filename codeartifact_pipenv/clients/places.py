"""Where tools keep their configuration: the file that a login goes into."""

from __future__ import annotations

import os
import sys

from codeartifact_pipenv.errors import ConfigurationError, UsageError
from codeartifact_pipenv.files.pip_config import NAME, home, named_file, user_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def config_path(tool: str, environ: Mapping[str, str], environment: str | None = None) -> str:
    """Return the path of the file in which a tool keeps its logins.

    Args:
        tool: ``pip``, ``twine`` or ``netrc``.
        environ: the environment.
        environment: the virtual environment of that pip, or None for the user's pip.

    Raises:
        UsageError: the folder is not a virtual environment.
        ConfigurationError: pip is told to read no file, or the home directory was not found.
    """
    if tool == "twine":
        return home(".pypirc", environ=environ)  # twine's default
    if tool == "netrc":
        return _netrc_file(environ)
    if environment is not None:
        if not _is_environment(environment):
            raise UsageError(
                f"{environment} is not a virtual environment.",
                "Name its folder, or use --user for every pip.",
            )
        return os.path.join(os.path.abspath(environment), NAME)
    named = named_file(environ)
    if named == os.devnull:
        raise ConfigurationError(
            "PIP_CONFIG_FILE tells pip not to read your configuration.",
            "Unset it, or name a file in it.",
        )
    return named or user_files(environ)[-1]


def active_environment(environ: Mapping[str, str]) -> str | None:
    """Return the folder of the active virtual environment."""
    folder = environ.get("VIRTUAL_ENV") or ""
    return folder if _is_environment(folder) else None


def _is_environment(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "pyvenv.cfg"))


def _netrc_file(environ: Mapping[str, str]) -> str:
    """Return the file that curl, requests and pip read."""
    named = environ.get("NETRC")
    if named:
        return os.path.abspath(os.path.expanduser(named))
    usual, other = home(".netrc", environ=environ), home("_netrc", environ=environ)
    is_other = sys.platform == "win32" or os.path.exists(other)
    return other if is_other and not os.path.exists(usual) else usual
