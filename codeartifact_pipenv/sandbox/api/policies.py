"""Operations on resource policies, which ``permissions.py`` evaluates.

What AWS says to a revision that is not the current one is not documented; here it is a
conflict.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api import shapes
from codeartifact_pipenv.sandbox.api.errors import conflict, invalid, not_found
from codeartifact_pipenv.sandbox.arns import domain_arn, repository_arn
from codeartifact_pipenv.sandbox.iam.documents import MalformedPolicyError, read_policy
from codeartifact_pipenv.sandbox.repository import DomainRecord, Policy

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.errors import Document
    from codeartifact_pipenv.sandbox.repository import Repository


def put_domain_permissions_policy(call: Call) -> Document:
    """Set a domain's policy; even the domain's name is in the body."""
    names = {"domain": call.body.get("domain"), "domain-owner": call.body.get("domainOwner")}
    sent = {name: value for name, value in names.items() if value is not None}
    named = replace(call, query=sent)
    return _put(call, named.domain_for("codeartifact:PutDomainPermissionsPolicy"))


def get_domain_permissions_policy(call: Call) -> Document:
    """Show a domain's policy."""
    return _show(call.domain_for("codeartifact:GetDomainPermissionsPolicy"))


def delete_domain_permissions_policy(call: Call) -> Document:
    """Remove a domain's policy."""
    return _delete(call, call.domain_for("codeartifact:DeleteDomainPermissionsPolicy"))


def put_repository_permissions_policy(call: Call) -> Document:
    """Set a repository's policy."""
    return _put(call, call.repository_for("codeartifact:PutRepositoryPermissionsPolicy"))


def get_repository_permissions_policy(call: Call) -> Document:
    """Show a repository's policy."""
    return _show(call.repository_for("codeartifact:GetRepositoryPermissionsPolicy"))


def delete_repository_permissions_policy(call: Call) -> Document:
    """Remove a repository's policy."""
    return _delete(call, call.repository_for("codeartifact:DeleteRepositoryPermissionsPolicy"))


def _put(call: Call, owner: DomainRecord | Repository) -> Document:
    document = shapes.check("policyDocument", call.body.get("policyDocument"))
    _check_revision(owner, call.member("policyRevision"))
    _check_document(document)
    owner.policy = Policy(secrets.token_urlsafe(32), document)
    return _show(owner)


def _check_document(document: str) -> None:
    try:
        statements = read_policy(document)
    except MalformedPolicyError as error:
        raise invalid(f"The policy document is not a policy: {error}.") from None
    if any(each.principals is None or each.resources is None for each in statements):
        raise invalid(
            "The policy document is not a policy: a statement has no Principal or no Resource."
        )


def _show(owner: DomainRecord | Repository) -> Document:
    name, kind, arn = _about(owner)
    if owner.policy is None:
        raise not_found(f"There is no policy on {kind} '{name}'.", name, kind)
    revision, document = owner.policy
    return {"policy": {"resourceArn": arn, "revision": revision, "document": document}}


def _delete(call: Call, owner: DomainRecord | Repository) -> Document:
    shown = _show(owner)
    _check_revision(owner, call.optional("policy-revision"))
    owner.policy = None
    return shown


def _check_revision(owner: DomainRecord | Repository, wanted: str | None) -> None:
    current = None if owner.policy is None else owner.policy.revision
    if wanted not in {None, current}:
        name, kind, _ = _about(owner)
        raise conflict(f"The policy on {kind} '{name}' has another revision.", name, kind)


def _about(owner: DomainRecord | Repository) -> tuple[str, str, str]:
    if isinstance(owner, DomainRecord):
        return owner.domain.name, "domain", domain_arn(owner.domain)
    return owner.name, "repository", repository_arn(owner.domain, owner.name)
