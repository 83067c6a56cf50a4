"""Patterns with ``*`` and ``?``, and variables in them.

Source: IAM User Guide, "IAM JSON policy elements: Resource" and "... Variables and tags".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    Context = Mapping[str, tuple[str, ...]]
    """A request's condition keys, in lower case, each with its values."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULT = re.compile(r"\s*([^,]*?)\s*,\s*'([^']*)'\s*")
_ARN_PARTS = 6


class UnresolvedError(Exception):
    """A variable has no value in this request.

    Attributes:
        key: its name, in lower case.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def fill(text: str, context: Context, *, variables: bool) -> tuple[str, ...]:
    """Return a text in pieces: a pattern, a value to be taken literally, a pattern, and so on.

    Args:
        text: with variables such as ``${aws:username}`` or ``${aws:username, 'nobody'}``.
        context: the values.
        variables: whether there are any: policies of before 2012-10-17 have none.

    Raises:
        UnresolvedError: a variable has no value, or more than one, and no default.
    """
    if not variables or "${" not in text:
        return (text,)
    pieces = _VARIABLE.split(text)
    return tuple(
        _value_of(piece, context) if number % 2 else piece for number, piece in enumerate(pieces)
    )


def _value_of(variable: str, context: Context) -> str:
    if variable in {"*", "?", "$"}:
        return variable
    found = _DEFAULT.fullmatch(variable)
    name, default = found.groups() if found else (variable, None)
    values = context.get(name.lower(), ())
    if len(values) == 1:
        return values[0]
    if default is None:
        raise UnresolvedError(name.lower())
    return default


@lru_cache(maxsize=4096)
def _compiled(pieces: tuple[str, ...], flags: int) -> re.Pattern[str]:
    parts = [
        re.escape(piece)
        if number % 2
        else re.escape(piece).replace(r"\*", ".*").replace(r"\?", ".")
        for number, piece in enumerate(pieces)
    ]
    return re.compile("".join(parts), flags | re.DOTALL)


def is_like(pieces: tuple[str, ...], value: str, *, ignore_case: bool = False) -> bool:
    """Whether a value fits a pattern as :func:`fill` returns it."""
    flags = re.IGNORECASE if ignore_case else 0
    return pieces == ("*",) or _compiled(pieces, flags).fullmatch(value) is not None


def is_resource_like(pieces: tuple[str, ...], resource: str) -> bool:
    """Whether a resource's ARN fits a pattern; ``*`` for an action without a resource.

    A ``*`` that ends a part may go on behind the colon, another stays within its part; an
    unfinished pattern is filled up with ``*``.
    """
    return pieces == ("*",) or _compiled_resource(pieces).fullmatch(resource) is not None


@lru_cache(maxsize=4096)
def _compiled_resource(pieces: tuple[str, ...]) -> re.Pattern[str]:
    colons = sum(piece.count(":") for piece in pieces)
    filled = (*pieces, "", ":*" * max(0, _ARN_PARTS - 1 - colons))
    seen = 0
    written = []
    for number, piece in enumerate(filled):
        if number % 2:
            written.append(re.escape(piece))
            seen += piece.count(":")
            continue
        for place, character in enumerate(piece):
            is_last_part = seen >= _ARN_PARTS - 1
            ends_part = piece[place + 1 : place + 2] == ":"
            if character == "*":
                written.append(".*" if is_last_part or ends_part else "[^:]*")
            elif character == "?":
                written.append("." if is_last_part else "[^:]")
            else:
                written.append(re.escape(character))
                seen += character == ":"
    return re.compile("".join(written), re.DOTALL)


def is_arn_like(pieces: tuple[str, ...], arn: str) -> bool:
    """Whether an ARN fits another: each of the six parts by itself, as conditions compare."""
    return _compiled_arn(pieces).fullmatch(arn) is not None


@lru_cache(maxsize=4096)
def _compiled_arn(pieces: tuple[str, ...]) -> re.Pattern[str]:
    written = []
    seen = 0
    for number, piece in enumerate(pieces):
        for character in piece:
            anything = "." if seen >= _ARN_PARTS - 1 else "[^:]"
            if character == "*" and not number % 2:
                written.append(f"{anything}*")
            elif character == "?" and not number % 2:
                written.append(anything)
            else:
                written.append(re.escape(character))
                seen += character == ":"
    return re.compile("".join(written), re.DOTALL)
