"""Operations on repositories, their upstreams and their external connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api.errors import conflict, invalid, not_found, over_quota
from codeartifact_pipenv.sandbox.hosts import endpoint_for, repository_arn
from codeartifact_pipenv.sandbox.repository import EXTERNAL_CONNECTIONS, Repository

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.model import Document

_MOST_UPSTREAMS = 10


def get_repository_endpoint(call: Call) -> Document:
    """Return a repository's URL with a final slash and without ``simple/``."""
    repository = call.repository()
    host = endpoint_for(repository.domain, repository.name, call.get("endpointType", "ipv4")).host
    return {"repositoryEndpoint": f"https://{host}/{call.given['format']}/{repository.name}/"}


def create_repository(call: Call) -> Document:
    """Create a repository, perhaps with upstreams."""
    record, name = call.domain_record(), call.given["repository"]
    if name in record.repositories:
        domain = record.domain
        raise conflict(
            f"Repository '{name}' in domain '{domain.name}' owned by account '{domain.owner}' already exists.",
            name,
            "repository",
        )
    made = Repository(
        record.domain,
        name,
        call.principal.account,
        call.state.clock.time(),
        description=call.get("description", ""),
        upstreams=_upstreams(call),
        tags=call.tags(),
    )
    record.repositories[name] = made
    return _describe(made)


def describe_repository(call: Call) -> Document:
    """Describe a repository."""
    return _describe(call.repository())


def update_repository(call: Call) -> Document:
    """Replace a repository's description and upstreams, if sent."""
    repository = call.repository()
    if call.get("upstreams") and repository.external_connection:
        raise _one_or_the_other(repository)
    if "upstreams" in call.given:
        repository.upstreams = _upstreams(call)
    repository.description = call.get("description", repository.description)
    return _describe(repository)


def delete_repository(call: Call) -> Document:
    """Delete a repository and its packages; other repositories keep it as an upstream."""
    repository = call.repository()
    del call.domain_record().repositories[repository.name]
    return _describe(repository)


def list_repositories(call: Call) -> Document:
    """List the repositories that the caller's account created."""
    account = call.principal.account
    found = [
        repository
        for domain, record in call.state.domains.items()
        for repository in record.repositories.values()
        if (domain.region, repository.administrator) == (call.region, account)
    ]
    return _list(call, found)


def list_repositories_in_domain(call: Call) -> Document:
    """List the repositories of a domain."""
    found = [
        repository
        for repository in call.domain_record().repositories.values()
        if call.get("administratorAccount") in {None, repository.administrator}
    ]
    return _list(call, found)


def associate_external_connection(call: Call) -> Document:
    """Add the external connection of a repository."""
    repository, wanted = call.repository(), call.given["externalConnection"]
    if wanted not in EXTERNAL_CONNECTIONS:
        raise invalid(f"Unknown external connection '{wanted}'.")
    # AWS's CloudFormation guide, pull request 1127, reports this error for a second connection;
    # assume the same for adding one twice.
    if repository.external_connection:
        raise invalid("External connections for repositories are currently limited to 1")
    if repository.upstreams:
        raise _one_or_the_other(repository)
    repository.external_connection = wanted
    return _describe(repository)


def disassociate_external_connection(call: Call) -> Document:
    """Remove a repository's external connection; retained packages stay."""
    repository, wanted = call.repository(), call.given["externalConnection"]
    if repository.external_connection != wanted:
        raise not_found(
            f"Repository '{repository.name}' has no external connection '{wanted}'.",
            repository.name,
            "repository",
        )
    repository.external_connection = None
    return _describe(repository)


def _one_or_the_other(repository: Repository) -> Exception:
    # The service model documents the rule but not the error.
    return invalid(
        f"Repository '{repository.name}' cannot have both upstreams and an external connection."
    )


def _upstreams(call: Call) -> list[str]:
    names = [item["repositoryName"] for item in call.get("upstreams", [])]
    if len(names) > _MOST_UPSTREAMS:
        raise over_quota(
            f"A repository has at most {_MOST_UPSTREAMS} direct upstreams.",
            call.given["repository"],
            "repository",
        )
    for name in names:
        arn = repository_arn(call.domain, name)
        call.refuse_denied("codeartifact:AssociateWithDownstreamRepository", arn)
        call.repository(name)
    return names


def _list(call: Call, found: Iterable[Repository]) -> Document:
    prefix = call.get("repositoryPrefix", "")
    rows, more = call.page(
        sorted(
            (repository for repository in found if repository.name.startswith(prefix)),
            key=lambda repository: (repository.name, repository.domain),
        )
    )
    return {"repositories": [_describe(one)["repository"] for one in rows], **more}


def _describe(repository: Repository) -> Document:
    connection = repository.external_connection
    described = {
        "name": repository.name,
        "administratorAccount": repository.administrator,
        "domainName": repository.domain.name,
        "domainOwner": repository.domain.owner,
        "arn": repository_arn(repository.domain, repository.name),
        "description": repository.description,
        "createdTime": repository.created_at,
        "upstreams": [{"repositoryName": name} for name in repository.upstreams],
        "externalConnections": [
            {
                "externalConnectionName": name,
                "packageFormat": EXTERNAL_CONNECTIONS[name],
                # AWS's examples show this spelling; the service model has Available.
                "status": "AVAILABLE",
            }
            for name in ([connection] if connection else [])
        ],
    }
    return {"repository": described}
