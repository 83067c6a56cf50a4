"""Operations on domains, and GetAuthorizationToken."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api.errors import conflict, denied, misfit, over_quota
from codeartifact_pipenv.sandbox.hosts import domain_arn

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.model import Document
    from codeartifact_pipenv.sandbox.repository import DomainRecord

_MOST_DOMAINS = 10


def create_domain(call: Call) -> Document:
    """Create a domain in the caller's account."""
    domain = call.domain
    if domain in call.state.domains:
        raise conflict(
            f"Domain '{domain.name}' owned by account '{domain.owner}' already exists.",
            domain.name,
            "domain",
        )
    if len(_domains_of(call)) >= _MOST_DOMAINS:
        raise over_quota(f"An account has at most {_MOST_DOMAINS} domains.", domain.name, "domain")
    record = call.state.add_domain(domain, call.get("encryptionKey"))
    record.tags = call.tags()
    return {"domain": _describe(record)}


def describe_domain(call: Call) -> Document:
    """Describe a domain."""
    return {"domain": _describe(call.domain_record())}


def delete_domain(call: Call) -> Document:
    """Delete an empty domain; a missing domain is not an error."""
    domain = call.domain
    record = call.state.domains.get(domain)
    if record is None:
        return {}
    if record.repositories:
        raise conflict(f"Domain '{domain.name}' still has repositories.", domain.name, "domain")
    del call.state.domains[domain]
    return {"domain": {**_describe(record), "status": "Deleted"}}


def list_domains(call: Call) -> Document:
    """List the domains of the caller's account."""
    rows, more = call.page(_domains_of(call))
    return {"domains": [_describe(record) for record in rows], **more}


def _domains_of(call: Call) -> list[DomainRecord]:
    account, region = call.principal.account, call.region
    return sorted(
        (
            record
            for domain, record in call.state.domains.items()
            if (domain.owner, domain.region) == (account, region)
        ),
        key=lambda record: record.domain.name,
    )


def _describe(record: DomainRecord) -> Document:
    return {
        "name": record.domain.name,
        "owner": record.domain.owner,
        "arn": domain_arn(record.domain),
        "status": "Active",
        "createdTime": record.created_at,
        "encryptionKey": record.encryption_key,
        "repositoryCount": len(record.repositories),
    }


_TWELVE_HOURS, _FIFTEEN_MINUTES = 43200, 900
_BEARER = "sts:GetServiceBearerToken"


def get_authorization_token(call: Call) -> Document:
    """Issue a token; ``expiration`` is in seconds since the epoch."""
    asked: int = call.get("durationSeconds", _TWELVE_HOURS)
    if 0 < asked < _FIFTEEN_MINUTES:
        raise misfit(
            "durationSeconds", asked, f"be 0 or between {_FIFTEEN_MINUTES} and {_TWELVE_HOURS}"
        )
    call.refuse_denied(_BEARER, "*")
    longest = call.state.maximum_duration
    # A condition on sts:DurationSeconds compares the requested value, so 0 passes.
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
    # AWS does not document 0 for long-lived keys; assume the default of 12 hours.
    if expires_at is None:
        return _TWELVE_HOURS
    return (expires_at - datetime.now(timezone.utc)).total_seconds()
