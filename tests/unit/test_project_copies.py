"""The variables that make pipenv use the copies, and a .env that does not override them."""

from __future__ import annotations

import json
import os
import sys
from io import StringIO
from typing import TYPE_CHECKING

from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st
from support.programs import run

from codeartifact_pipenv.wrapper.run_files import (
    copy_path,
    dotenv_without,
    environment_name,
    project_lock,
)

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = (
    "My Project",
    "with `odd` [signs] & (more) $of @them!",
    "pröject",
    "a" * 60,
    "line\nbreak",
)
PYTHONS = ("", "3.11", "/usr/bin/python3", "0", "no")
_ASK = """
import json, os, sys
names = []
for path, python in json.loads(sys.argv[1]):
    os.environ |= {"PIPENV_PIPFILE": path, "PIPENV_PYTHON": python}
    from pipenv.project import Project
    names.append(Project(chdir=False).venv_locator.name)
print(json.dumps(names))
"""


def test_environment_name_is_the_one_that_pipenv_chooses(
    tmp_path: Path, clean_env: dict[str, str]
) -> None:
    asked = []
    for folder in FOLDERS:
        place = tmp_path / folder / "Pipfile"
        place.parent.mkdir()
        place.touch()
        asked += [(str(place), python) for python in PYTHONS]
    done = run(sys.executable, "-c", _ASK, json.dumps(asked), env=clean_env, cwd=tmp_path)
    assert done.status == 0, done.output
    ours = [environment_name(path, {"PIPENV_PYTHON": python}) for path, python in asked]
    assert ours == json.loads(done.stdout.splitlines()[-1])


names = st.sampled_from(["A", "B_C", "PIPENV_PIPFILE", "PIPENV_CUSTOM_VENV_NAME", "export D"])
values = st.sampled_from(["1", "'two\nlines'", '"${A}-x"', "", "a b # why", "'#'"])
lines = st.one_of(
    st.tuples(names, values).map("=".join), st.sampled_from(["# remark", "", "half", "  B = 2"])
)


@given(st.lists(lines))
def test_removing_variables_from_a_dotenv_keeps_the_others(written: list[str]) -> None:
    text = "\n".join(written)
    ours = ("PIPENV_PIPFILE", "PIPENV_CUSTOM_VENV_NAME")
    before = dotenv_values(stream=StringIO(text))
    after = dotenv_values(stream=StringIO(dotenv_without(ours, text)))
    assert after == {name: value for name, value in before.items() if name not in ours}


def test_two_pipfiles_of_a_folder_are_two_projects(tmp_path: Path) -> None:
    pipfile, other = str(tmp_path / "Pipfile"), str(tmp_path / "Other")
    copy = copy_path(other)
    open(copy, "w").close()
    with project_lock(pipfile, lambda: None) as first:
        assert os.path.exists(copy)
        with project_lock(other, lambda: None) as second:
            assert None not in (first, second)
            assert not os.path.exists(copy)
    assert list(tmp_path.iterdir()) == []
