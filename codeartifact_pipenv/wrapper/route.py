"""Choose how pipenv reaches its packages. Pure: data in, data out.

Direct: pipenv sees the sources as they are written. Every pipenv looks for a package without
``index=`` in the first source only, and so for private dependencies that the Pipfile does not list.
Where a command resolves and CodeArtifact is not the only source, the proxy index therefore takes
the sources' place: an index on loopback that serves every package.
"""

from __future__ import annotations

from codeartifact_pipenv.wrapper.commands import LOCKED, PIP, RESOLVES
from codeartifact_pipenv.wrapper.executable import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.project.sources import Source

# As the setting `route` names them.
DIRECT, PROXY = "as-written", "loopback"


def shows_credentials(version: str | None) -> bool:
    """Whether a pipenv puts the credentials of a URL into pip's arguments (until 2026.6.0).

    GHSA-8xgg-v3jj-95m2. An unknown version counts as an old one.
    """
    return version_numbers(version or "") < (2026, 6)


def choose_route(
    kind: str,
    sources: Sequence[Source],
    version: str | None,
    *,
    builds: bool = False,
    copies: bool = True,
    risk: str | None = None,
) -> tuple[str, str]:
    """Choose the route of a command.

    Args:
        kind: how the command gets its packages: RESOLVES, LOCKED or PIP.
        sources: the sources of the Pipfile, in order.
        version: pipenv's; None if unknown.
        builds: whether the lock has packages that are built here, such as the project itself.
        copies: whether copies of Pipfile and lock can be made for the command.
        risk: what could redirect or expose a token, as a clause.

    Returns:
        The route, and why, as a clause for a note.
    """
    if not any(source.endpoint for source in sources):
        return DIRECT, "the Pipfile names no repository"
    if risk is not None:
        return PROXY, risk
    passwords = any(source.endpoint and source.has_password for source in sources)
    if passwords and kind != PIP and shows_credentials(version):
        return PROXY, "this pipenv would show the token in its arguments"
    if any(source.endpoint and source.username and not source.has_password for source in sources):
        return PROXY, "a username alone keeps pip from finding the token"
    is_one = len({s.endpoint.url if s.endpoint else s.url for s in sources}) == 1
    if is_one and (kind != RESOLVES or not copies):
        return DIRECT, "there is one source"
    if kind == LOCKED:
        # What it takes to build a package is looked for in one source, too.
        if copies and (builds or _is_lonely_first(sources)):
            return PROXY, "what a package needs to be built may be in another source"
        return DIRECT, "the command resolves nothing"
    several = "packages may come from several sources"
    return PROXY, "CodeArtifact offers no metadata of wheels" if is_one else several


def _is_lonely_first(sources: Sequence[Source]) -> bool:
    return sources[0].endpoint is not None and any(source.endpoint is None for source in sources)
