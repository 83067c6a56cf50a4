"""Checks of the index lines in a project's requirements and constraints files."""

from __future__ import annotations

import os
import re

from codeartifact_pipenv.checks.files.project_file import TextFile, tokens_elsewhere
from codeartifact_pipenv.checks.files.source_tables import review_secrets, review_url
from codeartifact_pipenv.checks.files.url_repair import with_corrected_variables
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import pip_config
from codeartifact_pipenv.files.io import read_bytes
from codeartifact_pipenv.files.pip_config import in_pip_words
from codeartifact_pipenv.project.pipfile import normalise
from codeartifact_pipenv.project.requirements_files import decode, is_url, logical_lines
from codeartifact_pipenv.project.sources import check_token_use, read_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeartifact_pipenv.checks.files.contents import PrivatePackages
    from codeartifact_pipenv.checks.files.source_tables import Sources
    from codeartifact_pipenv.files.pip_config import Given
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.requirements_files import Line
    from codeartifact_pipenv.project.sources import Source

_NAMES = re.compile(r"(?:requirements|constraints)[^/]*\.txt", re.IGNORECASE)
_MAXIMUM_BYTES = 4 * 1024 * 1024
_MAXIMUM_FILES = 50
# The start of a line that pip reads: an option, a requirement, a URL or a path.
_LINE = re.compile(
    r"-[A-Za-z]\b|--[a-z]|[A-Za-z0-9][\w.-]*\s*(?:$|[\[<>=!~;@(]|--)|[a-z+]+:|\.{0,2}[/\\]|\.$"
    r"|[A-Za-z]:[/\\]"
    r"|[\w./\\-]+\.(?:whl|tar\.gz|zip)\b"
)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# Variables that pip does not expand, but pipenv does in a Pipfile.
_NOT_EXPANDED = re.compile(r"\$(?P<bare>[A-Za-z_]\w*)|\$\{(?P<braced>\w*[a-z]\w*)\}")
_INDEXES = (pip_config.INDEX, pip_config.EXTRA_INDEX)


class RequirementsFiles:
    """The requirements files of one project.

    Args:
        folder: the project's folder.
        sources: the sources of its Pipfile.
        private: which packages are private.
        environ: the environment, for variables in hosts and paths.

    Attributes:
        files: the files that were read.
    """

    def __init__(
        self, folder: str, sources: Sources, private: PrivatePackages, environ: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._private = private
        self._environ = environ
        self._assigned = sources.assigned()
        self.files: list[TextFile] = []
        self._read: set[str] = set()

    def review(self) -> Iterator[Finding]:
        """Yield the findings on the files in the folder and on those that they include."""
        try:
            names = sorted(os.listdir(self._folder or os.curdir))
        except OSError:
            return
        for name in names:
            if _NAMES.fullmatch(name):
                yield from self._file(os.path.join(self._folder, name))

    def _file(self, path: str) -> Iterator[Finding]:
        real = os.path.realpath(path)
        if real in self._read or len(self._read) >= _MAXIMUM_FILES:
            return
        self._read.add(real)
        try:
            text = decode(read_bytes(path, _MAXIMUM_BYTES))
        except (OSError, UnicodeDecodeError, LookupError):
            return
        lines = list(logical_lines(text))
        if not all(_LINE.match(line.text) for line in lines):
            return  # not a requirements file, but notes
        file = TextFile(path, text)
        self.files.append(file)
        found = list(self._lines(file, path, lines))
        yield from found
        yield from tokens_elsewhere(file, found)

    def _lines(self, file: TextFile, path: str, lines: list[Line]) -> Iterator[Finding]:
        indexes: list[tuple[Given, Line, Source]] = []
        for line in lines:
            requirement, words = line.requirement_and_words({})
            given = in_pip_words(words)
            for one in given:
                if one.kind == pip_config.FILES and one.value:
                    yield from self._included(file, path, one.value, line.number)
                elif one.kind in _INDEXES and "://" in one.value:
                    right = with_corrected_variables(one.value)
                    name = f"of line {line.number}"
                    source = read_source(name, right, file.name, self._environ)
                    indexes.append((one, line, source))
                    yield from self._url(file, line.number, source, one.value)
            links = [one.value for one in given if one.kind == pip_config.FIND_LINKS]
            for text in [requirement, *links]:
                for finding in review_secrets(f"line {line.number}", text):
                    yield file.on_line(line.number, "url-secret", finding.sentence)
        yield from self._dependency_confusion(file, indexes, lines)

    def _url(self, file: TextFile, number: int, source: Source, written: str) -> Iterator[Finding]:
        found = list(review_url(source, written, self._environ))
        is_told = any(finding.code == "variable-form" for finding in found)
        for variable in () if is_told else _NOT_EXPANDED.finditer(written):
            sentence = f"The URL of line {number} has {variable[0]}, which pip does not expand."
            name = (variable["bare"] or variable["braced"]).upper()
            hint = f"Write ${{{name}}}, in capitals."
            yield file.on_line(number, "variable-form", sentence, hint)
        for finding in found:
            sentence = finding.sentence.replace("source of line", "line").replace("pipenv", "pip")
            yield file.on_line(number, finding.code or "", sentence, finding.hint)
        endpoint = source.endpoint
        own = {source.variable: endpoint} if source.variable and endpoint else {}
        try:
            if not source.mismatch_reason:
                check_token_use(source, self._assigned or own)
        except ConfigurationError as error:
            code = error.code or "token-elsewhere"
            yield file.on_line(number, code, error.sentence, error.hint)

    def _included(self, file: TextFile, path: str, name: str, number: int) -> Iterator[Finding]:
        if is_url(name) or "$" in name or "://" in name:
            return
        inner = os.path.join(os.path.dirname(path), name)
        if not os.path.exists(inner):
            sentence = f"Line {number} includes {name}, which does not exist."
            yield file.on_line(number, "path-missing", sentence)
            return
        top = os.path.realpath(self._folder or os.curdir)
        if os.path.realpath(inner).startswith(os.path.join(top, "")):
            yield from self._file(inner)

    def _dependency_confusion(
        self, file: TextFile, indexes: list[tuple[Given, Line, Source]], lines: list[Line]
    ) -> Iterator[Finding]:
        """Yield an extra index that lets a public package replace a private one."""
        extra = [found for found in indexes if found[0].kind == pip_config.EXTRA_INDEX]
        is_replaced = len(extra) < len(indexes)  # pip then does not ask its default index
        ours = {s.endpoint is not None or bool(s.mismatch_reason) for _, _, s in indexes}
        ours |= set() if is_replaced else {False}
        names = sorted({n for line in lines if (n := _name(line)) and self._private.is_private(n)})
        if not extra or (ours != {True, False} and not (names and False in ours)):
            return
        which = ", ".join(names) or "a private package"
        yield file.on_line(
            extra[0][1].number,
            "extra-index",
            f"pip installs the highest version of {which} from any of these indexes.",
        )


def _name(line: Line) -> str:
    match = _NAME.match(line.text)
    return normalise(match[0]) if match else ""
