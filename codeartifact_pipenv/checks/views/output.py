"""Output of findings for doctor, lint and fix: as text, JSON or annotations."""

from __future__ import annotations

import json
import os
import re
import sys

from codeartifact_pipenv.checks.files.secrets import mask
from codeartifact_pipenv.checks.views.excerpt import excerpt, span_of
from codeartifact_pipenv.findings import FAILURE, OK, WARNING, ok
from codeartifact_pipenv.report import printable
from codeartifact_pipenv.terminal.redact import redact
from codeartifact_pipenv.terminal.text import columns_of, painted, wants_colour, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.findings import Finding

    Clean = Callable[[str], str]
    # The findings of doctor, by section of its report.
    Sections = Mapping[str, list[Finding]]

WORDS = {FAILURE: "error", WARNING: "warning", OK: "ok"}
_INDENT, _LABEL = 2, 9
# The subjects that are shown if all is well, in addition to `source NAME`.
_FACTS = {"pipenv", "Pipfile", "identity"}


def clean(text: str) -> str:
    """Mask secrets and replace control characters in a text."""
    return printable(mask(text))


def cleaner(*, accounts: bool) -> Clean:
    """Return the ``clean`` of doctor, which shows access keys and, with ``accounts``, no accounts."""

    def cleaned(text: str) -> str:
        text = redact(text)
        if accounts:
            text = re.sub(r"(?<![0-9])[0-9]{8}([0-9]{4})(?![0-9])", r"********\1", text)
        return printable(text)

    return cleaned


class Output:
    """Prints findings on stdout, on a terminal in colour and wrapped.

    Args:
        clean: masks secrets and control characters in a text.
    """

    def __init__(self, clean: Clean = clean) -> None:
        self._clean = clean
        self._colour = wants_colour(sys.stdout)
        self._columns = columns_of(sys.stdout)
        self._is_terminal = sys.stdout.isatty()

    def line(self, text: str) -> None:
        """Print a clean line."""
        sys.stdout.write(f"{text}\n")

    def text(self, text: str) -> None:
        """Print a clean text, wrapped."""
        for line in wrap(text, self._columns):
            self.line(line)

    def at_place(self, place: str, label: str, text: str, code: str = "", hint: str = "") -> None:
        """Print a message at a place in a file, in one line as compilers do, and the hint."""
        self._head(place, label, text, code)
        self._hint(hint)

    def finding(self, finding: Finding, file: ProjectFile | None) -> None:
        """Print a finding on a file, on a terminal with the line that it is about."""
        place = f"{finding.path}:{finding.line}"
        self._head(place, WORDS[finding.level], finding.sentence, finding.code or "")
        if self._is_terminal and file is not None:
            margin = f"    {finding.line} | "
            shown = excerpt(finding, file, (self._columns or 80) - len(margin))
            if shown is not None:
                marks = self._painted(shown.marks, WORDS[finding.level])
                self.line(f"{self._painted(margin, 'note')}{shown.text}")
                bar = self._painted(f"{'| ':>{len(margin)}}", "note")
                self.line(f"{bar}{' ' * shown.column}{marks}")
        self._hint(finding.hint)

    def row(self, finding: Finding) -> None:
        """Print a finding as an item of a list."""
        word = WORDS[finding.level]
        code = f"[{finding.code}]" if finding.code else ""
        sentence = f"{finding.subject}: {finding.sentence} {code}".rstrip()
        label = f"{word if finding.level == OK else f'{word}:':<{_LABEL}}"
        head = f"{'':{_INDENT}}{self._painted(label, word)}"
        width = self._columns and max(self._columns - _INDENT - _LABEL, 1)
        lines = wrap(self._clean(sentence), width)
        if code and lines[-1].endswith(code):
            lines[-1] = f"{lines[-1].removesuffix(code)}{self._painted(code, 'note')}"
        hints = wrap(self._clean(f"hint: {finding.hint}"), width) if finding.hint else []
        hints[:1] = [hint.replace("hint:", self._painted("hint:", "hint"), 1) for hint in hints[:1]]
        for line in (*lines, *hints):
            self.line(f"{head}{line}")
            head = " " * (_INDENT + _LABEL)

    def section(self, title: str, findings: Iterable[Finding]) -> None:
        """Print a title, findings and a blank line."""
        self.line(self._painted(title, "title"))
        for finding in findings:
            self.row(finding)
        self.line("")

    def _head(self, place: str, label: str, text: str, code: str) -> None:
        label = self._painted(f"{label}:", label)
        shown = self._painted(f" [{code}]", "note") if code else ""
        place = self._painted(self._clean(place), "title")
        self.line(f"{place}: {label} {self._clean(text)}{shown}")

    def _hint(self, hint: str) -> None:
        if hint:
            self.line(f"    {self._painted('hint:', 'hint')} {self._clean(hint)}")

    def _painted(self, text: str, kind: str) -> str:
        return painted(text, kind, wanted=self._colour)


def count_levels(findings: Iterable[Finding]) -> str:
    """Return the numbers of errors and warnings, such as ``1 error and 2 warnings``, or ''."""
    levels = [finding.level for finding in findings]
    return " and ".join(
        plural(levels.count(level), WORDS[level]) for level in (FAILURE, WARNING) if level in levels
    )


def plural(number: int, word: str) -> str:
    """Return a number and a noun in the right form."""
    return f"{number} {word}{'' if number == 1 else 's'}"


# --- doctor ------------------------------------------------------------------------------


def _merge_problems(sections: Sections) -> Sections:
    """Return the sections with one finding for each problem, such as one missing login."""
    subjects: dict[tuple[str | None, str, str], list[str]] = {}
    for finding in (finding for found in sections.values() for finding in found):
        if finding.level != OK:
            subjects.setdefault(_problem(finding), []).append(finding.subject)
    merged = {
        title: [
            finding
            if finding.level == OK
            else finding._replace(subject=", ".join(subjects.pop(_problem(finding))))
            for finding in found
            if finding.level == OK or _problem(finding) in subjects
        ]
        for title, found in sections.items()
    }
    return {title: found for title, found in merged.items() if found}


def _problem(finding: Finding) -> tuple[str | None, str, str]:
    return finding.code, finding.sentence, finding.hint


def show_problems(sections: Sections, output: Output) -> None:
    """Print the problems, failures first, or the main facts if all is well."""
    sections = _merge_problems(sections)
    findings = [finding for found in sections.values() for finding in found]
    well = [finding for finding in findings if finding.level == OK]
    if len(well) == len(findings):
        for finding in well:
            if finding.subject in _FACTS or finding.subject.startswith("source "):
                output.row(finding)
        packages = sum(finding.subject.startswith("package ") for finding in well)
        if packages:
            output.row(ok("packages", f"{plural(packages, 'package')}, each found in a source"))
        output.text(f"All is well. `--all` shows all {plural(len(well), 'check')}.")
        return
    for level in (FAILURE, WARNING):
        for title, found in sections.items():
            wrong = [finding for finding in found if finding.level == level]
            if wrong:
                output.section(title, wrong)
    more = f" {plural(len(well), 'check')} passed; `--all` shows them." if well else ""
    output.text(f"Found {count_levels(findings)}.{more}")


def show_sections(sections: Sections, output: Output, unseen: Sequence[str] = ()) -> None:
    """Print all findings, the number of problems, and the packages that were not looked up."""
    sections = _merge_problems(sections)
    for title, found in sections.items():
        output.section(title, found)
    sentence = count_levels(finding for found in sections.values() for finding in found)
    asked = f"No index was asked for {', '.join(unseen)}." if unseen else "All is well."
    output.text(f"Found {sentence}." if sentence else asked)


def sections_json(sections: Sections, clean: Clean, *, is_well: bool) -> str:
    """Return all findings of doctor as a JSON document."""
    shown = [
        {"title": title, "findings": [finding_json(finding, clean) for finding in found]}
        for title, found in sections.items()
    ]
    return json.dumps({"ok": is_well, "sections": shown}, indent=2)


def finding_json(finding: Finding, clean: Clean = clean) -> dict[str, Any]:
    """Return a finding for JSON, with its place if it is about a file."""
    place = {"place": {"file": clean(finding.path), "line": finding.line}} if finding.place else {}
    return {
        "level": finding.level,
        "code": finding.code,
        "subject": clean(finding.subject),
        "sentence": clean(finding.sentence),
        "hint": clean(finding.hint),
        **place,
    }


# --- lint --------------------------------------------------------------------------------


def findings_json(
    findings: Sequence[Finding], files: Mapping[str, ProjectFile], fixable: Collection[Finding]
) -> str:
    """Return lint's findings as a JSON document."""
    found = [
        {
            "file": clean(finding.path),
            "line": finding.line,
            "column": span_of(finding, files[finding.path])[0] + 1,
            "level": WORDS[finding.level],
            "code": finding.code,
            "sentence": clean(finding.sentence),
            "hint": clean(finding.hint),
            "fixable": finding in fixable,
        }
        for finding in findings
    ]
    is_well = not any(finding.level == FAILURE for finding in findings)
    return json.dumps({"ok": is_well, "findings": found}, indent=2)


def github_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield workflow commands, escaped as GitHub's toolkit does (@actions/core, command)."""
    for finding in findings:
        values = {
            "file": clean(_from_workspace(finding.path)),
            "line": str(finding.line),
            "title": f"pipenv-ca: {finding.code}",
        }
        given = ",".join(f"{name}={_escaped_value(value)}" for name, value in values.items())
        message = f"{clean(finding.sentence)} {clean(finding.hint)}"
        yield f"::{WORDS[finding.level]} {given}::{_escaped(message)}"


def _from_workspace(path: str) -> str:
    """Return a path relative to the checkout, as annotations need it."""
    top = os.environ.get("GITHUB_WORKSPACE", "")
    whole = os.path.abspath(path)
    is_below = os.path.isabs(top) and whole.startswith(os.path.join(top, ""))
    return os.path.relpath(whole, top) if is_below else path


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_value(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
