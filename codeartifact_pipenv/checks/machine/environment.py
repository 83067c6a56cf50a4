"""What of the environment changes how programs reach an index: ``.env``, proxies, bundles."""

from __future__ import annotations

import os

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.auth.token_shape import mistaken_for
from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.files.dotenv import expired_ago
from codeartifact_pipenv.checks.machine.user_files import user_findings
from codeartifact_pipenv.checks.network.aws import until
from codeartifact_pipenv.findings import ok
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.checks.facts import Facts
    from codeartifact_pipenv.findings import Finding

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT", "AWS_CA_BUNDLE")
_INDEXES = ("PIPENV_PYPI_MIRROR", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "NETRC", "PIP_NO_INDEX")


def check_environment(facts: Facts) -> Iterator[Finding]:
    """Check the variables that matter; values with secrets are masked."""
    dotenv = facts.project.dotenv if facts.project else None
    if dotenv is not None:
        names = ", ".join(sorted(dotenv.values)) or "nothing"
        yield ok(".env", f"{dotenv.path} sets {names}")
    yield from _tokens(facts)
    for name in _PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if value:
            yield ok(name, value if name == "NO_PROXY" else _without_login(value))
    for name in _BUNDLES:
        path = os.environ.get(name)
        if path and not os.path.exists(path):
            said = f"{name} names {path}, which does not exist."
            yield finding_for("ca-bundle-missing", name, said)
        elif path:
            yield ok(name, path)
    for name in _INDEXES:
        if os.environ.get(name):
            yield ok(name, " ".join(map(_without_login, os.environ[name].split())))


def check_user_files(facts: Facts) -> list[Finding]:
    """Check pip.conf, netrc and .pypirc of the user."""
    return [finding.told_with_place() for finding in user_findings(facts.environ)]


def _without_login(value: str) -> str:
    """Return a proxy or a URL without userinfo, also where it has no scheme or a slash in it."""
    scheme, separator, _ = value.partition("://")
    head = f"{scheme}{separator}" if separator and scheme.isalnum() else ""
    return f"{head}{value.removeprefix(head).rpartition('@')[2]}"


def _tokens(facts: Facts) -> Iterator[Finding]:
    variables = {s.variable for s in facts.sources if s.endpoint and s.variable}
    for name in sorted({*variables, TOKEN_VARIABLE}):
        value = os.environ.get(name, "").strip()
        if not value or mistaken_for(value, os.environ):  # told where a token is wanted
            continue
        token = AuthorizationToken.from_text(value, source=name)
        ago = expired_ago(token)
        if ago is None:
            yield ok(name, f"holds a token, {until(token)}")
            continue
        said = (
            f"The token in {name} expired {ago} ago; pipenv-ca gets a new one, and bare pipenv "
            "fails with it."
        )
        yield finding_for("token-expired", name, said, f"Unset {name}.")
