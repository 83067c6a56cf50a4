"""What a running sandbox can be told from outside: one table, for every way to tell it.

The command line (``sandbox fault NAME ...``, ``--fault 'NAME ...'``), the JSON that
:mod:`~codeartifact_pipenv.sandbox.admin` takes, and the table in ``examples/guides/sandbox.md``
come from it. Nothing here imports the sandbox itself.
"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from codeartifact_pipenv.sandbox.errors import SandboxUsageError
from codeartifact_pipenv.sandbox.faults import PLACES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FAR = 10**9


class Parameter(NamedTuple):
    """One parameter of a control.

    Attributes:
        name: as a keyword argument, and in JSON.
        kind: ``count`` (an integer that is not below 0), ``seconds`` (a number that is not
            below 0), ``offset`` (any number), ``text`` or ``action`` (such as
            ``codeartifact:ReadFromRepository``).
        required: whether there is no way without it.
        choices: what it may be; empty where that is open.
        or_none: whether null, spelled ``none``, is a value.
    """

    name: str
    kind: str
    required: bool = False
    choices: tuple[str, ...] = ()
    or_none: bool = False

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return self.name if self.required else f"--{self.name.replace('_', '-')}"

    @property
    def usage(self) -> str:
        """How the command line spells it, with its value."""
        value = "|".join(self.choices) or (self.name if self.required else self.kind).upper()
        value += "|none" if self.or_none else ""
        return value if self.required else f"[{self.option} {value}]"

    def read(self, text: str) -> object:
        """Return the value that a word spells; the word itself where it spells none."""
        if self.or_none and text == "none":
            return None
        if self.kind in {"text", "action"}:
            return text
        try:
            return int(text) if re.fullmatch("-?[0-9]{1,18}", text) else float(text)
        except ValueError:
            return text

    def allows(self, value: object) -> bool:
        """Whether it may have a value."""
        if value is None:
            return self.or_none
        if isinstance(value, str):
            if self.choices:
                return value in self.choices
            if self.kind == "action":
                return re.fullmatch("(codeartifact|sts|iam):[A-Za-z]{1,100}", value) is not None
            return self.kind == "text" and 0 < len(value) <= 255 and value.isprintable()  # noqa: PLR2004 - AWS's longest name
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        # (No comparison holds for NaN.)
        lowest = -_FAR if self.kind == "offset" else 0
        whole = isinstance(value, int) or self.kind in {"seconds", "offset"}
        known = self.kind in {"count", "seconds", "offset"}
        return known and whole and lowest <= value <= _FAR

    @property
    def rule(self) -> str:
        """What it may be, for a sentence."""
        kinds = {
            "count": "an integer that is not below 0",
            "seconds": "a number that is not below 0",
            "offset": "a number",
            "text": "a name",
            "action": "an IAM action such as codeartifact:ReadFromRepository",
        }
        rule = f"one of {', '.join(self.choices)}" if self.choices else kinds[self.kind]
        return f"{rule}, or none" if self.or_none else rule


class Control(NamedTuple):
    """Something that a sandbox can be told.

    Attributes:
        member: the sandbox's method or property.
        what: what it does, as a clause.
        parameters: the required ones first.
    """

    member: str
    what: str
    parameters: tuple[Parameter, ...] = ()

    def usage(self, name: str) -> str:
        """Return how the command line spells it."""
        return " ".join([name, *(one.usage for one in self.parameters)])

    def check(self, name: str, arguments: Mapping[str, object]) -> None:
        """Hold arguments to the parameters.

        Raises:
            SandboxUsageError: one is missing, not known, or none that may be.
        """
        known = {one.name: one for one in self.parameters}
        for one in self.parameters:
            if one.required and one.name not in arguments:
                raise SandboxUsageError(
                    f"The fault {name} needs {one.name}.", f"Write {self.usage(name)}."
                )
        for given, value in arguments.items():
            if given not in known:
                raise SandboxUsageError(
                    f"The fault {name} has no {given!r}.", f"Write {self.usage(name)}."
                )
            if not known[given].allows(value):
                raise SandboxUsageError(
                    f"The {given} of {name} cannot be {value!r}.", f"It is {known[given].rule}."
                )


def _value(name: str, kind: str, *, or_none: bool = False) -> Parameter:
    return Parameter(name, kind, required=True, or_none=or_none)


_TIMES, _NAME = Parameter("times", "count"), Parameter("name", "text")
_WHERE = (_TIMES, Parameter("on", "text", choices=PLACES), _NAME)
_MODES = ("ALLOW", "BLOCK")

CONTROLS = {
    "throttle": Control(
        "throttle",
        "refuses the next so many API calls",
        (_value("calls", "count"), Parameter("retry_after", "count")),
    ),
    "status": Control(
        "fault",
        "answers with a status from 400 to 599",
        (_value("status", "count"), *_WHERE),
    ),
    "delay": Control("delay", "answers later", (_value("seconds", "seconds"), *_WHERE)),
    "reset-head": Control(
        "reset_head",
        "resets the connection after so many bytes of an answer's head",
        (Parameter("after", "count"), *_WHERE),
    ),
    "reset": Control(
        "reset",
        "resets the connection after so many bytes of a body",
        (Parameter("after", "count"), *_WHERE),
    ),
    "truncate": Control(
        "truncate",
        "ends a body after so many bytes",
        (Parameter("after", "count"), *_WHERE),
    ),
    "corrupt": Control(
        "corrupt",
        "changes one byte of a body",
        (Parameter("at", "count"), *_WHERE),
    ),
    "limit-rate": Control(
        "limit_rate",
        "throttles what is over so many API calls a second",
        (_value("calls", "count", or_none=True), _TIMES, _NAME),
    ),
    "limit-reads": Control(
        "limit_reads",
        "throttles what is over so many requests a second with one token to package endpoints",
        (_value("reads", "count", or_none=True), _TIMES),
    ),
    "deny": Control("deny", "refuses an IAM action", (_value("action", "action"),)),
    "allow": Control("allow", "undoes `deny`", (_value("action", "action"),)),
    "revoke-tokens": Control("revoke_tokens", "makes every token invalid that was issued so far"),
    "token-life": Control(
        "token_life",
        "lets new tokens live so long, whatever is asked",
        (_value("seconds", "seconds", or_none=True),),
    ),
    "maximum-duration": Control(
        "maximum_duration",
        "denies tokens that are asked for longer, as a policy may",
        (_value("seconds", "count", or_none=True),),
    ),
    "clock-offset": Control(
        "clock_offset",
        "sets AWS's clock ahead of the machine's, or behind",
        (_value("seconds", "offset"),),
    ),
    "set-origin": Control(
        "set_origin",
        "sets a package's origin controls in the default repository; each is ALLOW if not named",
        (
            _value("name", "text"),
            Parameter("publish", "text", choices=_MODES),
            Parameter("upstream", "text", choices=_MODES),
        ),
    ),
    "heal": Control(
        "heal", "undoes throttling and limits, and faults of a status, a delay, a head or a body"
    ),
}
"""What there is, by name."""


def find(name: str) -> Control:
    """Return a control.

    Raises:
        SandboxUsageError: there is none of that name.
    """
    if name not in CONTROLS:
        raise SandboxUsageError(f"There is no fault {name!r}.", f"There are {', '.join(CONTROLS)}.")
    return CONTROLS[name]


def read_words(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Read a control and its arguments from words of a command line.

    Raises:
        SandboxUsageError: they are none.
    """
    if not words:
        raise SandboxUsageError("No fault is named.", f"There are {', '.join(CONTROLS)}.")
    name, *rest = words
    control = find(name)
    parser = _Parser(usage=control.usage(name), add_help=False, allow_abbrev=False)
    for one in control.parameters:
        parser.add_argument(one.option, type=one.read, default=argparse.SUPPRESS)
    arguments = vars(parser.parse_args(rest))
    control.check(name, arguments)
    return name, arguments


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SandboxUsageError(f"This is no fault: {message}.", f"Write {self.usage}.")


def apply(sandbox: object, name: str, arguments: Mapping[str, object]) -> None:
    """Tell a sandbox.

    Raises:
        SandboxError: there is no such control, or it cannot be.
    """
    control = find(name)
    control.check(name, arguments)
    if isinstance(getattr(type(sandbox), control.member), property):
        (value,) = arguments.values()
        setattr(sandbox, control.member, value)
    else:
        getattr(sandbox, control.member)(**arguments)
