"""Logs tools in and out: one file is read, edited and written whole."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.clients.edits import TOOLS, Removal
from codeartifact_pipenv.clients.saved_copy import SavedCopy, checksum
from codeartifact_pipenv.clients.tool_file import Content, decode, read
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.atomic import remove_leftovers, remove_user_file, write_user_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.clients.edits import Entry
    from codeartifact_pipenv.clients.saved_copy import SavedCopies
    from codeartifact_pipenv.endpoint import Domain


class Logout(NamedTuple):
    """What a logout makes of a file.

    Attributes:
        path: the file's.
        after: its content then.
        domains: whose logins are taken out.
        copy: the saved copy; None where no login of ours is known.
        is_restored: whether the file is what it was before the login.
        aside: where a copy of what it said before is kept; None where nothing of it is lost.
    """

    path: str
    after: Content
    domains: set[Domain]
    copy: SavedCopy | None
    is_restored: bool
    aside: str | None = None


def log_in(tool: str, path: str, entries: Sequence[Entry], copies: SavedCopies) -> None:
    """Write logins into a tool's file; other logins in it stay where the tool can have several.

    Raises:
        ConfigurationError: the file cannot be read or written; it is unchanged.
    """
    with copies.locked():
        current = read(path)
        copy = copies.find(path)
        text = decode(path, current.data)
        start = text.text
        if TOOLS[tool].is_single:
            start = _removal(tool, path, start, copy).text
        data = text.data(TOOLS[tool].add(path, start, entries))
        before = plan_logout(tool, path, current, copy).after
        copies.save(SavedCopy(tool, path, before, checksum(data)))
        write_user_file(path, data, 0o600)


def plan_logout(tool: str, path: str, current: Content, copy: SavedCopy | None) -> Logout:
    """Return what a file is to be without its logins.

    A file that nobody has changed since the login gets back what it said before. From another
    one what names CodeArtifact is taken out; where no login of ours is known, only what holds
    a token, since the user may have written the rest.

    Raises:
        ConfigurationError: the tool itself could not read the file.
    """
    text = decode(path, current.data)
    removal = _removal(tool, path, text.text, copy)
    if copy is not None and copy.is_unchanged(current.data):
        return Logout(path, copy.before, removal.domains, copy, is_restored=True)
    after = current
    if removal.domains or removal.text != text.text:
        mode = current.mode if copy is None or copy.before.mode is None else copy.before.mode
        after = Content(text.data(removal.text), mode)
        if copy is not None and copy.before.data is None and not removal.text.strip():
            after = copy.before
    is_restored = copy is None or after.data == copy.before.data
    return Logout(path, after, removal.domains, copy, is_restored)


def log_out(tool: str, path: str, copies: SavedCopies) -> Logout | None:
    """Take the logins out of a tool's file.

    Returns:
        None where there was none.

    Raises:
        ConfigurationError: the file of a known login cannot be read or written; it is unchanged.
    """
    with copies.locked():
        plan = find_logout(tool, path, copies)
        remove_leftovers(path)
        if plan is None:
            return None
        if plan.after.data is None:
            remove_user_file(path)
        elif plan.after != read(path):
            write_user_file(path, plan.after.data, plan.after.mode or 0o600)
        if plan.copy is not None:
            if plan.after.data is not None and _loses(plan):
                plan = plan._replace(aside=copies.set_aside(plan.copy))
            copies.remove(path)
        return plan


def _loses(plan: Logout) -> bool:
    """Whether a line that stood in the file before the login is not in it now."""
    before = plan.copy.before.data if plan.copy else None
    after = (plan.after.data or b"").splitlines()
    return any(line not in after for line in (before or b"").splitlines())


def find_logout(tool: str, path: str, copies: SavedCopies) -> Logout | None:
    """Return what a logout would do to a file; None where there is nothing to do.

    Raises:
        ConfigurationError: as for :func:`log_out`.
    """
    copy = copies.find(path)
    try:
        current = read(path)
        plan = plan_logout(tool, path, current, copy)
    except ConfigurationError:
        if copy is None:
            return None  # its own tool says what is wrong with it
        raise
    return None if copy is None and plan.after == current else plan


def _removal(tool: str, path: str, text: str, copy: SavedCopy | None) -> Removal:
    return TOOLS[tool].remove(path, text, copy is None)
