"""Compare resolved hashes with the pages that the project's sources served.

This is the proof that packages came from the project's sources, whatever else pip was told: a file
from another place has a hash that none of these pages lists.
"""

from __future__ import annotations

import functools

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.lookups.parallel import ask_all
from codeartifact_pipenv.project.lock import entries_of
from codeartifact_pipenv.project.names import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from codeartifact_pipenv.proxy_index.index import ProxyIndex


# For all pages that were not fetched during the run.
_SECONDS = 60.0


def verify_resolved_hashes(
    before: Mapping[str, Any] | None,
    done: Mapping[str, Any],
    index: ProxyIndex,
    *,
    everything: bool,
    is_checked: Callable[[str, Mapping[str, Any]], bool] = lambda _name, _entry: True,
) -> None:
    """Check the hashes of a lock that a command has just written.

    Entries that the command did not resolve are not checked.

    Args:
        before: the lock before the command; None if there was none.
        done: the lock that the command wrote.
        index: fetched the pages, or fetches them now.
        everything: True if every package whose page was requested was resolved.
        is_checked: takes a normalised name and its entry, returns False to skip it.

    Raises:
        CodeArtifactPipenvError: an entry has a hash that its source does not list.
    """
    known: dict[tuple[str, str], set[str]] = {}
    for name, entry in entries_of(before):
        version = str(entry.get("version") or "")
        known.setdefault((normalise(name), version), set()).update(_hashes(entry))
    resolved: list[tuple[str, str, set[str]]] = []
    for name, entry in ((normalise(name), entry) for name, entry in entries_of(done)):
        version = str(entry.get("version") or "")
        wanted = _hashes(entry)
        if not (everything and name in index.observed.found):
            wanted -= known.get((name, version), set())
        if wanted and version and is_checked(name, entry):
            resolved.append((name, version, wanted))

    def served_hashes(name: str) -> set[str] | None:
        return index.pages.hashes(name)

    asked = {name: functools.partial(served_hashes, name) for name, _, _ in resolved}
    answers = ask_all(asked, _SECONDS)
    for name, version, wanted in resolved:
        served = answers.get(name)
        if served is None or wanted <= served:
            continue
        strange = min(wanted - served)
        raise CodeArtifactPipenvError(
            f"{name} {version.lstrip('=')} did not come from {index.pages.place_of(name)}, which does "
            f"not list that file ({strange}).",
            "Nothing was locked. pip found the file in another place: check `pip config list`, the "
            "variables that begin with PIP_, and the Pipfile; then run the command again.",
            "not-served",
        )


def _hashes(entry: Mapping[str, Any]) -> set[str]:
    found = entry.get("hashes")
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()
