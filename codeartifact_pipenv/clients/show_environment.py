"""``pipenv-ca env``: prints every variable that a project's tools need, for a shell or for CI."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys

from codeartifact_pipenv.clients.targets import (
    add_repository_options,
    find_sources,
    load_project_here,
    tokens_of,
)
from codeartifact_pipenv.clients.variables import ToolIndex, tool_indexes, variables_for
from codeartifact_pipenv.errors import CodeArtifactPipenvError, ConfigurationError, UsageError
from codeartifact_pipenv.files.io import load_toml_bytes, read_user_file
from codeartifact_pipenv.project.pipfile import working_directory
from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_GITHUB = "github"


def _quote_for_fish(value: str) -> str:
    # Within single quotes fish knows two escapes, of the quote and of the backslash.
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quote_for_powershell(value: str) -> str:
    # Within single quotes only the quote is special; typographic ones count as quotes too.
    return "'" + "".join(c * 2 if c in "'\u2018\u2019\u201a\u201b" else c for c in value) + "'"


def _lines(form: str, quote: Callable[[str], str]) -> Callable[[Mapping[str, str]], str]:
    return lambda variables: "".join(form % (n, quote(value)) for n, value in variables.items())


SHELLS: dict[str, Callable[[Mapping[str, str]], str]] = {
    # With the semicolon it also holds if the lines are joined: eval $(pipenv-ca env)
    "sh": _lines("export %s=%s;\n", shlex.quote),
    "fish": _lines("set -gx %s %s;\n", _quote_for_fish),
    "powershell": _lines("$Env:%s = %s;\n", _quote_for_powershell),
    "cmd": _lines('set "%s=%s"\n', str),
    "json": lambda variables: json.dumps(dict(variables), indent=2) + "\n",
}


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print the variables, tokens in clear.

    With ``--shell github`` they go to the file that ``GITHUB_ENV`` names, for the steps that
    follow, and the commands that mask the tokens in the log are printed.

    Raises:
        UsageError: the words are not understood, or no repository is named.
        CodeArtifactPipenvError: no token can be obtained.
    """
    chosen = _parser().parse_intermixed_args(list(arguments))
    if chosen.shell == _GITHUB and not os.environ.get("GITHUB_ENV"):
        raise UsageError(
            "GITHUB_ENV is not set, so this is not a step of a GitHub Actions job.",
            "Take another shell: --shell sh.",
        )
    sources = find_sources(chosen, settings)
    tokens = {d: token.value for d, token in tokens_of(sources, settings, report).items()}
    variables, warnings = variables_for(sources, _indexes_here(), tokens)
    for warning in warnings:
        report.warning(warning)
    if chosen.shell == _GITHUB:
        _hand_to_github(variables, tokens.values())
    else:
        sys.stdout.write(SHELLS[chosen.shell](variables))
    return 0


def _hand_to_github(variables: Mapping[str, str], tokens: Iterable[str]) -> None:
    # Mask first, so that the log hides the values. Escaped like GitHub's toolkit does.
    sys.stdout.write("".join(f"::add-mask::{t.replace('%', '%25')}\n" for t in tokens))
    sys.stdout.flush()
    path = os.environ["GITHUB_ENV"]
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write("".join(f"{name}={value}\n" for name, value in variables.items()))
    except OSError as error:
        raise UsageError(
            f"The file that GITHUB_ENV names cannot be written: {error.strerror}.",
            "Run it in a step of a GitHub Actions job.",
        ) from error


def _indexes_here() -> list[ToolIndex]:
    """Return the indexes of the files that uv, poetry, pdm and pipenv may read here.

    They look for a project in this folder and those above it (uv for a workspace as well), and
    uv reads a file of the user's own.
    """
    folders = [working_directory()]
    while (parent := os.path.dirname(folders[-1])) != folders[-1]:
        folders.append(parent)
    paths = [os.path.join(f, name) for f in folders for name in ("pyproject.toml", "uv.toml")]
    paths += [os.path.join(folder, "uv", "uv.toml") for folder in _config_folders()]
    paths += filter(None, [os.environ.get("UV_CONFIG_FILE")])
    found = []
    for path in dict.fromkeys(paths):
        found += tool_indexes(_read_toml(path), path, os.environ)
    with contextlib.suppress(CodeArtifactPipenvError):
        others = [s for s in load_project_here().sources() if s.endpoint is None]
        found += [ToolIndex("pipenv", source) for source in others]
    return found


def _config_folders() -> list[str]:
    """Return where uv's own files may be: of the user, and of all users."""
    environ = os.environ
    if sys.platform == "win32":
        found = [environ.get("APPDATA", ""), environ.get("PROGRAMDATA", "")]
    else:
        user = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        found = [user, *environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"), "/etc"]
    return list(filter(None, found))


def _read_toml(path: str) -> Mapping[str, object]:
    # The tools themselves report what is wrong with their files.
    try:
        return load_toml_bytes(read_user_file(path) or b"")
    except (ConfigurationError, ValueError):
        return {}


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca env",
        description="Print the variables by which pipenv, pip, uv, poetry, pdm, hatch and twine "
        "use CodeArtifact, with the token in them.",
        examples={
            'eval "$(pipenv-ca env)"': "sh, bash, zsh",
            "pipenv-ca env --shell fish | source": "fish",
            "pipenv-ca env --shell powershell | Invoke-Expression": "PowerShell",
            "pipenv-ca env --shell github": "later steps of a job",
        },
    )
    add_repository_options(parser)
    parser.add_argument(
        "--shell",
        choices=[*SHELLS, _GITHUB],
        default="sh",
        help="the shell or program that reads it (sh)",
    )
    return parser
