"""How variables are written for a shell, for a program, or for the next step of a CI job."""

from __future__ import annotations

import json
import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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
"""By name of a shell, how variables are set in it; ``github`` is a case of its own."""


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
