"""Names of packages."""

from __future__ import annotations

import re


def normalise(name: str) -> str:
    """Return a package's name as indexes have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
