"""Reads commands, options and values from a help text. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

# "  -s, --shell {sh,fish}  what it is for": as argparse and click print it.
_OPTION = re.compile(r"^ {1,4}(-\S.*?)(?:\s{2,}(\S.*))?$")
_NAME = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_CHOICES = re.compile(r"\{([\w,-]+)\}")
_COMMAND = re.compile(r"^( {2,4})([a-z][a-z-]*)(?:\s{2,}(\S.*))?$")
# The headings of lists of commands, with their indent. argparse indents placeholders, such as
# PACKAGE, less.
_COMMANDS = {"positional arguments:": 4, "Commands:": 2, "parts:": 2}


class Help(NamedTuple):
    """The words that can follow a command.

    Attributes:
        commands: subcommands, with their descriptions.
        options: options, with their descriptions; without short forms of long options.
        values: the values of each option, or None for any value.
        choices: the allowed arguments; empty for any argument.
    """

    commands: dict[str, str]
    options: dict[str, str]
    values: dict[str, tuple[str, ...] | None]
    choices: tuple[str, ...]


def read_help(text: str) -> Help:
    """Read a help text of argparse's or click's."""
    found = Help({}, {}, {}, _choices_of_words(text))
    heading = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            heading = line.strip()
            continue
        option, command = _OPTION.match(line), _COMMAND.match(line)
        if option:
            names = _NAME.findall(option[1])
            spelled = [name for name in names if name.startswith("--")] or names
            found.options.update(dict.fromkeys(spelled, option[2] or ""))
            if re.search(r"[A-Z}\]]$", option[1]):
                choices = _CHOICES.search(option[1])
                values = tuple(choices[1].split(",")) if choices else None
                found.values.update(dict.fromkeys(names, values))
        elif command and len(command[1]) == _COMMANDS.get(heading):
            found.commands[command[2]] = command[3] or ""
    return found


def _choices_of_words(text: str) -> tuple[str, ...]:
    for line in text.splitlines():
        listed = re.fullmatch(r" {2}\{([\w,-]+)\}(?:\s{2,}.*)?", line)
        if listed:
            return tuple(word for word in listed[1].split(",") if word)
    return ()
