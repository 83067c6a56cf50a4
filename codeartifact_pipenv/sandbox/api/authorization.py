"""GetAuthorizationToken."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api.errors import denied, misfit
from codeartifact_pipenv.sandbox.arns import domain_arn
from codeartifact_pipenv.sandbox.permissions import sentence

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.errors import Document

_TWELVE_HOURS = 43200
_FIFTEEN_MINUTES = 900
_BEARER = "sts:GetServiceBearerToken"


def get_authorization_token(call: Call) -> Document:
    """Make a token; its ``expiration`` is in seconds since the epoch."""
    domain = call.domain()
    asked = _asked(call)
    call.authorize("codeartifact:GetAuthorizationToken", domain_arn(domain), domain=domain)
    # A condition on sts:DurationSeconds compares what is asked: 0 passes every maximum.
    keys = {
        "sts:awsservicename": ("codeartifact.amazonaws.com",),
        "sts:durationseconds": (str(asked),),
    }
    call.authorize(_BEARER, "*", keys=keys)
    longest = call.state.maximum_duration
    if longest is not None and asked > longest:
        reason = f"because no identity-based policy allows the {_BEARER} action"
        raise denied(sentence(call.principal.arn, _BEARER, "*", reason))
    call.require_domain(domain)
    seconds = _life(call, asked) if call.state.token_life is None else call.state.token_life
    token, issued = call.state.tokens.issue(
        domain, seconds, call.principal.access_key_id, call.actor
    )
    return {"authorizationToken": token, "expiration": issued.expires_at}


def _asked(call: Call) -> int:
    text = call.query.get("duration", str(_TWELVE_HOURS))
    seconds = int(text) if re.fullmatch("[0-9]{1,9}", text) else -1
    if seconds and not _FIFTEEN_MINUTES <= seconds <= _TWELVE_HOURS:
        raise misfit(
            "durationSeconds", text, f"be 0 or between {_FIFTEEN_MINUTES} and {_TWELVE_HOURS}"
        )
    return seconds


def _life(call: Call, asked: int) -> float:
    if asked:
        return asked
    expires_at = call.principal.expires_at
    if expires_at is None:
        return _TWELVE_HOURS
    return (expires_at - datetime.now(timezone.utc)).total_seconds()
