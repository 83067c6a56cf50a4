"""The guide to the sandbox says what is so."""

from __future__ import annotations

import re

import pytest
from support.guides import document

from codeartifact_pipenv.sandbox.behaviour import SWITCHES, spell
from codeartifact_pipenv.sandbox.cli import main
from codeartifact_pipenv.sandbox.controls import FAULTS, usage

_GUIDE = document("examples/guides/sandbox.md")


def tables() -> dict[str, list[str]]:
    """Return how the guide must write each fault, and each behaviour with its values."""
    faults = [
        re.sub(r"\[--times COUNT\] (\[--on ON\] )?\[--name NAME\]", "...", usage(name))
        for name in FAULTS
    ]
    behaviours = [
        f"`{name}` | {', '.join(f'`{spell(value)}`' for value in values)}"
        for name, values in SWITCHES.items()
    ]
    return {"controls": [f"`{words}`" for words in faults], "behaviours": behaviours}


@pytest.mark.parametrize("name", ["controls", "behaviours"])
def test_tables_of_the_guide_list_every_fault_and_behaviour(name: str) -> None:
    marked = re.search(rf"<!-- {name}:.*?-->\n(.*?)\n?<!-- /{name} -->", _GUIDE, re.DOTALL)
    assert marked is not None
    rows = [row.removeprefix("| ").rpartition(" | ") for row in marked[1].splitlines()[2:]]
    assert [first for first, _, _ in rows] == tables()[name]
    assert all(len(what) > len("| x |") for _, _, what in rows)


def test_options_in_the_sandbox_guide_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    words = [capsys.readouterr().out, *map(usage, FAULTS)]
    shown = set(re.findall(r"--[a-z-]+", " ".join(words))) | {"--deploy"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", _GUIDE)) <= shown
