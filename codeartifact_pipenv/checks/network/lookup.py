"""The answers of all indexes about a package, and why pipenv does not find it."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.checks.network.wanted import allowed_versions, closest_name
from codeartifact_pipenv.findings import FAILURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.checks.network.wanted import WantedPackage
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi
    from codeartifact_pipenv.lookups.index_client import Answer

# The key of the public index among names of sources.
PUBLIC = ""


class LookupResult(NamedTuple):
    """The answers of indexes about one package.

    Attributes:
        wanted: the package.
        answers: the answers in time, by name of a source, or PUBLIC.
        searched: the names of the sources that the project searches, in order.
        is_private: whether it is known to be private, so that only repositories were asked.
    """

    wanted: WantedPackage
    answers: Mapping[str, Answer]
    searched: tuple[str, ...]
    is_private: bool = False

    @property
    def server(self) -> str | None:
        """The first searched source that has it."""
        return next(
            (s for s in self.searched if s in self.answers and self.answers[s].has_page), None
        )

    @property
    def is_public(self) -> bool | None:
        """Whether the public index has it, or None if unknown."""
        answer = self.answers.get(PUBLIC)
        return answer.has_page if answer is not None and answer.is_definite else None

    def other_source(self, logins: Mapping[str, Login]) -> str | None:
        """Return a repository that has it, by its source's name."""
        return next(
            (s for s, answer in self.answers.items() if s in logins and answer.has_page), None
        )


def is_public_package(page: Answer, public: Answer | None) -> bool:
    """Whether a repository's page and the public page of that name have a file in common."""
    known = {file.sha256 for file in public.files if file.sha256} if public is not None else set()
    return any(file.sha256 in known for file in page.files)


def explain_absence(
    result: LookupResult,
    logins: Mapping[str, Login],
    account: BestEffortAwsApi,
    known: Iterable[str],
    *,
    is_direct: bool = False,
) -> Finding | None:
    """Explain why a package is not found, if all indexes gave a definite answer.

    Args:
        result: the answers about it.
        logins: the repositories by name of the source.
        account: the AWS API.
        known: names of packages that it can be a misspelling of.
        is_direct: whether a setting makes pipenv use the sources directly.
    """
    wanted = result.wanted
    given = [result.answers.get(s) for s in result.searched]
    if any(answer is None or not answer.is_definite for answer in given):
        return None
    other = result.other_source(logins)
    if other is not None:
        return missing_index(wanted, other, is_direct=is_direct)
    if result.is_public is None and not result.is_private:
        return None
    repositories = [logins[s] for s in result.searched if s in logins]
    if result.is_public:
        return _explain_not_served(wanted, repositories, account)
    names = list(known)
    for login in repositories:
        listed = account.package_names(login.endpoint) or []
        if wanted.name in listed:
            return login.finding(
                "read-denied",
                f"{login.place[0].upper()}{login.place[1:]} holds {wanted.name} but does not serve "
                "it: reading is denied, or no version is published.",
                "Ask for codeartifact:ReadFromRepository on that repository. If you can read other "
                "packages there, check the status of this one's versions: `aws codeartifact "
                "list-package-versions`.",
            )
        names += listed
    near = closest_name(wanted.name, names)
    where = (
        "in this project's repositories, and the settings or the lock mark it as private"
        if result.is_private
        else "in this project's indexes or on the public index"
    )
    sentence = f"Package {wanted.name} was not found {where}."
    hint = f"{wanted.correction}: did you mean {near}?" if near else None
    return wanted.finding("package-missing", sentence, hint)


def missing_index(
    wanted: WantedPackage, source: str, needed_by: str | None = None, *, is_direct: bool = False
) -> Finding:
    """Return the finding for a package that pipenv searches for in the wrong source.

    Args:
        wanted: the package.
        source: the name of the source that has it.
        needed_by: the package that depends on it, if the Pipfile does not list it.
        is_direct: whether a setting makes pipenv use the sources directly.
    """
    why = f", because {needed_by} needs it and the Pipfile does not list it" if needed_by else ""
    return wanted.finding(
        "dependency-unlisted" if needed_by else "index-missing",
        f"{wanted.name} is in source {source}, but pipenv searches only the first source{why}.",
        f'Write {wanted.name} = {{version = "{wanted.specifier or "*"}", index = "{source}"}} '
        f"in the Pipfile{', or remove the route setting' if is_direct else ''}.",
    )._replace(level=FAILURE)


def _explain_not_served(
    wanted: WantedPackage, logins: Iterable[Login], account: BestEffortAwsApi
) -> Finding | None:
    """Explain why a repository does not serve a public package."""
    for login in logins:
        if account.blocks_upstream(login.endpoint, wanted.name):
            return _blocked(wanted, login)
        chain = account.chain(login.endpoint)
        if chain is not None and chain.public is not None:
            continue
        why = "has no connection to public PyPI" if chain is not None else "does not serve it"
        unknown = "" if chain is not None else " AWS did not say whether it reaches public PyPI."
        sentence = f"{wanted.name} is a public package, but {login.place} {why}.{unknown}"
        return wanted.finding("no-public-upstream", sentence)
    return None


def blocked_version(
    result: LookupResult, login: Login, account: BestEffortAwsApi
) -> Finding | None:
    """Return the finding for a public version that origin control blocks, if it does."""
    public = result.answers.get(PUBLIC)
    if public is None or not allowed_versions(result.wanted, public.files):
        return None
    if account.blocks_upstream(login.endpoint, result.wanted.name):
        return _blocked(result.wanted, login)
    return None


def _blocked(wanted: WantedPackage, login: Login) -> Finding:
    return wanted.finding(
        "origin-blocked",
        f"{wanted.name}{wanted.specifier} is public, but origin control in {login.place} blocks "
        "public versions of that name (upstream BLOCK).",
    )
