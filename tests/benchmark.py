"""What this program costs, as ratios of interleaved runs; run it as ``python tests/benchmark.py``.

Each row runs two commands in turn, against one sandbox, and shows the median of the ratios
of the pairs with its quartiles. Absolute times say more of the machine than of the program,
so none are judged, but for the last row: what a Pipfile of 50 sources and 1,000 packages takes
longer than one of a source and a package, in milliseconds, with a program that does nothing in
pipenv's place. Exit status 1 where a median is over its limit.

Every program runs from an environment as users have it: our package is installed, never editable,
and compiled to bytecode, as pip does it. (With PYTHONDONTWRITEBYTECODE a checkout is compiled
again at each start, which costs more than all the rest of this program.)

The rows of keyring compare three environments with one keyring in each: ours, keyring with a
backend that always answers None, and keyrings.codeartifact. The idle backend is there because
keyring's own default without any backend is to fail with a traceback, which takes longer than
an answer. Rows of the existing package stand beside ours for comparison; they have no limit.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import certifi
from support import (
    PYPI_SOURCE,
    make_private_packages,
    source,
    write_pipfile,
)

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ROOT = Path(__file__).parent.parent
_THIRTY = "".join(
    f'{name} = "*"\n'
    for name in [
        "attrs",
        "blinker",
        "certifi",
        "charset-normalizer",
        "click",
        "colorama",
        "decorator",
        "distlib",
        "docutils",
        "filelock",
        "idna",
        "iniconfig",
        "itsdangerous",
        "jinja2",
        "jmespath",
        "markupsafe",
        "more-itertools",
        "mypy-extensions",
        "packaging",
        "pathspec",
        "platformdirs",
        "pluggy",
        "pyasn1",
        "pygments",
        "pyparsing",
        "pytz",
        "six",
        "sortedcontainers",
        "tomlkit",
        "zipp",
    ]
)


# A backend that answers nothing: what keyring itself costs with any backend at all.
_IDLE = """
from keyring.backend import KeyringBackend

class IdleBackend(KeyringBackend):
    priority = 9

    def get_password(self, service, username):
        return None

    def set_password(self, service, username, password):
        raise NotImplementedError

    def delete_password(self, service, username):
        raise NotImplementedError
"""


class Row(NamedTuple):
    """Two commands that do the same, and how much more ours may take.

    The limit is a ratio, or where ``milliseconds`` is set a difference.
    """

    name: str
    ours: list[str]
    theirs: list[str]
    limit: float
    environ: Mapping[str, str]
    their_environ: Mapping[str, str]
    folder: Path
    pairs: int
    statuses: tuple[int, int] = (0, 0)
    milliseconds: bool = False


def main() -> int:
    """Measure every row and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15, help="pairs of runs a row (default 15)")
    parser.add_argument(
        "--aws", help="the AWS CLI to compare with (default: installed for the run)"
    )
    parser.add_argument("--only", default="", help="measure the rows that have this in their name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pipenv-ca-benchmark-") as name:
        folder = Path(name)
        ours = _install(folder / "ours", str(_ROOT))
        with Sandbox(domain="my-dom", repository="team") as sandbox:
            for wheel in make_private_packages(folder / "packages"):
                sandbox.publish(wheel)
            rows: list[Row] = []
            if "keyring" not in options.only:
                aws = options.aws or _install_aws(folder / "aws")
                rows += _rows(sandbox, folder, ours, aws, options.pairs)
            if not options.only or "keyring" in options.only:
                rows += _keyring_rows(sandbox, folder, ours, options.pairs)
            rows = [row for row in rows if options.only in row.name]
            results = [_measure(row) for row in rows]
    print(f"{'ours against theirs':<72} {'ratio':>7} {'quartiles':>14} {'limit':>6}")
    for row, (low, middle, high) in zip(rows, results, strict=True):
        verdict = "" if middle <= row.limit else "  OVER"
        if row.milliseconds:
            seen = f"{middle:>4.0f} ms {f'{low:.0f} to {high:.0f} ms':>14} {row.limit:>3.0f} ms"
        else:
            seen = f"{middle:>7.3f} {f'{low:.2f} to {high:.2f}':>14} {row.limit:>6.2f}"
        print(f"{row.name:<72} {seen}{verdict}")
    return int(any(middle > row.limit for row, (_, middle, _) in zip(rows, results, strict=True)))


def _rows(sandbox: Sandbox, folder: Path, scripts: Path, aws: str, pairs: int) -> Iterator[Row]:
    pipenv_ca, pipenv = str(scripts / "pipenv-ca"), str(scripts / "pipenv")
    home = folder / "home"
    project = folder / "project"
    public = folder / "public"
    for made in (home, project, public):
        made.mkdir()
    own = source(sandbox.endpoint)
    write_pipfile(project, own, '[packages]\norb-schema-generator = "*"\n')
    lonely = source(sandbox.add_repository("lonely"))
    write_pipfile(public, PYPI_SOURCE, lonely, f"[packages]\n{_THIRTY}")
    environ = sandbox.environ(_as_users_have_it()) | {
        "HOME": str(home),
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_NOSPIN": "1",
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
    }
    for place, command in ((project, "lock"), (project, "sync"), (public, "lock")):
        words = [pipenv_ca, command]
        subprocess.run(words, cwd=place, env=environ, check=True, capture_output=True)
    url = sandbox.endpoint.simple_url
    token = subprocess.run(
        [pipenv_ca, "token", url], env=environ, check=True, capture_output=True, text=True
    ).stdout.strip()
    exported = environ | {"CODEARTIFACT_AUTH_TOKEN": token}
    for words, limit in ((["--version"], 1.05), (["verify"], 1.08)):
        name = f"pipenv-ca {words[0]} : pipenv {words[0]}"
        ours, theirs = [pipenv_ca, *words], [pipenv, *words]
        yield Row(name, ours, theirs, limit, environ, environ, project, pairs)
    lint, version = [pipenv_ca, "lint"], [pipenv, "--version"]
    name = "pipenv-ca lint : pipenv --version"
    yield Row(name, lint, version, 0.6, environ, environ, project, pairs)
    bare = [str(scripts / "python"), "-c", "pass"]
    yield Row("pipenv-ca lint : python -c pass", lint, bare, 12.0, environ, environ, project, pairs)
    name = "pipenv-ca sync, cached token : pipenv sync, exported token"
    ours, theirs = [pipenv_ca, "sync"], [pipenv, "sync"]
    yield Row(name, ours, theirs, 1.12, environ, exported, project, pairs)
    yield from _token_rows(sandbox, folder, pipenv_ca, aws, environ, pairs)
    yield _large_row(sandbox, folder, pipenv_ca, environ, pairs)
    few = max(3, pairs // 3)
    ours, theirs = [pipenv_ca, "lock"], [pipenv, "lock"]
    name = "pipenv-ca lock : pipenv lock, one source"
    yield Row(name, ours, theirs, 1.10, environ, exported, project, few)
    name = "pipenv-ca lock by loopback : pipenv lock, 30 public packages"
    yield Row(name, ours, theirs, 1.25, environ, exported, public, few)


def _token_rows(
    sandbox: Sandbox,
    folder: Path,
    pipenv_ca: str,
    aws: str,
    environ: Mapping[str, str],
    pairs: int,
) -> Iterator[Row]:
    """Yield the rows of a token from AWS: with a small CA bundle, and with one of all the world.

    Both go through a CONNECT proxy, as in companies.
    """
    domain = sandbox.endpoint.domain
    cli = [aws, "codeartifact", "get-authorization-token", "--domain", domain.name]
    cli += ["--domain-owner", domain.owner, "--region", domain.region]
    cold = [pipenv_ca, "--ca-refresh", "token", sandbox.endpoint.simple_url]
    trusted = Path(environ["AWS_CA_BUNDLE"]).read_text(encoding="utf-8")
    own = trusted[trusted.rindex("-----BEGIN CERTIFICATE-----") :]
    for size, text in (("small", own), ("large", f"{certifi.contents()}\n{own}")):
        bundle = folder / f"{size}.pem"
        bundle.write_text(text, encoding="utf-8")
        given = dict(environ) | {"AWS_CA_BUNDLE": str(bundle)}
        name = f"pipenv-ca token, cold : aws get-authorization-token, {size} CA bundle"
        yield Row(name, cold, cli, 0.45, given, given, folder, pairs)


def _as_users_have_it() -> dict[str, str]:
    """Return this environment without what changes how programs start."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHON_KEYRING_BACKEND", "VIRTUAL_ENV")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith("PIPENV_CA_")
    }


def _large_row(
    sandbox: Sandbox, folder: Path, pipenv_ca: str, environ: Mapping[str, str], pairs: int
) -> Row:
    """Return the row that compares a large Pipfile with a small one."""
    sources = [
        source(sandbox.add_repository("team", domain=f"dom-{n}"), f"aws:${{T{n}}}@", f"dom-{n}")
        for n in range(24)
    ]
    sources += [source(sandbox.add_repository(f"r{n}"), name=f"r{n}") for n in range(25)]
    packages = "".join(
        f'package-{n} = {{version = "*", index = "r{n % 25}"}}\n'
        if n % 2
        else f'package-{n} = "*"\n'
        for n in range(1000)
    )
    small, large = folder / "small", folder / "large"
    for made in (small, large):
        made.mkdir()
    write_pipfile(small, PYPI_SOURCE, sources[-1], '[packages]\npackage-0 = "*"\n')
    write_pipfile(large, PYPI_SOURCE, *sources, f"[packages]\n{packages}")
    nothing = shutil.which("true") or "true"
    # (The folders are given by PIPENV_PIPFILE, since a row has one.)
    words = [pipenv_ca, "--ca-pipenv", nothing, "lock"]
    first, second = (dict(environ) | {"PIPENV_PIPFILE": str(f / "Pipfile")} for f in (large, small))
    name = "lock, 50 sources and 1,000 packages - one of each"
    return Row(name, words, words, 50, first, second, folder, pairs, milliseconds=True)


def _keyring_rows(sandbox: Sandbox, folder: Path, ours: Path, pairs: int) -> Iterator[Row]:
    idle = _install(folder / "idle", "keyring")
    existing = _install(folder / "existing", "keyrings.codeartifact")
    _add_idle_backend(idle)
    home = folder / "keyring-home"
    home.mkdir()
    environ = sandbox.environ(_as_users_have_it()) | {"HOME": str(home)}
    foreign, own = "https://example.org/", sandbox.endpoint.simple_url
    theirs = [str(idle / "keyring"), "get", foreign, "u"]
    for place, package, foreign_limit, own_limit in (
        (ours, "codeartifact-pipenv", 1.05, 1.10),
        (existing, "keyrings.codeartifact", math.inf, math.inf),
    ):
        keyring = str(place / "keyring")
        name = f"keyring get, another host, {package} : keyring"
        words = [keyring, "get", foreign, "aws"]
        yield Row(name, words, theirs, foreign_limit, environ, environ, folder, pairs, (1, 1))
        name = f"keyring get, our host, {package} : keyring"
        words = [keyring, "get", own, "aws"]
        yield Row(name, words, theirs, own_limit, environ, environ, folder, pairs, (0, 1))


def _install(folder: Path, requirement: str) -> Path:
    """Install a package into an environment of its own; return the folder of its scripts."""
    venv.create(folder, with_pip=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    words = [str(scripts / "python"), "-m", "pip", "install", "-q", requirement]
    subprocess.run(words, check=True, env=_as_users_have_it())
    return scripts


def _add_idle_backend(scripts: Path) -> None:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    words = [str(scripts / "python"), "-c", code]
    place = Path(subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip())
    (place / "idle_backend.py").write_text(_IDLE, encoding="utf-8")
    information = place / "idle_backend-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: idle-backend\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text("[keyring.backends]\nIdle = idle_backend\n")


def _measure(row: Row) -> tuple[float, float, float]:
    ratios = []
    for number in range(row.pairs + 1):
        ours = _time(row.ours, row.environ, row.folder, row.statuses[0])
        theirs = _time(row.theirs, row.their_environ, row.folder, row.statuses[1])
        if number:  # the first pair warms the disk's cache
            ratios.append(1000 * (ours - theirs) if row.milliseconds else ours / theirs)
    low, middle, high = statistics.quantiles(ratios, n=4)
    return low, middle, high


def _time(words: list[str], environ: Mapping[str, str], folder: Path, status: int) -> float:
    start = time.perf_counter()
    done = subprocess.run(words, env=dict(environ), cwd=folder, check=False, capture_output=True)
    took = time.perf_counter() - start
    if done.returncode != status:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
    return took


def _install_aws(folder: Path) -> str:
    found = shutil.which("aws", path=os.path.dirname(sys.executable))
    return found or str(_install(folder, "awscli") / "aws")


if __name__ == "__main__":
    sys.exit(main())
