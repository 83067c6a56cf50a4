"""Whether a statement's conditions hold.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Conditions with
multiple context keys or values".
"""

from __future__ import annotations

import base64
import ipaddress
import operator
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.iam.patterns import UnresolvedError, fill, is_arn_like, is_like

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from codeartifact_pipenv.sandbox.iam.documents import Condition
    from codeartifact_pipenv.sandbox.iam.patterns import Context

    Pieces = tuple[str, ...]
    Test = Callable[[Pieces, str], bool]

# Keys that no request to the sandbox has, and that a request from a machine need not have at
# AWS either. A key that is neither here nor in the request is unknown.
ABSENT_KEYS = frozenset(
    {
        "aws:calledvia",
        "aws:calledviafirst",
        "aws:calledvialast",
        "aws:federatedprovider",
        "aws:multifactorauthage",
        "aws:multifactorauthpresent",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalservicename",
        "aws:principalservicenameslist",
        "aws:referer",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceidentity",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourcevpc",
        "aws:sourcevpcarn",
        "aws:sourcevpce",
        "aws:tagkeys",
        "aws:tokenissuetime",
        "aws:username",
        "aws:vpcsourceip",
        "sts:awsservicename",
        "sts:durationseconds",
        "sts:externalid",
        "sts:rolesessionname",
        "sts:sourceidentity",
        "sts:transitivetagkeys",
        "iam:passedtoservice",
        "iam:permissionsboundary",
        "iam:policyarn",
    }
)
_ABSENT_PREFIXES = ("aws:principaltag/", "aws:requesttag/")


def hold(
    conditions: Collection[Condition], context: Context, *, variables: bool, issuer: str | None
) -> bool | None:
    """Whether all conditions hold; None where that cannot be said.

    What cannot be said is what an operator or a key means that is not known here.

    Args:
        conditions: a statement's.
        context: the request's keys.
        variables: whether ``${...}`` is a variable.
        issuer: the host of a web identity's issuer, whose keys are known; None for none.
    """
    results = [_holds(each, context, variables, issuer) for each in conditions]
    if False in results:
        return False
    return None if None in results else True


def _holds(
    condition: Condition, context: Context, variables: bool, issuer: str | None
) -> bool | None:
    quantifier, _, name = condition.operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    values = context.get(condition.key)
    if values is None and not is_known(condition.key, issuer):
        return None
    if name == "Null" and not quantifier and not if_exists:
        return any((wanted.lower() == "true") is (values is None) for wanted in condition.values)
    found = _OPERATORS.get(name)
    if found is None or quantifier not in {"", "ForAnyValue", "ForAllValues"}:
        return None
    test, negated = found
    if values is None:
        if quantifier == "ForAnyValue":
            return if_exists
        return if_exists or negated or quantifier == "ForAllValues"
    patterns = []
    for wanted in condition.values:
        try:
            patterns.append(fill(wanted, context, variables=variables and _takes_variables(name)))
        except UnresolvedError as error:
            if not is_known(error.key, issuer):
                return None
    try:
        matches = [any(test(each, value) for each in patterns) for value in values]
    except (ValueError, OverflowError):
        return None
    outcomes = [match is not negated for match in matches]
    return any(outcomes) if quantifier == "ForAnyValue" else all(outcomes)


def is_known(key: str, issuer: str | None) -> bool:
    """Whether it is known that a request without this key (in lower case) has none."""
    if issuer is not None and key in {f"{issuer}:sub", f"{issuer}:aud", f"{issuer}:amr"}:
        return True
    return key in ABSENT_KEYS or key.startswith(_ABSENT_PREFIXES)


def _takes_variables(name: str) -> bool:
    return name.startswith(("String", "Arn", "Bool"))


def _equals(wanted: Pieces, value: str) -> bool:
    return "".join(wanted) == value


def _equals_in_any_case(wanted: Pieces, value: str) -> bool:
    return "".join(wanted).casefold() == value.casefold()


def _is_in_network(wanted: Pieces, value: str) -> bool:
    network = ipaddress.ip_network("".join(wanted), strict=False)
    return ipaddress.ip_address(value) in network


def _is_same_binary(wanted: Pieces, value: str) -> bool:
    return base64.b64decode("".join(wanted), validate=True) == value.encode()


def _by_number(compare: Callable[[float, float], bool]) -> Test:
    return lambda wanted, value: compare(float(value), float("".join(wanted)))


def _by_date(compare: Callable[[float, float], bool]) -> Test:
    return lambda wanted, value: compare(_moment(value), _moment("".join(wanted)))


def _moment(text: str) -> float:
    """Return seconds since the epoch, of these or of an ISO 8601 date."""
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


# Each with whether it holds where the comparison does not.
_OPERATORS: dict[str, tuple[Test, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_in_any_case, False),
    "StringNotEqualsIgnoreCase": (_equals_in_any_case, True),
    "StringLike": (is_like, False),
    "StringNotLike": (is_like, True),
    "ArnEquals": (is_arn_like, False),
    "ArnNotEquals": (is_arn_like, True),
    "ArnLike": (is_arn_like, False),
    "ArnNotLike": (is_arn_like, True),
    "NumericEquals": (_by_number(operator.eq), False),
    "NumericNotEquals": (_by_number(operator.eq), True),
    "NumericLessThan": (_by_number(operator.lt), False),
    "NumericLessThanEquals": (_by_number(operator.le), False),
    "NumericGreaterThan": (_by_number(operator.gt), False),
    "NumericGreaterThanEquals": (_by_number(operator.ge), False),
    "DateEquals": (_by_date(operator.eq), False),
    "DateNotEquals": (_by_date(operator.eq), True),
    "DateLessThan": (_by_date(operator.lt), False),
    "DateLessThanEquals": (_by_date(operator.le), False),
    "DateGreaterThan": (_by_date(operator.gt), False),
    "DateGreaterThanEquals": (_by_date(operator.ge), False),
    "Bool": (_equals_in_any_case, False),
    "BinaryEquals": (_is_same_binary, False),
    "IpAddress": (_is_in_network, False),
    "NotIpAddress": (_is_in_network, True),
}
