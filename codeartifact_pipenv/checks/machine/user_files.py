"""Logins that are left in the user's own files and variables, and files that clients cannot read.

``aws codeartifact login`` leaves a token in clear in pip.conf, ~/.netrc or ~/.pypirc. When it has
expired, pip fails with 401 there, in every project.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from codeartifact_pipenv import pip_files, pip_settings
from codeartifact_pipenv.auth.authorization_token import AuthorizationToken, describe_age
from codeartifact_pipenv.clients import places
from codeartifact_pipenv.clients.netrc_text import unreadable_line
from codeartifact_pipenv.endpoint import is_host, parse_url
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.findings import FAILURE, WARNING, Finding, Place
from codeartifact_pipenv.pip_settings import normalise_key
from codeartifact_pipenv.wrapper.netrc_file import UsersNetrc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAXIMUM_BYTES = 1024 * 1024
_OF_URLS = (pip_settings.INDEX, pip_settings.EXTRA_INDEX, pip_settings.FIND_LINKS)


class _Text(NamedTuple):
    """A file of the user's that was read."""

    path: str
    text: str

    def finding(self, code: str, level: str, sentence: str, hint: str, line: int) -> Finding:
        return Finding(code, level, self.path, sentence, hint, Place(self.path, line))

    def line_of(self, part: str) -> int:
        return self.text.count("\n", 0, max(0, self.text.find(part))) + 1


def user_findings(environ: Mapping[str, str]) -> list[Finding]:
    """Return what in the user's files and variables fails commands, or gives a token away.

    Args:
        environ: the environment, which also says where the files are.
    """
    return [*_variables(environ), *_pip_files(environ), *_netrc(environ), *_pypirc(environ)]


def _variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    for named in pip_settings.in_environment(environ):
        for url in named.value.split() if named.kind in _OF_URLS else ():
            token = _token_in(url)
            if token is not None:
                said, level = _about(f"{named.name} in the environment", token)
                yield Finding("login-left", level, named.name, said, f"Unset {named.name}.")


def _pip_files(environ: Mapping[str, str]) -> Iterator[Finding]:
    for path in dict.fromkeys([*pip_files.all_files(environ), *_of_environment(environ)]):
        file = _read(path)
        if file is not None:
            yield from _pip_file(file, _tool_of(path, environ))


def _of_environment(environ: Mapping[str, str]) -> list[str]:
    """Return the file of the active virtual environment, whose pip is another one than ours."""
    active = places.active_environment(environ)
    is_off = pip_files.named_file(environ) == os.devnull
    return [os.path.join(active, pip_files.NAME)] if active and not is_off else []


def _pip_file(file: _Text, tool: str | None) -> Iterator[Finding]:
    import configparser  # it takes long to import

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.text)
    except configparser.Error as error:
        said = f"pip cannot read {file.path}, and stops at it in every command."
        hint = "Correct it: [section] headers, and key = value below them, each once."
        yield file.finding("pip-config-invalid", FAILURE, said, hint, _line_of_error(error))
        return
    for section in parser.sections():
        for key, value in parser.items(section):
            setting = pip_settings.setting_of_key(normalise_key(key))
            if setting is None or setting.kind not in _OF_URLS:
                continue
            for url in value.split():
                token = _token_in(url)
                if token is None:
                    continue
                said, level = _about(f"{key} in {file.path}", token)
                removes = tool == "pip" and section == "global" and setting.kind in _OF_URLS[:2]
                hint = f"Remove {key} from [{section}] there, or run `pip config unset {section}.{key}`."
                hint = "Run `pipenv-ca logout pip`." if removes else hint
                yield file.finding("login-left", level, said, hint, file.line_of(url))


def _line_of_error(error: Exception) -> int:
    errors = getattr(error, "errors", None)
    line = errors[0][0] if errors else getattr(error, "lineno", 1)
    return line if isinstance(line, int) else 1


def _netrc(environ: Mapping[str, str]) -> Iterator[Finding]:
    path = None
    with contextlib.suppress(CodeArtifactPipenvError):  # there is no home
        path = places.config_path("netrc", environ)
    file = _read(path) if path else None
    if file is None or not path:
        return
    line = unreadable_line(file.text)
    if line is not None:
        said = f"Line {line} of {path} cannot be read, so clients get no login of that file."
        hint = "Correct that line: machine HOST login USER password SECRET."
        yield file.finding("netrc-unreadable", FAILURE, said, hint, line)
        return
    passwords = UsersNetrc(path, file.text).passwords()
    entries = [(number, password) for number, host, password in passwords if is_host(host)]
    for number, token in entries:
        said, level = _about(f"An entry in {path}", token)
        yield file.finding("login-left", level, said, "Run `pipenv-ca logout netrc`.", number)
    if entries and sys.platform != "win32" and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        said = f"{path} holds a login to CodeArtifact, and others on this machine can read it."
        yield file.finding("file-readable", WARNING, said, f"Run `chmod 600 {path}`.", 1)


def _pypirc(environ: Mapping[str, str]) -> Iterator[Finding]:
    import configparser

    path = ""
    with contextlib.suppress(CodeArtifactPipenvError):
        path = pip_files.home(".pypirc", environ=environ)
    file = _read(path) if path else None
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(file.text if file else "")
    except configparser.Error:
        return  # twine says so, and pipenv does not read it
    for section in parser.sections():
        url = parser.get(section, "repository", fallback="")
        password = parser.get(section, "password", fallback="")
        if file is not None and password and parse_url(url) is not None:
            said, _ = _about(f"[{section}] in {path}", password, "twine")
            hint = "Run `pipenv-ca logout twine`; `pipenv-ca login twine` needs no token in a file."
            yield file.finding("login-left", WARNING, said, hint, file.line_of(f"[{section}]"))


def _read(path: str) -> _Text | None:
    try:
        return _Text(path, read_text(path, _MAXIMUM_BYTES))
    except (OSError, ValueError):
        return None


def _token_in(url: str) -> str | None:
    """Return the token in the URL of a repository; None where there is none."""
    if parse_url(url) is None:
        return None
    password = urlsplit(url).password
    return unquote(password) if password else None


def _about(where: str, password: str, client: str = "pip") -> tuple[str, str]:
    """Return sentence and level on a token that is left somewhere."""
    what = f"{where} holds a CodeArtifact token"
    expires_at = None
    with contextlib.suppress(ValueError):  # it cannot be a token
        expires_at = AuthorizationToken.from_text(password, source=where).expires_at
    if expires_at is None or expires_at.timestamp() > time.time():
        return f"{what} in clear; {client} fails with 401 there once it has expired.", WARNING
    age = describe_age(time.time() - expires_at.timestamp())
    return f"{what} that expired {age} ago: {client} fails with 401 there.", FAILURE


def _tool_of(path: str, environ: Mapping[str, str]) -> str | None:
    """Return ``pip`` where ``pipenv-ca logout pip`` looks into a file; else None."""
    for environment in (None, places.active_environment(environ)):
        with contextlib.suppress(CodeArtifactPipenvError):
            if path == places.config_path("pip", environ, environment):
                return "pip"
    return None
