"""The command that adds an extra with the tool that installed this program."""

from __future__ import annotations

import os
import sys

# Each tool's command, by a file that it writes into an application's environment.
_TOOLS = {
    "uv-receipt.toml": "uv tool install",
    "pipx_metadata.json": "pipx install --force",
}


def install_command(extra: str, prefix: str = sys.prefix) -> str:
    """Return the command that installs an extra.

    Args:
        extra: its name, such as ``mcp``.
        prefix: the environment of this program.
    """
    found = (tool for file, tool in _TOOLS.items() if os.path.exists(os.path.join(prefix, file)))
    return f"{next(found, 'pip install')} 'codeartifact-pipenv[{extra}]'"
