"""Who acts, as far as policies are concerned: no keys, and fit to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any


class Actor(NamedTuple):
    """A user, or a role's session.

    Attributes:
        account: the account it belongs to.
        arn: the user's or the session's ARN.
        role: the ARN of the session's role; None for a user.
        session: JSON of the policies that the session was narrowed to; empty for none.
        tags: of the session, each a key and a value.
        provider: the OIDC provider that vouched for the session; None where none did.
        began: when the session began, in seconds since the epoch; None for a user.
    """

    account: str
    arn: str
    role: str | None = None
    session: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    provider: str | None = None
    began: float | None = None

    @classmethod
    def restore(cls, kept: list[Any]) -> Actor:
        """Return what was kept as a plain list."""
        actor = cls(*kept)
        return actor._replace(
            session=tuple(actor.session), tags=tuple((key, value) for key, value in actor.tags)
        )
