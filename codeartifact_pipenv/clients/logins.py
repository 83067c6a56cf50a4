"""What a login writes into a tool's configuration, and takes out of it again. Pure.

Each tool has one class; a file's text goes in, and comes out. An entry names a repository and
never holds a token.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from codeartifact_pipenv.clients.ini_file import IniFile
from codeartifact_pipenv.clients.netrc_text import NetrcText
from codeartifact_pipenv.clients.urls import USERNAME, with_login
from codeartifact_pipenv.project.sources import without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Entry(NamedTuple):
    """One login.

    Attributes:
        name: what the tool calls the repository; for netrc the host.
        url: the repository's URL, ending in ``/``, without credentials.
        provider: pip's keyring provider, or ``keyring`` for twine; '' where the token itself
            is written.
    """

    name: str
    url: str
    provider: str = ""


class Tool(Protocol):
    """How one tool's file is edited."""

    def add(self, text: str, entries: Sequence[Entry], tokens: Mapping[str, str]) -> str:
        """Return the text with logins in it; ``tokens`` are by URL, and only where needed."""
        ...

    def withdraw(self, text: str, base: str, entries: Sequence[Entry]) -> str:
        """Return a text that was edited since, with the logins taken out.

        Args:
            text: what the file says now.
            base: what it said before any login; what the logins replaced comes back from it.
            entries: the logins.
        """
        ...

    def replaced(self, old: Sequence[Entry], new: Sequence[Entry]) -> list[Entry]:
        """Return the earlier logins that others take the place of; the rest stays beside them."""
        ...


class Pip:
    """``index-url`` and ``extra-index-url`` in pip.conf."""

    def __init__(self, path: str) -> None:
        self._path = path

    def _read(self, text: str) -> IniFile:
        # pip: "index_url" is "index-url".
        return IniFile(self._path, text, lambda name: name.lower().replace("_", "-"))

    def add(self, text: str, entries: Sequence[Entry], tokens: Mapping[str, str]) -> str:
        """Make the first repository the index, and the others extra ones."""
        file = self._read(text)
        first, *others = [with_login(f"{e.url}simple/", tokens.get(e.url)) for e in entries]
        file.set("global", "index-url", first)
        if others:
            file.append("global", "extra-index-url", others)
        if entries[0].provider:
            file.set("global", "keyring-provider", entries[0].provider)
        return file.text

    def withdraw(self, text: str, base: str, entries: Sequence[Entry]) -> str:
        """Take out what is still as the login wrote it."""
        file, before = self._read(text), self._read(base)
        index = file.get("global", "index-url")
        if index is not None and _is_one_of(index, entries[:1]):
            _restore(file, before, "global", "index-url")
        extra = file.get("global", "extra-index-url")
        if extra is not None:
            kept = _without(extra, entries)
            if kept == extra.split():
                pass  # none of ours is in it
            elif kept:
                file.set("global", "extra-index-url", kept)
            else:
                _restore(file, before, "global", "extra-index-url")
        provider = entries[0].provider
        if provider and file.get("global", "keyring-provider") == provider:
            _restore(file, before, "global", "keyring-provider")
        _drop_if_made(file, before, "global")
        return file.text

    def replaced(self, old: Sequence[Entry], new: Sequence[Entry]) -> list[Entry]:
        """There is one index: another login takes the place of the last."""
        del new
        return list(old)


class Twine:
    """One section a repository in ``.pypirc``."""

    def __init__(self, path: str) -> None:
        self._path = path

    def add(self, text: str, entries: Sequence[Entry], tokens: Mapping[str, str]) -> str:
        """Write a section for each repository, and list it among the index servers."""
        file = IniFile(self._path, text)
        # Where nothing is listed, twine takes these two for granted.
        listed = (file.get("distutils", "index-servers") or "pypi testpypi").split()
        names = [*listed, *(entry.name for entry in entries if entry.name not in listed)]
        if names != listed or file.get("distutils", "index-servers") is None:
            file.set("distutils", "index-servers", names)
        for entry in entries:
            token = tokens.get(entry.url)
            file.set(entry.name, "repository", entry.url)
            file.set(entry.name, "username", USERNAME)
            if token is not None:
                file.set(entry.name, "password", token)
            else:
                file.remove(entry.name, "password")  # else no keyring would be asked
        return file.text

    def withdraw(self, text: str, base: str, entries: Sequence[Entry]) -> str:
        """Take out what still names its repository; what it replaced comes back."""
        file, before = IniFile(self._path, text), IniFile(self._path, base)
        for entry in entries:
            if (file.get(entry.name, "repository") or "").strip() != entry.url:
                continue
            for option in ("repository", "username", "password"):
                _restore(file, before, entry.name, option)
            _drop_if_made(file, before, entry.name)
        written = (file.get("distutils", "index-servers") or "").split()
        earlier = before.get("distutils", "index-servers")
        ours = {entry.name for entry in entries if not file.has(entry.name)}
        ours |= {entry.name for entry in entries if before.has(entry.name)}
        kept = [name for name in written if name not in ours or name in (earlier or "").split()]
        if earlier is None and kept == ["pypi", "testpypi"]:
            file.remove("distutils", "index-servers")
        elif kept != written:
            file.set("distutils", "index-servers", kept)
        _drop_if_made(file, before, "distutils")
        return file.text

    def replaced(self, old: Sequence[Entry], new: Sequence[Entry]) -> list[Entry]:
        """Repositories stand side by side, each under its name."""
        return _of_same_name(old, new)


class Netrc:
    """One ``machine`` a host in a netrc file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def add(self, text: str, entries: Sequence[Entry], tokens: Mapping[str, str]) -> str:
        """Put each host's login in the place of an earlier one, or first in the file."""
        file = NetrcText(self._path, text)
        for entry in entries:
            file.put(
                entry.name, f"machine {entry.name} login {USERNAME} password {tokens[entry.url]}"
            )
        return file.text

    def withdraw(self, text: str, base: str, entries: Sequence[Entry]) -> str:
        """Take out the hosts that still have a login of ours; those replaced come back."""
        file, before = NetrcText(self._path, text), NetrcText(self._path, base)
        for entry in entries:
            if file.login(entry.name) == USERNAME:
                file.put(entry.name, before.entry(entry.name))
        return file.text

    def replaced(self, old: Sequence[Entry], new: Sequence[Entry]) -> list[Entry]:
        """Hosts stand side by side."""
        return _of_same_name(old, new)


def _of_same_name(old: Sequence[Entry], new: Sequence[Entry]) -> list[Entry]:
    names = {entry.name for entry in new}
    return [entry for entry in old if entry.name in names]


def _is_one_of(value: str, entries: Sequence[Entry]) -> bool:
    return without_credentials(value.strip()) in {f"{entry.url}simple/" for entry in entries}


def _without(value: str, entries: Sequence[Entry]) -> list[str]:
    """Return the words of a value that are none of the logins'."""
    return [word for word in value.split() if not _is_one_of(word, entries)]


def _restore(file: IniFile, before: IniFile, section: str, option: str) -> None:
    value = before.get(section, option)
    if value is None:
        file.remove(section, option)
    else:
        file.set(section, option, value)


def _drop_if_made(file: IniFile, before: IniFile, section: str) -> None:
    if not before.has(section):
        file.drop_empty(section)
