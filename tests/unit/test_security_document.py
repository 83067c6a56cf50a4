"""SECURITY.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent
_TEXT = (_ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_threat_has_tests() -> None:
    """Each row of the table of threats names test files, and each of these exists."""
    table = re.search(
        r"<!-- tests/unit/test_security.*?-->\n(.*?)<!-- /threats -->", _TEXT, re.DOTALL
    )
    assert table is not None
    files = {path.name for path in (_ROOT / "tests").rglob("test_*.py")}
    rows = [row.split(" | ") for row in table[1].splitlines()[2:]]
    assert len(rows) >= 20
    for row in rows:
        named = set(re.findall(r"`([^`]+)`", row[2]))
        assert named, row[0]
        assert named <= files, row[0]
