"""By which way pipenv is brought to see every package. Pure: data in, data out.

pipenv, of all versions, looks for a package without ``index=`` in the first source only, and
so for private dependencies that the Pipfile does not list. Where a command resolves, and
CodeArtifact is not all that there is, the default source is therefore replaced for the time of
the command by an index on loopback in which everything is found (PIPENV_PYPI_MIRROR).
"""

from __future__ import annotations

from codeartifact_pipenv.wrapper.executable import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.project.sources import Source

AS_WRITTEN, LOOPBACK = "as-written", "loopback"

_RESOLVING = frozenset({"install", "lock", "uninstall", "update", "upgrade"})
_FROM_LOCK = ("--deploy", "--ignore-pipfile")


def shows_credentials(version: str | None) -> bool:
    """Whether a pipenv puts the credentials of a URL into pip's arguments (until 2026.6.0).

    GHSA-8xgg-v3jj-95m2. A version that is not known is taken for an old one.
    """
    return version_numbers(version or "") < (2026, 6)


def resolves(command: str | None, arguments: Sequence[str]) -> bool:
    """Whether a command looks for packages anew, instead of taking what the lock says."""
    return command in _RESOLVING and not any(word in _FROM_LOCK for word in arguments)


def choose_route(
    command: str | None,
    arguments: Sequence[str],
    sources: Sequence[Source],
    *,
    pip: bool,
    version: str | None,
    builds: bool,
    copies: bool = True,
    exposed: str | None = None,
) -> tuple[str, str]:
    """Choose the route of a command.

    Args:
        command: pipenv's command.
        arguments: what follows it.
        sources: the sources of the Pipfile, in order.
        pip: whether the command is a pip that asks an index.
        version: pipenv's; None for unknown.
        builds: whether the lock holds what has to be built here, such as the project itself.
        copies: whether copies of Pipfile and lock can be made for the command.
        exposed: what has a say in where or how pip sends a token, as a clause; None for nothing.

    Returns:
        The route, and why, as a clause for a note.
    """
    if not any(source.endpoint for source in sources):
        return AS_WRITTEN, "the Pipfile names no repository"
    if exposed is not None:
        return LOOPBACK, exposed
    passwords = any(source.endpoint and source.has_password for source in sources)
    if passwords and not pip and shows_credentials(version):
        return LOOPBACK, "this pipenv would show the token in its arguments"
    if any(source.endpoint and source.username and not source.has_password for source in sources):
        return LOOPBACK, "a username alone keeps pip from finding the token"
    is_one = len({s.endpoint.url if s.endpoint else s.url for s in sources}) == 1
    if is_one and (pip or not copies or not resolves(command, arguments)):
        return AS_WRITTEN, "there is one source"
    if not pip and not resolves(command, arguments):
        # What it takes to build a package is looked for in one source, too.
        if copies and (builds or _is_lonely_first(sources)):
            return LOOPBACK, "what a package needs to be built may be in another source"
        return AS_WRITTEN, "the command resolves nothing"
    several = "packages may come from several sources"
    return LOOPBACK, "CodeArtifact offers no metadata of wheels" if is_one else several


def _is_lonely_first(sources: Sequence[Source]) -> bool:
    return sources[0].endpoint is not None and any(source.endpoint is None for source in sources)
