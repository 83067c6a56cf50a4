"""The faults that a sandbox can begin with: ``sandbox run --fault 'NAME ARGUMENT...'``.

Their arguments are those of the sandbox's methods of the same names.
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

CONTROLS = {
    "throttle": "refuses the next so many API calls",
    "status": "answers with a status from 400 to 599",
    "delay": "answers later",
    "reset-head": "resets the connection after so many bytes of an answer's head",
    "reset": "resets the connection after so many bytes of a body",
    "truncate": "ends a body after so many bytes",
    "corrupt": "changes one byte of a body",
    "limit-rate": "throttles what is over so many API calls a second",
    "limit-reads": "throttles what is over so many requests a second with one token to package"
    " endpoints",
    "deny": "refuses an IAM action",
    "token-life": "lets new tokens live so long, whatever is asked",
    "maximum-duration": "denies tokens that are asked for longer, as a policy may",
    "clock-offset": "sets AWS's clock ahead of the machine's, or behind",
    "set-origin": "sets a package's origin controls in the default repository, each to ALLOW (if not"
    " named) or BLOCK",
}
"""What each fault does, by name."""

_NUMBERS = {"int": r"[0-9]{1,9}", "float": r"-?[0-9]{1,9}(\.[0-9]{1,9})?"}


def usage(name: str) -> str:
    """Return how a fault is written."""
    return _parser(name).usage or ""


def read(words: str) -> tuple[str, dict[str, Any]]:
    """Return a fault's name and its arguments.

    Raises:
        SandboxUsageError: they are not those of a fault.
    """
    try:
        name, *rest = shlex.split(words) or [""]
    except ValueError as error:
        raise SandboxUsageError(
            f"--fault {words!r} cannot be read: {error}.", "Close its quotes."
        ) from error
    if name not in CONTROLS:
        raise SandboxUsageError(f"Unknown fault {name!r}.", f"Choose from: {', '.join(CONTROLS)}.")
    return name, vars(_parser(name).parse_args(rest))


def apply(sandbox: Sandbox, name: str, arguments: dict[str, Any]) -> None:
    """Begin a fault.

    Raises:
        SandboxError: it cannot be.
    """
    member = _member(name)
    if isinstance(getattr(type(sandbox), member), property):
        setattr(sandbox, member, *arguments.values())
    else:
        getattr(sandbox, member)(**arguments)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SandboxUsageError(f"This is not a fault: {message}.", f"Write {self.usage}.")


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
    """Add a parameter of a method to a parser, and return how it is written."""
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
            raise argparse.ArgumentTypeError(f"{text!r} is not possible here")
        return {"int": int, "float": float}.get(kind, str)(text)

    return read
