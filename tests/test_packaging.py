"""The wheel and the sdist hold what they should, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from support import run

_ROOT = Path(__file__).parent.parent
_PACKAGE = {
    path.relative_to(_ROOT).as_posix()
    for path in (_ROOT / "codeartifact_pipenv").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}
_GUIDES = {
    f"codeartifact_pipenv/guides/{path.name}" for path in (_ROOT / "examples/guides").iterdir()
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both; return the folder that they are in."""
    folder = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "build", "--outdir", str(folder), str(_ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.wide
def test_the_wheel_holds_the_package_alone(built: Path) -> None:
    """The wheel has every file of the package, the guides, the type marker and the licence."""
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    outside = {name for name in names if ".dist-info/" not in name}
    assert outside == _PACKAGE | _GUIDES
    assert "codeartifact_pipenv/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.wide
def test_the_wheel_declares_its_commands_and_its_backend(built: Path) -> None:
    """The wheel brings both commands, the keyring backend, and asks for Python 3.10."""
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        info = {name.rpartition("/")[2]: name for name in archive.namelist() if "dist-info" in name}
        points = archive.read(info["entry_points.txt"]).decode()
        metadata = message_from_string(archive.read(info["METADATA"]).decode())
    for line in (
        "pipenv-ca = codeartifact_pipenv.__main__:main",
        "codeartifact-pipenv = codeartifact_pipenv.__main__:main",
        "CodeArtifact = codeartifact_pipenv.auth.backend",
    ):
        assert line in points
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "MIT"


@pytest.mark.wide
def test_the_wheel_runs_without_being_installed(
    built: Path, clean_base: dict[str, str], tmp_path: Path
) -> None:
    """`uvx` runs the wheel by the package's name, with nothing of a checkout in reach."""
    [wheel] = built.glob("*.whl")
    (tmp_path / "Pipfile").write_text('[[source]]\nname = "x"\nurl = "http://example.com/"\n')
    uvx = Path(sys.executable).parent / "uvx"
    env = {**clean_base, "UV_TOOL_DIR": str(tmp_path / "tools")}
    for words, status, said in (
        (["lint"], 0, "[url-http]"),
        (["--ca-version"], 0, "codeartifact-pipenv "),
        (["--version"], 0, "pipenv, version "),
        (["mcp"], 1, "pip install 'codeartifact-pipenv[mcp]'"),
    ):
        start = (uvx, "--python", sys.executable, "--from", wheel)
        done = run(*start, "codeartifact-pipenv", *words, env=env, cwd=tmp_path)
        assert done.status == status, done.output
        assert said in done.output


@pytest.mark.wide
def test_the_wheel_runs_by_pipx(built: Path, clean_base: dict[str, str], tmp_path: Path) -> None:
    """`pipx run` does the same."""
    [wheel] = built.glob("*.whl")
    (tmp_path / "Pipfile").write_text('[[source]]\nname = "x"\nurl = "http://example.com/"\n')
    uvx = Path(sys.executable).parent / "uvx"
    env = {**clean_base, "PIPX_HOME": str(tmp_path / "pipx")}
    words = ("--python", sys.executable, "pipx", "run", "--spec", wheel, "codeartifact-pipenv")
    done = run(uvx, *words, "lint", env=env, cwd=tmp_path)
    assert "[url-http]" in done.output
    assert done.status == 0


@pytest.mark.wide
def test_the_wheel_brings_the_guides(
    built: Path, clean_base: dict[str, str], tmp_path: Path
) -> None:
    """An assistant reads the guides out of the wheel."""
    [wheel] = built.glob("*.whl")
    script = "from codeartifact_pipenv.assistant.guides import guide; print(guide('lint')[0])"
    uv = Path(sys.executable).parent / "uv"
    words = ["run", "--no-project", "--python", sys.executable, "--with", f"{wheel}[mcp]"]
    done = run(uv, *words, "python", "-c", script, env=clean_base, cwd=tmp_path)
    assert done.stdout == "What lint finds: every code, and what to do\n", done.output


@pytest.mark.wide
def test_the_sdist_holds_package_tests_and_examples(built: Path) -> None:
    """The sdist has the package, the tests, the examples and the documents."""
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= _PACKAGE
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "tests/conftest.py"):
        assert name in names
    assert "examples/quickstart/Pipfile" in names
    assert not [name for name in names if "__pycache__" in name or "/.venv/" in name]
