"""What the service model allows in a member, which clients do not check themselves. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from codeartifact_pipenv.sandbox.api.errors import misfit


class Shape(NamedTuple):
    """The values that a member may have.

    Attributes:
        pattern: a regular expression as the model writes it; empty for any text.
        shortest: in characters.
        longest: in characters; None for no bound.
        choices: the only values; empty where there are none such.
    """

    pattern: str = ""
    shortest: int = 0
    longest: int | None = None
    choices: tuple[str, ...] = ()


_ACCOUNT = Shape("[0-9]{12}", 12, 12)
_REPOSITORY = Shape(r"[A-Za-z0-9][A-Za-z0-9._\-]{1,99}", 2, 100)
_PACKAGE = Shape(r"[^#/\s]+", 1, 255)
_ALLOW = Shape(choices=("ALLOW", "BLOCK"))
_SHAPES = {
    "domain": Shape(r"[a-z][a-z0-9\-]{0,48}[a-z0-9]", 2, 50),
    "domainOwner": _ACCOUNT,
    "administratorAccount": _ACCOUNT,
    "repository": _REPOSITORY,
    "repositoryName": _REPOSITORY,
    "repositoryPrefix": _REPOSITORY,
    "externalConnection": Shape(r"[A-Za-z0-9][A-Za-z0-9._\-:]{1,99}", 2, 100),
    "format": Shape(choices=("npm", "pypi", "maven", "nuget", "generic", "ruby", "swift", "cargo")),
    "endpointType": Shape(choices=("dualstack", "ipv4")),
    "namespace": _PACKAGE,
    "package": _PACKAGE,
    "packagePrefix": _PACKAGE,
    "packageVersion": _PACKAGE,
    "publish": _ALLOW,
    "upstream": _ALLOW,
    "status": Shape(
        choices=("Published", "Unfinished", "Unlisted", "Archived", "Disposed", "Deleted")
    ),
    "originType": Shape(choices=("INTERNAL", "EXTERNAL", "UNKNOWN")),
    "sortBy": Shape(choices=("PUBLISHED_TIME",)),
    "nextToken": Shape(r"\S+", 1, 2000),
    "policyRevision": Shape(r"\S+", 1, 100),
    "policyDocument": Shape(r"[\P{C}\s]+", 1, 7168),
    "description": Shape(r"\P{C}*", 0, 1000),
    "encryptionKey": Shape(r"\S+", 1, 1011),
    "resourceArn": Shape(r"\S+", 1, 1011),
}


def check(member: str, value: object) -> str:
    """Return a member's value, which the model allows.

    Args:
        member: the member's name in the model.
        value: what was sent; None where nothing was.

    Raises:
        ServiceError: it is missing, or breaks the model.
    """
    if value is None:
        raise misfit(member, "null", "not be null")
    shape = _SHAPES[member]
    if not isinstance(value, str):
        raise misfit(member, str(value), "be a string")
    if shape.choices and value not in shape.choices:
        raise misfit(member, value, f"satisfy enum value set: [{', '.join(shape.choices)}]")
    if len(value) < shape.shortest:
        raise misfit(member, value, f"have length greater than or equal to {shape.shortest}")
    if shape.longest is not None and len(value) > shape.longest:
        raise misfit(member, value, f"have length less than or equal to {shape.longest}")
    if shape.pattern and not _fits(shape.pattern, value):
        raise misfit(member, value, f"satisfy regular expression pattern: {shape.pattern}")
    return value


def _fits(pattern: str, value: str) -> bool:
    if r"\P{C}" not in pattern:
        return re.fullmatch(pattern, value) is not None
    # Python has no such class: everything but control characters and the like.
    blanks_too = r"\s" in pattern
    return all(
        not unicodedata.category(character).startswith("C") or (blanks_too and character.isspace())
        for character in value
    )
