"""Adds logins to the text of a tool's file, and removes them. Pure.

A login is recognised by its endpoint, a URL or host of CodeArtifact, whoever wrote it
(``aws codeartifact login`` too).
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from codeartifact_pipenv.clients.ini_file import IniFile
from codeartifact_pipenv.clients.netrc_text import machines_in, replace_entry
from codeartifact_pipenv.clients.targets import USERNAME, with_login
from codeartifact_pipenv.endpoint import is_host, parse_host, parse_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codeartifact_pipenv.endpoint import Domain


class LoginEntry(NamedTuple):
    """One login.

    Attributes:
        name: the name of the repository for twine.
        url: the repository's URL, ending in ``/``, without credentials.
        token: in clear, or None if the tool asks keyring.
        provider: pip's keyring provider, or '' for its default.
    """

    name: str
    url: str
    token: str | None
    provider: str = ""


class Removal(NamedTuple):
    """A text without its logins, and the domains that they were for."""

    text: str
    domains: set[Domain]


class Tool(NamedTuple):
    """How one tool's file is edited; both functions take the file's path, for messages.

    Attributes:
        add: returns a text with logins added. Other logins stay.
        remove: returns a text without entries for CodeArtifact hosts; with True, only entries
            with a token are removed.
        is_single: whether a login replaces every other one in the file.
        overrides: variables that override the file.
    """

    add: Callable[[str, str, Sequence[LoginEntry]], str]
    remove: Callable[[str, str, bool], Removal]
    is_single: bool = False
    overrides: tuple[str, ...] = ()


def _pip_file(path: str, text: str) -> IniFile:
    # pip reads "index_url" as "index-url".
    return IniFile(path, text, lambda name: name.lower().replace("_", "-"))


def _add_to_pip(path: str, text: str, entries: Sequence[LoginEntry]) -> str:
    file = _pip_file(path, text)
    first, *others = [with_login(f"{entry.url}simple/", entry.token) for entry in entries]
    file.set("global", "index-url", first)
    if others:
        file.set("global", "extra-index-url", [*file.words("global", "extra-index-url"), *others])
    if entries[0].provider:
        file.set("global", "keyring-provider", entries[0].provider)
    return file.text


def _remove_from_pip(path: str, text: str, only_tokens: bool) -> Removal:
    file = _pip_file(path, text)
    domains: set[Domain] = set()
    for option in ("index-url", "extra-index-url"):
        words = file.words("global", option)
        ours = {word: endpoint for word in words if (endpoint := parse_url(word))}
        gone = [word for word in ours if _has_token(word) or not only_tokens]
        domains |= {ours[word].domain for word in gone}
        kept = [word for word in words if word not in gone]
        if gone and kept:
            file.set("global", option, kept)
        elif gone:
            file.remove("global", option)
            # The provider of a login by keyring goes with its index.
            if option == "index-url" and not any(map(_has_token, gone)):
                file.remove("global", "keyring-provider")
    return Removal(file.text, domains)


def _has_token(url: str) -> bool:
    return bool(urlsplit(url).password)


# twine's default index servers.
_TWINES_SERVERS = ["pypi", "testpypi"]


def _add_to_twine(path: str, text: str, entries: Sequence[LoginEntry]) -> str:
    file = IniFile(path, text)
    listed = file.words("distutils", "index-servers")
    names = listed or _TWINES_SERVERS
    names = [*names, *(entry.name for entry in entries if entry.name not in names)]
    if names != listed:
        file.set("distutils", "index-servers", names)
    for entry in entries:
        file.set(entry.name, "repository", entry.url)
        file.set(entry.name, "username", USERNAME)
        if entry.token is not None:
            file.set(entry.name, "password", entry.token)
        else:
            file.remove(entry.name, "password")  # with one, twine would not ask the keyring
    return file.text


def _remove_from_twine(path: str, text: str, only_tokens: bool) -> Removal:
    file = IniFile(path, text)
    domains: set[Domain] = set()
    gone = set()
    for section in file.sections:
        endpoint = parse_url(file.get(section, "repository"))
        if endpoint is None or (only_tokens and not file.get(section, "password")):
            continue
        domains.add(endpoint.domain)
        gone.add(section)
        for option in ("repository", "username", "password"):
            file.remove(section, option)
    listed = file.words("distutils", "index-servers")
    kept = [name for name in listed if name not in gone]
    if gone and kept in ([], _TWINES_SERVERS):
        file.remove("distutils", "index-servers")
    elif kept != listed:
        file.set("distutils", "index-servers", kept)
    return Removal(file.text, domains)


def repositories_of_twine(path: str, text: str) -> dict[str, str]:
    """Return the URLs that a ``.pypirc`` has, by the names of its sections."""
    file = IniFile(path, text)
    return {section: file.get(section, "repository") for section in file.sections}


def _add_to_netrc(path: str, text: str, entries: Sequence[LoginEntry]) -> str:
    for entry in entries:
        host = entry.url.split("/")[2]
        line = f"machine {host} login {USERNAME} password {entry.token}"
        text = replace_entry(path, text, host, line)
    return text


def _remove_from_netrc(path: str, text: str, only_tokens: bool) -> Removal:
    del only_tokens  # every entry has one
    domains: set[Domain] = set()
    for machine in machines_in(path, text):
        if is_host(machine):
            text = replace_entry(path, text, machine)
            # The host of a VPC endpoint does not say which domain it is of.
            endpoint = parse_host(machine)
            domains |= {endpoint.domain} if endpoint else set()
    return Removal(text, domains)


TOOLS = {
    "pip": Tool(
        _add_to_pip, _remove_from_pip, is_single=True, overrides=("PIP_INDEX_URL", "PIP_NO_INDEX")
    ),
    "twine": Tool(_add_to_twine, _remove_from_twine, overrides=("TWINE_REPOSITORY_URL",)),
    "netrc": Tool(_add_to_netrc, _remove_from_netrc),
}
