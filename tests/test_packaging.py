"""Wheel and sdist hold what they should and nothing else, and are the same wherever they are made."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.checkout import project_table
from support.programs import run

from codeartifact_pipenv import __version__

pytestmark = pytest.mark.wide

_ROOT = Path(__file__).parent.parent
_DOCUMENTS = {
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "pyproject.toml",
    "setup.py",
}
# Folders and files that work leaves behind; the quickstart makes a lock, and the corpus has locks.
_JUNK = {"__pycache__", ".venv", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_LEFT_BEHIND = (
    "codeartifact_pipenv/__pycache__/cli.cpython-311.pyc",
    "codeartifact_pipenv/sandbox/__pycache__/cli.cpython-311.pyc",
    "tests/support/__pycache__/programs.cpython-311.pyc",
    "tests/.hypothesis/examples/0",
    "examples/quickstart/.venv/pyvenv.cfg",
    "examples/quickstart/Pipfile.lock",
    "examples/publish/app/Pipfile.lock",
    "examples/publish/dist/acme_greetings-1.0-py3-none-any.whl",
    "codeartifact_pipenv.egg-info/PKG-INFO",
    ".venv/pyvenv.cfg",
    ".git/HEAD",
    "dist/old.whl",
    "notes.txt",
)


def tree(*folders: str) -> set[str]:
    """Return the files of this project in some folders, without what work has left there."""
    found = {
        path.relative_to(_ROOT)
        for folder in folders
        for path in (_ROOT / folder).rglob("*")
        if path.is_file()
    }
    return {
        path.as_posix()
        for path in found
        if not _JUNK & {*path.parts} and path.as_posix() not in _LEFT_BEHIND
    }


def copy(folder: Path, *, touched: float) -> Path:
    """Copy what the tree is made of; its files were last changed then, seconds since 1970."""
    for name in _DOCUMENTS | tree("codeartifact_pipenv", "tests", "examples"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_ROOT / name, target)
        os.utime(target, (touched, touched))
    return folder


def build(source: Path, out: Path, **variables: str) -> Path:
    """Build an sdist, and a wheel from it; return the folder that they are in."""
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    words = (sys.executable, "-m", "build", "--outdir", out, source)
    done = run(*words, env=env | variables, cwd=out.parent)
    assert done.status == 0, done.output
    return out


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two copies of the project, the second one years younger and full of what work leaves."""
    folder = tmp_path_factory.mktemp("sources")
    clean = copy(folder / "clean", touched=1_500_000_000)
    used = copy(folder / "some where" / "else", touched=1_750_000_000)
    for name in _LEFT_BEHIND:
        path = used / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left behind")
    return clean, used


@pytest.fixture(scope="module")
def built(sources: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both from the copy with the files that work leaves behind."""
    return build(sources[1], tmp_path_factory.mktemp("dist"))


def test_the_wheel_contains_only_the_package_and_its_licence(built: Path) -> None:
    """It has every file of the package, the guides and the type marker."""
    [wheel] = built.glob("*.whl")
    info = f"codeartifact_pipenv-{__version__}.dist-info"
    own = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    package = tree("codeartifact_pipenv")
    assert "codeartifact_pipenv/py.typed" in package
    guides = {
        f"codeartifact_pipenv/guides/{name.rpartition('/')[2]}" for name in tree("examples/guides")
    }
    assert sorted(names) == sorted(package | guides | {f"{info}/{name}" for name in own})


def test_uvx_runs_the_wheel_outside_of_a_checkout(
    built: Path, clean_base: dict[str, str], tmp_path: Path
) -> None:
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


def test_pipx_run_runs_the_wheel(built: Path, clean_base: dict[str, str], tmp_path: Path) -> None:
    [wheel] = built.glob("*.whl")
    (tmp_path / "Pipfile").write_text('[[source]]\nname = "x"\nurl = "http://example.com/"\n')
    uvx = Path(sys.executable).parent / "uvx"
    env = {**clean_base, "PIPX_HOME": str(tmp_path / "pipx")}
    words = ("--python", sys.executable, "pipx", "run", "--spec", wheel, "codeartifact-pipenv")
    done = run(uvx, *words, "lint", env=env, cwd=tmp_path)
    assert "[url-http]" in done.output
    assert done.status == 0


def test_the_wheel_contains_the_guides_for_assistants(
    built: Path, clean_base: dict[str, str], tmp_path: Path
) -> None:
    [wheel] = built.glob("*.whl")
    script = "from codeartifact_pipenv.assistant.guides import guide_files\n"
    script += "print(*[path.name for path in guide_files()])"
    uv = Path(sys.executable).parent / "uv"
    words = ["run", "--no-project", "--python", sys.executable, "--with", str(wheel)]
    done = run(uv, *words, "python", "-c", script, env=clean_base, cwd=tmp_path)
    guides = sorted(path.name for path in (_ROOT / "examples" / "guides").glob("*.md"))
    assert done.stdout.split() == guides, done.output


def test_the_sdist_contains_package_tests_examples_and_documents(built: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    expected = tree("codeartifact_pipenv", "tests", "examples") | _DOCUMENTS | {"PKG-INFO"}
    top = f"codeartifact_pipenv-{__version__}"
    assert sorted(one.name for one in members) == sorted(f"{top}/{name}" for name in expected)
    assert all(one.isfile() for one in members)


def test_the_wheel_declares_its_commands_plugins_and_requirements(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    info = f"codeartifact_pipenv-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        points = archive.read(f"{info}/entry_points.txt").decode()
        metadata = message_from_bytes(archive.read(f"{info}/METADATA"))
    for line in (
        "pipenv-ca = codeartifact_pipenv.__main__:main",
        "codeartifact-pipenv = codeartifact_pipenv.__main__:main",
        "CodeArtifact = codeartifact_pipenv.auth.backend",
        "codeartifact_pipenv = codeartifact_pipenv.sandbox.pytest_plugin",
    ):
        assert line in points
    assert (metadata["Name"], metadata["Version"]) == ("codeartifact-pipenv", __version__)
    assert metadata["Requires-Python"] == ">=3.10"
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (_ROOT / "README.md").read_text(encoding="utf-8")
    assert set(metadata.get_all("Provides-Extra", [])) == {"login", "mcp", "sandbox", "test"}
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    declared = project_table()["dependencies"]
    assert {*map(Requirement, needed)} == {*map(Requirement, declared)}


def test_twine_check_passes_without_a_warning(built: Path) -> None:
    done = run(
        sys.executable,
        "-m",
        "twine",
        "check",
        "--strict",
        *built.iterdir(),
        env=os.environ,
        cwd=built,
    )
    assert (done.status, done.output.count("PASSED")) == (0, 2), done.output


@pytest.mark.parametrize(
    "epoch", [{}, {"SOURCE_DATE_EPOCH": "1700000000"}], ids=["as it is", "epoch"]
)
def test_builds_in_different_folders_are_identical(
    epoch: dict[str, str], sources: tuple[Path, Path], built: Path, tmp_path: Path
) -> None:
    """Times of files do not matter."""
    first = hashes(build(sources[0], tmp_path / "first", **epoch))
    second = hashes(build(sources[1], tmp_path / "second", **epoch) if epoch else built)
    assert len(first) == 2
    assert first == second


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_build_on_an_old_python_fails_before_anything_is_installed(tmp_path: Path) -> None:
    """The error names Python 3.10."""
    text = (_ROOT / "setup.py").read_text(encoding="utf-8")
    backend = f"import sys; sys.version_info = (3, 9, 25, 'final', 0); exec({text!r})"
    done = run(sys.executable, "-c", backend, env=dict(os.environ), cwd=tmp_path)
    assert (done.status, done.stderr) == (1, "codeartifact-pipenv needs Python 3.10 or newer.\n")
