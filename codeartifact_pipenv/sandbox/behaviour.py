"""What AWS does not document about CodeArtifact, as switches that change what clients meet.

``examples/guides/sandbox.md`` has the facts, their sources, and why a default is the default.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from codeartifact_pipenv.sandbox.errors import SandboxUsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

SWITCHES: dict[str, tuple[object, ...]] = {
    "challenges": ("bearer-basic", "basic-bearer", "bearer", "basic"),
    "read_denied": (403, 401, 404),
    "pages": ("json", "html"),
    "redirect": (None, 301, 302, 303, 307, 308),
    "upload_time": (False, True),
    "yanked": (False, True),
    "metadata": (False, True),
    "ranges": (False, True),
}
"""The values of each field of Behaviour, the default first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the sandbox decides what AWS does not document.

    Attributes:
        challenges: which logins a 401 asks for in ``WWW-Authenticate``, in this order.
        read_denied: the status of a read without ``codeartifact:ReadFromRepository``.
        pages: whether pages come as JSON too (PEP 691), or only as HTML.
        redirect: the status with which files are redirected to a host like S3; None for none.
        upload_time: whether JSON pages say when each file was uploaded (PEP 700).
        yanked: whether pages say which releases the public index has yanked (PEP 592).
        metadata: whether pages offer METADATA files, and these are served (PEP 658).
        ranges: whether a part of a file can be asked for by ``Range``.

    Raises:
        SandboxUsageError: a field has a value that is not one of its choices.
    """

    challenges: str = "bearer-basic"
    read_denied: int = 403
    pages: str = "json"
    redirect: int | None = None
    upload_time: bool = False
    yanked: bool = False
    metadata: bool = False
    ranges: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value, values = getattr(self, field.name), SWITCHES[field.name]
            if value not in values:
                raise SandboxUsageError(
                    f"The behaviour {field.name} cannot be {spell(value)}.",
                    f"It can be {', '.join(map(spell, values))}.",
                )


def spell(value: object) -> str:
    """Return a value as the command line spells it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def read_behaviour(words: Iterable[str]) -> Behaviour:
    """Read ``NAME=VALUE`` words; the last one for a name holds.

    Raises:
        SandboxUsageError: a name or a value is not known.
    """
    chosen: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in SWITCHES:
            raise SandboxUsageError(
                f"There is no behaviour {name}.", f"There are {', '.join(SWITCHES)}."
            )
        spelled = {spell(value): value for value in SWITCHES[name]}
        chosen[name] = spelled.get(text, text)
    return Behaviour(**chosen)
