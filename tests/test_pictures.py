"""The README's pictures show what a terminal of 80 columns shows."""

from __future__ import annotations

import html
import io
import re
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text
from support.acme import OWNER
from support.guides import ROOT
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import Terminal

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.wide

_PICTURES = ROOT / "examples/pictures"
_QUICKSTART = ROOT / "examples/quickstart"
_COLUMNS = 80
# Versions, times, ports, counts and hashes differ from run to run, and so does what pads them.
_MOVING = r"[0-9a-f]*\d[0-9a-f.]*|\s+"
# pipenv's own lines differ from version to version.
_OF_PIPENV = re.compile(r"(\$\s+pipenv-ca\s+(?:lock|sync)\s).*?(?=✓)", re.DOTALL)
# rich's own format loads a font from another host.
_FORMAT = re.sub(
    r"(?s)<!--.*?-->|@font-face.*?\}\}",
    "",
    CONSOLE_SVG_FORMAT.replace("Fira Code", "Menlo, Consolas"),
)


class Session:
    """A terminal on which commands are typed; ``shown`` has colours as escape sequences."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        # pipenv leaves out its ticks where CI is set.
        hidden = ("NO_COLOR", "CI", "TF_BUILD")
        self.env = {k: v for k, v in env.items() if k not in hidden} | {"TERM": "xterm-256color"}
        self.folder = folder
        self.shown = ""

    def type(self, *words: str, status: int = 0) -> None:
        """Run a command of ``pipenv-ca``, which ends with a status."""
        program = Terminal(PIPENV_CA, *words, env=self.env, cwd=self.folder, columns=_COLUMNS)
        with program as terminal:
            assert terminal.finish(300) == status, terminal.shown
        self.shown += f"\x1b[1m$ pipenv-ca {' '.join(words)}\x1b[0m\n{terminal.visible}\n"

    def assert_drawn(self, name: str) -> None:
        """Compare the texts of a picture with the terminal; draw it again if they differ."""
        path = _PICTURES / f"{name}.svg"
        drawn = picture(name, self.shown.replace(str(self.folder), "~/" + self.folder.name).strip())
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if texts(drawn) != texts(before):
            path.write_text(drawn, encoding="utf-8")
        assert texts(drawn) == texts(before), f"{path.name} was drawn again: look at it"


def picture(name: str, text: str) -> str:
    """Draw what a terminal shows; longer lines are cut at its last column."""
    console = Console(
        record=True,
        width=_COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    for line in Text.from_ansi(text).split(allow_blank=True):
        for part in line.divide(range(_COLUMNS, len(line), _COLUMNS)):
            console.print(part)
    return console.export_svg(
        title=f"pipenv-ca {name}", theme=DIMMED_MONOKAI, code_format=_FORMAT, unique_id=name
    )


def texts(svg: str) -> list[str]:
    """Return the words of a picture, without those that pipenv prints."""
    found = html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))
    return re.sub(_MOVING, " ", _OF_PIPENV.sub(r"\1", found)).split()


@pytest.fixture
def session(
    clean_base: dict[str, str], clean_env: dict[str, str], project: Path, tmp_path: Path
) -> Iterator[Session]:
    """Return a terminal in a project of acme's, which has one private package."""
    packages = [_QUICKSTART / "packages"]
    place = partial(Sandbox, packages, domain="acme", owner=OWNER, region="eu-west-1")
    with place(repository="team", upstream=False, base=clean_base) as sandbox:
        write_pipfile(
            project,
            PYPI_SOURCE,
            source(sandbox.endpoint),
            '[packages]\nacme-invoices = {version = "~=1.0", index = "codeartifact"}\n'
            'acme-invocies = {version = "*", index = "codeartifact"}\n',
        )
        own = {"PATH": "/nowhere", "PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}
        yield Session(sandbox.environ(clean_env) | own, project)


def test_doctor_looks_like_its_picture(session: Session) -> None:
    session.type("doctor", status=1)
    session.type("doctor", "acme-invoices")
    session.assert_drawn("doctor")


def test_lint_and_fix_look_like_their_picture(session: Session) -> None:
    pipfile = session.folder / "Pipfile"
    text = pipfile.read_text(encoding="utf-8").replace("/team/simple/", "/team")
    pipfile.write_text(text.replace('{version = "~=1.0", index = "codeartifact"}', '"~=1.0"'))
    session.type("lint", status=1)
    session.type("fix")
    session.assert_drawn("lint")


def test_the_demonstration_looks_like_its_picture(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "quickstart"
    others = shutil.ignore_patterns(".venv", "Pipfile.lock", "*.egg-info", "build", "__pycache__")
    shutil.copytree(_QUICKSTART, folder, ignore=others)
    # Making an environment prints this machine's paths.
    assert run(sys.executable, "-m", "venv", ".venv", env=clean_env, cwd=folder).status == 0
    session = Session(clean_env, folder.parent)
    session.type("sandbox", "demo", folder.name)
    session.assert_drawn("demo")


@pytest.mark.parametrize("path", sorted(_PICTURES.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_loads_nothing_from_another_host(path: Path) -> None:
    outside = re.sub(r"<text.*?</text>|http://www.w3.org/2000/svg", "", path.read_text("utf-8"))
    assert re.findall(r"https?://\S+|@import|@font-face|href", outside) == []
