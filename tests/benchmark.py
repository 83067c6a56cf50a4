"""Cost of this program as ratios of interleaved runs: ``python tests/benchmark.py``.

Each row runs two commands in turn, against one sandbox, and shows the median of the ratios of the
pairs with its quartiles. Exit status 1 if a median is over its limit. Programs are installed and
compiled to bytecode, as users have them. The rows of keyring compare our backend, one that always
answers None, and keyrings.codeartifact, which has no limit. ``benchmark_downloads`` measures downloads.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import certifi
from benchmark_downloads import (
    ROOT,
    SCRIPTS,
    THIRTY,
    Downloads,
    as_users_have_it,
    install,
    show,
    timed,
)
from support.projects import PYPI_SOURCE, make_private_packages, source, write_pipfile
from support.sandbox import get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Keyring's own cost, with a backend.
_IDLE = """
from keyring.backend import KeyringBackend

class IdleBackend(KeyringBackend):
    priority = 9
    set_password = delete_password = get_password = lambda *_: None
"""


class Row(NamedTuple):
    """Two commands that do the same, and the limit for ours: a ratio, or a difference.

    ``prepare`` is called before they run, and does only once what many rows need.
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
    parser.add_argument("--aws", help="the AWS CLI to use (default: installed for the run)")
    parser.add_argument("--only", default="", help="measure the rows that have this in their name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pipenv-ca-benchmark-") as name, ExitStack() as stack:
        programs = Programs(Path(name), options.aws)
        with Sandbox(domain="my-dom", repository="team") as sandbox:
            for wheel in make_private_packages(programs.folder / "packages"):
                sandbox.publish(wheel)
            made = (_rows, _keyring_rows)
            found = [row for rows in made for row in rows(sandbox, programs, options.pairs)]
            rows = [row for row in found if options.only in row.name]
            over = _show(rows, [_measure(row) for row in rows])
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
    """The programs that are measured, each installed in a folder when a row first needs it."""

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
        install(self.folder / "ours", str(ROOT))

    @cache  # noqa: B019 - as above
    def install_aws(self) -> None:
        self.install()
        if self._needs_aws:
            install(self.folder / "aws", "awscli")

    @cache  # noqa: B019 - as above
    def install_keyrings(self) -> None:
        self.install()
        points = "[keyring.backends]\nIdle = idle_backend\n"
        modules = {"idle_backend.py": _IDLE, "idle_backend-1.0.dist-info/entry_points.txt": points}
        idle = make_wheel(self.folder, "idle-backend", "1.0", ["keyring"], modules=modules)
        install(self.folder / "idle", str(idle))
        install(self.folder / "existing", "keyrings.codeartifact")


def _rows(sandbox: Sandbox, programs: Programs, pairs: int) -> Iterator[Row]:
    pipenv_ca, pipenv, python = (
        str(programs.ours / name) for name in ("pipenv-ca", "pipenv", "python")
    )
    home, project, public = (programs.folder / name for name in ("home", "project", "public"))
    for made in (home, project, public):
        made.mkdir()
    write_pipfile(project, source(sandbox.endpoint), '[packages]\norb-schema-generator = "*"\n')
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

    def row(name: str, ours: list[str], theirs: list[str], limit: float) -> Row:
        return Row(name, ours, theirs, limit, environ, exported, project, pairs, lock)

    for word, limit in (("--version", 1.05), ("verify", 1.08)):
        name = f"pipenv-ca {word} : pipenv {word}"
        yield row(name, [pipenv_ca, word], [pipenv, word], limit)._replace(their_environ=environ)
    lint = [pipenv_ca, "lint"]
    yield row("pipenv-ca lint : pipenv --version", lint, [pipenv, "--version"], 0.6)
    yield row("pipenv-ca lint : python -c pass", lint, [python, "-c", "pass"], 12.0)
    name = "pipenv-ca sync, cached token : pipenv sync, exported token"
    yield row(name, [pipenv_ca, "sync"], [pipenv, "sync"], 1.12)
    yield from _token_rows(sandbox, programs, environ, pairs)
    yield _large_row(sandbox, programs, environ, pairs)
    name, few = "pipenv-ca lock : pipenv lock, one source", max(3, pairs // 3)
    locks = row(name, [pipenv_ca, "lock"], [pipenv, "lock"], 1.15)._replace(pairs=few)
    yield locks
    name = "pipenv-ca lock by loopback : pipenv lock, 30 public packages"
    yield locks._replace(name=name, limit=1.25, folder=public)


def _token_rows(
    sandbox: Sandbox, programs: Programs, environ: Mapping[str, str], pairs: int
) -> Iterator[Row]:
    """Yield the rows of a token from AWS: with a small CA bundle, and with a public one.

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
    """Return the row that compares a large Pipfile with a small one, without pipenv."""
    domains = [sandbox.add_repository("team", domain=f"dom-{n}") for n in range(24)]
    sources = [source(each, f"aws:${{T{n}_TOKEN}}@", f"dom-{n}") for n, each in enumerate(domains)]
    sources += [source(sandbox.add_repository(f"r{n}"), name=f"r{n}") for n in range(25)]
    entries = [f'{{version = "*", index = "r{n % 25}"}}' if n % 2 else '"*"' for n in range(1000)]
    packages = "".join(f"package-{n} = {entry}\n" for n, entry in enumerate(entries))
    environs = []
    for name, tables, text in (
        ("large", sources, packages),
        ("small", sources[-1:], 'package-0 = "*"\n'),
    ):
        (programs.folder / name).mkdir()
        path = write_pipfile(programs.folder / name, PYPI_SOURCE, *tables, f"[packages]\n{text}")
        environs.append(dict(environ) | {"PIPENV_PIPFILE": str(path)})
    # Shorter than any command of pipenv, and long enough for the prefetching of pages.
    idle = programs.folder / "idle-pipenv"
    idle.write_text("#!/bin/sh\nexec sleep 0.3\n", encoding="utf-8")
    idle.chmod(0o755)
    words = [str(programs.ours / "pipenv-ca"), "--ca-pipenv", str(idle), "lock"]
    name = "lock, 50 sources and 1,000 packages - one of each"
    (large, small), folder, prepare = environs, programs.folder, programs.install
    return Row(name, words, words, 50, large, small, folder, pairs, prepare, milliseconds=True)


def _keyring_rows(sandbox: Sandbox, programs: Programs, pairs: int) -> Iterator[Row]:
    folder, prepare = programs.folder, programs.install_keyrings
    home = folder / "keyring-home"
    home.mkdir()
    environ = sandbox.environ(as_users_have_it()) | {"HOME": str(home)}
    foreign, own = "https://example.org/", sandbox.endpoint.simple_url
    theirs = [str(programs.idle / "keyring"), "get", foreign, "u"]
    for place, package, url, limit in (
        (programs.ours, "codeartifact-pipenv", foreign, 1.05),
        (programs.ours, "codeartifact-pipenv", own, 1.10),
        (programs.existing, "keyrings.codeartifact", foreign, math.inf),
        (programs.existing, "keyrings.codeartifact", own, math.inf),
    ):
        host = "our host" if url == own else "another host"
        name = f"keyring get, {host}, {package} : keyring"
        words, statuses = [str(place / "keyring"), "get", url, "aws"], (int(url != own), 1)
        yield Row(name, words, theirs, limit, environ, environ, folder, pairs, prepare, statuses)


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
