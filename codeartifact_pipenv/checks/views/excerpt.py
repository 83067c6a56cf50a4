"""The line of a file that a finding is about, and the part to underline. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from codeartifact_pipenv.checks.files.secrets import mask
from codeartifact_pipenv.report import printable
from codeartifact_pipenv.terminal.redact import MASK
from codeartifact_pipenv.terminal.text import cells, cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.findings import Finding

_LEAST_WIDTH = 20
_GAP = "..."
_TAB = " " * 4
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))")


class Excerpt(NamedTuple):
    """A line as it is shown.

    Attributes:
        text: the line, or the part of it that fits.
        column: the number of columns before the marked part.
        marks: the marks below that part.
    """

    text: str
    column: int
    marks: str


def span_of(finding: Finding, file: ProjectFile) -> tuple[int, int]:
    """Return the columns of a finding in its line: those of its key, or else of the whole text."""
    row = _row(file, finding.line)
    for length in range(len(finding.keys), 0, -1):
        keys = finding.keys[:length]
        span = file.lines.names.get(keys) or file.lines.headers.get(keys)
        if span is not None and file.text.count("\n", 0, span[0]) + 1 == finding.line:
            begin = file.text.rfind("\n", 0, span[0]) + 1
            return span[0] - begin, min(span[1] - begin, len(row))
    return len(row) - len(row.lstrip()), len(row)


def excerpt(finding: Finding, file: ProjectFile, width: int) -> Excerpt | None:
    """Return the line that a finding is about, with secrets masked, or None if it is blank."""
    row = _row(file, finding.line)
    shown = _masked(row)
    start, end = span_of(finding, file)
    if shown[:end] != row[:end]:
        start, end = len(shown) - len(shown.lstrip()), len(shown)
    shown = "\t".join(map(printable, shown.split("\t")))
    width = max(width, _LEAST_WIDTH)
    before, marked, after = (
        part.replace("\t", _TAB)
        for part in (shown[:start], shown[start:end], shown[end : end + width])
    )
    if not marked:
        return None
    if cells(before) + cells(marked[:width]) > width:
        # Cut the text before the marked part, so that this part fits.
        room = max(width // 4, width - 2 * len(_GAP) - cells(marked[:width]))
        tail = cut(before[: -width - 1 : -1], room)[::-1]
        before = before if cells(before) <= room else f"{_GAP}{tail}"
    text = f"{before}{marked[:width]}{after}"
    column = cells(before)
    if cells(text) > width:
        text = f"{cut(text, width - len(_GAP))}{_GAP}"
    marks = "^" * max(1, min(cells(marked[:width]), cells(text) - column))
    return Excerpt(text, column, marks)


def _row(file: ProjectFile, line: int) -> str:
    rows = _rows(file.text)
    return rows[line - 1] if line <= len(rows) else ""


@lru_cache(maxsize=4)
def _rows(text: str) -> list[str]:
    return [row.rstrip() for row in text.split("\n")]


@lru_cache(maxsize=4)
def _masked(row: str) -> str:
    """Mask the secrets in a line, also those that are written with escapes."""
    # A string of several lines cannot be judged by its first one.
    row = re.sub(r"(\"\"\"|''').+", rf"\1{_GAP}", row)
    plain = _ESCAPE.sub(_unescaped, row)
    shown = mask(row) if mask(plain) == plain else mask(plain)
    # A password with a slash is not parsed as one.
    return re.sub(r"(://[^/\s:@\"']*:)(?!\$)[^\s\"']+(?=@)", rf"\g<1>{MASK}", shown)


def _unescaped(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        return match[4]
    return chr(int(digits, 16)) if int(digits, 16) <= 0x10FFFF else ""  # noqa: PLR2004
