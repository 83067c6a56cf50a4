"""The guide to provisioning, followed from an empty account."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.provision import Account, enter_account

from codeartifact_pipenv.provision.cli import PARTS
from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path as Folder

_GUIDE = (Path(__file__).parent.parent / "examples/guides/provision.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^pipenv-ca provision (.+)$", _GUIDE, re.MULTILINE)


@pytest.mark.wide
def test_the_guide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Folder
) -> None:
    """The commands work in order; those that change something have nothing left to do when repeated."""
    monkeypatch.chdir(tmp_path)
    with Sandbox(upstream=False) as running:
        enter_account(running, monkeypatch)
        for name, value in {"HOME": tmp_path, "PIPENV_CA_CACHE_DIR": tmp_path / "tokens"}.items():
            monkeypatch.setenv(name, str(value))
        for name in ("VIRTUAL_ENV", "XDG_CONFIG_HOME", "PIP_CONFIG_FILE"):
            monkeypatch.delenv(name, raising=False)
        account = Account(running, capsys)
        for command in COMMANDS:
            words = shlex.split(command.partition(" > ")[0])
            status, said = account.provision(*words)
            assert status == 0, f"{command}: {said}"
            if "--yes" in words:
                assert account.json(*words)["plan"] == []
        account.aws.close()
    assert {words.split()[0] for words in COMMANDS} >= set(PARTS)


def test_options_of_the_guide_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option in the guide appears in a help text."""
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
