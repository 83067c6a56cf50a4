"""Wheel and sdist contain the right files, and are the same wherever they are built."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
import tarfile
import zipfile
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest
from support.guides import ROOT, document
from support.programs import SCRIPTS, run

from codeartifact_pipenv import __version__

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.wide

INFO = f"codeartifact_pipenv-{__version__}.dist-info"
DOCUMENTS = {".gitignore", "LICENSE", "pyproject.toml", "setup.py"}
DOCUMENTS |= {f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "README", "SECURITY")}
# Folders that work leaves behind.
JUNK = {"__pycache__", ".venv", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
# Files that work leaves behind; the quickstart makes a lock, and the corpus has locks.
LEFT_BEHIND = (
    *("codeartifact_pipenv/__pycache__/cli.cpython-311.pyc", "tests/.hypothesis/examples/0"),
    *("tests/support/__pycache__/programs.cpython-311.pyc", "examples/quickstart/.venv/pyvenv.cfg"),
    *("examples/quickstart/Pipfile.lock", "examples/publish/app/Pipfile.lock"),
    *("examples/publish/dist/acme_greetings-1.0-py3-none-any.whl", ".venv/pyvenv.cfg", ".git/HEAD"),
    *("codeartifact_pipenv.egg-info/PKG-INFO", "dist/old.whl", "notes.txt"),
)


def tree(*folders: str) -> set[str]:
    """Return the files of this project in some folders, without what work has left there."""
    files = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    found = {path.relative_to(ROOT) for path in files}
    return {path.as_posix() for path in found if not JUNK & {*path.parts}} - {*LEFT_BEHIND}


def copy(folder: Path, *, touched: float) -> Path:
    """Copy what the tree is made of; its files were last changed then, seconds since 1970."""
    for name in DOCUMENTS | tree("codeartifact_pipenv", "tests", "examples"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
        os.utime(target, (touched, touched))
    return folder


def build(source: Path, out: Path) -> Path:
    """Build an sdist, and a wheel from it; return the folder that they are in."""
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    words = (sys.executable, "-m", "build", "--outdir", out, source)
    done = run(*words, env=env, cwd=out.parent)
    assert done.status == 0, done.output
    return out


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy that is full of what work leaves behind."""
    folder = copy(tmp_path_factory.mktemp("some where") / "else", touched=1_750_000_000)
    for name in LEFT_BEHIND:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left behind")
    return build(folder, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


def test_the_wheel_contains_only_the_package_its_guides_and_its_licence(wheel: Path) -> None:
    own = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    package = tree("codeartifact_pipenv")
    assert "codeartifact_pipenv/py.typed" in package
    names = {name.rpartition("/")[2] for name in tree("examples/guides")}
    guides = {f"codeartifact_pipenv/guides/{name}" for name in names}
    with zipfile.ZipFile(wheel) as archive:
        found = archive.namelist()
    assert sorted(found) == sorted(package | guides | {f"{INFO}/{name}" for name in own})


UVX = "uvx --python PYTHON --from WHEEL codeartifact-pipenv"
GUIDES = " ".join(sorted(path.name for path in ROOT.glob("examples/guides/*.md")))
SHOW = "from codeartifact_pipenv.assistant.guides import *; print(*[p.name for p in guide_files()])"


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (f"{UVX} --version", 0, "pipenv, version "),
        (f"{UVX} mcp", 1, "pip install 'codeartifact-pipenv[mcp]'"),
        ("uvx --python PYTHON pipx run --spec WHEEL codeartifact-pipenv lint", 0, "[url-http]"),
        (f"uv run --no-project --python PYTHON --with WHEEL python -c '{SHOW}'", 0, GUIDES),
    ],
    ids=["version", "mcp", "pipx", "guides"],
)
def test_the_wheel_works_outside_of_a_checkout(
    command: str, status: int, said: str, wheel: Path, clean_base: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "Pipfile").write_text('[[source]]\nname = "x"\nurl = "http://example.com/"\n')
    text = command.replace("PYTHON", sys.executable).replace("WHEEL", str(wheel))
    folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "PIPX_HOME": str(tmp_path / "pipx")}
    program, *words = shlex.split(text)
    done = run(SCRIPTS / program, *words, env=clean_base | folders, cwd=tmp_path)
    assert done.status == status, done.output
    assert said in done.output


def test_the_sdist_contains_package_tests_examples_and_documents(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    expected = tree("codeartifact_pipenv", "tests", "examples") | DOCUMENTS | {"PKG-INFO"}
    top = f"codeartifact_pipenv-{__version__}"
    assert sorted(one.name for one in members) == sorted(f"{top}/{name}" for name in expected)
    assert all(one.isfile() for one in members)


def test_the_wheel_declares_its_commands_plugins_and_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        points = archive.read(f"{INFO}/entry_points.txt").decode()
        metadata = message_from_bytes(archive.read(f"{INFO}/METADATA"))
    for line in (
        "pipenv-ca = codeartifact_pipenv.__main__:main",
        "CodeArtifact = codeartifact_pipenv.auth.backend",
        "codeartifact_pipenv = codeartifact_pipenv.sandbox.pytest_plugin",
    ):
        assert line in points
    assert metadata.get_payload() == document("README.md")
    assert set(metadata.get_all("Provides-Extra", [])) == {"login", "mcp", "sandbox", "test"}


def test_twine_check_passes_without_a_warning(built: Path) -> None:
    words = ("check", "--strict", *map(str, built.iterdir()))
    done = run(SCRIPTS / "twine", *words, env=os.environ, cwd=built)
    assert (done.status, done.output.count("PASSED")) == (0, 2), done.output


def test_a_build_in_another_folder_years_before_is_the_same(
    built: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    clean = copy(tmp_path_factory.mktemp("clean"), touched=1_500_000_000)
    assert hashes(build(clean, tmp_path / "dist")) == hashes(built)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_build_on_an_old_python_fails_before_anything_is_installed(tmp_path: Path) -> None:
    text = document("setup.py")
    backend = f"import sys; sys.version_info = (3, 9, 25, 'final', 0); exec({text!r})"
    done = run(sys.executable, "-c", backend, env=dict(os.environ), cwd=tmp_path)
    assert (done.status, done.stderr) == (1, "codeartifact-pipenv needs Python 3.10 or newer.\n")
