"""The command line of ``pipenv-ca mcp``."""

from __future__ import annotations

import argparse
import os

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.assistant.diagnosing import Examiner
from codeartifact_pipenv.assistant.roots import Roots
from codeartifact_pipenv.assistant.server import make_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Serve a client on stdin and stdout until it leaves."""
    chosen = _parser().parse_args(list(arguments))
    server = make_server(Roots(chosen.root), Examiner(settings.option_words()))
    report.note("serves a client on stdin and stdout")
    server.run("stdio")
    return 0


def _folder(word: str) -> str:
    if not os.path.isdir(word):
        raise argparse.ArgumentTypeError(f"{word} is no folder")
    return word


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca mcp",
        description="Serve an assistant that speaks the Model Context Protocol on stdin and "
        "stdout: it may have projects diagnosed, errors explained and guides shown. Nothing is "
        "changed, and no token is shown.",
        examples={
            "pipenv-ca mcp": "as the command of a client's server",
            "pipenv-ca mcp --root ~/work": "for projects in ~/work alone",
        },
    )
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        type=_folder,
        metavar="DIR",
        help="read projects in this folder only; may be repeated (default: the folders that are "
        "open in the client, else this one)",
    )
    return parser
