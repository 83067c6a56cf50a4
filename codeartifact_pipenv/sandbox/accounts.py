"""The AWS accounts of one sandbox, as moto's STS and IAM hold them.

moto holds all accounts of a process in global tables. They are exchanged for the sandbox's
own while it uses them, so that neither sandboxes nor a test's own moto see each other's users.
moto is imported with the first use, because that takes half a second.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = threading.RLock()
_READING = ("Get", "List", "Generate", "Simulate")
_REGION = "us-east-1"
_SEED_BITS = 128
_CREATED = 200


class Change(NamedTuple):
    """A change to IAM that can be made again, with the same ids and keys.

    Attributes:
        account: the account that it was made in.
        key: the access key id of who made it.
        body: the request's body: parameters of IAM's query protocol.
        seed: what moto's random numbers began with.
    """

    account: str
    key: str
    body: str
    seed: int


class Accounts:
    """What moto holds for one sandbox.

    Attributes:
        changes: all changes so far, oldest first. To make them again is to have them again.
    """

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._done = 0
        self._is_open = False
        self._iam: dict[str, Any] = {}
        self._sts: dict[str, Any] = {}

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was ever asked, so that moto need not be loaded."""
        return not self._iam and not self.changes

    @contextmanager
    def open(self) -> Iterator[None]:
        """Have moto's tables hold this sandbox's accounts, and no other thread in them."""
        with _LOCK:
            if self._is_open:
                yield
                return
            from moto.iam.models import iam_backends
            from moto.sts.models import sts_backends

            tables: list[tuple[Any, dict[str, Any]]] = [
                (iam_backends, self._iam),
                (sts_backends, self._sts),
            ]
            others = [dict(table) for table, _ in tables]
            for table, ours in tables:
                _fill(table, ours)
            self._is_open = True
            try:
                yield
            finally:
                self._is_open = False
                for (table, ours), theirs in zip(tables, others, strict=True):
                    ours.clear()
                    ours.update(table)
                    _fill(table, theirs)

    def catch_up(self) -> None:
        """Make the changes of an earlier run again; the accounts are open."""
        while self._done < len(self.changes):
            change = self.changes[self._done]
            self._done += 1
            self._make(change)

    def iam(self, account: str) -> Any:
        """Return moto's IAM of an account, with AWS's own policies; the accounts are open."""
        from moto.iam.models import iam_backends

        backend = iam_backends[account]["aws"]
        if not backend.aws_managed_policies:
            _add_aws_policies(backend)
        return backend

    def all_iam(self) -> list[tuple[str, Any]]:
        """Return every account with moto's IAM of it; the accounts are open."""
        from moto.iam.models import iam_backends

        return [(account, partitions["aws"]) for account, partitions in iam_backends.items()]

    def assumed_roles(self) -> Iterator[Any]:
        """Yield moto's sessions of roles, newest first; the accounts are open."""
        from moto.sts.models import sts_backends

        for partitions in list(sts_backends.values()):
            yield from reversed(partitions["aws"].assumed_roles)

    def ask(
        self, service: str, account: str, key: str, body: str
    ) -> tuple[int, dict[str, str], bytes | str]:
        """Let moto answer a query of STS or IAM; the accounts are open.

        Args:
            service: ``sts`` or ``iam``.
            account: that is asked.
            key: the access key id of who asks.
            body: parameters of the query protocol.

        Returns:
            status, headers and body.
        """
        action = parse_qs(body).get("Action", [""])[0]
        self.iam(account)
        if service != "iam" or action.startswith(_READING):
            return _dispatch(service, account, key, body)
        change = Change(account, key, body, secrets.randbits(_SEED_BITS))
        answer = self._make(change)
        if answer[0] == _CREATED:
            self.changes.append(change)
            self._done = len(self.changes)
        return answer

    def _make(self, change: Change) -> tuple[int, dict[str, str], bytes | str]:
        from moto.moto_api._internal import mock_random

        backend = self.iam(change.account)
        before = mock_random.getstate()
        mock_random.seed(change.seed)
        try:
            parameters = {name: values[0] for name, values in parse_qs(change.body).items()}
            bounded = _bound(backend, parameters)
            if bounded is not None:
                return bounded
            answer = _dispatch("iam", change.account, change.key, change.body)
            if answer[0] == _CREATED and parameters.get("Action") == "CreateUser":
                user = backend.users[parameters["UserName"]]
                user.permissions_boundary_arn = parameters.get("PermissionsBoundary")
            return answer
        finally:
            mock_random.setstate(before)


def _fill(table: Any, content: dict[str, Any]) -> None:
    table.clear()
    table.update(content)


def _add_aws_policies(backend: Any) -> None:
    backend.aws_managed_policies = [copy(policy) for policy in _aws_policies()]
    backend.managed_policies |= {policy.arn: policy for policy in backend.aws_managed_policies}


@cache
def _aws_policies() -> list[Any]:
    import json

    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.iam.aws_managed_policies import aws_managed_policies_data
    from moto.iam.models import AWSManagedPolicy

    # Whose account they say does not matter: they are everybody's.
    return [
        AWSManagedPolicy.from_data(name, DEFAULT_ACCOUNT_ID, _REGION, data)
        for name, data in json.loads(aws_managed_policies_data).items()
    ]


def _bound(backend: Any, parameters: dict[str, str]) -> tuple[int, dict[str, str], str] | None:
    """Set a user's permissions boundary, which moto does not play; None for anything else."""
    action = parameters.get("Action", "")
    user = backend.users.get(parameters.get("UserName"))
    if action not in {"PutUserPermissionsBoundary", "DeleteUserPermissionsBoundary"} or not user:
        return None
    user.permissions_boundary_arn = parameters.get("PermissionsBoundary")
    body = (
        f"<{action}Response><ResponseMetadata><RequestId>{secrets.token_hex(16)}</RequestId>"
        f"</ResponseMetadata></{action}Response>"
    )
    return _CREATED, {"Content-Type": "text/xml"}, body


def _dispatch(
    service: str, account: str, key: str, body: str
) -> tuple[int, dict[str, str], bytes | str]:
    from botocore.awsrequest import AWSPreparedRequest
    from moto.core.request import normalize_request
    from moto.iam.responses import IamResponse
    from moto.sts.responses import TokenResponse

    responses: dict[str, Any] = {"sts": TokenResponse, "iam": IamResponse}
    url = f"https://{service}.{_REGION}.amazonaws.com/"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20200101/{_REGION}/{service}/aws4_request",
        "X-Moto-Account-Id": account,
    }
    asked = normalize_request(
        AWSPreparedRequest("POST", url, headers, body.encode(), stream_output=False)
    )
    status, answered, text = responses[service].dispatch(asked, asked.url, asked.headers)
    return int(status), dict(answered), text
