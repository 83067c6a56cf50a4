"""Holds what was locked against what the indexes have shown: proof, whatever pip was told.

Nothing has to be guessed about further ways by which pip finds files: what came by one of them
has a hash that no page of the project's sources lists.
"""

from __future__ import annotations

import functools

from codeartifact_pipenv.diagnosis.parallel import ask_all
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.project.lock import entries_of
from codeartifact_pipenv.project.names import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from codeartifact_pipenv.proxy_index.index import ProxyIndex


# What indexes are given in all, where pages have not been asked for in the run itself.
_SECONDS = 60.0


def refuse_strangers(
    before: Mapping[str, Any] | None,
    done: Mapping[str, Any],
    index: ProxyIndex,
    *,
    everything: bool,
    is_ours: Callable[[str, Mapping[str, Any]], bool] = lambda _name, _entry: True,
) -> None:
    """Raise CodeArtifactPipenvError where a lock has a file that no source has shown.

    What was locked before and is not resolved anew is left alone.

    Args:
        before: the lock as it was; None for none.
        done: what the command has made of it.
        index: what asked the sources.
        everything: whether the command resolves all that it asks for.
        is_ours: whether an entry, by its normalised name and itself, is to be looked at.
    """
    known: dict[tuple[str, str], set[str]] = {}
    for name, entry in entries_of(before):
        version = str(entry.get("version") or "")
        known.setdefault((normalise(name), version), set()).update(_hashes(entry))
    resolved: list[tuple[str, str, set[str]]] = []
    for name, entry in ((normalise(name), entry) for name, entry in entries_of(done)):
        version = str(entry.get("version") or "")
        wanted = _hashes(entry)
        if not (everything and name in index.found):
            wanted -= known.get((name, version), set())
        if wanted and version and is_ours(name, entry):
            resolved.append((name, version, wanted))
    asked = {name: functools.partial(index.served, name) for name, _, _ in resolved}
    answers = ask_all(asked, _SECONDS)
    for name, version, wanted in resolved:
        served = answers.get(name)
        if served is None or wanted <= served:
            continue
        strange = min(wanted - served)
        raise CodeArtifactPipenvError(
            f"{name} {version.lstrip('=')} was not taken from {index.place_of(name)}, which "
            f"does not list that file ({strange}).",
            "Nothing is locked. pip was told of another place: look at `pip config list`, the "
            "variables that begin with PIP_, and the Pipfile; then run the command again.",
            "not-served",
        )


def _hashes(entry: Mapping[str, Any]) -> set[str]:
    found = entry.get("hashes")
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()
