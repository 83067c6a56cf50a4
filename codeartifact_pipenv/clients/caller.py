"""The caller's account and region, for domains that are named without them."""

from __future__ import annotations

import contextlib
import os
import re

from codeartifact_pipenv.auth.aws import (
    CALL_ERRORS,
    CALLS,
    open_session,
)
from codeartifact_pipenv.aws.errors import explain
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from codeartifact_pipenv.aws.caller import Caller


def find_region(caller: Caller) -> str:
    """Return the region of the environment or the profile, as the AWS CLI finds it.

    Raises:
        UsageError: neither names one.
        CodeArtifactPipenvError: AWS's configuration cannot be read.
    """
    region = os.environ.get("AWS_REGION")
    if not region:
        with _session(caller, "") as session:
            region = session.get_config_variable("region")
    if not region:
        raise UsageError(
            "The AWS region is not set.",
            "Give --region, set AWS_REGION, or a region in the profile.",
        )
    return region


def find_account(caller: Caller, region: str) -> str:
    """Return the caller's account, by one call of STS.

    Raises:
        CodeArtifactPipenvError: AWS credentials were not found, or AWS does not answer.
    """
    with _session(caller, region) as session:
        client = session.create_client("sts", region_name=region, config=CALLS)
        found = str(client.get_caller_identity().get("Account"))
        if not re.fullmatch("[0-9]{12}", found):
            raise ValueError("it is not an account")
        return found


@contextlib.contextmanager
def _session(caller: Caller, region: str) -> Iterator[Any]:
    try:
        yield open_session(caller)
    except CALL_ERRORS as error:
        domain = Domain("", "", region)
        raise CodeArtifactPipenvError.of(explain(error, domain, caller.profile)) from error
