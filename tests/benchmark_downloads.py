"""The rows of the benchmark about downloads: bytes and time on a slow line.

The sandbox plays pypi.org and a CodeArtifact whose repository has the external connection; each
round trip takes 50 ms, and all bodies share 20 MB/s. The rows compare ours with pipenv alone with an
exported token, each with its own homes: a *first* lock has an empty home, a *second* one the home of
the first. ``heavy`` is numpy, pandas and boto3, whose wheels have some 45 MB. The sandbox counts the
bytes; METADATA files (PEP 658) do not count.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
import venv
from collections import Counter
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from support.projects import PYPI_SOURCE, source, write_pipfile
from support.sandbox import get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import ExitStack

ROOT = Path(__file__).parent.parent
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
_THIRTY = """
attrs blinker certifi charset-normalizer click colorama decorator distlib docutils filelock idna
iniconfig itsdangerous jinja2 jmespath markupsafe more-itertools mypy-extensions packaging pathspec
platformdirs pluggy pyasn1 pygments pyparsing pytz six sortedcontainers tomlkit zipp
"""
THIRTY = "".join(f'{name} = "*"\n' for name in _THIRTY.split())
_LATENCY_SECONDS, _BYTES_PER_SECOND = 0.05, 20_000_000
_FILES = (".whl", ".tar.gz", ".zip")
# Without the bound, locks may or may not try python-dateutil 4, which botocore does not allow.
_HEAVY = '[packages]\nnumpy = "*"\npandas = "*"\nboto3 = "*"\npython-dateutil = "<3"\n'
_PRIVATE = [f"acme-{number:02}" for number in range(40)]
# They put a cache outside of the home, or name packages of this machine.
_CACHES = ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR", "PIPENV_CA_CACHE_DIR", "PIP_FIND_LINKS")
_OURS, _BARE = "pipenv-ca", "pipenv"
_FIRST, _BEFORE = "public source first", "CodeArtifact first, then public"
_ALONE = "CodeArtifact alone"


def as_users_have_it() -> dict[str, str]:
    """Return this environment without what changes how programs start."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHON_KEYRING_BACKEND", "VIRTUAL_ENV")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith("PIPENV_CA_")
    }


def install(folder: Path, requirement: str) -> Path:
    """Install a package into a new virtual environment; return the folder of its scripts."""
    venv.create(folder, with_pip=True)
    words = [str(folder / SCRIPTS / "python"), "-m", "pip", "install", "-q", requirement]
    subprocess.run(words, check=True, env=as_users_have_it())
    return folder / SCRIPTS


def timed(words: list[str], environ: Mapping[str, str], folder: Path, status: int = 0) -> float:
    """Run a command; return the seconds that it took.

    Raises:
        subprocess.CalledProcessError: it ended with another exit status.
    """
    start = time.perf_counter()
    done = subprocess.run(words, env=dict(environ), cwd=folder, check=False, capture_output=True)
    took = time.perf_counter() - start
    if done.returncode != status:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
    return took


class Measure(NamedTuple):
    """A row: ``measure`` returns the figure that the limit is for, and the text of both figures."""

    name: str
    limit: float
    measure: Callable[[], tuple[float, str]]


class _Place(NamedTuple):
    project: Path
    environ: dict[str, str]


class _Synced(NamedTuple):
    """The bytes of files that lock and sync fetched, each time, and the files' size."""

    fetched: list[int]
    size: int


class Downloads:
    """Measures the rows with some pairs of runs; nothing is prepared before a row needs it."""

    def __init__(
        self,
        folder: Path,
        scripts: Path,
        install: Callable[[], object],
        pairs: int,
        stack: ExitStack,
    ) -> None:
        self._folder = folder
        self._scripts = scripts
        self._install = install
        self._pairs = pairs
        self._stack = stack

    def rows(self) -> Iterator[Measure]:
        """Yield every row."""
        for layout in (_FIRST, _BEFORE):
            name = f"{layout}, heavy: MB of files, first lock"
            yield Measure(name, 0, partial(self._megabytes, layout, 0))
        for at, where in ((1, ""), (2, " in another project")):
            name = f"{_ALONE}, heavy: MB of files, second lock{where}"
            yield Measure(name, 0, partial(self._megabytes, _ALONE, at))
        thirty = dict.fromkeys((_OURS, _BARE), f"[packages]\n{THIRTY}")
        entries = {_OURS: '"*"', _BARE: '{version = "*", index = "codeartifact"}'}
        private = {
            program: "".join(["[packages]\n", *(f"{name} = {entry}\n" for name in _PRIVATE)])
            for program, entry in entries.items()
        }
        heavy = dict.fromkeys((_OURS, _BARE), _HEAVY)
        for name, limit, home, layout, packages in (
            (f"{_ALONE}, heavy: time of a second lock : bare", 0.6, "time", _ALONE, heavy),
            (f"{_FIRST}, 30 public packages: time of lock : bare", 1.0, "thirty", _FIRST, thirty),
            (
                "40 private packages with private dependencies: lock : bare with index=",
                *(0.7, "private", _FIRST, private),
            ),
        ):
            yield Measure(name, limit, partial(self._compare, home, layout, packages))
        for layout, again, limit in ((_FIRST, False, 1), (_ALONE, False, 2), (_ALONE, True, 1)):
            name = f"{layout}, heavy: {'second' if again else 'first'} lock, sync: bytes : size"
            yield Measure(name, limit, partial(self._lock_and_sync, layout, again))

    def _megabytes(self, layout: str, at: int) -> tuple[float, str]:
        ours, bare = (self._locked(layout, program)[at] / 1e6 for program in (_OURS, _BARE))
        return ours, f"{ours:.2f}, bare {bare:.2f}"

    def _lock_and_sync(self, layout: str, again: bool) -> tuple[float, str]:
        size = self._synced(layout, _BARE).size
        ours, bare = (self._synced(layout, p).fetched[again] / size for p in (_OURS, _BARE))
        return ours, f"{ours:.2f}, bare {bare:.2f}"

    @cache  # noqa: B019 - there is one object for the whole run
    def _locked(self, layout: str, program: str) -> tuple[int, int, int]:
        """Return the bytes of files of a first lock, a second one, and one in another project."""
        home = f"bytes {layout}"
        same, other = (self._place(program, home, layout, name) for name in ("same", "other"))
        first, second, third = (self._fetch(program, "lock", at) for at in (same, same, other))
        return sum(first.values()), sum(second.values()), sum(third.values())

    @cache  # noqa: B019 - as above
    def _synced(self, layout: str, program: str) -> _Synced:
        """Lock and sync in a new home, and once more after the virtual environment is removed."""
        place = self._place(program, f"sync {layout}", layout)
        fetched: list[int] = []
        sizes: dict[str, int] = {}
        for _ in range(2):
            lock, sync = (self._fetch(program, word, place) for word in ("lock", "sync"))
            fetched.append(sum(lock.values()) + sum(sync.values()))
            sizes.update(lock | sync)
            shutil.rmtree(place.project / ".venv")
        return _Synced(fetched, sum(sizes.values()))

    def _fetch(self, program: str, word: str, place: _Place) -> Counter[str]:
        """Run a command; return the bytes of each file that it fetched, by path."""
        begin = len(self._sandbox.requests)
        timed([str(self._scripts / program), word], place.environ, place.project)
        fetched: Counter[str] = Counter()
        for record in self._sandbox.requests[begin:]:
            if record.path.endswith(_FILES):
                fetched[record.path.rpartition("/")[2]] += record.body_bytes
        return fetched

    def _compare(self, home: str, layout: str, packages: dict[str, str]) -> tuple[float, str]:
        """Lock in turn; return the median of the ratios."""
        places = {p: self._place(p, home, layout, packages=packages[p]) for p in (_OURS, _BARE)}
        took = [
            [
                timed([str(self._scripts / program), "lock"], place.environ, place.project)
                for program, place in places.items()
            ]
            for _ in range(self._pairs + 1)
        ]
        # The first pair fills the caches, the sandbox's own among them.
        ratio = statistics.median(first / second for first, second in took[1:])
        ours, bare = (statistics.median(column) for column in zip(*took[1:], strict=True))
        return ratio, f"{ratio:.2f} ({ours:.1f} s), bare {bare:.1f} s"

    def _place(
        self, program: str, home: str, layout: str, project: str = "project", packages: str = _HEAVY
    ) -> _Place:
        """Make a project in a home, where every cache is."""
        place = self._folder / f"{program} {home}"
        folder = place / project
        folder.mkdir(parents=True)
        own = source(self._sandbox.endpoint)
        tables = {_FIRST: [PYPI_SOURCE, own], _BEFORE: [own, PYPI_SOURCE], _ALONE: [own]}[layout]
        write_pipfile(folder, *tables, packages)
        environ = {
            name: value
            for name, value in self._sandbox.environ().items()
            if not name.startswith("XDG_") and name not in _CACHES
        } | {
            "HOME": str(place),
            "PIP_CONFIG_FILE": os.devnull,
            "PIPENV_VENV_IN_PROJECT": "1",
            "PIPENV_NOSPIN": "1",
            "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
        }
        if program == _BARE:
            environ["CODEARTIFACT_AUTH_TOKEN"] = get_token(self._sandbox)
        return _Place(folder, environ)

    @cached_property
    def _sandbox(self) -> Sandbox:
        self._install()
        base = as_users_have_it()
        sandbox = Sandbox(domain="my-dom", repository="team", serve_public=True, base=base)
        self._stack.enter_context(sandbox)
        packages = self._folder / "packages"
        for name, needed in zip(_PRIVATE, [*_PRIVATE[1:], None], strict=True):
            sandbox.publish(make_wheel(packages, name, "1.0", [needed] if needed else []))
        sandbox.latency(_LATENCY_SECONDS)
        sandbox.bandwidth(_BYTES_PER_SECOND)
        return sandbox


def show(measures: list[Measure]) -> bool:
    """Measure rows and print a table; return whether one is over its limit."""
    over = False
    if measures:
        print(f"{'downloads':<72} {'limit':>6}  ours, pipenv alone")
    for row in measures:
        figure, shown = row.measure()
        over |= figure > row.limit
        verdict = "  OVER" if figure > row.limit else ""
        print(f"{row.name:<72} {row.limit:>6.2f}  {shown}{verdict}", flush=True)
    return over
