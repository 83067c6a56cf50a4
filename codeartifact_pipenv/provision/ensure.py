"""The steps to a domain, its store and a repository as they are wanted.

Each ``_ensure_*`` looks at what is there, and yields a step for what is as wanted, for what
differs, and for what cannot be changed. Nothing is ever deleted; what would need that is a
conflict.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.provision.aws import ProvisionError
from codeartifact_pipenv.provision.documents import arn_of
from codeartifact_pipenv.provision.permissions import ensure_permissions
from codeartifact_pipenv.provision.plan import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codeartifact_pipenv.provision.aws import Aws

PUBLIC_INDEX = "public:pypi"
"""The external connection to the public index."""

_MOST_UPSTREAMS = 10
"""How many direct upstreams a repository may have (AWS user guide, "Quotas")."""


class WantedIndex(NamedTuple):
    """The requested index.

    Attributes:
        repository: the team's repository.
        store: the repository with the external connection.
        key: ARN or id of the domain's KMS key, or None to accept any.
        description: of the team's repository, or None to accept any.
        tags: of the domain and both repositories; other tags stay.
        readers: principals of other accounts that may read.
        publishers: principals that may publish, too.
    """

    repository: str
    store: str
    key: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = {}
    readers: Sequence[str] = ()
    publishers: Sequence[str] = ()


class _Repository(NamedTuple):
    upstreams: list[str]
    connections: list[str]
    description: str

    @property
    def is_connected(self) -> bool:
        return PUBLIC_INDEX in self.connections


def _find_repository(aws: Aws, name: str) -> _Repository | None:
    answer = aws.find("describe_repository", repository=name)
    if answer is None:
        return None
    found = answer["repository"]
    return _Repository(
        [each["repositoryName"] for each in found.get("upstreams") or ()],
        [each["externalConnectionName"] for each in found.get("externalConnections") or ()],
        found.get("description") or "",
    )


def ensure_index(aws: Aws, wanted: WantedIndex) -> Iterator[Step]:
    """Ensure domain, store, repository and permissions, in the order in which they can be used.

    Raises:
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    for step in _ensure_domain(aws, wanted):
        yield step
        if step.status == "conflict":
            return
    team = _find_repository(aws, wanted.repository)
    if team is None or not team.is_connected:
        yield from _ensure_store(aws, wanted)
    yield from _ensure_repository(aws, wanted)
    yield from ensure_permissions(aws, wanted.repository, wanted.readers, wanted.publishers)


def _ensure_domain(aws: Aws, wanted: WantedIndex) -> Iterator[Step]:
    answer = aws.find("describe_domain")
    if answer is None:
        yield _create_domain(aws, wanted)
        return
    key = answer["domain"].get("encryptionKey", "")
    if wanted.key is not None and not _is_same_key(wanted.key, key):
        yield Step(
            "conflict",
            f"The domain {aws.domain} is encrypted with {key}, not with {wanted.key}, and a "
            "domain's key cannot be changed.",
            "Leave --kms-key out to keep the domain, or use another --domain.",
        )
    else:
        yield Step("present", f"the domain {aws.domain}")
    yield from _ensure_tags(aws, f"domain/{aws.domain.name}", wanted.tags)


def _create_domain(aws: Aws, wanted: WantedIndex) -> Step:
    name, owner, _ = aws.domain
    if owner != aws.account:
        return Step(
            "conflict",
            f"The domain {aws.domain} was not found, and account {aws.account} cannot create a "
            f"domain in account {owner}.",
            f"Ask account {owner} to create it and to let account {aws.account} describe it and "
            "create repositories in it; or leave --domain-owner out for a domain here.",
        )
    key = {"encryptionKey": wanted.key} if wanted.key else {}
    key_name = f"the KMS key {wanted.key}" if wanted.key else "the key that AWS manages"
    return Step(
        "make",
        f"create domain {aws.domain}",
        f"encrypted with {key_name}, which cannot be changed later",
        lambda: aws.call("codeartifact", "create_domain", domain=name, **key, **_tags(wanted.tags)),
    )


def _is_same_key(wanted: str, found: str) -> bool:
    if wanted.startswith("arn:") and found.startswith("arn:"):
        return wanted == found
    return wanted.rpartition("/")[2] == found.rpartition("/")[2]


def _ensure_store(aws: Aws, wanted: WantedIndex) -> Iterator[Step]:
    name = wanted.store
    store = _find_repository(aws, name)
    if store is None:
        yield Step(
            "make",
            f"create repository {name}",
            f"caches packages from {PUBLIC_INDEX}",
            lambda: aws.codeartifact("create_repository", repository=name, **_tags(wanted.tags)),
        )
    if store is not None and store.is_connected:
        yield Step("present", f"the repository {name}, connected to {PUBLIC_INDEX}")
    elif store is not None and (store.connections or store.upstreams):
        yield Step(
            "conflict",
            f"The repository {name} {_uses(store)}, and AWS allows no connection to "
            f"{PUBLIC_INDEX} in addition.",
            "Name another repository for the connection by --store.",
        )
    else:
        yield Step(
            "change",
            f"connect {name} to {PUBLIC_INDEX}",
            "public packages come through it",
            lambda: _connect(aws, name),
        )
    if store is not None:
        yield from _ensure_tags(aws, f"repository/{aws.domain.name}/{name}", wanted.tags)


def _uses(repository: _Repository) -> str:
    if repository.connections:
        return f"is connected to {repository.connections[0]}"
    return f"has upstreams ({', '.join(repository.upstreams)})"


def _connect(aws: Aws, name: str) -> None:
    try:
        aws.codeartifact(
            "associate_external_connection", repository=name, externalConnection=PUBLIC_INDEX
        )
    except CodeArtifactPipenvError:
        # AWS does not document its answer where another run was faster.
        store = _find_repository(aws, name)
        if store is None or not store.is_connected:
            raise


def _ensure_repository(aws: Aws, wanted: WantedIndex) -> Iterator[Step]:
    name = wanted.repository
    team = _find_repository(aws, name)
    if team is None:
        described = {"description": wanted.description} if wanted.description else {}
        above = _named([wanted.store])
        more = {**above, **described, **_tags(wanted.tags)}
        yield Step(
            "make",
            f"create repository {name}, with {wanted.store} as upstream",
            "the one to publish to and to install from",
            lambda: aws.codeartifact("create_repository", repository=name, **more),
        )
        return
    yield from _ensure_upstream(aws, name, team, wanted.store)
    text = wanted.description
    if text is not None and text != team.description:
        yield Step(
            "change",
            f"describe {name} as {json.dumps(text, ensure_ascii=False)}",
            f"it is described as {json.dumps(team.description, ensure_ascii=False)}",
            lambda: aws.codeartifact("update_repository", repository=name, description=text),
        )
    yield from _ensure_tags(aws, f"repository/{aws.domain.name}/{name}", wanted.tags)


def _ensure_upstream(aws: Aws, name: str, team: _Repository, store: str) -> Iterator[Step]:
    upstreams = ", ".join(team.upstreams)
    if team.is_connected:
        sentence = f"the repository {name}, connected to {PUBLIC_INDEX} itself"
        yield Step("present", f"{sentence}, so it needs no store")
    elif store in team.upstreams:
        yield Step("present", f"the repository {name}, with {store} as upstream")
    elif team.connections:
        yield Step(
            "conflict",
            f"The repository {name} {_uses(team)}, and AWS allows no upstream in addition, so "
            f"{store} cannot be one.",
            "Use another --repository, or remove its external connection yourself: "
            "`aws codeartifact disassociate-external-connection`.",
        )
    elif len(team.upstreams) >= _MOST_UPSTREAMS:
        yield Step(
            "conflict",
            f"The repository {name} has {len(team.upstreams)} upstreams, as many as AWS allows, "
            f"and {store} is not among them.",
            f"Name one of them that reaches {PUBLIC_INDEX} by --store ({upstreams}), or remove "
            "one yourself.",
        )
    else:
        yield from _notes_on_stores(aws, name, team)
        yield Step(
            "change",
            f"add {store} to the upstreams of {name}",
            f"after {upstreams}" if upstreams else "it has none",
            lambda: _add_upstream(aws, name, store),
        )


def _notes_on_stores(aws: Aws, name: str, team: _Repository) -> Iterator[Step]:
    for upstream in team.upstreams:
        try:
            found = _find_repository(aws, upstream)
        except ProvisionError:  # an upstream that cannot be described is not needed for a plan
            continue
        if found is not None and found.is_connected:
            yield Step(
                "note",
                f"{upstream}, an upstream of {name}, is already connected to {PUBLIC_INDEX}; with "
                f"--store {upstream} no other one is needed",
            )


def _add_upstream(aws: Aws, name: str, store: str) -> None:
    # The new list replaces the old one, and AWS has no lock on it: read it right before.
    team = _find_repository(aws, name)
    if team is not None and store not in team.upstreams:
        above = _named([*team.upstreams, store])
        aws.codeartifact("update_repository", repository=name, **above)


def _ensure_tags(aws: Aws, resource: str, tags: Mapping[str, str]) -> Iterator[Step]:
    if not tags:
        return
    arn = arn_of(aws.domain, resource)
    answer = aws.call("codeartifact", "list_tags_for_resource", resourceArn=arn)
    found = {each["key"]: each["value"] for each in answer.get("tags") or ()}
    missing = {key: value for key, value in tags.items() if found.get(key) != value}
    former = {key: found[key] for key in missing if key in found}
    if missing:
        yield Step(
            "change",
            f"tag {resource.rpartition('/')[2]} with {_spelled(missing)}",
            f"it has {_spelled(former)}" if former else "it has no such tag",
            lambda: aws.call("codeartifact", "tag_resource", resourceArn=arn, **_tags(missing)),
        )


def _named(upstreams: list[str]) -> dict[str, Any]:
    return {"upstreams": [{"repositoryName": name} for name in upstreams]}


def _tags(tags: Mapping[str, str]) -> dict[str, Any]:
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]} if tags else {}


def _spelled(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items())
