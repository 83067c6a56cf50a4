"""The lines of the keys of a JSON text. Pure."""

from __future__ import annotations

import json
import re

from codeartifact_pipenv.project.toml_text import Positions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

_SIGN = re.compile(r'"(?:\\.|[^"\\])*"|[{}\[\]:,\n]')


def json_positions(text: str) -> Positions:
    """Return the positions of the keys of a JSON text; elements of arrays have numbers as keys.

    In invalid JSON, keys after the error are missing.
    """
    found = Positions()
    # The current key or number of each level; None before an object's next key.
    path: list[Hashable] = []
    line = 1
    for match in _SIGN.finditer(text):
        sign = match[0]
        if sign == "\n":
            line += 1
        elif sign == "{":
            path.append(None)
        elif sign == "[":
            path.append(0)
            found.add(tuple(path), line + (text[match.end() : match.end() + 1] == "\n"))
        elif sign in "}]":
            if not path:
                break
            path.pop()
        elif sign == "," and path:
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
            if isinstance(last, int):
                found.add(tuple(path), line + (text[match.end() : match.end() + 1] == "\n"))
        elif sign.startswith('"') and path and path[-1] is None:
            path[-1] = str(json.loads(sign, strict=False))
            found.add(tuple(path), line)
            found.names.setdefault(tuple(path), match.span())
    return found
