"""The table of causes has the codes that the package uses, and explain prints them."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import sys
from itertools import groupby
from pathlib import Path

import pytest
from support.programs import Result, run

import codeartifact_pipenv
from codeartifact_pipenv.causes import CAUSES
from codeartifact_pipenv.terminal.text import wrap

_PACKAGE = Path(codeartifact_pipenv.__file__).parent
_MARKER = "<!-- Written from codeartifact_pipenv/causes.toml; change it there. -->"
_CODE = re.compile(r"[a-z]+(-[a-z]+)+")
# Functions that take a code, as errors do.
_TAKE_CODES = {"Finding", "failure", "warning", "finding_for", "finding", "on_line"}
_GUIDES = Path(__file__).parents[2] / "examples" / "guides"


def _guide(name: str) -> str:
    """Return a guide: its introduction, then the text from the table."""
    causes = [cause for cause in CAUSES.values() if name == "causes.md" or cause.in_lint]
    introduction, marker, _ = (_GUIDES / name).read_text("utf-8").partition(_MARKER)
    parts = [introduction + marker]
    for section, group in groupby(causes, key=lambda cause: cause.section):
        if name == "causes.md":
            rows = [f"| `{cause.code}` | {cause.sentence} | {cause.hint} |" for cause in group]
            table = ["| code | what it means | what to do |", "| --- | --- | --- |", *rows]
            parts.append("\n".join([f"## {section}", "", *table]))
        else:
            parts.append(f"## {section}")
            for cause in group:
                level = {"failure": "error"}.get(cause.level, cause.level)
                text = "\n".join(wrap(cause.text, 98))
                parts.append(f"### `{cause.code}` ({level})\n\n{text}")
    return "\n\n".join(parts) + "\n"


@pytest.mark.parametrize("name", ["causes.md", "lint.md"])
def test_the_guides_are_written_from_the_table(name: str) -> None:
    on_disk = (_GUIDES / name).read_text("utf-8")
    assert _MARKER in on_disk
    assert on_disk == _guide(name), "write it with: python tests/unit/test_causes.py"


@functools.cache
def _nodes() -> list[ast.AST]:
    """Return the expressions of the package."""
    texts = [path.read_text("utf-8") for path in _PACKAGE.rglob("*.py")]
    return [node for text in texts for node in ast.walk(ast.parse(text))]


def _given_codes() -> set[str]:
    """Return the strings that look like codes, of calls that take a code."""
    given: list[ast.expr] = []
    for call in _nodes():
        if isinstance(call, ast.Call):
            given += [keyword.value for keyword in call.keywords if keyword.arg == "code"]
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            given += call.args if name in _TAKE_CODES or name.endswith("Error") else []
    values = [
        each for e in given for each in ([e.body, e.orelse] if isinstance(e, ast.IfExp) else [e])
    ]
    strings = {value.value for value in values if isinstance(value, ast.Constant)}
    return {text for text in strings if isinstance(text, str) and _CODE.fullmatch(text)}


def test_the_table_has_exactly_the_codes_of_the_package() -> None:
    assert len(_given_codes()) > 20
    assert _given_codes() - set(CAUSES) == set()
    strings = {node.value for node in _nodes() if isinstance(node, ast.Constant)}
    assert set(CAUSES) - strings == set()


def _explain(*arguments: str, **variables: str) -> Result:
    words = (sys.executable, "-m", "codeartifact_pipenv", "explain", *arguments)
    return run(*words, env=os.environ | variables, cwd=Path.cwd())


def test_explain_prints_what_a_code_means_and_what_to_do() -> None:
    done = _explain("url-token")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith("url-token (error)\n")
    assert "Next step: " in done.stdout


@pytest.mark.parametrize(
    ("word", "meant"), [("read-deneid", "read-denied"), ("THROTTLED", "throttled")]
)
def test_explain_suggests_the_code_that_was_meant(word: str, meant: str) -> None:
    done = _explain(word)
    assert (done.status, done.stdout) == (2, "")
    assert f"Did you mean {meant}?" in done.stderr
    assert "explain --list" in done.stderr


def test_explain_lists_every_code_as_json() -> None:
    done = _explain("--list", "--json")
    assert [cause["code"] for cause in json.loads(done.stdout)] == list(CAUSES)


@pytest.mark.parametrize(
    ("words", "wanted"), [("read-d", ["read-denied"]), ("url-token lock-o", ["lock-outdated"])]
)
def test_the_shell_completes_codes_of_explain(words: str, wanted: list[str]) -> None:
    line = "\n".join(["pipenv-ca", "explain", *words.split()])
    done = _explain(_PIPENV_CA_COMPLETE="zsh_complete", COMP_WORDS=line)
    assert [row.partition("\t")[0] for row in done.stdout.splitlines()] == wanted


if __name__ == "__main__":
    for guide in ("causes.md", "lint.md"):
        (_GUIDES / guide).write_text(_guide(guide), "utf-8")
