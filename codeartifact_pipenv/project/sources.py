"""What the URLs of a project's sources say: which repository, which variable holds the token.

pipenv expands ``$NAME`` and ``${NAME}`` anywhere in a source's URL with the environment
(os.path.expandvars), and so is it read here, except that the variable of the password stays
a name: it is the one to fill.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from codeartifact_pipenv.endpoint import RepositoryEndpoint, explain_mismatch, parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.url_correction import correct_url
from codeartifact_pipenv.settings import TOKEN_VARIABLE, variable_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeartifact_pipenv.endpoint import Domain

USERNAME = "aws"
MIRROR_VARIABLE = "PIPENV_PYPI_MIRROR"
_VARIABLE = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<braced>[^}]*)\})", re.ASCII)
_BARE = re.compile(r"\$(?P<bare>\w+)", re.ASCII)
# What pip expands in the requirements files that pipenv makes (req_file.py), also within
# braces that pipenv takes for longer ones: ${A${NAME}.
_OF_PIP = re.compile(r"\$\{([A-Z0-9_]+)\}")
# What os.path.expandvars, and so pipenv, expands on Windows as well.
_PERCENT = re.compile(r"%(\w+)%", re.ASCII)
_URL = re.compile(r"(?P<scheme>[^:/?#@]+)://(?:(?P<userinfo>[^/?#]*)@)?(?P<rest>.*)", re.DOTALL)


class Source(NamedTuple):
    """A place in the project's files where a URL stands.

    Attributes:
        name: the source's name, or what else tells a user which place is meant.
        url: the URL as it is written, variables not expanded.
        origin: the file that it stands in.
        endpoint: the CodeArtifact repository; None for another index.
        username: the user of the URL; '' where it has none.
        password: its password as it is written, a variable or not; '' where it has none.
        mismatch_reason: why it is not CodeArtifact's although it looks so; None otherwise.
        verified: whether clients are told to hold its certificate to what they trust.
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
        """The variable that stands for the password, if one does."""
        match = _VARIABLE.fullmatch(self.password)
        return variable_name(match["bare"] or match["braced"]) if match else None

    @property
    def has_password(self) -> bool:
        """Whether the URL has a password, a variable or not."""
        return bool(self.password)

    @property
    def is_mirror(self) -> bool:
        """Whether PIPENV_PYPI_MIRROR names it, in the place of the public index."""
        return self.origin == MIRROR_VARIABLE


def read_source(name: str, url: str, origin: str, environ: Mapping[str, str]) -> Source:
    """Read one URL.

    Args:
        name: see Source.
        url: the URL as written.
        origin: the file's path.
        environ: the environment as pipenv will see it, ``.env`` included.
    """
    match = _URL.fullmatch(url)
    if match is None:  # it may be one variable as a whole
        match = _URL.fullmatch(expand(url, environ))
    if match is None:
        return Source(name, url, origin, None, "", "", None)
    username, _, password = (match["userinfo"] or "").partition(":")
    # With its user, and with its password unless that is the variable: an HTTP library may take
    # another host out of a userinfo with a slash or a backslash in it (urllib3 does).
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
    """Expand variables as pipenv does; what is not set stays as it is written."""

    def value(match: re.Match[str]) -> str:
        try:
            return environ.get(variable_name(match["bare"] or match["braced"]), match[0])
        except UnicodeEncodeError:  # os.environ has no such names
            return match[0]

    end = _end_of_braces(text)
    return _VARIABLE.sub(value, text[:end]) + _BARE.sub(value, text[end:])


def _end_of_braces(text: str) -> int:
    # To look from each ${ behind it for a brace that does not come takes the square of their number.
    return text.rfind("}") + 1


def url_fault(url: str, environ: Mapping[str, str]) -> str | None:
    """Say what keeps a URL, its variables expanded, from being read; None if it can be read."""
    match = _URL.fullmatch(expand(url, environ))
    try:
        # Without the userinfo, which a message must not repeat.
        _ = urlsplit(f"{match['scheme']}://{match['rest']}" if match else "").port
    except ValueError as error:
        return str(error)
    return None


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    return re.match(r"https?://(?:127\.[0-9.]+|localhost|\[::1\])(?=[:/?#]|$)", url) is not None


def userinfo_of(url: str) -> str | None:
    """Return what stands before the ``@`` of a URL as it is written, if anything does."""
    match = _URL.search(url)
    return match["userinfo"] if match else None


def variables_in(text: str) -> set[str]:
    """Return the names of all variables that a text mentions."""
    return {*_mentions(text), *_OF_PIP.findall(text)}


def _mentions(text: str) -> list[str]:
    # ${NAME:-default} is python-dotenv's.
    end = _end_of_braces(text)
    found = [*_VARIABLE.finditer(text, 0, end), *_BARE.finditer(text, end)]
    names = (match["bare"] or match["braced"].partition(":-")[0] for match in found)
    return [variable_name(name) for name in names]


def _may_expand(text: str) -> set[str]:
    return {*variables_in(text), *map(variable_name, _PERCENT.findall(text))}


def assign_variables(sources: Iterable[Source]) -> dict[str, RepositoryEndpoint]:
    """Say which variable must hold a token of which repository's domain.

    CODEARTIFACT_AUTH_TOKEN is among them when the project has one domain, named or not.

    Returns:
        By variable, an endpoint of the domain; in the order of the sources.

    Raises:
        ConfigurationError: one variable stands for the tokens of two domains, is not
            the name of a secret of the user's own, or stands in a URL that is not CodeArtifact's.
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
                f"{source.variable} stands for the tokens of two domains, {other.domain} and "
                f"{source.endpoint.domain}.",
                f"Name another variable in the URL of source {source.name} in {source.origin}, "
                f"such as ${{{TOKEN_VARIABLE}_{_suffix(source.endpoint.domain)}}}.",
                "variable-shared",
            )
    endpoints = [source.endpoint for source in sources if source.endpoint is not None]
    if len({endpoint.domain for endpoint in endpoints}) == 1:
        assigned.setdefault(TOKEN_VARIABLE, endpoints[0])
    for source in sources:
        check_token_use(source, assigned)
    return assigned


# Patterns as text: most commands need none of them, and compiling them takes a millisecond.
# The last word of a name that says of itself that it is a secret (ACME_INDEX_PASSWORD, CA_TOKEN2)...
_LAST_WORD = (
    r"(.*(TOKEN|PASSWORD|SECRET|APIKEY)|PASSWD|PASSPHRASE|PASS|PWD|PW|KEY|AUTH|CREDENTIALS?|CREDS?|PAT"
    r"|LOGIN|BEARER)[0-9]*"
)
# ...or a word before it (TOKEN_PROD), unless the last one makes it a place or a property of a secret.
_WORD_BEFORE = r"(.*(TOKEN|PASSWORD)|PASSWD|SECRET|CREDENTIALS?|CREDS?)[0-9]*"
_ABOUT = (
    r"ARN|CMD|COMMAND|DIR|DURATION|ENDPOINT|EXPIRATION|EXPIRES|EXPIRY|FD|FILE|FOLDER|HELPER|HOME|HOST"
    r"|ID|LIFE|LIFETIME|MODE|NAME|PATH|PORT|PROCESS|PROGRAM|PROVIDER|PROXY|SCOPE|SCRIPT|SOCK|SOCKET"
    r"|STORE|TTL|TYPE|URI|URL|USER|USERNAME"
)
# First words of names by which well-known programs take secrets of their own, and send them on.
_OF_PROGRAMS = (
    r"AWS|AZURE|ARM|GOOGLE|GCP|GCLOUD|CLOUDSDK|CLOUDFLARE|DIGITALOCEAN|HEROKU|NETLIFY|VERCEL"
    r"|VAULT|CONSUL|NOMAD|TF|TERRAFORM|PULUMI|KEYRING|OP"
    r"|CI|ACTIONS|RUNNER|SYSTEM|BUILDKITE|CIRCLE|CIRCLECI|DRONE|JENKINS|TEAMCITY|TRAVIS|RENOVATE"
    r"|GIT|GITHUB|GH|GITLAB|GL|GITEA|FORGEJO|BITBUCKET|SSH|GPG|GNUPG|COSIGN|SIGSTORE"
    r"|HTTPS?|SSL|CURL|FTP|SMTP|LDAP|KUBE|MYSQL|PG|POSTGRES|REDIS|REDISCLI|RSYNC|RESTIC|BORG|RCLONE"
    r"|ANTHROPIC|OPENAI|HF|HUGGINGFACE|HUGGING|KAGGLE|WANDB|CODECOV|COVERALLS|DATADOG|DD|OTEL|SAFETY"
    r"|SENTRY|SLACK|SNYK|SONAR"
)
# Those that make such names of an index's own name: an index of anybody's may be CODEARTIFACT.
_OF_PACKAGE_TOOLS = (
    r"UV|POETRY|PDM|HATCH|TWINE|FLIT|RYE|CONDA|ANACONDA|PIXI|RATTLER|DOCKER|PODMAN|HELM|NPM|NODE|YARN"
    r"|PNPM|BUN|DENO|CARGO|GEM|RUBYGEMS|BUNDLE|MAVEN|GRADLE|NUGET|HOMEBREW"
)
# A working directory, and what PostgreSQL sends.
_NOT_SECRETS = ("PWD", "PGPASSWORD")


def check_variable(name: str, where: str) -> None:
    """Raise ConfigurationError where a project wants a token in a variable that is not for it.

    Args:
        name: the variable's name.
        where: what of the project names it, as the beginning of a sentence.
    """
    if name == TOKEN_VARIABLE:
        return
    # The environment has no names with other signs, and shells only such as these.
    upper = name.upper()
    if re.fullmatch(r"\w+", name, re.ASCII) is None:
        why = "which is no name of a variable"
    elif _is_of_program(upper):
        why = "which is another program's own"
    elif "CODEARTIFACT" not in upper and not _is_secret(upper):
        why = "which is not the name of a secret"
    else:
        return
    raise ConfigurationError(
        f"{where} wants the token in {name!r}, {why}.",
        f"Name a variable of its own that ends in _TOKEN or _PASSWORD, such as ${{{TOKEN_VARIABLE}}}.",
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
    # (AWS_ENDPOINT_URL_CODEARTIFACT and AWS_CA_BUNDLE are botocore's.)
    if ("CODEARTIFACT" in name or name.startswith("AWS_CA_")) and _is_secret(name):
        return False
    return re.fullmatch(_OF_PROGRAMS, first) is not None


def check_token_use(source: Source, assigned: Mapping[str, RepositoryEndpoint]) -> None:
    """Raise ConfigurationError where a URL would carry a token to where it does not belong."""
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
                f"{source.origin} has {name} in a URL elsewhere than as its whole password "
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
    """Raise ConfigurationError where a text has the beginning of a variable, and no more of it.

    pipenv writes what an entry says on one line, its name, version and markers behind each
    other, and pip expands the variables of that line.
    """
    rest = source.url[_end_of_braces(source.url) :]
    if "${" in rest or rest.endswith("$"):
        raise ConfigurationError(
            f"{source.origin} has half of a variable in {source.name}, and pip would read it "
            "together with what stands behind it.",
            "Write a variable as a whole, as ${NAME}, in one text.",
            "token-elsewhere",
        )


def token_variables(domain: Domain, sources: Iterable[Source]) -> list[str]:
    """Return the variables in which a domain's token may have been handed over.

    The common name belongs to no domain if there are several: a token does not say which it
    is for.

    Args:
        domain: the domain.
        sources: all sources of its project.
    """
    ours = [source for source in sources if source.endpoint is not None]
    alone = all(source.endpoint and source.endpoint.domain == domain for source in ours)
    named = [s.variable for s in ours if s.endpoint and s.endpoint.domain == domain and s.variable]
    return list(dict.fromkeys([*named, *([TOKEN_VARIABLE] if alone else [])]))


def token_variable_for(domain: Domain, assigned: Mapping[str, RepositoryEndpoint]) -> str:
    """Return a variable for a domain's token that stands for no other domain's.

    Args:
        domain: the domain.
        assigned: the variables that are taken, as by ``assign_variables``.
    """
    taken = assigned.get(TOKEN_VARIABLE)
    if taken is None or taken.domain == domain:
        return TOKEN_VARIABLE
    return f"{TOKEN_VARIABLE}_{_suffix(domain)}"


def source_url(endpoint: RepositoryEndpoint, assigned: Mapping[str, RepositoryEndpoint]) -> str:
    """Return the URL of a new source, its token a variable."""
    variable = token_variable_for(endpoint.domain, assigned)
    return endpoint.simple_url.replace("://", f"://aws:${{{variable}}}@", 1)


def split_url(url: str) -> tuple[str, str | None, str] | None:
    """Split a URL as it is written into scheme, userinfo (None for none) and the rest."""
    match = _URL.fullmatch(url)
    return (match["scheme"], match["userinfo"], match["rest"]) if match else None


def _suffix(domain: Domain) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", domain.name.upper())


def login_of(url: str) -> tuple[str, tuple[str, str]] | None:
    """Return the host of a URL with its username and password; None without these.

    Nor is one that a netrc file cannot hold returned: that is left to the client's own means.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    login = unquote(parts.username or ""), unquote(parts.password or "")
    words = (parts.hostname or "", *login)
    plain = all(word.isprintable() and word and not set(word) & set(" \"'\\#") for word in words)
    return (words[0], login) if plain else None


def without_credentials(url: str) -> str:
    """Return a URL without its userinfo."""
    scheme, separator, rest = url.partition("://")
    end = next((at for at, sign in enumerate(rest) if sign in "/?#"), len(rest))
    return f"{scheme}{separator}{rest[:end].rpartition('@')[2]}{rest[end:]}"


def corrected_url(url: str) -> str | None:
    """Return the right form of a URL that is nearly a repository's; None if it is not clear.

    Variables that do not stand for the password are left to the user.
    """
    form = correct_url(without_credentials(url))
    if form is None or not form.is_whole or variables_in(without_credentials(url)):
        return None
    return form.url.replace("://", f"://{_login_of(url)}", 1)


def url_correction_hint(url: str, environ: Mapping[str, str]) -> str:
    """Say how the URL of a source should be written, its login a variable."""
    form = correct_url(without_credentials(expand(url, environ)))
    if form is None and "codeartifact" not in url.lower():
        return "Write it as https://HOST/PATH; a port is a number."
    host = "DOMAIN-ACCOUNT.d.codeartifact.REGION.amazonaws.com"
    right = form.url if form else f"https://{host}/pypi/REPOSITORY/simple/"
    unknown = form.unknown if form else "your own names"
    right = right.replace("://", f"://{_login_of(url)}", 1)
    return f"Write {right} in its place{f', with {unknown}' if unknown else ''}."


def _login_of(url: str) -> str:
    """Return the login for a repository's URL: that which it has, if its password is a variable."""
    userinfo = userinfo_of(url.strip()) or ""
    username, _, password = userinfo.partition(":")
    if re.fullmatch(r"\$\w+|\$\{\w+\}", password):
        return f"{username or USERNAME}:{password}@"
    return f"{USERNAME}:${{{TOKEN_VARIABLE}}}@"
