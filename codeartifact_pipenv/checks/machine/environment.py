"""What of the environment changes how programs reach an index: ``.env``, proxies, bundles."""

from __future__ import annotations

import os

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken, describe_age
from codeartifact_pipenv.auth.token_shape import mistaken_for
from codeartifact_pipenv.checks.machine.user_files import user_findings
from codeartifact_pipenv.checks.network.aws import until
from codeartifact_pipenv.findings import Finding, failure, ok, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.checks.facts import Facts

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT", "AWS_CA_BUNDLE")
_INDEXES = ("PIPENV_PYPI_MIRROR", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "NETRC", "PIP_NO_INDEX")


def check_environment(facts: Facts) -> list[Finding]:
    """Check the variables that matter; values with secrets are masked."""
    found = [*_dotenv(facts), *_tokens(facts)]
    for name in _PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if value:
            shown = value if name == "NO_PROXY" else _without_login(value)
            found.append(ok(name, shown))
    for name in _BUNDLES:
        path = os.environ.get(name)
        if path and not os.path.exists(path):
            found.append(
                failure(
                    "ca-bundle-missing",
                    name,
                    f"{name} names {path}, which does not exist.",
                    "Correct or unset it.",
                )
            )
        elif path:
            found.append(ok(name, path))
    found += [
        ok(name, " ".join(map(_without_login, os.environ[name].split())))
        for name in _INDEXES
        if os.environ.get(name)
    ]
    return found


def check_user_files(facts: Facts) -> list[Finding]:
    """Check pip.conf, netrc and .pypirc of the user."""
    return [finding.told_with_place() for finding in user_findings(facts.environ)]


def _without_login(value: str) -> str:
    """Return a proxy or a URL without userinfo, also where it has no scheme or a slash in it."""
    scheme, separator, _ = value.partition("://")
    head = f"{scheme}{separator}" if separator and scheme.isalnum() else ""
    return f"{head}{value.removeprefix(head).rpartition('@')[2]}"


def _dotenv(facts: Facts) -> list[Finding]:
    dotenv = facts.project.dotenv if facts.project else None
    if dotenv is None:
        return []
    names = ", ".join(sorted(dotenv.values)) or "nothing"
    return [ok(".env", f"{dotenv.path} sets {names}")]


def _tokens(facts: Facts) -> list[Finding]:
    found = []
    variables = {s.variable for s in facts.sources if s.endpoint and s.variable}
    for name in sorted({*variables, "CODEARTIFACT_AUTH_TOKEN"}):
        value = os.environ.get(name, "").strip()
        if not value or mistaken_for(value, os.environ):  # told where a token is wanted
            continue
        token = AuthorizationToken.from_text(value, source=name)
        if token.has_expired() and token.expires_at is not None:
            import time

            ago = describe_age(time.time() - token.expires_at.timestamp())
            found.append(
                warning(
                    "token-expired",
                    name,
                    f"The token in {name} expired {ago} ago; pipenv-ca gets a new one, and "
                    "bare pipenv fails with it.",
                    f"Unset {name}.",
                )
            )
        else:
            found.append(ok(name, f"holds a token, {until(token)}"))
    return found
