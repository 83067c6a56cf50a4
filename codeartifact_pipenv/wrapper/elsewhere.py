"""What could bring packages from outside a project's sources, wherever pip would take it from.

Settings that are typed, or that come from the project, are refused with their place. Settings in
the user's own environment and configuration are kept from pip; the proxy index offers the user's
local find-links for names that are not private.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError, UsageError
from codeartifact_pipenv.files import pip_config, pip_settings
from codeartifact_pipenv.files.pip_settings import FILES, INDEX, NEUTRAL, PIP_WORDS, in_pip_words
from codeartifact_pipenv.project.sources import expand, read_source, without_credentials
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.find_links import own_find_links
from codeartifact_pipenv.wrapper.handoff import refuse_index_by_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.files.pip_settings import Given
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.requirements_files import (
        RequirementsFile,
        RequirementsReader,
    )
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.wrapper.commands import PipCall
    from codeartifact_pipenv.wrapper.completion import Completion
    from codeartifact_pipenv.wrapper.handoff import Handoff
    from codeartifact_pipenv.wrapper.private_folder import PrivateFolder

    PathOf = Callable[[RequirementsFile], str]

_WHY = {
    pip_settings.INDEX: "names an index that is not a CodeArtifact source of this project",
    pip_settings.EXTRA_INDEX: "names an extra index, which pip would ask for private names, too",
    pip_settings.FIND_LINKS: "names files that pip would take for private packages, too",
    pip_settings.NO_INDEX: "keeps pip from this project's sources",
    pip_settings.ISOLATED: "keeps pip from this project's sources: it would ask the public index",
}
_FILE_KEYS = [s.name[2:] for s in pip_settings.SETTINGS if s.kind == FILES]


class _Replacement(NamedTuple):
    """What takes a setting's place in a list of words."""

    given: Given
    words: Callable[[PathOf], list[str]]


class Elsewhere:
    """Checks a command, and knows what it is run with instead.

    Args:
        line: the command line.
        project: the project.
        sources: its sources.
        pip: whether it runs a pip that asks an index.

    Attributes:
        is_explicit: whether the words of a pip name a repository of the project as its index.
        reads_files: whether the words name requirements or constraints files.
        names: variables of the user's own with indexes and find-links.
        links: the user's own find-links.

    Raises:
        ConfigurationError, UsageError: something typed, or of the project, could bring packages
            from elsewhere.
    """

    def __init__(
        self, line: CommandLine, project: Project, sources: Sequence[Source], *, pip: bool
    ) -> None:
        self.is_explicit = False
        self.reads_files = False
        self._pip = pip
        self._line = line
        self._project = project
        self._sources = sources
        self._fetched: dict[str, str] = {}
        self._before: list[str] = []
        self._words: list[str] = []
        self._replacements: list[_Replacement] = []
        self._variables: dict[str, list[RequirementsFile]] = {}
        dotenv = project.dotenv.values if project.dotenv else {}
        own = {name: value for name, value in os.environ.items() if name not in dotenv}
        self.names = [n.name for n in pip_settings.in_environment(own) if n.kind != FILES]
        configured = (pip_settings.setting_of_key(key) for key in pip_config.in_files(own))
        if any(setting is not None and setting.kind != FILES for setting in configured):
            self.names += NEUTRAL
        self.links = own_find_links(own)
        self._check_dotenv()
        if pip:
            for call in commands.pip_calls(line.command, line.arguments, project.scripts):
                self._check_pip(call)
        else:
            self._check_pipenv()

    @property
    def exposure(self) -> str | None:
        """What of the command could send a token's variable elsewhere, as a clause."""
        return "a requirements file may name any variable" if self.reads_files else None

    @property
    def needs_loopback(self) -> str | None:
        """Why a pip must not see the sources as they are written, as a clause."""
        if self._pip and self.reads_files:
            return "a requirements file may name packages of all sources"
        if self._pip and self.links.local:
            return "local find-links may serve what is not private only"
        return None

    def warn(self, report: Report, completion: Completion | None, handoff: Handoff) -> None:
        """Warn of the user's own find-links that pip does not get."""
        left: Sequence[str] = ()
        why = ""
        if completion is not None:
            left, why = self.links.remote, "packages come from this project's sources"
        elif handoff.plain:
            left, why = self.links.local + self.links.remote, "no hashes are checked"
        if left:
            listed = ", ".join(map(without_credentials, left))
            report.warning(f"{self.links.where} names {listed}, left out here: {why}.")

    def words(self, folder: PrivateFolder) -> list[str]:
        """Return the command line's words, with copies in the place of files that need them."""
        if not self._replacements:
            return self._line.rest
        path_of = _Copies(folder)
        found = list(self._before)
        at = 0
        for given, words in self._replacements:
            if given.at < at:
                continue
            found += self._words[at : given.at]
            found += words(path_of)
            at = given.at + given.taken
        return [*found, *self._words[at:]]

    def variables(self, folder: PrivateFolder) -> dict[str, str]:
        """Return variables that name copies."""
        path_of = _Copies(folder)
        return {
            name: " ".join(_one_word(path_of(file)) for file in files)
            for name, files in self._variables.items()
            if any(file.is_changed for file in files)
        }

    # --- what is refused ------------------------------------------------------------------

    def _check_dotenv(self) -> None:
        dotenv = self._project.dotenv
        for name, value in (dotenv.values if dotenv else {}).items():
            setting = pip_settings.setting_of_variable(name)
            if dotenv is None or value is None or setting is None or setting.kind == FILES:
                continue
            raise ConfigurationError(
                f"{dotenv.path} sets {name}, which {_WHY[setting.kind]}; pipenv loads that over "
                "what it is given here.",
                f"Remove {name} from the file, or set PIPENV_DONT_LOAD_ENV=1.",
            )

    def _check_pip(self, call: PipCall) -> None:
        place = f" in [scripts] {call.script} of {self._project.pipfile}" if call.script else ""
        for name in call.assigned:
            setting = pip_settings.setting_of_variable(name)
            if setting is not None and setting.kind != FILES:
                raise _refusal(f"{name}={place}", setting.kind, typed=not place)
        environ = {**self._project.environ, **call.assigned}
        words = [expand(word, environ) for word in call.words]
        found = []
        for given in in_pip_words(words):
            if given.kind == FILES:
                written = " ".join(call.words[given.at : given.at + given.taken])
                found.append(
                    (given, self._read(given.value, written, f"{given.option}{place}", environ))
                )
            elif given.kind == INDEX and self._is_repository(given.value):
                self.is_explicit = True
            else:
                raise _refusal(f"{given.option}{place}", given.kind, typed=not place)
        self.reads_files |= bool(found)
        if any(file.is_changed for _, file in found):
            self._replace_in(call, found)
        self._check_variables(environ, commands.pip_command(words), call.assigned)

    def _replace_in(self, call: PipCall, found: Sequence[tuple[Given, RequirementsFile]]) -> None:
        resolved = [*call.before, *call.words]
        if call.script and (not call.is_only or resolved[0] in self._project.scripts):
            raise ConfigurationError(
                f"[scripts] {call.script} of {self._project.pipfile} reads requirements files that "
                "name indexes, and a copy without them cannot take their place in several lines.",
                "Run its pip by `pipenv-ca run pip`, or remove the index lines from the files.",
            )
        line = self._line
        options = commands.words_before_program(line.arguments)
        self._before = [*line.rest[: (line.command_at or 0) + 1], *options, *call.before]
        self._words = call.words
        self._replacements = [_in_place_of(given, file) for given, file in found]

    def _check_pipenv(self) -> None:
        refuse_index_by_url(self._line.rest, self._sources)
        arguments = self._line.arguments
        environ = self._project.environ
        found: list[_Replacement] = []
        reads = self._line.command == "install"
        is_changed = False
        for given in pip_settings.in_pipenv_words(arguments):
            if given.kind == FILES and reads:
                file = self._reader(environ, for_pipenv=True).read(given.value, os.getcwd())
                is_changed |= file.is_changed
                self.reads_files = True
                found.append(_in_place_of(given, file))
            elif given.kind == PIP_WORDS:
                words = given.value.split()
                inner = self._files_in(words, given.option, environ)
                self.reads_files |= bool(inner)
                is_changed |= any(file.is_changed for _, file in inner)
                found.append(_in_place_of_words(given, words, inner))
        if is_changed:
            at = (self._line.command_at or 0) + 1
            self._before, self._words = self._line.rest[:at], arguments
            self._replacements = found
        self._check_words_variable(environ)
        self._check_variables(environ, "install", {})

    def _files_in(
        self, words: Sequence[str], place: str, environ: Mapping[str, str]
    ) -> list[tuple[Given, RequirementsFile]]:
        """Return the files that words for pip name; nothing else may stand there."""
        found = []
        for given in in_pip_words(words):
            if given.kind != FILES:
                raise _refusal(f"{given.option} in {place}", given.kind, typed=place[0] == "-")
            found.append((given, self._reader(environ).read(given.value, os.getcwd())))
        return found

    def _check_words_variable(self, environ: Mapping[str, str]) -> None:
        import json

        name = pip_settings.PIP_WORDS_VARIABLE
        try:
            words: Any = json.loads(environ.get(name) or "[]")
        except ValueError:
            return  # nor can pipenv
        dotenv = self._project.dotenv
        place = f"{name} of {dotenv.path}" if dotenv and name in dotenv.values else name
        if isinstance(words, list):
            inner = self._files_in([str(word) for word in words], place, environ)
            _refuse_copies([file for _, file in inner], place)

    def _check_variables(
        self, environ: Mapping[str, str], command: str, assigned: Mapping[str, str]
    ) -> None:
        """Check the files that variables and pip's configuration name."""
        dotenv = self._project.dotenv.values if self._project.dotenv else {}
        for key in _FILE_KEYS:
            value, where = pip_config.setting_value(key, environ, command)
            # (One that is missing names no index; pip says what is wrong with it.)
            names = [n for n in value.split() if ":" in n or os.path.exists(n)]
            is_projects = where in dotenv or where in assigned
            written = "$" if is_projects else ""  # (It may come from a variable.)
            files = [self._read(name, written, where, environ) for name in names]
            if is_projects:
                _refuse_copies(files, where)
            is_variable = pip_settings.setting_of_variable(where) is not None
            name = where if is_variable else f"PIP_{key.upper().replace('-', '_')}"
            if files:
                self._variables[name] = files

    # --- what is the project's own ---------------------------------------------------------

    def _read(
        self, name: str, written: str, where: str, environ: Mapping[str, str]
    ) -> RequirementsFile:
        from codeartifact_pipenv.project.requirements_files import check_url

        check_url(name, written, where)
        return self._reader(environ).read(name, os.getcwd())

    def _reader(
        self, environ: Mapping[str, str], *, for_pipenv: bool = False
    ) -> RequirementsReader:
        from codeartifact_pipenv.project.requirements_files import RequirementsReader

        return RequirementsReader(self._is_own, environ, self._fetch, for_pipenv=for_pipenv)

    def _fetch(self, url: str) -> str:
        if url not in self._fetched:
            from codeartifact_pipenv.wrapper.fetched_file import fetch_text

            self._fetched[url] = fetch_text(url)
        return self._fetched[url]

    def _is_repository(self, url: str) -> bool:
        endpoint = read_source("", url, "", self._project.environ).endpoint
        return endpoint is not None and endpoint in {s.endpoint for s in self._sources}

    def _is_own(self, url: str) -> bool:
        environ = self._project.environ
        known = {u for s in self._sources for u in (s.url, expand(s.url, environ))}
        return url.rstrip("/") in {u.rstrip("/") for u in known} or self._is_repository(url)


def checks_hashes(line: CommandLine, project: Project) -> bool:
    """Whether every private package that a command installs has hashes in the lock."""
    from codeartifact_pipenv.project.lock import read_lock
    from codeartifact_pipenv.wrapper.route import resolves

    skips = any(commands.abbreviates(word, "--skip-lock", "--sk") for word in line.arguments)
    lock = read_lock(project.lock or "")
    if line.command not in {"sync", "install"} or resolves(line.command, line.arguments):
        return False
    if skips or lock is None or "build-system" in project.document:
        return False
    others = {source.name for source in project.sources() if source.endpoint is None}
    others -= {source.name for source in project.sources() if source.endpoint is not None}
    return all(
        isinstance(entry, dict) and (entry.get("hashes") or entry.get("index") in others)
        for category, entries in lock.items()
        if category != "_meta" and isinstance(entries, dict)
        for entry in entries.values()
        if not isinstance(entry, dict) or "version" in entry
    )


class _Copies:
    """Writes the copies of requirements files that are needed, each once."""

    def __init__(self, folder: PrivateFolder) -> None:
        self._folder = folder

    def __call__(self, file: RequirementsFile) -> str:
        """Return the path by which a file is named."""
        if not file.is_changed:
            return file.place
        if file.copy is None:
            text = file.text(self)
            name = f"requirements-{os.urandom(4).hex()}.txt"
            file.copy = self._folder.write(name, text)
        return file.copy


def _in_place_of(given: Given, file: RequirementsFile) -> _Replacement:
    flags = [given.flags] if given.flags else []
    return _Replacement(given, lambda path_of: [*flags, given.name, path_of(file)])


def _in_place_of_words(
    given: Given, words: Sequence[str], inner: Sequence[tuple[Given, RequirementsFile]]
) -> _Replacement:
    def replaced(path_of: PathOf) -> list[str]:
        found: list[str] = []
        at = 0
        for one, file in inner:
            found += [*words[at : one.at], one.name, _one_word(path_of(file))]
            at = one.at + one.taken
        return [f"{given.name}={' '.join([*found, *words[at:]])}"]

    return _Replacement(given, replaced)


def _one_word(path: str) -> str:
    """Return a path that has to be one word of several."""
    if len(path.split()) != 1:
        raise ConfigurationError(
            f"{path} has a blank in it, and pip would read it as several names.",
            "Name a folder without blanks in TMPDIR.",
        )
    return path


def _refuse_copies(files: Sequence[RequirementsFile], where: str) -> None:
    for file in files:
        if file.is_changed:
            raise ConfigurationError(
                f"{where} names {file.place}, which names indexes or is on the net.",
                "Name the file by an option of pip, or save it without lines that name an index.",
            )


def _refusal(what: str, kind: str, *, typed: bool) -> ConfigurationError | UsageError:
    error = UsageError if typed else ConfigurationError
    return error(
        f"{what} {_WHY[kind]}.",
        "Remove it: pip searches all sources of the Pipfile. For local files of packages that are "
        "not private, set PIP_FIND_LINKS in your environment.",
    )
