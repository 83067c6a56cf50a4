"""What this program costs, as ratios of interleaved runs; run it as ``python tests/benchmark.py``.

Each row runs two commands in turn, against one sandbox, and shows the median of the ratios
of the pairs with its quartiles. Absolute times say more of the machine than of the program,
so none are judged, but for one row: what a Pipfile of 50 sources and 1,000 packages takes
longer than one of a source and a package, in milliseconds, with a program that does nothing in
pipenv's place. Exit status 1 where a median is over its limit.

Every program runs from an environment as users have it: our package is installed, never editable,
and compiled to bytecode, as pip does it. (With PYTHONDONTWRITEBYTECODE a checkout is compiled
again at each start, which costs more than all the rest of this program.)

The rows of keyring compare three environments with one keyring in each: ours, keyring with a
backend that always answers None, and keyrings.codeartifact. The idle backend is there because
keyring's own default without any backend is to fail with a traceback, which takes longer than
an answer. Rows of the existing package stand beside ours for comparison; they have no limit.

What downloads cost is measured by ``benchmark_downloads``, and printed below the other rows.
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
from contextlib import ExitStack
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import certifi
from benchmark_downloads import Downloads, show
from support.benchmark import ROOT, SCRIPTS, THIRTY, as_users_have_it, install, timed
from support.projects import PYPI_SOURCE, make_private_packages, source, write_pipfile
from support.sandbox import get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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

    The limit is a ratio, or where ``milliseconds`` is set a difference. ``prepare`` is called before
    they run, and does what many rows need only once.
    """

    name: str
    ours: list[str]
    theirs: list[str]
    limit: float
    environ: Mapping[str, str]
    their_environ: Mapping[str, str]
    folder: Path
    pairs: int
    prepare: Callable[[], object]
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
        programs = Programs(Path(name), options.aws)
        with Sandbox(domain="my-dom", repository="team") as sandbox:
            for wheel in make_private_packages(programs.folder / "packages"):
                sandbox.publish(wheel)
            found = chain(
                _rows(sandbox, programs, options.pairs),
                _keyring_rows(sandbox, programs, options.pairs),
            )
            rows = [row for row in found if options.only in row.name]
            over = _show(rows, [_measure(row) for row in rows])
        with ExitStack() as stack:
            few = max(3, options.pairs // 3)
            downloads = Downloads(programs.folder, programs.ours, programs.install, few, stack)
            over |= show([row for row in downloads.rows() if options.only in row.name])
    return int(over)


def _show(rows: list[Row], results: list[tuple[float, float, float]]) -> bool:
    """Print a table; return whether a row is over its limit."""
    if not rows:
        return False
    print(f"{'ours against theirs':<72} {'ratio':>7} {'quartiles':>14} {'limit':>6}")
    for row, (low, middle, high) in zip(rows, results, strict=True):
        verdict = "" if middle <= row.limit else "  OVER"
        if row.milliseconds:
            seen = f"{middle:>4.0f} ms {f'{low:.0f} to {high:.0f} ms':>14} {row.limit:>3.0f} ms"
        else:
            seen = f"{middle:>7.3f} {f'{low:.2f} to {high:.2f}':>14} {row.limit:>6.2f}"
        print(f"{row.name:<72} {seen}{verdict}")
    return any(middle > row.limit for row, (_, middle, _) in zip(rows, results, strict=True))


class Programs:
    """The programs that are measured, each installed when a row first needs it.

    Args:
        folder: where they are installed.
        aws: the AWS CLI to use; None for this environment's, or else a new one.
    """

    def __init__(self, folder: Path, aws: str | None) -> None:
        self.folder = folder
        self.ours, self.idle, self.existing, own = (
            folder / name / SCRIPTS for name in ("ours", "idle", "existing", "aws")
        )
        found = aws or shutil.which("aws", path=os.path.dirname(sys.executable))
        self.aws = found or str(own / "aws")
        self._needs_aws = not found

    @cache  # noqa: B019 - there is one object for the whole run
    def install(self) -> None:
        """Install this package, and pipenv with it."""
        install(self.folder / "ours", str(ROOT))

    @cache  # noqa: B019 - as above
    def install_aws(self) -> None:
        """Install this package and, unless there is one, the AWS CLI."""
        self.install()
        if self._needs_aws:
            install(self.folder / "aws", "awscli")

    @cache  # noqa: B019 - as above
    def install_keyrings(self) -> None:
        """Install this package, keyring with a backend that is idle, and the existing package."""
        self.install()
        _add_idle_backend(install(self.folder / "idle", "keyring"))
        install(self.folder / "existing", "keyrings.codeartifact")


def _rows(sandbox: Sandbox, programs: Programs, pairs: int) -> Iterator[Row]:
    folder, scripts = programs.folder, programs.ours
    pipenv_ca, pipenv = str(scripts / "pipenv-ca"), str(scripts / "pipenv")
    home = folder / "home"
    project = folder / "project"
    public = folder / "public"
    for made in (home, project, public):
        made.mkdir()
    own = source(sandbox.endpoint)
    write_pipfile(project, own, '[packages]\norb-schema-generator = "*"\n')
    lonely = source(sandbox.add_repository("lonely"))
    write_pipfile(public, PYPI_SOURCE, lonely, f"[packages]\n{THIRTY}")
    environ = sandbox.environ(as_users_have_it()) | {
        "HOME": str(home),
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_NOSPIN": "1",
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
    }
    exported = environ | {"CODEARTIFACT_AUTH_TOKEN": get_token(sandbox)}

    @cache
    def lock() -> None:
        programs.install()
        for command in ("lock", "sync"):
            timed([pipenv_ca, command], environ, project)

    for words, limit in ((["--version"], 1.05), (["verify"], 1.08)):
        name = f"pipenv-ca {words[0]} : pipenv {words[0]}"
        ours, theirs = [pipenv_ca, *words], [pipenv, *words]
        yield Row(name, ours, theirs, limit, environ, environ, project, pairs, lock)
    lint, version = [pipenv_ca, "lint"], [pipenv, "--version"]
    name = "pipenv-ca lint : pipenv --version"
    yield Row(name, lint, version, 0.6, environ, environ, project, pairs, lock)
    bare = [str(scripts / "python"), "-c", "pass"]
    name = "pipenv-ca lint : python -c pass"
    yield Row(name, lint, bare, 12.0, environ, environ, project, pairs, lock)
    name = "pipenv-ca sync, cached token : pipenv sync, exported token"
    ours, theirs = [pipenv_ca, "sync"], [pipenv, "sync"]
    yield Row(name, ours, theirs, 1.12, environ, exported, project, pairs, lock)
    yield from _token_rows(sandbox, programs, environ, pairs)
    yield _large_row(sandbox, programs, environ, pairs)
    few = max(3, pairs // 3)
    ours, theirs = [pipenv_ca, "lock"], [pipenv, "lock"]
    name = "pipenv-ca lock : pipenv lock, one source"
    yield Row(name, ours, theirs, 1.15, environ, exported, project, few, lock)
    name = "pipenv-ca lock by loopback : pipenv lock, 30 public packages"
    yield Row(name, ours, theirs, 1.25, environ, exported, public, few, lock)


def _token_rows(
    sandbox: Sandbox, programs: Programs, environ: Mapping[str, str], pairs: int
) -> Iterator[Row]:
    """Yield the rows of a token from AWS: with a small CA bundle, and with one of all the world.

    Both go through a CONNECT proxy, as in companies.
    """
    domain = sandbox.endpoint.domain
    cli = [programs.aws, "codeartifact", "get-authorization-token", "--domain", domain.name]
    cli += ["--domain-owner", domain.owner, "--region", domain.region]
    cold = [str(programs.ours / "pipenv-ca"), "--ca-refresh", "token", sandbox.endpoint.simple_url]
    trusted = Path(environ["AWS_CA_BUNDLE"]).read_text(encoding="utf-8")
    own = trusted[trusted.rindex("-----BEGIN CERTIFICATE-----") :]
    for size, text in (("small", own), ("large", f"{certifi.contents()}\n{own}")):
        bundle = programs.folder / f"{size}.pem"
        bundle.write_text(text, encoding="utf-8")
        given = dict(environ) | {"AWS_CA_BUNDLE": str(bundle)}
        name = f"pipenv-ca token, cold : aws get-authorization-token, {size} CA bundle"
        place, prepare = programs.folder, programs.install_aws
        yield Row(name, cold, cli, 0.45, given, given, place, pairs, prepare)


def _large_row(sandbox: Sandbox, programs: Programs, environ: Mapping[str, str], pairs: int) -> Row:
    """Return the row that compares a large Pipfile with a small one."""
    folder = programs.folder
    sources = [
        source(
            sandbox.add_repository("team", domain=f"dom-{n}"), f"aws:${{T{n}_TOKEN}}@", f"dom-{n}"
        )
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
    words = [str(programs.ours / "pipenv-ca"), "--ca-pipenv", nothing, "lock"]
    first, second = (dict(environ) | {"PIPENV_PIPFILE": str(f / "Pipfile")} for f in (large, small))
    name = "lock, 50 sources and 1,000 packages - one of each"
    prepare = programs.install
    return Row(name, words, words, 50, first, second, folder, pairs, prepare, milliseconds=True)


def _keyring_rows(sandbox: Sandbox, programs: Programs, pairs: int) -> Iterator[Row]:
    folder, prepare = programs.folder, programs.install_keyrings
    home = folder / "keyring-home"
    home.mkdir()
    environ = sandbox.environ(as_users_have_it()) | {"HOME": str(home)}
    foreign, own = "https://example.org/", sandbox.endpoint.simple_url
    theirs = [str(programs.idle / "keyring"), "get", foreign, "u"]
    for place, package, limits in (
        (programs.ours, "codeartifact-pipenv", (1.05, 1.10)),
        (programs.existing, "keyrings.codeartifact", (math.inf, math.inf)),
    ):
        for where, url, limit, status in (
            ("another host", foreign, limits[0], 1),
            ("our host", own, limits[1], 0),
        ):
            name = f"keyring get, {where}, {package} : keyring"
            words, statuses = [str(place / "keyring"), "get", url, "aws"], (status, 1)
            yield Row(
                name, words, theirs, limit, environ, environ, folder, pairs, prepare, statuses
            )


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
    row.prepare()
    ratios = []
    for number in range(row.pairs + 1):
        ours = timed(row.ours, row.environ, row.folder, row.statuses[0])
        theirs = timed(row.theirs, row.their_environ, row.folder, row.statuses[1])
        if number:  # the first pair warms the disk's cache
            ratios.append(1000 * (ours - theirs) if row.milliseconds else ours / theirs)
    low, middle, high = statistics.quantiles(ratios, n=4)
    return low, middle, high


if __name__ == "__main__":
    sys.exit(main())
