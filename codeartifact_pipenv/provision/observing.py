"""Looks at what there is in AWS; changes nothing."""

from __future__ import annotations

import contextlib

from codeartifact_pipenv.provision.calls import AbsentError, ProvisionError
from codeartifact_pipenv.provision.state import DomainState, Policy, RepositoryState, State
from codeartifact_pipenv.provision.steps import arn_of, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.provision.calls import Calls
    from codeartifact_pipenv.provision.state import Wanted


def observe(calls: Calls, wanted: Wanted) -> State:
    """Return what there is of what is wanted. Policies are read where somebody is let in.

    Raises:
        CodeArtifactPipenvError: AWS refuses a look, or is not reached.
    """
    domain = _domain(calls, wanted)
    repositories = {}
    if domain is not None:
        for name in dict.fromkeys((wanted.store, wanted.repository)):
            found = _repository(calls, wanted, name)
            if found is not None:
                repositories[name] = found
        repositories |= _other_upstreams(calls, wanted, repositories.get(wanted.repository))
    return State(calls.account if domain is None else None, domain, repositories)


def _other_upstreams(
    calls: Calls, wanted: Wanted, team: RepositoryState | None
) -> dict[str, RepositoryState]:
    """Return the upstreams that may make a store superfluous."""
    found = {}
    if team is not None and wanted.store not in team.upstreams:
        for name in team.upstreams:
            # What may not be looked at, or is gone, is not needed for a plan.
            with contextlib.suppress(ProvisionError):
                upstream = _repository(calls, wanted, name)
                if upstream is not None:
                    found[name] = upstream
    return found


def _domain(calls: Calls, wanted: Wanted) -> DomainState | None:
    try:
        found = calls.codeartifact("describe_domain", **place(wanted.domain))["domain"]
    except AbsentError:
        return None
    policy = _policy(calls, wanted, None) if wanted.grants else None
    return DomainState(found.get("encryptionKey", ""), policy, _tags(calls, wanted, None))


def _repository(calls: Calls, wanted: Wanted, name: str) -> RepositoryState | None:
    try:
        answer = calls.codeartifact("describe_repository", **place(wanted.domain, name))
    except AbsentError:
        return None
    found = answer["repository"]
    is_shared = bool(wanted.grants) and name == wanted.repository
    return RepositoryState(
        tuple(each["repositoryName"] for each in found.get("upstreams") or ()),
        tuple(each["externalConnectionName"] for each in found.get("externalConnections") or ()),
        found.get("description") or "",
        _policy(calls, wanted, name) if is_shared else None,
        _tags(calls, wanted, name) if name in {wanted.repository, wanted.store} else {},
    )


def _tags(calls: Calls, wanted: Wanted, name: str | None) -> dict[str, str]:
    if not wanted.tags:
        return {}
    arn = arn_of(wanted.domain, name)
    found = calls.codeartifact("list_tags_for_resource", resourceArn=arn).get("tags") or ()
    return {each["key"]: each["value"] for each in found}


def _policy(calls: Calls, wanted: Wanted, name: str | None) -> Policy | None:
    kind = "repository" if name else "domain"
    try:
        answer = calls.codeartifact(f"get_{kind}_permissions_policy", **place(wanted.domain, name))
    except AbsentError:
        return None
    return Policy(answer["policy"]["document"], answer["policy"]["revision"])
