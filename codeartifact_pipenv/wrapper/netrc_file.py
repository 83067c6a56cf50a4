"""A netrc file for one run: the tokens, and what the user's own netrc says."""

from __future__ import annotations

import os

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
    return ours + theirs + (ours if clash else "")


def _users_own(environ: Mapping[str, str]) -> tuple[str, set[str]]:
    import netrc

    named = environ.get("NETRC")
    names = [named] if named else [os.path.expanduser("~/.netrc"), os.path.expanduser("~/_netrc")]
    for path in names:
        try:
            machines = set(netrc.netrc(path).hosts)
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (OSError, ValueError, netrc.NetrcParseError):
            continue
        return text if text.endswith("\n") else f"{text}\n", machines
    return "", set()
