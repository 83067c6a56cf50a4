"""AWS credentials of a GitHub Actions job by its own identity token, without a third-party action.

A job with ``permissions: id-token: write`` may ask GitHub for a token that says who it is
(GitHub's documentation, "OpenID Connect reference"), and AWS gives it the role that trusts it
(AssumeRoleWithWebIdentity). Used where AWS_ROLE_ARN or the `role` setting names a role, and nothing
else that botocore reads has credentials; the token is in no file. Imported only in a job.
"""

from __future__ import annotations

import json
import os
import urllib.parse

from botocore.awsrequest import AWSRequest
from botocore.credentials import (
    AssumeRoleWithWebIdentityCredentialFetcher,
    CredentialProvider,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from codeartifact_pipenv.aws.role import (
    GITHUB_METHOD,
    partition_of,
    session_name,
    sts_clients,
)
from codeartifact_pipenv.errors import TokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from botocore.session import Session

URL_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_URL"
_PASSWORD_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - a variable's name
_TIMEOUT_SECONDS = 10
_OK = 200


def add_github_provider(session: Session, role: str | None) -> None:
    """Let a session take a GitHub job's identity, before it asks the machine that it runs on.

    A job that may not ask GitHub is told so, where nothing else has credentials either.

    Args:
        session: the session.
        role: the role to take with it; or None for AWS_ROLE_ARN.
    """
    chain = session.get_component("credential_provider")
    if os.environ.get(URL_VARIABLE):
        chain.insert_before("container-role", _GitHubProvider(session, role))
    else:
        chain.insert_after("iam-role", _MissingPermission(session))


class _MissingPermission(CredentialProvider):  # type: ignore[misc] # botocore is untyped
    METHOD = "github-permission"

    def load(self) -> None:
        if os.environ.get("AWS_ROLE_ARN"):
            raise TokenError(
                "No AWS credentials were found: this job may not ask GitHub for an identity token, "
                "by which it would get the role in AWS_ROLE_ARN.",
                "Give the job `permissions: id-token: write`; a pull request from a fork cannot have it.",
                "no-credentials",
            )


class _GitHubProvider(CredentialProvider):  # type: ignore[misc] # botocore is untyped
    METHOD = GITHUB_METHOD

    def __init__(self, session: Session, role: str | None) -> None:
        super().__init__(session)
        self._role = role

    def load(self) -> Any:
        role = self._role or os.environ.get("AWS_ROLE_ARN")
        if not role:
            return None
        in_china = partition_of(role) == "aws-cn"
        audience = "sts.amazonaws.com.cn" if in_china else "sts.amazonaws.com"
        fetcher = AssumeRoleWithWebIdentityCredentialFetcher(
            sts_clients(self.session, role),
            lambda: self._identity_token(audience),
            role,
            extra_args={"RoleSessionName": session_name()},
        )
        return DeferredRefreshableCredentials(
            method=self.METHOD, refresh_using=fetcher.fetch_credentials
        )

    def _identity_token(self, audience: str) -> str:
        """Ask GitHub for the job's identity token.

        Raises:
            TokenError: GitHub refuses.
        """
        url = os.environ[URL_VARIABLE]
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in {"localhost", "127.0.0.1"}:
            raise _refused(f"{URL_VARIABLE} is not an https URL")
        mark = "&" if parts.query else "?"
        request = AWSRequest(
            method="GET",
            url=f"{url}{mark}audience={audience}",
            headers={"Authorization": f"Bearer {os.environ.get(_PASSWORD_VARIABLE, '')}"},
        )
        http = URLLib3Session(
            verify=self.session.get_config_variable("ca_bundle") or True,
            proxies=get_environ_proxies(url),
            timeout=_TIMEOUT_SECONDS,
        )
        try:
            answer = http.send(request.prepare())
            token = json.loads(answer.content)["value"] if answer.status_code == _OK else ""
        except BotoCoreError as error:
            raise _refused(f"it did not answer ({type(error).__name__})") from None
        except (ValueError, LookupError, TypeError):
            raise _refused("its answer does not contain one") from None
        if token == "":
            raise _refused(f"it answered with status {answer.status_code}")
        if not isinstance(token, str):
            raise _refused("its answer does not contain one")
        return token


def _refused(why: str) -> TokenError:
    return TokenError(
        f"GitHub gave this job no identity token: {why}.",
        "Give the job `permissions: id-token: write`; AWS_ROLE_ARN names the role to assume with it.",
        "github-identity",
    )
