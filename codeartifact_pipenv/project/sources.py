"""Parsing the URLs of a project's sources: the repository, and the variable for the token.

pipenv expands ``$NAME`` and ``${NAME}`` anywhere in a source's URL (os.path.expandvars). Here the
variable of the password is not expanded: it receives the token.
"""

from __future__ import annotations

import functools
import os
import re
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from codeartifact_pipenv.endpoint import RepositoryEndpoint, explain_mismatch, parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import load_toml_bytes, read_bytes
from codeartifact_pipenv.settings import TOKEN_VARIABLE, variable_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.project.url_correction import CorrectedUrl

USERNAME = "aws"
MIRROR_VARIABLE = "PIPENV_PYPI_MIRROR"
_VARIABLE = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<braced>[^}]*)\})", re.ASCII)
_BARE = re.compile(r"\$(?P<bare>\w+)", re.ASCII)
# pip's syntax in the requirements files that pipenv writes (req_file.py); it also matches inside
# ${A${NAME}, which pipenv reads as one variable.
_OF_PIP = re.compile(r"\$\{([A-Z0-9_]+)\}")
# os.path.expandvars, and so pipenv, also expands this syntax on Windows.
_PERCENT = re.compile(r"%(\w+)%", re.ASCII)
_URL = re.compile(r"(?P<scheme>[^:/?#@]+)://(?:(?P<userinfo>[^/?#]*)@)?(?P<rest>.*)", re.DOTALL)


class Source(NamedTuple):
    """A URL in the project's files.

    Attributes:
        name: the source's name, or another description of the place for messages.
        url: the URL as written, variables not expanded.
        origin: the file that contains it.
        endpoint: the CodeArtifact repository, or None for another index.
        username: the username in the URL, or ''.
        password: the password as written, a variable or not, or ''.
        mismatch_reason: why a URL that looks like CodeArtifact's is not accepted, or None.
        verified: whether clients verify the certificate.
    """

    name: str
    url: str
    origin: str
    endpoint: RepositoryEndpoint | None
    username: str
    password: str
    mismatch_reason: str | None
    verified: bool = True

    @property
    def variable(self) -> str | None:
        """The variable used as the password, if any."""
        match = _VARIABLE.fullmatch(self.password)
        return variable_name(match["bare"] or match["braced"]) if match else None

    @property
    def has_password(self) -> bool:
        """Whether the URL has a password, a variable or not."""
        return bool(self.password)

    @property
    def is_mirror(self) -> bool:
        """Whether the URL comes from PIPENV_PYPI_MIRROR."""
        return self.origin == MIRROR_VARIABLE


def read_source(name: str, url: str, origin: str, environ: Mapping[str, str]) -> Source:
    """Parse one URL.

    Args:
        name: as in ``Source``.
        url: the URL as written.
        origin: the file's path.
        environ: the environment as pipenv will see it, ``.env`` included.
    """
    match = _URL.fullmatch(url)
    if match is None:  # the whole URL may be one variable
        match = _URL.fullmatch(expand(url, environ))
    if match is None:
        return Source(name, url, origin, None, "", "", None)
    username, _, password = (match["userinfo"] or "").partition(":")
    # Keep a literal userinfo: if it contains a slash or backslash, urllib3 may find another host.
    shown = (
        f"{username}:{'x' if _VARIABLE.fullmatch(password) else password}@"
        if match["userinfo"]
        else ""
    )
    plain = expand(f"{match['scheme']}://{shown}{match['rest']}", environ)
    return Source(
        name,
        url,
        origin,
        parse_url(plain),
        expand(username, environ),
        password,
        explain_mismatch(plain),
    )


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Expand variables as pipenv does; unset ones stay as written."""

    def value(match: re.Match[str]) -> str:
        try:
            return environ.get(variable_name(match["bare"] or match["braced"]), match[0])
        except UnicodeEncodeError:  # the name cannot be a variable
            return match[0]

    end = _end_of_braces(text)
    return _VARIABLE.sub(value, text[:end]) + _BARE.sub(value, text[end:])


def _end_of_braces(text: str) -> int:
    # Searching for a missing brace from each ${ would take quadratic time.
    return text.rfind("}") + 1


def url_fault(url: str, environ: Mapping[str, str]) -> str | None:
    """Return why a URL with variables expanded is invalid, or None if it is valid."""
    match = _URL.fullmatch(expand(url, environ))
    try:
        # Parse without the userinfo, which must not appear in messages.
        _ = urlsplit(f"{match['scheme']}://{match['rest']}" if match else "").port
    except ValueError as error:
        return str(error)
    return None


def is_loopback(url: str) -> bool:
    """Whether a URL's host is a loopback address."""
    return re.match(r"https?://(?:127\.[0-9.]+|localhost|\[::1\])(?=[:/?#]|$)", url) is not None


def userinfo_of(url: str) -> str | None:
    """Return the userinfo of a URL as written, if any."""
    match = _URL.search(url)
    return match["userinfo"] if match else None


def variables_in(text: str) -> set[str]:
    """Return the names of all variables in a text."""
    return {*_mentions(text), *_OF_PIP.findall(text)}


def _mentions(text: str) -> list[str]:
    # python-dotenv also has ${NAME:-default}.
    end = _end_of_braces(text)
    found = [*_VARIABLE.finditer(text, 0, end), *_BARE.finditer(text, end)]
    names = (match["bare"] or match["braced"].partition(":-")[0] for match in found)
    return [variable_name(name) for name in names]


def _may_expand(text: str) -> set[str]:
    return {*variables_in(text), *map(variable_name, _PERCENT.findall(text))}


def assign_variables(sources: Iterable[Source]) -> dict[str, RepositoryEndpoint]:
    """Return, by variable, an endpoint of the domain whose token it must hold.

    The order is that of the sources. CODEARTIFACT_AUTH_TOKEN is included if the project has only
    one domain.

    Raises:
        ConfigurationError: a variable is used for two domains, does not have the name of a
            secret, or appears in a URL that is not CodeArtifact's.
    """
    sources = list(sources)
    assigned: dict[str, RepositoryEndpoint] = {}
    for source in sources:
        if source.endpoint is None or source.variable is None:
            continue
        check_variable(source.variable, f"Source {source.name} in {source.origin}")
        other = assigned.setdefault(source.variable, source.endpoint)
        if other.domain != source.endpoint.domain:
            raise ConfigurationError(
                f"{source.variable} is used for the tokens of two domains, {other.domain} and "
                f"{source.endpoint.domain}.",
                f"Use another variable in the URL of source {source.name} in {source.origin}, "
                f"such as ${{{TOKEN_VARIABLE}_{_suffix(source.endpoint.domain)}}}.",
                "variable-shared",
            )
    endpoints = [source.endpoint for source in sources if source.endpoint is not None]
    if len({endpoint.domain for endpoint in endpoints}) == 1:
        assigned.setdefault(TOKEN_VARIABLE, endpoints[0])
    for source in sources:
        check_token_use(source, assigned)
    return assigned


# Not compiled: most commands do not need them, and compiling takes a millisecond.
# The last word of the name of a secret (ACME_INDEX_PASSWORD, CA_TOKEN2)...
_LAST_WORD = (
    r"(.*(TOKEN|PASSWORD|SECRET|APIKEY)|PASSWD|PASSPHRASE|PASS|PWD|PW|KEY|AUTH|CREDENTIALS?|CREDS?|PAT"
    r"|LOGIN|BEARER)[0-9]*"
)
# ...or an earlier word (TOKEN_PROD), unless the last word says that it only describes a secret.
_WORD_BEFORE = r"(.*(TOKEN|PASSWORD)|PASSWD|SECRET|CREDENTIALS?|CREDS?)[0-9]*"
_ABOUT = (
    r"ARN|CMD|COMMAND|DIR|DURATION|ENDPOINT|EXPIRATION|EXPIRES|EXPIRY|FD|FILE|FOLDER|HELPER|HOME|HOST"
    r"|ID|LIFE|LIFETIME|MODE|NAME|PATH|PORT|PROCESS|PROGRAM|PROVIDER|PROXY|SCOPE|SCRIPT|SOCK|SOCKET"
    r"|STORE|TTL|TYPE|URI|URL|USER|USERNAME"
)
# First words of variables from which well-known programs read and send secrets.
_OF_PROGRAMS = (
    r"AWS|AZURE|ARM|GOOGLE|GCP|GCLOUD|CLOUDSDK|CLOUDFLARE|DIGITALOCEAN|HEROKU|NETLIFY|VERCEL"
    r"|VAULT|CONSUL|NOMAD|TF|TERRAFORM|PULUMI|KEYRING|OP"
    r"|CI|ACTIONS|RUNNER|SYSTEM|BUILDKITE|CIRCLE|CIRCLECI|DRONE|JENKINS|TEAMCITY|TRAVIS|RENOVATE"
    r"|GIT|GITHUB|GH|GITLAB|GL|GITEA|FORGEJO|BITBUCKET|SSH|GPG|GNUPG|COSIGN|SIGSTORE"
    r"|HTTPS?|SSL|CURL|FTP|SMTP|LDAP|KUBE|MYSQL|PG|POSTGRES|REDIS|REDISCLI|RSYNC|RESTIC|BORG|RCLONE"
    r"|ANTHROPIC|OPENAI|HF|HUGGINGFACE|HUGGING|KAGGLE|WANDB|CODECOV|COVERALLS|DATADOG|DD|OTEL|SAFETY"
    r"|SENTRY|SLACK|SNYK|SONAR"
)
# Tools whose variables contain the name of an index, which may be CODEARTIFACT.
_OF_PACKAGE_TOOLS = (
    r"UV|POETRY|PDM|HATCH|TWINE|FLIT|RYE|CONDA|ANACONDA|PIXI|RATTLER|DOCKER|PODMAN|HELM|NPM|NODE|YARN"
    r"|PNPM|BUN|DENO|CARGO|GEM|RUBYGEMS|BUNDLE|MAVEN|GRADLE|NUGET|HOMEBREW"
)
# The working directory; the password that PostgreSQL sends.
_NOT_SECRETS = ("PWD", "PGPASSWORD")


def check_variable(name: str, where: str) -> None:
    """Raise ConfigurationError if a project asks for a token in an unsuitable variable.

    Args:
        name: the variable's name.
        where: the place that names it, as the start of a sentence.
    """
    if name == TOKEN_VARIABLE:
        return
    upper = name.upper()
    if re.fullmatch(r"\w+", name, re.ASCII) is None:
        why = "which is not a valid name of a variable"
    elif _is_of_program(upper):
        why = "which another program uses"
    elif "CODEARTIFACT" not in upper and not _is_secret(upper):
        why = "which is not the name of a secret"
    else:
        return
    raise ConfigurationError(
        f"{where} wants the token in {name!r}, {why}.",
        f"Use a variable that ends in _TOKEN or _PASSWORD, such as ${{{TOKEN_VARIABLE}}}.",
        "variable-name",
    )


def _is_secret(name: str) -> bool:
    *words, last = [word for word in name.split("_") if word] or [""]
    if re.fullmatch(_LAST_WORD, last):
        return name not in _NOT_SECRETS
    if re.fullmatch(_ABOUT, last):
        return False
    return any(re.fullmatch(_WORD_BEFORE, word) for word in words)


def _is_of_program(name: str) -> bool:
    first = name.lstrip("_").partition("_")[0]
    if re.fullmatch(_OF_PACKAGE_TOOLS, first) or name.startswith("PIPENV_CA_"):
        return True
    # AWS_ENDPOINT_URL_CODEARTIFACT and AWS_CA_BUNDLE belong to botocore.
    if ("CODEARTIFACT" in name or name.startswith("AWS_CA_")) and _is_secret(name):
        return False
    return re.fullmatch(_OF_PROGRAMS, first) is not None


def check_token_use(source: Source, assigned: Mapping[str, RepositoryEndpoint]) -> None:
    """Raise ConfigurationError if a URL would send a token to the wrong host."""
    mentioned = _may_expand(source.url)
    for name in sorted({TOKEN_VARIABLE, *assigned} & mentioned):
        belongs = assigned.get(name)
        if (
            source.endpoint is not None
            and source.variable == name
            and _mentions(source.url).count(name) == 1
            and belongs is not None
            and belongs.domain == source.endpoint.domain
        ):
            continue
        if source.endpoint is not None and source.variable != name:
            raise ConfigurationError(
                f"{source.origin} has {name} in a URL in another place than the whole password "
                f"({source.name}: {source.url}).",
                f"Write it as https://aws:${{{name}}}@HOST/...",
            )
        why, hint = "", "Correct the URL, or use another variable for that index."
        if source.mismatch_reason:
            why, hint = f": {source.mismatch_reason}", url_correction_hint(source.url, {})
        raise ConfigurationError(
            f"{source.origin} would send the token in {name} to a URL that is not "
            f"CodeArtifact's{why} ({source.name}: {source.url}).",
            hint,
            "token-elsewhere",
        )


def check_unfinished_variable(source: Source) -> None:
    """Raise ConfigurationError if a text ends in an unfinished variable.

    pipenv writes name, version and markers of an entry on one line, and pip expands the variables
    of that line.
    """
    rest = source.url[_end_of_braces(source.url) :]
    if "${" in rest or rest.endswith("$"):
        raise ConfigurationError(
            f"{source.origin} has an unfinished variable in {source.name}, which pip would combine "
            "with the text after it.",
            "Write the whole variable, as ${NAME}, in one text.",
            "token-elsewhere",
        )


def token_variables(domain: Domain, sources: Iterable[Source]) -> list[str]:
    """Return the variables that may already hold a domain's token.

    CODEARTIFACT_AUTH_TOKEN is included only if the project has a single domain, because a token
    does not name its domain.

    Args:
        domain: the domain.
        sources: all sources of its project.
    """
    ours = [source for source in sources if source.endpoint is not None]
    alone = all(source.endpoint and source.endpoint.domain == domain for source in ours)
    named = [s.variable for s in ours if s.endpoint and s.endpoint.domain == domain and s.variable]
    return list(dict.fromkeys([*named, *([TOKEN_VARIABLE] if alone else [])]))


def token_variable_for(domain: Domain, assigned: Mapping[str, RepositoryEndpoint]) -> str:
    """Return a variable for a domain's token that no other domain uses.

    Args:
        domain: the domain.
        assigned: the variables in use, from ``assign_variables``.
    """
    taken = assigned.get(TOKEN_VARIABLE)
    if taken is None or taken.domain == domain:
        return TOKEN_VARIABLE
    return f"{TOKEN_VARIABLE}_{_suffix(domain)}"


def source_url(endpoint: RepositoryEndpoint, assigned: Mapping[str, RepositoryEndpoint]) -> str:
    """Return the URL of a new source, with a variable for the token."""
    variable = token_variable_for(endpoint.domain, assigned)
    return endpoint.simple_url.replace("://", f"://aws:${{{variable}}}@", 1)


def split_url(url: str) -> tuple[str, str | None, str] | None:
    """Split a URL as written into scheme, userinfo or None, and the rest."""
    match = _URL.fullmatch(url)
    return (match["scheme"], match["userinfo"], match["rest"]) if match else None


def _suffix(domain: Domain) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", domain.name.upper())


def login_of(url: str) -> tuple[str, tuple[str, str]] | None:
    """Return the host of a URL with username and password, or None if one is missing.

    A login that a netrc file cannot hold also gives None.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    login = unquote(parts.username or ""), unquote(parts.password or "")
    words = (parts.hostname or "", *login)
    plain = all(word.isprintable() and word and not set(word) & set(" \"'\\#") for word in words)
    return (words[0], login) if plain else None


def check_package_url(text: str) -> None:
    """Raise ConfigurationError if a package is named by a repository's URL with a token in it.

    Args:
        text: the package, such as ``acme @ https://...``.
    """
    found = re.search(r"https?://\S+", text, re.IGNORECASE)
    url = found[0] if found else ""
    login = (userinfo_of(url) or "").rstrip(":")
    if parse_url(url) is not None and login not in {"", USERNAME} and not variables_in(login):
        raise ConfigurationError(
            "The command names a package by a URL with a token in it, which pipenv would write into "
            "Pipfile and lock.",
            "Install it by its name: `pipenv-ca install NAME==VERSION`.",
            "package-url",
        )


def without_credentials(url: str) -> str:
    """Return a URL without its userinfo."""
    scheme, separator, rest = url.partition("://")
    end = next((at for at, sign in enumerate(rest) if sign in "/?#"), len(rest))
    return f"{scheme}{separator}{rest[:end].rpartition('@')[2]}{rest[end:]}"


def corrected_url(url: str) -> str | None:
    """Return the corrected form of a URL that looks like a repository's, or None if ambiguous.

    A URL with variables outside the userinfo is ambiguous.
    """
    form = _corrected(url)
    if form is None or not form.is_whole or variables_in(without_credentials(url)):
        return None
    return form.url.replace("://", f"://{_login_of(url)}", 1)


def _corrected(url: str) -> CorrectedUrl | None:
    from codeartifact_pipenv.project.url_correction import correct_url  # 2 ms, seldom needed

    return correct_url(without_credentials(url))


def url_correction_hint(url: str, environ: Mapping[str, str]) -> str:
    """Return a hint with the corrected URL of a source."""
    form = _corrected(expand(url, environ))
    if form is None and "codeartifact" not in url.lower():
        return "Write it as https://HOST/PATH; a port is a number."
    host = "DOMAIN-ACCOUNT.d.codeartifact.REGION.amazonaws.com"
    right = form.url if form else f"https://{host}/pypi/REPOSITORY/simple/"
    unknown = form.unknown if form else "your own names"
    right = right.replace("://", f"://{_login_of(url)}", 1)
    return f"Write {right} in its place{f', with {unknown}' if unknown else ''}."


def _login_of(url: str) -> str:
    """Return a login for a repository's URL; the existing one if its password is a variable."""
    userinfo = userinfo_of(url.strip()) or ""
    username, _, password = userinfo.partition(":")
    if re.fullmatch(r"\$\w+|\$\{\w+\}", password):
        return f"{username or USERNAME}:{password}@"
    return f"{USERNAME}:${{{TOKEN_VARIABLE}}}@"


# --- the public index ----------------------------------------------------------------------


def default_source() -> dict[str, str | bool]:
    """Return the source that pipenv writes into new Pipfiles and uses by default.

    It is in ``default.Pipfile``: importing plette, which has it, takes 30 ms.
    """
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "default.Pipfile")
    document: dict[str, Any] = load_toml_bytes(read_bytes(path))
    found: dict[str, str | bool] = document["source"][0]
    return found


@functools.cache
def _default_url() -> str:
    return str(default_source()["url"]).rstrip("/")


def is_default_source(url: str) -> bool:
    """Whether a URL is that of pipenv's default source."""
    return url.rstrip("/") == _default_url()


def public_index_url(environ: Mapping[str, str]) -> str:
    """Return the URL of the public index or of its configured mirror."""
    return environ.get("PIPENV_PYPI_MIRROR") or _default_url()


def repository_of_pip(environ: Mapping[str, str]) -> RepositoryEndpoint | None:
    """Return the first repository among the indexes of pip's own settings, if any."""
    from codeartifact_pipenv.files.pip_config import index_settings

    index, others = index_settings(environ)
    return next((found for url in (index or "", *others) if (found := parse_url(url))), None)


# --- the cool-down period ------------------------------------------------------------------
# Files uploaded in the last days are ignored.


def cool_down_cutoff(document: Mapping[str, Any], environ: Mapping[str, str]) -> datetime | None:
    """Return the time before which files must have been uploaded, or None without a cool-down.

    It is set by ``cool-down-period`` in a Pipfile's ``[pipenv]``, such as ``7d`` (pipenv 2026.8), or
    by ``PIP_UPLOADED_PRIOR_TO``, a time or a number of days such as ``P7D`` (pip 26.0).

    Args:
        document: the Pipfile, parsed.
        environ: the environment as pipenv sees it.
    """
    table = document.get("pipenv")
    period = table.get("cool-down-period") if isinstance(table, dict) else None
    given = period or environ.get("PIP_UPLOADED_PRIOR_TO")
    if not isinstance(given, str):
        return None
    days = re.fullmatch(r"(\d{1,6})d|P(\d{1,6})D", given.strip())
    if days:
        return datetime.now(timezone.utc) - timedelta(days=int(days[1] or days[2]))
    return None if period else parse_timestamp(given)


def parse_timestamp(text: str) -> datetime | None:
    """Parse an upload time (ISO 8601, PEP 700); return None for other text."""
    try:
        found = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text.strip()))
    except ValueError:
        return None
    return found if found.tzinfo else found.astimezone()
