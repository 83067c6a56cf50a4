"""The package and its documents avoid phrases that make a native reader read twice."""

from __future__ import annotations

import io
import re
import tokenize
from typing import TYPE_CHECKING

from support.guides import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BANNED = re.compile(
    r"[;,] None (?:where|when|if|for)\b|\banew\b|\bto the letter\b|\bspoil(?:t|ed|s)?\b"
    r"|\bsave where\b|\bbe it\b|\bfor good\b|\bnone of its\b|\bthere (?:is|are) none\b|\bbe had\b"
    r"|\bof (?:ours|theirs)\b|\bmend(?:s|ed)?\b|\bas it stands\b|\bstrangers?\b|\bhas a say\b"
    r"|\bno more needed\b|\bof (?:its|their|his) own\b|\bfrom then on\b|\bshall\b|\bwhence\b"
    r"|^[^\w]+(?:What|Who) "  # the first word of a docstring or comment
    r"|\bthere is no (?!AWS|terminal|option|default)[a-z-]+(?: [a-z-]+)? (?:here|there)\b"
)
_DOCUMENTS = ["README.md", "SECURITY.md", "CONTRIBUTING.md"]


def _paths() -> list[Path]:
    package = sorted((ROOT / "codeartifact_pipenv").rglob("*.py"))
    tables = [ROOT / "codeartifact_pipenv" / "causes.toml"]
    documents = [ROOT / name for name in _DOCUMENTS] + sorted((ROOT / "examples").rglob("*.md"))
    return [*package, *tables, *documents]


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield comments and strings of Python code, and the lines of other files."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from enumerate((line.lstrip("# ") for line in text.splitlines()), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (" " in token.string and token.string[-1] in "\"'"):
            for paragraph in re.split(r"\n\s*\n", token.string):
                yield token.start[0], " ".join(paragraph.split())


def test_no_banned_phrase_in_messages_docstrings_and_documents() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {banned[0]}"
        for path in _paths()
        for line, text in _texts(path)
        if (banned := _BANNED.search(text))
    ]
    assert found == []
