"""Checks of variables and user files that change how programs reach an index.

``aws codeartifact login`` writes a token in clear to pip.conf, ~/.netrc or ~/.pypirc. When it has
expired, pip fails with 401 in every project.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from urllib.parse import unquote, urlsplit

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.auth.token_shape import describe_non_token
from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.files.dotenv import expired_ago
from codeartifact_pipenv.checks.files.project_file import TextFile
from codeartifact_pipenv.checks.network.aws import describe_validity
from codeartifact_pipenv.clients import places
from codeartifact_pipenv.clients.netrc_text import unreadable_line
from codeartifact_pipenv.endpoint import is_host, parse_url
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.files import pip_config
from codeartifact_pipenv.files.io import read_text
from codeartifact_pipenv.files.pip_config import UsersNetrc, normalise_key
from codeartifact_pipenv.findings import FAILURE, WARNING, Place, ok
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeartifact_pipenv.checks.facts import Facts
    from codeartifact_pipenv.findings import Finding

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT", "AWS_CA_BUNDLE")
_INDEXES = ("PIPENV_PYPI_MIRROR", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "NETRC", "PIP_NO_INDEX")
_MAXIMUM_BYTES = 1024 * 1024
_URL_SETTINGS = (pip_config.INDEX, pip_config.EXTRA_INDEX, pip_config.FIND_LINKS)


def check_environment(facts: Facts) -> Iterator[Finding]:
    """Check variables for proxies, certificates, indexes and tokens; mask secrets."""
    dotenv = facts.local.project.dotenv if facts.local.project else None
    if dotenv is not None:
        names = ", ".join(sorted(dotenv.values)) or "nothing"
        yield ok(".env", f"{dotenv.path} sets {names}")
    yield from _tokens(facts)
    for name in _PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if value:
            yield ok(name, value if name == "NO_PROXY" else _without_login(value))
    for name in _BUNDLES:
        path = os.environ.get(name)
        if path and not os.path.exists(path):
            sentence = f"{name} names {path}, which does not exist."
            yield finding_for("ca-bundle-missing", name, sentence)
        elif path:
            yield ok(name, path)
    for name in _INDEXES:
        if os.environ.get(name):
            yield ok(name, " ".join(map(_without_login, os.environ[name].split())))


def _without_login(value: str) -> str:
    """Remove the userinfo of a proxy or URL, even without a scheme or with slashes in it."""
    scheme, separator, _ = value.partition("://")
    head = f"{scheme}{separator}" if separator and scheme.isalnum() else ""
    return f"{head}{value.removeprefix(head).rpartition('@')[2]}"


def _tokens(facts: Facts) -> Iterator[Finding]:
    variables = {s.variable for s in facts.local.sources if s.endpoint and s.variable}
    for name in sorted({*variables, TOKEN_VARIABLE}):
        value = os.environ.get(name, "").strip()
        if not value or describe_non_token(value, os.environ):  # the resolver reports it
            continue
        token = AuthorizationToken.from_text(value, source=name)
        ago = expired_ago(token)
        sentence = (
            f"The token in {name} expired {ago} ago; pipenv-ca gets a new one, plain pipenv fails."
        )
        expired = finding_for("token-expired", name, sentence, f"Unset {name}.")
        yield expired if ago else ok(name, f"holds a token, {describe_validity(token)}")


def check_user_files(facts: Facts) -> Iterator[Finding]:
    """Check the user's pip.conf, netrc and .pypirc."""
    for finding in user_findings(facts.local.environ):
        yield finding.with_place_in_sentence()


def user_findings(environ: Mapping[str, str]) -> list[Finding]:
    """Return findings for user files and variables that break commands or expose a token."""
    return [*_variables(environ), *_pip_files(environ), *_netrc(environ), *_pypirc(environ)]


def _variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    for named in pip_config.in_environment(environ):
        for url in named.value.split() if named.kind in _URL_SETTINGS else ():
            token = _token_in(url)
            if token is not None:
                where = f"{named.name} in the environment"
                yield _leftover_token(named.name, where, token, f"Unset {named.name}.")


def _pip_files(environ: Mapping[str, str]) -> Iterator[Finding]:
    paths = pip_config.all_files(environ)
    active = places.active_environment(environ)
    # The active virtual environment has its own pip.
    if active and pip_config.named_file(environ) != os.devnull:
        paths = [*paths, os.path.join(active, pip_config.NAME)]
    for path in dict.fromkeys(paths):
        file = _text_file(path)
        if file is not None:
            yield from _pip_file(file, environ)


def _pip_file(file: TextFile, environ: Mapping[str, str]) -> Iterator[Finding]:
    import configparser  # slow to import

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.text)
    except configparser.Error as error:
        sentence = f"pip cannot read {file.path}, so every pip command fails."
        yield file.on_line(_line_of_error(error), "pip-config-invalid", sentence)
        return
    values = [(name, *item) for name in parser.sections() for item in parser.items(name)]
    for section, key, value in values:
        setting = pip_config.setting_of_key(normalise_key(key))
        if setting is None or setting.kind not in _URL_SETTINGS:
            continue
        removes = section == "global" and setting.kind in _URL_SETTINGS[:2]
        hint = f"Remove {key} from [{section}] there, or run `pip config unset {section}.{key}`."
        hint = "Run `pipenv-ca logout pip`." if removes and _logout_edits(file, environ) else hint
        for url in value.split():
            token = _token_in(url)
            if token is not None:
                where = f"{key} in {file.path}"
                yield _leftover_token(file.path, where, token, hint, _place(file, url))


def _line_of_error(error: Exception) -> int:
    errors = getattr(error, "errors", None)
    line = errors[0][0] if errors else getattr(error, "lineno", 1)
    return line if isinstance(line, int) else 1


def _netrc(environ: Mapping[str, str]) -> Iterator[Finding]:
    file = None
    with contextlib.suppress(CodeArtifactPipenvError):  # no home directory
        file = _text_file(places.config_path("netrc", environ))
    if file is None:
        return
    path, line = file.path, unreadable_line(file.text)
    if line is not None:
        sentence = f"Line {line} of {path} is invalid, so clients ignore all logins in that file."
        yield file.on_line(line, "netrc-unreadable", sentence)
        return
    passwords = UsersNetrc(path, file.text).passwords()
    entries = [(number, password) for number, host, password in passwords if is_host(host)]
    for number, token in entries:
        place = Place(file.shown, number)
        yield _leftover_token(
            path, f"An entry in {path}", token, "Run `pipenv-ca logout netrc`.", place
        )
    if entries and sys.platform != "win32" and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        sentence = (
            f"{path} holds a CodeArtifact token, and other users of this machine can read it."
        )
        yield file.on_line(1, "file-readable", sentence, f"Run `chmod 600 {path}`.")


def _pypirc(environ: Mapping[str, str]) -> Iterator[Finding]:
    import configparser

    file, parser = None, configparser.RawConfigParser(strict=False)
    # twine reports an invalid file; pipenv does not read it.
    with contextlib.suppress(CodeArtifactPipenvError, configparser.Error):
        file = _text_file(pip_config.home(".pypirc", environ=environ))
        parser.read_string(file.text if file else "")
        for section in parser.sections():
            url = parser.get(section, "repository", fallback="")
            password = parser.get(section, "password", fallback="")
            if file is not None and password and parse_url(url) is not None:
                where, place = f"[{section}] in {file.path}", _place(file, f"[{section}]")
                hint = "Run `pipenv-ca logout twine`; `pipenv-ca login twine` needs no token in a file."
                found = _leftover_token(file.path, where, password, hint, place, client="twine")
                yield found._replace(level=WARNING)


def _text_file(path: str) -> TextFile | None:
    try:
        return TextFile(path, read_text(path, _MAXIMUM_BYTES), name=path)
    except (OSError, ValueError):
        return None


def _token_in(url: str) -> str | None:
    """Return the token in the URL of a repository, if it has one."""
    if parse_url(url) is None:
        return None
    password = urlsplit(url).password
    return unquote(password) if password else None


def _place(file: TextFile, part: str) -> Place:
    return Place(file.shown, file.text.count("\n", 0, max(0, file.text.find(part))) + 1)


def _leftover_token(
    subject: str,
    where: str,
    password: str,
    hint: str,
    place: Place | None = None,
    *,
    client: str = "pip",
) -> Finding:
    """Return the finding for a token that was left in a file or variable."""
    sentence = f"{where} holds a CodeArtifact token"
    ago = None
    with contextlib.suppress(ValueError):  # not a token
        ago = expired_ago(AuthorizationToken.from_text(password, source=where))
    if ago is None:
        sentence = f"{sentence} in clear; {client} fails with 401 when it has expired."
        return finding_for("login-left", subject, sentence, hint, place)
    sentence = f"{sentence} that expired {ago} ago: {client} fails with 401."
    return finding_for("login-left", subject, sentence, hint, place)._replace(level=FAILURE)


def _logout_edits(file: TextFile, environ: Mapping[str, str]) -> bool:
    """Whether ``pipenv-ca logout pip`` edits a file."""
    for environment in (None, places.active_environment(environ)):
        with contextlib.suppress(CodeArtifactPipenvError):
            if file.path == places.config_path("pip", environ, environment):
                return True
    return False
