"""Shows what the doctor found: a table on a terminal, plain lines elsewhere, or JSON."""

from __future__ import annotations

import json
import re
import sys

from codeartifact_pipenv.findings import FAILURE, OK, WARNING
from codeartifact_pipenv.redact import redact
from codeartifact_pipenv.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codeartifact_pipenv.checks.views.doctor_cli import Section
    from codeartifact_pipenv.findings import Finding

_STYLES = {OK: "green", WARNING: "yellow", FAILURE: "bold red"}
_MARKS = {OK: "ok", WARNING: "warning", FAILURE: "FAILURE"}


def cleaner(*, accounts: bool) -> Callable[[str], str]:
    """Return the function that takes secrets out of a text, and with ``accounts`` their numbers."""

    def clean(text: str) -> str:
        text = redact(text)
        if accounts:
            text = re.sub(r"(?<![0-9])[0-9]{8}([0-9]{4})(?![0-9])", r"********\1", text)
        return printable(text)

    return clean


def show_json(sections: Sequence[Section], clean: Callable[[str], str]) -> None:
    """Print everything as one JSON document."""
    document = {
        "ok": not any(f.level == FAILURE for section in sections for f in section.findings),
        "sections": [
            {
                "title": section.title,
                "findings": [
                    {
                        "level": finding.level,
                        "code": finding.code,
                        "subject": clean(finding.subject),
                        "sentence": clean(finding.sentence),
                        "hint": clean(finding.hint),
                    }
                    for finding in section.findings
                ],
            }
            for section in sections
        ],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def show_text(sections: Sequence[Section], clean: Callable[[str], str]) -> None:
    """Print a table on a terminal, else one line a finding and one a hint."""
    if sys.stdout.isatty():
        _show_table(sections, clean)
    else:
        for section in sections:
            sys.stdout.write(f"{section.title}\n")
            for finding in section.findings:
                sys.stdout.writelines(f"  {line}\n" for line in _lines(finding, clean))
    sys.stdout.write(f"{_summary(sections)}\n")


def _lines(finding: Finding, clean: Callable[[str], str]) -> list[str]:
    code = f" [{finding.code}]" if finding.code else ""
    mark = f"{_MARKS[finding.level]:<8}"
    lines = [f"{mark}{clean(finding.subject)}: {clean(finding.sentence)}{code}"]
    if finding.hint:
        lines.append(f"{'':<8}hint: {clean(finding.hint)}")
    return lines


def _show_table(sections: Sequence[Section], clean: Callable[[str], str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for section in sections:
        table = Table(title=section.title, title_justify="left", box=box.SIMPLE, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold", min_width=12)
        table.add_column(overflow="fold", ratio=1)
        for finding in section.findings:
            said = Text(clean(finding.sentence))
            if finding.code:
                said.append(f" [{finding.code}]", style="dim")
            if finding.hint:
                said.append(f"\n{clean(finding.hint)}", style="cyan")
            mark = Text(_MARKS[finding.level], style=_STYLES[finding.level])
            # (As Text: rich would read marks in a plain string, such as [link=...].)
            table.add_row(mark, Text(clean(finding.subject)), said)
        console.print(table)


def _summary(sections: Sequence[Section]) -> str:
    levels = [finding.level for section in sections for finding in section.findings]
    failures, warnings = levels.count(FAILURE), levels.count(WARNING)
    if not failures and not warnings:
        return "All is well."
    counted = [
        f"{count} {word}{'s' if count > 1 else ''}"
        for count, word in ((failures, "failure"), (warnings, "warning"))
        if count
    ]
    return f"{' and '.join(counted)}."
