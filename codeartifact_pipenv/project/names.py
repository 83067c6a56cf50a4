"""Package names."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def normalise(name: str) -> str:
    """Return the normalised name of a package (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a normalised name matches a name or a pattern such as ``acme-*``."""
    return any(
        name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted
        for wanted in map(normalise, patterns)
    )
