"""What AWS does not say of CodeArtifact, as switches: each has a default and other readings.

Each field is documented where it is defined, with the fact, its source, and why its default
is the default. The command line (``--behaviour NAME=VALUE``) and the table in
``examples/guides/sandbox.md`` come from the same definitions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from codeartifact_pipenv.sandbox.errors import SandboxUsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from dataclasses import Field

_LONGEST_SECONDS = 86400


class Switch(NamedTuple):
    """One field of :class:`Behaviour`, as it is spelled and explained.

    Attributes:
        name: the field's name.
        default: its value where nothing is said.
        values: what it may be; empty where it is a number of seconds.
        what: what it decides.
        why: the fact, its source, and the reason for the default.
    """

    name: str
    default: object
    values: tuple[object, ...]
    what: str
    why: str

    @property
    def choices(self) -> str:
        """What it may be, for a sentence."""
        return ", ".join(map(spell, self.values)) or "a number of seconds"

    @property
    def spelled(self) -> str:
        """What it may be, as the command line spells it."""
        return "|".join(map(spell, self.values)) or "SECONDS"

    def read(self, text: str) -> object:
        """Return the value that a text spells; the text itself where it spells none."""
        if self.values:
            return next((value for value in self.values if spell(value) == text), text)
        try:
            return float(text)
        except ValueError:
            return text

    def allows(self, value: object) -> bool:
        """Whether it may have a value."""
        if self.values:
            # (True is no 1 here, nor 302.0 a status.)
            return any(value == known and type(value) is type(known) for known in self.values)
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 <= value <= _LONGEST_SECONDS
        )


def _switch(*values: object, what: str, why: str) -> Any:
    # The default comes first; a single value is that of a number of seconds.
    known = values if len(values) > 1 else ()
    about = {"values": known, "what": what, "why": why}
    return field(default=values[0], metadata=about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the sandbox reads what AWS does not say.

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
        why="Not documented, and no live report is known. 403 is what AWS says of a caller whom it"
        " knows.",
    )
    root: int = _switch(
        404,
        403,
        405,
        what="the status of `GET simple/`, the list of all packages",
        why="The user guide says that it is not supported (Python compatibility), and not with"
        " which status. 404 is that of every other address without anything behind it.",
    )
    links: str = _switch(
        "relative",
        "path",
        "absolute",
        what="how pages spell the addresses of files: relative to the page, as a path from the"
        " host's root, or whole",
        why="Not documented. Lock files of uv and pex (uv issues 1860 and 8957) show the resolved"
        " addresses only; every spelling resolves to these.",
    )
    metadata: bool = _switch(
        False,
        True,
        what="whether the metadata of wheels published here is offered apart (PEP 658 and 714)",
        why="The user guide claims PEP 503, 691 and 700, and does not name these two (Python"
        " compatibility): so no.",
    )
    pages: str = _switch(
        "json",
        "html",
        what="whether pages come as JSON too (PEP 691), or only as HTML, whatever a client takes",
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
    publish_blocked: int = _switch(
        409,
        403,
        400,
        what="the status of an upload where origin control blocks publishing",
        why="The user guide says that it is refused (package origin controls), and not with which"
        " status. 409 is what it says of a version that an upstream has.",
    )
    same_connection: str = _switch(
        "ValidationException",
        "ConflictException",
        "success",
        what="the answer to associating an external connection that is there already",
        why="Not documented. A second connection is refused with `currently limited to 1` and 400"
        " (a report to AWS's CloudFormation guide, pull request 1127): taken to hold for the same"
        " one, too.",
    )
    upstreams_and_connection: str = _switch(
        "ValidationException",
        "ConflictException",
        what="the refusal of upstreams beside an external connection, and of the reverse",
        why="A repository has one or the other (service model), and AWS's own CloudFormation"
        " handler removes one first; the error's name is not documented. A request that breaks a"
        " rule is mostly a ValidationException.",
    )
    throttled_read: int = _switch(
        429,
        503,
        what="the status of a read that is throttled",
        why="The quotas are documented (service limits), the status on package endpoints is not."
        " 429 is that of CodeArtifact's API.",
    )
    throttled_read_wait: int | None = _switch(
        None,
        1,
        5,
        what="the seconds in the `Retry-After` header of a throttled read",
        why="Not documented. Some clients try a 429 again only with that header, so none is the"
        " harder case.",
    )
    zero_duration: str = _switch(
        "12-hours",
        "ValidationException",
        what="what `duration=0` gives to keys that do not end",
        why="0 is documented for temporary credentials only (API reference). 12 hours is what is"
        " given where nothing is asked.",
    )
    visible_after: float = _switch(
        0.0,
        what="seconds from CreateDomain and CreateRepository until their Describe calls, which say"
        " ResourceNotFoundException so long, show what was made",
        why="AWS's own CloudFormation handlers wait until a domain can be described and is"
        " `Active`; how long that takes is not documented.",
    )

    def __post_init__(self) -> None:
        for switch in SWITCHES.values():
            value = getattr(self, switch.name)
            if not switch.allows(value):
                raise SandboxUsageError(
                    f"The behaviour {switch.name} cannot be {spell(value)}.",
                    f"It can be {switch.choices}.",
                )


def _described(one: Field[Any]) -> Switch:
    about = one.metadata
    return Switch(one.name, one.default, about["values"], about["what"], about["why"])


SWITCHES = {one.name: _described(one) for one in fields(Behaviour)}
"""Every field of Behaviour, by name."""


def spell(value: object) -> str:
    """Return a value as the command line spells it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_behaviour(words: Iterable[str]) -> Behaviour:
    """Read ``NAME=VALUE`` words; the last one for a name holds.

    Raises:
        SandboxUsageError: a name or a value is not known.
    """
    chosen: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        switch = SWITCHES.get(name)
        if switch is None or not sign:
            known = ", ".join(f"{s.name}={s.spelled}" for s in SWITCHES.values())
            raise SandboxUsageError(
                f"There is no behaviour {name}." if sign else f"{word} is not NAME=VALUE.",
                f"There are {known}.",
            )
        chosen[name] = switch.read(text)
    return Behaviour(**chosen)
