"""Parses the command lines of own verbs: one format for help and errors."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from codeartifact_pipenv.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDTH = 79
_HELP_COLUMN = 26


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_HELP_COLUMN, width=_WIDTH)


class Parser(argparse.ArgumentParser):
    """A parser whose help fits a screen and whose errors are UsageErrors.

    Args:
        parts: subcommands of the verb, with their descriptions.
        examples: command lines, with their descriptions.
        kwargs: arguments of argparse.ArgumentParser.
    """

    def __init__(
        self,
        *,
        parts: Mapping[str, str] | None = None,
        examples: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("formatter_class", _Formatter)
        super().__init__(**kwargs)
        self._lists = {"parts": parts or {}, "examples": examples or {}}

    def format_usage(self) -> str:
        """Return the usage without optional options; argparse also calls this before it parses."""
        if self.usage is None:
            self.usage = " ".join(
                filter(None, ["%(prog)s", "[OPTION...]", *map(_shape, self._actions)])
            )
        return super().format_usage()

    def format_help(self) -> str:
        """Return the help, with parts and examples at its end."""
        self.format_usage()
        parts = _listed("parts", self._lists["parts"])
        examples = _listed("examples", self._lists["examples"])
        said = (super().format_help().rstrip(), parts, examples)
        return "\n\n".join(filter(None, said)) + "\n"

    def error(self, message: str) -> NoReturn:
        """Raise the error for wrong arguments.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.prog}: {message.rstrip('.')}.", f"See `{self.prog} --help`.")


def _shape(action: argparse.Action) -> str:
    """Return how the usage shows an argument or a required option; '' for others."""
    name = action.metavar or (
        f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest
    )
    if action.option_strings:
        return f"{action.option_strings[0]} {name}" if action.required else ""
    if action.nargs == argparse.PARSER:
        return f"{name} ..."
    return {"*": f"[{name}...]", "?": f"[{name}]"}.get(str(action.nargs), str(name))


def _listed(title: str, lines: Mapping[str, str]) -> str:
    width = max(map(len, lines), default=0) + 2
    listed = [f"  {line:<{width}}{what}".rstrip() for line, what in lines.items()]
    return "\n".join([f"{title}:", *listed]) if listed else ""
