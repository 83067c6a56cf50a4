"""Variables that are written as pipenv does not read them. Pure.

pipenv expands ``$NAME`` and ``${NAME}`` (os.path.expandvars), names in the case in which they
are set, and nothing else: what a shell, cmd.exe, make or a template would expand stays as it is
and is sent to the index so.
"""

from __future__ import annotations

import re

from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
# By shape: a pattern, and whether there the name alone stands for the whole.
_FORMS = (
    rf"\$\{{\s*(?P<name>{_NAME})\s*(?::?[-=?+][^}}]*|[#%/^,][^}}]*)\}}",  # ${NAME:-x}
    rf"\$\{{\s+(?P<name>{_NAME})\s*\}}|\$\{{(?P<other>{_NAME})\s+\}}",  # ${ NAME }
    rf"\$\$?\((?P<name>{_NAME})\)",  # $(NAME)
    rf"\$?\{{\{{-?\s*(?:env\.|secrets\.|vars\.)?(?P<name>{_NAME})\s*-?\}}\}}",  # {{ NAME }}
    rf"\$env:(?P<name>{_NAME})",
    rf"%(?P<name>{_NAME})%(?![0-9A-Fa-f]{{2}})",  # %NAME%, and not %41BC%20
    rf"(?<![${{\w])\{{(?P<name>{_NAME})\}}(?!\}})",  # {NAME}
)
_PLAIN = re.compile(rf"\$(?:(?P<bare>{_NAME})|\{{(?P<braced>{_NAME})\}})")


def misspelt_variables(text: str) -> Iterator[tuple[str, str]]:
    """Yield each variable of a URL that pipenv does not read as it is meant, and the right form."""
    for form in _FORMS:
        for match in re.finditer(form, text):
            name = match["name"] or match.groupdict().get("other")
            yield match[0], f"${{{name}}}"
    for match in _PLAIN.finditer(text):
        meant = _meant(match["bare"] or match["braced"], is_bare=bool(match["bare"]))
        if meant is not None:
            yield match[0], meant


def _meant(name: str, *, is_bare: bool) -> str | None:
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


def with_right_variables(text: str) -> str:
    """Return a URL with its variables written as pipenv reads them."""
    for wrong, right in misspelt_variables(text):
        text = text.replace(wrong, right)
    return text
