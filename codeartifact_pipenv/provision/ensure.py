"""Makes sure that a domain, its store, a repository and their policies are as wanted.

Each ``ensure_*`` looks first, changes only what differs, and yields what it did. With
``dry_run`` it yields the same and changes nothing: that is the plan. Nothing is ever deleted;
what would need that is a conflict.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, NamedTuple

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.provision import permissions
from codeartifact_pipenv.provision.arns import domain_arn, repository_arn
from codeartifact_pipenv.provision.aws import OvertakenError, ProvisionError, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.provision.aws import Aws

PUBLIC_INDEX = "public:pypi"
"""The external connection to the public index."""

_MOST_UPSTREAMS = 10
"""How many direct upstreams a repository may have (AWS user guide, "Quotas")."""

Tags = tuple[tuple[str, str], ...]


class Done(NamedTuple):
    """What was done, or with a dry run would be.

    Attributes:
        status: ``present``, ``created``, ``changed``, ``conflict``, or ``note``.
        sentence: the resource that is present; or the change, as an order: ``create domain acme``.
        detail: why; of a conflict, what the user can do.
    """

    status: str
    sentence: str
    detail: str = ""

    @property
    def is_change(self) -> bool:
        """Whether something is created or changed."""
        return self.status in {"created", "changed"}


class Wanted(NamedTuple):
    """What is asked for.

    Attributes:
        domain: the domain; its owner may be another account than the caller's.
        repository: the team's repository.
        store: the repository with the external connection.
        key: ARN or id of the domain's KMS key, or None to accept any.
        description: of the team's repository, or None to accept any.
        tags: of the domain and both repositories; other tags stay.
        grants: who else may use the repository.
    """

    domain: Domain
    repository: str
    store: str
    key: str | None = None
    description: str | None = None
    tags: Tags = ()
    grants: tuple[permissions.Grant, ...] = ()


def ensure_index(aws: Aws, wanted: Wanted, *, dry_run: bool) -> Iterator[Done]:
    """Ensure domain, store, repository and policies, in the order in which they can be used.

    Raises:
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    for done in ensure_domain(aws, wanted, dry_run=dry_run):
        yield done
        if done.status == "conflict":
            return
    team = _repository(aws, wanted.domain, wanted.repository)
    if team is None or PUBLIC_INDEX not in _connections(team):
        yield from ensure_store(aws, wanted, dry_run=dry_run)
    yield from ensure_repository(aws, wanted, dry_run=dry_run)
    if wanted.grants:
        yield from ensure_permissions(aws, wanted, dry_run=dry_run)


def ensure_domain(aws: Aws, wanted: Wanted, *, dry_run: bool) -> Iterator[Done]:
    """Ensure the domain, its key and its tags; errors as for :func:`ensure_index`."""
    domain = wanted.domain
    answer = find(aws.codeartifact, "describe_domain", **place(domain))
    if answer is None:
        yield from _create_domain(aws, wanted, dry_run=dry_run)
        return
    key = answer["domain"].get("encryptionKey", "")
    if wanted.key is not None and not _is_same_key(wanted.key, key):
        yield Done(
            "conflict",
            f"The domain {domain} is encrypted with {key}, not with {wanted.key}, and a domain's "
            "key cannot be changed.",
            "Leave --kms-key out to keep the domain, or use another --domain.",
        )
    else:
        yield Done("present", f"the domain {domain}")
    yield from _ensure_tags(aws, domain, None, wanted.tags, dry_run=dry_run)


def _create_domain(aws: Aws, wanted: Wanted, *, dry_run: bool) -> Iterator[Done]:
    domain = wanted.domain
    if domain.owner != aws.account:
        yield Done(
            "conflict",
            f"The domain {domain} was not found, and account {aws.account} cannot create a domain "
            f"in account {domain.owner}.",
            f"Ask account {domain.owner} to create it and to let account {aws.account} describe "
            "it and create repositories in it; or leave --domain-owner out for a domain here.",
        )
        return
    if not dry_run:
        key = {"encryptionKey": wanted.key} if wanted.key else {}
        aws.codeartifact("create_domain", domain=domain.name, **key, **_tags(wanted.tags))
    key_name = f"the KMS key {wanted.key}" if wanted.key else "the key that AWS manages"
    yield Done(
        "created",
        f"create domain {domain}",
        f"encrypted with {key_name}, which cannot be changed later",
    )


def _is_same_key(wanted: str, found: str) -> bool:
    if wanted.startswith("arn:") and found.startswith("arn:"):
        return wanted == found
    return wanted.rpartition("/")[2] == found.rpartition("/")[2]


def ensure_store(aws: Aws, wanted: Wanted, *, dry_run: bool) -> Iterator[Done]:
    """Ensure the store and its external connection; errors as for :func:`ensure_index`."""
    name = wanted.store
    store = _repository(aws, wanted.domain, name)
    if store is None:
        if not dry_run:
            about = place(wanted.domain, name)
            aws.codeartifact("create_repository", **about, **_tags(wanted.tags))
        yield Done("created", f"create repository {name}", f"caches packages from {PUBLIC_INDEX}")
    elif conflict := _conflict_of_store(name, store):
        yield conflict
        return
    if store is not None and PUBLIC_INDEX in _connections(store):
        yield Done("present", f"the repository {name}, connected to {PUBLIC_INDEX}")
    else:
        if not dry_run:
            _connect(aws, place(wanted.domain, name))
        yield Done(
            "changed", f"connect {name} to {PUBLIC_INDEX}", "public packages come through it"
        )
    if store is not None:
        yield from _ensure_tags(aws, wanted.domain, name, wanted.tags, dry_run=dry_run)


def _conflict_of_store(name: str, store: Any) -> Done | None:
    connections, upstreams = _connections(store), _upstreams(store)
    if PUBLIC_INDEX in connections:
        return None
    if connections:
        return Done(
            "conflict",
            f"The repository {name} is connected to {connections[0]}, and a repository can have "
            "only one external connection.",
            f"Name another repository for {PUBLIC_INDEX} by --store.",
        )
    if upstreams:
        return Done(
            "conflict",
            f"The repository {name} has upstreams ({', '.join(upstreams)}), and AWS allows no "
            f"external connection beside them, so it cannot reach {PUBLIC_INDEX}.",
            "Name another repository for the connection by --store.",
        )
    return None


def _connect(aws: Aws, about: dict[str, str]) -> None:
    try:
        aws.codeartifact("associate_external_connection", **about, externalConnection=PUBLIC_INDEX)
    except CodeArtifactPipenvError:
        # AWS does not document its answer where another run was faster.
        if PUBLIC_INDEX not in _connections(
            aws.codeartifact("describe_repository", **about)["repository"]
        ):
            raise


def ensure_repository(aws: Aws, wanted: Wanted, *, dry_run: bool) -> Iterator[Done]:
    """Ensure the team's repository, its upstream, description and tags.

    Raises:
        CodeArtifactPipenvError: as for :func:`ensure_index`.
    """
    team = _repository(aws, wanted.domain, wanted.repository)
    if team is None:
        if not dry_run:
            described = {"description": wanted.description} if wanted.description else {}
            aws.codeartifact(
                "create_repository",
                **place(wanted.domain, wanted.repository),
                upstreams=_named([wanted.store]),
                **described,
                **_tags(wanted.tags),
            )
        yield Done(
            "created",
            f"create repository {wanted.repository}, with {wanted.store} as upstream",
            "the one to publish to and to install from",
        )
        return
    yield from _ensure_upstream(aws, wanted, team, dry_run=dry_run)
    yield from _ensure_description(aws, wanted, team.get("description") or "", dry_run=dry_run)
    yield from _ensure_tags(aws, wanted.domain, wanted.repository, wanted.tags, dry_run=dry_run)


def _ensure_upstream(aws: Aws, wanted: Wanted, team: Any, *, dry_run: bool) -> Iterator[Done]:
    name, store = wanted.repository, wanted.store
    connections, upstreams = _connections(team), _upstreams(team)
    if PUBLIC_INDEX in connections:
        yield Done(
            "present",
            f"the repository {name}, connected to {PUBLIC_INDEX} itself, so it needs no store",
        )
    elif store in upstreams:
        yield Done("present", f"the repository {name}, with {store} as upstream")
    elif connections or len(upstreams) >= _MOST_UPSTREAMS:
        yield _conflict_of_upstream(name, store, connections, upstreams)
    else:
        yield from _notes_on_stores(aws, wanted, upstreams)
        if not dry_run:
            _add_upstream(aws, place(wanted.domain, name), store)
        first = f"after {', '.join(upstreams)}" if upstreams else "it has none"
        yield Done("changed", f"add {store} to the upstreams of {name}", first)


def _conflict_of_upstream(
    name: str, store: str, connections: list[str], upstreams: list[str]
) -> Done:
    if connections:
        return Done(
            "conflict",
            f"The repository {name} is connected to {connections[0]}, and AWS allows no upstream "
            f"beside it, so {store} cannot be one.",
            "Use another --repository, or remove its external connection yourself: "
            "`aws codeartifact disassociate-external-connection`.",
        )
    return Done(
        "conflict",
        f"The repository {name} has {len(upstreams)} upstreams, as many as AWS allows, and "
        f"{store} is not among them.",
        f"Name one of them that reaches {PUBLIC_INDEX} by --store ({', '.join(upstreams)}), or "
        "remove one yourself.",
    )


def _notes_on_stores(aws: Aws, wanted: Wanted, upstreams: list[str]) -> Iterator[Done]:
    for name in upstreams:
        # An upstream that cannot be described is not needed for a plan.
        with contextlib.suppress(ProvisionError):
            found = _repository(aws, wanted.domain, name)
            if found is not None and PUBLIC_INDEX in _connections(found):
                yield Done(
                    "note",
                    f"{name}, an upstream of {wanted.repository}, is already connected to "
                    f"{PUBLIC_INDEX}; with --store {name} no other one is needed",
                )


def _add_upstream(aws: Aws, about: dict[str, str], store: str) -> None:
    # The new list replaces the old one, and AWS has no lock on it: read it right before.
    now = _upstreams(aws.codeartifact("describe_repository", **about)["repository"])
    if store not in now:
        aws.codeartifact("update_repository", **about, upstreams=_named([*now, store]))


def _ensure_description(aws: Aws, wanted: Wanted, former: str, *, dry_run: bool) -> Iterator[Done]:
    text = wanted.description
    if text is None or text == former:
        return
    if not dry_run:
        about = place(wanted.domain, wanted.repository)
        aws.codeartifact("update_repository", **about, description=text)
    yield Done(
        "changed",
        f"describe {wanted.repository} as {json.dumps(text, ensure_ascii=False)}",
        f"it is described as {json.dumps(former, ensure_ascii=False)}",
    )


def _ensure_tags(
    aws: Aws, domain: Domain, repository: str | None, tags: Tags, *, dry_run: bool
) -> Iterator[Done]:
    if not tags:
        return
    arn = repository_arn(domain, repository) if repository else domain_arn(domain)
    answer = aws.codeartifact("list_tags_for_resource", resourceArn=arn)
    found = {each["key"]: each["value"] for each in answer.get("tags") or ()}
    missing = tuple(tag for tag in tags if tag not in found.items())
    if not missing:
        return
    if not dry_run:
        aws.codeartifact("tag_resource", resourceArn=arn, **_tags(missing))
    former = _spelled((key, found[key]) for key, _ in missing if key in found)
    yield Done(
        "changed",
        f"tag {repository or domain.name} with {_spelled(missing)}",
        f"it has {former}" if former else "it has no such tag",
    )


def ensure_permissions(aws: Aws, wanted: Wanted, *, dry_run: bool) -> Iterator[Done]:
    """Ensure that the policies of domain and repository let others in.

    Raises:
        CodeArtifactPipenvError: as for :func:`ensure_index`.
    """
    domain, team = wanted.domain, wanted.repository
    tokens = permissions.of_domain(wanted.grants)
    yield _ensure_policy(aws, domain, None, tokens, dry_run=dry_run)
    use = permissions.of_repository(domain, team, wanted.grants)
    yield _ensure_policy(aws, domain, team, use, dry_run=dry_run)


def _ensure_policy(
    aws: Aws,
    domain: Domain,
    repository: str | None,
    statements: list[dict[str, Any]],
    *,
    dry_run: bool,
) -> Done:
    what = f"repository {repository}" if repository else f"domain {domain.name}"
    about, kind = place(domain, repository), "repository" if repository else "domain"
    answer = find(aws.codeartifact, f"get_{kind}_permissions_policy", **about)
    former = answer["policy"] if answer else {}
    try:
        document = permissions.merged(former.get("document"), statements)
    except permissions.PolicyConflictError as error:
        return Done("conflict", f"The policy of the {what} {error}.", error.hint)
    if document is None:
        return Done("present", f"the permissions of others on the {what}")
    if not dry_run:
        _put_policy(aws, kind, about, document, former.get("revision"))
    sentence = f"let others {'use' if repository else 'get tokens for'} the {what}"
    if former:
        return Done("changed", sentence, "its policy does not; other statements stay")
    return Done("created", sentence, "it has no policy")


def _put_policy(
    aws: Aws, kind: str, about: dict[str, str], document: str, revision: str | None
) -> None:
    lock = {"policyRevision": revision} if revision else {}
    # A first policy has no revision to lock: look for one again right before.
    if not revision and find(aws.codeartifact, f"get_{kind}_permissions_policy", **about):
        raise OvertakenError(
            f"Another run has just created a policy of this {kind}.", "Run the command again."
        )
    aws.codeartifact(f"put_{kind}_permissions_policy", **about, **lock, policyDocument=document)


def place(domain: Domain, repository: str | None = None) -> dict[str, str]:
    """Return the parameters by which CodeArtifact's operations name a domain or a repository."""
    named = {} if repository is None else {"repository": repository}
    return {"domain": domain.name, "domainOwner": domain.owner, **named}


def _repository(aws: Aws, domain: Domain, name: str) -> Any:
    answer = find(aws.codeartifact, "describe_repository", **place(domain, name))
    return None if answer is None else answer["repository"]


def _upstreams(repository: Any) -> list[str]:
    return [each["repositoryName"] for each in repository.get("upstreams") or ()]


def _connections(repository: Any) -> list[str]:
    return [each["externalConnectionName"] for each in repository.get("externalConnections") or ()]


def _named(upstreams: list[str]) -> list[dict[str, str]]:
    return [{"repositoryName": name} for name in upstreams]


def _tags(tags: Tags) -> dict[str, list[dict[str, str]]]:
    return {"tags": [{"key": key, "value": value} for key, value in tags]} if tags else {}


def _spelled(tags: Any) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags)
