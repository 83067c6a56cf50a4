"""Choose how pipenv reaches its packages. Pure: data in, data out.

Direct: pipenv sees the sources as they are written. Every pipenv looks for a package without
``index=`` in the first source only, and so for private dependencies that the Pipfile does not list.
Where a command resolves and CodeArtifact is not the only source, the proxy index therefore takes
the sources' place: an index on loopback that serves every package.

So it does if a setting of the project could redirect or expose the token: pipenv then gets the proxy
index's password, which opens nothing else.
"""

from __future__ import annotations

from codeartifact_pipenv.wrapper.commands import LOCKED, PIP, RESOLVES
from codeartifact_pipenv.wrapper.executable import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from codeartifact_pipenv.auth.resolver import DotEnv
    from codeartifact_pipenv.project.sources import Source

# As the setting `route` names them.
DIRECT, PROXY = "as-written", "loopback"
# A ``.env`` is loaded over the environment: its certificates, together with a proxy, would let
# another host read the token.
_CERTIFICATES = frozenset(
    {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "SSL_CERT_DIR", "SSL_CERT_FILE"}
)
# Where pip's configuration files are, which can set all that its variables can.
_PLACES = frozenset(
    {
        *("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "PIP_CONFIG_FILE"),
        *("XDG_DATA_HOME", "XDG_DATA_DIRS"),  # macOS
        *("APPDATA", "PROGRAMDATA", "USERPROFILE"),
    }
)
# Settings of pip that lead no further than a token's host: URLs of indexes are checked elsewhere,
# and a proxy cannot read what goes through it.
_HARMLESS = frozenset(
    {"PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_PROXY", "PIP_DISABLE_PIP_VERSION_CHECK"}
)


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
        # Build requirements of a package are looked for in one source, too.
        if copies and (builds or _is_lonely_first(sources)):
            return PROXY, "what a package needs to be built may be in another source"
        return DIRECT, "the command resolves nothing"
    several = "packages may come from several sources"
    return PROXY, "CodeArtifact offers no metadata of wheels" if is_one else several


def _is_lonely_first(sources: Sequence[Source]) -> bool:
    return sources[0].endpoint is not None and any(source.endpoint is None for source in sources)


def token_risk(
    sources: Iterable[Source],
    dotenv: DotEnv | None,
    environ: Mapping[str, str],
) -> str | None:
    """Return what could redirect or expose a token, as a clause; None if nothing could.

    Args:
        sources: the sources of Pipfile and lock.
        dotenv: what pipenv loads over the environment; None for nothing.
        environ: the environment before that.
    """
    for source in sources:
        if source.endpoint is not None and not source.verified:
            return f"verify_ssl is not true in source {source.name}"
    for name, value in (dotenv.values if dotenv else {}).items():
        if _connects(name.upper()) and value != environ.get(name):
            return f"{dotenv.path if dotenv else ''} sets {name}"
    return None


def other_settings(dotenv: DotEnv | None, environ: Mapping[str, str]) -> list[str]:
    """Return the variables of ``.env`` by which pip finds other configuration files.

    A proxy in such a file would be asked for the proxy index, and could answer in its place.
    Arguments are as for ``token_risk``.
    """
    values = dotenv.values if dotenv else {}
    return [
        name for name in values if name.upper() in _PLACES and values[name] != environ.get(name)
    ]


def _connects(name: str) -> bool:
    return name in _CERTIFICATES | _PLACES or (name.startswith("PIP_") and name not in _HARMLESS)
