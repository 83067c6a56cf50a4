"""``pipenv-ca config``: the settings in use, and where each comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.programs import PIPENV_CA, run
from support.projects import write_pipfile
from support.runs import assert_error

ROLE = "arn:aws:iam::123456789012:role/reader"
PYPROJECT = """[tool.codeartifact-pipenv]
profile = "team"
private-packages = ["acme-*", "orb"]
"""


@pytest.fixture
def env(clean_env: dict[str, str], project: Path, tmp_path: Path) -> dict[str, str]:
    """Return an environment with settings in each place that can have some."""
    write_pipfile(project, "[packages]\n")
    (project / "pyproject.toml").write_text(PYPROJECT)
    path = tmp_path / "config.toml"
    path.write_text('profile = "mine"\nallowed-owners = ["123456789012"]\n')
    return clean_env | {"PIPENV_CA_CONFIG": str(path), "PIPENV_CA_DURATION": "1800"}


def printed(*options: str, env: dict[str, str], cwd: Path) -> dict[str, tuple[Any, str | None]]:
    done = run(PIPENV_CA, *options, "config", "--json", env=env, cwd=cwd)
    assert (done.status, done.stderr) == (0, "")
    rows = json.loads(done.stdout)["settings"]
    return {row["name"]: (row["value"], row["origin"]) for row in rows}


def test_config_names_the_strongest_place_of_each_setting(
    env: dict[str, str], project: Path
) -> None:
    pyproject, own = project / "pyproject.toml", env["PIPENV_CA_CONFIG"]
    (project / "src").mkdir()
    for folder in (project, project / "src"):
        found = printed("--ca-refresh", env=env, cwd=folder)
        assert str(found.pop("cache-dir")[0]).endswith("codeartifact-pipenv")
        assert {name: row for name, row in found.items() if row[1]} == {
            "refresh": (True, "--ca-refresh"),
            "duration": (1800, "PIPENV_CA_DURATION"),
            "profile": ("team", f"profile in {pyproject}"),
            "private-packages": (["acme-*", "orb"], f"private-packages in {pyproject}"),
            "allowed-owners": (["123456789012"], f"allowed-owners in {own}"),
        }
        assert found["fallback"] == (False, None)


def test_config_lists_the_settings_of_a_domain_table(env: dict[str, str], project: Path) -> None:
    path, table = env["PIPENV_CA_CONFIG"], '[domains."acme-123456789012"]'
    Path(path).write_text(f'role = "{ROLE}"\n{table}\nprofile = "work"\n')
    found = printed(env=env, cwd=project)
    assert found["role"] == found["domains.acme-123456789012.role"] == (ROLE, f"role in {path}")
    name = "domains.acme-123456789012.profile"
    assert found[name] == ("work", f"profile in {table} of {path}")
    assert printed("--ca-profile", "p", env=env, cwd=project)[name] == ("p", "--ca-profile")


def test_config_prints_a_line_per_setting_and_then_the_files_with_a_broken_pipfile(
    env: dict[str, str], project: Path
) -> None:
    (project / "Pipfile").write_text("[packages\n")
    done = run(PIPENV_CA, "config", env=env, cwd=project)
    assert (done.status, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f"profile team profile in {project / 'pyproject.toml'}" in lines
    assert {"refresh no default", "route - -"} <= set(lines)
    assert lines[-2:] == [str(project / "pyproject.toml"), env["PIPENV_CA_CONFIG"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.codeartifact-pipenv]\nduration = 7\n", "duration in "),
        ("[tool.codeartifact-pipenv\n", "cannot be read"),
    ],
)
def test_a_broken_settings_file_is_reported_with_its_path(
    text: str, message: str, env: dict[str, str], project: Path
) -> None:
    (project / "pyproject.toml").write_text(text)
    del env["PIPENV_CA_DURATION"]
    done = run(PIPENV_CA, "config", env=env, cwd=project)
    assert_error(done, 2, message, str(project / "pyproject.toml"))
