"""Shows what lint found: lines for people, JSON, or annotations of GitHub Actions."""

from __future__ import annotations

import os
import sys

from codeartifact_pipenv.finding import FAILURE, WARNING
from codeartifact_pipenv.lint.secrets import mask
from codeartifact_pipenv.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.lint.files import Remark

WORDS = {FAILURE: "error", WARNING: "warning"}


def show(remarks: Sequence[Remark], form: str, projects: int) -> None:
    """Print remarks on stdout.

    Args:
        remarks: what was found.
        form: ``text``, ``json`` or ``github``.
        projects: how many projects were looked at.
    """
    if form == "json":
        _show_json(remarks)
        return
    for remark in remarks:
        sys.stdout.write(_annotation(remark) if form == "github" else lines_of(remark))
    sys.stdout.write(f"{summary(remarks, projects)}\n")


def lines_of(remark: Remark) -> str:
    """Return a remark as it is shown to people."""
    said = f"{remark.path}:{remark.line}: {WORDS[remark.level]}: {remark.sentence} [{remark.code}]"
    return f"{clean(said)}\n    hint: {clean(remark.hint)}\n"


def _show_json(remarks: Sequence[Remark]) -> None:
    import json

    document = {
        "ok": not any(remark.level == FAILURE for remark in remarks),
        "findings": [
            {
                "file": clean(remark.path),
                "line": remark.line,
                "level": WORDS[remark.level],
                "code": remark.code,
                "sentence": clean(remark.sentence),
                "hint": clean(remark.hint),
            }
            for remark in remarks
        ],
    }
    sys.stdout.write(f"{json.dumps(document, indent=2)}\n")


def _annotation(remark: Remark) -> str:
    """Return a workflow command, escaped as GitHub's own toolkit does (@actions/core, command)."""
    values = {
        "file": clean(_from_workspace(remark.path)),
        "line": str(remark.line),
        "title": f"pipenv-ca: {remark.code}",
    }
    given = ",".join(f"{name}={_escaped_value(value)}" for name, value in values.items())
    message = f"{clean(remark.sentence)} {clean(remark.hint)}"
    return f"::{WORDS[remark.level]} {given}::{_escaped(message)}\n"


def _from_workspace(path: str) -> str:
    """Return a path as annotations have it: from the checkout, wherever the step runs."""
    top = os.environ.get("GITHUB_WORKSPACE", "")
    whole = os.path.abspath(path)
    is_below = os.path.isabs(top) and whole.startswith(os.path.join(top, ""))
    return os.path.relpath(whole, top) if is_below else path


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_value(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def summary(remarks: Sequence[Remark], projects: int) -> str:
    """Return one line on everything that was found."""
    levels = [remark.level for remark in remarks]
    where = "" if projects == 1 else f" in {projects} projects"
    counted = [
        f"{levels.count(level)} {word}{'s' if levels.count(level) > 1 else ''}"
        for level, word in WORDS.items()
        if level in levels
    ]
    return f"{' and '.join(counted)}{where}." if counted else f"All is well{where}."


def clean(text: str) -> str:
    """Return a text without secrets, and without what would steer a terminal."""
    return printable(mask(text))
