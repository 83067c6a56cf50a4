"""Operations on resource policies, which the sandbox stores but does not evaluate.

AWS does not document its answer to an outdated revision; the sandbox answers with a conflict.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api.errors import conflict, invalid, not_found
from codeartifact_pipenv.sandbox.hosts import domain_arn, repository_arn
from codeartifact_pipenv.sandbox.repository import DomainRecord, Policy

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.model import Document
    from codeartifact_pipenv.sandbox.repository import Repository


def put_domain_permissions_policy(call: Call) -> Document:
    """Set the policy of a domain or, if named, of a repository."""
    owner = _owner(call)
    _check_revision(call, owner)
    document = call.given["policyDocument"]
    try:
        policy = json.loads(document)
    except ValueError:
        policy = None
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise invalid("The policy document is not a valid policy.")
    owner.policy = Policy(secrets.token_urlsafe(32), document)
    return _show(owner)


def get_domain_permissions_policy(call: Call) -> Document:
    """Return a policy."""
    return _show(_owner(call))


def delete_domain_permissions_policy(call: Call) -> Document:
    """Delete a policy."""
    owner = _owner(call)
    shown = _show(owner)
    _check_revision(call, owner)
    owner.policy = None
    return shown


put_repository_permissions_policy = put_domain_permissions_policy
get_repository_permissions_policy = get_domain_permissions_policy
delete_repository_permissions_policy = delete_domain_permissions_policy


def _owner(call: Call) -> DomainRecord | Repository:
    return call.repository() if "repository" in call.given else call.domain_record()


def _show(owner: DomainRecord | Repository) -> Document:
    name, kind, arn = _about(owner)
    if owner.policy is None:
        raise not_found(f"The {kind} '{name}' has no policy.", name, kind)
    revision, document = owner.policy
    return {"policy": {"resourceArn": arn, "revision": revision, "document": document}}


def _check_revision(call: Call, owner: DomainRecord | Repository) -> None:
    current = None if owner.policy is None else owner.policy.revision
    if call.get("policyRevision") not in {None, current}:
        name, kind, _ = _about(owner)
        raise conflict(f"The policy on {kind} '{name}' has another revision.", name, kind)


def _about(owner: DomainRecord | Repository) -> tuple[str, str, str]:
    if isinstance(owner, DomainRecord):
        return owner.domain.name, "domain", domain_arn(owner.domain)
    return owner.name, "repository", repository_arn(owner.domain, owner.name)
