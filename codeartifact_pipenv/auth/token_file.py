"""Reads a token from the file that ``..._FILE`` names, or from a mounted secret.

Docker mounts secrets of builds and services in ``/run/secrets`` ("Build secrets" in Docker's
documentation). Only names that contain CODEARTIFACT are read: a project chooses the name of its
variable, and must not choose which of its user's secrets are sent.
"""

from __future__ import annotations

import codecs
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SECRETS = "/run/secrets"
_OURS = "CODEARTIFACT"
# Many times the size of a token.
_LIMIT = 1024 * 1024


def token_file(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the file that holds the token of a variable, or None.

    Args:
        name: the variable, such as CODEARTIFACT_AUTH_TOKEN.
        environ: the environment.
    """
    if _OURS not in name.upper():
        return None
    named = environ.get(f"{name}_FILE")
    if named:
        return os.path.expanduser(named)
    path = f"{SECRETS}/{name}"
    return path if os.path.exists(path) else None


def read_token_file(path: str, name: str, environ: Mapping[str, str]) -> str:
    """Return the token in a file, as text.

    Args:
        path: the file.
        name: the variable that it replaces.
        environ: the environment.

    Raises:
        ConfigurationError: it cannot be read, is empty, or certainly contains something else.
    """
    from codeartifact_pipenv.auth.token_shape import describe_non_token
    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.files.reading import read_bytes

    value = ""
    try:
        # PowerShell writes UTF-16.
        data = read_bytes(path, _LIMIT)
        is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        value = data.decode("utf-16" if is_utf16 else "utf-8-sig").strip()
        found = describe_non_token(value, environ) if value else "empty"
        wrong = f"it is {found}" if found else None
    except OSError as error:
        wrong = f"it cannot be read: {error.strerror or error}"
    except ValueError:
        wrong = "it is not a text"
    if wrong is None:
        return value
    named = f"{name}_FILE names it" if environ.get(f"{name}_FILE") else "it is a mounted secret"
    raise ConfigurationError(
        f"{path} does not hold a token ({named}): {wrong}.",
        "Write into it what `aws codeartifact get-authorization-token --query authorizationToken "
        "--output text` prints, or remove it to have a token fetched.",
        "token-malformed",
    )
