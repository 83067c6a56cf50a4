"""Where a package is, and why it is not found where a project looks for it."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.checks.network.repository import hidden_package
from codeartifact_pipenv.checks.network.wanted import near_name, satisfies
from codeartifact_pipenv.findings import Finding, failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.checks.network.wanted import Wanted
    from codeartifact_pipenv.diagnosis.account import Account
    from codeartifact_pipenv.diagnosis.pages import Answer

# The key of the public index among the places that are asked.
PUBLIC = ""


class Sighting(NamedTuple):
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


def absence(
    sighting: Sighting, logins: Mapping[str, Login], account: Account, known: Iterable[str]
) -> Finding | None:
    """Say why a package is found nowhere where the project looks for it.

    Args:
        sighting: what all places said.
        logins: the project's repositories, by name of the source.
        account: asks AWS for what the index does not tell.
        known: names to compare a misspelt one with.

    Returns:
        None where not every place has said whether it has it.
    """
    wanted = sighting.wanted
    given = [sighting.answers.get(s) for s in sighting.serving]
    if any(answer is None or not answer.is_definite for answer in given):
        return None
    elsewhere = sighting.seen_elsewhere(logins)
    if elsewhere is not None:
        return missing_index(wanted, elsewhere)
    if sighting.is_public is None and not sighting.is_private:
        return None
    repositories = [logins[s] for s in sighting.serving if s in logins]
    if sighting.is_public:
        return _not_passed_on(wanted, repositories, account)
    names = list(known)
    for login in repositories:
        listed = account.package_names(login.endpoint) or []
        if wanted.name in listed:
            return hidden_package(login, wanted.name)
        names += listed
    near = near_name(wanted.name, names)
    meant = f"did you mean {near}?" if near else "Check the spelling, or publish it."
    where = (
        "any repository of this project, and settings or lock call it private"
        if sighting.is_private
        else "any index of this project, nor in public"
    )
    return failure(
        "package-missing",
        f"package {wanted.name}",
        f"There is no package {wanted.name} in {where}.",
        f"Correct the name in {wanted.place}: {meant}" if near else meant,
    )


def missing_index(wanted: Wanted, source: str, needed_by: str | None = None) -> Finding:
    """Return the finding for a package that is looked for in another source than it is in.

    Args:
        wanted: the package.
        source: the source that has it.
        needed_by: which package needs it that the Pipfile does not list; None where it does.
    """
    why = f", because {needed_by} needs it and the Pipfile does not list it" if needed_by else ""
    return failure(
        "dependency-unlisted" if needed_by else "index-missing",
        f"package {wanted.name}",
        f"{wanted.name} is in source {source}, and pipenv looks for it in the first source "
        f"only{why}.",
        f'Write {wanted.name} = {{version = "{wanted.specifier or "*"}", index = "{source}"}} '
        "in the Pipfile, or leave the choice of the route to pipenv-ca.",
    )


def _not_passed_on(wanted: Wanted, logins: Iterable[Login], account: Account) -> Finding | None:
    """Say why a repository does not pass a public package on."""
    for login in logins:
        if account.blocks_upstream(login.endpoint, wanted.name):
            return _blocked(wanted, login)
        chain = account.chain(login.endpoint)
        if chain is not None and chain.public is not None:
            continue
        sure = "" if chain is not None else ", it seems"
        return failure(
            "no-public-upstream",
            f"package {wanted.name}",
            f"{wanted.name} is a public package, and {login.place} has no connection to public "
            f"PyPI{sure}.",
            "If that is the one you mean, give the repository an upstream with the external "
            "connection public:pypi, or add the public index as the first source of the Pipfile; "
            "if it is one of yours, publish it.",
        )
    return None


def blocked_version(
    sighting: Sighting, login: Login, account: Account, *, prereleases: bool
) -> Finding | None:
    """Say that origin control keeps a version out; None where it does not.

    Args:
        sighting: a package whose public page has what its repository's page lacks.
        login: the repository that serves it.
        account: asks AWS.
        prereleases: whether the project allows them.
    """
    public = sighting.answers.get(PUBLIC)
    if public is None or not satisfies(sighting.wanted, public.files, prereleases=prereleases):
        return None
    if account.blocks_upstream(login.endpoint, sighting.wanted.name):
        return _blocked(sighting.wanted, login)
    return None


def _blocked(wanted: Wanted, login: Login) -> Finding:
    return failure(
        "origin-blocked",
        f"package {wanted.name}",
        f"{wanted.name}{wanted.specifier} is public, and origin control of {login.place} keeps "
        "public versions of that name out (upstream BLOCK).",
        "That protects a private name. If the public package is meant, set "
        "`aws codeartifact put-package-origin-configuration ... "
        "--restrictions publish=ALLOW,upstream=ALLOW`.",
    )
