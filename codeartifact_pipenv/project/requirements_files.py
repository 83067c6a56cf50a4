"""Requirements and constraints files: read as pip reads them, with the files that they name.

Their lines may name indexes. A line with a source of the project is left out of a copy, and a line
with another index is refused with its place.
"""

from __future__ import annotations

import codecs
import locale
import os
import re
import shlex
import sys
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import pip_settings
from codeartifact_pipenv.files.pip_settings import Given, in_pip_words
from codeartifact_pipenv.files.reading import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_MAXIMUM_BYTES = 16 * 1024 * 1024
_MOST_FILES = 100
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it begins with that
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_URL = re.compile(r"(http|https|file):", re.IGNORECASE)


class Line(NamedTuple):
    """A logical line of a requirements file.

    Attributes:
        number: that of its first line, from 1.
        text: what it says, without a comment; variables are not expanded.
    """

    number: int
    text: str

    def requirement_and_words(self, environ: Mapping[str, str]) -> tuple[str, list[str]]:
        """Return what stands before the options, and the words of these, variables expanded.

        There are no words where pip cannot split them either.
        """
        expanded = _VARIABLE.sub(lambda m: environ.get(m[1]) or m[0], self.text)
        tokens = expanded.split(" ")
        end = next((at for at, t in enumerate(tokens) if t.startswith("-")), len(tokens))
        try:
            return " ".join(tokens[:end]), shlex.split(" ".join(tokens[end:]))
        except ValueError:
            return expanded, []


def logical_lines(text: str) -> Iterator[Line]:
    """Yield the lines of a requirements file, continued ones joined, comments left out."""
    joined: list[str] = []
    first = 0
    for number, written in enumerate(text.splitlines(), 1):
        line = written
        if not joined:
            first = number
        is_comment = _COMMENT.match(line)
        if line.endswith("\\") and not is_comment:
            joined.append(line.strip("\\"))
            continue
        joined.append(f" {line}" if is_comment else line)
        yield from _line(first, joined)
        joined = []
    if joined:
        yield from _line(first, joined)


def _line(number: int, parts: Sequence[str]) -> Iterator[Line]:
    text = _COMMENT.sub("", "".join(parts)).strip()
    if text:
        yield Line(number, text)


def decode(data: bytes) -> str:
    """Decode a requirements file as pip does.

    Raises:
        UnicodeDecodeError, LookupError: it cannot be decoded.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding)
    for line in data.split(b"\n")[:2]:
        declared = _CODING.search(line) if line.startswith(b"#") else None
        if declared is not None:
            return data.decode(declared[1].decode("ascii"))
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(locale.getpreferredencoding(do_setlocale=False))


class RequirementsFile:
    """A file, and what a copy of it says.

    Attributes:
        place: its absolute path, or its URL.
        is_changed: whether a copy has to take its place.
        copy: the path of that copy, once it is written.
        lines: what the copy says; a name of another file is the file.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.is_changed = is_url(place)
        self.copy: str | None = None
        self.lines: list[list[str | RequirementsFile]] = []

    def text(self, path_of: Callable[[RequirementsFile], str]) -> str:
        """Return what the copy says.

        Args:
            path_of: gives the path by which another file is named.
        """
        lines = (
            "".join(p if isinstance(p, str) else shlex.quote(path_of(p)) for p in parts)
            for parts in self.lines
        )
        # (The mark keeps a comment from naming another encoding.)
        return "\ufeff" + "".join(f"{_closed(line)}\n" for line in lines)


class RequirementsReader:
    """Reads requirements and constraints files, each once.

    Args:
        is_own: whether a URL is that of a source of the project.
        environ: the environment that pip expands variables with.
        fetch: returns the text at a URL.
        for_pipenv: whether pipenv itself looks through the file for lines with indexes.
    """

    def __init__(
        self,
        is_own: Callable[[str], bool],
        environ: Mapping[str, str],
        fetch: Callable[[str], str],
        *,
        for_pipenv: bool = False,
    ) -> None:
        self._is_own = is_own
        self._environ = environ
        self._fetch = fetch
        self._for_pipenv = for_pipenv
        self._files: dict[str, RequirementsFile] = {}

    def read(self, name: str, folder: str) -> RequirementsFile:
        """Read a file and those that it names.

        Args:
            name: its name or URL.
            folder: the folder that the name is relative to.

        Raises:
            ConfigurationError: one cannot be read, or names an index that is not the project's.
        """
        return self._read(_place(name, folder), (), is_first=True)

    def _read(self, place: str, above: Sequence[str], *, is_first: bool) -> RequirementsFile:
        if place in above:
            raise ConfigurationError(
                f"{place} names itself, by the files that it names.", "Remove one of these lines."
            )
        if place in self._files:
            return self._files[place]
        if len(self._files) >= _MOST_FILES:
            raise ConfigurationError(
                f"More than {_MOST_FILES} requirements files name each other.",
                "Put them into fewer files.",
            )
        file = self._files[place] = RequirementsFile(place)
        data = None if is_url(place) else _data(place)
        text = self._fetch(place) if data is None else _text(data, place)
        file.lines = [[""] for _ in text.splitlines()]
        for line in logical_lines(text):
            file.lines[line.number - 1] = self._rewritten(line, file, (*above, place))
        if self._for_pipenv and is_first and data is not None:
            self._check_as_pipenv_reads(data, file)
        return file

    def _rewritten(
        self, line: Line, file: RequirementsFile, above: Sequence[str]
    ) -> list[str | RequirementsFile]:
        """Return what a copy says in a line's place, and note whether the file needs a copy."""
        requirement, words = line.requirement_and_words(self._environ)
        given = in_pip_words(words)
        if not given:
            return [line.text]
        parts: list[str | RequirementsFile] = [requirement]
        at = 0
        for one in given:
            if one.at < at:
                continue
            parts += _kept(words[at : one.at], parts)
            at = one.at + one.taken
            if one.kind == pip_settings.FILES and one.value:
                check_url(
                    _beside(one.value, file.place), line.text, f"{file.place}, line {line.number},"
                )
                named = self._read(_beside(one.value, file.place), above, is_first=False)
                file.is_changed |= named.is_changed
                parts += [f" {one.name} ", named]
            else:
                self._check(one, file.place, line.number)
                file.is_changed = True
        return [*parts, *_kept(words[at:], parts)]

    def _check(self, given: Given, place: str, number: int) -> None:
        own = given.kind in {pip_settings.INDEX, pip_settings.EXTRA_INDEX}
        if own and self._is_own(given.value):
            return
        raise ConfigurationError(
            f"{given.name} in {place}, line {number}, would let packages come from outside this "
            "project's sources, private names included.",
            "Remove the line; if the project needs that index, add it to the Pipfile as a [[source]].",
        )

    def _check_as_pipenv_reads(self, data: bytes, file: RequirementsFile) -> None:
        # It reads lines that are not joined, as UTF-8, and adds the indexes to the Pipfile.
        for number, written in enumerate(data.decode(errors="replace").split("\n"), 1):
            for given in in_pip_words(_COMMENT.sub("", written.strip()).split()):
                if given.kind in {pip_settings.INDEX, pip_settings.EXTRA_INDEX}:
                    self._check(given, file.place, number)
                    file.is_changed = True


def is_url(place: str) -> bool:
    """Whether a file is somewhere on the net."""
    return urlsplit(place).scheme in {"http", "https"}


def path_of_url(url: str) -> str:
    """Return the path that a ``file:`` URL means, on Windows also that of a share."""
    parts = urlsplit(url)
    is_here = parts.netloc.lower() in {"", "localhost"}
    path = parts.path if is_here else f"//{parts.netloc}{parts.path}"
    if sys.platform == "win32":
        from urllib.request import url2pathname  # it takes long to import

        path = url2pathname(path.replace("%3A", ":").replace("%3a", ":"))  # (as editors write it)
    else:
        path = unquote(path)
    return path


def check_url(value: str, written: str, where: str) -> None:
    """Refuse to fetch a file whose URL is written with a variable: the request would show its value.

    Args:
        value: the path or URL of the file, variables expanded.
        written: the text that it comes from, variables not expanded.
        where: that text's place, as the beginning of a sentence.

    Raises:
        ConfigurationError: it is a URL, and the text has a variable.
    """
    if is_url(value) and "$" in written:
        raise ConfigurationError(
            f"{where} names a file by a URL with a variable in it, whose value would go to that host.",
            "Save the file, and name it by its path.",
        )


def _kept(words: Sequence[str], before: Sequence[object]) -> list[str]:
    # (pip passes over words behind an option; without it they would be a requirement.)
    kept = list(words)
    while kept and not any(before[1:]) and not kept[0].startswith("-"):
        del kept[0]
    return [f" {_quoted(word)}" for word in kept]


def _quoted(word: str) -> str:
    """Quote a word for a line; an option keeps its dash in front, by which pip knows it."""
    if not word.startswith("-"):
        return shlex.quote(word)
    name, equals, value = word.partition("=")
    if not name.startswith("--"):
        name, equals, value = word[:2], "", word[2:]
    return name + equals + (shlex.quote(value) if value else "")


def _closed(text: str) -> str:
    # A comment keeps the end of a line from joining it with the next one.
    return f"{text} #" if text.endswith("\\") else text


def _place(name: str, folder: str) -> str:
    """Return the absolute path or the URL that pip finds a file at."""
    if is_url(name):
        return name
    if urlsplit(name).scheme == "file":
        return os.path.abspath(path_of_url(name))
    return os.path.abspath(os.path.join(folder, name))


def _beside(name: str, place: str) -> str:
    """Return where a file is that another one names."""
    if is_url(place):
        return _place(urljoin(place, name), "/")
    return _place(name, os.path.dirname(place))


def read_requirements_text(path: str) -> str:
    """Read a requirements file.

    Raises:
        ConfigurationError: it cannot be read.
    """
    return _text(_data(path), path)


def _data(path: str) -> bytes:
    try:
        return read_bytes(path, _MAXIMUM_BYTES)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def _text(data: bytes, path: str) -> str:
    try:
        return decode(data)
    except (UnicodeDecodeError, LookupError) as error:
        raise unreadable(path, error) from None


def unreadable(place: str, error: Exception) -> ConfigurationError:
    """Return the error for a file that cannot be read."""
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigurationError(
        f"{place} cannot be read: {reason}.",
        "Correct the name, or the file's permissions, encoding or kind.",
    )
