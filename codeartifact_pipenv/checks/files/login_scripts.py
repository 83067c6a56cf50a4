"""Scripts of a project that still get a CodeArtifact token by the AWS CLI, or hold one.

Only files of known names are read, in the project's folder and in a few folders below it.
"""

from __future__ import annotations

import os
import re
from itertools import islice

from codeartifact_pipenv.checks.files.project_file import TextFile, strings_of
from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.findings import Finding

_MAXIMUM_BYTES = 256 * 1024
_MOST_FILES = 60
_MOST_LOGINS = 50  # of one file
_SHELL = r".+\.(?:sh|bash)"
# The names that are read, by folder.
_NAMES = {
    "": r"\.?justfile|(?:GNU)?Makefile|Taskfile\.ya?ml|tox\.ini|noxfile\.py|\.envrc|Jenkinsfile"
    r"|Dockerfile.*|.+\.Dockerfile|(?:docker-)?compose.*\.ya?ml|\.gitlab-ci\.ya?ml"
    rf"|buildspec.*\.ya?ml|{_SHELL}",
    "scripts": _SHELL,
    "bin": _SHELL,
    ".ci": _SHELL,
    ".github/workflows": r".+\.ya?ml",
}
# Between words: blanks, ends of lines, and what a list of words has in Python, JSON or YAML.
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
# How much is looked at around a command, in characters.
_BEFORE, _BEHIND = 300, 800
_END = re.compile(r"(?<!\\)\n")
# A command that is shown rather than run: printed, or in the title of a step.
_SHOWN = re.compile(
    r"^[\s-]*(?:name|desc\w*|summary|help)\s*[:=]|(?:echo|printf|print\(|Write-Host)[^;&|`$]*$"
)
_COMMENTS = re.compile(
    r"(?:^|(?<=\s))#.*|^[ \t]*//.*|^[ \t]*\"\"\"(?:[^\"]|\"(?!\"\"))*\"\"\"", re.MULTILINE
)
# What needs a token of the AWS CLI as before, and what pipenv-ca serves.
_OTHERS = re.compile(
    r"(?<![a-z])(?:npm|pnpm|yarn|mvnw?|maven|gradlew?|sbt|nuget|dotnet|swift|cargo)(?![a-z])",
    re.IGNORECASE,
)
_PYTHON = re.compile(
    r"(?<![a-z])(?:pip3?|pipenv|pipx|python3?|uv|poetry|pdm|hatch|twine|tox|nox)(?![a-z])",
    re.IGNORECASE,
)
_HINTS = {
    "pip": "Remove it and call `pipenv-ca` in place of `pipenv`; for pip itself, write "
    "`pipenv-ca login pip`.",
    "twine": "Write `pipenv-ca login twine` in its place.",
    "token": "Remove it and call `pipenv-ca` in place of `pipenv`; for other programs, write "
    '`eval "$(pipenv-ca env)"`, or `pipenv-ca token`, which prints the token.',
}


def read_scripts(folder: str) -> list[TextFile]:
    """Return the files of a project that may log in; what cannot be read is left out."""
    found: list[TextFile] = []
    for below, names in _NAMES.items():
        place = os.path.join(folder, below) if below else folder
        try:
            there = sorted(os.listdir(place or os.curdir))
        except OSError:
            continue
        for name in there:
            path = os.path.join(place, name)
            if len(found) < _MOST_FILES and re.fullmatch(names, name, re.IGNORECASE):
                try:
                    found.append(TextFile(path, read_text(path, _MAXIMUM_BYTES)))
                except (OSError, ValueError):
                    continue
    return found


def review_scripts(
    pipfile: ProjectFile | None, files: Collection[TextFile], variables: Collection[str]
) -> Iterator[Finding]:
    """Yield the places at which a project gets its token by the AWS CLI, or has it in clear.

    Args:
        pipfile: the Pipfile, whose ``[scripts]`` are looked at; None without one.
        files: the scripts.
        variables: those that sources take tokens from.
    """
    if pipfile is not None and pipfile.document is not None:
        for keys, text in strings_of(pipfile.document.get("scripts"), ("scripts",)):
            for _, said, hint in _logins(text, variables):
                yield pipfile.finding(keys[:2], "login-script", said, hint)
    for file in files:
        for line, said, hint in dict.fromkeys(islice(_logins(file.text, variables), _MOST_LOGINS)):
            yield file.on_line(line, "login-script", said, hint)


def _logins(text: str, variables: Collection[str]) -> Iterator[tuple[int, str, str | None]]:
    """Yield the line, a sentence and a hint for each login of a text."""
    text = _COMMENTS.sub(lambda found: "\n" * found[0].count("\n"), text)
    is_others = bool(_OTHERS.search(text)) and not _PYTHON.search(text)
    for match in _COMMAND.finditer(text):
        tool = _tool(match, is_others=is_others)
        if tool is not None:
            option = "" if tool == "token" else f" --tool {tool}"
            said = f"`aws codeartifact {match['verb']}{option}` fetches a token that expires within 12 hours."
            yield _line(match), said, _HINTS[tool]
    names = "|".join(map(re.escape, sorted({TOKEN_VARIABLE, *variables})))
    for match in re.finditer(rf"(?<!\w)({names})[\s:=]+[\"']?eyJ[\w-]{{8}}", text):
        said = f"{match[1]} is set to a token in clear, which expires within 12 hours."
        yield _line(match), said, None


def _line(match: re.Match[str]) -> int:
    return match.string.count("\n", 0, match.start()) + 1


def _tool(match: re.Match[str], *, is_others: bool) -> str | None:
    """Return what a command logs in: ``pip``, ``twine``, or ``token`` if it prints a token.

    Args:
        match: the command.
        is_others: whether a token there is for programs that pipenv-ca does not serve.

    Returns:
        None if it is for such a program, or is shown and not run.
    """
    begin = max(0, match.start() - _BEFORE)
    before = match.string[begin : match.start()].rpartition("\n")[2]
    rest = match.string[match.end() : match.end() + _BEHIND]
    if _SHOWN.search(before):
        return None
    if match["verb"] == "login":
        tool = _TOOL.search(f"{rest}\n")
        return tool[1] if tool and tool[1] in _HINTS else None
    statement = before + match[0] + _END.split(rest)[0]
    return None if is_others or _OTHERS.search(statement) else "token"
