"""The README's picture of doctor is what doctor prints."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text
from support.programs import PIPENV_CA
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import Terminal

from codeartifact_pipenv.sandbox.sandbox import Sandbox

_ROOT = Path(__file__).parent.parent
_PICTURE = _ROOT / "examples/doctor.svg"
_WIDTH = 100
# Text that differs between runs.
_MOVING = {r"\d+ checks are well": "21 checks are well"}
# rich's own format makes readers download a font.
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
            '[packages]\nacme-invoices = {version = "~=1.0", index = "codeartifact"}\n'
            'acme-invocies = {version = "*", index = "codeartifact"}\n',
        )
        env = sandbox.environ(clean_env) | {
            "PATH": "/nowhere",  # without a keyring
            "PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens"),
            "TERM": "xterm-256color",
        }
        del env["NO_COLOR"]
        text = ""
        for status, words in ((1, ("doctor",)), (0, ("doctor", "acme-invoices"))):
            program = Terminal(PIPENV_CA, *words, env=env, cwd=project, columns=_WIDTH)
            with program as terminal:
                assert terminal.finish() == status, terminal.shown
            text += f"\x1b[1m$ pipenv-ca {' '.join(words)}\x1b[0m\n{terminal.visible}\n"
    for pattern, still in _MOVING.items():
        text = re.sub(pattern, still, text)
    drawn = picture(text.rstrip())
    before = _PICTURE.read_text(encoding="utf-8") if _PICTURE.exists() else ""
    if drawn != before:
        _PICTURE.write_text(drawn, encoding="utf-8")
    assert drawn == before, "examples/doctor.svg was redrawn: check and commit it"


def picture(text: str) -> str:
    """Draw a terminal's text with its colour sequences."""
    console = Console(
        record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.from_ansi(text))
    return console.export_svg(
        title="pipenv-ca doctor", theme=DIMMED_MONOKAI, code_format=_FORMAT, unique_id="doctor"
    )
