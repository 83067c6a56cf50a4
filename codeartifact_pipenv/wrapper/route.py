"""Choose how pipenv reaches its packages. Pure functions.

On the direct route pipenv uses the sources as written. pipenv searches only the first source for a
package without ``index=``, and so for private dependencies that the Pipfile does not list. If a
command resolves and CodeArtifact is not the only source, the proxy index, which runs on loopback
and serves every package, replaces the sources.

It also replaces them if a project setting could redirect or expose the token: pipenv then only gets
the password of the proxy index.
"""

from __future__ import annotations

from codeartifact_pipenv.wrapper.commands import LOCKED, PIP, RESOLVES
from codeartifact_pipenv.wrapper.executable import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from codeartifact_pipenv.auth.resolver import DotEnv
    from codeartifact_pipenv.project.sources import Source

# The values of the setting `route`.
DIRECT, PROXY = "as-written", "loopback"
# A ``.env`` overrides the environment: its certificates and a proxy would let another host read
# the token.
_CERTIFICATES = frozenset(
    {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "SSL_CERT_DIR", "SSL_CERT_FILE"}
)
# Locations of pip's configuration files, which can set everything that its variables can.
_CONFIG_LOCATIONS = frozenset(
    {
        *("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "PIP_CONFIG_FILE"),
        *("XDG_DATA_HOME", "XDG_DATA_DIRS"),  # macOS
        *("APPDATA", "PROGRAMDATA", "USERPROFILE"),
    }
)
# Settings of pip that cannot expose a token: other code checks the URLs of indexes, and a proxy
# cannot read TLS.
_HARMLESS = frozenset(
    {"PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_PROXY", "PIP_DISABLE_PIP_VERSION_CHECK"}
)


def shows_credentials(version: str | None) -> bool:
    """Whether a pipenv passes the credentials of a URL in pip's arguments.

    Fixed in 2026.6.0 (GHSA-8xgg-v3jj-95m2). An unknown version counts as an old one.
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
        version: the version of pipenv, if known.
        builds: whether the lock has packages that are built here, such as the project itself.
        copies: whether copies of Pipfile and lock can be written for the command.
        risk: how the project could redirect or expose a token, as a clause.

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
        # pip searches only one source for build requirements.
        if copies and (builds or _repository_comes_first(sources)):
            return PROXY, "build requirements may be in another source"
        return DIRECT, "the command resolves nothing"
    several = "packages may come from several sources"
    return PROXY, "CodeArtifact offers no metadata of wheels" if is_one else several


def _repository_comes_first(sources: Sequence[Source]) -> bool:
    return sources[0].endpoint is not None and any(source.endpoint is None for source in sources)


def token_risk(
    sources: Iterable[Source],
    dotenv: DotEnv | None,
    environ: Mapping[str, str],
) -> str | None:
    """Return how the project could redirect or expose a token, as a clause, or None if it cannot.

    Args:
        sources: the sources of Pipfile and lock.
        dotenv: the ``.env`` that pipenv loads, if any.
        environ: the environment before that.
    """
    for source in sources:
        if source.endpoint is not None and not source.verified:
            return f"verify_ssl is not true in source {source.name}"
    for name, value in (dotenv.values if dotenv else {}).items():
        if _can_redirect(name.upper()) and value != environ.get(name):
            return f"{dotenv.path if dotenv else ''} sets {name}"
    return None


def config_location_variables(dotenv: DotEnv | None, environ: Mapping[str, str]) -> list[str]:
    """Return the variables in ``.env`` that make pip find other configuration files.

    A proxy in such a file could answer instead of the proxy index. Arguments are as for
    ``token_risk``.
    """
    values = dotenv.values if dotenv else {}
    return [
        name
        for name in values
        if name.upper() in _CONFIG_LOCATIONS and values[name] != environ.get(name)
    ]


def _can_redirect(name: str) -> bool:
    return name in _CERTIFICATES | _CONFIG_LOCATIONS or (
        name.startswith("PIP_") and name not in _HARMLESS
    )
