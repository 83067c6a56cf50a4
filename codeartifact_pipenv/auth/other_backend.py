"""Asks another keyring backend for the token, if the user's configuration names one."""

from __future__ import annotations

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.errors import ConfigurationError, TokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import RepositoryEndpoint

_USERNAME = "aws"


def fetch_token(name: str, endpoint: RepositoryEndpoint) -> AuthorizationToken:
    """Ask a keyring backend for an endpoint's password.

    Args:
        name: the backend's class as ``module.Class``, as in keyring's own configuration.
        endpoint: where the password is used.

    Raises:
        ConfigurationError: the backend cannot be loaded.
        TokenError: it failed, or has no password for the endpoint.
    """
    import keyring.core

    try:
        backend = keyring.core.load_keyring(name)
    except Exception as error:
        raise ConfigurationError(
            f"The keyring backend {name} cannot be loaded: {error}.",
            "Correct the keyring-backend setting; `keyring --list-backends` lists the installed ones.",
        ) from error
    service = endpoint.simple_url if endpoint.repository else endpoint.host
    try:
        password = backend.get_password(service, _USERNAME)
    except Exception as error:
        raise TokenError(
            f"The keyring backend {name} failed: {type(error).__name__}: {error}.",
            f"Try `keyring -b {name} get {service} {_USERNAME}`.",
        ) from error
    if not password:
        raise TokenError(
            f"The keyring backend {name} has no password for {service}.",
            f"Store one with `keyring -b {name} set {service} {_USERNAME}`, or remove the "
            "keyring-backend setting to ask AWS.",
        )
    try:
        return AuthorizationToken.from_text(password, source=f"keyring backend {name}")
    except ValueError as error:
        raise TokenError(
            f"The keyring backend {name} has a value for {service} that is not an authorization token: {error}.",
            f"Look at it with `keyring -b {name} get {service} {_USERNAME}`.",
        ) from None
