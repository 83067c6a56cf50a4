"""Operations on repositories, their upstreams and their external connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api import shapes
from codeartifact_pipenv.sandbox.api.errors import (
    conflict,
    invalid,
    not_found,
    over_quota,
)
from codeartifact_pipenv.sandbox.api.paging import page
from codeartifact_pipenv.sandbox.arns import repository_arn
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.permissions import tag_keys
from codeartifact_pipenv.sandbox.repository import EXTERNAL_CONNECTIONS, Repository
from codeartifact_pipenv.sandbox.state import MOST_UPSTREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.errors import Document, ServiceError

_MOST_REPOSITORIES = 1000


def get_repository_endpoint(call: Call) -> Document:
    """Name a repository's URL, with its final slash and without ``simple/``."""
    package_format = call.parameter("format")
    kind = call.parameter("endpointType", "ipv4")
    repository = call.repository_for("codeartifact:GetRepositoryEndpoint")
    host = endpoint_for(repository.domain, repository.name, kind).host
    return {"repositoryEndpoint": f"https://{host}/{package_format}/{repository.name}/"}


def create_repository(call: Call) -> Document:
    """Make a repository, perhaps with upstreams; never with an external connection."""
    domain, name = call.domain(), call.parameter("repository")
    description, upstreams = call.member("description") or "", _upstreams(call) or []
    arn, keys = repository_arn(domain, name), tag_keys(call.tags())
    call.authorize("codeartifact:CreateRepository", arn, domain=domain, keys=keys)
    record = call.require_domain(domain)
    if name in record.repositories:
        raise conflict(
            f"Repository '{name}' in domain '{domain.name}' owned by account '{domain.owner}' already exists.",
            name,
            "repository",
        )
    if len(record.repositories) >= _MOST_REPOSITORIES:
        raise over_quota(
            f"A domain has at most {_MOST_REPOSITORIES} repositories.", name, "repository"
        )
    _check_upstreams(call, domain, name, upstreams)
    made = Repository(
        domain,
        name,
        call.principal.account,
        call.state.clock.time(),
        description=description,
        upstreams=upstreams,
        tags=call.tags(),
    )
    record.repositories[name] = made
    return _describe(made)


def describe_repository(call: Call) -> Document:
    """Describe a repository."""
    repository = call.repository_for("codeartifact:DescribeRepository")
    return _describe(repository)


def update_repository(call: Call) -> Document:
    """Replace a repository's description and upstreams, each where it was sent."""
    description, upstreams = call.member("description"), _upstreams(call)
    repository = call.repository_for("codeartifact:UpdateRepository")
    if upstreams and repository.external_connection:
        raise _refusal(
            "ValidationException",
            f"Repository '{repository.name}' has an external connection; it cannot have upstreams, too.",
            repository,
        )
    if upstreams is not None:
        _check_upstreams(call, repository.domain, repository.name, upstreams)
        repository.upstreams = upstreams
    if description is not None:
        repository.description = description
    return _describe(repository)


def delete_repository(call: Call) -> Document:
    """Remove a repository and all that it holds; its name stays in others' upstreams."""
    repository = call.repository_for("codeartifact:DeleteRepository")
    call.state.remove_repository(repository.domain, repository.name)
    return _describe(repository)


def list_repositories(call: Call) -> Document:
    """List the repositories that the caller's account made."""
    call.authorize("codeartifact:ListRepositories", "*")
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
    account = call.optional("administrator-account")
    record = call.domain_for("codeartifact:ListRepositoriesInDomain")
    found = [
        repository
        for repository in record.repositories.values()
        if account in {None, repository.administrator}
    ]
    return _list(call, found)


def associate_external_connection(call: Call) -> Document:
    """Give a repository its one external connection."""
    wanted = call.parameter("external-connection")
    repository = call.repository_for("codeartifact:AssociateExternalConnection")
    if wanted not in EXTERNAL_CONNECTIONS:
        raise invalid(f"There is no external connection '{wanted}'.")
    if repository.external_connection:
        sentence = "External connections for repositories are currently limited to 1"
        raise _refusal("ValidationException", sentence, repository)
    if repository.upstreams:
        raise _refusal(
            "ValidationException",
            f"Repository '{repository.name}' has upstreams; it cannot have an external connection, too.",
            repository,
        )
    repository.external_connection = wanted
    return _describe(repository)


def disassociate_external_connection(call: Call) -> Document:
    """Take a repository's external connection away; what was fetched stays."""
    wanted = call.parameter("external-connection")
    repository = call.repository_for("codeartifact:DisassociateExternalConnection")
    if repository.external_connection != wanted:
        raise not_found(
            f"Repository '{repository.name}' has no external connection '{wanted}'.",
            repository.name,
            "repository",
        )
    repository.external_connection = None
    return _describe(repository)


def _refusal(code: str, sentence: str, repository: Repository) -> ServiceError:
    if code == "ConflictException":
        return conflict(sentence, repository.name, "repository")
    return invalid(sentence)


def _upstreams(call: Call) -> list[str] | None:
    items = call.items("upstreams")
    if items is None:
        return None
    return [shapes.check("repositoryName", item.get("repositoryName")) for item in items]


def _check_upstreams(call: Call, domain: Domain, name: str, upstreams: list[str]) -> None:
    if len(upstreams) > MOST_UPSTREAMS:
        raise over_quota(
            f"A repository has at most {MOST_UPSTREAMS} direct upstreams.", name, "repository"
        )
    for upstream in upstreams:
        arn = repository_arn(domain, upstream)
        call.authorize(
            "codeartifact:AssociateWithDownstreamRepository",
            arn,
            domain=domain,
            repository=upstream,
        )
        call.require_repository(domain, upstream)


def _list(call: Call, found: Iterable[Repository]) -> Document:
    prefix = call.optional("repository-prefix") or ""
    rows, more = page(
        call,
        sorted(
            (repository for repository in found if repository.name.startswith(prefix)),
            key=lambda repository: (repository.name, repository.domain),
        ),
    )
    return {"repositories": [_summarise(repository) for repository in rows], **more}


def _summarise(repository: Repository) -> Document:
    return {
        "name": repository.name,
        "administratorAccount": repository.administrator,
        "domainName": repository.domain.name,
        "domainOwner": repository.domain.owner,
        "arn": repository_arn(repository.domain, repository.name),
        "description": repository.description,
        "createdTime": repository.created_at,
    }


def _describe(repository: Repository) -> Document:
    connection = repository.external_connection
    connections = [] if connection is None else [_describe_connection(connection)]
    described = {
        **_summarise(repository),
        "upstreams": [{"repositoryName": name} for name in repository.upstreams],
        "externalConnections": connections,
    }
    return {"repository": described}


def _describe_connection(name: str) -> Document:
    # The service model says Available, AWS's examples show this.
    return {
        "externalConnectionName": name,
        "packageFormat": EXTERNAL_CONNECTIONS[name],
        "status": "AVAILABLE",
    }
