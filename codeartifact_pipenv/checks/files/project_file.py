"""The files that lint reads, and findings on places in them."""

from __future__ import annotations

import codecs
import json
import os
import re
from functools import cached_property

from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.files.secrets import tokens_in
from codeartifact_pipenv.files.io import load_json_bytes, load_toml_bytes, read_user_file
from codeartifact_pipenv.findings import Place
from codeartifact_pipenv.project.json_positions import json_positions
from codeartifact_pipenv.project.pipfile import entries_of, is_category, is_pylock
from codeartifact_pipenv.project.toml_text import Positions, toml_positions
from codeartifact_pipenv.terminal.redact import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from typing import Any

    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.findings import Finding


class ProjectFile:
    """One parsed file.

    Attributes:
        path: its path.
        name: its name in sentences.
        shown: its path in findings.
        text: its text, or '' if it is not UTF-8.
        document: its parsed content, or None if it cannot be parsed.
        faults: the findings on why it cannot be parsed.
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
        """The code of findings on a file that cannot be parsed."""
        return "lock-invalid" if self._is_json or is_pylock(self.path) else "pipfile-invalid"

    def _read(self, data: bytes) -> None:
        if data.startswith(codecs.BOM_UTF8):
            sentence = f"{self.name} begins with a byte order mark, which pipenv does not read."
            self._fault(1, sentence, "Save it as UTF-8 without one.")
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
            self._fault(1, f"{self.name} does not contain a JSON object.", _LOCK_AGAIN)

    def _unread(self, error: Exception) -> None:
        """Add the finding on why the text is not valid JSON or TOML."""
        is_lock = self.invalid == "lock-invalid"
        conflict = re.search(r"^<{7}(?: .*)?$", self.text, re.MULTILINE)
        if conflict is not None:
            line = self.text.count("\n", 0, conflict.start()) + 1
            sentence = f"{self.name} has an unresolved merge conflict."
            hint = _MERGED if is_lock else "Resolve it and remove the conflict markers."
            self._fault(line, sentence, hint)
        elif isinstance(error, json.JSONDecodeError):
            self._fault(error.lineno, f"{self.name} is not valid JSON: {error.msg}.", _LOCK_AGAIN)
        else:
            sentence, line = _without_place(str(error), self.text)
            kind = "JSON" if self._is_json else "TOML"
            hint = _LOCK_AGAIN if is_lock else "Correct it at that line."
            self._fault(line, f"{self.name} is not valid {kind}: {sentence}.", hint)

    def _fault(self, line: int, sentence: str, hint: str) -> None:
        self.faults.append(self.on_line(line, self.invalid, sentence, hint))

    @cached_property
    def lines(self) -> Positions:
        """The positions of its keys."""
        return (json_positions if self._is_json else toml_positions)(self.text)

    def with_text(self, text: str) -> ProjectFile:
        """Return a copy of the file with another text."""
        return ProjectFile(self.path, text.encode(), self.shown)

    def value(self, keys: Iterable[Hashable]) -> object:
        """Return the value at some keys."""
        found: Any = self.document
        for key in keys:
            found = found[key]
        return found

    def written(self, keys: tuple[Hashable, ...]) -> str:
        """Return the source text of the value at some keys, or '' for a table."""
        start, end = self.lines.values.get(keys, (0, 0))
        return self.text[start:end]

    def finding(
        self, keys: tuple[Hashable, ...], code: str, sentence: str, hint: str | None = None
    ) -> Finding:
        """Return a finding at some keys, by default with the hint from the table of causes."""
        place = Place(self.shown, self.lines.line_of(keys), keys)
        return finding_for(code, self._subject(keys), sentence, hint, place)

    def on_line(self, line: int, code: str, sentence: str, hint: str | None = None) -> Finding:
        """Return a finding on a line."""
        return finding_for(code, self.name, sentence, hint, Place(self.shown, line))

    def place_of(self, subject: str) -> Place:
        """Return the place of a finding's subject, such as ``package acme``, or else line 1."""
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

    def at_keys(
        self, reported: Finding | ConfigurationError, keys: tuple[Hashable, ...]
    ) -> Finding:
        """Return a finding, or an error about a URL's token, as a finding at some keys."""
        return self.finding(
            keys, reported.code or "token-elsewhere", reported.sentence, reported.hint
        )

    def _subject(self, keys: tuple[Hashable, ...]) -> str:
        if keys[:1] == ("source",) or keys[:2] == ("_meta", "sources"):
            numbers = [number for number in keys[1:3] if isinstance(number, int)]
            table = self.value(keys[: keys.index(numbers[0]) + 1]) if numbers else None
            name = table.get("name") if isinstance(table, dict) else None
            return f"source {name or ''}".rstrip()
        is_package = len(keys) > 1 and is_category(str(keys[0])) and keys[0] != "_meta"
        return f"package {keys[1]}" if is_package else self.name


class TextFile(ProjectFile):
    """A text file that is neither TOML nor JSON."""

    def __init__(self, path: str, text: str, *, name: str | None = None) -> None:
        super().__init__(path, b"", _shown(path))
        self.name = name or self.name
        self.text = text

    @cached_property
    def lines(self) -> Positions:
        """The positions of its comments."""
        places = Positions()
        rows = enumerate(self.text.splitlines(), 1)
        places.comments |= {n: row[row.index("#") :] for n, row in rows if "#" in row}
        return places

    def without_values(self) -> TextFile:
        """Return a copy that may be shown, without values, which may be secret."""
        begins = (re.match(r"\s*(?:export\s+)?\w+\s*=", row) for row in self.text.split("\n"))
        text = "\n".join(f"{begin[0]}{MASK}" if begin else "" for begin in begins)
        return TextFile(self.path, text)


_LOCK_AGAIN = "Run `pipenv-ca lock` to create it again."
_MERGED = "Resolve the Pipfile, run `pipenv-ca lock`, and commit both."


def _without_place(sentence: str, text: str) -> tuple[str, int]:
    """Split an error message of tomllib into the sentence and the line."""
    sentence, found, place = sentence.partition(" (at line ")
    number = place.partition(",")[0]
    if found and number.isdecimal():
        return sentence, int(number)
    # An error at the end of the document is put on the last line that is not blank.
    return sentence.partition(" (at ")[0], max(1, text.rstrip("\n").count("\n") + 1)


def read_file(path: str) -> ProjectFile | None:
    """Return a file, or None if it does not exist.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    data = read_user_file(path)
    return None if data is None else ProjectFile(path, data, _shown(path))


def _shown(path: str) -> str:
    """Return a path as findings show it: relative, if it is below the current directory."""
    try:
        nearer = os.path.relpath(path)
    except (OSError, ValueError):  # the directory was deleted, or it is on another drive
        return path
    return path if nearer.startswith(os.pardir) else nearer


def strings_of(value: object, keys: tuple[Hashable, ...] = ()) -> Iterator[tuple[Any, str]]:
    """Yield every string in a parsed value, with the keys that lead to it."""
    waiting = [(keys, value)]  # not by recursion: a lock may be nested deeply
    while waiting:
        place, found = waiting.pop()
        if isinstance(found, str):
            yield place, found
        elif isinstance(found, dict):
            waiting += [((*place, key), item) for key, item in found.items()]
        elif isinstance(found, list):
            waiting += [((*place, number), item) for number, item in enumerate(found)]


def tokens_elsewhere(file: ProjectFile, reported: Iterable[Finding]) -> Iterator[Finding]:
    """Yield tokens that no other check has reported, such as those in comments."""
    secret = {"url-token", "url-secret"}
    lines = {f.line for f in reported if f.path == file.shown and f.code in secret}
    written = file.text.split("\n")
    for number in tokens_in(file.text):
        first = number  # other findings on a continued line are at its first line
        while first > 1 and written[first - 2].rstrip("\r").endswith("\\"):
            first -= 1
        if first not in lines:
            lines.add(first)
            sentence = "This line contains a token in clear text, in every checkout."
            yield file.on_line(number, "url-secret", sentence)
