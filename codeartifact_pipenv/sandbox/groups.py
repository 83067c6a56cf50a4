"""Package groups: the names that they cover and the origins that they allow.

The user guide documents the patterns under "Package group definition syntax and matching
behavior". A pattern is a path ``/FORMAT/NAMESPACE/NAME`` that ends in ``$`` for an exact match, in
``~`` for a prefix of the last part, or in ``/*`` for anything below. Python packages have no
namespace: ``/pypi//acme-core$``, ``/pypi//acme-~``, ``/pypi/*``. The root group is ``/*``.

The sandbox assumes that a prefix ends at a separator, which the guide calls a word boundary. It
does not emulate "weak" associations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

ROOT = "/*"
RESTRICTIONS = ("PUBLISH", "INTERNAL_UPSTREAM", "EXTERNAL_UPSTREAM")
_PATTERN = re.compile(
    r"/(?:\*|[a-z]+/(?:\*|[^/~$*]+~|[^/~$*]*/(?:\*|[^/~$*]+[~$])))"  # FORMAT/, NAMESPACE, NAME
)
_SEPARATORS = "-._/"


@dataclass(slots=True)
class Group:
    """One package group.

    Attributes:
        created_at: in seconds since the epoch.
        modes: ``ALLOW``, ``BLOCK``, ``ALLOW_SPECIFIC_REPOSITORIES`` or ``INHERIT`` for each
            restriction.
        allowed: names of repositories for each restriction.
    """

    pattern: str
    created_at: float
    contact: str = ""
    description: str = ""
    modes: dict[str, str] = field(default_factory=lambda: dict.fromkeys(RESTRICTIONS, "INHERIT"))
    allowed: dict[str, set[str]] = field(
        default_factory=lambda: {each: set() for each in RESTRICTIONS}
    )
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, int]:
        """How specific the pattern is: by length, then by ending."""
        return len(self.pattern), "*~$".index(self.pattern[-1])

    def covers(self, path: str) -> bool:
        """Return whether the pattern matches a path."""
        stem, ending = self.pattern[:-1], self.pattern[-1]
        if ending == "$":
            return path == stem
        at_boundary = stem[-1] in _SEPARATORS or path[len(stem) : len(stem) + 1] in _SEPARATORS
        return path.startswith(stem) and at_boundary


Groups = dict[str, Group]


def root_group(created_at: float) -> Group:
    """Return the group that every domain has, which allows everything."""
    return Group(ROOT, created_at, modes=dict.fromkeys(RESTRICTIONS, "ALLOW"))


def is_pattern(text: str) -> bool:
    """Return whether a text is a valid pattern."""
    return _PATTERN.fullmatch(text) is not None


def group_of(groups: Groups, path: str) -> Group:
    """Return the most specific group of a package's path, such as ``/pypi//acme-core``."""
    return max((one for one in groups.values() if one.covers(path)), key=lambda one: one.rank)


def parent_of(groups: Groups, group: Group) -> Group | None:
    """Return the parent of a group; the root has none."""
    others = {
        pattern: other
        for pattern, other in groups.items()
        if other.rank < group.rank and pattern != group.pattern
    }
    return group_of(others, group.pattern[:-1]) if others else None


def source_of(groups: Groups, group: Group, restriction: str) -> Group:
    """Return the group from which a group inherits a restriction's mode, perhaps itself."""
    while group.modes[restriction] == "INHERIT":
        group = parent_of(groups, group) or groups[ROOT]
    return group


def allows(groups: Groups, name: str, repository: str, restriction: str) -> bool:
    """Return whether a repository may get versions of a Python package from an origin."""
    source = source_of(groups, group_of(groups, f"/pypi//{name}"), restriction)
    mode = source.modes[restriction]
    if mode == "ALLOW_SPECIFIC_REPOSITORIES":
        return repository in source.allowed[restriction]
    return mode == "ALLOW"
