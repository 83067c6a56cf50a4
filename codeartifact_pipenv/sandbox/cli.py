"""``sandbox run`` and ``sandbox demo``."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError
from codeartifact_pipenv.processes.child import signals
from codeartifact_pipenv.sandbox.errors import CommandNotExecutableError, CommandNotFoundError
from codeartifact_pipenv.terminal.arguments import Parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

_PROGRAM = "pipenv-ca sandbox"
# URL of the default repository's index, without credentials.
_URL_VARIABLE = "PIPENV_CA_SANDBOX_URL"
_TERMINATION_SIGNALS = [
    signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def main(argv: Sequence[str]) -> int:
    """Run the verb ``sandbox``.

    Args:
        argv: the words after the verb.

    Returns:
        the exit status of the command, or of the sandbox if no command ran.
    """
    from codeartifact_pipenv.report import Report

    try:
        with _exit_on_signals():
            return _dispatch(list(argv))
    except CodeArtifactPipenvError as error:
        Report().error(error.sentence, error.hint)
        return error.exit_code
    except SystemExit as stop:
        # argparse printed its help, or a signal arrived.
        return stop.code if isinstance(stop.code, int) else 0


def _dispatch(argv: list[str]) -> int:
    own, command = argv, []
    if "--" in argv:
        at = argv.index("--")
        own, command = argv[:at], argv[at + 1 :]
    options = _parser().parse_args(own)
    if options.verb == "demo":
        if command:
            raise UsageError(
                f"{_PROGRAM} demo takes no command.", f"Write {_PROGRAM} run -- COMMAND."
            )
        sandbox_class = _sandbox()
        from codeartifact_pipenv.sandbox.demo import demonstrate

        return demonstrate(sandbox_class, options.project)
    if not command:
        raise UsageError(
            f"{_PROGRAM} run needs a command.", f"Write {_PROGRAM} run [OPTION...] -- COMMAND..."
        )
    return _run(options, command)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Run a local AWS CodeArtifact; it needs no AWS account and sends nothing to AWS.",
        examples={
            f"{_PROGRAM} demo": "see it work",
            f"{_PROGRAM} run --packages wheels/ -- pipenv-ca sync": "test a project",
            f"{_PROGRAM} run -- $SHELL": "a shell in it",
        },
    )
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", help="run VERB --help for its options"
    )
    demo = verbs.add_parser(
        "demo",
        help="lock and install a small project against the sandbox",
        description="Locks, installs and runs a project, and shows where its packages came from.",
        examples={f"{_PROGRAM} demo examples/quickstart": "a folder with a Pipfile"},
    )
    demo.add_argument(
        "project",
        nargs="?",
        type=Path,
        help="a folder with a Pipfile and, in packages/, private packages; default: a small example",
    )
    run = verbs.add_parser(
        "run",
        help="run a command against the sandbox instead of AWS",
        description="Runs a command against the sandbox instead of AWS.",
        examples={f"{_PROGRAM} run --packages wheels/ -- pipenv-ca sync": "test a project"},
        usage="%(prog)s [OPTION...] -- COMMAND...",
        allow_abbrev=False,
    )
    _add_contents(run)
    return parser


def _add_contents(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--packages",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="publish the wheels, sdists and projects in a folder; may be repeated",
    )
    run.add_argument(
        "--public",
        type=Path,
        metavar="DIR",
        help="use a folder of wheels and sdists as the public index, and serve it as pypi.org",
    )
    run.add_argument(
        "--serve-public",
        action="store_const",
        const=True,
        help="serve this machine's public index as pypi.org",
    )
    run.add_argument("--domain", help="the domain's name; default: demo")
    run.add_argument(
        "--owner", metavar="ACCOUNT", help="the owner, 12 digits; default: 123456789012"
    )
    run.add_argument("--region", help="the AWS region; default: us-east-1")
    run.add_argument("--repository", help="the repository's name; default: pypi-store")
    run.add_argument(
        "--no-upstream",
        dest="upstream",
        action="store_false",
        help="do not connect the repository to this machine's public index",
    )
    run.add_argument(
        "--behaviour",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a detail that AWS does not document; an invalid name lists them; may be repeated",
    )
    run.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="'NAME ARGUMENT...'",
        help="start with a fault, such as 'throttle 3'; an invalid name lists them; may be repeated",
    )


def _run(options: argparse.Namespace, command: list[str]) -> int:
    sandbox_class = _sandbox()
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.sandbox import controls
    from codeartifact_pipenv.sandbox.behaviour import read_behaviour

    faults = [controls.read(words) for words in options.fault]
    names = ("domain", "owner", "region", "repository", "public", "serve_public")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    behaviour = read_behaviour(options.behaviour)
    with ExitStack() as stack:
        with Report().working("starts the sandbox"):
            sandbox = stack.enter_context(
                sandbox_class(
                    options.packages, upstream=options.upstream, behaviour=behaviour, **given
                )
            )
        for name, arguments in faults:
            controls.apply(sandbox, name, arguments)
        return _run_inside(sandbox, command)


def _sandbox() -> type[Sandbox]:
    from codeartifact_pipenv.sandbox.sandbox import Sandbox

    return Sandbox


def _run_inside(sandbox: Sandbox, command: list[str]) -> int:
    """Run a command against the sandbox and wait for it.

    Returns:
        its exit status, or 128 + N if signal N ended it.

    Raises:
        CommandNotFoundError: the command does not exist.
        CommandNotExecutableError: the command cannot be run.
    """
    endpoint = sandbox.endpoint
    environ = sandbox.environ() | {
        _URL_VARIABLE: endpoint.simple_url,
        # The AWS CLI does not read the region from a host name.
        "AWS_DEFAULT_REGION": endpoint.domain.region,
    }
    try:
        with signals() as received:
            status = received.run(command, environ)
    except FileNotFoundError as error:
        raise CommandNotFoundError(
            f"Command {command[0]} was not found.", "Check its spelling and PATH."
        ) from error
    except OSError as error:
        raise CommandNotExecutableError(
            f"{command[0]} cannot be run: {error.strerror}.",
            "Name a program, or make the file executable with chmod +x.",
        ) from error
    return status if status >= 0 else 128 - status


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Turn termination signals into SystemExit, so that the run's folder is removed."""

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        raise SystemExit(128 + number)

    previous = {number: signal.signal(number, end) for number in _TERMINATION_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
