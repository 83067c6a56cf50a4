"""SECURITY.md names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent
_TEXT = (_ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_threat_has_tests() -> None:
    """Each row of the table of threats names tests, and each of these is in the tree."""
    table = re.search(
        r"<!-- tests/unit/test_security.*?-->\n(.*?)<!-- /threats -->", _TEXT, re.DOTALL
    )
    assert table is not None
    there = {
        f"{path.name}::{name}"
        for path in (_ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    rows = [row.split(" | ") for row in table[1].splitlines()[2:]]
    assert len(rows) >= 20
    for row in rows:
        named = re.findall(r"`(test_\w+\.py::test_\w+)`", row[2])
        assert named, row[0]
        assert [name for name in named if name not in there] == []
