"""The caller's account and region, for domains that are named without them."""

from __future__ import annotations

import os
import re
from typing import Any

from codeartifact_pipenv.auth.aws import (
    ASKING_FAILS,
    CALLS,
    garbled,
    open_session,
    profile_in_environment,
)
from codeartifact_pipenv.auth.aws_errors import explain
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError


def find_region(profile: str | None) -> str:
    """Return the region of the environment or the profile, as the AWS CLI finds it.

    Raises:
        UsageError: neither names one.
        CodeArtifactPipenvError: AWS's configuration cannot be read.
    """
    region = os.environ.get("AWS_REGION") or _ask(
        profile, "", lambda session: session.get_config_variable("region")
    )
    if not region:
        raise UsageError(
            "It is not clear which AWS region is meant.",
            "Give --region, set AWS_REGION, or a region in the profile.",
        )
    return str(region)


def find_account(profile: str | None, region: str) -> str:
    """Return the caller's account, by one call of STS.

    Raises:
        CodeArtifactPipenvError: there are no credentials, or AWS does not answer.
    """

    def account(session: Any) -> str:
        client = session.create_client("sts", region_name=region, config=CALLS)
        found = client.get_caller_identity().get("Account")
        if not re.fullmatch("[0-9]{12}", str(found)):
            raise garbled()
        return str(found)

    return str(_ask(profile, region, account))


def _ask(profile: str | None, region: str, question: Any) -> Any:
    try:
        return question(open_session(profile, None))
    except ASKING_FAILS as error:
        domain = Domain("", "", region)
        who = profile or profile_in_environment()
        raise CodeArtifactPipenvError.of(explain(error, domain, who)) from error
