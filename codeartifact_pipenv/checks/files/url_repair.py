"""How the URL of a source should be written, and variables that pipenv does not read. Pure.

pipenv expands ``$NAME`` and ``${NAME}`` (os.path.expandvars), names in the case in which they
are set, and nothing else: what a shell, cmd.exe, make or a template would expand stays as it is
and is sent to the index so.
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
# By shape: a pattern, and whether there the name alone stands for the whole.
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
    """What stands in a URL in place of a variable.

    Attributes:
        start: where it begins in the URL.
        end: the offset behind it.
        shown: it, as a sentence shows it.
        right: the variable in its right form; where nothing tells its name, one that is likely.
        is_clear: whether that is the only one that may be meant.
        is_named: whether the text itself has its name.
    """

    start: int
    end: int
    shown: str
    right: str
    is_clear: bool = True
    is_named: bool = True


def misspelt_variables(text: str) -> list[MisspeltVariable]:
    """Return what pipenv does not read in a URL as the variable that is meant; in order."""
    is_ours = explain_mismatch(text) is not None or ".codeartifact." in text.lower()
    found = list(_misspelt(text, is_ours=is_ours))
    user = _USER.search(text)
    if is_ours and user is not None and user[1] != "aws" and is_placeholder(user[1]):
        return [
            MisspeltVariable(*user.span(1), user[1], f"aws:${{{TOKEN_VARIABLE}}}", is_named=False)
        ]
    placeholder = placeholder_in(text)
    if placeholder is None or any(placeholder.start <= other.start for other in found):
        return sorted(found)
    name = placeholder.name or (TOKEN_VARIABLE if is_ours else "INDEX_PASSWORD")
    is_named = placeholder.name is not None
    start, end, shown = placeholder.start, placeholder.end, placeholder.shown
    return [MisspeltVariable(start, end, shown, f"${{{name}}}", is_ours or is_named, is_named)]


def _misspelt(text: str, *, is_ours: bool) -> Iterator[MisspeltVariable]:
    for form in _FORMS:
        for match in re.finditer(form, text):
            name = match["name"] or match.groupdict().get("other") or ""
            # (`{{ token }}` is a template's.)
            if is_ours and name.islower() and is_placeholder(name):
                name = TOKEN_VARIABLE
            yield MisspeltVariable(*match.span(), match[0], f"${{{name}}}")
    for match in _PLAIN.finditer(text):
        meant = _intended_variable(match["bare"] or match["braced"], is_bare=bool(match["bare"]))
        if meant is not None:
            yield MisspeltVariable(*match.span(), match[0], meant)


def _intended_variable(name: str, *, is_bare: bool) -> str | None:
    """Say what a name, that is nearly the token's variable, is to be."""
    if name == TOKEN_VARIABLE:
        return None
    if name.lower() == TOKEN_VARIABLE.lower():
        return f"${{{TOKEN_VARIABLE}}}"
    rest = name.removeprefix(TOKEN_VARIABLE)
    # (NAME_OTHER is what this program itself proposes for another domain.)
    if is_bare and rest != name and not rest.startswith("_"):
        return f"${{{TOKEN_VARIABLE}}}{rest}"
    return None


def with_right_variables(text: str, *, guessed: bool = True) -> str:
    """Return a URL with its variables written as pipenv reads them; ``guessed``: likely ones too."""
    for found in reversed(misspelt_variables(text)):
        if found.is_clear or guessed:
            text = f"{text[: found.start]}{found.right}{text[found.end :]}"
    return text


def repaired(
    url: str, environ: Mapping[str, str], assigned: Mapping[str, RepositoryEndpoint]
) -> str:
    """Return the URL of a source as it should be; what is not clear stays as it is."""
    nameless = any(found.is_clear and not found.is_named for found in misspelt_variables(url))
    url = with_right_variables(url, guessed=False)
    source = read_source("", url, "", environ)
    if source.mismatch_reason:
        url = corrected_url(url) or url
        source = read_source("", url, "", environ)
    if nameless and source.endpoint is not None:  # the common variable may be another domain's
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
        if variables_in(password):  # more than a variable: whose it is nobody knows
            return userinfo
        variable = token_variable_for(source.endpoint.domain, assigned)
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
