"""SECURITY.md names tests that exist."""

from __future__ import annotations

import re

from support.guides import ROOT, document


def test_every_threat_names_test_files_that_exist() -> None:
    marked = r"(?s)<!-- tests/unit/test_security.*?-->\n(.*?)<!-- /threats -->"
    (table,) = re.findall(marked, document("SECURITY.md"))
    files = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    rows = [row.split(" | ") for row in table.splitlines()[2:]]
    assert len(rows) >= 20
    for row in rows:
        named = set(re.findall(r"`([^`]+)`", row[2]))
        assert named, row[0]
        assert named <= files, row[0]
