"""What the indexes said of a package."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.checks.network.wanted import Wanted
    from codeartifact_pipenv.diagnosis.pages import Answer

# The key of the public index among the places that are asked.
PUBLIC = ""


class LookupResult(NamedTuple):
    """What all places said of one package.

    Attributes:
        wanted: the package.
        answers: by name of a source, or PUBLIC, what it said; places that did not answer in
            time are not among them.
        serving: the names of the sources that the project looks in, in order.
        is_private: whether it is known to be private: no other source has been asked.
    """

    wanted: Wanted
    answers: Mapping[str, Answer]
    serving: tuple[str, ...]
    is_private: bool = False

    @property
    def server(self) -> str | None:
        """The source that serves it; None where none of those does that are looked in."""
        return next((s for s in self.serving if s in self.answers and self.answers[s].found), None)

    @property
    def is_public(self) -> bool | None:
        """Whether the public index has it; None for unknown."""
        answer = self.answers.get(PUBLIC)
        return answer.found if answer is not None and answer.is_definite else None

    def seen_elsewhere(self, logins: Mapping[str, Login]) -> str | None:
        """Return the repository that has it and is not looked in; None for none."""
        return next((s for s, answer in self.answers.items() if s in logins and answer.found), None)


def is_same(page: Answer, public: Answer | None) -> bool:
    """Whether a repository's package is the public one of that name: they have a file in common."""
    known = {file.sha256 for file in public.files if file.sha256} if public is not None else set()
    return any(file.sha256 in known for file in page.files)
