"""Lists in pages, with an opaque token for the next one."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, TypeVar

from codeartifact_pipenv.sandbox.api import shapes
from codeartifact_pipenv.sandbox.api.errors import invalid, misfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.errors import Document

_Row = TypeVar("_Row")
# AWS does not say how long its pages are; clients that read only the first shall notice.
_ROWS, _MOST_ROWS = 50, 1000
_PAGING = {"max-results", "next-token"}


def page(call: Call, rows: Sequence[_Row]) -> tuple[Sequence[_Row], Document]:
    """Cut a page out of a list, as the call's query asks.

    Returns:
        the page's rows, and what the answer says of the next page.

    Raises:
        ServiceError: the length or the token cannot be.
    """
    return cut(call, rows, call.query.get("max-results"), call.optional("next-token"))


def cut(
    call: Call, rows: Sequence[_Row], length: object, token: object
) -> tuple[Sequence[_Row], Document]:
    """Cut a page out of a list.

    Args:
        call: what is asked; a token holds for the very question that it came from.
        rows: the whole list.
        length: rows of a page, as it was sent; None where it was not.
        token: where to go on, as it was sent; None for the beginning.

    Returns:
        the page's rows, and what the answer says of the next page.

    Raises:
        ServiceError: the length or the token cannot be.
    """
    most = _read_length(length)
    question = sorted(item for item in call.query.items() if item[0] not in _PAGING)
    first = 0 if token is None else _read_token(shapes.check("nextToken", token), question)
    following = first + most
    more = {"nextToken": _make_token(question, following)} if following < len(rows) else {}
    return rows[first:following], more


def _read_length(length: object) -> int:
    if length is None:
        return _ROWS
    text = str(length)
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if number < 1:
        raise misfit("maxResults", text, "have value greater than or equal to 1")
    if number > _MOST_ROWS:
        raise misfit("maxResults", text, f"have value less than or equal to {_MOST_ROWS}")
    return number


def _make_token(question: list[tuple[str, str]], first: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([question, first]).encode()).decode()


def _read_token(token: str, question: list[tuple[str, str]]) -> int:
    try:
        asked, first = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        asked, first = None, 0
    expected: Any = json.loads(json.dumps(question))
    if asked != expected:
        raise invalid("The next token is not one for this request.")
    return int(first)
