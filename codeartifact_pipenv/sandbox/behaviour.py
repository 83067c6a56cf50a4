"""Switches for details of CodeArtifact that AWS does not document.

``examples/guides/sandbox.md`` lists the known facts, their sources and the reason for each default.
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
    """The sandbox's choice for each detail that AWS does not document.

    Attributes:
        challenges: the authentication schemes that a 401 offers, in this order.
        read_denied: the status of a read without ``codeartifact:ReadFromRepository``.
        pages: whether pages are served as JSON too (PEP 691), or only as HTML.
        redirect: the status of a redirect to the S3-like host; without it, files are served directly.
        upload_time: whether JSON pages have upload times (PEP 700).
        yanked: whether pages mark releases that the public index has yanked (PEP 592).
        metadata: whether METADATA files of wheels are served (PEP 658).
        ranges: whether ``Range`` requests are supported.

    Raises:
        SandboxUsageError: a field has an unsupported value.
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
                    f"Behaviour {field.name} cannot be {spell(value)}.",
                    f"Choose from: {', '.join(map(spell, values))}.",
                )


def spell(value: object) -> str:
    """Return a value as written on the command line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def read_behaviour(words: Iterable[str]) -> Behaviour:
    """Parse ``NAME=VALUE`` words; a later word overrides an earlier one of the same name.

    Raises:
        SandboxUsageError: a name or a value is not supported.
    """
    chosen: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in SWITCHES:
            raise SandboxUsageError(
                f"Unknown behaviour {name!r}.", f"Choose from: {', '.join(SWITCHES)}."
            )
        spelled = {spell(value): value for value in SWITCHES[name]}
        chosen[name] = spelled.get(text, text)
    return Behaviour(**chosen)
