"""This checkout, and its guides in Markdown, followed as their readers follow them: files written, commands run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from support.programs import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
# Commands that install our package, and the programs that are linked from here in their place.
_INSTALLS = {
    "pipx install codeartifact-pipenv": ("codeartifact-pipenv", "pipenv-ca"),
    "pip install codeartifact-pipenv": ("codeartifact-pipenv", "pipenv-ca"),
    "uv tool install keyring --with codeartifact-pipenv": ("keyring",),
}
_STRICT = "set -euo pipefail; trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR"
_HAS = """\
while IFS= read -r line; do
  [ -z "$line" ] || grep -qxF -- "$line" {name} || {{ echo "{name} lacks: $line" >&2; exit 1; }}
done <<'END_OF_BLOCK'
{text}END_OF_BLOCK"""
_APPEND = "{{ echo; cat; }} >> {name} <<'END_OF_BLOCK'\n{text}END_OF_BLOCK"


def project_table() -> dict[str, Any]:
    """Return the table ``project`` of this project's own pyproject.toml."""
    path = ROOT / "pyproject.toml"
    found: dict[str, Any] = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()["project"]
    return found


def document(name: str) -> str:
    """Return the text of one of the checkout's files."""
    return (ROOT / name).read_text(encoding="utf-8")


def titles(text: str) -> list[str]:
    """Return the titles of a document's sections, without the document's own."""
    return re.findall(r"^##+ (.+)$", text, re.MULTILINE)


def section(text: str, title: str) -> str:
    """Return a section of a document, without those below it."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fenced blocks of a text, each with its language."""
    yield from re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[str]:
    """Return the commands of a block, one a line, without a prompt."""
    lines = block.splitlines()
    assert not any(line.startswith("$ ") for line in lines), block
    return lines


def script(*texts: str) -> str:
    """Return a script for bash that does what some texts say, in one shell.

    Commands of sh blocks are run, the first that fails ends it. TOML blocks are added to
    the file that their first line names; with ``# in NAME``, their lines must be in it.
    """
    return "\n".join([_STRICT, *(line for text in texts for line in _steps(text))])


def with_ours(command: str) -> str:
    """Return a command; in the place of one that installs our package, one that links it."""
    programs = _INSTALLS.get(re.sub(r"^python3? -m ", "", command), ())
    links = (f"'{SCRIPTS / name}'" for name in programs)
    return " ".join(["ln -sf", *links, "~/.local/bin/"]) if programs else command


def _steps(text: str) -> Iterator[str]:
    for language, block in blocks(text):
        if language == "sh":
            yield from commands(block)
        elif language == "toml":
            first, _, rest = block.partition("\n")
            name = first.removeprefix("# ").removeprefix("in ")
            shape = _HAS if first.startswith("# in ") else _APPEND
            yield shape.format(name=name, text=rest)
        else:
            assert language == "json", language
