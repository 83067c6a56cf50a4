"""The netrc file of a run: the tokens, and the readable entries of the user's netrc.

Python's netrc module, which pip and requests use, rejects a whole file for one unknown line. This
module reads a file entry by entry and writes a form that every reader accepts.
"""

from __future__ import annotations

import os
import re
import sys

from codeartifact_pipenv.files.reading import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from codeartifact_pipenv.report import Report

# A word as Python's netrc reads it: only quotes at its beginning count.
_WORD = re.compile(r'[ \t]*("(?:[^"\\\n]|\\[^\n])*"|(?:[^ \t"\\]|\\.)(?:[^ \t\\]|\\.)*)')
_END = re.compile(r"[ \t]*\Z")
_STARTS = frozenset({"machine", "default", "macdef"})
_LOGIN = {"login": "login", "user": "login", "account": "account", "password": "password"}
# Keywords that git and curl allow in an entry, and Python does not.
_FOREIGN = frozenset({"protocol", "port", "path"})
_WEB = frozenset({"http", "https"})
_MAXIMUM_BYTES = 1 << 20


class _Entry:
    """An entry, with words as written in the file, including quotes.

    Attributes:
        machine: the name of the machine, or None for ``default``.
        number: the number of its first line.
        values: by keyword, the value.
        is_usable: whether all of it was understood and it is for HTTP.
    """

    def __init__(self, machine: str | None, number: int, *, is_usable: bool = True) -> None:
        self.machine = machine
        self.number = number
        self.values: dict[str, str] = {}
        self.is_usable = is_usable

    def line(self) -> str:
        # Python 3.10 requires a password in each entry.
        values = {"password": '""'} | self.values
        fields = [
            f"{word} {values[word]}" for word in ("login", "account", "password") if word in values
        ]
        start = "default" if self.machine is None else f"machine {self.machine}"
        return " ".join([start, *fields]) + "\n"


class UsersNetrc:
    """The user's netrc file.

    Args:
        path: the path of the file.
        text: the text of the file; bytes that are not UTF-8 are lone surrogates.

    Attributes:
        unread: the numbers of lines that cannot be used.
        foreign: the numbers of lines with a keyword that only other programs know.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.unread: list[int] = []
        self.foreign: list[int] = []
        self._entries: list[_Entry] = []
        self._keyword = ""  # the keyword whose value is the next word
        self._keyword_at = 0
        self._macro_at = 0  # the first line of an open macro
        self._lines = text.removesuffix("\n").split("\n")
        for number, line in enumerate(self._lines, 1):
            if self._macro_at:
                self._macro_at = self._macro_at if line else 0
            else:
                self._read_line(number, line)
        self._drop_keyword()
        macro = self._lines[self._macro_at :] if self._macro_at else []
        if any(line.split()[:1] in (["machine"], ["default"]) for line in macro):
            self.unread.append(self._macro_at)

    def lines(self, without: Iterable[str] = ()) -> str:
        """Return the usable entries, except those of some machines."""
        return "".join(
            entry.line()
            for entry in self._entries
            if entry.is_usable and _unquote(entry.machine or "") not in without
        )

    def passwords(self) -> Iterator[tuple[int, str, str]]:
        """Yield line number, machine and password of each entry, without quotes."""
        for entry in self._entries:
            if entry.machine and "password" in entry.values:
                yield entry.number, _unquote(entry.machine), _unquote(entry.values["password"])

    def report_skipped_lines(self, report: Report) -> None:
        """Report which lines are left out."""
        if self.foreign:
            report.note(f"{self.path}, {_numbers(self.foreign)}: not for Python, left out")
        if self.unread:
            report.warning(
                f"{self.path}, {_numbers(self.unread)}: Python cannot read this as netrc, so it is "
                "left out. Next: correct it; otherwise pip and requests ignore the whole file."
            )

    def _read_line(self, number: int, line: str) -> None:
        at = 0
        is_first = True
        while not _END.match(line, at):
            found = _WORD.match(line, at)
            word = found[1] if found else ""
            if not self._keyword and (word or line[at:].lstrip(" \t")).startswith("#"):
                return
            is_bad = found is None or not _is_readable(word)
            is_within = bool(self._keyword) or not is_first
            if is_bad or not self._read_word(number, word, is_first=is_first):
                self._skip_entry(number, is_within=is_within)
                return
            if self._macro_at:
                return
            at = found.end() if found else len(line)
            is_first = False

    def _read_word(self, number: int, word: str, *, is_first: bool) -> bool:
        """Process a word, and return False if it is invalid."""
        known = word in _STARTS or word in _LOGIN or word in _FOREIGN
        if self._keyword and is_first and known:
            self._drop_keyword()
        if self._keyword:
            self._set_value(word)
        elif word == "default":
            self._entries.append(_Entry(None, number))
        elif word in _STARTS or (known and self._entries):
            self._keyword, self._keyword_at = word, number
            if word in _FOREIGN:
                self.foreign.append(number)
        else:
            return False
        return True

    def _set_value(self, word: str) -> None:
        keyword, self._keyword = self._keyword, ""
        if keyword == "machine":
            self._entries.append(_Entry(word, self._keyword_at, is_usable=bool(_unquote(word))))
            if not _unquote(word):
                self.unread.append(self._keyword_at)
        elif keyword == "macdef":
            self._macro_at = self._keyword_at
        elif keyword in _LOGIN:
            is_simple = re.fullmatch(r'"[^#\s"\\][^\s"\\]*"', word)
            self._entries[-1].values[_LOGIN[keyword]] = word[1:-1] if is_simple else word
        elif keyword == "protocol" and _unquote(word).lower() not in _WEB:
            self._entries[-1].is_usable = False

    def _drop_keyword(self) -> None:
        """Skip the entry whose keyword has no value."""
        if self._keyword:
            self._skip_entry(self._keyword_at, is_within=self._keyword != "macdef")

    def _skip_entry(self, number: int, *, is_within: bool) -> None:
        """Skip an invalid line and the entry that contains it."""
        self.unread.append(number)
        if self._keyword == "machine":
            self._entries.append(_Entry("", number, is_usable=False))
        elif self._entries and is_within:
            self._entries[-1].is_usable = False
        self._keyword = ""


def users_netrc(environ: Mapping[str, str], report: Report) -> UsersNetrc | None:
    """Read the user's netrc, found as pip and requests find it, and report unreadable lines.

    Returns:
        The file, or None if it does not exist.
    """
    named = environ.get("NETRC")
    for name in [named] if named else ["~/.netrc", "~/_netrc"]:
        path = os.path.expanduser(name)
        try:
            text = read_bytes(path, _MAXIMUM_BYTES).decode("utf-8-sig", "surrogateescape")
        except FileNotFoundError:
            continue
        except OSError as error:
            if os.path.lexists(path):
                why = error.strerror or error
                report.warning(f"{path} cannot be read: {why}. This command does not use it.")
            text = ""
        found = UsersNetrc(path, text.replace("\r\n", "\n").replace("\r", "\n"))
        found.report_skipped_lines(report)
        return found
    return None


def compose_netrc(lines: Sequence[str], users: UsersNetrc | None) -> str | None:
    """Return the text of a netrc file, or None if there is nothing to write.

    The user's entries for the same machines are left out: some readers take the first entry of
    a machine, Python's netrc the last.

    Args:
        lines: the first entries, which begin with ``machine``.
        users: the user's file, if any.
    """
    if not lines and users is None:
        return None
    own = "".join(f"{line}\n" for line in lines)
    return own + (users.lines({line.split()[1] for line in lines}) if users else "")


def _unquote(word: str) -> str:
    """Return a word without quotes and backslashes."""
    inner = word[1:-1] if word.startswith('"') else word
    return re.sub(r"\\(.)", r"\1", inner)


def _is_readable(word: str) -> bool:
    """Whether Python can read a word; until 3.10 it supported neither quotes nor non-ASCII."""
    if sys.version_info < (3, 11):
        return word.isascii() and word.isprintable() and " " not in word
    return not any("\udc80" <= sign <= "\udcff" for sign in word)


def _numbers(found: Sequence[int]) -> str:
    numbers = list(dict.fromkeys(found))
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
