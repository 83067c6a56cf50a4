"""``pipenv-ca login`` and ``logout``: a token, or the way to the keyring, in a tool's configuration."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import time

from codeartifact_pipenv.auth.authorization_token import TokenCache, describe_duration
from codeartifact_pipenv.clients import keyring_offer, places
from codeartifact_pipenv.clients.edits import TOOLS, LoginEntry, repositories_of_twine
from codeartifact_pipenv.clients.login_files import LoginStore, read_config
from codeartifact_pipenv.clients.targets import (
    DEFAULT_NAME,
    add_repository_options,
    by_endpoint,
    find_sources,
    load_project_here,
    tokens_of,
)
from codeartifact_pipenv.errors import CodeArtifactPipenvError, ConfigurationError, UsageError
from codeartifact_pipenv.report import printable
from codeartifact_pipenv.terminal.arguments import Parser
from codeartifact_pipenv.terminal.redact import MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.clients.login_files import Logout
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

# Sections of .pypirc that a login must not replace.
_TWINES_OWN = {"distutils", "server-login", "pypi", "testpypi"}


def main_login(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Log a tool in.

    Raises:
        UsageError: the words are not understood, or do not fit together.
        ConfigurationError: the tool's file cannot be read or written; it is unchanged.
        CodeArtifactPipenvError: no token can be obtained.
    """
    chosen = _login_parser().parse_intermixed_args(list(arguments))
    path = _file(chosen)
    store = LoginStore(os.environ)
    named = find_sources(chosen, settings)
    sources = by_endpoint(named)
    provider = _provider(chosen) if chosen.keyring else ""
    names = _names(chosen, sources, path)
    tokens = {} if chosen.keyring else tokens_of(named, settings, report)
    entries = [
        LoginEntry(name, endpoint.url, tokens[endpoint.domain].value if tokens else None, provider)
        for name, endpoint in zip(names, sources, strict=True)
    ]
    if not chosen.dry_run:
        store.log_in(chosen.tool, path, entries)
    _say(
        f"{path} {'would contain' if chosen.dry_run else 'now contains'}:",
        *_description(chosen, entries),
    )
    if not chosen.dry_run:
        _say(*_what_next(chosen, entries, list(tokens.values()), arguments))
        for name in filter(os.environ.get, TOOLS[chosen.tool].overrides):
            report.warning(f"{name} is set and overrides the file.")
    return 0


def _file(chosen: argparse.Namespace) -> str:
    if chosen.tool != "pip" and (chosen.user or chosen.environment):
        raise UsageError(
            f"{chosen.tool} has one file a user: --user and --environment are for pip.",
            "Leave them out.",
        )
    if chosen.tool != "twine" and chosen.name:
        raise UsageError("--name is only for twine.", "Leave it out.")
    return places.config_path(chosen.tool, os.environ, _environment(chosen))


def _environment(chosen: argparse.Namespace) -> str | None:
    """Return the virtual environment of the chosen pip, or None for all pips of this user."""
    return None if chosen.user else chosen.environment or places.active_environment(os.environ)


def _provider(chosen: argparse.Namespace) -> str:
    """Return the keyring provider to write into pip's file; twine needs none."""
    if chosen.tool == "netrc":
        raise UsageError(
            "netrc does not ask a keyring.", "Leave --keyring out: `pipenv-ca login netrc`."
        )
    if chosen.tool == "twine":
        return ""
    environment = _environment(chosen)
    found = keyring_offer.provider(os.environ, environment)
    if found is None:
        where = f"the environment {environment}" if environment else "the PATH"
        raise ConfigurationError(
            f"A keyring with codeartifact-pipenv was not found in {where}.",
            "Install codeartifact-pipenv in pip's environment, or for all: uv tool install keyring "
            "--with codeartifact-pipenv; or pipx install keyring, pipx inject keyring "
            "codeartifact-pipenv.",
        )
    return found


def _names(
    chosen: argparse.Namespace, sources: Mapping[RepositoryEndpoint, Source], path: str
) -> list[str]:
    """Return the name of each repository for twine; other tools use its URL or host."""
    if chosen.tool != "twine":
        return [source.name for source in sources.values()]
    if chosen.name and len(sources) > 1:
        raise UsageError("--name is for one repository, and there are several.", "Name its URL.")
    if chosen.name and not _is_name(chosen.name):
        raise UsageError(
            f"{chosen.name!r} cannot be the name of a repository in .pypirc.",
            "Take letters, digits, dots, hyphens and underscores.",
        )
    taken = repositories_of_twine(path, read_config(path).text)
    names: list[str] = []
    for endpoint, source in sources.items():
        # A cloned project must not inject lines into the file through a source's name.
        name = chosen.name or (source.name if _is_name(source.name) else DEFAULT_NAME)
        url = endpoint.url
        if not chosen.name and (name in names or taken.get(name, url).rstrip("/") != url[:-1]):
            name = f"{DEFAULT_NAME}-{endpoint.repository}"
        names.append(name)
    return names


def _is_name(text: str) -> bool:
    return re.fullmatch("[A-Za-z0-9._-]+", text) is not None and text not in _TWINES_OWN


def _description(chosen: argparse.Namespace, entries: Sequence[LoginEntry]) -> list[str]:
    """Return what is written, in the file's own words, without secrets."""
    masked = [entry._replace(token=entry.token and MASK) for entry in entries]
    lines = TOOLS[chosen.tool].add("", "", masked).splitlines()
    if chosen.tool == "twine":  # without the list of servers, where the user's own stay
        lines = lines[lines.index(f"[{entries[0].name}]") :]
    return [f"  {line}" for line in lines if line.strip()]


def _what_next(
    chosen: argparse.Namespace,
    entries: Sequence[LoginEntry],
    tokens: Sequence[AuthorizationToken],
    arguments: Sequence[str],
) -> list[str]:
    tool = chosen.tool
    lines = [f"Upload with: twine upload -r {e.name} dist/*" for e in entries if tool == "twine"]
    if chosen.keyring:
        lines.append(f"It contains no token: {tool} asks keyring, so the login does not expire.")
    else:
        lines.append(_when_it_ends(tokens))
        if _can_ask_keyring(chosen):
            instead = shlex.join(["pipenv-ca", "login", *arguments, "--keyring"])
            lines.append(f"To avoid expiry, let {tool} ask keyring: {instead}")
    return [*lines, f"Undo: pipenv-ca logout {tool}"]


def _when_it_ends(tokens: Sequence[AuthorizationToken]) -> str:
    end = min((token.expires_at for token in tokens if token.expires_at), default=None)
    if end is None:
        return "It is not known when the token expires."
    left = describe_duration(end.timestamp() - time.time() + 30)  # to the nearest minute
    return (
        f"The token expires at {end.astimezone():%Y-%m-%d %H:%M %Z} (in {left}); then log in again."
    )


def _can_ask_keyring(chosen: argparse.Namespace) -> bool:
    if chosen.tool == "twine":
        return keyring_offer.twine_has_backend()
    return chosen.tool == "pip" and bool(keyring_offer.provider(os.environ, _environment(chosen)))


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))


def _login_parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca login",
        description="Write an index and its token into the configuration of a tool. The login "
        "ends when the token expires; `pipenv-ca logout` restores what was there.",
        examples={
            "pipenv-ca login twine": "to the project's repository",
            "pipenv-ca login pip --keyring": "without a token in a file",
            "pipenv-ca login netrc --dry-run": "see what would be written",
        },
    )
    parser.add_argument("tool", choices=TOOLS, help="the tool to log in")
    add_repository_options(parser)
    parser.add_argument(
        "--keyring", action="store_true", help="let pip or twine ask the keyring, without a token"
    )
    parser.add_argument("--name", help="twine's name for the repository (codeartifact)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--user", action="store_true", help="pip: for all of this user, not the active environment"
    )
    where.add_argument("--environment", metavar="DIR", help="pip: for this virtual environment")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written")
    return parser


def main_logout(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Remove logins from files, and the cached tokens of their domains.

    Without a tool it is about every file, and about the project's domains.

    Raises:
        UsageError: the words are not understood.
        ConfigurationError: a file cannot be read or written; it is unchanged.
    """
    del report
    chosen = _logout_parser().parse_args(list(arguments))
    store = LoginStore(os.environ)
    found = [
        store.log_out(tool, path, dry_run=chosen.dry_run)
        for path, tool in _files(store).items()
        if chosen.tool in {None, tool}
    ]
    logouts = [logout for logout in found if logout is not None]
    domains = {domain for logout in logouts for domain in logout.domains}
    if chosen.tool is None:
        with contextlib.suppress(CodeArtifactPipenvError):
            domains |= {each.domain for each in by_endpoint(load_project_here().sources())}
    gone, left = _forget_tokens(chosen, settings, domains)
    _say(*(_describe(logout, chosen) for logout in logouts))
    _say(*(f"{_removes(chosen)} the cached token of {name}." for name in gone))
    if not logouts and not gone:
        _say(f"No login{f' of {chosen.tool}' if chosen.tool else ''} was found.")
    if left:
        _say(f"Cached tokens remain for {', '.join(left)}; `pipenv-ca logout --all` removes them.")
    return 0


def _files(store: LoginStore) -> dict[str, str]:
    """Return the tool of each file that may have a login in it, by its path."""
    files = store.files()
    usual = [(tool, None) for tool in TOOLS]
    for tool, environment in [*usual, ("pip", places.active_environment(os.environ))]:
        with contextlib.suppress(CodeArtifactPipenvError):  # the tool reads no file
            files.setdefault(places.config_path(tool, os.environ, environment), tool)
    return files


def _describe(logout: Logout, chosen: argparse.Namespace) -> str:
    path = logout.after.path
    if logout.before is None:
        return f"{_removes(chosen)} the CodeArtifact tokens in {path}."
    kept = f"; its earlier content is in {logout.aside}" if logout.aside else ""
    if logout.is_restored:
        done = "Would restore" if chosen.dry_run else "Restored"
        return f"{done} {path} to its state before the login{kept}."
    return f"{_removes(chosen)} the login in {path}; your later changes stay{kept}."


def _removes(chosen: argparse.Namespace) -> str:
    return "Would remove" if chosen.dry_run else "Removed"


def _forget_tokens(
    chosen: argparse.Namespace, settings: Settings, domains: set[Domain]
) -> tuple[list[str], list[str]]:
    """Remove cached tokens; return the domains of those, and of those that remain."""
    cache = TokenCache(settings.state_directory())
    cached = cache.domains()
    # Cache entries of 1.0 do not name their domain, so they are removed with any.
    wanted = {*domains, None} if domains else set()
    gone = {key for key, domain in cached.items() if chosen.all or domain in wanted}
    for key in [] if chosen.dry_run else gone:
        cache.discard(key)
    names = {key: str(domain or "an unknown domain") for key, domain in cached.items()}
    return sorted({names[key] for key in gone}), sorted({names[k] for k in names if k not in gone})


def _logout_parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca logout",
        description="Remove logins from the files of pip, twine and netrc, and remove the cached "
        "tokens of their domains and of the project's.",
        examples={
            "pipenv-ca logout": "of everything",
            "pipenv-ca logout twine": "of one tool",
            "pipenv-ca logout --all": "and remove every cached token",
        },
    )
    parser.add_argument("tool", nargs="?", choices=TOOLS, help="one tool (default: all)")
    parser.add_argument("--all", action="store_true", help="remove all cached tokens")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    return parser
