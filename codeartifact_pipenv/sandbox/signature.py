"""Verifies AWS Signature Version 4 by signing again with botocore."""

from __future__ import annotations

import hmac
import re
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from codeartifact_pipenv.sandbox.api.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.clock import Clock
    from codeartifact_pipenv.sandbox.hosts import Host

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)"
    r"/aws4_request, *SignedHeaders=(?P<headers>[^,\s]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_MAX_SKEW = timedelta(minutes=5)
_UNSIGNED_BODY = "UNSIGNED-PAYLOAD"


class Principal(NamedTuple):
    """A user or an assumed role: its keys, account and ARN.

    Long-lived keys have neither a session token nor ``expires_at`` (aware UTC).
    """

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    expires_at: datetime | None
    account: str
    arn: str


def verify(
    request: Request, host: Host, find: Callable[[str], Principal | None], clock: Clock
) -> Principal:
    """Return the principal that signed a request.

    Args:
        request: the request; its body is read.
        host: the host it was sent to, with the expected service and region.
        find: returns the principal of an access key id, or None.
        clock: AWS's clock; temporary keys expire by the machine's clock.

    Raises:
        ServiceError: the signature is missing, invalid or expired.
    """
    header = request.headers.get("Authorization")
    if not header or not header.startswith("AWS4-HMAC-SHA256"):
        raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token")
    parts = _AUTHORIZATION.fullmatch(header)
    if parts is None:
        raise ServiceError(
            "IncompleteSignatureException",
            "Authorization header requires existence of Credential, SignedHeaders and Signature.",
        )
    principal = _known(find(parts["key"]), request.headers.get("X-Amz-Security-Token"))
    timestamp = request.headers.get("X-Amz-Date", "")
    for message in _mismatches(parts, _read_time(timestamp), clock.now(), host, request):
        raise _mismatch(message)
    expected = _sign(request, host, principal, timestamp, parts["headers"].split(";"))
    if not hmac.compare_digest(expected, parts["signature"]):
        raise _mismatch(
            "The request signature we calculated does not match the signature you provided. Check your AWS"
            " Secret Access Key and signing method. Consult the service documentation for details."
        )
    return principal


def _known(principal: Principal | None, session_token: str | None) -> Principal:
    if principal is None or principal.session_token != session_token:
        raise ServiceError(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    if principal.expires_at is not None and principal.expires_at <= datetime.now(timezone.utc):
        raise ServiceError(
            "ExpiredTokenException", "The security token included in the request is expired"
        )
    return principal


def _read_time(timestamp: str) -> datetime:
    try:
        return datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        raise ServiceError(
            "IncompleteSignatureException",
            "Authorization header requires existence of 'X-Amz-Date' in ISO-8601 basic format.",
        ) from None


def _mismatches(
    parts: re.Match[str], signed_at: datetime, now: datetime, host: Host, request: Request
) -> Iterator[str]:
    """Yield each reason why a signature does not fit the time, host, headers or body."""
    earliest, latest, timestamp = now - _MAX_SKEW, now + _MAX_SKEW, f"{signed_at:{_TIMESTAMP}}"
    if signed_at < earliest:
        yield (
            f"Signature expired: {timestamp} is now earlier than {earliest:{_TIMESTAMP}}"
            f" ({now:{_TIMESTAMP}} - 5 min.)"
        )
    if signed_at > latest:
        yield (
            f"Signature not yet current: {timestamp} is still later than {latest:{_TIMESTAMP}}"
            f" ({now:{_TIMESTAMP}} + 5 min.)"
        )
    if parts["service"] != host.service:
        yield f"Credential should be scoped to correct service: '{host.service}'."
    if parts["region"] != host.region:
        yield f"Credential should be scoped to a valid region, not '{parts['region']}'."
    if parts["date"] != timestamp[:8]:
        yield f"Date in Credential scope does not match the date of the request: '{parts['date']}'."
    # The host and all x-amz- headers must be signed.
    names = {name.lower() for name, _ in request.headers}
    owed = {"host"} | {name for name in names if name.startswith("x-amz-")}
    missing = owed - set(parts["headers"].split(";"))
    if missing:
        yield f"There were headers present in the request which were not signed: {', '.join(sorted(missing))}"
    digest = request.headers.get("X-Amz-Content-Sha256")
    if digest not in {None, _UNSIGNED_BODY, sha256(request.get_data()).hexdigest()}:
        yield "The provided 'x-amz-content-sha256' header does not match what was computed."


def _sign(
    request: Request, host: Host, principal: Principal, timestamp: str, signed: list[str]
) -> str:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {name: ",".join(request.headers.getlist(name)) for name in signed}
    url = f"https://{host.name}{request.environ['RAW_URI']}"
    again = AWSRequest(request.method, url, data=request.get_data(), headers=headers)
    again.context["timestamp"] = timestamp
    credentials = Credentials(principal.access_key_id, principal.secret_access_key)
    signer = SigV4Auth(credentials, host.service, host.region)
    return str(
        signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    )


def _mismatch(message: str) -> ServiceError:
    return ServiceError("InvalidSignatureException", message)
