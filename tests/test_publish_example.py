"""The example of publishing, run as its README says, from an empty account."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.clients import client_environment
from support.files import files_with
from support.guides import blocks, section
from support.programs import SCRIPTS, run
from support.sandbox import client_of

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXAMPLE = Path(__file__).parent.parent / "examples" / "publish"


def commands(title: str) -> Iterator[str]:
    """Yield the commands of a section of the README."""
    text = (_EXAMPLE / "README.md").read_text(encoding="utf-8")
    for language, block in blocks(section(text, title)):
        assert language == "sh"
        yield from block.splitlines()


FIRST = "From a fresh checkout to a published package"


@pytest.mark.wide
@pytest.mark.parametrize("tool", ["twine", "uv"])
def test_the_example(
    tool: str, clean_base: dict[str, str], clean_env: dict[str, str], tmp_path: Path
) -> None:
    """The README's commands alone create the index, the reserved name, the package and the application."""
    checkout = tmp_path / "publish"
    shutil.copytree(_EXAMPLE, checkout, ignore=shutil.ignore_patterns(".venv", "*.lock", "dist"))
    with Sandbox(base=clean_base) as running:
        env = client_environment(running, clean_env, tmp_path / "tokens")
        env["PATH"] = f"{SCRIPTS}:{env['PATH']}"
        titles = (FIRST, tool, "Install it")
        script = ["set -eu", *(line for title in titles for line in commands(title))]
        done = run("bash", "-c", "\n".join(script), env=env, cwd=checkout, timeout=400)
        assert done.status == 0, done.output[-6000:]
        assert done.stdout.endswith("Hello, world!\n")
        aws = client_of(running, "codeartifact", running.user, "eu-west-1")
        found = aws.list_package_versions(
            domain="acme",
            repository="team",
            format="pypi",
            package="acme-greetings",
            originType="INTERNAL",
        )
        packages = aws.list_packages(domain="acme", repository="team", upstream="BLOCK")
        aws.close()
    assert [each["version"] for each in found["versions"]] == ["1.0.0"]
    assert [each["package"] for each in packages["packages"]] == ["acme-greetings"]
    assert files_with("eyJ2ZXIi", [checkout]) == []


def test_each_section_of_the_publish_example_has_commands() -> None:
    for title in (FIRST, "twine", "uv", "Install it"):
        assert list(commands(title))
