"""This project's own checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit

ROOT = Path(__file__).parent.parent.parent


def project_table() -> dict[str, Any]:
    """Return the table ``project`` of this project's own pyproject.toml."""
    path = ROOT / "pyproject.toml"
    found: dict[str, Any] = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()["project"]
    return found


def document(name: str) -> str:
    """Return the text of one of the checkout's files."""
    return (ROOT / name).read_text(encoding="utf-8")
