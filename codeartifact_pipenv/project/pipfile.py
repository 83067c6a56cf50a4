"""A project as pipenv sees it: its Pipfile and its lock, and the packages in them."""

from __future__ import annotations

import codecs
import functools
import json
import os
import re
from typing import Any, NamedTuple

from codeartifact_pipenv.auth.resolver import DotEnv
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import (
    load_json_bytes,
    load_toml_bytes,
    read_bytes,
    read_text,
    read_user_file,
)
from codeartifact_pipenv.project.sources import (
    MIRROR_VARIABLE,
    Source,
    assign_variables,
    check_token_use,
    check_unfinished_variable,
    expand,
    is_default_source,
    read_source,
    url_fault,
    variables_in,
)
from codeartifact_pipenv.settings import variable_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

_FALSE = frozenset({"0", "false", "no", "off", ""})


class Project:
    """The files of a project.

    Attributes:
        pipfile: the path of the Pipfile that exists or will be created, or None.
        directory: the project's folder.
        document: the parsed Pipfile; empty without a Pipfile.
        dotenv: the ``.env`` that pipenv will load over the environment, if any.
        environ: the environment as pipenv will see it.
        new_text: the text of the Pipfile that a command will create, if any.
    """

    def __init__(
        self,
        pipfile: str | None,
        directory: str,
        document: dict[str, object],
        dotenv: DotEnv | None,
        environ: Mapping[str, str],
        *,
        new_text: str | None = None,
    ) -> None:
        self.pipfile = pipfile
        self.new_text = new_text
        self.directory = directory
        self.document = document
        self.dotenv = dotenv
        self.environ = environ

    @property
    def home(self) -> str:
        """The path where the Pipfile is, or would be."""
        return self.pipfile or os.path.join(self.directory, "Pipfile")

    @property
    def lock(self) -> str | None:
        """The path of the lock, which may not exist yet; None without a Pipfile and a lock."""
        path = f"{self.home}.lock"
        return path if self.pipfile is not None or os.path.isfile(path) else None

    @property
    def substitute_text(self) -> str | None:
        """The text of pipenv's Pipfile if the project has none, or None."""
        if self.pipfile is not None:
            return self.new_text
        from codeartifact_pipenv.project.toml_text import pipfile_text

        locked = self._lock_sources()
        keys = ("name", "url", "verify_ssl")
        tables = [
            {key: value for key, value in source.items() if key in keys}
            for source in (locked if isinstance(locked, list) else [])
        ]
        return pipfile_text(tables)

    @property
    def uses_pylock(self) -> bool:
        """Whether pipenv also writes pylock.toml."""
        return bool(self._pipenv_table.get("use_pylock"))

    @property
    def pylock(self) -> str:
        """The path of the pylock.toml that pipenv writes.

        Raises:
            ConfigurationError: ``pylock_name`` is a path; pipenv would overwrite any TOML file.
        """
        name = self._pipenv_table.get("pylock_name")
        plain = isinstance(name, str) and name.isprintable() and not set(name) & set("/\\:")
        if name and not plain:
            raise ConfigurationError(
                f"pylock_name in {self.pipfile} is not a valid part of a file name.",
                "Use a plain word, such as `dev` for pylock.dev.toml.",
            )
        return os.path.join(self.directory, f"pylock.{name}.toml" if name else "pylock.toml")

    @property
    def _pipenv_table(self) -> Mapping[str, object]:
        table = self.document.get("pipenv")
        return table if isinstance(table, dict) else {}

    @property
    def scripts(self) -> Mapping[str, object]:
        """The ``[scripts]`` of the Pipfile."""
        scripts = self.document.get("scripts")
        return scripts if isinstance(scripts, dict) else {}

    def sources(self) -> list[Source]:
        """Return the sources of Pipfile and lock, each URL once.

        pipenv reads the lock's sources for ``sync``, and otherwise the Pipfile's.

        Raises:
            ConfigurationError: a source has no URL, or the lock cannot be read.
        """
        return self._sources

    @functools.cached_property
    def _sources(self) -> list[Source]:
        locked = self._read_sources(self._lock_sources(), self.lock)
        found: dict[str, Source] = {}
        for source in [*self.pipfile_sources(), *locked]:
            known = found.setdefault(source.url, source)
            found[source.url] = known._replace(verified=known.verified and source.verified)
        return list(found.values())

    def pipfile_sources(self) -> list[Source]:
        """Return the sources of the Pipfile, or of the lock without a Pipfile, in order.

        Raises:
            ConfigurationError: as for ``sources``.
        """
        return self._pipfile_sources

    @functools.cached_property
    def _pipfile_sources(self) -> list[Source]:
        written = self.document.get("source") if self.pipfile else self._lock_sources()
        return self._read_sources(written, self.pipfile or self.lock)

    def _read_sources(self, entries: object, origin: str | None) -> list[Source]:
        return [
            self._source(entry, number, origin or "")
            for number, entry in enumerate(entries if isinstance(entries, list) else [], 1)
        ]

    def assign_variables(self, sources: Sequence[Source]) -> dict[str, RepositoryEndpoint]:
        """Return, by variable, an endpoint of the domain whose token it must hold.

        Raises:
            ConfigurationError: as for ``sources.assign_variables``, also for URLs of packages.
        """
        assigned = assign_variables(sources)
        for origin, place, text in self._package_texts:
            mention = read_source(place, text, origin, self.environ)
            check_token_use(mention, assigned)
            if assigned:
                check_unfinished_variable(mention)
        # pipenv expands .env with the token set; its values may be sent anywhere.
        if self.dotenv is not None:
            for name, written in self.dotenv.written.items():
                mention = read_source(name, written or "", self.dotenv.path, self.environ)
                check_token_use(mention, assigned)
        return assigned

    def mentioned_variables(self) -> set[str]:
        """Return the variables that package entries mention."""
        return {name for _, _, text in self._package_texts for name in variables_in(text)}

    @functools.cached_property
    def _package_texts(self) -> list[tuple[str, str, str]]:
        """Texts in which pip may expand variables, as file, place in the file, and text."""
        return [found for found in self._every_text() if "$" in found[2] or "%" in found[2]]

    def _every_text(self) -> Iterator[tuple[str, str, str]]:
        for category, entries in self.document.items():
            if is_category(category):
                for place, text in _strings(entries, category):
                    yield self.pipfile or "", place, text
        locked = self._lock_document
        for category, entries in (locked if isinstance(locked, dict) else {}).items():
            if category != "_meta":
                for place, text in _strings(entries, str(category)):
                    yield self.lock or "", place, text
        for path in self.pylocks():
            for place, text in _strings(_read_toml(path), os.path.basename(path)):
                yield path, place, text

    def pylocks(self) -> list[str]:
        """Return the paths of the pylock files in the project's folder."""
        return pylocks_in(self.directory) if self.lock else []

    def _source(self, entry: object, number: int, origin: str) -> Source:
        url = entry.get("url") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(url, str):
            raise ConfigurationError(
                f"Source {number} in {origin} has no url.",
                'Add `url = "https://..."` to its [[source]] table, or remove the table.',
            )
        source = read_source(str(entry.get("name", number)), url, origin, self.environ)
        source = source._replace(verified=entry.get("verify_ssl", True) is True)
        fault = url_fault(url, self.environ)
        if fault is not None:
            raise ConfigurationError(
                f"The URL of source {source.name} in {origin} cannot be read: {fault}.",
                f"Correct it; it is {url}.",
            )
        return self._mirrored(source)

    def _mirrored(self, source: Source) -> Source:
        """Return the CodeArtifact mirror of PIPENV_PYPI_MIRROR in place of the public index."""
        endpoint = parse_url(self.environ.get(MIRROR_VARIABLE, ""))
        if endpoint is None or source.endpoint is not None:
            return source
        if not is_default_source(expand(source.url, self.environ)):
            return source
        mirror = read_source(source.name, endpoint.simple_url, MIRROR_VARIABLE, {})
        return mirror._replace(verified=source.verified)

    def pylock_documents(self) -> list[dict[str, object]]:
        """Return the parsed pylock files, without those that cannot be read."""
        found = map(_read_toml, self.pylocks())
        return [document for document in found if isinstance(document, dict)]

    def _lock_sources(self) -> object:
        try:
            return self._lock_document["_meta"]["sources"]
        except (TypeError, KeyError):
            return None

    @functools.cached_property
    def _lock_document(self) -> Any:

        return load_lock(self.lock) if self.lock else None


def working_directory() -> str:
    """Return the current folder.

    Raises:
        ConfigurationError: it no longer exists.
    """
    try:
        return os.getcwd()
    except OSError as error:
        raise ConfigurationError(
            f"This folder cannot be read: {error.strerror}.",
            "Change to another folder.",
            "folder-unreadable",
        ) from error


def load_project(
    environ: Mapping[str, str], directory: str, pipenv_version: Callable[[], str | None]
) -> Project:
    """Find and read the project of a directory.

    Args:
        environ: the environment.
        directory: the working directory.
        pipenv_version: returns pipenv's version, or None if unknown; called only if versions
            differ in how far up they look.

    Raises:
        ConfigurationError: PIPENV_PIPFILE names a missing file, or the Pipfile cannot be read.
    """
    pipfile, dotenv, environ = _locate(environ, directory, pipenv_version)
    document = _read_pipfile(pipfile) if pipfile else {}
    folder = os.path.dirname(pipfile) if pipfile else directory
    project = Project(pipfile, folder, document, dotenv, environ)
    for path in (f"{project.home}.lock", *project.pylocks()):
        require_regular_file(path, "Remove it, and run `pipenv-ca lock`.")
    return project


def require_regular_file(path: str, hint: str) -> None:
    """Raise ConfigurationError for a device or a pipe, which pipenv would read forever."""
    if os.path.lexists(path) and not os.path.isfile(path):
        try:
            os.stat(path)
        except FileNotFoundError:  # a dangling link, which pipenv may fill
            return
        except OSError:
            pass
        raise ConfigurationError(f"{path} is not a file.", hint)


def locate_pipfile(
    environ: Mapping[str, str], directory: str, pipenv_version: Callable[[], str | None]
) -> str | None:
    """Return the Pipfile that ``load_project`` finds, with ``.env`` taken into account.

    Raises:
        ConfigurationError: as for ``find_pipfile``, or ``.env`` cannot be read.
    """
    return _locate(environ, directory, pipenv_version)[0]


def _locate(
    environ: Mapping[str, str], directory: str, pipenv_version: Callable[[], str | None]
) -> tuple[str | None, DotEnv | None, Mapping[str, str]]:
    """Return the Pipfile, the ``.env`` that pipenv loads, and the environment with it."""
    pipfile = find_pipfile(environ, directory, pipenv_version)
    dotenv = _read_dotenv(environ, os.path.dirname(pipfile) if pipfile else directory)
    if dotenv is not None:
        environ = {**environ, **{k: v for k, v in dotenv.values.items() if v is not None}}
        # .env may set PIPENV_PIPFILE.
        pipfile = find_pipfile(environ, directory, pipenv_version)
    return pipfile, dotenv, environ


def find_pipfile(
    environ: Mapping[str, str], directory: str, pipenv_version: Callable[[], str | None]
) -> str | None:
    """Return the Pipfile that pipenv finds from a directory, or None if it finds none.

    Raises:
        ConfigurationError: PIPENV_PIPFILE names a missing file, or the Pipfile is not a file.
    """
    named = environ.get("PIPENV_PIPFILE")
    if named:
        path = os.path.join(directory, named)
        require_regular_file(path, "Correct or unset PIPENV_PIPFILE.")
        if not os.path.isfile(path):
            raise ConfigurationError(
                f"PIPENV_PIPFILE names {named}, which does not exist.", "Correct or unset it."
            )
        return _followed(os.path.abspath(path), pipenv_version)
    limit = _depth_limit(environ)
    for depth, folder in enumerate(upwards(os.path.realpath(directory)), 1):
        if limit is None and depth == _OLD_DEPTH + 1 and _looks_less_far(pipenv_version()):
            break
        if depth > (_NEW_DEPTH if limit is None else limit):
            break
        path = os.path.join(folder, "Pipfile")
        if os.path.isfile(path):
            return _followed(path, pipenv_version)
    require_regular_file(os.path.join(directory, "Pipfile"), "Rename it, or put a Pipfile there.")
    return None


# Up to 2026.2 pipenv resolves a Pipfile that is a link, so lock, .env and the environment's name
# depend on the target (pipenv issue 4471).
_FOLLOWING_LINKS = ("2023.", "2024.", "2025.", "2026.0.", "2026.1.", "2026.2.")


def _followed(path: str, pipenv_version: Callable[[], str | None]) -> str:
    target = os.path.realpath(path)
    version = pipenv_version() if target != path else None
    return target if version is not None and version.startswith(_FOLLOWING_LINKS) else path


# The default of PIPENV_MAX_DEPTH, the number of folders that pipenv searches, up to 2024.0.0 and
# from 2024.0.3.
_OLD_DEPTH, _NEW_DEPTH = 3, 10


def _looks_less_far(version: str | None) -> bool:
    return version is not None and version.startswith(("2023.", "2024.0.0"))


def _depth_limit(environ: Mapping[str, str]) -> int | None:
    if is_true(environ.get("PIPENV_NO_INHERIT")):
        return 1
    try:
        return int(environ["PIPENV_MAX_DEPTH"])
    except (KeyError, ValueError):
        return None


def upwards(folder: str) -> Iterator[str]:
    """Yield a folder and its parents up to the root."""
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def is_true(value: str | None) -> bool:
    """Whether pipenv reads a variable's value as true."""
    return value is not None and value.lower() not in _FALSE


def dotenv_path(environ: Mapping[str, str], directory: str) -> str | None:
    """Return the path of the ``.env`` that pipenv loads for a project's folder, if any."""
    if is_true(environ.get("PIPENV_DONT_LOAD_ENV")):
        return None
    path = environ.get("PIPENV_DOTENV_LOCATION") or os.path.join(directory, ".env")
    return path if os.path.isfile(path) else None


def _read_dotenv(environ: Mapping[str, str], directory: str) -> DotEnv | None:
    path = dotenv_path(environ, directory)
    if path is None:
        return None
    from io import StringIO

    from dotenv import dotenv_values

    try:
        text = read_text(path)
        values, written = (
            {
                variable_name(name): value
                for name, value in dotenv_values(
                    stream=StringIO(text), interpolate=is_expanded
                ).items()
            }
            for is_expanded in (True, False)
        )
        return DotEnv(path, values, written)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}.",
            "Save it as UTF-8 text, or set PIPENV_DONT_LOAD_ENV=1.",
        ) from None


def _read_pipfile(path: str) -> dict[str, object]:
    try:
        data = read_bytes(path)
        if data.startswith(codecs.BOM_UTF8):
            raise ConfigurationError(
                f"{path}, line 1: the Pipfile begins with a byte order mark, which is not valid TOML.",
                "Save it as UTF-8 without a byte order mark.",
            )
        return load_toml_bytes(data)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path}, line {line}: the Pipfile is not UTF-8.", "Save it as UTF-8."
        ) from None
    except ValueError as error:
        raise ConfigurationError(
            f"{path} is not valid TOML: {error}.", "Correct the Pipfile at that line."
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}.", "Check its permissions."
        ) from None


def is_pylock(path: str) -> bool:
    """Whether a file has a name of PEP 751 for locks; pipenv reads any (utils/pylock.py)."""
    name = os.path.basename(path).lower()  # file systems of macOS and Windows ignore case
    return name.startswith("pylock.") and name.endswith(".toml")


def pylocks_in(folder: str) -> list[str]:
    """Return the paths of the pylock files in a folder."""
    try:
        names = sorted(filter(is_pylock, os.listdir(folder or ".")))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names]


def _read_toml(path: str) -> object:
    try:
        return load_toml_bytes(read_bytes(path))
    except (OSError, ValueError):
        return None  # pipenv cannot read it either


def _strings(value: object, place: str) -> Iterator[tuple[str, str]]:
    # Filter early: a large lock has tens of thousands of texts without a variable.
    if isinstance(value, str):
        if "$" in value or "%" in value:
            yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(key, place)  # pipenv passes name and value to pip
            yield from _strings(item, f"{place}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, place)


# --- the lock ------------------------------------------------------------------------------


def parse_lock(data: bytes) -> dict[str, Any] | None:
    """Parse a lock; return None if it is not valid, which pipenv reports itself."""
    try:
        document = load_json_bytes(data)
        _ = document["_meta"]["hash"]["sha256"]
        sources = document["_meta"]["sources"]
    except (ValueError, TypeError, KeyError):
        return None
    is_list = isinstance(sources, list) and all(isinstance(source, dict) for source in sources)
    return document if is_list and isinstance(document, dict) else None


def read_lock(path: str) -> dict[str, Any] | None:
    """Read a lock file; return None if it is missing, unreadable or not a valid lock."""
    try:
        return parse_lock(read_bytes(path))
    except OSError:
        return None


def load_lock(path: str) -> dict[str, Any] | None:
    """Read a lock file as any JSON object; return None if it is missing or not JSON.

    pipenv reports invalid JSON, such as merge conflict markers, and writes a new lock.

    Raises:
        ConfigurationError: the file cannot be read; pipenv would fail with a traceback.
    """
    data = read_user_file(path)
    if data is None:
        return None
    try:
        document = load_json_bytes(data)
    except json.JSONDecodeError:
        return None
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except ValueError as error:
        reason = str(error)
    else:
        if isinstance(document, dict):
            return document
        reason = "it is not a JSON object"
    raise ConfigurationError(
        f"{path} cannot be read: {reason}.", "Remove it, and run `pipenv-ca lock`."
    )


def has_direct_references(document: dict[str, Any] | None) -> bool:
    """Whether a lock has packages from a folder, a repository or an archive."""
    return any("version" not in entry for _, entry in entries_of_lock(document))


def entries_of_lock(document: Mapping[str, Any] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the entry of each package of a lock."""
    for entry in locked_entries(document):
        yield entry.written, entry.value


# --- package entries of Pipfile and lock ---------------------------------------------------

# Tables of a Pipfile without packages; every other table is a package category.
_NO_CATEGORIES = frozenset({"source", "requires", "scripts", "pipenv", "pipfile", "build-system"})
# Keys of entries that do not come from an index.
DIRECT_KEYS = frozenset({"file", "path", "git", "hg", "svn", "bzr"})


class Entry(NamedTuple):
    """One package entry of a Pipfile.

    Attributes:
        category: the entry's table.
        written: the name as written.
        value: the value as written.
    """

    category: str
    written: str
    value: Any

    @property
    def name(self) -> str:
        """The normalised name."""
        return normalise(self.written)

    @property
    def keys(self) -> tuple[str, str]:
        """The keys of the entry in the document."""
        return self.category, self.written

    @property
    def fields(self) -> dict[str, Any]:
        """The value as a table; a plain version becomes ``{"version": ...}``."""
        return self.value if isinstance(self.value, dict) else {"version": self.value}

    @property
    def source(self) -> str | None:
        """The source named by ``index``, if any."""
        index = self.value.get("index") if isinstance(self.value, dict) else None
        return index if isinstance(index, str) else None

    @property
    def is_indexed(self) -> bool:
        """Whether the package comes from an index."""
        return not isinstance(self.value, dict) or not DIRECT_KEYS & self.value.keys()


def is_category(name: str) -> bool:
    """Whether a table of a Pipfile contains packages."""
    return name not in _NO_CATEGORIES


def entries_of(document: Mapping[str, object] | None) -> Iterator[Entry]:
    """Yield the package entries of a parsed Pipfile in order."""
    for category, entries in (document or {}).items():
        if is_category(category) and isinstance(entries, dict):
            for name, value in entries.items():
                yield Entry(category, name, value)


def locked_entries(document: Mapping[str, object] | None) -> Iterator[Entry]:
    """Yield the package entries of a parsed lock in order."""
    for category, entries in (document or {}).items():
        if category != "_meta" and isinstance(entries, dict):
            for name, value in entries.items():
                if isinstance(value, dict):
                    yield Entry(category, name, value)


def with_normalised_names(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a parsed Pipfile with normalised package names, which keep their extras."""
    return {
        category: {_normalise(name): value for name, value in entries.items()}
        if is_category(category) and isinstance(entries, dict)
        else entries
        for category, entries in document.items()
    }


# --- package names -------------------------------------------------------------------------


def normalise(name: str) -> str:
    """Return the normalised name of a package (PEP 503), without extras such as ``[s3]``."""
    return _normalise(name.partition("[")[0].rstrip())


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a normalised name matches a name or a pattern such as ``acme-*``."""
    return any(
        name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted
        for wanted in map(normalise, patterns)
    )
