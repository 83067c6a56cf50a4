"""Who there is: the sandbox's own user, and what moto's STS and IAM hand out."""

from __future__ import annotations

import secrets
import string
import time
from base64 import b32encode
from datetime import timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.accounts import Accounts
from codeartifact_pipenv.sandbox.actor import Actor
from codeartifact_pipenv.sandbox.iam.decision import Policies
from codeartifact_pipenv.sandbox.iam.documents import MalformedPolicyError, read_policy
from codeartifact_pipenv.sandbox.signature import Principal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeartifact_pipenv.sandbox.accounts import Change
    from codeartifact_pipenv.sandbox.iam.documents import Statement

_USER = "sandbox"
_KEY_CHARACTERS = string.ascii_uppercase + "234567"
_SECRET_CHARACTERS = string.ascii_letters + string.digits
_ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
_EVERYTHING = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
)
# A policy that cannot be read allows nothing, and what it denies cannot be told.
_UNREADABLE = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
)


class Facts(NamedTuple):
    """What IAM says of an actor now.

    Attributes:
        policies: those that take part in every decision; no statement where the user or the
            role is gone.
        user_id: as ``aws:userid`` has it.
        user_name: None for a role's session.
        tags: of the user or the role.
    """

    policies: Policies
    user_id: str
    user_name: str | None
    tags: Mapping[str, str]


class Role(NamedTuple):
    """A role that may be assumed.

    Attributes:
        arn: its ARN.
        account: the account that it is in.
        trust: its trust policy.
        tags: its tags.
    """

    arn: str
    account: str
    trust: tuple[Statement, ...]
    tags: Mapping[str, str]


class Identities:
    """Finds principals by access key, and what their policies are.

    Attributes:
        user: the long-lived keys that the sandbox's environment carries.
    """

    def __init__(self, account: str) -> None:
        self.user = Principal(
            access_key_id="AKIA" + _choose(_KEY_CHARACTERS, 16),
            secret_access_key=_choose(_SECRET_CHARACTERS, 40),
            session_token=None,
            expires_at=None,
            account=account,
            arn=f"arn:aws:iam::{account}:user/{_USER}",
        )
        self._accounts = Accounts()
        self._is_ready = False
        self._sessions: dict[str, Actor] = {}

    def restore(self, access_key_id: str, secret_access_key: str) -> None:
        """Give the sandbox's own user the keys of an earlier run."""
        self.user = self.user._replace(
            access_key_id=access_key_id, secret_access_key=secret_access_key
        )

    @property
    def changes(self) -> list[Change]:
        """What was changed in IAM; to be kept, and to be set before anything is asked."""
        return list(self._accounts.changes)

    @changes.setter
    def changes(self, changes: Iterable[Change]) -> None:
        self._accounts.changes = list(changes)

    def find(self, access_key_id: str) -> Principal | None:
        """Return the principal of an access key id; None where nobody has it."""
        if access_key_id == self.user.access_key_id:
            return self.user
        if self._accounts.is_untouched:
            return None
        with self._accounts.open():
            self._get_ready()
            return self._find_in_moto(access_key_id)

    def actor(self, principal: Principal) -> Actor:
        """Return whom a principal's keys stand for."""
        return self._sessions.get(principal.access_key_id, Actor(principal.account, principal.arn))

    def facts(self, actor: Actor) -> Facts:
        """Return what IAM says of an actor now."""
        if self._accounts.is_untouched:
            own = _read(_EVERYTHING) if actor.arn == self.user.arn else ()
            return Facts(Policies(own), self._own_id(), _USER, {})
        with self._accounts.open():
            self._get_ready()
            backend = self._accounts.iam(actor.account)
            if actor.role is not None:
                return _facts_of_role(backend, actor)
            return _facts_of_user(backend, actor)

    def role(self, arn: str) -> Role | None:
        """Return a role; None where there is none."""
        account = _account_of(arn)
        if account is None:
            return None
        with self._accounts.open():
            self._get_ready()
            backend = self._accounts.iam(account)
            found = next((role for role in backend.roles.values() if role.arn == arn), None)
            if found is None:
                return None
            trust = _read(found.assume_role_policy_document)
            return Role(arn, account, trust, _tags(found.tags))

    def audiences(self, account: str, issuer: str) -> list[str] | None:
        """Return the audiences of an OIDC provider; None where the account has none of it.

        Args:
            account: the account.
            issuer: the provider's host and path.
        """
        with self._accounts.open():
            self._get_ready()
            provider = self._accounts.iam(account).open_id_providers.get(
                f"arn:aws:iam::{account}:oidc-provider/{issuer}"
            )
            return None if provider is None else list(provider.client_id_list)

    def policy_documents(self, account: str, arns: Iterable[str]) -> list[str] | None:
        """Return the JSON of managed policies; None where one does not exist."""
        with self._accounts.open():
            self._get_ready()
            known = self._accounts.iam(account).managed_policies
            wanted = list(arns)
            return [_document(known[arn]) for arn in wanted] if set(wanted) <= set(known) else None

    def arn_of(self, account: str, kind: str, name: str) -> str | None:
        """Return the ARN of a ``user``, ``role`` or ``group``; None where there is none."""
        with self._accounts.open():
            self._get_ready()
            found = getattr(self._accounts.iam(account), f"{kind}s").get(name)
            return None if found is None else str(found.arn)

    def answer(self, service: str, account: str, key: str, body: str) -> Response:
        """Let moto answer an STS or IAM request; whether it may be asked was checked before.

        Args:
            service: ``sts`` or ``iam``.
            account: that is asked.
            key: the access key id of who asks.
            body: parameters of the query protocol.
        """
        with self._accounts.open():
            self._get_ready()
            status, headers, text = self._accounts.ask(service, account, key, body)
        kept = [
            (name, value)
            for name, value in headers.items()
            if name.lower() not in {"date", "server", "content-length"}
        ]
        return Response(text, status, kept)

    def begin_session(self, actor: Actor, key: str, body: str) -> Response:
        """Let moto hand out a role's session, and remember whose it is.

        Args:
            actor: the session's; its ARN and its beginning are found out here.
            key: the access key id of who asks.
            body: parameters of the query protocol.
        """
        with self._accounts.open():
            response = self.answer("sts", actor.account, key, body)
            if response.status_code == _DONE:
                session = next(self._accounts.assumed_roles())
                self._sessions[session.access_key_id] = actor._replace(
                    arn=session.arn, began=time.time()
                )
            return response

    def administrator(self, account: str) -> Principal:
        """Return the keys of a user of any account who may do everything there."""
        if account == self.user.account:
            return self.user
        with self._accounts.open():
            self._get_ready()
            users = self._accounts.iam(account).users
            if _USER not in users:
                for parameters in (
                    {"Action": "CreateUser"},
                    {"Action": "AttachUserPolicy", "PolicyArn": _ADMINISTRATOR},
                    {"Action": "CreateAccessKey"},
                ):
                    body = urlencode({**parameters, "UserName": _USER, "Version": _IAM_VERSION})
                    self._accounts.ask("iam", account, self.user.access_key_id, body)
            user = users[_USER]
            key = user.access_keys[0]
            return Principal(
                key.access_key_id, key.secret_access_key, None, None, account, user.arn
            )

    def _own_id(self) -> str:
        digest = sha256(self.user.access_key_id.encode()).digest()
        return "AIDA" + b32encode(digest).decode()[:17]

    def _get_ready(self) -> None:
        if self._is_ready:
            return
        self._is_ready = True
        backend = self._accounts.iam(self.user.account)
        user = backend.create_user("us-east-1", _USER)
        user.id = self._own_id()
        backend.attach_user_policy(_ADMINISTRATOR, _USER)
        key = user.create_access_key(prefix="AKIA", status="Active")
        key.access_key_id = self.user.access_key_id
        key.secret_access_key = self.user.secret_access_key
        backend.access_keys[key.access_key_id] = key
        self._accounts.catch_up()

    def _find_in_moto(self, access_key_id: str) -> Principal | None:
        for role in self._accounts.assumed_roles():
            if role.access_key_id == access_key_id:
                return Principal(
                    access_key_id,
                    role.secret_access_key,
                    role.session_token,
                    role.expiration.replace(tzinfo=timezone.utc),
                    role.account_id,
                    role.arn,
                )
        for account, backend in self._accounts.all_iam():
            user = backend.get_user_from_access_key_id(access_key_id)
            if user is not None:
                key = user.get_access_key_by_id(access_key_id)
                if key.status != "Active":
                    return None
                return Principal(
                    access_key_id, key.secret_access_key, None, None, account, user.arn
                )
        return None


_DONE = 200
_IAM_VERSION = "2010-05-08"


def _facts_of_user(backend: Any, actor: Actor) -> Facts:
    user = next((user for user in backend.users.values() if user.arn == actor.arn), None)
    if user is None:
        return Facts(Policies(()), actor.arn, None, {})
    holders = [user, *(group for group in backend.groups.values() if user in group.users)]
    policies = Policies(
        _statements_of(holders),
        _boundary(backend, getattr(user, "permissions_boundary_arn", None)),
    )
    tags = {tag["Key"]: tag["Value"] for tag in user.tags or []}
    return Facts(policies, user.id, user.name, tags)


def _facts_of_role(backend: Any, actor: Actor) -> Facts:
    role = next((role for role in backend.roles.values() if role.arn == actor.role), None)
    session = tuple(each for text in actor.session for each in _read(text))
    session_name = actor.arn.rpartition("/")[2]
    if role is None:
        return Facts(Policies(()), session_name, None, {})
    policies = Policies(
        _statements_of([role]),
        _boundary(backend, role.permissions_boundary_arn),
        session if actor.session else None,
    )
    return Facts(policies, f"{role.id}:{session_name}", None, _tags(role.tags))


def _statements_of(holders: Iterable[Any]) -> tuple[Statement, ...]:
    texts = [
        text
        for holder in holders
        for text in (
            *holder.policies.values(),
            *(_document(policy) for policy in holder.managed_policies.values()),
        )
    ]
    return tuple(statement for text in texts for statement in _read(text))


def _boundary(backend: Any, arn: str | None) -> tuple[Statement, ...] | None:
    if not arn:
        return None
    policy = backend.managed_policies.get(arn)
    return () if policy is None else _read(_document(policy))


def _document(policy: Any) -> str:
    return str(next(each.document for each in policy.versions if each.is_default))


def _read(text: str) -> tuple[Statement, ...]:
    try:
        return read_policy(text)
    except MalformedPolicyError:
        return read_policy(_UNREADABLE)


def _tags(tags: Any) -> dict[str, str]:
    listed = tags.values() if isinstance(tags, dict) else tags or []
    return {tag["Key"]: tag["Value"] for tag in listed}


def _account_of(arn: str) -> str | None:
    parts = arn.split(":")
    is_role = len(parts) == 6 and parts[:4] == ["arn", "aws", "iam", ""]  # noqa: PLR2004 - an ARN has six parts
    return parts[4] if is_role and parts[5].startswith("role/") else None


def _choose(characters: str, length: int) -> str:
    return "".join(secrets.choice(characters) for _ in range(length))
