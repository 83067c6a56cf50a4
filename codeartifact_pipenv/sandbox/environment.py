"""The environment for clients, derived from the environment that the sandbox runs in."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.hosts import PUBLIC_HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.sandbox.signature import Principal

_CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
)
CA_FILE, AWS_CONFIG, AWS_CREDENTIALS = "ca.pem", "aws-config", "aws-credentials"
"""Files in the run's folder: trusted certificates, and empty AWS configuration files."""
_OUR_SUFFIXES = ("amazonaws.com", "on.aws", "api.aws", PUBLIC_HOST)
_ALWAYS_DIRECT = ("127.0.0.1", "localhost")
# These would bypass the sandbox or bring a real secret into it.
_REMOVED = ("SSL_CERT_DIR", "PIP_PROXY", "CODEARTIFACT_AUTH_TOKEN", "BOTO_CONFIG")


class Proxies:
    """Proxy settings of the environment that the sandbox was started in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._proxies = {
            scheme: _either(environ, f"{scheme}_proxy") or _either(environ, "all_proxy")
            for scheme in ("http", "https")
        }
        self._direct = _entries(environ)

    def find(self, scheme: str, host: str) -> str | None:
        """Return the URL of the proxy for a host, or None for a direct connection."""
        proxy = self._proxies.get(scheme)
        if not proxy or any(_covers(entry, host) for entry in self._direct):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"


def trusted_certificates(environ: Mapping[str, str]) -> str:
    """Return, as PEM, the certificates that clients trust outside the sandbox."""
    files = [Path(environ[name]) for name in _CA_VARIABLES if environ.get(name)]
    if not any(file.is_file() for file in files):
        files = _default_files()
    # Several variables often name the same bundle.
    texts = dict.fromkeys(file.read_text(errors="replace") for file in files if file.is_file())
    return "\n".join(texts)


def child_environment(
    base: Mapping[str, str], proxy: str, folder: Path, user: Principal
) -> dict[str, str]:
    """Return a copy of an environment in which every client uses the sandbox's proxy."""
    kept = {
        name: value
        for name, value in base.items()
        if not name.upper().startswith("AWS_") and name.upper() not in _REMOVED
    }
    direct = ",".join(_direct_hosts(base))
    return (
        kept
        | dict.fromkeys(_CA_VARIABLES, str(folder / CA_FILE))
        | {
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "NO_PROXY": direct,
            "no_proxy": direct,
            "AWS_ACCESS_KEY_ID": user.access_key_id,
            "AWS_SECRET_ACCESS_KEY": user.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(folder / AWS_CONFIG),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / AWS_CREDENTIALS),
            "PIPENV_CA_CACHE_DIR": str(folder / "tokens"),
        }
    )


def _direct_hosts(environ: Mapping[str, str]) -> list[str]:
    kept = [entry for entry in _entries(environ) if not _could_be_ours(entry)]
    return list(dict.fromkeys([*_ALWAYS_DIRECT, *kept]))


def _entries(environ: Mapping[str, str]) -> list[str]:
    given = (_either(environ, "no_proxy") or "").split(",")
    return [entry.strip() for entry in given if entry.strip()]


def _covers(entry: str, host: str) -> bool:
    suffix = entry.lower().lstrip("*.")
    return not suffix or host == suffix or host.endswith(f".{suffix}")


def _could_be_ours(entry: str) -> bool:
    # Clients match entries differently; drop all that might match a sandbox host.
    suffix = entry.lower().partition(":")[0].lstrip("*.")
    return any(ours.endswith(suffix) or suffix.endswith(ours) for ours in _OUR_SUFFIXES)


def _default_files() -> list[Path]:
    paths = ssl.get_default_verify_paths()
    files = [Path(paths.cafile)] if paths.cafile else []
    try:
        import certifi
    except ImportError:
        return files
    return [*files, Path(certifi.where())]


def _either(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name) or environ.get(name.upper())
