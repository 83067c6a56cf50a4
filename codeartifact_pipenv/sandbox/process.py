"""Running a command inside the sandbox: its exit code, its signals."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from codeartifact_pipenv.child import signals
from codeartifact_pipenv.sandbox.errors import CommandNotExecutableError, CommandNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

URL_VARIABLE = "PIPENV_CA_SANDBOX_URL"
"""Names the default repository's index, without credentials, to the command."""

_ENDING = [signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def command_environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment for programs that nobody has told of the sandbox.

    Beside what every client needs it names the repository, and a region for the AWS CLI, which
    does not take it from a host name.
    """
    endpoint = sandbox.endpoint
    return sandbox.environ() | {
        URL_VARIABLE: endpoint.simple_url,
        "AWS_DEFAULT_REGION": endpoint.domain.region,
    }


def run_inside(sandbox: Sandbox, command: list[str]) -> int:
    """Run a command to its end with the sandbox as its AWS.

    Returns:
        its exit status; 128 + N where signal N ended it.

    Raises:
        CommandNotFoundError: there is no such command.
        CommandNotExecutableError: it cannot be run.
    """
    environ = command_environment(sandbox)
    try:
        with signals() as received:
            status = received.run(command, environ)
    except FileNotFoundError as error:
        raise CommandNotFoundError(
            f"There is no command {command[0]}.", "Check how it is spelled, and PATH."
        ) from error
    except OSError as error:
        raise CommandNotExecutableError(
            f"{command[0]} cannot be run: {error.strerror}.", "Name a program, or chmod +x it."
        ) from error
    return status if status >= 0 else 128 - status


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Let a signal to end unwind the stack, so that the run's folder goes too."""

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        raise SystemExit(128 + number)

    previous = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
