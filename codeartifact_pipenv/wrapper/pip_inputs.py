"""Check indexes, find-links and requirements files that pip would use in addition to the sources.

Settings on the command line or in the project are refused, with their location. Settings in the
user's environment and configuration are hidden from pip; the proxy index serves the user's local
find-links for names that are not private.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError, UsageError
from codeartifact_pipenv.files import pip_config
from codeartifact_pipenv.files.pip_config import (
    FILES,
    INDEX,
    PIP_WORDS,
    in_pip_words,
    in_pipenv_words,
)
from codeartifact_pipenv.project.sources import expand, read_source, without_credentials
from codeartifact_pipenv.wrapper import pipenv_cli

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from codeartifact_pipenv.files.pip_config import Given
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.requirements_files import RequirementsFile
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import CommandLine
    from codeartifact_pipenv.wrapper.pipenv_cli import PipCall
    from codeartifact_pipenv.wrapper.run_files import PrivateFolder

    PathOf = Callable[[RequirementsFile], str]

_REASONS = {
    pip_config.INDEX: "names an index that is not a CodeArtifact source of this project",
    pip_config.EXTRA_INDEX: "names an extra index, which pip would also ask for private names",
    pip_config.FIND_LINKS: "names files that pip would also use for private packages",
    pip_config.NO_INDEX: "keeps pip from this project's sources",
    pip_config.ISOLATED: "keeps pip from this project's sources: it would ask the public index",
}
_FILE_KEYS = [s.name[2:] for s in pip_config.SETTINGS if s.kind == FILES]


class _Replacement(NamedTuple):
    """The words that replace a setting on a command line."""

    given: Given
    words: Callable[[PathOf], list[str]]


class _Rewrite(NamedTuple):
    """A command line whose requirements files are replaced by copies.

    Attributes:
        before: the words before ``words``, which stay.
        words: the words that name files.
        replacements: the replacements, in order.
    """

    before: list[str]
    words: list[str]
    replacements: list[_Replacement]

    def written(self, path_of: PathOf) -> list[str]:
        """Return the command line with the files replaced."""
        found = list(self.before)
        at = 0
        for given, words in self.replacements:
            if given.at < at:
                continue
            found += self.words[at : given.at]
            found += words(path_of)
            at = given.at + given.taken
        return [*found, *self.words[at:]]


class _RequirementsFiles:
    """Reads the requirements files of a command and checks their indexes.

    Args:
        sources: the project's sources.
        environ: the environment as pipenv sees it.
    """

    def __init__(self, sources: Sequence[Source], environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._endpoints = {source.endpoint for source in sources}
        self._urls = {url.rstrip("/") for s in sources for url in (s.url, expand(s.url, environ))}
        self._fetched: dict[str, str] = {}

    def is_repository(self, url: str) -> bool:
        """Whether a URL is a repository of the project."""
        endpoint = read_source("", url, "", self._environ).endpoint
        return endpoint is not None and endpoint in self._endpoints

    def read(
        self, name: str, environ: Mapping[str, str], *, for_pipenv: bool = False
    ) -> RequirementsFile:
        """Read a file by its path or URL."""
        from codeartifact_pipenv.project.requirements_files import RequirementsReader

        reader = RequirementsReader(self._is_own, environ, self._fetch, for_pipenv=for_pipenv)
        return reader.read(name, os.getcwd())

    def read_checked(
        self, name: str, written: str, where: str, environ: Mapping[str, str]
    ) -> RequirementsFile:
        """Read a file if its URL may be fetched; ``written`` and ``where`` are for the error."""
        from codeartifact_pipenv.project.requirements_files import check_url

        check_url(name, written, where)
        return self.read(name, environ)

    def _fetch(self, url: str) -> str:
        if url not in self._fetched:
            from codeartifact_pipenv.wrapper.fetched_file import fetch_text

            self._fetched[url] = fetch_text(url)
        return self._fetched[url]

    def _is_own(self, url: str) -> bool:
        return url.rstrip("/") in self._urls or self.is_repository(url)


class PipInputs:
    """Checks the inputs of pip in a command, and replaces files that name indexes by copies.

    Args:
        line: the command line.
        project: the project.
        sources: the project's sources.
        pip: whether the command runs a pip that uses an index.

    Attributes:
        is_explicit: whether pip's arguments name a repository of the project as the index.
        reads_files: whether the arguments name requirements or constraints files.
        user: the user's indexes and find-links.

    Raises:
        ConfigurationError, UsageError: the command line or the project names another place for
            packages.
    """

    def __init__(
        self, line: CommandLine, project: Project, sources: Sequence[Source], *, pip: bool
    ) -> None:
        self.is_explicit = False
        self.reads_files = False
        self._line = line
        self._project = project
        self._files = _RequirementsFiles(sources, project.environ)
        self._rewrite: _Rewrite | None = None
        self._variables: dict[str, list[RequirementsFile]] = {}
        dotenv = project.dotenv.values if project.dotenv else {}
        self.user = user_settings({n: v for n, v in os.environ.items() if n not in dotenv})
        self._check_dotenv()
        if pip:
            for call in pipenv_cli.pip_calls(line.command, line.arguments, project.scripts):
                self._check_pip(call)
        else:
            refuse_index_by_url(line.rest, sources)
            self._check_pipenv()

    @property
    def token_risk(self) -> str | None:
        """How the command could expose a token's variable, as a clause."""
        return "a requirements file may name any variable" if self.reads_files else None

    @property
    def proxy_reason(self) -> str | None:
        """Why a pip needs the proxy index, as a clause."""
        if self.reads_files:
            return "a requirements file may name packages of all sources"
        if self.user.links.local:
            return "local find-links may only serve packages that are not private"
        return None

    def warn(self, report: Report, *, by_proxy: bool, is_neutral: bool) -> None:
        """Warn about the user's find-links that pip does not get.

        Args:
            report: where the warning goes.
            by_proxy: whether pip uses the proxy index.
            is_neutral: whether variables hide the user's indexes and find-links from pip.
        """
        links = self.user.links
        left: Sequence[str] = ()
        why = ""
        if by_proxy:
            left, why = links.remote, "packages come from this project's sources"
        elif is_neutral:
            left, why = links.local + links.remote, "no hashes are checked"
        if left:
            listed = ", ".join(map(without_credentials, left))
            report.warning(f"{links.where} names {listed}, left out here: {why}.")

    def words(self, folder: PrivateFolder) -> list[str]:
        """Return the command line, with copies of the files that need one."""
        return self._rewrite.written(_copies_in(folder)) if self._rewrite else self._line.rest

    def variables(self, folder: PrivateFolder) -> dict[str, str]:
        """Return the variables that name copies."""
        path_of = _copies_in(folder)
        return {
            name: " ".join(_require_single_word(path_of(file)) for file in files)
            for name, files in self._variables.items()
            if any(file.is_changed for file in files)
        }

    # --- checks ---------------------------------------------------------------------------

    def _check_dotenv(self) -> None:
        dotenv = self._project.dotenv
        for name, value in (dotenv.values if dotenv else {}).items():
            setting = pip_config.setting_of_variable(name)
            if dotenv is None or value is None or setting is None or setting.kind == FILES:
                continue
            raise ConfigurationError(
                f"{dotenv.path} sets {name}, which {_REASONS[setting.kind]}.",
                f"Remove {name} from the file, or set PIPENV_DONT_LOAD_ENV=1.",
            )

    def _check_pip(self, call: PipCall) -> None:
        place = f" in [scripts] {call.script} of {self._project.pipfile}" if call.script else ""
        for name in call.assigned:
            setting = pip_config.setting_of_variable(name)
            if setting is not None and setting.kind != FILES:
                raise _refusal(f"{name}={place}", setting.kind, typed=not place)
        environ = {**self._project.environ, **call.assigned}
        words = [expand(word, environ) for word in call.words]
        found = []
        for given in in_pip_words(words):
            if given.kind == FILES:
                written = " ".join(call.words[given.at : given.at + given.taken])
                where = f"{given.option}{place}"
                file = self._files.read_checked(given.value, written, where, environ)
                found.append((given, file))
            elif given.kind == INDEX and self._files.is_repository(given.value):
                self.is_explicit = True
            else:
                raise _refusal(f"{given.option}{place}", given.kind, typed=not place)
        self.reads_files |= bool(found)
        if any(file.is_changed for _, file in found):
            self._replace_in(call, found)
        self._check_variables(environ, pipenv_cli.pip_command(words), call.assigned)

    def _replace_in(self, call: PipCall, found: Sequence[tuple[Given, RequirementsFile]]) -> None:
        resolved = [*call.before, *call.words]
        if call.script and (not call.is_only_line or resolved[0] in self._project.scripts):
            raise ConfigurationError(
                f"[scripts] {call.script} of {self._project.pipfile} reads requirements files that "
                "name indexes, and a copy without them cannot take their place in several lines.",
                "Run its pip with `pipenv-ca run pip`, or remove the index lines from the files.",
            )
        line = self._line
        options = pipenv_cli.run_options(line.arguments)
        before = [*line.rest[: (line.command_at or 0) + 1], *options, *call.before]
        self._rewrite = _Rewrite(before, call.words, [_replace_file(*each) for each in found])

    def _check_pipenv(self) -> None:
        line, environ = self._line, self._project.environ
        files: list[RequirementsFile] = []
        found: list[_Replacement] = []
        for given in pip_config.in_pipenv_words(line.arguments):
            if given.kind == FILES and line.command == "install":
                files.append(self._files.read(given.value, environ, for_pipenv=True))
                found.append(_replace_file(given, files[-1]))
            elif given.kind == PIP_WORDS:
                words = given.value.split()
                inner = self._files_in(words, given.option, environ)
                files += [file for _, file in inner]
                found.append(_replace_files_in_words(given, words, inner))
        self.reads_files |= bool(files)
        if any(file.is_changed for file in files):
            before = line.rest[: (line.command_at or 0) + 1]
            self._rewrite = _Rewrite(before, line.arguments, found)
        self._check_words_variable(environ)
        self._check_variables(environ, "install", {})

    def _files_in(
        self, words: Sequence[str], place: str, environ: Mapping[str, str]
    ) -> list[tuple[Given, RequirementsFile]]:
        """Return the files that pip's arguments name, and refuse indexes and find-links."""
        found = []
        for given in in_pip_words(words):
            if given.kind != FILES:
                raise _refusal(f"{given.option} in {place}", given.kind, typed=place[0] == "-")
            found.append((given, self._files.read(given.value, environ)))
        return found

    def _check_words_variable(self, environ: Mapping[str, str]) -> None:
        import json

        name = pip_config.PIP_WORDS_VARIABLE
        try:
            words: Any = json.loads(environ.get(name) or "[]")
        except ValueError:
            return  # pipenv reports the error
        dotenv = self._project.dotenv
        place = f"{name} of {dotenv.path}" if dotenv and name in dotenv.values else name
        if isinstance(words, list):
            inner = self._files_in([str(word) for word in words], place, environ)
            _refuse_changed_files([file for _, file in inner], place)

    def _check_variables(
        self, environ: Mapping[str, str], command: str, assigned: Mapping[str, str]
    ) -> None:
        """Check the files that variables and pip's configuration name."""
        dotenv = self._project.dotenv.values if self._project.dotenv else {}
        for key in _FILE_KEYS:
            value, where = pip_config.setting_value(key, environ, command)
            # pip reports a missing file.
            names = [n for n in value.split() if ":" in n or os.path.exists(n)]
            is_projects = where in dotenv or where in assigned
            written = "$" if is_projects else ""  # the URL may contain an expanded variable
            files = [self._files.read_checked(name, written, where, environ) for name in names]
            if is_projects:
                _refuse_changed_files(files, where)
            is_variable = pip_config.setting_of_variable(where) is not None
            name = where if is_variable else f"PIP_{key.upper().replace('-', '_')}"
            if files:
                self._variables[name] = files


def checks_hashes(line: CommandLine, project: Project) -> bool:
    """Whether every private package that a command installs has hashes in the lock."""
    from codeartifact_pipenv.project.pipfile import read_lock

    skips = any(pipenv_cli.abbreviates(word, "--skip-lock", "--sk") for word in line.arguments)
    lock = read_lock(project.lock or "")
    if line.command not in {"sync", "install"} or pipenv_cli.resolves(line.command, line.arguments):
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


def _copies_in(folder: PrivateFolder) -> PathOf:
    """Return a function that writes a copy of a requirements file, if needed, and returns the path."""

    def path_of(file: RequirementsFile) -> str:
        if not file.is_changed:
            return file.place
        if file.copy is None:
            text = file.text(path_of)
            file.copy = folder.write(f"requirements-{os.urandom(4).hex()}.txt", text)
        return file.copy

    return path_of


def _replace_file(given: Given, file: RequirementsFile) -> _Replacement:
    flags = [given.flags] if given.flags else []
    return _Replacement(given, lambda path_of: [*flags, given.name, path_of(file)])


def _replace_files_in_words(
    given: Given, words: Sequence[str], inner: Sequence[tuple[Given, RequirementsFile]]
) -> _Replacement:
    def replaced(path_of: PathOf) -> list[str]:
        found: list[str] = []
        at = 0
        for one, file in inner:
            found += [*words[at : one.at], one.name, _require_single_word(path_of(file))]
            at = one.at + one.taken
        return [f"{given.name}={' '.join([*found, *words[at:]])}"]

    return _Replacement(given, replaced)


def _require_single_word(path: str) -> str:
    """Return a path without blanks."""
    if len(path.split()) != 1:
        raise ConfigurationError(
            f"{path} contains a space, so pip would read it as several names.",
            "Set TMPDIR to a folder without spaces in its path.",
        )
    return path


def _refuse_changed_files(files: Sequence[RequirementsFile], where: str) -> None:
    for file in files:
        if file.is_changed:
            raise ConfigurationError(
                f"{where} names {file.place}, which names indexes or is a URL.",
                "Name the file with an option of pip, or save it without lines that name an index.",
            )


def _refusal(what: str, kind: str, *, typed: bool) -> ConfigurationError | UsageError:
    error = UsageError if typed else ConfigurationError
    return error(
        f"{what} {_REASONS[kind]}.",
        "Remove it: pip searches all sources of the Pipfile. For local files of packages that are "
        "not private, set PIP_FIND_LINKS in your environment.",
    )


def refuse_index_by_url(arguments: Sequence[str], sources: Sequence[Source]) -> None:
    """Raise ConfigurationError if a pipenv command names an index by URL.

    pipenv would add it to the Pipfile as a source and ask it for private names.
    """
    names = {source.name for source in sources}
    for given in in_pipenv_words(arguments):
        is_url = "/" in given.value or ":" in given.value
        if given.kind == INDEX and is_url and given.value not in names:
            raise ConfigurationError(
                f"{given.option} names an index by its URL, which would add another source.",
                "Name a source of the Pipfile instead, such as --index codeartifact; `pipenv-ca fix "
                "--add-source URL` adds one.",
            )


# --- settings of the user ------------------------------------------------------------------
# pip must not get these unchanged: indexes, find-links, a proxy.

# URLs of indexes may contain a password, and the proxy index is the only index of its run.
_REMOVED_KINDS = (pip_config.INDEX, pip_config.EXTRA_INDEX)


class FindLinks(NamedTuple):
    """The find-links of a user.

    Attributes:
        where: the variable or the file that names them; '' if not set.
        local: absolute paths of existing folders and files.
        remote: URLs.
    """

    where: str = ""
    local: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()


class UserSettings(NamedTuple):
    """User settings that name places outside the project's sources.

    Attributes:
        names: the variables to hide from pip.
        links: the find-links.
    """

    names: list[str]
    links: FindLinks


def user_settings(environ: Mapping[str, str]) -> UserSettings:
    """Return the indexes and find-links in the user's environment and configuration.

    Args:
        environ: the user's environment, without the variables of a ``.env``.
    """
    names = [n.name for n in pip_config.in_environment(environ) if n.kind != pip_config.FILES]
    configured = map(pip_config.setting_of_key, pip_config.in_files(environ))
    if any(setting is not None and setting.kind != pip_config.FILES for setting in configured):
        names += pip_config.NEUTRAL
    return UserSettings(names, user_find_links(environ))


def user_find_links(environ: Mapping[str, str], command: str = "install") -> FindLinks:
    """Return the find-links in the user's environment, or those in pip's configuration.

    Args:
        environ: the user's environment, without the variables of a ``.env``.
        command: pip's command.
    """
    value, where = pip_config.setting_value("find-links", environ, command)
    local, remote = [], []
    for link in value.split():
        path = _link_path(link)
        if path is not None and os.path.exists(path):
            local.append(os.path.abspath(path))
        elif "://" in link and not link.lower().startswith("file:"):
            remote.append(link)
    return FindLinks(where if value.split() else "", tuple(local), tuple(remote))


def _link_path(link: str) -> str | None:
    """Return the path of a link, or None for a URL of another host."""
    if link.lower().startswith("file:"):
        from codeartifact_pipenv.project.requirements_files import path_of_url

        return path_of_url(link)
    expanded = os.path.expanduser(link) if link.startswith("~") else link
    return None if "://" in link and not os.path.exists(expanded) else expanded


def split_proxy(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Split the proxy off the user's pip configuration.

    pip would send requests for the proxy index to that proxy, because its setting has no
    exceptions, unlike the variables for all programs. A proxy in the configuration of the machine
    or of a virtual environment cannot be hidden from pip.

    Returns:
        The proxy and the rest of the configuration, or None without a proxy or a readable file.
    """
    texts = [text for path in _config_files(environ) if (text := _config_text(path))]
    if not any("proxy" in text.lower() for text in texts):
        return None
    import configparser
    import io

    parser = configparser.RawConfigParser()
    try:
        for text in texts:
            parser.read_string(text)
    except configparser.Error:
        return None
    # Any proxy works; like pip, prefer [global] last.
    sections = sorted(parser.sections(), key=lambda name: name != "global")
    proxy = next((p for name in sections if (p := parser.get(name, "proxy", fallback=""))), "")
    for section in sections:
        for option in parser.options(section):
            setting = pip_config.setting_of_key(option)
            if option == "proxy" or (setting and setting.kind in _REMOVED_KINDS):
                parser.remove_option(section, option)
    written = io.StringIO()
    parser.write(written)
    return (proxy, written.getvalue()) if proxy else None


def _config_files(environ: Mapping[str, str]) -> list[str]:
    named = pip_config.named_file(environ)
    if named is not None:
        return [] if named == os.devnull else [named]
    try:
        return pip_config.user_files(environ)
    except ConfigurationError:
        return []


def _config_text(path: str) -> str | None:
    try:
        return pip_config.read_config(path)
    except (OSError, UnicodeDecodeError):
        return None
