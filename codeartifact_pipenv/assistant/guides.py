"""Where the guides are: in the wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path

import codeartifact_pipenv


def guide_files() -> list[Path]:
    """Return the guides' Markdown files, by name."""
    package = Path(codeartifact_pipenv.__file__).resolve().parent
    in_wheel = package / "guides"
    folder = in_wheel if in_wheel.is_dir() else package.parent / "examples" / "guides"
    return sorted(folder.glob("*.md"))
