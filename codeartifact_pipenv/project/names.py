"""Names of packages."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def normalise(name: str) -> str:
    """Return a package's name as indexes have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a normalised name is one of some names; `acme-*` stands for all that begin so.

    (A `-` before the star stays: normalising only makes runs of separators one.)
    """
    return any(
        name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted
        for wanted in map(normalise, patterns)
    )
