"""What AWS does not document about CodeArtifact, as switches that change what clients meet.

Each field is documented where it is defined, with the fact, its source, and why its default
is the default. The command line (``--behaviour NAME=VALUE``) and the table in
``examples/guides/sandbox.md`` come from the same definitions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from codeartifact_pipenv.sandbox.errors import SandboxUsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def _switch(*values: object, what: str, why: str) -> Any:
    return field(default=values[0], metadata={"values": values, "what": what, "why": why})


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the sandbox decides what AWS does not document.

    Raises:
        SandboxUsageError: a field has a value that is not one of its choices.
    """

    challenges: str = _switch(
        "bearer-basic",
        "basic-bearer",
        "bearer",
        "basic",
        what="which challenges a 401 brings in `WWW-Authenticate`, and in which order",
        why="Not documented. pex met `Bearer` (its issues 1803 and 3224), and its fix 3230, which"
        " answers Basic challenges only, works: so both are likely.",
    )
    read_denied: int = _switch(
        403,
        401,
        404,
        what="the status of a read without `codeartifact:ReadFromRepository`",
        why="Not documented, and no live report is known. 403 is what AWS answers to a caller that"
        " it knows.",
    )
    pages: str = _switch(
        "json",
        "html",
        what="whether pages come as JSON too (PEP 691), or only as HTML, whatever a client accepts",
        why="The newest user guide says JSON (Python compatibility), and pex met it (issue 3224);"
        " older copies say HTML only, and since when is not known.",
    )
    redirect: int | None = _switch(
        None,
        301,
        302,
        303,
        307,
        308,
        what="the status with which files are redirected to a host like S3, which refuses any"
        " `Authorization` header",
        why="Assets are downloaded from S3 (user guide, S3 gateway endpoints), so a redirect is"
        " likely; its status is not documented. None is the quicker one.",
    )
    upload_time: bool = _switch(
        False,
        True,
        what="whether JSON pages say when each file was uploaded (`upload-time`, PEP 700)",
        why="The user guide claims PEP 700, but uv's users found no such field in April and June"
        " 2026 (uv issues 18799 and 19929): so no.",
    )

    def __post_init__(self) -> None:
        for name, switch in SWITCHES.items():
            value = getattr(self, name)
            if value not in switch["values"]:
                raise SandboxUsageError(
                    f"The behaviour {name} cannot be {spell(value)}.",
                    f"It can be {', '.join(map(spell, switch['values']))}.",
                )


SWITCHES: dict[str, Mapping[str, Any]] = {one.name: one.metadata for one in fields(Behaviour)}
"""By field of Behaviour: its ``values``, the default first; ``what`` it decides; ``why`` so."""


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
        spelled = {spell(value): value for value in SWITCHES[name]["values"]}
        chosen[name] = spelled.get(text, text)
    return Behaviour(**chosen)
