"""Reading requirements and constraints files as pip does, with the files that they include.

Copies of the files omit index options that repeat a source of the project. Options for other
indexes are an error.
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
from codeartifact_pipenv.files import pip_config
from codeartifact_pipenv.files.io import read_bytes
from codeartifact_pipenv.files.pip_config import Given, in_pip_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_MAXIMUM_BYTES = 16 * 1024 * 1024
_MOST_FILES = 100
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is a prefix
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
        number: the number of its first line, from 1.
        text: the text without a comment; variables are not expanded.
    """

    number: int
    text: str

    def requirement_and_words(self, environ: Mapping[str, str]) -> tuple[str, list[str]]:
        """Return the requirement and the option words of the line, variables expanded.

        The words are empty if pip cannot split them either.
        """
        expanded = _VARIABLE.sub(lambda m: environ.get(m[1]) or m[0], self.text)
        tokens = expanded.split(" ")
        end = next((at for at, t in enumerate(tokens) if t.startswith("-")), len(tokens))
        try:
            return " ".join(tokens[:end]), shlex.split(" ".join(tokens[end:]))
        except ValueError:
            return expanded, []


def logical_lines(text: str) -> Iterator[Line]:
    """Yield the logical lines of a requirements file without comments."""
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
        UnicodeDecodeError, LookupError: the data cannot be decoded.
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
    """A requirements file and the content of its copy.

    Attributes:
        place: its absolute path or URL.
        is_changed: whether the copy must replace it.
        copy: the path of the copy, once it is written.
        lines: the parts of the copy's lines; an included file is one part.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.is_changed = is_url(place)
        self.copy: str | None = None
        self.lines: list[list[str | RequirementsFile]] = []

    def text(self, path_of: Callable[[RequirementsFile], str]) -> str:
        """Return the text of the copy.

        Args:
            path_of: returns the path of an included file.
        """
        lines = (
            "".join(p if isinstance(p, str) else shlex.quote(path_of(p)) for p in parts)
            for parts in self.lines
        )
        # With a byte order mark, pip ignores an encoding named in a comment.
        return "\ufeff" + "".join(f"{_without_continuation(line)}\n" for line in lines)


class RequirementsReader:
    """Reads requirements and constraints files, each once.

    Args:
        is_own: whether a URL belongs to a source of the project.
        environ: the environment for variables.
        fetch: returns the text at a URL.
        for_pipenv: whether pipenv itself also searches the file for indexes.
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
        """Read a file and the files that it includes.

        Args:
            name: its path or URL.
            folder: the folder for a relative path.

        Raises:
            ConfigurationError: a file cannot be read, or names an index outside the project.
        """
        return self._read(_place(name, folder), (), is_first=True)

    def _read(self, place: str, above: Sequence[str], *, is_first: bool) -> RequirementsFile:
        if place in above:
            raise ConfigurationError(
                f"{place} includes itself through the files that it includes.",
                "Remove one of these lines.",
            )
        if place in self._files:
            return self._files[place]
        if len(self._files) >= _MOST_FILES:
            raise ConfigurationError(
                f"More than {_MOST_FILES} requirements files are included.",
                "Use fewer files.",
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
        """Return the parts of a line's copy; set ``is_changed`` if the file needs a copy."""
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
            if one.kind == pip_config.FILES and one.value:
                check_url(
                    _included_place(one.value, file.place),
                    line.text,
                    f"{file.place}, line {line.number},",
                )
                named = self._read(_included_place(one.value, file.place), above, is_first=False)
                file.is_changed |= named.is_changed
                parts += [f" {one.name} ", named]
            else:
                self._check(one, file.place, line.number)
                file.is_changed = True
        return [*parts, *_kept(words[at:], parts)]

    def _check(self, given: Given, place: str, number: int) -> None:
        own = given.kind in {pip_config.INDEX, pip_config.EXTRA_INDEX}
        if own and self._is_own(given.value):
            return
        raise ConfigurationError(
            f"{given.name} in {place}, line {number}, would let packages, including private ones, "
            "come from outside this project's sources.",
            "Remove the line; if the project needs that index, add it to the Pipfile as a [[source]].",
        )

    def _check_as_pipenv_reads(self, data: bytes, file: RequirementsFile) -> None:
        # pipenv reads physical lines, as UTF-8, and adds their indexes to the Pipfile.
        for number, written in enumerate(data.decode(errors="replace").split("\n"), 1):
            for given in in_pip_words(_COMMENT.sub("", written.strip()).split()):
                if given.kind in {pip_config.INDEX, pip_config.EXTRA_INDEX}:
                    self._check(given, file.place, number)
                    file.is_changed = True


def is_url(place: str) -> bool:
    """Whether a file's place is an HTTP URL."""
    return urlsplit(place).scheme in {"http", "https"}


def path_of_url(url: str) -> str:
    """Return the path of a ``file:`` URL; on Windows it may be a network share."""
    parts = urlsplit(url)
    is_here = parts.netloc.lower() in {"", "localhost"}
    path = parts.path if is_here else f"//{parts.netloc}{parts.path}"
    if sys.platform == "win32":
        from urllib.request import url2pathname  # slow to import

        path = url2pathname(
            path.replace("%3A", ":").replace("%3a", ":")
        )  # some editors quote the colon
    else:
        path = unquote(path)
    return path


def check_url(value: str, written: str, where: str) -> None:
    """Raise if a file's URL is written with a variable, whose value a request would reveal.

    Args:
        value: the file's path or URL, variables expanded.
        written: the text before variables were expanded.
        where: the place of the text, as the start of a sentence.

    Raises:
        ConfigurationError: the value is a URL, and the text has a variable.
    """
    if is_url(value) and "$" in written:
        raise ConfigurationError(
            f"{where} names a file by a URL with a variable, whose value would be sent to that host.",
            "Download the file and name it by its path.",
        )


def _kept(words: Sequence[str], before: Sequence[object]) -> list[str]:
    # pip ignores words after an option; without the option they would become a requirement.
    kept = list(words)
    while kept and not any(before[1:]) and not kept[0].startswith("-"):
        del kept[0]
    return [f" {_quoted(word)}" for word in kept]


def _quoted(word: str) -> str:
    """Quote a word; an option's leading dash stays unquoted so that pip recognises it."""
    if not word.startswith("-"):
        return shlex.quote(word)
    name, equals, value = word.partition("=")
    if not name.startswith("--"):
        name, equals, value = word[:2], "", word[2:]
    return name + equals + (shlex.quote(value) if value else "")


def _without_continuation(text: str) -> str:
    # A trailing comment prevents a line continuation.
    return f"{text} #" if text.endswith("\\") else text


def _place(name: str, folder: str) -> str:
    """Return the absolute path or the URL of a file, as pip resolves it."""
    if is_url(name):
        return name
    if urlsplit(name).scheme == "file":
        return os.path.abspath(path_of_url(name))
    return os.path.abspath(os.path.join(folder, name))


def _included_place(name: str, place: str) -> str:
    """Return the place of a file that another file includes."""
    if is_url(place):
        return _place(urljoin(place, name), "/")
    return _place(name, os.path.dirname(place))


def read_requirements_text(path: str) -> str:
    """Return the text of a requirements file.

    Raises:
        ConfigurationError: the file cannot be read.
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
        "Correct the file's name, permissions or encoding.",
    )
