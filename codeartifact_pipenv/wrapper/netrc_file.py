"""A netrc file for one run: the tokens, and what the user's own netrc says."""

from __future__ import annotations

import os

from codeartifact_pipenv.files.reading import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def compose(lines: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the text of a netrc file: our lines, then the user's own file.

    Some readers take the first entry of a machine and Python's netrc takes the last, so where
    the user's file has one of ours, ours stands at both ends. A file that Python's netrc
    cannot read is left out: it would take our lines down with it.
    """
    ours = "".join(f"{line}\n" for line in lines)
    theirs, machines = _users_own(environ)
    clash = any(line.split()[1] in machines for line in lines)
    # An entry that breaks off, or an open quote, takes the first word of ours for its value.
    # Tried without the tokens: what tries it writes a file.
    like_ours = "".join(f"machine {line.split()[1]} login aws password x\n" for line in lines)
    tried = like_ours + theirs + (like_ours if clash else "")
    if theirs and not _is_readable(tried):
        return ours
    return ours + theirs + (ours if clash else "")


def _is_readable(text: str) -> bool:
    import netrc
    import tempfile

    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".netrc") as file:
        file.write(text)
        file.flush()
        try:
            netrc.netrc(file.name)
        except (OSError, ValueError, netrc.NetrcParseError):
            return False
    return True


def _users_own(environ: Mapping[str, str]) -> tuple[str, set[str]]:
    import netrc

    named = environ.get("NETRC")
    for name in [named] if named else ["~/.netrc", "~/_netrc"]:
        path = os.path.expanduser(name)
        try:
            text = read_text(path)
            machines = set(netrc.netrc(path).hosts)
        except (OSError, ValueError, netrc.NetrcParseError):
            continue
        return text if text.endswith("\n") else f"{text}\n", machines
    return "", set()
