"""The table of causes has each code that the package uses, and explain prints it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import codeartifact_pipenv
from codeartifact_pipenv.causes import CAUSES

_PACKAGE = Path(codeartifact_pipenv.__file__).parent
_CODE = re.compile(r"[a-z]+(-[a-z]+)*")
# The parameter `code` by position, per function that takes one.
_TAKES_CODE = {"Finding": 4, "failure": 0, "warning": 0, "Remark": 2, "_Cause": 0}


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
        if path.name != "causes.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _given_codes() -> set[str]:
    codes = set()
    for path in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            at = _TAKES_CODE.get(name)
            if at is not None and at < len(node.args):
                given.append(node.args[at])
            codes |= {
                value.value
                for value in given
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
    assert "What to do: " in done.stdout


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


def test_explain_needs_a_code() -> None:
    done = _explain()
    assert (done.returncode, done.stdout) == (2, "")
    assert "CODE" in done.stderr
