"""``pipenv-ca logout``: takes logins out of tools' files, and removes cached tokens."""

from __future__ import annotations

import contextlib
import os
import sys

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.auth.cache import TokenCache
from codeartifact_pipenv.clients import places
from codeartifact_pipenv.clients.edits import TOOLS
from codeartifact_pipenv.clients.login_files import LoginStore
from codeartifact_pipenv.clients.targets import load_project_here
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from codeartifact_pipenv.clients.login_files import Logout
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main_logout(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Take logins out of files, and remove the cached tokens of their domains.

    Without a tool it is about every file, and about the project's domains.

    Raises:
        UsageError: the words are not understood.
        ConfigurationError: a file cannot be read or written; it is unchanged.
    """
    del report
    chosen = _parser().parse_args(list(arguments))
    store = LoginStore(os.environ)
    found = [
        store.log_out(tool, path, dry_run=chosen.dry_run)
        for path, tool in _files(store).items()
        if chosen.tool in {None, tool}
    ]
    logouts = [logout for logout in found if logout is not None]
    domains = {domain for logout in logouts for domain in logout.domains}
    if chosen.tool is None:
        domains |= _domains_of_project()
    gone, left = _forget_tokens(chosen, settings, domains)
    for logout in logouts:
        _say(_describe(logout, chosen))
    for name in gone:
        _say(f"The cached token of {name} {'would be' if chosen.dry_run else 'is'} removed.")
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
        return f"{path} {'would lose' if chosen.dry_run else 'has lost'} its CodeArtifact tokens."
    said = f"{path} {'would be' if chosen.dry_run else 'is'} as before the login"
    if logout.is_restored:
        return f"{said}."
    kept = f"; what it said before is in {logout.aside}" if logout.aside else ""
    return f"{said}; what you have changed since stays{kept}."


def _domains_of_project() -> set[Domain]:
    with contextlib.suppress(CodeArtifactPipenvError):
        sources = load_project_here().sources()
        return {source.endpoint.domain for source in sources if source.endpoint is not None}
    return set()


def _forget_tokens(
    chosen: argparse.Namespace, settings: Settings, domains: set[Domain]
) -> tuple[list[str], list[str]]:
    """Remove cached tokens; return the domains of those, and of those that remain."""
    cache = TokenCache(settings.state_directory())
    cached = cache.domains()
    # What 1.0 cached does not say of which domain it is; it goes with any.
    wanted = {*domains, None} if domains else set()
    gone = {key for key, domain in cached.items() if chosen.all or domain in wanted}
    for key in [] if chosen.dry_run else gone:
        cache.discard(key)
    names = {key: str(domain or "a domain that is not known") for key, domain in cached.items()}
    return sorted({names[key] for key in gone}), sorted({names[k] for k in names if k not in gone})


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca logout",
        description="Take logins out of the files of pip, twine and netrc, and remove the cached "
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
