"""Project settings that could redirect or expose the token. Pure: data in, data out.

If there is one, the token stays in this process: pipenv sees the proxy index, whose password opens
nothing else. pipenv loads a ``.env`` over the environment; its certificates, together with a proxy,
would let another host read the token.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeartifact_pipenv.auth.resolver import DotEnv
    from codeartifact_pipenv.project.sources import Source

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
