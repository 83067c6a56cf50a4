"""The command lines of ``pipenv-ca login`` and ``logout``."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from datetime import datetime

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.auth.authorization_token import describe_age
from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.clients import keyring_offer, places
from codeartifact_pipenv.clients.login import TOOLS, Login, log_in, log_out, open_ledger
from codeartifact_pipenv.clients.logins import Entry
from codeartifact_pipenv.clients.targets import (
    DEFAULT_NAME,
    Chosen,
    add_domain_options,
    find_targets,
    tokens_of,
)
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.redact import MASK
from codeartifact_pipenv.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.clients.ledger import Ledger
    from codeartifact_pipenv.clients.targets import Target
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_KEYRING_TOOLS = ("pip", "twine")
# What stands under these names in .pypirc is not to be replaced.
_TWINES_OWN = {"distutils", "server-login", "pypi", "testpypi"}


class _Chosen(Chosen):
    """What the words say."""

    tool: str = ""
    urls: Sequence[str] = ()
    user: bool = False
    environment: str | None = None
    name: str | None = None
    keyring: bool = False
    dry_run: bool = False


def main_login(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Log a tool in: write a token, or the way to the keyring, into its configuration.

    Raises:
        UsageError: the words are not understood, or do not fit together.
        ConfigurationError: the tool's file cannot be read or written; it is what it was.
        CodeArtifactPipenvError: no token can be had.
    """
    chosen = _login_parser().parse_intermixed_args(list(arguments), _Chosen())
    path = _file(chosen)
    ledger = open_ledger(os.environ)
    targets = find_targets(chosen.urls, chosen, settings)
    provider = _provider(chosen)
    entries = _entries(chosen, targets, ledger, path, provider)
    tokens = {} if provider else tokens_of(targets, Resolver(settings, os.environ, report))
    ends = [token.expires_at for token in tokens.values() if token.expires_at is not None]
    login = Login(
        chosen.tool,
        path,
        entries,
        {t.endpoint.url: tokens[t.endpoint.domain].value for t in targets if tokens},
        min(ends).timestamp() if ends else None,
    )
    if chosen.dry_run:
        _say(f"{path} would get:", *(f"  {line}" for line in _description(login)))
        return 0
    log_in(login, ledger)
    _say(f"{path} has now:", *(f"  {line}" for line in _description(login)))
    _say(*_what_next(chosen, login, arguments))
    _warn_of_overrides(chosen, report)
    return 0


def _file(chosen: _Chosen) -> str:
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


def _provider(chosen: _Chosen) -> str:
    if not chosen.keyring:
        return ""
    if chosen.tool not in _KEYRING_TOOLS:
        raise UsageError(
            f"{chosen.tool} asks no keyring.",
            f"Leave --keyring out: `pipenv-ca login {chosen.tool}`.",
        )
    if chosen.tool == "twine":
        return "keyring"
    return keyring_offer.require_provider(os.environ, _environment(chosen))


def _environment(chosen: _Chosen) -> str | None:
    """Return the virtual environment whose pip is meant; None for all of this user's."""
    return None if chosen.user else chosen.environment or places.pip_environment(os.environ)


def _entries(
    chosen: _Chosen, targets: Sequence[Target], ledger: Ledger, path: str, provider: str
) -> list[Entry]:
    if chosen.tool == "netrc":
        hosts = {target.endpoint.host: target.endpoint.url for target in targets}
        return [Entry(host, url) for host, url in hosts.items()]
    if chosen.tool == "pip":
        return [Entry(target.name, target.endpoint.url, provider) for target in targets]
    if chosen.name and len(targets) > 1:
        raise UsageError("--name is for one repository, and there are several.", "Name its URL.")
    if chosen.name and not _is_name(chosen.name):
        raise UsageError(
            f"{chosen.name!r} cannot be the name of a repository in .pypirc.",
            "Take letters, digits, dots, hyphens and underscores.",
        )
    record = ledger.find(path)
    taken = {} if record is None else {entry.name: entry.url for entry in record.entries}
    entries = []
    for target in targets:
        # (A cloned project must not put lines of its own into the file by a source's name.)
        name = chosen.name or (target.name if _is_name(target.name) else DEFAULT_NAME)
        if not chosen.name and taken.get(name, target.endpoint.url) != target.endpoint.url:
            name = f"{DEFAULT_NAME}-{target.endpoint.repository}"
        taken[name] = target.endpoint.url
        entries.append(Entry(name, target.endpoint.url, provider))
    return entries


def _is_name(text: str) -> bool:
    return re.fullmatch("[A-Za-z0-9._-]+", text) is not None and text not in _TWINES_OWN


def _description(login: Login) -> list[str]:
    """Return what is written, in the file's own words, without secrets."""
    secret = "" if not login.tokens else f":{MASK}"
    lines = []
    for number, entry in enumerate(login.entries):
        url = f"https://aws{secret}@{entry.url.removeprefix('https://')}simple/"
        if login.tool == "netrc":
            lines.append(f"machine {entry.name} login aws password {MASK}")
        elif login.tool == "pip":
            lines.append(f"{'extra-' if number else ''}index-url = {url}")
        else:
            lines += [f"[{entry.name}]", f"repository = {entry.url}", "username = aws"]
            lines += [f"password = {MASK}"] if secret else []
    if login.tool == "pip" and login.entries[0].provider:
        lines.append(f"keyring-provider = {login.entries[0].provider}")
    return lines


def _what_next(chosen: _Chosen, login: Login, arguments: Sequence[str]) -> list[str]:
    lines = []
    if login.tool == "twine":
        lines += [f"Upload by: twine upload -r {entry.name} dist/*" for entry in login.entries]
    if not login.tokens:
        lines.append(f"No token is in it: {login.tool} asks the keyring, so this does not expire.")
    elif login.expires_at is None:
        lines.append("When its token ends is not known.")
    else:
        lines.append(f"Its token ends {_moment(login.expires_at)}; then log in again.")
    if login.tokens and _can_ask_keyring(chosen):
        instead = shlex.join(["pipenv-ca", "login", *arguments, "--keyring"])
        lines.append(f"{login.tool} can ask the keyring instead, and never expire: {instead}")
    lines.append(f"Undo: pipenv-ca logout {login.tool}")
    return lines


def _can_ask_keyring(chosen: _Chosen) -> bool:
    if chosen.tool == "twine":
        return keyring_offer.twine_has_backend()
    return chosen.tool == "pip" and bool(keyring_offer.provider(os.environ, _environment(chosen)))


def _moment(seconds: float) -> str:
    left = seconds - time.time() + 30  # to the nearest minute
    local = datetime.fromtimestamp(seconds).astimezone()
    return f"{local:%Y-%m-%d %H:%M %Z} (in {describe_age(left)})"


def _warn_of_overrides(chosen: _Chosen, report: Report) -> None:
    names = {"pip": ("PIP_INDEX_URL", "PIP_NO_INDEX"), "twine": ("TWINE_REPOSITORY_URL",)}
    for name in names.get(chosen.tool, ()):
        if os.environ.get(name):
            report.warning(f"{name} is set, and {chosen.tool} takes its word before the file's.")


def main_logout(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Take logins out again; every one where no tool is named.

    Raises:
        UsageError: the words are not understood.
        ConfigurationError: a file cannot be read or written; it is what it was.
    """
    del settings, report
    chosen = _logout_parser().parse_args(list(arguments), _Chosen())
    ledger = open_ledger(os.environ)
    records = [r for r in ledger.records() if not chosen.tool or r.tool == chosen.tool]
    if not records:
        which = f" of {chosen.tool}" if chosen.tool else ""
        _say(f"There is no login{which} to undo.")
    for record in records:
        if chosen.dry_run:
            _say(f"{record.path} would be as before the login.")
            continue
        changed = log_out(record, ledger)
        kept = "; what you have changed since stays" if changed else ""
        _say(f"{record.path} is as before the login{kept}.")
    return 0


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
    parser.add_argument(
        "urls", nargs="*", metavar="URL", help="of an index; else the Pipfile's CodeArtifact ones"
    )
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
    add_domain_options(parser)
    parser.add_argument("--repository", metavar="NAME", help="the repository's name")
    return parser


def _logout_parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca logout",
        description="Give back what was there before a login.",
        examples={
            "pipenv-ca logout twine": "one tool",
            "pipenv-ca logout": "all of them",
        },
    )
    parser.add_argument("tool", nargs="?", choices=TOOLS, help="one tool (default: all)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    return parser
