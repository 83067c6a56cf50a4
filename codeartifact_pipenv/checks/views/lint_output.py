"""Shows what lint found: lines for people, JSON, or annotations of GitHub Actions."""

from __future__ import annotations

import os
import sys

from codeartifact_pipenv.checks.files.secrets import mask
from codeartifact_pipenv.findings import FAILURE, WARNING
from codeartifact_pipenv.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.findings import Finding

WORDS = {FAILURE: "error", WARNING: "warning"}


def show(findings: Sequence[Finding], form: str, projects: int) -> None:
    """Print findings on stdout.

    Args:
        findings: what was found.
        form: ``text``, ``json`` or ``github``.
        projects: how many projects were looked at.
    """
    if form == "json":
        _show_json(findings)
        return
    for finding in findings:
        sys.stdout.write(_annotation(finding) if form == "github" else lines_of(finding))
    sys.stdout.write(f"{summary(findings, projects)}\n")


def lines_of(finding: Finding) -> str:
    """Return a finding as it is shown to people."""
    said = f"{finding.path}:{finding.line}: {WORDS[finding.level]}: {finding.sentence} [{finding.code}]"
    return f"{clean(said)}\n    hint: {clean(finding.hint)}\n"


def _show_json(findings: Sequence[Finding]) -> None:
    import json

    document = {
        "ok": not any(finding.level == FAILURE for finding in findings),
        "findings": [
            {
                "file": clean(finding.path),
                "line": finding.line,
                "level": WORDS[finding.level],
                "code": finding.code,
                "sentence": clean(finding.sentence),
                "hint": clean(finding.hint),
            }
            for finding in findings
        ],
    }
    sys.stdout.write(f"{json.dumps(document, indent=2)}\n")


def _annotation(finding: Finding) -> str:
    """Return a workflow command, escaped as GitHub's own toolkit does (@actions/core, command)."""
    values = {
        "file": clean(_from_workspace(finding.path)),
        "line": str(finding.line),
        "title": f"pipenv-ca: {finding.code}",
    }
    given = ",".join(f"{name}={_escaped_value(value)}" for name, value in values.items())
    message = f"{clean(finding.sentence)} {clean(finding.hint)}"
    return f"::{WORDS[finding.level]} {given}::{_escaped(message)}\n"


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


def summary(findings: Sequence[Finding], projects: int) -> str:
    """Return one line on everything that was found."""
    levels = [finding.level for finding in findings]
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
