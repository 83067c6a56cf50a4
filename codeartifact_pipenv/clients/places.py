"""Where tools keep their configuration: the file that a login goes into.

Each function raises ConfigurationError if there is no home folder.
"""

from __future__ import annotations

import os

from codeartifact_pipenv.errors import ConfigurationError, UsageError
from codeartifact_pipenv.pip_files import NAME, home, named_file, user_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def pip_file(environ: Mapping[str, str], environment: str | None) -> str:
    """Return the file of pip, as its documentation ("Configuration") has it.

    Args:
        environ: the environment.
        environment: a virtual environment's folder; None for the user's own file.

    Raises:
        UsageError: the folder is not a virtual environment.
        ConfigurationError: pip is told to read no file.
    """
    if environment is not None:
        if not _is_environment(environment):
            raise UsageError(
                f"{environment} is not a virtual environment.",
                "Name its folder, or take --user for all of pip.",
            )
        return os.path.join(os.path.abspath(environment), NAME)
    named = named_file(environ)
    if named == os.devnull:
        raise ConfigurationError(
            "PIP_CONFIG_FILE tells pip to read no configuration of yours.",
            "Unset it, or name a file in it.",
        )
    return named or user_file(environ)


def pip_environment(environ: Mapping[str, str]) -> str | None:
    """Return the active virtual environment."""
    folder = environ.get("VIRTUAL_ENV") or ""
    return folder if _is_environment(folder) else None


def _is_environment(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "pyvenv.cfg"))


def twine_file() -> str:
    """Return the ``.pypirc`` that twine reads if no option names another."""
    return home(".pypirc")


def netrc_file(environ: Mapping[str, str]) -> str:
    """Return the netrc file that curl, requests and pip read.

    ``NETRC`` names it; else it is ``~/.netrc``, or ``~/_netrc`` if only that exists.
    """
    named = environ.get("NETRC")
    if named:
        return os.path.abspath(os.path.expanduser(named))
    usual, other = home(".netrc"), home("_netrc")
    only_other = os.path.exists(other) and not os.path.exists(usual)
    return other if os.name == "nt" or only_other else usual
