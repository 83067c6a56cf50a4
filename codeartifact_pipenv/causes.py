"""The table of causes: each code that a message or a finding can end with.

It is ``causes.toml``, loaded when this module is imported.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.files.parsing import load_toml_bytes
from codeartifact_pipenv.files.reading import read_bytes
from codeartifact_pipenv.findings import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.findings import Place


class Cause(NamedTuple):
    """One cause.

    Attributes:
        code: its name, such as ``read-denied``.
        section: the heading that it is listed under.
        level: what it usually is: WARNING or FAILURE of findings.py.
        sentence: what it means.
        hint: what to do.
        text: a longer explanation in Markdown; '' if there is none.
        in_lint: whether lint reports it.
    """

    code: str
    section: str
    level: str
    sentence: str
    hint: str
    text: str = ""
    in_lint: bool = False


def _load() -> dict[str, Cause]:
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "causes.toml")
    return {
        code: Cause(
            code,
            row["section"],
            row["level"],
            row["sentence"],
            row["hint"],
            " ".join(row.get("text", "").split()),
            row.get("lint", False),
        )
        for code, row in load_toml_bytes(read_bytes(path)).items()
    }


CAUSES = _load()
# The levels of what lint reports, by code.
LEVELS = {code: cause.level for code, cause in CAUSES.items() if cause.in_lint}


def finding_for(
    code: str, subject: str, sentence: str, hint: str | None = None, place: Place | None = None
) -> Finding:
    """Return a finding with its cause's level, and its cause's hint where none is given."""
    cause = CAUSES[code]
    return Finding(
        code, cause.level, subject, sentence, cause.hint if hint is None else hint, place
    )
