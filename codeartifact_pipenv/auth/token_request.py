"""The identity and duration of a token request.

This program's settings come first. What they leave open comes from the ``[codeartifact]`` sections of
keyring's configuration, which users of keyrings.codeartifact have. Both the wrapper and the keyring
backend read them, so AWS sees the same identity in ``pip install`` and in ``pipenv-ca``.
"""

from __future__ import annotations

import os
import sys

from codeartifact_pipenv.aws.caller import Caller, TokenRequest
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.reading import read_bytes
from codeartifact_pipenv.settings import MAXIMUM_DURATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.settings import Settings

# Only sections that begin like this are read.
_SECTION = b"[codeartifact"


def caller_for(settings: Settings, domain: Domain | None = None) -> Caller:
    """Return the caller for a domain, or for any domain, from this program's settings alone.

    Raises:
        ConfigurationError: a setting cannot be read.
    """
    profile, role = settings.text("profile", domain), settings.text("role", domain)
    return Caller(profile, role=role, profile_from=settings.origin("profile", domain))


def token_request(
    settings: Settings, environ: Mapping[str, str], endpoint: RepositoryEndpoint
) -> TokenRequest:
    """Return the request for an endpoint.

    Raises:
        ConfigurationError: a setting cannot be read, or keyring's configuration is needed
            and cannot be read, or contradicts itself.
    """
    caller = caller_for(settings, endpoint.domain)
    duration = settings.seconds("duration", -1)
    data = None if caller.profile and duration >= 0 else read_keyringrc(environ)
    if data is None:
        return TokenRequest(MAXIMUM_DURATION if duration < 0 else duration, caller)
    from codeartifact_pipenv.auth.keyringrc import KeyringConfig

    section = KeyringConfig(data, keyringrc_path(environ)).token_request(endpoint)
    uses_identity = caller.profile is None and section.caller != Caller()
    if uses_identity:
        # The role from the settings is assumed with the credentials of the section.
        caller = section.caller._replace(role=caller.role, profile_from=section.origin)
    uses_duration = duration < 0 <= section.duration
    if uses_duration:
        duration = section.duration
    return TokenRequest(
        MAXIMUM_DURATION if duration < 0 else duration,
        caller,
        section.origin if uses_identity or uses_duration else None,
    )


def check_owner(settings: Settings, endpoint: RepositoryEndpoint) -> None:
    """Check that a domain's account is allowed.

    Raises:
        ConfigurationError: it is not allowed.
    """
    allowed = settings.accounts("allowed-owners")
    if allowed is not None and endpoint.domain.owner not in allowed:
        raise ConfigurationError(
            f"The domain {endpoint.domain} belongs to an account that is not allowed.",
            "If you trust it, add the account to your allowed-owners setting.",
        )


def first_token_request(
    settings: Settings, environ: Mapping[str, str], endpoints: Iterable[RepositoryEndpoint | None]
) -> TokenRequest:
    """Return the request for the first endpoint, as calls about other things need it.

    Errors in keyring's configuration are reported only when a token is requested.

    Raises:
        ConfigurationError: a setting cannot be read.
    """
    endpoint = next((endpoint for endpoint in endpoints if endpoint is not None), None)
    if endpoint is not None:
        try:
            return token_request(settings, environ, endpoint)
        except ConfigurationError:
            pass
    return TokenRequest(MAXIMUM_DURATION, caller_for(settings))


def read_keyringrc(environ: Mapping[str, str]) -> bytes | None:
    """Return keyring's configuration, or None without a [codeartifact] section.

    Raises:
        ConfigurationError: it exists but cannot be read.
    """
    path = keyringrc_path(environ)
    if not os.path.isabs(path):
        return None  # a path in the current folder may belong to an untrusted project
    try:
        data = read_bytes(path)
    except OSError as error:
        # A parent folder that cannot be searched counts as missing.
        if not os.path.lexists(path):
            return None
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Make it readable or remove it: its [codeartifact] sections set the AWS identity.",
            "keyringrc-broken",
        ) from None
    return data if _SECTION in data else None


def keyringrc_path(environ: Mapping[str, str]) -> str:
    """Return the path of keyring's configuration (keyring.util.platform_.config_root)."""
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA", environ.get("PROGRAMDATA", "."))
        folder = os.path.join(base, "Python Keyring")
    else:
        base = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
        folder = os.path.join(base, "python_keyring")
    return os.path.join(folder, "keyringrc.cfg")
