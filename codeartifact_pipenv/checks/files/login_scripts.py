"""Checks of a project's scripts that get a CodeArtifact token from the AWS CLI or contain one.

Only files with known names are read, in the project's folder and a few folders below it.
"""

from __future__ import annotations

import os
import re
from itertools import islice

from codeartifact_pipenv.checks.files.project_file import TextFile, strings_of
from codeartifact_pipenv.files.io import read_text
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.findings import Finding

_MAXIMUM_BYTES = 256 * 1024
_MAXIMUM_FILES = 60
_MAXIMUM_LOGINS = 50  # of one file
_SHELL = r".+\.(?:sh|bash)"
# The names of files that are read, by folder.
_NAMES = {
    "": r"\.?justfile|(?:GNU)?Makefile|Taskfile\.ya?ml|tox\.ini|noxfile\.py|\.envrc|Jenkinsfile"
    r"|Dockerfile.*|.+\.Dockerfile|(?:docker-)?compose.*\.ya?ml|\.gitlab-ci\.ya?ml"
    rf"|buildspec.*\.ya?ml|{_SHELL}",
    "scripts": _SHELL,
    "bin": _SHELL,
    ".ci": _SHELL,
    ".github/workflows": r".+\.ya?ml",
}
# Between words: blanks, line breaks, and the separators of a list in Python, JSON or YAML.
_GAP = r"[\s\"',\\]+"
_OPTION = (
    r"--[\w-]+(?:[=\s\"',\\]+(?!codeartifact|login|get-)"
    r"(?:\$\{\{[^}]*\}\}|[^\s\"',\\-][^\s\"',\\]*))?"
)
_COMMAND = re.compile(
    rf"(?<![\w.-])aws(?:{_GAP}{_OPTION}){{0,9}}{_GAP}codeartifact(?:{_GAP}{_OPTION}){{0,9}}"
    rf"{_GAP}(?P<verb>login|get-authorization-token)(?![\w-])"
)
_TOOL = re.compile(r"--tool[\s\"',=\\]+(\S*?)[\s\"',\\)]")
# How many characters around a command are read.
_CHARACTERS_BEFORE, _CHARACTERS_AFTER = 300, 800
_END = re.compile(r"(?<!\\)\n")
# A command that is only printed, or is part of a step's title.
_PRINTED = re.compile(
    r"^[\s-]*(?:name|desc\w*|summary|help)\s*[:=]|(?:echo|printf|print\(|Write-Host)[^;&|`$]*$"
)
_COMMENTS = re.compile(
    r"(?:^|(?<=\s))#.*|^[ \t]*//.*|^[ \t]*\"\"\"(?:[^\"]|\"(?!\"\"))*\"\"\"", re.MULTILINE
)
# Tools that still need the AWS CLI's token, and tools that pipenv-ca serves.
_OTHER_TOOLS = re.compile(
    r"(?<![a-z])(?:npm|pnpm|yarn|mvnw?|maven|gradlew?|sbt|nuget|dotnet|swift|cargo)(?![a-z])",
    re.IGNORECASE,
)
_PYTHON_TOOLS = re.compile(
    r"(?<![a-z])(?:pip3?|pipenv|pipx|python3?|uv|poetry|pdm|hatch|twine|tox|nox)(?![a-z])",
    re.IGNORECASE,
)
_HINTS = {
    "pip": "Remove it and call `pipenv-ca` instead of `pipenv`; for pip, use "
    "`pipenv-ca login pip`.",
    "twine": "Use `pipenv-ca login twine` instead.",
    "token": "Remove it and call `pipenv-ca` instead of `pipenv`; for other programs, use "
    '`eval "$(pipenv-ca env)"`, or `pipenv-ca token`, which prints the token.',
}


def read_scripts(folder: str) -> list[TextFile]:
    """Return the readable files of a project that may contain a login."""
    found: list[TextFile] = []
    for below, names in _NAMES.items():
        place = os.path.join(folder, below) if below else folder
        try:
            there = sorted(os.listdir(place or os.curdir))
        except OSError:
            continue
        for name in there:
            path = os.path.join(place, name)
            if len(found) < _MAXIMUM_FILES and re.fullmatch(names, name, re.IGNORECASE):
                try:
                    found.append(TextFile(path, read_text(path, _MAXIMUM_BYTES)))
                except (OSError, ValueError):
                    continue
    return found


def review_scripts(
    pipfile: ProjectFile | None, files: Collection[TextFile], variables: Collection[str]
) -> Iterator[Finding]:
    """Yield the places where a project gets its token from the AWS CLI or contains one.

    Args:
        pipfile: the Pipfile, whose ``[scripts]`` are checked, or None.
        files: the scripts.
        variables: the variables that sources take tokens from.
    """
    if pipfile is not None and pipfile.document is not None:
        for keys, text in strings_of(pipfile.document.get("scripts"), ("scripts",)):
            for _, sentence, hint in _logins(text, variables):
                yield pipfile.finding(keys[:2], "login-script", sentence, hint)
    for file in files:
        for line, sentence, hint in dict.fromkeys(
            islice(_logins(file.text, variables), _MAXIMUM_LOGINS)
        ):
            yield file.on_line(line, "login-script", sentence, hint)


def _logins(text: str, variables: Collection[str]) -> Iterator[tuple[int, str, str | None]]:
    """Yield the line, a sentence and a hint for each login in a text."""
    text = _COMMENTS.sub(lambda found: "\n" * found[0].count("\n"), text)
    is_other_tools = bool(_OTHER_TOOLS.search(text)) and not _PYTHON_TOOLS.search(text)
    for match in _COMMAND.finditer(text):
        tool = _tool(match, is_other_tools=is_other_tools)
        if tool is not None:
            option = "" if tool == "token" else f" --tool {tool}"
            sentence = f"`aws codeartifact {match['verb']}{option}` fetches a token that expires within 12 hours."
            yield _line(match), sentence, _HINTS[tool]
    names = "|".join(map(re.escape, sorted({TOKEN_VARIABLE, *variables})))
    for match in re.finditer(rf"(?<!\w)({names})[\s:=]+[\"']?eyJ[\w-]{{8}}", text):
        sentence = f"{match[1]} is set to a token in clear text, which expires within 12 hours."
        yield _line(match), sentence, None


def _line(match: re.Match[str]) -> int:
    return match.string.count("\n", 0, match.start()) + 1


def _tool(match: re.Match[str], *, is_other_tools: bool) -> str | None:
    """Return the tool that a command logs in.

    Args:
        match: the command.
        is_other_tools: whether the text's tokens are for programs that pipenv-ca does not serve.

    Returns:
        ``pip``, ``twine``, or ``token`` if it prints a token. None, if it is for a program that
        pipenv-ca does not serve or is only printed.
    """
    begin = max(0, match.start() - _CHARACTERS_BEFORE)
    before = match.string[begin : match.start()].rpartition("\n")[2]
    rest = match.string[match.end() : match.end() + _CHARACTERS_AFTER]
    if _PRINTED.search(before):
        return None
    if match["verb"] == "login":
        tool = _TOOL.search(f"{rest}\n")
        return tool[1] if tool and tool[1] in _HINTS else None
    statement = before + match[0] + _END.split(rest)[0]
    return None if is_other_tools or _OTHER_TOOLS.search(statement) else "token"
