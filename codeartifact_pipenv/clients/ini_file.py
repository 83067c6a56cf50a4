"""Edits to INI files such as pip.conf and .pypirc that leave everything else as it is."""

from __future__ import annotations

import configparser

from configupdater import ConfigUpdater

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import ini_trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from configupdater import Section


class IniFile:
    """The text of a file while it is edited; values are read as they were at the start.

    Sections and options are named as the tool normalises them, and found in other spellings.

    Args:
        path: the file's, for messages.
        text: what it says.
        normalise: how the tool normalises an option's name.

    Raises:
        ConfigurationError: Python's own parser, which the tools use, does not take it.
    """

    def __init__(self, path: str, text: str, normalise: Callable[[str], str] = str.lower) -> None:
        self._normalise = normalise
        self._given = text
        is_open = text != "" and not text.endswith("\n")
        self._updater = ConfigUpdater()
        # Of several spellings the tools take the last. A section [DEFAULT] is left alone.
        self._values = configparser.RawConfigParser(strict=False, default_section="")
        self._values.optionxform = normalise  # type: ignore[assignment, method-assign]
        try:
            configparser.RawConfigParser().read_string(text)  # strict, as the tools are
            self._values.read_string(text)
            # ConfigUpdater before 4, the newest for Python 3.10, would go on in an open line.
            self._updater.read_string(f"{text}\n" if is_open else text)
        except configparser.Error as error:
            raise ConfigurationError(
                f"{path} cannot be read: {ini_trouble(error)}.", "Correct it; nothing was changed."
            ) from None

    @property
    def text(self) -> str:
        """The current text of the file."""
        edited = str(self._updater)
        return self._given if edited == f"{self._given}\n" else edited

    @property
    def sections(self) -> list[str]:
        """The names of all sections, in order."""
        return self._values.sections()

    def get(self, section: str, option: str) -> str:
        """Return the value of an option as the tools read it; '' if it is not there."""
        return (self._values.get(section, option, fallback="") or "").strip()

    def words(self, section: str, option: str) -> list[str]:
        """Return the words of an option."""
        return self.get(section, option).split()

    def set(self, section: str, option: str, value: str | Sequence[str]) -> None:
        """Give an option a value, of several lines if it is a list."""
        name = self._find(section, option)
        if name is None:
            self._append(section, option)
        target = self._updater[section][name or option]
        if isinstance(value, str):
            target.value = value
        else:
            target.set_values(list(value))

    def remove(self, section: str, option: str) -> None:
        """Take an option away if it is there, and its section if nothing else is in it."""
        name = self._find(section, option)
        if name is not None:
            self._updater.remove_option(section, name)
            if not str(self._updater[section]).partition("\n")[2].strip():
                self._updater.remove_section(section)

    def _append(self, section: str, option: str) -> None:
        names = self._updater.sections()
        if section not in names:
            self._updater.add_section(section)
            if names:
                self._updater[section].add_before.space(1)
        table: Section = self._updater[section]
        options = list(table.option_blocks())
        if options:  # not after the blank lines that end a section
            options[-1].add_after.option(option, "")
        else:
            table.set(option, "")

    def _find(self, section: str, option: str) -> str | None:
        """Return how the file spells an option."""
        if not self._updater.has_section(section):
            return None
        names = [str(name) for name in self._updater.options(section)]
        return next((n for n in reversed(names) if self._normalise(n) == option), None)
