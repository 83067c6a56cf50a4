"""``sandbox run``, ``serve``, ``env``, ``fault``, ``requests`` and ``demo``."""

from __future__ import annotations

import argparse
import shlex
import textwrap
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

_PROGRAM = "pipenv-ca sandbox"
_WIDTH = 77


def main(argv: Sequence[str]) -> int:
    """Run the verb ``sandbox``.

    Args:
        argv: what follows the verb.

    Returns:
        the process's exit status: the command's own, where there is one.
    """
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.sandbox.process import ending_on_signals

    try:
        with ending_on_signals():
            return _dispatch(list(argv))
    except CodeArtifactPipenvError as error:
        Report().error(error.sentence, error.hint)
        return error.exit_code
    except SystemExit as stop:
        # argparse has printed its help, or a signal ended us.
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
        return _demo(options.project)
    if options.verb != "run" and command:
        raise UsageError(
            f"{_PROGRAM} {options.verb} takes no command.", f"Write {_PROGRAM} run -- COMMAND."
        )
    if options.verb == "env":
        from codeartifact_pipenv.sandbox.serving import show

        return show(_folder(options), as_json=options.json)
    if options.verb == "fault":
        from codeartifact_pipenv.sandbox.remote import tell

        return tell(options.at, options.words)
    if options.verb == "requests":
        from codeartifact_pipenv.sandbox.remote import show_requests

        return show_requests(options.at, as_json=options.json)
    if options.verb == "serve":
        return _serve(options)
    if not command:
        raise UsageError(
            f"{_PROGRAM} run needs a command.", f"Write {_PROGRAM} run [OPTION...] -- COMMAND..."
        )
    return _run(options, command)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="An AWS CodeArtifact on this machine: nothing reaches AWS, and no account is needed.",
        examples={
            f"{_PROGRAM} demo": "see it at work",
            f"{_PROGRAM} run --packages wheels/ -- pipenv-ca sync": "test a project",
        },
    )
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", help="each has a --help of its own"
    )
    demo = verbs.add_parser("demo", help="lock and install a small project against the sandbox")
    demo.add_argument(
        "project",
        nargs="?",
        type=Path,
        help="a folder with a Pipfile, and with private packages in packages/ (default: a small one)",
    )
    run = verbs.add_parser(
        "run",
        help="run a command with the sandbox as its AWS",
        usage="%(prog)s [OPTION...] -- COMMAND...",
        allow_abbrev=False,
    )
    serve = verbs.add_parser(
        "serve",
        help="print the environment for a shell, and serve until ctrl-C",
        allow_abbrev=False,
    )
    env = verbs.add_parser("env", help="print the environment of a sandbox that serves")
    env.add_argument("--json", action="store_true", help="as JSON; null is for what is to be unset")
    fault = verbs.add_parser(
        "fault",
        help="set a fault of a sandbox that runs, or undo it",
        usage="%(prog)s [--at DIR] NAME [ARGUMENT...]",
        epilog=_faults(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    requests = verbs.add_parser("requests", help="count what a sandbox that runs was asked")
    requests.add_argument("--json", action="store_true", help="every request, as JSON")
    for found in (serve, env, fault, requests):
        found.add_argument(
            "--at", type=Path, metavar="DIR", help="where `env` finds it (in the user's cache)"
        )
    fault.add_argument(
        "words", nargs=argparse.REMAINDER, metavar="NAME [ARGUMENT...]", help="a fault, as below"
    )
    for starting in (run, serve):
        _add_contents(starting)
    return parser


def _add_contents(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--packages",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="publish the wheels, sdists and projects of a folder; may be repeated",
    )
    run.add_argument(
        "--state", type=Path, metavar="DIR", help="go on from a folder, and keep what happens in it"
    )
    run.add_argument(
        "--public",
        type=Path,
        metavar="DIR",
        help="take public packages from a folder of wheels and sdists only, without network",
    )
    run.add_argument("--domain", help="the domain's name (demo)")
    run.add_argument("--owner", metavar="ACCOUNT", help="the owner, 12 digits (123456789012)")
    run.add_argument("--region", help="the AWS region (us-east-1)")
    run.add_argument("--repository", help="the repository's name (pypi-store)")
    run.add_argument(
        "--no-upstream",
        dest="upstream",
        action="store_false",
        help="do not fall back on this machine's public index",
    )
    run.add_argument(
        "--behaviour",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="how to read what AWS does not say; a wrong one lists what there is; may be repeated",
    )
    run.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="'NAME ARGUMENT...'",
        help="begin with a fault, in the words of `sandbox fault`; may be repeated",
    )


def _run(options: argparse.Namespace, command: list[str]) -> int:
    from codeartifact_pipenv.sandbox.process import run_inside

    with _started(options) as sandbox:
        return run_inside(sandbox, command)


def _serve(options: argparse.Namespace) -> int:
    from codeartifact_pipenv.sandbox.serving import serve

    with _started(options) as sandbox:
        return serve(sandbox, _folder(options))


def _folder(options: argparse.Namespace) -> Path:
    from codeartifact_pipenv.sandbox.serving import default_folder

    return options.at or default_folder()


@contextmanager
def _started(options: argparse.Namespace) -> Iterator[Sandbox]:
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.sandbox import controls
    from codeartifact_pipenv.sandbox.behaviour import read_behaviour

    behaviour = read_behaviour(options.behaviour)
    faults = [controls.read_words(_split(words)) for words in options.fault]
    names = ("domain", "owner", "region", "repository", "public")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    with ExitStack() as stack:
        with Report().working("starts the sandbox"):
            starting = _sandbox()(
                options.packages,
                upstream=options.upstream,
                state=options.state,
                behaviour=behaviour,
                **given,
            )
            sandbox = stack.enter_context(starting)
        for name, arguments in faults:
            controls.apply(sandbox, name, arguments)
        yield sandbox


def _split(words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError as error:
        raise UsageError(
            f"--fault {words!r} cannot be read: {error}.", f"See {_PROGRAM} fault --help."
        ) from error


def _faults() -> str:
    from codeartifact_pipenv.sandbox.controls import CONTROLS

    places = " [--on packages|pages|files|uploads|assets|api]"
    lines = []
    for name, one in CONTROLS.items():
        usage = one.usage(name).replace(f" [--times COUNT]{places} [--name TEXT]", " ...")
        usage = usage.replace(" [--times COUNT] [--name TEXT]", " ...")
        text = textwrap.wrap(f"{usage}: {one.what}", _WIDTH, subsequent_indent="    ")
        lines += [f"  {line}" for line in text]
    common = f"... is [--times COUNT]{places}\n       [--name TEXT]"
    return "\n".join([common, "", "faults:", *lines])


def _demo(project: Path | None) -> int:
    sandbox_class = _sandbox()
    from codeartifact_pipenv.sandbox.demo import demonstrate

    return demonstrate(sandbox_class, project)


def _sandbox() -> type[Sandbox]:
    try:
        from codeartifact_pipenv.sandbox.sandbox import Sandbox
    except ModuleNotFoundError as error:
        from codeartifact_pipenv.sandbox.errors import SandboxError

        raise SandboxError(
            f"The sandbox needs {error.name}, which is not installed.",
            'Install "codeartifact-pipenv[sandbox]".',
        ) from error
    return Sandbox
