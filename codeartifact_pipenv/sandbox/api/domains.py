"""Operations on domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.api.errors import conflict, over_quota
from codeartifact_pipenv.sandbox.api.paging import cut
from codeartifact_pipenv.sandbox.arns import domain_arn
from codeartifact_pipenv.sandbox.permissions import tag_keys

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.errors import Document
    from codeartifact_pipenv.sandbox.repository import DomainRecord

_MOST_DOMAINS = 10


def create_domain(call: Call) -> Document:
    """Make a domain of the caller's account."""
    domain = Domain(call.parameter("domain"), call.principal.account, call.region)
    key = call.member("encryptionKey")
    call.authorize("codeartifact:CreateDomain", domain_arn(domain), keys=tag_keys(call.tags()))
    if domain in call.state.domains:
        raise conflict(
            f"Domain '{domain.name}' owned by account '{domain.owner}' already exists.",
            domain.name,
            "domain",
        )
    if len(_domains_of(call)) >= _MOST_DOMAINS:
        raise over_quota(f"An account has at most {_MOST_DOMAINS} domains.", domain.name, "domain")
    record = call.state.add_domain(domain, key)
    record.tags = call.tags()
    return {"domain": _describe(record)}


def describe_domain(call: Call) -> Document:
    """Describe a domain."""
    record = call.domain_for("codeartifact:DescribeDomain")
    return {"domain": _describe(record)}


def delete_domain(call: Call) -> Document:
    """Remove a domain without repositories; one that is not there is no error."""
    domain = call.domain()
    call.authorize("codeartifact:DeleteDomain", domain_arn(domain), domain=domain)
    record = call.state.domains.get(domain)
    if record is None:
        return {}
    if record.repositories:
        raise conflict(f"Domain '{domain.name}' still has repositories.", domain.name, "domain")
    del call.state.domains[domain]
    return {"domain": {**_describe(record), "status": "Deleted"}}


def list_domains(call: Call) -> Document:
    """List the domains of the caller's account; paging is in the body."""
    call.authorize("codeartifact:ListDomains", "*")
    rows, more = cut(
        call, _domains_of(call), call.body.get("maxResults"), call.body.get("nextToken")
    )
    return {"domains": [_summarise(record) for record in rows], **more}


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


def _summarise(record: DomainRecord) -> Document:
    return {
        "name": record.domain.name,
        "owner": record.domain.owner,
        "arn": domain_arn(record.domain),
        "status": "Active",
        "createdTime": record.created_at,
        "encryptionKey": record.encryption_key,
    }


def _describe(record: DomainRecord) -> Document:
    # An asset counts once, in however many repositories it is.
    sizes = {
        file.sha256: file.size or 0
        for repository in record.repositories.values()
        for package in repository.packages.values()
        for version in package.versions.values()
        for file in version.files.values()
    }
    return {
        **_summarise(record),
        "repositoryCount": len(record.repositories),
        "assetSizeBytes": sum(sizes.values()),
        # The account in the bucket's name is that of us-east-1; each region has its own.
        "s3BucketArn": f"arn:aws:s3:::assets-193858265520-{record.domain.region}",
    }
