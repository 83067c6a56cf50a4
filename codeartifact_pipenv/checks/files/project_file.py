"""The files of a project that lint reads, and findings on places in them."""

from __future__ import annotations

import codecs
import json
import os
import re
from functools import cached_property

from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.files.secrets import tokens_in
from codeartifact_pipenv.files.parsing import load_json_bytes, load_toml_bytes
from codeartifact_pipenv.files.reading import read_user_file
from codeartifact_pipenv.findings import Place
from codeartifact_pipenv.project.entries import entries_of, is_category
from codeartifact_pipenv.project.json_positions import json_positions
from codeartifact_pipenv.project.toml_positions import Positions, toml_positions
from codeartifact_pipenv.terminal.redact import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from typing import Any

    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.findings import Finding


class ProjectFile:
    """One file that was read.

    Attributes:
        path: where it is.
        name: its own name, for sentences.
        shown: its path as findings have it.
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
        self.faults: list[Finding] = []
        self._is_json = path.endswith(".lock")
        self._read(data)

    @property
    def invalid(self) -> str:
        """The code of what keeps it from being read."""
        return "lock-invalid" if self._is_json or is_pylock(self.path) else "pipfile-invalid"

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
        except ValueError as error:
            self._unread(error)
            return
        if isinstance(found, dict):
            self.document = found
        else:
            self._fault(1, f"{self.name} holds no object.", _AGAIN)

    def _unread(self, error: Exception) -> None:
        """Write down why the text is neither JSON nor TOML."""
        is_lock = self.invalid == "lock-invalid"
        conflict = re.search(r"^<{7}(?: .*)?$", self.text, re.MULTILINE)
        if conflict is not None:
            line = self.text.count("\n", 0, conflict.start()) + 1
            said = f"{self.name} has a conflict of a merge that is not resolved."
            self._fault(line, said, _MERGED if is_lock else "Resolve it, and remove its marks.")
        elif isinstance(error, json.JSONDecodeError):
            self._fault(error.lineno, f"{self.name} is not valid JSON: {error.msg}.", _AGAIN)
        else:
            said, line = _without_place(str(error), self.text)
            kind = "JSON" if self._is_json else "TOML"
            hint = _AGAIN if is_lock else "Correct it at that line."
            self._fault(line, f"{self.name} is not valid {kind}: {said}.", hint)

    def _fault(self, line: int, sentence: str, hint: str) -> None:
        self.faults.append(self.on_line(line, self.invalid, sentence, hint))

    @cached_property
    def lines(self) -> Positions:
        """Where its keys stand."""
        return (json_positions if self._is_json else toml_positions)(self.text)

    def with_text(self, text: str) -> ProjectFile:
        """Return the file with another text."""
        return ProjectFile(self.path, text.encode(), self.shown)

    def value(self, keys: Iterable[Hashable]) -> object:
        """Return the value to which some keys lead."""
        found: Any = self.document
        for key in keys:
            found = found[key]
        return found

    def written(self, keys: tuple[Hashable, ...]) -> str:
        """Return the value to which some keys lead as it is written; '' where it is a table."""
        start, end = self.lines.values.get(keys, (0, 0))
        return self.text[start:end]

    def finding(
        self, keys: tuple[Hashable, ...], code: str, sentence: str, hint: str | None = None
    ) -> Finding:
        """Return a finding on the place to which some keys lead; the table knows other hints."""
        place = Place(self.shown, self.lines.line_of(keys), keys)
        return finding_for(code, self._subject(keys), sentence, hint, place)

    def on_line(self, line: int, code: str, sentence: str, hint: str | None = None) -> Finding:
        """Return a finding on one of its lines."""
        return finding_for(code, self.name, sentence, hint, Place(self.shown, line))

    def place_of(self, subject: str) -> Place:
        """Return where a finding's subject is, such as ``package acme``; line 1 if nowhere."""
        kind, _, name = subject.partition(" ")
        keys: tuple[Hashable, ...] = ()
        if kind == "package":
            found = (entry.keys for entry in entries_of(self.document) if entry.name == name)
            keys = next(found, keys)
        sources = (self.document or {}).get("source")
        for number, table in enumerate(sources if isinstance(sources, list) else []):
            if not keys and isinstance(table, dict) and subject == f"source {table.get('name')}":
                keys = ("source", number)
        return Place(self.shown, self.lines.line_of(keys) if keys else 1, keys)

    def placed(self, told: Finding | ConfigurationError, keys: tuple[Hashable, ...]) -> Finding:
        """Return a finding, or the error about a URL's token, at the place of some keys."""
        return self.finding(keys, told.code or "token-elsewhere", told.sentence, told.hint)

    def _subject(self, keys: tuple[Hashable, ...]) -> str:
        if keys[:1] == ("source",) or keys[:2] == ("_meta", "sources"):
            numbers = [number for number in keys[1:3] if isinstance(number, int)]
            table = self.value(keys[: keys.index(numbers[0]) + 1]) if numbers else None
            name = table.get("name") if isinstance(table, dict) else None
            return f"source {name or ''}".rstrip()
        is_package = len(keys) > 1 and is_category(str(keys[0])) and keys[0] != "_meta"
        return f"package {keys[1]}" if is_package else self.name


class TextFile(ProjectFile):
    """A file of lines, which is neither TOML nor JSON."""

    def __init__(self, path: str, text: str, *, name: str | None = None) -> None:
        super().__init__(path, b"", _shown(path))
        self.name = name or self.name
        self.text = text

    @cached_property
    def lines(self) -> Positions:
        """Where its comments stand: it has no keys."""
        places = Positions()
        rows = enumerate(self.text.splitlines(), 1)
        places.comments |= {n: row[row.index("#") :] for n, row in rows if "#" in row}
        return places

    def without_values(self) -> TextFile:
        """Return it as it may be shown, where every line may be part of a secret."""
        begins = (re.match(r"\s*(?:export\s+)?\w+\s*=", row) for row in self.text.split("\n"))
        text = "\n".join(f"{begin[0]}{MASK}" if begin else "" for begin in begins)
        return TextFile(self.path, text)


_AGAIN = "Run `pipenv-ca lock` to make it again."
_MERGED = "Resolve the Pipfile, run `pipenv-ca lock`, and commit both."


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


def read_file(path: str) -> ProjectFile | None:
    """Read a file; None where there is none.

    Raises:
        ConfigurationError: it is there and cannot be read.
    """
    data = read_user_file(path)
    return None if data is None else ProjectFile(path, data, _shown(path))


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


def tokens_elsewhere(file: ProjectFile, told: Iterable[Finding]) -> Iterator[Finding]:
    """Yield tokens in comments, scripts and whatever else no check has told of."""
    secret = {"url-token", "url-secret"}
    lines = {f.line for f in told if f.path == file.shown and f.code in secret}
    written = file.text.split("\n")
    for number in tokens_in(file.text):
        first = number  # (what is said of a continued line stands at its beginning)
        while first > 1 and written[first - 2].rstrip("\r").endswith("\\"):
            first -= 1
        if first not in lines:
            lines.add(first)
            said = "A token stands here in clear, in everybody's checkout."
            yield file.on_line(number, "url-secret", said)
