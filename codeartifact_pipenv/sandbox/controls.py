"""Parses the faults of ``sandbox run --fault 'NAME ARGUMENT...'``.

Their arguments are those of the Sandbox methods with the same names.
"""

from __future__ import annotations

import argparse
import inspect
import re
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

from codeartifact_pipenv.sandbox.errors import SandboxUsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

FAULTS = (
    "throttle",
    "status",
    "delay",
    "latency",
    "bandwidth",
    "reset-head",
    "reset",
    "truncate",
    "corrupt",
    "limit-rate",
    "limit-reads",
    "deny",
    "token-life",
    "maximum-duration",
    "clock-offset",
    "set-origin",
)

_NUMBERS = {"int": r"[0-9]{1,9}", "float": r"-?[0-9]{1,9}(\.[0-9]{1,9})?"}


def usage(name: str) -> str:
    """Return the syntax of a fault."""
    return _parser(name).usage or ""


def read(words: str) -> tuple[str, dict[str, Any]]:
    """Parse a fault into its name and arguments.

    Raises:
        SandboxUsageError: the name or the arguments are invalid.
    """
    try:
        name, *rest = shlex.split(words) or [""]
    except ValueError as error:
        raise SandboxUsageError(
            f"--fault {words!r} cannot be parsed: {error}.", "Close the quotes."
        ) from error
    if name not in FAULTS:
        raise SandboxUsageError(f"Unknown fault {name!r}.", f"Choose from: {', '.join(FAULTS)}.")
    return name, vars(_parser(name).parse_args(rest))


def apply(sandbox: Sandbox, name: str, arguments: dict[str, Any]) -> None:
    """Start a fault.

    Raises:
        SandboxError: an argument is out of range.
    """
    member = _member(name)
    if isinstance(getattr(type(sandbox), member), property):
        setattr(sandbox, member, *arguments.values())
    else:
        getattr(sandbox, member)(**arguments)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SandboxUsageError(f"Invalid fault: {message}.", f"Write {self.usage}.")


def _member(name: str) -> str:
    return "fault" if name == "status" else name.replace("-", "_")


def _parser(name: str) -> _Parser:
    from codeartifact_pipenv.sandbox.sandbox import Sandbox

    found: Any = getattr(Sandbox, _member(name))
    signature = inspect.signature(getattr(found, "fset", found))
    parser = _Parser(add_help=False, allow_abbrev=False)
    own = [one for one in signature.parameters.values() if one.name not in {"self", "endpoint"}]
    parser.usage = " ".join([name, *(_add(parser, one) for one in own)])
    return parser


def _add(parser: _Parser, parameter: inspect.Parameter) -> str:
    """Add a method's parameter to a parser and return its syntax."""
    kind = parameter.annotation.partition(" | ")[0]
    read, shown = _reader(kind), parameter.name.upper()
    if parameter.default is parameter.empty:
        parser.add_argument(parameter.name, type=read)
        return shown
    shown = "COUNT" if kind == "int" else shown
    option = f"--{parameter.name.replace('_', '-')}"
    parser.add_argument(option, type=read, default=argparse.SUPPRESS)
    return f"[{option} {shown}]"


def _reader(kind: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if kind in _NUMBERS and re.fullmatch(_NUMBERS[kind], text) is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not a valid number")
        return {"int": int, "float": float}.get(kind, str)(text)

    return read
