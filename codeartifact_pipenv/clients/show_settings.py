"""``pipenv-ca config``: prints the settings in force, and where each comes from."""

from __future__ import annotations

import os
import sys
from typing import Any

from codeartifact_pipenv.clients.targets import load_project_here
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.pipfile import working_directory
from codeartifact_pipenv.report import printable
from codeartifact_pipenv.settings import (
    DOMAIN_SETTINGS,
    MAXIMUM_DURATION,
    SETTINGS,
    user_config_path,
)
from codeartifact_pipenv.terminal.arguments import Parser
from codeartifact_pipenv.terminal.text import columns_of, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main(arguments: Sequence[str], settings: Settings, _report: Report) -> int:
    """Print each setting, its value and what sets it; with ``--json`` as JSON.

    Raises:
        UsageError: the words are not understood.
        ConfigurationError: a file with settings cannot be read, or a value is not allowed.
    """
    as_json = _parser().parse_args(list(arguments)).json
    directory = _project_directory()
    settings.read_project(directory)
    found = [_row(settings, name) for name in SETTINGS]
    found += [
        {**_row(settings, name, domain), "name": f"domains.{domain.name}-{domain.owner}.{name}"}
        for domain in settings.domains()
        for name in DOMAIN_SETTINGS
    ]
    paths = [os.path.join(directory, "pyproject.toml"), user_config_path(os.environ)]
    files = [{"path": path, "exists": os.path.isfile(path)} for path in paths if path]
    if as_json:
        import json

        sys.stdout.write(json.dumps({"settings": found, "files": files}, indent=2) + "\n")
        return 0
    width = columns_of(sys.stdout) if sys.stdout.isatty() else None
    heads = ["Setting", "Value", "From"]
    lines = [*table([heads, *map(_cells, found)], width), ""]
    for file in files:
        state = "" if file["exists"] else " (does not exist)"
        lines.append(printable(f"{file['path']}{state}"))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _project_directory() -> str:
    """Return the folder whose pyproject.toml is read; what is wrong with its Pipfile is lint's."""
    try:
        return load_project_here().directory
    except ConfigurationError:
        return working_directory()


def _row(settings: Settings, name: str, domain: Domain | None = None) -> dict[str, Any]:
    value, origin = settings.value(name, domain), settings.origin(name, domain)
    defaults = {"duration": MAXIMUM_DURATION, "cache-dir": settings.state_directory()}
    if value is None:
        value = False if SETTINGS[name].is_flag else defaults.get(name)
    return {"name": name, "value": value, "origin": origin}


def _cells(row: dict[str, Any]) -> list[str]:
    text = _text(row["value"])
    origin = row["origin"] or ("-" if text == "-" else "default")
    return [row["name"], printable(text), printable(origin)]


def _text(value: object) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca config",
        description="Print the settings in use here, and where each comes from: an option, a "
        "variable, the project's pyproject.toml or your own config.toml.",
        examples={
            "pipenv-ca config": "for the project here",
            "pipenv-ca --ca-profile work config": "with an option",
        },
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
