"""The guide to the sandbox says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codeartifact_pipenv.sandbox.behaviour import SWITCHES, spell
from codeartifact_pipenv.sandbox.cli import main
from codeartifact_pipenv.sandbox.controls import CONTROLS, usage

_GUIDES = Path(__file__).parent.parent / "examples" / "guides"
_GUIDE = (_GUIDES / "sandbox.md").read_text(encoding="utf-8")


def controls_table() -> str:
    """Return the table of faults as the guide must have it."""
    rows = ["| fault | what it does |", "| --- | --- |"]
    for name, what in CONTROLS.items():
        words = usage(name).replace("[--times COUNT] [--on ON] [--name NAME]", "...")
        words = words.replace("[--times COUNT] [--name NAME]", "...")
        rows.append(f"| `{words}` | {what} |")
    return "\n".join(rows)


def behaviours_table() -> str:
    """Return the table of behaviours as the guide must have it."""
    rows = ["| name | values | what it decides, and why the default is the default |"]
    rows.append("| --- | --- | --- |")
    for name, switch in SWITCHES.items():
        values = ", ".join(f"`{spell(value)}`" for value in switch["values"])
        rows.append(f"| `{name}` | {values} | {switch['what']}. {switch['why']} |")
    return "\n".join(rows)


@pytest.mark.parametrize("name", ["controls", "behaviours"])
def test_tables_are_those_of_the_code(name: str) -> None:
    """The guide's tables have every fault and every behaviour, as the code defines them."""
    marked = re.search(rf"<!-- {name}:.*?-->\n(.*?)\n?<!-- /{name} -->", _GUIDE, re.DOTALL)
    assert marked is not None
    assert marked[1] == {"controls": controls_table, "behaviours": behaviours_table}[name]()


def test_options_of_the_guide_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option that the guide names is one of run, or of a fault."""
    assert main(["run", "--help"]) == 0
    words = [capsys.readouterr().out, *map(usage, CONTROLS)]
    shown = set(re.findall(r"--[a-z-]+", " ".join(words))) | {"--deploy"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", _GUIDE)) <= shown
