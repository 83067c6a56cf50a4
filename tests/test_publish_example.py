"""The example of publishing, run as its README says, from an empty account."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from support.clients import client_environment
from support.guides import ROOT, document, script, section
from support.programs import SCRIPTS, run
from support.sandbox import client_of
from support.traces import files_with

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

TITLES = ("From a fresh checkout to a published package", "twine", "uv", "Install it")


@pytest.mark.wide
@pytest.mark.parametrize("other", ["twine", "uv"])
def test_commands_of_the_readme_publish_the_package_and_run_the_application(
    other: str, clean_base: dict[str, str], clean_env: dict[str, str], tmp_path: Path
) -> None:
    """The README publishes by twine or by uv."""
    checkout = tmp_path / "publish"
    unwanted = shutil.ignore_patterns(".venv", "*.lock", "dist")
    shutil.copytree(ROOT / "examples" / "publish", checkout, ignore=unwanted)
    text = document("examples/publish/README.md")
    lines = script(*(section(text, title) for title in TITLES if title != other))
    with Sandbox(base=clean_base) as running:
        env = client_environment(running, clean_env, tmp_path / "tokens")
        env["PATH"] = f"{SCRIPTS}:{env['PATH']}"
        done = run("bash", "-c", lines, env=env, cwd=checkout, timeout=400)
        assert done.status == 0, done.output[-6000:]
        assert done.stdout.endswith("Hello, world!\n")
        aws = client_of(running, "codeartifact", running.user, "eu-west-1")
        names = {"domain": "acme", "repository": "team"}
        found = aws.list_package_versions(
            **names, format="pypi", package="acme-greetings", originType="INTERNAL"
        )
        packages = aws.list_packages(**names, upstream="BLOCK")
        aws.close()
    assert [each["version"] for each in found["versions"]] == ["1.0.0"]
    assert [each["package"] for each in packages["packages"]] == ["acme-greetings"]
    assert files_with("eyJ2ZXIi", [checkout]) == []
