"""How the URL of a source should be written. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from codeartifact_pipenv.checks.files.variable_spelling import (
    misspelt_variables,
    with_right_variables,
)
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.findings import USERNAME
from codeartifact_pipenv.project.sources import (
    expand,
    read_source,
    split_url,
    variable_for,
    variables_in,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.project.sources import Source


def repaired(
    url: str, environ: Mapping[str, str], assigned: Mapping[str, RepositoryEndpoint]
) -> str:
    """Return the URL of a source as it should be; what is not clear stays as it is.

    Args:
        url: the URL as it is written.
        environ: the environment, for variables in host and path.
        assigned: which variable stands for the token of which repository's domain.
    """
    nameless = any(found.is_clear and not found.is_named for found in misspelt_variables(url))
    url = with_right_variables(url, guessed=False)
    source = read_source("", url, "", environ)
    if source.resembles:
        url = findings.right_url(url) or url
        source = read_source("", url, "", environ)
    if nameless and source.endpoint is not None:  # the common variable may be another domain's
        source = source._replace(variable=variable_for(source.endpoint.domain, assigned))
    parts = split_url(url)
    if source.endpoint is None or parts is None:
        return url
    scheme, userinfo, rest = parts
    userinfo = _userinfo(userinfo, source, assigned)
    place = _place(rest, source.endpoint, environ)
    return f"{scheme}://{f'{userinfo}@' if userinfo else ''}{place}"


def _userinfo(
    userinfo: str | None,
    source: Source,
    assigned: Mapping[str, RepositoryEndpoint],
) -> str | None:
    username, _, password = (userinfo or "").partition(":")
    if not password or source.endpoint is None:
        return userinfo
    variable = source.variable
    if variable is None:
        if variables_in(password):  # more than a variable: whose it is nobody knows
            return userinfo
        variable = variable_for(source.endpoint.domain, assigned)
    if not variables_in(username):  # which may be right where it is set
        username = USERNAME
    return f"{username}:${{{variable}}}"


def _place(rest: str, endpoint: RepositoryEndpoint, environ: Mapping[str, str]) -> str:
    host, _, path = rest.partition("/")
    wanted = urlsplit(endpoint.simple_url).path
    if "?" in rest or "#" in rest:
        return rest
    if expand(f"/{path}", environ) == f"/{path}":
        return f"{host}{wanted}"
    # What a variable says is left to it.
    for end in ("", "/", "simple/", "/simple/"):
        if expand(f"/{path}{end}", environ) == wanted:
            return f"{rest}{end}"
    return rest
