"""pip's output is read without changing it or taking a terminal away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.wrapper.pip_output import PipOutput
from codeartifact_pipenv.wrapper.run_files import PrivateFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="descriptors as on POSIX")


@contextmanager
def standard_streams(stderr: int | None, stdout: int | None = None) -> Iterator[None]:
    """Replace this process's stderr, or close it, and replace its stdout if one is given."""
    kept = {number: os.dup(number) for number in (1, 2)}
    if stdout is not None:
        os.dup2(stdout, 1)
    if stderr is None:
        os.close(2)
    else:
        os.dup2(stderr, 2)
    try:
        yield
    finally:
        for number, descriptor in kept.items():
            os.dup2(descriptor, number)
            os.close(descriptor)


def say(code: str, output: PipOutput) -> None:
    with output.stderr() as stderr:
        subprocess.run([sys.executable, "-SEc", code], check=True, stderr=stderr, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> PrivateFolder:
    return PrivateFolder(str(tmp_path))


def test_output_arrives_unchanged_and_its_end_is_kept(
    folder: PrivateFolder, tmp_path: Path
) -> None:
    said = bytes(range(256)) * 4000 + b"the end"
    code = "import sys; sys.stderr.buffer.write(bytes(range(256)) * 4000 + b'the end')"
    with (tmp_path / "said").open("wb") as file, standard_streams(file.fileno()):
        output = PipOutput({}, folder)
        assert output.variables == {}
        say(code, output)
    assert (tmp_path / "said").read_bytes() == said
    assert output.text().endswith("the end")
    assert len(output.text()) <= 1 << 18


def test_child_gets_the_error_of_a_closed_reader(folder: PrivateFolder) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = (
        "import sys, time\n"
        "try:\n"
        "    for _ in range(100): sys.stderr.write('x\\n' * 9999); time.sleep(0.01)\n"
        "except BrokenPipeError: sys.exit(0)\n"
        "sys.exit('it was not told')"
    )
    with standard_streams(writing):
        say(code, PipOutput({}, folder))
    os.close(writing)


def test_background_process_that_holds_stderr_is_not_waited_for(
    folder: PrivateFolder, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    code = (
        "import subprocess; p = subprocess.Popen(['sleep', '300']); "
        f"open({str(pid)!r}, 'w').write(str(p.pid))"
    )
    with (tmp_path / "said").open("wb") as said, standard_streams(said.fileno()):
        output = PipOutput({}, folder)
        say(code, output)
    os.kill(int(pid.read_text()), signal.SIGKILL)  # it still runs
    assert output.text() == ""


@pytest.fixture
def terminal() -> Iterator[int]:
    master, slave = os.openpty()
    yield slave
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("way", ["terminal", "shared with stdout", "closed"])
def test_terminal_shared_and_closed_stderr_are_inherited(
    way: str, terminal: int, folder: PrivateFolder, tmp_path: Path
) -> None:
    """Pip's log is read instead."""
    with (tmp_path / "both").open("wb") as file:
        both = file.fileno()
        ways = {"terminal": (terminal, None), "shared with stdout": (both, both)}
        with standard_streams(*ways.get(way, (None, None))):
            output = PipOutput({}, folder)
            with output.stderr() as given:
                pass
    assert given is None
    assert output.variables == {"PIP_LOG": str(tmp_path / "pip.log")}
    assert output.text() == ""
    (tmp_path / "pip.log").write_text("said")
    assert output.text() == "said"


@pytest.mark.parametrize("place", ["variable", "file"])
def test_log_of_the_user_is_read_from_its_present_end(
    place: str, terminal: int, folder: PrivateFolder, tmp_path: Path
) -> None:
    log = tmp_path / "user.log"
    log.write_text("before\n")
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nlog = {log}\n" if place == "file" else "")
    environ = {"PIP_CONFIG_FILE": str(config)}
    environ |= {"PIP_LOG": str(log)} if place == "variable" else {}
    with standard_streams(terminal):
        output = PipOutput(environ, folder)
    assert output.variables == {}
    assert output.text() == ""
    with log.open("a") as file:
        file.write("after\n")
    assert output.text() == "after\n"
    log.write_text("x" * (1 << 20))
    assert len(output.text()) == 1 << 18
    log.unlink()
    os.mkfifo(log)
    assert output.text() == ""
