"""The table of causes has each code that the package uses, and explain prints it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

import codeartifact_pipenv
from codeartifact_pipenv.causes import CAUSES
from codeartifact_pipenv.terminal.text import wrap

_PACKAGE = Path(codeartifact_pipenv.__file__).parent
_MARKER = "<!-- Written from codeartifact_pipenv/causes.toml; change it there. -->"
_CODE = re.compile(r"[a-z]+(-[a-z]+)*")
# The parameter `code` by position, per function that takes one.
_TAKES_CODE = {
    "Finding": 0,
    "failure": 0,
    "warning": 0,
    "finding_for": 0,
    "finding": 1,
    "on_line": 1,
}


_GUIDES = Path(__file__).parents[2] / "examples" / "guides"


def _guide(name: str) -> str:
    """Return a guide as it should be: its introduction as written, the rest from the table."""
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
    assert on_disk == _guide(name), "write it again: python tests/unit/test_causes.py"


def _explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codeartifact_pipenv", "explain", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def _strings() -> set[str]:
    return {
        node.value
        for path in _PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _outcomes(argument: ast.expr) -> list[ast.expr]:
    return [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]


def _given_codes() -> set[str]:
    codes = set()
    for path in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name == "finding" and len(node.args) == 1:  # an error's, which has its code
                continue
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            at = _TAKES_CODE.get(name)
            if name.endswith("Error"):
                at = 2
            elif name == "warning" and ast.unparse(node.func).endswith("report.warning"):
                at = 1
            if at is not None and at < len(node.args):
                given.append(node.args[at])
            codes |= {
                value.value
                for argument in given
                for value in _outcomes(argument)
                if isinstance(value, ast.Constant)
                and isinstance(value.value, str)
                and _CODE.fullmatch(value.value)
            }
    return codes


def test_every_code_of_the_package_is_in_the_table() -> None:
    assert len(_given_codes()) > 20
    assert _given_codes() - set(CAUSES) == set()


def test_every_code_of_the_table_is_used_in_the_package() -> None:
    assert set(CAUSES) - _strings() == set()


@pytest.mark.parametrize("code", ["read-denied", "url-token", "throttled"])
def test_explain_prints_what_a_code_means_and_what_to_do(code: str) -> None:
    done = _explain(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{code} (error)\n")
    assert "Next step: " in done.stdout


@pytest.mark.parametrize(
    ("word", "meant"),
    [("read-deneid", "read-denied"), ("indx-missing", "index-missing"), ("THROTTLED", "throttled")],
)
def test_explain_suggests_the_code_that_was_meant(word: str, meant: str) -> None:
    done = _explain(word)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Did you mean {meant}?" in done.stderr
    assert "explain --list" in done.stderr


def test_explain_lists_every_code_as_json() -> None:
    done = _explain("--list", "--json")
    assert [cause["code"] for cause in json.loads(done.stdout)] == list(CAUSES)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("read-d", ["read-denied"]),
        ("url-token lock-o", ["lock-outdated"]),
        ("thr", ["throttled"]),
    ],
)
def test_the_shell_completes_codes(words: str, wanted: list[str]) -> None:
    line = ["pipenv-ca", "explain", *words.split()]
    done = subprocess.run(
        [sys.executable, "-m", "codeartifact_pipenv"],
        env={**os.environ, "_PIPENV_CA_COMPLETE": "zsh_complete", "COMP_WORDS": "\n".join(line)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [row.partition("\t")[0] for row in done.stdout.splitlines()] == wanted


if __name__ == "__main__":
    for guide in ("causes.md", "lint.md"):
        (_GUIDES / guide).write_text(_guide(guide), "utf-8")
