"""The AWS identity of a call, and the parameters of a token request."""

from __future__ import annotations

from typing import NamedTuple


class AccessKeys:
    """A fixed pair of AWS access keys; its text and repr do not show the secret.

    Attributes:
        key_id: the access key's id, which is not a secret.
        secret: the secret access key.
    """

    __slots__ = ("key_id", "secret")

    def __init__(self, key_id: str, secret: str) -> None:
        self.key_id = key_id
        self.secret = secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccessKeys) and (self.key_id, self.secret) == (
            other.key_id,
            other.secret,
        )

    def __hash__(self) -> int:
        return hash(self.key_id)

    def __repr__(self) -> str:
        return f"AccessKeys({self.key_id!r})"


class Caller(NamedTuple):
    """The AWS identity of a call.

    Attributes:
        profile: the AWS profile, or None for the one in the environment.
        keys: access keys to use instead of the profile's, or None.
        role: ARN of an IAM role to assume with these credentials, or None.
        profile_from: what names the profile, for messages, or None if unknown.
    """

    profile: str | None = None
    keys: AccessKeys | None = None
    role: str | None = None
    profile_from: str | None = None

    def __str__(self) -> str:
        who = f"profile {self.profile}" if self.profile else "no profile"
        who = f"access key {self.keys.key_id}" if self.keys else who
        return f"{who}, role {self.role}" if self.role else who


class TokenRequest(NamedTuple):
    """The parameters of a token request.

    Attributes:
        duration: its life in seconds; 0 for as long as the role's own session.
        caller: as whom.
        origin: the section of keyring's configuration that set any of it, or None.
    """

    duration: int
    caller: Caller = Caller()
    origin: str | None = None

    def __str__(self) -> str:
        return f"{self.caller}, {self.duration} seconds"
