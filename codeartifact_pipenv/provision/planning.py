"""From what there is and what is wanted to what is to be done. Pure.

Nothing is ever deleted. What would need a deletion, or what AWS does not do, is a conflict,
and a plan with a conflict is not carried out at all.
"""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.provision import permissions
from codeartifact_pipenv.provision.state import MOST_UPSTREAMS, PUBLIC_INDEX, RepositoryState
from codeartifact_pipenv.provision.steps import (
    AddUpstream,
    Conflict,
    Connect,
    Describe,
    MakeDomain,
    MakeRepository,
    Permit,
    Plan,
    Tag,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.provision.state import Policy, State, Wanted
    from codeartifact_pipenv.provision.steps import Step


class _Draft(NamedTuple):
    """A plan that is being made."""

    present: list[str]
    steps: list[Step]
    conflicts: list[Conflict]
    notes: list[str]


def plan(state: State, wanted: Wanted) -> Plan:
    """Say what leads from a state to what is wanted.

    From any state that has no conflict the steps lead to one that needs no more steps.
    """
    draft = _Draft([], [], [], [])
    _plan_domain(state, wanted, draft)
    team = state.repositories.get(wanted.repository)
    if team is not None and PUBLIC_INDEX in team.connections:
        draft.present.append(
            f"the repository {wanted.repository}, which is connected to {PUBLIC_INDEX} itself, "
            "so it needs no store"
        )
    else:
        # In this order a run that is interrupted leaves nothing that half works.
        _plan_store(state, wanted, draft)
        _plan_team(team, wanted, draft)
        _note_other_stores(state, team, wanted, draft)
    if team is not None and wanted.description not in {None, team.description}:
        draft.steps.append(
            Describe(wanted.domain, wanted.repository, team.description, wanted.description or "")
        )
    _plan_tags(state, wanted, draft)
    _plan_grants(state, wanted, draft)
    return Plan(
        tuple(draft.present),
        tuple(draft.steps) if not draft.conflicts else (),
        tuple(draft.conflicts),
        tuple(draft.notes),
    )


def _plan_domain(state: State, wanted: Wanted, draft: _Draft) -> None:
    domain = wanted.domain
    if state.domain is None:
        if domain.owner == state.caller:
            draft.steps.append(MakeDomain(domain, wanted.key, wanted.tags))
            return
        draft.conflicts.append(
            Conflict(
                f"There is no domain {domain} to be seen, and account {state.caller} cannot make "
                f"one in account {domain.owner}.",
                f"Have account {domain.owner} make it, and let account {state.caller} describe it "
                "and make repositories in it; or leave --domain-owner out for a domain here.",
            )
        )
    elif wanted.key is not None and not _same_key(wanted.key, state.domain.key):
        draft.conflicts.append(
            Conflict(
                f"The domain {domain} is encrypted with {state.domain.key}, not with {wanted.key}, "
                "and a domain's key cannot be changed.",
                "Leave --kms-key out to keep the domain, or take another --domain.",
            )
        )
    else:
        draft.present.append(f"the domain {domain}")


def _same_key(wanted: str, found: str) -> bool:
    if wanted.startswith("arn:") and found.startswith("arn:"):
        return wanted == found
    return wanted.rpartition("/")[2] == found.rpartition("/")[2]


def _plan_store(state: State, wanted: Wanted, draft: _Draft) -> None:
    name = wanted.store
    store = state.repositories.get(name)
    if store is None:
        why = f"it is to hold what comes from {PUBLIC_INDEX}"
        draft.steps.append(MakeRepository(wanted.domain, name, why, (), None, wanted.tags))
        draft.steps.append(Connect(wanted.domain, name))
    elif PUBLIC_INDEX in store.connections:
        draft.present.append(f"the repository {name}, connected to {PUBLIC_INDEX}")
    elif store.connections:
        draft.conflicts.append(
            Conflict(
                f"The repository {name} is connected to {store.connections[0]}, and a repository "
                "can have one external connection only.",
                f"Name another repository for {PUBLIC_INDEX} by --store.",
            )
        )
    elif store.upstreams:
        draft.conflicts.append(
            Conflict(
                f"The repository {name} has upstreams ({', '.join(store.upstreams)}), and AWS "
                f"allows no external connection beside them, so it cannot reach {PUBLIC_INDEX}.",
                "Name another repository for the connection by --store.",
            )
        )
    else:
        draft.steps.append(Connect(wanted.domain, name))


def _plan_team(team: RepositoryState | None, wanted: Wanted, draft: _Draft) -> None:
    name, store = wanted.repository, wanted.store
    if team is None:
        why = "it is the one to publish to and to install from"
        draft.steps.append(
            MakeRepository(
                wanted.domain, name, why, (store,), wanted.description or None, wanted.tags
            )
        )
    elif team.connections:
        draft.conflicts.append(
            Conflict(
                f"The repository {name} is connected to {team.connections[0]}, and AWS allows no "
                f"upstream beside it, so {store} cannot be one.",
                "Name another --repository, or take its external connection away yourself: "
                "`aws codeartifact disassociate-external-connection`.",
            )
        )
    elif store in team.upstreams:
        draft.present.append(f"the repository {name}, with {store} as upstream")
    elif len(team.upstreams) >= MOST_UPSTREAMS:
        draft.conflicts.append(
            Conflict(
                f"The repository {name} has {len(team.upstreams)} upstreams, as many as AWS "
                f"allows, and {store} is none of them.",
                f"Name one of them that reaches {PUBLIC_INDEX} by --store "
                f"({', '.join(team.upstreams)}), or take one away yourself.",
            )
        )
    else:
        draft.steps.append(AddUpstream(wanted.domain, name, team.upstreams, store))


def _plan_tags(state: State, wanted: Wanted, draft: _Draft) -> None:
    """Tag what is there; what is made gets its tags when it is made."""
    team = state.repositories.get(wanted.repository)
    needs_no_store = team is not None and PUBLIC_INDEX in team.connections
    there = {
        None: state.domain,
        wanted.store: None if needs_no_store else state.repositories.get(wanted.store),
        wanted.repository: team,
    }
    for name, found in there.items():
        if found is not None:
            missing = tuple(tag for tag in wanted.tags if tag not in found.tags.items())
            former = tuple((key, found.tags[key]) for key, _ in missing if key in found.tags)
            if missing:
                draft.steps.append(Tag(wanted.domain, name, missing, former))


def _note_other_stores(
    state: State, team: RepositoryState | None, wanted: Wanted, draft: _Draft
) -> None:
    if team is None or wanted.store in team.upstreams:
        return
    draft.notes.extend(
        f"{name}, an upstream of {wanted.repository}, is connected to {PUBLIC_INDEX} already; "
        f"with --store {name} no other one is needed"
        for name in team.upstreams
        if name in state.repositories and PUBLIC_INDEX in state.repositories[name].connections
    )


def _plan_grants(state: State, wanted: Wanted, draft: _Draft) -> None:
    if not wanted.grants:
        return
    team = state.repositories.get(wanted.repository, RepositoryState())
    there = None if state.domain is None else state.domain.policy
    for name, policy, statements, why in (
        (None, there, permissions.of_domain, "let others get tokens for"),
        (wanted.repository, team.policy, permissions.of_repository, "let others use"),
    ):
        _plan_policy(name, policy, statements, why, wanted=wanted, draft=draft)


def _plan_policy(
    name: str | None,
    policy: Policy | None,
    statements: Callable[[Wanted], list[dict[str, object]]],
    why: str,
    *,
    wanted: Wanted,
    draft: _Draft,
) -> None:
    what = f"the repository {name}" if name else f"the domain {wanted.domain.name}"
    try:
        document = permissions.merged(policy and policy.document, statements(wanted))
    except permissions.PolicyConflictError as error:
        draft.conflicts.append(Conflict(f"The policy of {what} {error}.", error.hint))
        return
    if document is None:
        draft.present.append(f"the permissions of others on {what}")
        return
    draft.steps.append(Permit(wanted.domain, name, why, document, policy and policy.revision))
