"""The files of a project that lint reads, and remarks on places in them."""

from __future__ import annotations

import codecs
import json
import os
from functools import cached_property
from typing import NamedTuple

from codeartifact_pipenv.files.parsing import load_json_bytes, load_toml_bytes
from codeartifact_pipenv.files.reading import read_user_file
from codeartifact_pipenv.lint.codes import LEVELS
from codeartifact_pipenv.project.json_places import json_places
from codeartifact_pipenv.project.toml_places import toml_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from typing import Any

    from codeartifact_pipenv.finding import Finding
    from codeartifact_pipenv.project.toml_places import Places


class Remark(NamedTuple):
    """One finding of lint, at its place.

    Attributes:
        path: the file, as it is shown.
        line: its line, from 1.
        code: one of ``codes.LEVELS``.
        sentence: what is wrong.
        hint: what to write or to type.
        keys: the keys that lead to the place in the parsed file; empty for the whole file.
    """

    path: str
    line: int
    code: str
    sentence: str
    hint: str
    keys: tuple[Hashable, ...] = ()

    @property
    def level(self) -> str:
        """FAILURE or WARNING, by the code."""
        return LEVELS[self.code]


class File:
    """One file that was read.

    Attributes:
        path: where it is.
        name: its own name, for sentences.
        shown: its path as remarks have it.
        text: what it says; '' where that is no text.
        document: its content; None where it cannot be read.
        faults: why it cannot.
    """

    def __init__(self, path: str, data: bytes, shown: str | None = None) -> None:
        self.path = path
        self.name = os.path.basename(path)
        self.shown = shown or path
        self.text = ""
        self.document: dict[str, Any] | None = None
        self.faults: list[Remark] = []
        self._is_json = path.endswith(".lock")
        self._read(data)

    @property
    def invalid(self) -> str:
        """The code of what keeps it from being read."""
        return "lock-invalid" if self._is_json or self.is_pylock else "pipfile-invalid"

    @property
    def is_pylock(self) -> bool:
        """Whether it is a lock of PEP 751."""
        return is_pylock(self.path)

    def _read(self, data: bytes) -> None:
        if data.startswith(codecs.BOM_UTF8):
            said = f"{self.name} begins with a byte order mark, which pipenv does not read."
            self._fault(1, said, "Save it as UTF-8 without one.")
            return
        try:
            self.text = data.decode()
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            self._fault(line, f"{self.name} is not UTF-8.", "Save it as UTF-8.")
            return
        try:
            found = load_json_bytes(data) if self._is_json else load_toml_bytes(data)
        except json.JSONDecodeError as error:
            self._fault(error.lineno, f"{self.name} is not valid JSON: {error.msg}.", _ANEW)
        except ValueError as error:
            said, line = _without_place(str(error), self.text)
            kind = "JSON" if self._is_json else "TOML"
            hint = _ANEW if self.invalid == "lock-invalid" else "Correct it at that line."
            self._fault(line, f"{self.name} is not valid {kind}: {said}.", hint)
        else:
            if isinstance(found, dict):
                self.document = found
            else:
                self._fault(1, f"{self.name} holds no object.", _ANEW)

    def _fault(self, line: int, sentence: str, hint: str) -> None:
        self.faults.append(Remark(self.shown, line, self.invalid, sentence, hint))

    @cached_property
    def lines(self) -> Places:
        """Where its keys stand."""
        return (json_places if self._is_json else toml_places)(self.text)

    def with_text(self, text: str) -> File:
        """Return the file with another text."""
        return File(self.path, text.encode(), self.shown)

    def at(self, keys: Iterable[Hashable]) -> object:
        """Return the value to which some keys lead."""
        found: Any = self.document
        for key in keys:
            found = found[key]
        return found

    def remark(self, code: str, sentence: str, hint: str, *keys: Hashable) -> Remark:
        """Return a remark on the place to which some keys lead."""
        return Remark(self.shown, self.lines.of(keys), code, sentence, hint, keys)

    def found(self, finding: Finding, *keys: Hashable) -> Remark:
        """Return a finding of doctor's as a remark on a place."""
        return self.remark(finding.code or "", finding.sentence, finding.hint, *keys)


_ANEW = "Make it anew with `pipenv-ca lock`."


def _without_place(said: str, text: str) -> tuple[str, int]:
    """Take the place out of what tomllib says: the line is told anyway."""
    sentence, found, place = said.partition(" (at line ")
    number = place.partition(",")[0]
    if found and number.isdecimal():
        return sentence, int(number)
    # What it misses at the end stands behind the last line that says something.
    return said.partition(" (at ")[0], max(1, text.rstrip("\n").count("\n") + 1)


def is_pylock(path: str) -> bool:
    """Whether a file's name is one of PEP 751's for locks."""
    name = os.path.basename(path)
    return name.startswith("pylock.") and name.endswith(".toml")


def read_file(path: str) -> File | None:
    """Read a file; None where there is none.

    Raises:
        ConfigurationError: it is there and cannot be read.
    """
    data = read_user_file(path)
    return None if data is None else File(path, data, _shown(path))


def _shown(path: str) -> str:
    """Return a path as the user is shown it: from here, where it is below here."""
    try:
        nearer = os.path.relpath(path)
    except (OSError, ValueError):  # the folder is gone; another drive
        return path
    return path if nearer.startswith(os.pardir) else nearer


def strings_of(value: object, keys: tuple[Hashable, ...] = ()) -> Iterator[tuple[Any, str]]:
    """Yield every text in a parsed value, with the keys that lead to it."""
    waiting = [(keys, value)]  # (and no recursion: a lock may be nested as deeply as it likes)
    while waiting:
        place, found = waiting.pop()
        if isinstance(found, str):
            yield place, found
        elif isinstance(found, dict):
            waiting += [((*place, key), item) for key, item in found.items()]
        elif isinstance(found, list):
            waiting += [((*place, number), item) for number, item in enumerate(found)]
