"""The README's picture of doctor is what doctor prints."""

from __future__ import annotations

import io
import json
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text
from support import PIPENV_CA, PYPI_SOURCE, run, source, write_pipfile

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT = Path(__file__).parent.parent
_PICTURE = _ROOT / "examples/doctor.svg"
# What a picture is there to show; the rest is about the machine that it was drawn on, and about
# the public index.
_TITLES = ("AWS", "Sources", "Packages")
_LEFT_OUT = "source pypi"
_STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red"}
_WIDTH, _INDENT = 100, 10
# Without the font that rich would have every reader fetch from somewhere.
_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: Menlo, Consolas, monospace; font-size: {char_height}px; \
line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


@pytest.mark.wide
def test_picture_of_doctor(
    clean_base: dict[str, str], clean_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    """The picture shows what doctor says of a project with a typing error; else it is drawn anew."""
    packages = _ROOT / "examples/quickstart/packages"
    with Sandbox(
        [packages],
        domain="acme",
        region="eu-west-1",
        repository="team",
        upstream=False,
        base=clean_base,
    ) as sandbox:
        write_pipfile(
            project,
            PYPI_SOURCE,
            source(sandbox.endpoint),
            '[packages]\nacme-invoices = "~=1.0"\nacme-invocies = "*"\n',
        )
        env = sandbox.environ(clean_env) | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}
        seen = run(PIPENV_CA, "doctor", "--json", env=env, cwd=project)
    assert seen.status == 1, seen.output
    drawn = picture(json.loads(seen.stdout)["sections"])
    before = _PICTURE.read_text(encoding="utf-8") if _PICTURE.exists() else ""
    if drawn != before:
        _PICTURE.write_text(drawn, encoding="utf-8")
    assert drawn == before, "examples/doctor.svg is drawn anew: look at it, and commit it"


def picture(sections: Iterable[dict[str, Any]]) -> str:
    """Draw what doctor found, as it stands on a terminal."""
    console = Console(
        record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text("$ pipenv-ca doctor", style="bold"))
    for section in sections:
        if section["title"] in _TITLES:
            console.print(Text(section["title"], style="bold"))
            for finding in section["findings"]:
                if finding["subject"] == _LEFT_OUT:
                    continue
                console.print(_line(finding))
                if finding["hint"]:
                    console.print(Text(_wrapped(f"hint: {finding['hint']}", ""), style="dim"))
    return console.export_svg(
        title="pipenv-ca doctor", theme=DIMMED_MONOKAI, code_format=_FORMAT, unique_id="doctor"
    )


def _line(finding: dict[str, Any]) -> Text:
    code = f" [{finding['code']}]" if finding["code"] else ""
    level = finding["level"]
    sentence = re.sub(
        r"until [0-9-]+ [0-9:]+ UTC", "until 2026-11-20 21:15 UTC", finding["sentence"]
    )
    sentence = re.sub(r"clock \d+ s apart", "clock 0 s apart", sentence)
    mark = "FAILURE" if level == "failure" else level
    text = Text(_wrapped(f"{finding['subject']}: {sentence}{code}", mark))
    text.stylize(_STYLES[level], 0, _INDENT)
    return text


def _wrapped(text: str, mark: str) -> str:
    first = f"  {mark}".ljust(_INDENT)
    return textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=" " * _INDENT)
