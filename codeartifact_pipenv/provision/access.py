"""``pipenv-ca provision access``: logs pip and twine in to the repository that was created."""

from __future__ import annotations

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.clients.targets import Chosen
from codeartifact_pipenv.provision.where import add_place_options, find_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_TOOLS = ("pip", "twine")


class _AccessOptions(Chosen):
    """The options of the verb."""

    tools: Sequence[str] | None = None
    keyring: bool = False
    dry_run: bool = False


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Run ``pipenv-ca login pip`` and ``login twine`` for a repository given by name.

    Raises:
        CodeArtifactPipenvError: as ``pipenv-ca login`` does.
    """
    from codeartifact_pipenv.clients import login_cli

    chosen = _parser().parse_args(list(arguments), _AccessOptions())
    place = find_place(chosen, settings)
    more = ["--keyring"] if chosen.keyring else []
    more += ["--dry-run"] if chosen.dry_run else []
    for tool in chosen.tools or _TOOLS:
        login_cli.main_login([tool, place.endpoint.url, *more], settings, report)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision access",
        description="Log pip and twine in to the repository, and say when their token ends; "
        "`pipenv-ca logout` restores what was there.",
        examples={
            "pipenv-ca provision access --domain acme --repository team": "",
        },
    )
    add_place_options(parser)
    parser.add_argument(
        "--tool", dest="tools", action="append", choices=_TOOLS, help="only this one"
    )
    parser.add_argument("--keyring", action="store_true", help="use the keyring, without a token")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written")
    return parser
