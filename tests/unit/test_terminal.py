"""Texts and tables within the width of a terminal."""

from __future__ import annotations

import re

import pytest

from codeartifact_pipenv.terminal.text import cells, table, wrap

TEXTS = [
    "The keyring is missing; `pipx install keyring` helps, in any environment of this machine.",
    "/a/very/long/path/without/any/blank/in/it/that/does/not/fit/anywhere and more",
    "日本語のパッケージ 日本語 é é und e\u0301 more of it, and of it",
    "   ",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("width", [200, 40, 12, 2, None])
def test_wrapped_lines_fit_the_width_and_lose_only_blanks(text: str, width: int | None) -> None:
    lines = wrap(text, width)
    assert width is None or max(map(cells, lines)) <= width
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)


@pytest.mark.parametrize("width", [30, 40, 50])
def test_code_in_backquotes_stays_on_one_line_if_it_fits(width: int) -> None:
    lines = wrap(TEXTS[0], width)
    assert any("`pipx install keyring`" in line for line in lines), lines


@pytest.mark.parametrize("width", [80, 20, 10])
def test_a_table_is_folded_to_the_width_without_losing_text(width: int) -> None:
    rows = [["Package", "Newest"], ["日本日本日本", "1"], ["acme-invoices", "2024.10.1"]]
    lines = list(table(rows, width))
    assert max(map(cells, lines)) <= width
    signs = sorted(re.sub(r"\s", "", "".join(lines)))
    assert signs == sorted("".join("".join(row) for row in rows))
