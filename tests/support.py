"""What several test modules use: running programs for real, and writing projects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import tomlkit

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

SCRIPTS = Path(sys.executable).parent
PIPENV_CA = str(SCRIPTS / "pipenv-ca")
PIPENV = str(SCRIPTS / "pipenv")

# The default source that pipenv itself writes.
PYPI_SOURCE = '[[source]]\nurl = "https://pypi.org/simple"\nverify_ssl = true\nname = "pypi"\n'

_FOREIGN = (
    "AWS_",
    "CODEARTIFACT_",
    "COLUMNS",  # of whoever runs the tests
    "KEYRING_",
    "PIP_FIND_LINKS",
    "PIPENV_",
    "PYTHONDONTWRITEBYTECODE",  # it has every program compile the checkout again at each start
    "PYTHON_KEYRING",
    "UV_",
    "VIRTUAL_ENV",
    "XDG_",
)
# What says how this machine reaches the public index stays; what changes behaviour goes.
_KEPT_AWS = ("AWS_CA_BUNDLE",)


class Result(NamedTuple):
    """What a program did, as its user sees it."""

    status: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


# What programs were started by a test, and what they said: for the scanner of leaks.
SAID: list[tuple[str, Result]] = []


def clean_environment() -> dict[str, str]:
    """Return this process's environment without anybody's settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) or name in _KEPT_AWS
    }


def run(
    *words: str | Path,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float = 300,
    stdin: str | None = None,
) -> Result:
    """Run a program to its end; its output is text."""
    done = subprocess.run(
        [str(word) for word in words],
        env=dict(env),
        cwd=cwd,
        timeout=timeout,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
    )
    result = Result(done.returncode, done.stdout, done.stderr)
    SAID.append((" ".join(map(str, words)), result))
    return result


def source(
    endpoint: RepositoryEndpoint,
    userinfo: str = "aws:${CODEARTIFACT_AUTH_TOKEN}@",
    name: str = "codeartifact",
) -> str:
    """Return a [[source]] table for a repository."""
    url = endpoint.simple_url.replace("https://", f"https://{userinfo}")
    return f'[[source]]\nurl = "{url}"\nverify_ssl = true\nname = "{name}"\n'


def write_pipfile(folder: Path, *tables: str) -> Path:
    """Write a Pipfile from its tables, each a text of its own."""
    path = folder / "Pipfile"
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


def make_private_packages(folder: Path) -> list[Path]:
    """Make the private packages that the tests speak of.

    orb-schema-generator 1.0.1 and 1.1.0 needs orb-common, which is private too, and six,
    which is public.
    """
    module = {"orb_schema_generator/__init__.py": ""}
    needs = ("orb-common", "six")
    return [
        make_wheel(folder, "orb-common", "2.0.0", modules={"orb_common/__init__.py": ""}),
        make_wheel(folder, "orb-schema-generator", "1.0.1", requires=needs, modules=module),
        make_wheel(folder, "orb-schema-generator", "1.1.0", requires=needs, modules=module),
    ]


def pipfile_hash(text: str) -> str:
    """Return the hash of a Pipfile that every pipenv has written since its beginnings."""
    from codeartifact_pipenv.project.edit import pipfile_hashes

    return pipfile_hashes(text)[0]


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every regular file below a folder."""
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory) / name
            if path.is_file() and not path.is_symlink():
                yield path


def files_with(secret: str, folders: Iterable[Path]) -> list[Path]:
    """Return the files below some folders that hold a secret."""
    needle = secret.encode()
    return [
        path for folder in folders for path in files_below(folder) if needle in path.read_bytes()
    ]


def project_table() -> dict[str, Any]:
    """Return the table ``project`` of this project's own pyproject.toml."""
    path = Path(__file__).parent.parent / "pyproject.toml"
    found: dict[str, Any] = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()["project"]
    return found
