"""Credentials of an IAM role, which the session's own credentials assume."""

from __future__ import annotations

import os
import re

from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from botocore.session import Session

    from codeartifact_pipenv.aws.caller import AccessKeys

# The method of credentials that a GitHub job's identity got: it already includes the role.
GITHUB_METHOD = "github"
# A region of each partition that has AWS STS, if none is configured.
_REGIONS = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_SESSION_NAME_LENGTH = 64


def add_role_provider(session: Session, role: str, keys: AccessKeys | None) -> None:
    """Let a session use a role, assumed with access keys or else what its chain finds."""
    chain = session.get_component("credential_provider")
    if keys is None:
        find = CredentialResolver([*chain.providers]).load_credentials
    else:
        source = Credentials(keys.key_id, keys.secret)

        def find() -> Any:
            return source

    chain.providers.insert(0, _RoleProvider(session, role, find))


class _RoleProvider(CredentialProvider):  # type: ignore[misc] # botocore is untyped
    METHOD = "role"

    def __init__(self, session: Session, role: str, find: Callable[[], Any]) -> None:
        super().__init__(session)
        self._role = role
        self._find = find

    def load(self) -> Any:
        source = self._find()
        if source is None:
            raise NoCredentialsError
        if source.method == GITHUB_METHOD:
            return source
        fetcher = AssumeRoleCredentialFetcher(
            sts_clients(self.session, self._role),
            source,
            self._role,
            extra_args={"RoleSessionName": session_name()},
        )
        return DeferredRefreshableCredentials(
            method=source.method, refresh_using=fetcher.fetch_credentials
        )


def sts_clients(session: Session, role: str) -> Callable[..., Any]:
    """Return what makes clients of STS, in the configured region or one of the role's partition."""
    configured = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    region = configured or _REGIONS.get(partition_of(role), "us-east-1")
    return lambda service, **given: session.create_client(service, region_name=region, **given)


def partition_of(role: str) -> str:
    """Return the partition that an ARN names, such as ``aws``."""
    return role.split(":")[1] if role.count(":") > 1 else ""


def session_name() -> str:
    """Return what AWS's logs call the session: in a job with its repository and run."""
    job = (os.environ.get(name, "") for name in ("GITHUB_REPOSITORY", "GITHUB_RUN_ID"))
    wanted = os.environ.get("AWS_ROLE_SESSION_NAME") or "-".join(filter(None, ("pipenv-ca", *job)))
    return re.sub(r"[^\w+=,.@-]", "-", wanted, flags=re.ASCII)[:_SESSION_NAME_LENGTH]
