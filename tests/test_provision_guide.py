"""The guide to provisioning, followed from an empty account."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.provision import open_account, use_home

from codeartifact_pipenv.provision.cli import PARTS

if TYPE_CHECKING:
    from pathlib import Path as Folder

_GUIDE = (Path(__file__).parent.parent / "examples/guides/provision.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^pipenv-ca provision (.+)$", _GUIDE, re.MULTILINE)


@pytest.mark.wide
def test_the_commands_of_the_guide_work_in_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Folder
) -> None:
    """A repeated command that changes something has nothing left to do."""
    monkeypatch.chdir(tmp_path)
    with open_account(monkeypatch, capsys, upstream=False) as account:
        use_home(monkeypatch, tmp_path)
        for command in COMMANDS:
            words = shlex.split(command.partition(" > ")[0])
            account.says(*words)
            if "--yes" in words:
                assert account.json(*words)["plan"] == []
    assert {words.split()[0] for words in COMMANDS} >= set(PARTS)


def test_help_shows_every_option_of_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    from codeartifact_pipenv.provision import cli
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import SETTINGS, Settings

    for part in ([], *([part] for part in PARTS)):
        with pytest.raises(SystemExit):
            cli.main([*part, "--help"], Settings({}, {}), Report())
    shown = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    shown |= {setting.option for setting in SETTINGS.values()}
    ours = re.sub(r"^aws .*$", "", _GUIDE, flags=re.MULTILINE)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) <= shown
