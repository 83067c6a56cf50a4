"""The rows of the benchmark about downloads: bytes and time on a slow line.

The sandbox plays pypi.org and a CodeArtifact whose repository has the external connection; each
round trip takes 50 ms, and all bodies share 20 MB/s. Beside ours runs pipenv alone with an exported
token. Each of the two has its own homes, so caches are never shared: a *first* lock has an empty
home, a *second* one the home of the first. ``heavy`` is numpy, pandas and boto3, of which the wheels
have some 45 MB. The sandbox counts the bytes; METADATA files (PEP 658) are not files of a package.
"""

from __future__ import annotations

import os
import shutil
import statistics
from collections import Counter
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from support.benchmark import THIRTY, as_users_have_it, timed
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.sandbox import get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack
    from pathlib import Path

_LATENCY_SECONDS, _BYTES_PER_SECOND = 0.05, 20_000_000
_FILES = (".whl", ".tar.gz", ".zip")
# (pandas takes python-dateutil 4 and botocore does not; pipenv asks in any order, so that a lock may
# or may not try it: the bound makes every lock try the same files.)
_HEAVY = '[packages]\nnumpy = "*"\npandas = "*"\nboto3 = "*"\npython-dateutil = "<3"\n'
_PRIVATE = [f"acme-{number:02}" for number in range(40)]
# What would put a cache outside of the home, or name packages that are on this machine.
_CACHES = ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR", "PIPENV_CA_CACHE_DIR", "PIP_FIND_LINKS")
_OURS, _BARE = "pipenv-ca", "pipenv"
_FIRST, _BEFORE, _ALONE = (
    "public source first",
    "CodeArtifact first, then public",
    "CodeArtifact alone",
)


class Measure(NamedTuple):
    """A row: its name, its limit, and what measures it.

    ``measure`` returns the figure that the limit is for, and how figure and pipenv's own are shown.
    """

    name: str
    limit: float
    measure: Callable[[], tuple[float, str]]


class _Place(NamedTuple):
    """A project folder, and the environment in which one program works there."""

    project: Path
    environ: dict[str, str]


class _Synced(NamedTuple):
    """The bytes of files that lock and sync fetched, each time, and the files' size."""

    fetched: list[int]
    size: int


class Downloads:
    """Measures the rows; nothing is prepared before a row needs it.

    Args:
        folder: where homes and projects go.
        scripts: the folder of the programs.
        install: installs the programs, if they are not there yet.
        pairs: pairs of runs for each row of time.
        stack: ends the sandbox.
    """

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
            yield Measure(name, 0, partial(self._first_lock, layout))
        for project, where in (("same", ""), ("other", " in another project")):
            name = f"{_ALONE}, heavy: MB of files, second lock{where}"
            yield Measure(name, 0, partial(self._second_lock, project))
        yield Measure(f"{_ALONE}, heavy: time of a second lock : bare", 0.6, self._heavy_time)
        yield Measure(f"{_FIRST}, 30 public packages: time of lock : bare", 1.0, self._public_time)
        name = "40 private packages with private dependencies: lock : bare with index="
        yield Measure(name, 0.7, self._private_time)
        for layout, again, limit in ((_FIRST, False, 1), (_ALONE, False, 2), (_ALONE, True, 1)):
            name = f"{layout}, heavy: {'second' if again else 'first'} lock, sync: bytes : size"
            yield Measure(name, limit, partial(self._lock_and_sync, layout, again))

    # --- rows ----------------------------------------------------------------------------

    def _first_lock(self, layout: str) -> tuple[float, str]:
        return _megabytes(*(self._locked(layout, program)[0] for program in (_OURS, _BARE)))

    def _second_lock(self, project: str) -> tuple[float, str]:
        at = 1 if project == "same" else 2
        return _megabytes(*(self._locked(_ALONE, program)[at] for program in (_OURS, _BARE)))

    def _heavy_time(self) -> tuple[float, str]:
        return self._compare(*(self._place(p, "time", _ALONE) for p in (_OURS, _BARE)))

    def _public_time(self) -> tuple[float, str]:
        packages = f"[packages]\n{THIRTY}"
        places = (self._place(p, "thirty", _FIRST, packages=packages) for p in (_OURS, _BARE))
        return self._compare(*places)

    def _private_time(self) -> tuple[float, str]:
        entries = {_OURS: '"*"', _BARE: '{version = "*", index = "codeartifact"}'}
        places = []
        for program, entry in entries.items():
            packages = "".join(f"{name} = {entry}\n" for name in _PRIVATE)
            packages = f"[packages]\n{packages}"
            places.append(self._place(program, "private", _FIRST, packages=packages))
        return self._compare(*places)

    def _lock_and_sync(self, layout: str, again: bool) -> tuple[float, str]:
        size = self._synced(layout, _BARE).size
        ours, bare = (self._synced(layout, p).fetched[again] / size for p in (_OURS, _BARE))
        return ours, f"{ours:.2f}, bare {bare:.2f}"

    # --- what they measure ---------------------------------------------------------------

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

    def _compare(self, ours: _Place, bare: _Place) -> tuple[float, str]:
        """Lock in turn; return the median of the ratios."""
        places = ((_OURS, ours), (_BARE, bare))
        took = [
            [
                timed([str(self._scripts / program), "lock"], place.environ, place.project)
                for program, place in places
            ]
            for _ in range(self._pairs + 1)
        ]
        # The first pair fills the caches, the sandbox's own among them.
        ratio = statistics.median(first / second for first, second in took[1:])
        seconds = [statistics.median(column) for column in zip(*took[1:], strict=True)]
        return ratio, f"{ratio:.2f} ({seconds[0]:.1f} s), bare {seconds[1]:.1f} s"

    def _place(
        self, program: str, home: str, layout: str, project: str = "project", packages: str = _HEAVY
    ) -> _Place:
        """Make a project, in a home of that name, which is new unless it is there."""
        place = self._folder / f"{program} {home}"
        folder = place / project
        folder.mkdir(parents=True)
        endpoint = self._sandbox.endpoint
        own = source(endpoint)
        tables = {_FIRST: [PYPI_SOURCE, own], _BEFORE: [own, PYPI_SOURCE], _ALONE: [own]}[layout]
        write_pipfile(folder, *tables, packages)
        # Every cache is in the home, and no setting of this machine's pip adds an index.
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
        sandbox = Sandbox(
            domain="my-dom", repository="team", serve_public=True, base=as_users_have_it()
        )
        self._stack.enter_context(sandbox)
        packages = self._folder / "packages"
        for name, needed in zip(_PRIVATE, [*_PRIVATE[1:], None], strict=True):
            sandbox.publish(make_wheel(packages, name, "1.0", [needed] if needed else []))
        sandbox.latency(_LATENCY_SECONDS)
        sandbox.bandwidth(_BYTES_PER_SECOND)
        return sandbox


def _megabytes(ours: int, bare: int) -> tuple[float, str]:
    return ours / 1e6, f"{ours / 1e6:.2f}, bare {bare / 1e6:.2f}"


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
