"""One request, decided.

Source: IAM User Guide, "Policy evaluation logic" and "Cross-account policy evaluation logic".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from codeartifact_pipenv.sandbox.iam.conditions import hold, is_known
from codeartifact_pipenv.sandbox.iam.patterns import (
    UnresolvedError,
    fill,
    is_like,
    is_resource_like,
)

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.iam.documents import Statement
    from codeartifact_pipenv.sandbox.iam.patterns import Context

    Statements = tuple[Statement, ...]
    Kind = Literal[
        "identity-based policy", "resource-based policy", "permissions boundary", "session policy"
    ]
    # How a statement names who asks: by its very ARN, by its role, all, or by its account.
    Naming = Literal["itself", "role", "anybody", "account"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        action: such as ``codeartifact:ReadFromRepository``.
        resource: an ARN, or ``*``.
        account: of who asks; empty for a web identity, which has none.
        arn: of who asks.
        role: the ARN of the role whose session asks; None for a user.
        federated: the ARN of the OIDC provider that vouches for who asks; None for an
            identity of IAM's own.
        issuer: the host and path of that provider; None with it.
        context: the condition keys, in lower case.
    """

    action: str
    resource: str
    account: str
    arn: str
    role: str | None = None
    federated: str | None = None
    issuer: str | None = None
    context: Context = field(default_factory=dict)


class Decision(NamedTuple):
    """What is decided.

    Attributes:
        allowed: whether it may be done.
        reason: why not, in AWS's words; empty where it may.
    """

    allowed: bool
    reason: str = ""


_ALLOWED = Decision(True)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies that take part.

    Attributes:
        identity: of the user with its groups, or of the role.
        boundary: the permissions boundary; None where there is none.
        session: what the session was narrowed to; None where it was not.
    """

    identity: Statements
    boundary: Statements | None = None
    session: Statements | None = None


def decide(
    request: Request,
    policies: Policies,
    resource_policy: Statements | None = None,
    owner: str | None = None,
) -> Decision:
    """Decide a request.

    Args:
        request: what is asked, and by whom.
        policies: those of who asks.
        resource_policy: that of the resource; None where it has none.
        owner: the account that the resource is in; None for the account of who asks.
    """
    kinds: list[tuple[Kind, Statements | None]] = [
        ("identity-based policy", policies.identity),
        ("resource-based policy", resource_policy),
        ("permissions boundary", policies.boundary),
        ("session policy", policies.session),
    ]
    for kind, statements in kinds:
        if any(_applies(each, request) for each in statements or () if each.denies):
            article = "an" if kind == "identity-based policy" else "a"
            return Decision(False, f"with an explicit deny in {article} {kind}")
    granted = _naming(request, resource_policy or ())
    within = owner is None or owner == request.account
    if within and granted == "itself":
        # Named by its very ARN, neither boundary nor session narrows it.
        return _ALLOWED
    by_resource = granted is not None and (not within or granted != "account")
    if not within and not by_resource:
        return _refused("resource-based policy", request)
    if not (within and by_resource) and not _allow(policies.identity, request):
        return _refused("identity-based policy", request)
    if policies.boundary is not None and not _allow(policies.boundary, request):
        return _refused("permissions boundary", request)
    if policies.session is not None and not _allow(policies.session, request):
        return _refused("session policy", request)
    return _ALLOWED


def decide_trust(request: Request, policies: Policies, trust: Statements, owner: str) -> Decision:
    """Decide whether a role may be assumed, which its trust policy must allow in any case.

    Args:
        request: what is asked; ``federated`` where a web identity asks.
        policies: those of who asks; empty for a web identity.
        trust: the role's trust policy.
        owner: the role's account.
    """
    if request.federated is None:
        if not _naming(request, trust) and not any(
            _applies(each, request) for each in trust if each.denies
        ):
            return _refused("resource-based policy", request)
        return decide(request, policies, trust, owner)
    denied = any(_applies(each, request) for each in trust if each.denies)
    return Decision(not denied and _naming(request, trust) is not None)


def _refused(kind: Kind, request: Request) -> Decision:
    return Decision(False, f"because no {kind} allows the {request.action} action")


def _allow(statements: Statements, request: Request) -> bool:
    return any(_applies(each, request) for each in statements if not each.denies)


def _naming(request: Request, statements: Statements) -> Naming | None:
    """Return how statements that allow the request name who asks: the strongest way."""
    found = {
        _named(each, request) for each in statements if not each.denies and _applies(each, request)
    }
    ways: tuple[Naming, ...] = ("itself", "role", "anybody", "account")
    return next((way for way in ways if way in found), None)


def _applies(statement: Statement, request: Request) -> bool:
    """Whether a statement is about a request.

    Where that depends on something that is not known here, a ``Deny`` is and an ``Allow`` is
    not.
    """
    if (_named(statement, request) is None) or not _is_about(statement, request):
        return False
    held = hold(
        statement.conditions,
        request.context,
        variables=statement.variables,
        issuer=request.issuer,
    )
    return statement.denies if held is None else held


def _is_about(statement: Statement, request: Request) -> bool:
    acts = any(is_like((each,), request.action, ignore_case=True) for each in statement.actions)
    if acts is statement.not_actions:
        return False
    if statement.resources is None:
        # A trust policy is the role's own.
        return statement.principals is not None
    try:
        fits = any(
            is_resource_like(
                fill(each, request.context, variables=statement.variables), request.resource
            )
            for each in statement.resources
        )
    except UnresolvedError as error:
        return statement.denies and not is_known(error.key, request.issuer)
    return fits is not statement.not_resources


def _named(statement: Statement, request: Request) -> Naming | None:
    """Return how a statement names who asks; None where it is about others."""
    if statement.principals is None:
        return "itself"
    found = {_names(kind, name, request) for kind, name in statement.principals}
    if statement.not_principals:
        return None if found != {None} else "anybody"
    ways: tuple[Naming, ...] = ("itself", "role", "anybody", "account")
    return next((way for way in ways if way in found), None)


def _names(kind: str, name: str, request: Request) -> Naming | None:
    if kind == "Federated":
        return "itself" if request.federated is not None and name == request.federated else None
    if kind != "AWS":
        return None
    if name == "*":
        return "anybody"
    if request.federated is not None:
        return None
    if name == request.arn:
        return "itself"
    if request.role is not None and name == request.role:
        return "role"
    root = f"arn:aws:iam::{request.account}:root"
    return "account" if name in {request.account, root} else None
