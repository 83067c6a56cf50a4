"""The keyring backend: gives a token to pip, twine, uv, poetry and others.

keyring creates an instance of every installed backend for every look-up, so importing this module and
creating the class do nothing. A look-up never raises: it returns None for other services, and after
a failure, which it reports in one line on stderr.
"""

from __future__ import annotations

from typing import ClassVar

import keyring.backend
import keyring.credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken

_USERNAME = "aws"
# Part of every CodeArtifact host and of hardly any other service.
_MARK = ".codeartifact."


class CodeArtifactBackend(keyring.backend.KeyringBackend):
    """Answers only for CodeArtifact hosts."""

    # Above the operating systems' secret stores (5) and other backends for CodeArtifact
    # (9.9), below the chainer (10), which asks all of them.
    priority: ClassVar[float] = 9.95

    def get_password(self, service: str, username: str | None) -> str | None:
        """Return a token for a service.

        Args:
            service: an index, upload or file URL, or a bare host.
            username: ``aws``; None and '' mean the same.

        Returns:
            None if the service is not CodeArtifact, the username differs, or the token could
            not be obtained.
        """
        credential = self.get_credential(service, username)
        return None if credential is None else credential.password

    def get_credential(
        self, service: str, username: str | None
    ) -> keyring.credentials.Credential | None:
        """Return username and token for a service; arguments and None as for get_password."""
        # A tuple, because a client may pass an unhashable username.
        if username not in (None, "", _USERNAME) or not isinstance(service, str):
            return None
        if _MARK not in service.lower():
            return None
        token = _token(service)
        return (
            None if token is None else keyring.credentials.SimpleCredential(_USERNAME, token.value)
        )

    def set_password(self, service: str, username: str, password: str) -> None:
        """Raise NotImplementedError, at which keyring's chain asks the next backend."""
        raise NotImplementedError("tokens are made by AWS, not stored")

    def delete_password(self, service: str, username: str) -> None:
        """Raise NotImplementedError, at which keyring's chain asks the next backend."""
        raise NotImplementedError("tokens are made by AWS, not stored")


def _token(service: str) -> AuthorizationToken | None:
    from codeartifact_pipenv.endpoint import parse_host, parse_url

    endpoint = parse_url(service) if "/" in service else parse_host(service)
    if endpoint is None:
        return None
    from codeartifact_pipenv.auth.resolver import resolver_from_environment
    from codeartifact_pipenv.errors import CodeArtifactPipenvError
    from codeartifact_pipenv.report import Report

    # The client writes to the terminal, and its user may not know this backend.
    report = Report(tells_progress=False, speaker="codeartifact-pipenv")
    try:
        return resolver_from_environment(report).token(endpoint)
    except CodeArtifactPipenvError as error:
        if not error.is_reported:
            report.line(f"codeartifact-pipenv: {error.sentence} {error.hint}")
    except Exception as error:  # noqa: BLE001 - a client must not lose its other credentials over ours
        report.line(f"codeartifact-pipenv: {type(error).__name__}: {error}")
    return None
