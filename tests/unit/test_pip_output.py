"""pip's output is read without changing it or taking a terminal away."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.wrapper.pip_output import PipOutput
from codeartifact_pipenv.wrapper.run_files import PrivateFolder

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

pytestmark = pytest.mark.skipif(os.name == "nt", reason="descriptors as on POSIX")


class Stderr:
    """Another stderr for this process, and stdout where it is wanted, for a block."""

    def __init__(self, stderr: int | None, stdout: int | None = None) -> None:
        self._wanted = {2: stderr, 1: stdout}
        self._kept: dict[int, int] = {}

    def __enter__(self) -> Self:
        for number, descriptor in self._wanted.items():
            self._kept[number] = os.dup(number)
            if descriptor is not None:
                os.dup2(descriptor, number)
            elif number == 2:
                os.close(2)
        return self

    def __exit__(self, *_: object) -> None:
        for number, kept in self._kept.items():
            os.dup2(kept, number)
            os.close(kept)


def say(code: str, output: PipOutput) -> None:
    with output.stderr() as stderr:
        subprocess.run([sys.executable, "-SEc", code], check=True, stderr=stderr)


@pytest.fixture
def folder(tmp_path: Path) -> PrivateFolder:
    return PrivateFolder(str(tmp_path))


def test_output_arrives_unchanged_and_its_end_is_kept(
    folder: PrivateFolder, tmp_path: Path
) -> None:
    code = (
        "import sys; b = sys.stderr.buffer; b.write(bytes(range(256)) * 4000); b.write(b'the end')"
    )
    with (tmp_path / "said").open("wb") as said, Stderr(said.fileno()):
        output = PipOutput({}, folder)
        assert output.variables == {}
        say(code, output)
    assert (tmp_path / "said").read_bytes() == bytes(range(256)) * 4000 + b"the end"
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
    with Stderr(writing):
        say(code, PipOutput({}, folder))
    os.close(writing)


def test_background_process_that_holds_stderr_is_not_waited_for(
    folder: PrivateFolder, tmp_path: Path
) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '30'])"
    with (tmp_path / "said").open("wb") as said, Stderr(said.fileno()):
        output = PipOutput({}, folder)
        with output.stderr() as stderr:
            words = [sys.executable, "-c", code]
            subprocess.run(words, check=True, stderr=stderr, timeout=20)
            begin = time.monotonic()
    assert time.monotonic() - begin < 10
    assert output.text() == ""


def other_ways(stack: ExitStack, tmp_path: Path) -> list[tuple[int | None, int | None]]:
    """Return ends for stderr and stdout with which stderr must be the child's: as a log is read."""
    master, slave = os.openpty()
    stack.callback(os.close, master)
    stack.callback(os.close, slave)
    both = stack.enter_context((tmp_path / "both").open("wb")).fileno()
    return [(slave, None), (both, both), (None, None)]


def test_terminal_shared_and_closed_stderr_are_inherited(
    folder: PrivateFolder, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        for stderr, stdout in other_ways(stack, tmp_path):
            with Stderr(stderr, stdout):
                output = PipOutput({}, folder)
                with output.stderr() as given:
                    pass
            assert given is None
            assert output.variables == {"PIP_LOG": str(tmp_path / "pip.log")}
            assert output.text() == ""
            (tmp_path / "pip.log").write_text("said")
            assert output.text() == "said"
            (tmp_path / "pip.log").unlink()


@pytest.mark.parametrize("place", ["variable", "file"])
def test_log_of_the_user_is_read_from_its_present_end(
    place: str, folder: PrivateFolder, tmp_path: Path
) -> None:
    log = tmp_path / "user.log"
    log.write_text("before\n")
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nlog = {log}\n" if place == "file" else "")
    environ = {"PIP_CONFIG_FILE": str(config)}
    environ |= {"PIP_LOG": str(log)} if place == "variable" else {}
    with ExitStack() as stack:
        stderr, stdout = other_ways(stack, tmp_path)[0]
        with Stderr(stderr, stdout):
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
