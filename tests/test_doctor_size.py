"""doctor in a project with a thousand packages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, source, write_pipfile

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.wide

NAMES = [f"acme-part-{number}" for number in range(1000)]


@pytest.mark.parametrize(("published", "public_first"), [(True, True), (False, False)])
def test_doctor_checks_a_thousand_packages(
    published: bool,
    public_first: bool,
    clean_env: dict[str, str],
    clean_base: dict[str, str],
    project: Path,
    tmp_path: Path,
) -> None:
    with Sandbox(domain="my-dom", repository="big", upstream=False, base=clean_base) as sandbox:
        if published:
            for name in NAMES:
                sandbox.publish(make_wheel(tmp_path / "wheels", name, "1.0"))
        value = '{version = "*", index = "codeartifact"}' if public_first else '"*"'
        entries = "\n".join(f"{name} = {value}" for name in NAMES)
        tables = [PYPI_SOURCE] if public_first else []
        write_pipfile(project, *tables, source(sandbox.endpoint), f"[packages]\n{entries}\n")
        done = run(PIPENV_CA, "doctor", "--json", env=sandbox.environ(clean_env), cwd=project)
    sections = {
        section["title"]: section["findings"] for section in json.loads(done.stdout)["sections"]
    }
    seen = {finding["subject"] for finding in sections["Packages"]}
    assert {f"package {name}" for name in NAMES} <= seen
    wrong = {finding["code"] for finding in sections["Packages"]}
    assert wrong == ({None} if published else {"package-missing"}), wrong
