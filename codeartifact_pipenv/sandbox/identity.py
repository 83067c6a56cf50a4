"""Who there is: the sandbox's own user, and what moto's STS and IAM hand out.

moto holds its accounts in its own global tables. It is imported with the first request
that needs it, because that takes half a second.
"""

from __future__ import annotations

import secrets
import string
import threading
from datetime import timezone
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.signature import Principal

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_USER = "sandbox"
_KEY_CHARACTERS = string.ascii_uppercase + "234567"
_SECRET_CHARACTERS = string.ascii_letters + string.digits


class Identities:
    """Finds principals by access key, and answers STS and IAM requests.

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
        self._moto_is_ready = False
        self._lock = threading.Lock()

    def restore(self, access_key_id: str, secret_access_key: str) -> None:
        """Give the sandbox's own user the keys of an earlier run."""
        self.user = self.user._replace(
            access_key_id=access_key_id, secret_access_key=secret_access_key
        )

    def find(self, access_key_id: str) -> Principal | None:
        """Return the principal of an access key id; None where nobody has it."""
        if access_key_id == self.user.access_key_id:
            return self.user
        with self._lock:
            return _find_in_moto(access_key_id) if self._moto_is_ready else None

    def answer(self, service: str, request: Request) -> Response:
        """Let moto answer an STS or IAM request; who may ask it was checked before."""
        with self._lock:
            self._get_moto_ready()
            return _ask_moto(service, request)

    def _get_moto_ready(self) -> None:
        if self._moto_is_ready:
            return
        from moto.iam.models import iam_backends

        backend = iam_backends[self.user.account]["aws"]
        if _USER not in backend.users:
            backend.create_user("us-east-1", _USER)
        key = backend.users[_USER].create_access_key(prefix="AKIA", status="Active")
        key.access_key_id = self.user.access_key_id
        key.secret_access_key = self.user.secret_access_key
        backend.access_keys[key.access_key_id] = key
        self._moto_is_ready = True


def _find_in_moto(access_key_id: str) -> Principal | None:
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for account, partitions in list(sts_backends.items()):
        for role in partitions["aws"].assumed_roles:
            if role.access_key_id == access_key_id:
                return Principal(
                    access_key_id,
                    role.secret_access_key,
                    role.session_token,
                    role.expiration.replace(tzinfo=timezone.utc),
                    account,
                    role.arn,
                )
    for account, backends in list(iam_backends.items()):
        user = backends["aws"].get_user_from_access_key_id(access_key_id)
        if user is not None:
            key = user.get_access_key_by_id(access_key_id)
            return Principal(access_key_id, key.secret_access_key, None, None, account, user.arn)
    return None


def _ask_moto(service: str, request: Request) -> Response:
    from botocore.awsrequest import AWSPreparedRequest
    from moto.core.request import normalize_request
    from moto.iam.responses import IamResponse
    from moto.sts.responses import TokenResponse

    responses: dict[str, Any] = {"sts": TokenResponse, "iam": IamResponse}
    # The body may have been read already, to check its signature.
    asked = normalize_request(
        AWSPreparedRequest(
            request.method, request.url, request.headers, request.get_data(), stream_output=False
        )
    )
    status, headers, body = responses[service].dispatch(asked, request.url, asked.headers)
    kept = [
        (name, value) for name, value in headers.items() if name.lower() not in {"date", "server"}
    ]
    return Response(body, status, kept)


def _choose(characters: str, length: int) -> str:
    return "".join(secrets.choice(characters) for _ in range(length))
