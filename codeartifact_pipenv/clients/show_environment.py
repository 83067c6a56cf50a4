"""``pipenv-ca env``: prints every variable that a project's tools need, for a shell or for CI."""

from __future__ import annotations

import os
import sys

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.clients.shells import SHELLS, github_file, github_masks
from codeartifact_pipenv.clients.targets import Chosen, add_domain_options, find_targets, tokens_of
from codeartifact_pipenv.clients.variables import named_indexes, variables_for
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.settings import load_toml_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_GITHUB = "github"


class _Chosen(Chosen):
    """What the words say."""

    urls: Sequence[str] = ()
    shell: str = "sh"


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print the variables, tokens in clear.

    With ``--shell github`` they go to the file that ``GITHUB_ENV`` names, for the steps that
    follow, and the commands that mask the tokens in the log are printed.

    Raises:
        UsageError: the words are not understood, or no repository is named.
        CodeArtifactPipenvError: no token can be had.
    """
    chosen = _parser().parse_intermixed_args(list(arguments), _Chosen())
    if chosen.shell == _GITHUB and not os.environ.get("GITHUB_ENV"):
        raise UsageError(
            "GITHUB_ENV is not set, so this is no step of a GitHub Actions job.",
            "Take another shell: --shell sh.",
        )
    targets = find_targets(chosen.urls, chosen)
    tokens = tokens_of(targets, Resolver(settings, os.environ, report))
    secrets = {domain: token.value for domain, token in tokens.items()}
    directory = _project_directory()
    indexes = named_indexes(
        _read_toml(directory, "pyproject.toml"), _read_toml(directory, "uv.toml"), os.environ
    )
    known = [index for index in indexes if index.endpoint.domain in secrets]
    variables = variables_for(targets, known, secrets)
    for index in indexes:
        if index not in known:
            report.warning(
                f"{index.tool}'s index {index.name} is in another domain, {index.endpoint.domain}; "
                "there are no variables for it."
            )
    if chosen.shell == _GITHUB:
        _hand_to_github(variables, {str(d): secret for d, secret in secrets.items()})
    else:
        sys.stdout.write(SHELLS[chosen.shell](variables))
    return 0


def _hand_to_github(variables: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    # The masks first: from then on the log hides them.
    sys.stdout.write(github_masks(secrets))
    sys.stdout.flush()
    path = os.environ["GITHUB_ENV"]
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(github_file(variables))
    except OSError as error:
        raise UsageError(
            f"The file that GITHUB_ENV names cannot be written: {error.strerror}.",
            "Run it in a step of a GitHub Actions job.",
        ) from error


def _project_directory() -> str:
    """Return the folder of pyproject.toml: here, or the nearest above that has one."""
    here = folder = os.getcwd()
    while not os.path.isfile(os.path.join(folder, "pyproject.toml")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return here
        folder = parent
    return folder


def _read_toml(directory: str, name: str) -> Mapping[str, object]:
    # (Their own tools say what is wrong with them.)
    try:
        with open(os.path.join(directory, name), "rb") as file:
            return load_toml_bytes(file.read())
    except (OSError, ValueError):
        return {}


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca env",
        description="Print the variables by which pipenv, pip, uv, poetry, pdm, hatch and twine "
        "use CodeArtifact, with the token in them.",
        examples={
            'eval "$(pipenv-ca env)"': "sh, bash, zsh",
            "pipenv-ca env --shell fish | source": "fish",
            "pipenv-ca env --shell github": "for the next steps of a job",
        },
    )
    parser.add_argument(
        "urls", nargs="*", metavar="URL", help="of an index; else the Pipfile's CodeArtifact ones"
    )
    parser.add_argument(
        "--shell", choices=[*SHELLS, _GITHUB], default="sh", help="who is to read it (sh)"
    )
    add_domain_options(parser)
    parser.add_argument("--repository", metavar="NAME", help="the repository's name")
    return parser
