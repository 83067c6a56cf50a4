"""The command line of ``pipenv-ca mcp``."""

from __future__ import annotations

import argparse
import os

from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Serve a client on stdin and stdout until it disconnects."""
    chosen = _parser().parse_args(list(arguments))
    # Only now: the help is shown without the extra, too.
    from codeartifact_pipenv.assistant.roots import Roots
    from codeartifact_pipenv.assistant.server import make_server

    server = make_server(Roots(chosen.root), settings.option_arguments())
    report.note("serving a client on stdin and stdout")
    server.run("stdio")
    return 0


def _folder(word: str) -> str:
    if not os.path.isdir(word):
        raise argparse.ArgumentTypeError(f"{word} is not a folder")
    return word


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca mcp",
        description="Serve an assistant that speaks the Model Context Protocol on stdin and "
        "stdout. It can diagnose projects and read the guides. Nothing is changed, and no token "
        "is shown.",
        examples={
            "pipenv-ca mcp": "the command to register in a client",
            "pipenv-ca mcp --root ~/work": "only for projects in ~/work",
        },
    )
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        type=_folder,
        metavar="DIR",
        help="only read projects in this folder; may be repeated (default: the folders that are "
        "open in the client, or the current one)",
    )
    return parser
