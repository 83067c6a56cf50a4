"""Correct the URL of a source, and find variables that pipenv does not expand. Pure.

pipenv expands only ``$NAME`` and ``${NAME}`` (os.path.expandvars), case-sensitively. Any other
syntax, of a shell, cmd.exe, make or a template, is sent to the index as written.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from codeartifact_pipenv.endpoint import explain_mismatch
from codeartifact_pipenv.project.placeholders import is_placeholder, placeholder_in
from codeartifact_pipenv.project.sources import (
    USERNAME,
    corrected_url,
    expand,
    read_source,
    split_url,
    token_variable_for,
    variables_in,
)
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.project.sources import Source

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_FORMS = (
    rf"\$\{{\s*(?P<name>{_NAME})\s*(?::?[-=?+][^}}]*|[#%/^,][^}}]*)\}}",  # ${NAME:-x}
    rf"\$\{{\s+(?P<name>{_NAME})\s*\}}|\$\{{(?P<other>{_NAME})\s+\}}",  # ${ NAME }
    rf"\$\$?\((?P<name>{_NAME})\)",  # $(NAME)
    rf"\$?\{{\{{-?\s*(?:env\.|secrets\.|vars\.)?(?P<name>{_NAME})\s*-?\}}\}}",  # {{ NAME }}
    rf"\$env:(?P<name>{_NAME})",
    rf"%(?P<name>{_NAME})%(?![0-9A-Fa-f]{{2}})",  # %NAME%, and not %41BC%20
    rf"(?<![${{\w])(?:[#@]|\$\s+)?\{{(?P<name>{_NAME})\}}(?!\}})",  # {NAME}, #{NAME}
)
_USER = re.compile(r"://([^:/?#@]+)@[^@]*$")
_PLAIN = re.compile(rf"\$(?:(?P<bare>{_NAME})|\{{(?P<braced>{_NAME})\}})")


class MisspeltVariable(NamedTuple):
    """A misspelt variable, or a placeholder for one, in a URL.

    Attributes:
        start: its offset in the URL.
        end: the offset of its end.
        shown: its text, as shown in sentences.
        right: the variable in its correct form, or a likely variable if the text does not name it.
        is_clear: whether only that variable can be meant.
        is_named: whether the text names the variable.
    """

    start: int
    end: int
    shown: str
    right: str
    is_clear: bool = True
    is_named: bool = True


def misspelt_variables(text: str) -> list[MisspeltVariable]:
    """Return the variables in a URL that pipenv does not expand as intended, in order."""
    is_codeartifact = explain_mismatch(text) is not None or ".codeartifact." in text.lower()
    found = list(_misspelt(text, is_codeartifact=is_codeartifact))
    user = _USER.search(text)
    if is_codeartifact and user is not None and user[1] != "aws" and is_placeholder(user[1]):
        return [
            MisspeltVariable(*user.span(1), user[1], f"aws:${{{TOKEN_VARIABLE}}}", is_named=False)
        ]
    placeholder = placeholder_in(text)
    if placeholder is None or any(placeholder.start <= other.start for other in found):
        return sorted(found)
    name = placeholder.name or (TOKEN_VARIABLE if is_codeartifact else "INDEX_PASSWORD")
    is_named = placeholder.name is not None
    start, end, shown = placeholder.start, placeholder.end, placeholder.shown
    return [
        MisspeltVariable(start, end, shown, f"${{{name}}}", is_codeartifact or is_named, is_named)
    ]


def _misspelt(text: str, *, is_codeartifact: bool) -> Iterator[MisspeltVariable]:
    for form in _FORMS:
        for match in re.finditer(form, text):
            name = match["name"] or match.groupdict().get("other") or ""
            # In a template, `{{ token }}` is a placeholder.
            if is_codeartifact and name.islower() and is_placeholder(name):
                name = TOKEN_VARIABLE
            yield MisspeltVariable(*match.span(), match[0], f"${{{name}}}")
    for match in _PLAIN.finditer(text):
        meant = _intended_variable(match["bare"] or match["braced"], is_bare=bool(match["bare"]))
        if meant is not None:
            yield MisspeltVariable(*match.span(), match[0], meant)


def _intended_variable(name: str, *, is_bare: bool) -> str | None:
    """Return the correct form of a name that is almost the token's variable, if it is."""
    if name == TOKEN_VARIABLE:
        return None
    if name.lower() == TOKEN_VARIABLE.lower():
        return f"${{{TOKEN_VARIABLE}}}"
    rest = name.removeprefix(TOKEN_VARIABLE)
    # NAME_OTHER is the variable that `fix` proposes for another domain.
    if is_bare and rest != name and not rest.startswith("_"):
        return f"${{{TOKEN_VARIABLE}}}{rest}"
    return None


def with_corrected_variables(text: str, *, guessed: bool = True) -> str:
    """Return a URL with its variables corrected, with ``guessed`` also the likely ones."""
    for found in reversed(misspelt_variables(text)):
        if found.is_clear or guessed:
            text = f"{text[: found.start]}{found.right}{text[found.end :]}"
    return text


def repair_url(
    url: str, environ: Mapping[str, str], assigned: Mapping[str, RepositoryEndpoint]
) -> str:
    """Return the corrected URL of a source; parts whose meaning is not clear stay as written."""
    nameless = any(found.is_clear and not found.is_named for found in misspelt_variables(url))
    url = with_corrected_variables(url, guessed=False)
    source = read_source("", url, "", environ)
    if source.mismatch_reason:
        url = corrected_url(url) or url
        source = read_source("", url, "", environ)
    if nameless and source.endpoint is not None:  # the usual variable may belong to another domain
        variable = token_variable_for(source.endpoint.domain, assigned)
        source = source._replace(password=f"${{{variable}}}")
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
        if variables_in(password):  # more than one variable: their meaning is not clear
            return userinfo
        variable = token_variable_for(source.endpoint.domain, assigned)
    if not variables_in(username):  # a variable may be set to the right name
        username = USERNAME
    return f"{username}:${{{variable}}}"


def _place(rest: str, endpoint: RepositoryEndpoint, environ: Mapping[str, str]) -> str:
    host, _, path = rest.partition("/")
    wanted = urlsplit(endpoint.simple_url).path
    if "?" in rest or "#" in rest:
        return rest
    if expand(f"/{path}", environ) == f"/{path}":
        return f"{host}{wanted}"
    # Keep variables, and only complete the path.
    for end in ("", "/", "simple/", "/simple/"):
        if expand(f"/{path}{end}", environ) == wanted:
            return f"{rest}{end}"
    return rest
