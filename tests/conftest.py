"""Fixtures: an empty home, a clean environment, one sandbox for the session."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from support.clients import Clients, Drive, client_environment, make_client_packages
from support.programs import SAID, clean_environment
from support.projects import make_private_packages
from support.sandbox import FakePublicIndex, Http
from support.servers import served
from support.traces import leaks_in_files, leaks_in_output
from support.users import User

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# The time that an example takes depends on the machine. Each run has other examples.
hypothesis.settings.register_profile("short", deadline=None, max_examples=50)
hypothesis.settings.register_profile("long", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("short")

# The tables at the end: those of rows, and those of counts by the first word of a row.
LISTED = {
    "conformance": "clients that others wrote, driven against the sandbox",
    "client": "clients that ask keyring, with AWS's credentials alone",
    "figure": "load, faults and attack: figures",
}
COUNTED = {
    "cells": "pipenv commands: layouts",
    "cause": "causes recognised",
    "fault": "faults as expected",
}


def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run at once: more than processors, since many wait for programs."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the number of examples; let programs be interrupted, however this one was started."""
    if config.getoption("--long"):
        hypothesis.settings.load_profile("long")
    for number in signal.valid_signals() & {signal.SIGINT, getattr(signal, "SIGHUP", None)}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the long form of endurance suites and property tests."""
    parser.addoption("--long", action="store_true", help="endurance in full size")


@pytest.fixture(autouse=True)
def no_leak(request: pytest.FixtureRequest) -> Iterator[None]:
    """Look for tokens in the output of a test's programs, and in the files that they left."""
    names = request.fixturenames
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in names else None
    SAID.clear()
    yield
    shown = request.node.get_closest_marker("shows_token")
    allowed = set(shown.args) if shown else set()
    leaks = [] if "output" in allowed else list(leaks_in_output())
    if folder is not None and "files" not in allowed:
        leaks += leaks_in_files(folder)
    assert leaks == []


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that tests may share: downloads, not tokens."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Two repositories with the private packages; lonely does not reach the public index."""
    wheels = make_private_packages(tmp_path_factory.mktemp("packages"))
    with Sandbox(domain="my-dom", repository="team", base=clean_environment()) as running:
        lonely = running.add_repository("lonely")
        for wheel in wheels:
            running.publish(wheel)
            running.publish(wheel, lonely)
        yield running


@pytest.fixture(scope="session")
def clean_base() -> dict[str, str]:
    """This process's environment without the user's settings."""
    return clean_environment()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables whose rows tests have recorded."""
    rows = defaultdict(list)
    for report in itertools.chain(*terminalreporter.stats.values()):
        if getattr(report, "when", None) == "call":
            for key, row in report.user_properties:
                rows[key].append((row, "ok" if report.passed else "FAILED"))
    for key, title in (LISTED | COUNTED).items():
        if rows[key]:
            terminalreporter.section(title)
        for line in (counts if key in COUNTED else columns)(rows[key]):
            terminalreporter.line(line)


def columns(rows: list[tuple[Any, str]]) -> Iterator[str]:
    """Yield a line for each row."""
    for row, verdict in sorted(rows):
        yield "  ".join([*(f"{word:<24}" for word in row), verdict])


def counts(rows: list[tuple[Any, str]]) -> Iterator[str]:
    """Yield for each group how many of its rows passed, and the names of the others."""
    for group in sorted({row[0] for row, _ in rows}):
        verdicts = {row[1]: verdict for row, verdict in rows if row[0] == group}
        missed = [name for name, verdict in verdicts.items() if verdict == "FAILED"]
        more = f"; not: {', '.join(missed)}" if missed else ""
        yield f"by {group}: {len(verdicts) - len(missed)} of {len(verdicts)}{more}"


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """A function that chooses the size of an endurance suite: short or full."""
    long = bool(request.config.getoption("--long"))
    return lambda short, full: full if long else short


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """A function that notes a figure for the table at the end: the measure and its value."""
    return lambda what, seen: record_property("figure", (what, seen))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def clean_env(home: Path, tmp_path: Path, shared: Path) -> dict[str, str]:
    """An environment without the user's settings; tests share only downloads."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    return clean_environment() | {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_CACHE_DIR": str(shared / "pipenv"),
        "PIP_CACHE_DIR": str(shared / "pip"),
        "VIRTUALENV_OVERRIDE_APP_DATA": str(shared / "virtualenv"),
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
        "PIPENV_NOSPIN": "1",
        "NO_COLOR": "1",
    }


@pytest.fixture
def sandbox_env(clean_env: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The clean environment inside the sandbox, with an empty token cache."""
    return sandbox.environ(clean_env) | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}


@pytest.fixture
def user(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> User:
    """Return a user of the sandbox, in an empty project."""
    return User(sandbox, sandbox_env, project)


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[Http]:
    """A plain HTTP client inside the test's sandbox."""
    with contextlib.closing(Http(sandbox)) as client:
        yield client


@pytest.fixture
def public() -> Iterator[FakePublicIndex]:
    """A public index on loopback."""
    with served(FakePublicIndex()) as index:
        yield index


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]) -> Clients:
    """The environments with clients, which all workers of a session share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return Clients(folder / "clients", clean_base)


@pytest.fixture(scope="session")
def workshop(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """A CodeArtifact to which clients may publish what they like; it reaches the public index."""
    packages = make_client_packages(tmp_path_factory.mktemp("packages"))
    with Sandbox(packages, domain="my-dom", repository="team", base=clean_base) as running:
        yield running


@pytest.fixture
def drive(
    workshop: Sandbox,
    clean_env: dict[str, str],
    tmp_path: Path,
    project: Path,
    record_property: Callable[[str, object], None],
) -> Drive:
    """A project folder in which a client runs."""
    env = client_environment(workshop, clean_env, tmp_path / "tokens")
    return Drive(workshop, env, project, record_property)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project folder, with a blank in its path."""
    folder = tmp_path / "my project"
    folder.mkdir()
    return folder
