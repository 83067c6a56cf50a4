"""``pipenv-ca provision access``: logs pip and twine in to a repository that is named."""

from __future__ import annotations

from codeartifact_pipenv.clients.login_cli import main_login
from codeartifact_pipenv.provision.target import add_target_options, find_repository
from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_TOOLS = ("pip", "twine")


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Run ``pipenv-ca login pip`` and ``login twine``; raises what ``cli.main`` does."""
    options = _parser().parse_args(list(arguments))
    url = find_repository(options, settings).url
    for tool in options.tools or _TOOLS:
        main_login([tool, url, *(options.more or ())], settings, report)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision access",
        description="Log pip and twine in to the repository, and say when their token ends; "
        "`pipenv-ca logout` restores what was there.",
        examples={"pipenv-ca provision access --domain acme --repository team": ""},
    )
    add_target_options(parser)
    parser.add_argument(
        "--tool", dest="tools", action="append", choices=_TOOLS, help="only this one"
    )
    more = {
        "--keyring": "use the keyring, without a token",
        "--dry-run": "show what would be written",
    }
    for option, what in more.items():
        parser.add_argument(option, dest="more", action="append_const", const=option, help=what)
    return parser
