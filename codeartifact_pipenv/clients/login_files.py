"""Logs tools in and out: one file is read, edited and written whole."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.clients.config_file import read_config
from codeartifact_pipenv.clients.edits import TOOLS
from codeartifact_pipenv.clients.login_store import SavedCopy, checksum
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.atomic import remove_leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.clients.config_file import ConfigFile
    from codeartifact_pipenv.clients.edits import Entry
    from codeartifact_pipenv.clients.login_store import LoginStore
    from codeartifact_pipenv.endpoint import Domain


class Logout(NamedTuple):
    """What a logout makes of a file.

    Attributes:
        after: the file then.
        domains: whose logins are taken out.
        before: the file before the login; None if no login of ours is known.
        aside: where a copy of ``before`` is kept because lines of it are lost.
    """

    after: ConfigFile
    domains: set[Domain]
    before: ConfigFile | None
    aside: str | None = None

    @property
    def is_restored(self) -> bool:
        """Whether the file is what it was before the login."""
        return self.before is not None and self.after.data == self.before.data


def log_in(tool: str, path: str, entries: Sequence[Entry], store: LoginStore) -> None:
    """Write logins into a tool's file; other logins in it stay if the tool can have several.

    Raises:
        ConfigurationError: the file cannot be read or written; it is unchanged.
    """
    with store.locked():
        current = read_config(path)
        before = _plan(tool, current, store.find(path)).after
        start = before if TOOLS[tool].is_single else current
        text = TOOLS[tool].add(path, start.text, entries)
        after = current.with_text(text)._replace(mode=0o600)
        store.save(SavedCopy(tool, before, checksum(after.data)))
        after.write()


def log_out(tool: str, path: str, store: LoginStore) -> Logout | None:
    """Take the logins out of a tool's file.

    Returns:
        None if there was none.

    Raises:
        ConfigurationError: the file of a known login cannot be read or written; it is unchanged.
    """
    with store.locked():
        plan = find_logout(tool, path, store)
        remove_leftovers(path)
        if plan is None:
            return None
        if plan.after != read_config(path):
            plan.after.write()
        if plan.before is not None:
            if _loses_lines(plan):
                plan = plan._replace(aside=store.set_aside(plan.before))
            store.remove(path)
        return plan


def find_logout(tool: str, path: str, store: LoginStore) -> Logout | None:
    """Return what a logout would do to a file; None if there is nothing to do.

    Raises:
        ConfigurationError: as for :func:`log_out`.
    """
    copy = store.find(path)
    try:
        current = read_config(path)
        plan = _plan(tool, current, copy)
    except ConfigurationError:
        if copy is None:
            return None  # its own tool says what is wrong with it
        raise
    return None if copy is None and plan.after == current else plan


def _plan(tool: str, current: ConfigFile, copy: SavedCopy | None) -> Logout:
    """Return what a file is to be without its logins.

    A file that nobody has changed since the login gets back what it said before. From another
    one what names CodeArtifact is taken out; if no login of ours is known, only what holds a
    token, since the user may have written the rest.
    """
    removal = TOOLS[tool].remove(current.path, current.text, copy is None)
    before = copy and copy.before._replace(path=current.path)
    if copy and before and current.data is not None and checksum(current.data) == copy.written:
        return Logout(before, removal.domains, before)
    after = current
    if removal.text != current.text:
        after = current.with_text(removal.text)
        if before and before.data is None and not removal.text.strip():
            after = before
        elif before and before.mode is not None:
            after = after._replace(mode=before.mode)
    return Logout(after, removal.domains, before)


def _loses_lines(plan: Logout) -> bool:
    """Whether a line that stood in the file before the login is not in it now."""
    if plan.before is None or plan.before.data is None or plan.after.data is None:
        return False
    return not {*plan.before.data.splitlines()} <= {*plan.after.data.splitlines()}
