"""The guide to the sandbox says what is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.sandbox.behaviour import SWITCHES, spell
from codeartifact_pipenv.sandbox.cli import main
from codeartifact_pipenv.sandbox.controls import FAULTS, usage

if TYPE_CHECKING:
    from collections.abc import Callable

_GUIDES = Path(__file__).parent.parent / "examples" / "guides"
_GUIDE = (_GUIDES / "sandbox.md").read_text(encoding="utf-8")


def fault_column() -> list[str]:
    """Return how the guide must write each fault."""
    shown = [
        usage(name).replace("[--times COUNT] [--on ON] [--name NAME]", "...") for name in FAULTS
    ]
    return [f"`{words.replace('[--times COUNT] [--name NAME]', '...')}`" for words in shown]


def behaviour_column() -> list[str]:
    """Return how the guide must write each behaviour and its values."""
    return [
        f"`{name}` | {', '.join(f'`{spell(value)}`' for value in values)}"
        for name, values in SWITCHES.items()
    ]


@pytest.mark.parametrize(
    ("name", "column"), [("controls", fault_column), ("behaviours", behaviour_column)]
)
def test_tables_of_the_guide_list_every_fault_and_behaviour(
    name: str, column: Callable[[], list[str]]
) -> None:
    marked = re.search(rf"<!-- {name}:.*?-->\n(.*?)\n?<!-- /{name} -->", _GUIDE, re.DOTALL)
    assert marked is not None
    rows = [row.removeprefix("| ").rpartition(" | ") for row in marked[1].splitlines()[2:]]
    assert [first for first, _, _ in rows] == column()
    assert all(len(what) > len("| x |") for _, _, what in rows)


def test_options_in_the_sandbox_guide_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option that the guide names is one of run, or of a fault."""
    assert main(["run", "--help"]) == 0
    words = [capsys.readouterr().out, *map(usage, FAULTS)]
    shown = set(re.findall(r"--[a-z-]+", " ".join(words))) | {"--deploy"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", _GUIDE)) <= shown
