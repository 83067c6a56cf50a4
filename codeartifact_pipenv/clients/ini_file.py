"""Edits to INI files such as pip.conf and .pypirc that leave everything else as it is."""

from __future__ import annotations

import configparser

from configupdater import ConfigUpdater

from codeartifact_pipenv.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from configupdater import Section


class IniFile:
    """The text of a file while it is edited.

    Sections and options are named as the tool normalises them; one that is there in another
    spelling is the one that is meant.

    Args:
        path: the file's, for messages.
        text: what it says.
        spelled: how the tool normalises an option's name.

    Raises:
        ConfigurationError: Python's own parser, which the tools use, does not take it.
    """

    def __init__(self, path: str, text: str, spelled: Callable[[str], str] = str.lower) -> None:
        self._spelled = spelled
        self._updater = ConfigUpdater()
        try:
            # (The tools' parser is strict about doubled names.)
            configparser.RawConfigParser().read_string(text)
            self._updater.read_string(text)
        except configparser.Error as error:
            raise ConfigurationError(
                f"{path} cannot be read: {_first_line(error)}.", "Correct it; nothing was changed."
            ) from None

    @property
    def text(self) -> str:
        """What the file says now."""
        return str(self._updater)

    def get(self, section: str, option: str) -> str | None:
        """Return the value of an option as the tools read it."""
        found = self._find(section, option)
        if found is None:
            return None
        parser = configparser.RawConfigParser()
        parser.read_string(self.text)
        return parser.get(section, found)

    def words(self, section: str, option: str) -> list[str]:
        """Return the words of an option; empty where it is not there."""
        return (self.get(section, option) or "").split()

    @property
    def sections(self) -> list[str]:
        """The names of all sections, in order."""
        return [str(name) for name in self._updater.sections()]

    def _end_last_line(self) -> None:
        # (ConfigUpdater before 4, all there is for Python 3.10, would write on in it.)
        text = self.text
        if text and not text.endswith("\n"):
            self._updater = ConfigUpdater()
            self._updater.read_string(f"{text}\n")

    def set(self, section: str, option: str, value: str | Sequence[str]) -> None:
        """Give an option a value, of several lines where it is a list."""
        if self._find(section, option) is None:
            self._end_last_line()
        if not self._updater.has_section(section):
            names = self._updater.sections()
            if names:
                self._updater[names[-1]].add_after.section(section)
                self._updater[section].add_before.space(1)
            else:
                self._updater.add_section(section)
        table: Section = self._updater[section]
        found = self._find(section, option) or option
        if found not in table:
            # After the last option, not after the blank lines that end a section.
            last = list(table.option_blocks())
            if last:
                last[-1].add_after.option(found, "")
            else:
                table.set(found, "")
        if isinstance(value, str):
            table[found].value = value
        else:
            table[found].set_values(list(value))

    def remove(self, section: str, option: str) -> None:
        """Take an option away, if it is there."""
        found = self._find(section, option)
        if found is not None:
            self._updater.remove_option(section, found)

    def drop_empty(self, section: str) -> None:
        """Take a section away that has nothing in it, not even a comment."""
        if self._updater.has_section(section):
            table: Section = self._updater[section]
            if not str(table).partition("\n")[2].strip():
                self._updater.remove_section(section)

    def _find(self, section: str, option: str) -> str | None:
        if not self._updater.has_section(section):
            return None
        names = [str(name) for name in self._updater.options(section)]
        # Of several spellings the tools take the last.
        found = [name for name in names if self._spelled(name) == option]
        return found[-1] if found else None


def _first_line(error: configparser.Error) -> str:
    # The lines of the file that it quotes may hold a password.
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno} stands before any section"
    if isinstance(error, configparser.ParsingError):
        return f"line {error.errors[0][0]} is no option" if error.errors else "it is no INI file"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"section [{error.section}] is there twice"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"{error.option} is there twice in [{error.section}]"
    return "it is no INI file"
