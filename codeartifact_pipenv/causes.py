"""The table of causes, by the code of a message or finding, loaded from ``causes.toml``."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.files.io import load_toml_bytes, read_bytes
from codeartifact_pipenv.findings import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.findings import Place


class Cause(NamedTuple):
    """One cause.

    Attributes:
        code: its name, such as ``read-denied``.
        section: its heading in lists.
        level: its usual level, WARNING or FAILURE.
        sentence: what it means.
        hint: what to do.
        text: a longer explanation in Markdown, or ''.
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
# The levels of the codes that lint reports.
LEVELS = {code: cause.level for code, cause in CAUSES.items() if cause.in_lint}


def finding_for(
    code: str, subject: str, sentence: str, hint: str | None = None, place: Place | None = None
) -> Finding:
    """Return a finding with the level of its cause, and by default its hint."""
    cause = CAUSES[code]
    return Finding(
        code, cause.level, subject, sentence, cause.hint if hint is None else hint, place
    )
