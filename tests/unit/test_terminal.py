"""Texts and tables within the width of a terminal."""

from __future__ import annotations

import re

import pytest

from codeartifact_pipenv.terminal.text import cells, table, wrap

TEXTS = [
    "There is no keyring; `pipx install keyring` helps, in any environment of this machine.",
    "/a/very/long/path/without/any/blank/in/it/that/does/not/fit/anywhere and more",
    "日本語のパッケージ 日本語 é é und e\u0301 more of it, and of it",
    "   ",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("width", [200, 40, 12, 2, None])
def test_wrap(text: str, width: int | None) -> None:
    """No line is wider than asked for, and nothing but blanks is lost."""
    lines = wrap(text, width)
    assert width is None or max(map(cells, lines)) <= width
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)


@pytest.mark.parametrize("width", [30, 40, 50])
def test_code_is_unbroken(width: int) -> None:
    """Code in backquotes that fits stands on one line."""
    lines = wrap(TEXTS[0], width)
    assert any("`pipx install keyring`" in line for line in lines), lines


@pytest.mark.parametrize("width", [80, 20, 10])
def test_table(width: int) -> None:
    """A table is folded until it fits; nothing is lost."""
    rows = [["Package", "Newest"], ["日本日本日本", "1"], ["acme-invoices", "2024.10.1"]]
    lines = list(table(rows, width))
    assert max(map(cells, lines)) <= width
    signs = sorted(re.sub(r"\s", "", "".join(lines)))
    assert signs == sorted("".join("".join(row) for row in rows))
