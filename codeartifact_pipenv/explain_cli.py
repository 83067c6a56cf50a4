"""`pipenv-ca explain`: what a code means and what to do."""

from __future__ import annotations

import difflib
import json
import re
import sys
import textwrap
from itertools import groupby

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.causes import CAUSES, Cause
from codeartifact_pipenv.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_WIDTH = 79
_LEVEL_WORDS = {"warning": "warning", "failure": "error"}


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print the pages of codes, or the list of all codes, and return the exit status.

    Raises:
        UsageError: a code is unknown.
    """
    del settings, report
    parser = _parser()
    chosen = parser.parse_args(list(arguments))
    if chosen.list and chosen.codes:
        parser.error("--list takes no CODE")
    if not chosen.list and not chosen.codes:
        parser.error("the following arguments are required: CODE")
    causes = list(CAUSES.values()) if chosen.list else [_find_cause(code) for code in chosen.codes]
    if chosen.json:
        text = json.dumps([_as_json(cause) for cause in causes], indent=2)
    elif chosen.list:
        text = _list_of(causes)
    else:
        text = "\n\n".join(_page(cause) for cause in causes)
    sys.stdout.write(f"{text}\n")
    return 0


def _find_cause(code: str) -> Cause:
    if code in CAUSES:
        return CAUSES[code]
    near = difflib.get_close_matches(code.lower(), CAUSES, n=1)
    guess = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(
        f"Unknown code {code!r}.{guess}", "`pipenv-ca explain --list` lists all codes."
    )


def _page(cause: Cause) -> str:
    parts = [
        f"{cause.code} ({_LEVEL_WORDS[cause.level]})",
        wrap(cause.sentence),
        wrap(f"What to do: {cause.hint}"),
    ]
    if cause.text:
        parts.append(wrap(cause.text))
    return "\n\n".join(parts)


def wrap(text: str, indent: str = "", width: int = _WIDTH) -> str:
    """Return text in lines of a width, with code in backquotes unbroken."""
    # Code is copied from here: a line does not end in the middle of it.
    whole = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    return textwrap.fill(
        whole,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace("\0", " ")


def _list_of(causes: list[Cause]) -> str:
    return "\n\n".join(
        "\n".join(
            [section, *(f"  {cause.code}\n{wrap(cause.sentence, '    ')}" for cause in group)]
        )
        for section, group in groupby(causes, key=lambda cause: cause.section)
    )


def _as_json(cause: Cause) -> dict[str, object]:
    return {**cause._asdict(), "level": _LEVEL_WORDS[cause.level]}


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca explain",
        description="Explain the code at the end of a message: what it means and what to do.",
        examples={"read-denied": "one code", "--list": "all codes"},
    )
    parser.add_argument("codes", metavar="CODE", nargs="*", help="a code, such as read-denied")
    parser.add_argument("--list", action="store_true", help="list all codes by section")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
