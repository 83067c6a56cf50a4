"""Holds what was locked against what the indexes have shown: proof, whatever pip was told.

Nothing has to be guessed about further ways by which pip finds files: what came by one of them
has a hash that no page of the project's sources lists.
"""

from __future__ import annotations

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.project.lock import entries_of
from codeartifact_pipenv.project.names import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from codeartifact_pipenv.proxy_index.index import ProxyIndex


def refuse_strangers(
    before: Mapping[str, Any] | None,
    done: Mapping[str, Any],
    index: ProxyIndex,
    *,
    everything: bool,
) -> None:
    """Raise CodeArtifactPipenvError where a lock has a file that no source has shown.

    What was locked before and is not resolved anew is left alone.

    Args:
        before: the lock as it was; None for none.
        done: what the command has made of it.
        index: what asked the sources.
        everything: whether the command resolves all that it asks for.
    """
    known: dict[tuple[str, object], set[str]] = {}
    for name, entry in entries_of(before):
        known.setdefault((normalise(name), entry.get("version")), set()).update(_hashes(entry))
    for written, entry in entries_of(done):
        name, version = normalise(written), entry.get("version")
        wanted = _hashes(entry)
        if not (everything and name in index.found):
            wanted -= known.get((name, version), set())
        served = index.served(name) if wanted and version else None
        if served is None or wanted <= served:
            continue
        strange = min(wanted - served)
        raise CodeArtifactPipenvError(
            f"{written} {str(version).lstrip('=')} was not taken from {index.place_of(name)}, which "
            f"does not list that file ({strange}).",
            "Nothing is locked. pip was told of another place: look at `pip config list`, the "
            "variables that begin with PIP_, and the Pipfile; then run the command again.",
            "not-served",
        )


def _hashes(entry: Mapping[str, Any]) -> set[str]:
    found = entry.get("hashes")
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()
