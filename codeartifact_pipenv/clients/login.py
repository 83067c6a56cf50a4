"""``pipenv-ca login`` and ``logout``: what ``aws codeartifact login`` does, and its way back.

A login is taken out of a file before another one goes in, so what a file said before any login
is always at hand, also where the user has edited it in between.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv import kept_file
from codeartifact_pipenv.clients.ledger import Ledger, Record, checksum
from codeartifact_pipenv.clients.logins import Netrc, Pip, Tool, Twine
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.atomic import (
    remove_leftovers,
    remove_user_file,
    write_user_file,
)
from codeartifact_pipenv.kept_file import Content
from codeartifact_pipenv.settings import default_state_dir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codeartifact_pipenv.clients.logins import Entry

TOOLS: dict[str, Callable[[str], Tool]] = {"pip": Pip, "twine": Twine, "netrc": Netrc}


class Login(NamedTuple):
    """What a login is to write.

    Attributes:
        tool: a key of ``TOOLS``.
        path: the tool's file.
        entries: the logins.
        tokens: by URL of an entry, in clear; without those that the keyring serves.
        expires_at: when the first token ends, seconds since the epoch; None for unknown.
    """

    tool: str
    path: str
    entries: Sequence[Entry]
    tokens: Mapping[str, str]
    expires_at: float | None


def open_ledger(environ: Mapping[str, str]) -> Ledger:
    """Return the ledger of this user.

    Raises:
        ConfigurationError: there is no home.
    """
    directory = default_state_dir(environ)
    if not directory:
        raise ConfigurationError("There is no home folder.", "Set HOME.")
    return Ledger(os.path.join(directory, "logins"))


def log_in(login: Login, ledger: Ledger) -> list[Entry]:
    """Write a login; return all that stand in the file.

    Raises:
        ConfigurationError: the file cannot be read or written; it is what it was.
    """
    with ledger.held():
        tool = TOOLS[login.tool](login.path)
        record = ledger.find(login.path)
        current = kept_file.read(login.path)
        base = current if record is None else _undone(tool, record, current)
        text = kept_file.decode(login.path, current.data)
        old = [] if record is None or current.data is None else record.entries
        replaced = tool.replaced(old, login.entries)
        start = text.text
        if record is not None and replaced:
            before = kept_file.decode(login.path, record.base.data)
            start = tool.withdraw(start, before.text, replaced)
        data = text.data(tool.add(start, login.entries, login.tokens))
        standing = [*(entry for entry in old if entry not in replaced), *login.entries]
        ends = [
            login.expires_at,
            record.expires_at if record and len(old) > len(replaced) else None,
        ]
        ledger.keep(
            Record(
                login.tool,
                login.path,
                base,
                checksum(data),
                standing,
                min((end for end in ends if end is not None), default=None),
            )
        )
        write_user_file(login.path, data, 0o600)
        return standing


def log_out(record: Record, ledger: Ledger) -> bool:
    """Give a file back as it was, save for what the user has changed since.

    Returns:
        Whether the user has changed it since.

    Raises:
        ConfigurationError: the file cannot be read or written; it is what it was.
    """
    with ledger.held():
        current = kept_file.read(record.path)
        before = _undone(TOOLS[record.tool](record.path), record, current)
        remove_leftovers(record.path)
        if before.data is None:
            remove_user_file(record.path)
        else:
            write_user_file(record.path, before.data, before.mode or 0o600)
        ledger.forget(record.path)
        return before != record.base


def _undone(tool: Tool, record: Record, current: Content) -> Content:
    """Return what a file would be without its logins."""
    if current.data is None:
        return current  # the user has removed it
    # (The second: a run that was killed before it wrote.)
    if checksum(current.data) == record.written or current.data == record.base.data:
        return record.base
    text = kept_file.decode(record.path, current.data)
    before = kept_file.decode(record.path, record.base.data)
    left = tool.withdraw(text.text, before.text, record.entries)
    if record.base.data is None and not left.strip():
        return record.base
    return Content(text.data(left), record.base.mode or current.mode)
