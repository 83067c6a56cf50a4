"""GetAuthorizationToken."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api.errors import denied, misfit

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.model import Document

_TWELVE_HOURS, _FIFTEEN_MINUTES = 43200, 900
_BEARER = "sts:GetServiceBearerToken"


def get_authorization_token(call: Call) -> Document:
    """Make a token; its ``expiration`` is in seconds since the epoch."""
    asked: int = call.get("durationSeconds", _TWELVE_HOURS)
    if 0 < asked < _FIFTEEN_MINUTES:
        raise misfit(
            "durationSeconds", asked, f"be 0 or between {_FIFTEEN_MINUTES} and {_TWELVE_HOURS}"
        )
    call.refuse_denied(_BEARER, "*")
    longest = call.state.maximum_duration
    # A condition on sts:DurationSeconds compares what is asked: 0 passes every maximum.
    if longest is not None and asked > longest:
        reason = f"because no identity-based policy allows the {_BEARER} action"
        raise denied(call.principal.arn, _BEARER, "*", reason)
    domain = call.domain_record().domain
    seconds = _life(call, asked) if call.state.token_life is None else call.state.token_life
    token, issued = call.state.tokens.issue(domain, seconds, call.principal)
    return {"authorizationToken": token, "expiration": issued.expires_at}


def _life(call: Call, asked: int) -> float:
    if asked:
        return asked
    expires_at = call.principal.expires_at
    # What 0 gives to keys that do not end is not documented; here it is the usual 12 hours.
    if expires_at is None:
        return _TWELVE_HOURS
    return (expires_at - datetime.now(timezone.utc)).total_seconds()
