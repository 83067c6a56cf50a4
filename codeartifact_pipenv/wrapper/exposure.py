"""What of a project has a say in where or how pip sends what it is given. Pure: data in, data out.

Where something has, the token stays in this process: pipenv sees an index on loopback, whose
password is good for nothing else. (A ``.env`` is loaded by pipenv over the environment. Its
certificates, with a proxy beside them, would open the token's way to a stranger.)
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
# Where pip's configuration files are, which say all that its variables do.
_PLACES = frozenset(
    {
        *("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "PIP_CONFIG_FILE"),
        *("XDG_DATA_HOME", "XDG_DATA_DIRS"),  # macOS
        *("APPDATA", "PROGRAMDATA", "USERPROFILE"),
    }
)
# Of pip's own settings those that lead no further than a token's host: what URLs of indexes may
# say is looked at elsewhere, and a proxy sees nothing of what goes through it.
_HARMLESS = frozenset(
    {"PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_PROXY", "PIP_DISABLE_PIP_VERSION_CHECK"}
)


def exposure(
    sources: Iterable[Source],
    dotenv: DotEnv | None,
    environ: Mapping[str, str],
) -> str | None:
    """Say what has a say in where or how a token would go, as a clause; None where nothing has.

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

    A proxy in such a file would be asked for the index on loopback, and could answer for it.
    Arguments are as for ``exposure``.
    """
    values = dotenv.values if dotenv else {}
    return [
        name for name in values if name.upper() in _PLACES and values[name] != environ.get(name)
    ]


def _connects(name: str) -> bool:
    return name in _CERTIFICATES | _PLACES or (name.startswith("PIP_") and name not in _HARMLESS)
