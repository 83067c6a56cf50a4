"""IAM users and roles: the sandbox's own user, and STS and IAM played by moto.

moto keeps all accounts of a process in global tables. Each sandbox swaps in its own tables while
it uses moto, so that sandboxes and tests with moto do not share users. moto is imported on first
use, because the import takes half a second.
"""

from __future__ import annotations

import secrets
import string
import threading
from contextlib import contextmanager
from datetime import timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.api.errors import ServiceError, refusal
from codeartifact_pipenv.sandbox.signature import Principal, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.hosts import Host
    from codeartifact_pipenv.sandbox.state import RequestRecord, State

_USER = "sandbox"
_KEY_CHARACTERS = string.ascii_uppercase + "234567"
_SECRET_CHARACTERS = string.ascii_letters + string.digits
_LOCK = threading.RLock()
_UNSIGNED = {"sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"}
# STS and IAM have other names for the same errors.
_CODES = {
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "ExpiredTokenException": "ExpiredToken",
}


class Identities:
    """Finds principals by access key, and answers STS and IAM.

    Attributes:
        user: the user whose long-lived keys are in the sandbox's environment.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        account = state.account
        self.user = Principal(
            access_key_id="AKIA" + _random_text(_KEY_CHARACTERS, 16),
            secret_access_key=_random_text(_SECRET_CHARACTERS, 40),
            session_token=None,
            expires_at=None,
            account=account,
            arn=f"arn:aws:iam::{account}:user/{_USER}",
        )
        self._tables: list[dict[str, Any]] = []

    def find(self, access_key_id: str) -> Principal | None:
        """Return the principal of an access key id, or None if it is unknown."""
        if access_key_id == self.user.access_key_id:
            return self.user
        if not self._tables:
            return None
        with self._moto() as (iam, sts):
            return _find_session(sts, access_key_id) or _find_user(iam, access_key_id)

    def administrator(self, account: str) -> Principal:
        """Return a user of an account, with an access key."""
        if account == self.user.account:
            return self.user
        with self._moto() as (iam, _):
            backend = iam[account]["aws"]
            if _USER not in backend.users:
                _make_user(iam, account)
            user = backend.users[_USER]
            key = user.access_keys[0]
            return Principal(
                key.access_key_id, key.secret_access_key, None, None, account, user.arn
            )

    def respond(self, request: Request, host: Host, record: RequestRecord) -> Response:
        """Answer one request to STS or IAM."""
        text = request.get_data(cache=True, parse_form_data=False, as_text=True)
        parameters = {**request.args, **dict(parse_qsl(text, keep_blank_values=True))}
        record.name = parameters.get("Action")
        action = f"{host.service}:{record.name}"
        account, arn = self.user.account, "anonymous"
        if action not in _UNSIGNED:
            try:
                principal = verify(request, host, self.find, self._state.clock)
            except ServiceError as error:
                return _xml_error(_CODES[error.code], error.message)
            record.credential = principal.access_key_id
            account, arn = principal.account, principal.arn
        resource = parameters.get("RoleArn", "*")
        if self._state.denies(action, resource):
            return _xml_error("AccessDenied", refusal(arn, action, resource))
        with self._moto():
            return _forward_to_moto(host, account, request, parameters)

    @contextmanager
    def _moto(self) -> Iterator[tuple[Any, Any]]:
        """Swap this sandbox's accounts into moto's tables and lock them."""
        with _LOCK:
            from moto.iam.models import iam_backends
            from moto.sts.models import sts_backends

            tables: tuple[Any, Any] = (iam_backends, sts_backends)
            others = [dict(table) for table in tables]
            first, ours = not self._tables, self._tables or [{}, {}]
            _fill(tables, ours)
            try:
                if first:
                    _make_user(iam_backends, self.user.account, self.user)
                yield tables
            finally:
                self._tables = [dict(table) for table in tables]
                _fill(tables, others)


def _fill(tables: tuple[Any, ...], contents: list[dict[str, Any]]) -> None:
    for table, content in zip(tables, contents, strict=True):
        table.clear()
        table.update(content)


def _make_user(iam: Any, account: str, principal: Principal | None = None) -> None:
    backend = iam[account]["aws"]
    user = backend.create_user("us-east-1", _USER)
    key = user.create_access_key(prefix="AKIA", status="Active")
    if principal is not None:
        key.access_key_id = principal.access_key_id
        key.secret_access_key = principal.secret_access_key
    backend.access_keys[key.access_key_id] = key


def _find_session(sts: Any, access_key_id: str) -> Principal | None:
    for partitions in sts.values():
        for role in partitions["aws"].assumed_roles:
            if role.access_key_id == access_key_id:
                return Principal(
                    access_key_id,
                    role.secret_access_key,
                    role.session_token,
                    role.expiration.replace(tzinfo=timezone.utc),
                    role.account_id,
                    role.arn,
                )
    return None


def _find_user(iam: Any, access_key_id: str) -> Principal | None:
    for account, partitions in iam.items():
        user = partitions["aws"].get_user_from_access_key_id(access_key_id)
        key = None if user is None else user.get_access_key_by_id(access_key_id)
        if key is not None and key.status == "Active":
            return Principal(access_key_id, key.secret_access_key, None, None, account, user.arn)
    return None


def _forward_to_moto(
    host: Host, account: str, request: Request, parameters: dict[str, str]
) -> Response:
    from botocore.awsrequest import AWSPreparedRequest
    from moto.core.request import normalize_request
    from moto.iam.responses import IamResponse
    from moto.sts.responses import TokenResponse

    responses: dict[str, Any] = {"sts": TokenResponse, "iam": IamResponse}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Authorization": request.headers.get("Authorization", ""),
        "X-Moto-Account-Id": account,
    }
    body = urlencode(parameters).encode()
    url = f"https://{host.service}.us-east-1.amazonaws.com/"
    asked = normalize_request(AWSPreparedRequest("POST", url, headers, body, stream_output=False))
    status, answered, text = responses[host.service].dispatch(asked, asked.url, asked.headers)
    kept = [
        (name, value)
        for name, value in dict(answered).items()
        if name.lower() not in {"date", "server", "content-length"}
    ]
    return Response(text, int(status), kept)


def _xml_error(code: str, message: str) -> Response:
    body = (
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        "</Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
    return Response(body, 403, content_type="text/xml")


def _random_text(characters: str, length: int) -> str:
    return "".join(secrets.choice(characters) for _ in range(length))
