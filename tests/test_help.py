"""The help of every verb: it fits a screen, and says how the verb is used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support.programs import SCRIPTS, run

from codeartifact_pipenv.__main__ import _own_help
from codeartifact_pipenv.cli import OWN_VERBS, help_text
from codeartifact_pipenv.provision.cli import PARTS

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [
    *((verb,) for verb in OWN_VERBS),
    *(("provision", part) for part in PARTS),
    *(("sandbox", verb) for verb in ("demo", "run")),
]


@pytest.mark.parametrize("words", [(), *WORDS], ids=" ".join)
def test_help_fits_a_screen_and_describes_every_option(words: tuple[str, ...]) -> None:
    text = _own_help(words) if words else help_text("pipenv-ca")
    lines = text.splitlines()
    assert re.match(rf"usage: pipenv-ca {' '.join(words)}", lines[0])
    assert lines[1] == ""
    assert len(lines) <= 40
    assert [line for line in lines if len(line) > 80] == []
    assert re.match(r"[A-Z]", lines[2])  # the description
    assert "\nexamples:\n" in text
    options = text.partition("\nexamples:")[0] + "\n"
    bare = r"(?m)^  (?:-\S+|[A-Z{]\S*)(?: [^\s-]\S*)*\n(?! {20})"
    assert not words or re.findall(bare, options) == []


@pytest.mark.wide
@pytest.mark.parametrize("verb", OWN_VERBS)
def test_every_verb_refuses_an_unknown_option_in_two_lines(
    verb: str, clean_env: dict[str, str], tmp_path: Path
) -> None:
    done = run(
        SCRIPTS / "codeartifact-pipenv", verb, "--nonsense", "x", env=clean_env, cwd=tmp_path
    )
    assert done.status == 2
    error, hint = done.stderr.splitlines()
    assert error.startswith(f"error: pipenv-ca {verb}: ")
    assert hint == f"hint: See `pipenv-ca {verb} --help`."
    assert done.stdout == ""
