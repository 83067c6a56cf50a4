"""How variables are written for a shell, for a program, or for the next step of a CI job."""

from __future__ import annotations

import json
import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _sh(variables: Mapping[str, str]) -> str:
    # With the semicolon it also holds where the lines are joined: eval $(pipenv-ca env)
    return "".join(f"export {name}={shlex.quote(value)};\n" for name, value in variables.items())


def _fish(variables: Mapping[str, str]) -> str:
    # Within single quotes fish knows two escapes, of the quote and of the backslash.
    def quoted(value: str) -> str:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    return "".join(f"set -gx {name} {quoted(value)};\n" for name, value in variables.items())


def _powershell(variables: Mapping[str, str]) -> str:
    # Within single quotes only the quote is special; typographic ones count as quotes too.
    def quoted(value: str) -> str:
        return "'" + "".join(c * 2 if c in "'\u2018\u2019\u201a\u201b" else c for c in value) + "'"

    return "".join(f"$Env:{name} = {quoted(value)};\n" for name, value in variables.items())


def _json(variables: Mapping[str, str]) -> str:
    return json.dumps(dict(variables), indent=2) + "\n"


def github_file(variables: Mapping[str, str]) -> str:
    """Return the lines for the file that ``GITHUB_ENV`` names.

    Raises:
        ValueError: a value has a line break in it, which none of ours has.
    """
    for name, value in variables.items():
        if "\n" in value or "\r" in value:
            raise ValueError(f"{name} has a line break in its value")
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def github_masks(secrets: Mapping[str, str]) -> str:
    """Return the workflow commands that hide secrets in the log of a GitHub Actions job.

    They are escaped as GitHub's own toolkit escapes a command's data.
    """

    def escaped(value: str) -> str:
        return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    return "".join(f"::add-mask::{escaped(value)}\n" for value in dict.fromkeys(secrets.values()))


SHELLS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "sh": _sh,
    "fish": _fish,
    "powershell": _powershell,
    "json": _json,
}
"""By name of a shell, how variables are set in it; ``github`` is a case of its own."""
