"""Fixtures: an empty home, a clean environment, one sandbox for the session."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import hypothesis
import pytest
from support.clients import Clients, Drive, client_environment, make_client_packages
from support.programs import SAID, clean_environment
from support.projects import make_private_packages
from support.traces import leaks_in_files, leaks_in_output

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.sandbox import FakePublicIndex, Http

# How long an example takes says more of the machine than of the code. Each run has other examples.
hypothesis.settings.register_profile("short", deadline=None, max_examples=50)
hypothesis.settings.register_profile("long", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("short")


def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run at once: more than processors, since many wait for programs."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples there are; let programs be interrupted, whoever started this one."""
    if config.getoption("--long"):
        hypothesis.settings.load_profile("long")
    for number in signal.valid_signals() & {signal.SIGINT, getattr(signal, "SIGHUP", None)}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the long form of the endurance suites, and of tests with examples by chance."""
    parser.addoption(
        "--long", action="store_true", help="endurance in full size, 1000 examples of each property"
    )


@pytest.fixture(autouse=True)
def no_leak(request: pytest.FixtureRequest) -> Iterator[None]:
    """Look for tokens in what a test's programs said, and in the files that they left."""
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
    """Return a folder for what may be shared: downloads, not tokens."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A CodeArtifact with the private packages in two repositories.

    The default one, team, reaches the public index; lonely does not.
    """
    wheels = make_private_packages(tmp_path_factory.mktemp("packages"))
    with Sandbox(domain="my-dom", repository="team", base=clean_environment()) as running:
        lonely = running.add_repository("lonely")
        for wheel in wheels:
            running.publish(wheel)
            running.publish(wheel, lonely)
        yield running


@pytest.fixture(scope="session")
def clean_base() -> dict[str, str]:
    """Return this process's environment without anybody's settings."""
    return clean_environment()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what works, and what is recognised, out of what tests recorded of themselves."""
    recorded = [
        (key, value, report.passed)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for key, value in report.user_properties
    ]
    _print_cells(terminalreporter, [value for key, value, _ in recorded if key == "cells"])
    rows = [(*value, passed) for key, value, passed in recorded if key == "conformance"]
    if rows:
        terminalreporter.section("clients that others wrote, driven against the sandbox")
    for driven, checked, passed in sorted(rows):
        terminalreporter.line(f"{driven:<40} {checked}{'' if passed else '  FAILED'}")
    _print_clients(
        terminalreporter, [(*value, passed) for key, value, passed in recorded if key == "client"]
    )
    _print_figures(terminalreporter, [value for key, value, _ in recorded if key == "figure"])
    for key, title, words in (
        ("cause", "causes recognised", "by {}: {} of {}"),
        ("fault", "faults, by door", "{}: faults: {} of {} as expected"),
    ):
        counted = [(*value, passed) for other, value, passed in recorded if other == key]
        _print_counts(terminalreporter, title, words, counted)


def _print_counts(
    terminalreporter: pytest.TerminalReporter,
    title: str,
    words: str,
    rows: list[tuple[str, str, bool]],
) -> None:
    if rows:
        terminalreporter.section(title)
    for who in sorted({who for who, _, _ in rows}):
        passed = [passed for other, _, passed in rows if other == who]
        missed = ", ".join(name for other, name, p in rows if other == who and not p)
        more = f"; not: {missed}" if missed else ""
        terminalreporter.line(f"{words.format(who, passed.count(True), len(passed))}{more}")


def _print_figures(terminalreporter: pytest.TerminalReporter, rows: list[tuple[str, str]]) -> None:
    if rows:
        terminalreporter.section("load, faults and attack: figures")
    for what, seen in sorted(rows):
        terminalreporter.line(f"{what:<50} {seen}")


def _print_cells(
    terminalreporter: pytest.TerminalReporter, rows: list[tuple[str, str, dict[str, str]]]
) -> None:
    if not rows:
        return
    terminalreporter.section("pipenv commands by version and layout")
    for version, layout, cells in sorted(rows, key=lambda row: row[:2]):
        failed = [name for name, result in cells.items() if result != "ok"]
        verdict = "all ok" if not failed else f"FAILED: {', '.join(failed)}"
        terminalreporter.line(f"{version:<10} {layout:<30} {len(cells):>2} cells  {verdict}")
    results = [result for _, _, cells in rows for result in cells.values()]
    terminalreporter.line(f"{results.count('ok')} of {len(results)} cells ok")


def _print_clients(
    terminalreporter: pytest.TerminalReporter, rows: list[tuple[str, str, str, str, bool]]
) -> None:
    if not rows:
        return
    terminalreporter.section("clients that ask keyring, with AWS's credentials alone")
    for client, version, way, done, passed in sorted(rows):
        verdict = "ok" if passed else "FAILED"
        terminalreporter.line(f"{client:<8} {version:<10} {way:<44} {done}: {verdict}")
    passed_rows = [row for row in rows if row[-1]]
    terminalreporter.line(f"{len(passed_rows)} of {len(rows)} ways ok")


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """Return what chooses how much an endurance suite does: short form, or full size."""
    long = bool(request.config.getoption("--long"))
    return lambda short, full: full if long else short


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """Return what notes a figure for the table at the end: what was measured, and what was seen."""
    return lambda what, seen: record_property("figure", (what, seen))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an empty home folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def clean_env(home: Path, tmp_path: Path, shared: Path) -> dict[str, str]:
    """Return an environment without anybody's settings, and with a home of its own.

    Downloads are shared within the session; temporary files go to ``tmp_path / "tmp"``.
    """
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
    """Return the clean environment inside the sandbox, with a token cache of its own."""
    return sandbox.environ(clean_env) | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "tokens")}


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[Http]:
    """A plain HTTP client inside the test's sandbox."""
    from support.sandbox import Http

    speaking = Http(sandbox)
    yield speaking
    speaking.close()


@pytest.fixture
def public() -> Iterator[FakePublicIndex]:
    """A public index on loopback."""
    from support.sandbox import FakePublicIndex

    with FakePublicIndex() as index:
        thread = threading.Thread(target=index.serve_forever, args=(0.01,))
        thread.start()
        yield index
        index.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]) -> Clients:
    """Return the environments with clients, which all workers of a session share."""
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
def drive(workshop: Sandbox, clean_env: dict[str, str], tmp_path: Path, project: Path) -> Drive:
    """Return a project folder from which a client is driven."""
    return Drive(workshop, client_environment(workshop, clean_env, tmp_path / "tokens"), project)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return an empty project folder, with a blank in its path."""
    folder = tmp_path / "my project"
    folder.mkdir()
    return folder
