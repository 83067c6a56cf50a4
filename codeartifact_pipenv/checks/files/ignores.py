"""Findings that a project ignores, by a comment or by a setting.

A comment ``# pipenv-ca: ignore[CODE, CODE]`` applies on the finding's line or in the block of
comments directly above it: in the Pipfile, requirements files, scripts and ``.env``. JSON has no
comments, so findings on a lock are ignored only by the setting ``lint-ignore``.
"""

from __future__ import annotations

import re

from codeartifact_pipenv.causes import LEVELS
from codeartifact_pipenv.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.findings import Finding

_MARK = "pipenv-ca:"
_COMMENT = re.compile(r"#\s*pipenv-ca:\s*ignore\s*\[([^\]]*)\]")


def check_codes(codes: Collection[str]) -> None:
    """Raise ConfigurationError if the setting ``lint-ignore`` names an unknown code."""
    for code in codes:
        if code not in LEVELS:
            known = ", ".join(sorted(LEVELS))
            raise ConfigurationError(
                f"lint-ignore names {code}, which lint does not know.", f"Known: {known}."
            )


def without_ignored(
    findings: Collection[Finding], files: Iterable[ProjectFile], codes: Collection[str]
) -> Iterator[Finding]:
    """Yield the findings that are not ignored, and one for each comment that ignores nothing."""
    marked = {file.shown: file for file in files if _MARK in file.text}
    comments = {path: dict(_comments(file)) for path, file in marked.items()}
    used: set[tuple[str, int, str | None]] = set()
    for finding in findings:
        path = finding.path
        at = [
            line
            for line in (
                _lines_for(finding.line, comments[path], marked[path]) if path in marked else ()
            )
            if finding.code in comments[path][line]
        ]
        used.update((path, line, finding.code) for line in at)
        if not at and finding.code not in codes:
            yield finding
    if "ignore-unused" in codes:
        return
    for path, file in marked.items():
        for line, named in comments[path].items():
            for code in named:
                if (path, line, code) not in used:
                    yield _unused(file, line, code)


def _comments(file: ProjectFile) -> Iterator[tuple[int, list[str]]]:
    for line, comment in file.lines.comments.items():
        match = _COMMENT.match(comment)
        if match:
            yield line, [code.strip() for code in match[1].split(",") if code.strip()]


def _lines_for(line: int, comments: dict[int, list[str]], file: ProjectFile) -> Iterator[int]:
    """Yield the lines of the comments that apply to a line."""
    if line in comments:
        yield line
    written = file.text.split("\n")
    above = line - 1
    while above >= 1 and written[above - 1].lstrip().startswith("#"):
        if above in comments:
            yield above
        above -= 1


def _unused(file: ProjectFile, line: int, code: str) -> Finding:
    if code in LEVELS:
        sentence, hint = (
            f"The comment ignores {code}, which is not found here.",
            "Remove it from the comment.",
        )
    else:
        sentence = f"The comment ignores {code}, which lint does not know."
        hint = f"Known: {', '.join(sorted(LEVELS))}."
    return file.on_line(line, "ignore-unused", sentence, hint)
