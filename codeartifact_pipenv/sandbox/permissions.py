"""Who may do what: each request decided by IAM's policies and by those of its resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codeartifact_pipenv.sandbox.iam.decision import Request, decide, decide_trust
from codeartifact_pipenv.sandbox.iam.documents import MalformedPolicyError, read_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.sandbox.actor import Actor
    from codeartifact_pipenv.sandbox.iam.decision import Decision
    from codeartifact_pipenv.sandbox.iam.documents import Statement
    from codeartifact_pipenv.sandbox.identity import Facts, Identities, Role
    from codeartifact_pipenv.sandbox.repository import Policy
    from codeartifact_pipenv.sandbox.state import State

    Keys = Mapping[str, tuple[str, ...]]

_BY_DENY = "with an explicit deny in an identity-based policy"


class Where(NamedTuple):
    """Where a request came from and went to.

    Attributes:
        source: the client's IP address.
        region: of the host that was asked.
    """

    source: str
    region: str


class Permissions:
    """Decides requests.

    Attributes:
        organization: the id of the AWS organization that all accounts are in, such as
            ``o-exampleorgid``; None for no organization.
        source_ip: the address that all requests seem to come from; None for their own.
    """

    def __init__(self, state: State, identities: Identities) -> None:
        self._state = state
        self._identities = identities
        self.organization: str | None = None
        self.source_ip: str | None = None

    def refusal(
        self,
        actor: Actor,
        action: str,
        resource: str,
        where: Where,
        *,
        keys: Keys | None = None,
        policies: tuple[Policy | None, ...] = (),
        owner: str | None = None,
    ) -> str | None:
        """Return AWS's sentence where something may not be done; None where it may.

        Args:
            actor: who asks.
            action: the IAM action.
            resource: its ARN, or ``*``.
            where: where the request came from and went to.
            keys: condition keys of this action, in lower case.
            policies: the policies of the resource.
            owner: the account that the resource is in; None for the actor's own.
        """
        if self._state.is_denied(action):
            return sentence(actor.arn, action, resource, _BY_DENY)
        facts = self._identities.facts(actor)
        request = self._request(actor, facts, action, resource, where=where, keys=keys or {})
        decision = decide(request, facts.policies, _statements(policies), owner)
        return None if decision.allowed else sentence(actor.arn, action, resource, decision.reason)

    def refusal_of_role(
        self,
        actor: Actor,
        role: Role | None,
        arn: str,
        actions: tuple[str, ...],
        *,
        where: Where,
        keys: Keys,
    ) -> str | None:
        """Return AWS's sentence where a role may not be assumed; None where it may.

        Args:
            actor: who asks.
            role: the role; None where there is none of that ARN.
            arn: the ARN that is asked for.
            actions: ``sts:AssumeRole``, and what else is needed.
            where: where the request came from and went to.
            keys: condition keys of the request, in lower case.
        """
        facts = self._identities.facts(actor)
        for action in actions:
            request = self._request(actor, facts, action, arn, where=where, keys=keys)
            if self._state.is_denied(action):
                return sentence(actor.arn, action, arn, _BY_DENY)
            if role is None:
                return sentence(
                    actor.arn,
                    action,
                    arn,
                    f"because no resource-based policy allows the {action} action",
                )
            decision = decide_trust(request, facts.policies, role.trust, role.account)
            if not decision.allowed:
                return sentence(actor.arn, action, arn, decision.reason)
        return None

    def trusts(
        self, role: Role, action: str, provider: str, *, issuer: str, where: Where, keys: Keys
    ) -> Decision:
        """Decide whether a role may be assumed with a web identity.

        Args:
            role: the role.
            action: ``sts:AssumeRoleWithWebIdentity``.
            provider: the ARN of the OIDC provider.
            issuer: the provider's host and path.
            where: where the request came from and went to.
            keys: condition keys of the request, in lower case.
        """
        from codeartifact_pipenv.sandbox.iam.decision import Policies

        context = {**self._common(where), **keys, "aws:federatedprovider": (provider,)}
        request = Request(
            action, role.arn, "", "", federated=provider, issuer=issuer, context=context
        )
        return decide_trust(request, Policies(()), role.trust, role.account)

    def _request(
        self, actor: Actor, facts: Facts, action: str, resource: str, *, where: Where, keys: Keys
    ) -> Request:
        context = self._common(where)
        context |= {
            "aws:principalaccount": (actor.account,),
            "aws:principalarn": (actor.role or actor.arn,),
            "aws:principaltype": ("User" if actor.role is None else "AssumedRole",),
            "aws:userid": (facts.user_id,),
        }
        if actor.role is None and facts.user_name is not None:
            context["aws:username"] = (facts.user_name,)
        if actor.role is not None:
            context["aws:multifactorauthpresent"] = ("false",)
        if actor.began is not None:
            context["aws:tokenissuetime"] = (f"{actor.began:.0f}",)
        if actor.provider is not None:
            context["aws:federatedprovider"] = (actor.provider,)
        if self.organization is not None:
            context["aws:principalorgid"] = (self.organization,)
        for key, value in {**facts.tags, **dict(actor.tags)}.items():
            context[f"aws:principaltag/{key.lower()}"] = (value,)
        parts = resource.split(":", 5)
        if len(parts) > _ACCOUNT and parts[_ACCOUNT]:
            context["aws:resourceaccount"] = (parts[_ACCOUNT],)
        context.update(keys)
        return Request(action, resource, actor.account, actor.arn, actor.role, context=context)

    def _common(self, where: Where) -> dict[str, tuple[str, ...]]:
        now = self._state.clock.time()
        return {
            "aws:currenttime": (str(now),),
            "aws:epochtime": (str(int(now)),),
            "aws:requestedregion": (where.region,),
            "aws:securetransport": ("true",),
            "aws:sourceip": (self.source_ip or where.source,),
            "aws:principalisawsservice": ("false",),
            "aws:viaawsservice": ("false",),
        }


_ACCOUNT = 4


def sentence(arn: str, action: str, resource: str, reason: str) -> str:
    """Return AWS's sentence for a refused action."""
    return f"User: {arn} is not authorized to perform: {action} on resource: {resource} {reason}"


def policies_on(
    state: State, domain: Domain, repository: str | None = None
) -> tuple[Policy | None, ...]:
    """Return the policies that take part in what is done in a domain.

    A domain's policy counts for all that is in it; where a repository has its own, it is
    enough that either allows (CodeArtifact User Guide, "Domain policies").
    """
    with state.lock:
        record = state.domains.get(domain)
        if record is None:
            return ()
        found = record.repositories.get(repository or "")
        return (record.policy, None if found is None else found.policy)


def tag_keys(tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the condition keys of the tags that a request brings."""
    if not tags:
        return {}
    named = {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
    return {**named, "aws:tagkeys": tuple(tags)}


def _statements(policies: tuple[Policy | None, ...]) -> tuple[Statement, ...] | None:
    found: tuple[Statement, ...] = ()
    for policy in policies:
        if policy is not None:
            try:
                found += read_policy(policy.document)
            except MalformedPolicyError:
                continue
    return found or None
