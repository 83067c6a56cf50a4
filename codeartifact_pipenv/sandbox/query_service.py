"""STS and IAM: who asks is checked here, and whether it may; what it asks, moto answers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.actor import Actor
from codeartifact_pipenv.sandbox.iam.documents import MalformedPolicyError, read_policy
from codeartifact_pipenv.sandbox.permissions import Where, tag_keys
from codeartifact_pipenv.sandbox.signature import SignatureError, verify
from codeartifact_pipenv.sandbox.web_identity import TokenRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.answers import Answer
    from codeartifact_pipenv.sandbox.hosts import Host
    from codeartifact_pipenv.sandbox.identity import Identities
    from codeartifact_pipenv.sandbox.permissions import Permissions
    from codeartifact_pipenv.sandbox.signature import Principal
    from codeartifact_pipenv.sandbox.state import State
    from codeartifact_pipenv.sandbox.web_identity import WebIdentities

    Parameters = dict[str, str]

# STS and IAM are older, and name the same refusals otherwise.
_CODES = {
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "ExpiredTokenException": "ExpiredToken",
}
# What needs no permission.
_FREE = {"sts:GetCallerIdentity", "sts:GetSessionToken"}
_WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
_BAD_REQUEST, _FORBIDDEN = 400, 403


class _RefusedError(Exception):
    def __init__(self, code: str, message: str, status: int = _FORBIDDEN) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class QueryService:
    """Answers STS and IAM requests."""

    def __init__(
        self,
        state: State,
        identities: Identities,
        permissions: Permissions,
        web_identities: WebIdentities,
    ) -> None:
        self._state = state
        self._identities = identities
        self._permissions = permissions
        self._web_identities = web_identities

    def respond(self, request: Request, host: Host, answer: Answer) -> Response:
        """Answer one request."""
        try:
            return self._respond(request, host, answer)
        except _RefusedError as refused:
            return _xml_error(refused.code, refused.message, refused.status)

    def _respond(self, request: Request, host: Host, answer: Answer) -> Response:
        text = request.get_data(cache=True, parse_form_data=False, as_text=True)
        parameters = {**request.args, **dict(parse_qsl(text, keep_blank_values=True))}
        answer.name = parameters.get("Action")
        action = f"{host.service}:{answer.name}"
        where = Where(request.remote_addr or "", host.region)
        if action == _WEB_IDENTITY:
            return self._assume_with_web_identity(parameters, where)
        if action == "sts:AssumeRoleWithSAML":
            # There is no SAML provider here that could have signed an assertion.
            raise _RefusedError("AccessDenied", f"Not authorized to perform {action}")
        try:
            principal = verify(request, host, self._identities.find, self._state.clock)
        except SignatureError as error:
            raise _RefusedError(_CODES[error.code], error.message) from None
        answer.credential = principal.access_key_id
        if action == "sts:AssumeRole":
            return self._assume(parameters, principal, where)
        actor = self._identities.actor(principal)
        if action not in _FREE or self._state.is_denied(action):
            resource = "*" if host.service == "sts" else self._resource(actor, parameters)
            refusal = self._permissions.refusal(
                actor, action, resource, where, keys=_iam_keys(parameters)
            )
            if refusal is not None:
                raise _RefusedError("AccessDenied", refusal)
        if "PolicyDocument" in parameters:
            parameters["PolicyDocument"] = _with_texts(parameters["PolicyDocument"])
        response = self._identities.answer(
            host.service, principal.account, principal.access_key_id, urlencode(parameters)
        )
        self._state.changed |= host.service == "iam"
        return response

    def _assume(self, parameters: Parameters, principal: Principal, where: Where) -> Response:
        actor = self._identities.actor(principal)
        arn = parameters.get("RoleArn", "")
        tags = dict(_pairs(parameters, "Tags.member"))
        keys = {
            "sts:rolesessionname": (parameters.get("RoleSessionName", ""),),
            **(
                {"sts:externalid": (parameters["ExternalId"],)}
                if "ExternalId" in parameters
                else {}
            ),
            **tag_keys(tags),
        }
        actions = ("sts:AssumeRole", *(("sts:TagSession",) if tags else ()))
        role = self._identities.role(arn)
        refusal = self._permissions.refusal_of_role(
            actor, role, arn, actions, where=where, keys=keys
        )
        if refusal is not None or role is None:
            raise _RefusedError("AccessDenied", refusal or "")
        session = Actor(
            role.account,
            "",
            arn,
            self._session_policies(parameters, role.account),
            tuple(tags.items()),
        )
        return self._identities.begin_session(
            session, principal.access_key_id, urlencode(parameters)
        )

    def _assume_with_web_identity(self, parameters: Parameters, where: Where) -> Response:
        arn = parameters.get("RoleArn", "")
        role = self._identities.role(arn)
        try:
            claims = self._web_identities.check(parameters.get("WebIdentityToken", ""))
        except TokenRefusedError as error:
            raise _RefusedError(error.code, error.message, _BAD_REQUEST) from None
        account = role.account if role else self._state.account
        audiences = self._identities.audiences(account, claims.issuer)
        if audiences is None:
            raise _RefusedError(
                "InvalidIdentityToken",
                f"No OpenIDConnect provider found in your account for https://{claims.issuer}",
                _BAD_REQUEST,
            )
        if claims.audience not in audiences:
            raise _RefusedError("InvalidIdentityToken", "Incorrect token audience", _BAD_REQUEST)
        provider = f"arn:aws:iam::{account}:oidc-provider/{claims.issuer}"
        keys = {
            f"{claims.issuer}:sub".lower(): (claims.subject,),
            f"{claims.issuer}:aud".lower(): (claims.audience,),
            "sts:rolesessionname": (parameters.get("RoleSessionName", ""),),
        }
        allowed = role is not None and not self._state.is_denied(_WEB_IDENTITY)
        if role is not None and allowed:
            issuer = claims.issuer.lower()
            allowed = self._permissions.trusts(
                role, _WEB_IDENTITY, provider, issuer=issuer, where=where, keys=keys
            ).allowed
        if not allowed:
            raise _RefusedError("AccessDenied", f"Not authorized to perform {_WEB_IDENTITY}")
        policies = self._session_policies(parameters, account)
        session = Actor(account, "", arn, policies, provider=provider)
        asker = self._identities.user.access_key_id
        return self._identities.begin_session(session, asker, urlencode(parameters))

    def _session_policies(self, parameters: Parameters, account: str) -> tuple[str, ...]:
        inline = [parameters["Policy"]] if parameters.get("Policy") else []
        arns = [
            value
            for name, value in parameters.items()
            if re.fullmatch(r"PolicyArns\.member\.\d+\.arn", name)
        ]
        managed = self._identities.policy_documents(account, arns) if arns else []
        if managed is None:
            raise _RefusedError(
                "ValidationError", "One or more specified PolicyArns is invalid", _BAD_REQUEST
            )
        try:
            for text in inline:
                read_policy(text)
        except MalformedPolicyError as error:
            raise _RefusedError(
                "MalformedPolicyDocument", f"The policy is malformed: {error}.", _BAD_REQUEST
            ) from None
        return (*inline, *managed)

    def _resource(self, actor: Actor, parameters: Parameters) -> str:
        """Return the ARN of what an IAM request is about; ``*`` where it is about nothing."""
        action, account = parameters.get("Action", ""), actor.account
        path = parameters.get("Path", "/")
        for kind in ("user", "role", "group"):
            name = parameters.get(f"{kind.capitalize()}Name")
            if name:
                found = self._identities.arn_of(account, kind, name)
                return found or f"arn:aws:iam::{account}:{kind}{path}{name}"
            if action == f"List{kind.capitalize()}s":
                return f"arn:aws:iam::{account}:{kind}{parameters.get('PathPrefix', '/')}"
        for name in ("PolicyArn", "OpenIDConnectProviderArn"):
            if name in parameters:
                return parameters[name]
        if action == "CreatePolicy":
            return f"arn:aws:iam::{account}:policy{path}{parameters.get('PolicyName', '')}"
        if action == "CreateOpenIDConnectProvider":
            url = parameters.get("Url", "").removeprefix("https://")
            return f"arn:aws:iam::{account}:oidc-provider/{url}"
        # One's own keys and one's own user need no name.
        is_own = action == "GetUser" or "AccessKey" in action
        return actor.arn if is_own and actor.role is None else "*"


def _iam_keys(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    keys = tag_keys(dict(_pairs(parameters, "Tags.member")))
    if "PolicyArn" in parameters:
        keys["iam:policyarn"] = (parameters["PolicyArn"],)
    if "PermissionsBoundary" in parameters:
        keys["iam:permissionsboundary"] = (parameters["PermissionsBoundary"],)
    return keys


def _pairs(parameters: Parameters, prefix: str) -> Iterator[tuple[str, str]]:
    number = 1
    while f"{prefix}.{number}.Key" in parameters:
        value = parameters.get(f"{prefix}.{number}.Value", "")
        yield parameters[f"{prefix}.{number}.Key"], value
        number += 1


def _with_texts(document: str) -> str:
    """Return a policy whose conditions compare with texts alone.

    AWS takes numbers and booleans, too, which moto does not.
    """
    try:
        policy = json.loads(document)
        read_policy(document)
    except (ValueError, MalformedPolicyError):
        return document
    given = policy["Statement"]
    blocks = [
        keys
        for statement in (given if isinstance(given, list) else [given])
        for keys in statement.get("Condition", {}).values()
    ]
    before = json.dumps(blocks)
    for keys in blocks:
        for key, value in keys.items():
            keys[key] = [*map(_text, value)] if isinstance(value, list) else _text(value)
    return document if json.dumps(blocks) == before else json.dumps(policy)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _xml_error(code: str, message: str, status: int) -> Response:
    body = (
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        "</Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
    return Response(body, status, content_type="text/xml")
