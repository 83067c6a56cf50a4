"""A netrc file for one run: the tokens, and what can be read of the user's own netrc.

Python's netrc, by which pip and requests read, gives up a whole file for one line that it does not
know. Here a file is read entry by entry, and written in the form that every reader knows.
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

# A word as Python's netrc reads it: quotes count where they begin it.
_WORD = re.compile(r'[ \t]*("(?:[^"\\\n]|\\[^\n])*"|(?:[^ \t"\\]|\\.)(?:[^ \t\\]|\\.)*)')
_END = re.compile(r"[ \t]*\Z")
_STARTS = frozenset({"machine", "default", "macdef"})
_LOGIN = {"login": "login", "user": "login", "account": "account", "password": "password"}
# Keywords that git and curl allow in an entry, and Python does not.
_FOREIGN = frozenset({"protocol", "port", "path"})
_WEB = frozenset({"http", "https"})
_MAXIMUM_BYTES = 1 << 20


class _Entry:
    """The entry of a machine, in the words of the file, quotes and all.

    Attributes:
        machine: the name of the machine; None for ``default``.
        number: the line in which it begins.
        values: what it says, by keyword.
        is_usable: whether all of it was understood, and it is for HTTP.
    """

    def __init__(self, machine: str | None, number: int, *, is_usable: bool = True) -> None:
        self.machine = machine
        self.number = number
        self.values: dict[str, str] = {}
        self.is_usable = is_usable

    def line(self) -> str:
        # (Python 3.10 reads no entry without a password.)
        values = {"password": '""'} | self.values
        said = [
            f"{word} {values[word]}" for word in ("login", "account", "password") if word in values
        ]
        start = "default" if self.machine is None else f"machine {self.machine}"
        return " ".join([start, *said]) + "\n"


class UsersNetrc:
    """The user's own netrc file.

    Args:
        path: the file.
        text: what is written in it; bytes that are not UTF-8 are lone surrogates.

    Attributes:
        unread: the numbers of the lines with something that cannot be used.
        foreign: the numbers of the lines with a word that only other programs know.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.unread: list[int] = []
        self.foreign: list[int] = []
        self._entries: list[_Entry] = []
        self._keyword = ""  # whose value comes next
        self._keyword_at = 0
        self._macro_at = 0  # where a macro begins that is not ended
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
        """Return the entries that can be used, except those of some machines."""
        return "".join(
            entry.line()
            for entry in self._entries
            if entry.is_usable and _plain(entry.machine or "") not in without
        )

    def passwords(self) -> Iterator[tuple[int, str, str]]:
        """Yield line, machine and password of each entry that has them, without quotes."""
        for entry in self._entries:
            if entry.machine and "password" in entry.values:
                yield entry.number, _plain(entry.machine), _plain(entry.values["password"])

    def tell(self, report: Report) -> None:
        """Report which lines are left out."""
        if self.foreign:
            report.note(f"{self.path}, {_numbers(self.foreign)}: not for Python, left out")
        if self.unread:
            report.warning(
                f"{self.path}, {_numbers(self.unread)}: Python cannot read this as netrc, so this "
                "command goes without it. Next: correct it; pip and requests by themselves ignore "
                "the whole file."
            )

    def _read_line(self, number: int, line: str) -> None:
        at = 0
        is_first = True
        while not _END.match(line, at):
            found = _WORD.match(line, at)
            word = found[1] if found else ""
            if not self._keyword and (word or line[at:].lstrip(" \t")).startswith("#"):
                return
            is_bad = found is None or not _can_be_written(word)
            is_within = bool(self._keyword) or not is_first
            if is_bad or not self._take(number, word, is_first=is_first):
                self._give_up(number, is_within=is_within)
                return
            if self._macro_at:
                return
            at = found.end() if found else len(line)
            is_first = False

    def _take(self, number: int, word: str, *, is_first: bool) -> bool:
        """Take a word; False where it cannot be understood."""
        known = word in _STARTS or word in _LOGIN or word in _FOREIGN
        if self._keyword and is_first and known:
            self._drop_keyword()
        if self._keyword:
            self._take_value(word)
        elif word == "default":
            self._entries.append(_Entry(None, number))
        elif word in _STARTS or (known and self._entries):
            self._keyword, self._keyword_at = word, number
            if word in _FOREIGN:
                self.foreign.append(number)
        else:
            return False
        return True

    def _take_value(self, word: str) -> None:
        keyword, self._keyword = self._keyword, ""
        if keyword == "machine":
            self._entries.append(_Entry(word, self._keyword_at, is_usable=bool(_plain(word))))
            if not _plain(word):
                self.unread.append(self._keyword_at)
        elif keyword == "macdef":
            self._macro_at = self._keyword_at
        elif keyword in _LOGIN:
            is_simple = re.fullmatch(r'"[^#\s"\\][^\s"\\]*"', word)
            self._entries[-1].values[_LOGIN[keyword]] = word[1:-1] if is_simple else word
        elif keyword == "protocol" and _plain(word).lower() not in _WEB:
            self._entries[-1].is_usable = False

    def _drop_keyword(self) -> None:
        """Leave out the entry whose keyword has no value."""
        if self._keyword:
            self._give_up(self._keyword_at, is_within=self._keyword != "macdef")

    def _give_up(self, number: int, *, is_within: bool) -> None:
        """Pass over what is wrong in a line, and over the entry that it is within."""
        self.unread.append(number)
        if self._keyword == "machine":
            self._entries.append(_Entry("", number, is_usable=False))
        elif self._entries and is_within:
            self._entries[-1].is_usable = False
        self._keyword = ""


def users_netrc(environ: Mapping[str, str], report: Report) -> UsersNetrc | None:
    """Read the user's own netrc, found as pip and requests find it, and say what cannot be read.

    Returns:
        The entries that can be read; None without such a file.
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
                report.warning(f"{path} cannot be read: {why}. This command goes without it.")
            text = ""
        found = UsersNetrc(path, text.replace("\r\n", "\n").replace("\r", "\n"))
        found.tell(report)
        return found
    return None


def compose(lines: Sequence[str], theirs: UsersNetrc | None) -> str | None:
    """Return the text of a netrc file: our lines, then the user's; None without either.

    (Some readers take the first entry of a machine, and Python's netrc takes the last: the user's
    entries for machines of ours are left out.)

    Args:
        lines: ours, each an entry that begins with ``machine``.
        theirs: the user's own file.
    """
    if not lines and theirs is None:
        return None
    ours = "".join(f"{line}\n" for line in lines)
    return ours + (theirs.lines({line.split()[1] for line in lines}) if theirs else "")


def _plain(word: str) -> str:
    """Return a word as it is meant: without quotes and backslashes."""
    inner = word[1:-1] if word.startswith('"') else word
    return re.sub(r"\\(.)", r"\1", inner)


def _can_be_written(word: str) -> bool:
    """Whether Python reads a word as one: until 3.10 it knew neither quotes nor other scripts."""
    if sys.version_info < (3, 11):
        return word.isascii() and word.isprintable() and " " not in word
    return not any("\udc80" <= sign <= "\udcff" for sign in word)


def _numbers(found: Sequence[int]) -> str:
    numbers = list(dict.fromkeys(found))
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
