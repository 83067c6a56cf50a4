"""Policy documents, read once."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

_VERSIONS = ("2012-10-17", "2008-10-17")
_ELEMENTS = {
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
}


class MalformedPolicyError(ValueError):
    """A document is no policy; its text says why."""


class Condition(NamedTuple):
    """One line of a ``Condition`` block.

    Attributes:
        operator: such as ``ForAnyValue:StringLike`` or ``BoolIfExists``, as it is written.
        key: in lower case.
        values: at least one.
    """

    operator: str
    key: str
    values: tuple[str, ...]


class Statement(NamedTuple):
    """One statement.

    Attributes:
        denies: whether its effect is ``Deny``.
        actions: patterns of the actions that it is about.
        not_actions: whether it is about all others instead.
        resources: patterns of the resources; None where the element is missing, as in a
            role's trust policy.
        not_resources: whether it is about all others instead.
        principals: kind and name of each principal, such as ``AWS`` and an ARN; None where
            the element is missing, as in an identity's policy.
        not_principals: whether it is about all others instead.
        conditions: all must hold.
        variables: whether ``${...}`` in it is a variable.
    """

    denies: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...] | None
    not_resources: bool
    principals: tuple[tuple[str, str], ...] | None
    not_principals: bool
    conditions: tuple[Condition, ...]
    variables: bool


@lru_cache(maxsize=1024)
def read_policy(text: str) -> tuple[Statement, ...]:
    """Return the statements of a policy's JSON.

    Raises:
        MalformedPolicyError: it is no policy.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedPolicyError("it is no JSON") from error
    if not isinstance(document, dict):
        raise MalformedPolicyError("it is no JSON object")
    version = document.get("Version", _VERSIONS[1])
    if version not in _VERSIONS:
        raise MalformedPolicyError(f"its Version is none of {' and '.join(_VERSIONS)}")
    given = document.get("Statement")
    statements = [given] if isinstance(given, dict) else given
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyError("it has no Statement")
    return tuple(_statement(each, version == _VERSIONS[0]) for each in statements)


def _statement(given: Any, variables: bool) -> Statement:
    if not isinstance(given, dict):
        raise MalformedPolicyError("a statement is no JSON object")
    foreign = sorted(set(given) - _ELEMENTS)
    if foreign:
        raise MalformedPolicyError(f"a statement has no element {foreign[0]}")
    if given.get("Effect") not in {"Allow", "Deny"}:
        raise MalformedPolicyError("a statement's Effect is neither Allow nor Deny")
    actions, not_actions = _either(given, "Action")
    resources, not_resources = _either(given, "Resource")
    principals, not_principals = _either(given, "Principal")
    if actions is None:
        raise MalformedPolicyError("a statement has neither Action nor NotAction")
    return Statement(
        given["Effect"] == "Deny",
        _texts(actions),
        not_actions,
        None if resources is None else _texts(resources),
        not_resources,
        None if principals is None else _principals(principals),
        not_principals,
        _conditions(given.get("Condition", {})),
        variables,
    )


def _either(given: dict[str, Any], element: str) -> tuple[Any, bool]:
    if element in given and f"Not{element}" in given:
        raise MalformedPolicyError(f"a statement has both {element} and Not{element}")
    negated = f"Not{element}" in given
    return given.get(f"Not{element}" if negated else element), negated


def _texts(given: Any) -> tuple[str, ...]:
    values = given if isinstance(given, list) else [given]
    if not values or not all(isinstance(value, str) for value in values):
        raise MalformedPolicyError("an element is neither a text nor a list of texts")
    return tuple(values)


def _principals(given: Any) -> tuple[tuple[str, str], ...]:
    if given == "*":
        return (("AWS", "*"),)
    if not isinstance(given, dict) or not given:
        raise MalformedPolicyError("a Principal is neither * nor a JSON object")
    return tuple((kind, name) for kind, names in given.items() for name in _texts(names))


def _conditions(given: Any) -> tuple[Condition, ...]:
    if not isinstance(given, dict) or not all(isinstance(keys, dict) for keys in given.values()):
        raise MalformedPolicyError("a Condition is no JSON object of JSON objects")
    return tuple(
        Condition(operator, key.lower(), tuple(map(_plain, _list(values))))
        for operator, keys in given.items()
        for key, values in keys.items()
    )


def _list(given: Any) -> list[Any]:
    values = given if isinstance(given, list) else [given]
    if not values:
        raise MalformedPolicyError("a Condition compares with nothing")
    return values


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise MalformedPolicyError("a Condition compares with what is no text")
    return str(value)
