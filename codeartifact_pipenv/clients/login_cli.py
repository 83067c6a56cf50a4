"""The command lines of ``pipenv-ca login`` and ``logout``."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import time
from datetime import datetime

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.auth.authorization_token import describe_age
from codeartifact_pipenv.auth.cache import TokenCache
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.clients import keyring_offer, places, tool_file
from codeartifact_pipenv.clients.edits import TOOLS, Entry, repositories_of_twine
from codeartifact_pipenv.clients.login_files import find_logout, log_in, log_out
from codeartifact_pipenv.clients.saved_copy import SavedCopies
from codeartifact_pipenv.clients.targets import (
    DEFAULT_NAME,
    Chosen,
    add_repository_options,
    find_targets,
    tokens_of,
)
from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError
from codeartifact_pipenv.redact import MASK
from codeartifact_pipenv.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from codeartifact_pipenv.clients.login_files import Logout
    from codeartifact_pipenv.clients.targets import Target
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_KEYRING_TOOLS = ("pip", "twine")
# Sections of .pypirc that a login must not replace.
_TWINES_OWN = {"distutils", "server-login", "pypi", "testpypi"}


class _LoginOptions(Chosen):
    tool: str = ""
    urls: Sequence[str] = ()
    user: bool = False
    environment: str | None = None
    name: str | None = None
    keyring: bool = False
    dry_run: bool = False


class _LogoutOptions(Chosen):
    tool: str | None = None
    all: bool = False
    dry_run: bool = False


def main_login(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Log a tool in: write a token, or the way to the keyring, into its configuration.

    Raises:
        UsageError: the words are not understood, or do not fit together.
        ConfigurationError: the tool's file cannot be read or written; it is unchanged.
        CodeArtifactPipenvError: no token can be obtained.
    """
    chosen = _login_parser().parse_intermixed_args(list(arguments), _LoginOptions())
    path = _file(chosen)
    copies = SavedCopies(os.environ)
    targets = find_targets(chosen.urls, chosen, settings)
    provider = _provider(chosen)
    names = _names(chosen, targets, path)
    tokens = {} if provider else tokens_of(targets, Resolver(settings, os.environ, report))
    entries = [
        Entry(
            name,
            target.endpoint.url,
            tokens[target.endpoint.domain].value if tokens else None,
            provider if chosen.tool == "pip" else "",
        )
        for name, target in names.items()
    ]
    description = [f"  {line}" for line in _description(chosen.tool, entries)]
    if chosen.dry_run:
        _say(f"{path} would get:", *description)
        return 0
    log_in(chosen.tool, path, entries, copies)
    ends = [token.expires_at for token in tokens.values() if token.expires_at is not None]
    _say(f"{path} has now:", *description)
    _say(*_what_next(chosen, entries, min(ends, default=None), arguments))
    _warn_of_overrides(chosen, report)
    return 0


def _file(chosen: _LoginOptions) -> str:
    if chosen.tool != "pip" and (chosen.user or chosen.environment):
        raise UsageError(
            f"{chosen.tool} has one file a user: --user and --environment are for pip.",
            "Leave them out.",
        )
    if chosen.tool != "twine" and chosen.name:
        raise UsageError("--name is what twine calls the repository.", "Leave it out.")
    if chosen.tool == "twine":
        return places.twine_file()
    if chosen.tool == "netrc":
        return places.netrc_file(os.environ)
    return places.pip_file(os.environ, _environment(chosen))


def _provider(chosen: _LoginOptions) -> str:
    if not chosen.keyring:
        return ""
    if chosen.tool not in _KEYRING_TOOLS:
        raise UsageError(
            f"{chosen.tool} does not ask a keyring.",
            f"Leave --keyring out: `pipenv-ca login {chosen.tool}`.",
        )
    if chosen.tool == "twine":
        return "keyring"
    return keyring_offer.require_provider(os.environ, _environment(chosen))


def _environment(chosen: _LoginOptions) -> str | None:
    """Return the virtual environment whose pip is meant; None for all of this user's."""
    return None if chosen.user else chosen.environment or places.pip_environment(os.environ)


def _names(chosen: _LoginOptions, targets: Sequence[Target], path: str) -> dict[str, Target]:
    """Return what the tool is to call each repository."""
    if chosen.tool == "netrc":
        return {target.endpoint.host: target for target in targets}
    if chosen.tool == "pip":
        return {target.endpoint.url: target for target in targets}
    if chosen.name and len(targets) > 1:
        raise UsageError("--name is for one repository, and there are several.", "Name its URL.")
    if chosen.name and not _is_name(chosen.name):
        raise UsageError(
            f"{chosen.name!r} cannot be the name of a repository in .pypirc.",
            "Take letters, digits, dots, hyphens and underscores.",
        )
    taken = repositories_of_twine(path, tool_file.decode(path, tool_file.read(path).data).text)
    names = {}
    for target in targets:
        # (A cloned project must not add lines of its own to the file by a source's name.)
        name = chosen.name or (target.name if _is_name(target.name) else DEFAULT_NAME)
        url = target.endpoint.url
        if not chosen.name and (name in names or taken.get(name, url).rstrip("/") != url[:-1]):
            name = f"{DEFAULT_NAME}-{target.endpoint.repository}"
        names[name] = target
    return names


def _is_name(text: str) -> bool:
    return re.fullmatch("[A-Za-z0-9._-]+", text) is not None and text not in _TWINES_OWN


def _description(tool: str, entries: Sequence[Entry]) -> list[str]:
    """Return what is written, in the file's own words, without secrets."""
    lines = []
    for number, entry in enumerate(entries):
        if tool == "netrc":
            lines.append(f"machine {entry.name} login aws password {MASK}")
        elif tool == "pip":
            login = f"aws:{MASK}" if entry.token else "aws"
            url = f"https://{login}@{entry.url.removeprefix('https://')}simple/"
            lines.append(f"{'extra-' if number else ''}index-url = {url}")
        else:
            lines += [f"[{entry.name}]", f"repository = {entry.url}", "username = aws"]
            lines += [f"password = {MASK}"] if entry.token else []
    if entries[0].provider:
        lines.append(f"keyring-provider = {entries[0].provider}")
    return lines


def _what_next(
    chosen: _LoginOptions,
    entries: Sequence[Entry],
    end: datetime | None,
    arguments: Sequence[str],
) -> list[str]:
    tool = chosen.tool
    lines = []
    if tool == "twine":
        lines += [f"Upload by: twine upload -r {entry.name} dist/*" for entry in entries]
    if not entries[0].token:
        lines.append(f"No token is in it: {tool} asks the keyring, so this does not expire.")
    elif end is None:
        lines.append("When its token ends is not known.")
    else:
        lines.append(f"Its token ends {_moment(end.timestamp())}; then log in again.")
    if entries[0].token and _can_ask_keyring(chosen):
        instead = shlex.join(["pipenv-ca", "login", *arguments, "--keyring"])
        lines.append(f"{tool} can ask the keyring instead, and never expire: {instead}")
    lines.append(f"Undo: pipenv-ca logout {tool}")
    return lines


def _can_ask_keyring(chosen: _LoginOptions) -> bool:
    if chosen.tool == "twine":
        return keyring_offer.twine_has_backend()
    return chosen.tool == "pip" and bool(keyring_offer.provider(os.environ, _environment(chosen)))


def _moment(seconds: float) -> str:
    left = seconds - time.time() + 30  # to the nearest minute
    local = datetime.fromtimestamp(seconds).astimezone()
    return f"{local:%Y-%m-%d %H:%M %Z} (in {describe_age(left)})"


def _warn_of_overrides(chosen: _LoginOptions, report: Report) -> None:
    names = {"pip": ("PIP_INDEX_URL", "PIP_NO_INDEX"), "twine": ("TWINE_REPOSITORY_URL",)}
    for name in names.get(chosen.tool, ()):
        if os.environ.get(name):
            report.warning(f"{name} is set, and {chosen.tool} takes its word before the file's.")


def main_logout(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Take logins out of files, and forget the cached tokens of their domains.

    Without a tool it is about every file, and about the project's domains.

    Raises:
        UsageError: the words are not understood.
        ConfigurationError: a file cannot be read or written; it is unchanged.
    """
    del report
    chosen = _logout_parser().parse_args(list(arguments), _LogoutOptions())
    copies = SavedCopies(os.environ)
    act = find_logout if chosen.dry_run else log_out
    found = [act(tool, path, copies) for tool, path in _files(chosen, copies)]
    plans = [plan for plan in found if plan is not None]
    for plan in plans:
        _say(_told(plan, chosen))
    domains = {domain for plan in plans for domain in plan.domains}
    if chosen.tool is None:
        domains |= _domains_of_project()
    _forget_tokens(chosen, settings, domains, any_files=bool(plans))
    return 0


def _files(chosen: _LogoutOptions, copies: SavedCopies) -> list[tuple[str, str]]:
    """Return the files that may have a login in them, each with its tool."""
    files = {copy.path: copy.tool for copy in copies.all()}
    environ = os.environ
    usual: list[tuple[str, Callable[[], str]]] = [
        ("pip", lambda: places.pip_file(environ, None)),
        ("pip", lambda: places.pip_file(environ, places.pip_environment(environ))),
        ("twine", places.twine_file),
        ("netrc", lambda: places.netrc_file(environ)),
    ]
    for tool, find in usual:
        with contextlib.suppress(CodeArtifactPipenvError):  # the tool reads no file
            files.setdefault(find(), tool)
    return [(tool, path) for path, tool in files.items() if chosen.tool in {None, tool}]


def _told(plan: Logout, chosen: _LogoutOptions) -> str:
    if plan.copy is None:
        verb = "would lose" if chosen.dry_run else "has lost"
        return f"{plan.path} {verb} its CodeArtifact tokens."
    verb = "would be" if chosen.dry_run else "is"
    told = f"{plan.path} {verb} as before the login"
    if plan.is_restored:
        return f"{told}."
    kept = f"; what it said before is in {plan.aside}" if plan.aside else ""
    return f"{told}; what you have changed since stays{kept}."


def _domains_of_project() -> set[Domain]:
    from codeartifact_pipenv.project.pipfile import load_project, working_directory

    try:
        sources = load_project(os.environ, working_directory(), lambda: None).sources()
    except CodeArtifactPipenvError:
        return set()
    return {source.endpoint.domain for source in sources if source.endpoint is not None}


def _forget_tokens(
    chosen: _LogoutOptions, settings: Settings, domains: set[Domain], *, any_files: bool
) -> None:
    cache = TokenCache(settings.state_directory())
    kept = cache.domains()
    # What 1.0 cached does not say of which domain it is; it goes with any.
    wanted = {*domains, *([None] if domains else [])}
    gone = [key for key, domain in kept.items() if chosen.all or domain in wanted]
    verb = "would be" if chosen.dry_run else "is"
    for name in _names_of(kept[key] for key in gone):
        _say(f"The cached token of {name} {verb} removed.")
    if not chosen.dry_run:
        for key in gone:
            cache.discard(key)
    if not any_files and not gone:
        _say(f"No login{f' of {chosen.tool}' if chosen.tool else ''} was found.")
    left = _names_of(domain for key, domain in kept.items() if key not in gone)
    if left:
        _say(f"Cached tokens remain for {', '.join(left)}; `pipenv-ca logout --all` removes them.")


def _names_of(domains: Iterable[Domain | None]) -> list[str]:
    return sorted({str(domain or "a domain that is not known") for domain in domains})


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))


def _login_parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca login",
        description="Write an index and its token into the configuration of a tool, for as long "
        "as the token lives; `pipenv-ca logout` gives back what was there.",
        examples={
            "pipenv-ca login twine": "to the project's repository",
            "pipenv-ca login pip --keyring": "without a token in a file",
            "pipenv-ca login netrc --dry-run": "see what would be written",
        },
    )
    parser.add_argument("tool", choices=TOOLS, help="whose configuration")
    add_repository_options(parser)
    parser.add_argument(
        "--keyring", action="store_true", help="let pip or twine ask the keyring, without a token"
    )
    parser.add_argument("--name", help="what twine calls the repository (codeartifact)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--user", action="store_true", help="pip: for all of this user, not the active environment"
    )
    where.add_argument("--environment", metavar="DIR", help="pip: for this virtual environment")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written")
    return parser


def _logout_parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca logout",
        description="Take logins out of the files of pip, twine and netrc, and forget the cached "
        "tokens of their domains and of the project's.",
        examples={
            "pipenv-ca logout": "of everything",
            "pipenv-ca logout twine": "of one tool",
            "pipenv-ca logout --all": "and forget every cached token",
        },
    )
    parser.add_argument("tool", nargs="?", choices=TOOLS, help="one tool (default: all)")
    parser.add_argument("--all", action="store_true", help="forget all cached tokens")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    return parser
