"""What the indexes said of a package, and why it is not found where a project looks for it."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.checks.network.wanted import near_name, satisfies
from codeartifact_pipenv.findings import FAILURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.checks.network.wanted import WantedPackage
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi
    from codeartifact_pipenv.lookups.index_client import Answer

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

    wanted: WantedPackage
    answers: Mapping[str, Answer]
    serving: tuple[str, ...]
    is_private: bool = False

    @property
    def server(self) -> str | None:
        """The source that serves it; None where none of those does that are looked in."""
        return next(
            (s for s in self.serving if s in self.answers and self.answers[s].has_page), None
        )

    @property
    def is_public(self) -> bool | None:
        """Whether the public index has it; None for unknown."""
        answer = self.answers.get(PUBLIC)
        return answer.has_page if answer is not None and answer.is_definite else None

    def seen_elsewhere(self, logins: Mapping[str, Login]) -> str | None:
        """Return the repository that has it and is not looked in; None for none."""
        return next(
            (s for s, answer in self.answers.items() if s in logins and answer.has_page), None
        )


def is_same(page: Answer, public: Answer | None) -> bool:
    """Whether a repository's package is the public one of that name: they have a file in common."""
    known = {file.sha256 for file in public.files if file.sha256} if public is not None else set()
    return any(file.sha256 in known for file in page.files)


def absence(
    result: LookupResult,
    logins: Mapping[str, Login],
    account: BestEffortAwsApi,
    known: Iterable[str],
    *,
    is_direct: bool = False,
) -> Finding | None:
    """Say why a package is found nowhere; None where not every place has said whether it has it.

    A misspelt name is compared with ``known`` ones.
    """
    wanted = result.wanted
    given = [result.answers.get(s) for s in result.serving]
    if any(answer is None or not answer.is_definite for answer in given):
        return None
    elsewhere = result.seen_elsewhere(logins)
    if elsewhere is not None:
        return missing_index(wanted, elsewhere, is_direct=is_direct)
    if result.is_public is None and not result.is_private:
        return None
    repositories = [logins[s] for s in result.serving if s in logins]
    if result.is_public:
        return _not_passed_on(wanted, repositories, account)
    names = list(known)
    for login in repositories:
        listed = account.package_names(login.endpoint) or []
        if wanted.name in listed:
            return login.finding(
                "read-denied",
                f"AWS lists {wanted.name} in {login.place} and does not show it: reading is "
                "denied, or no version of it is published.",
                "Ask for codeartifact:ReadFromRepository on that repository. If other packages "
                "are shown, see the status of its versions: `aws codeartifact "
                "list-package-versions`.",
            )
        names += listed
    near = near_name(wanted.name, names)
    where = (
        "in a repository of this project, and settings or lock call it private"
        if result.is_private
        else "in this project's indexes or on the public index"
    )
    said = f"Package {wanted.name} was not found {where}."
    hint = f"{wanted.correction}: did you mean {near}?" if near else None
    return wanted.finding("package-missing", said, hint)


def missing_index(
    wanted: WantedPackage, source: str, needed_by: str | None = None, *, is_direct: bool = False
) -> Finding:
    """Return the finding for a package that is looked for in another source than it is in.

    ``needed_by`` names the package that needs one that the Pipfile does not list; ``is_direct``:
    a setting keeps pipenv-ca from using its own index.
    """
    why = f", because {needed_by} needs it and the Pipfile does not list it" if needed_by else ""
    return wanted.finding(
        "dependency-unlisted" if needed_by else "index-missing",
        f"{wanted.name} is in source {source}, and pipenv looks for it in the first source "
        f"only{why}.",
        f'Write {wanted.name} = {{version = "{wanted.specifier or "*"}", index = "{source}"}} '
        f"in the Pipfile{', or leave the route to pipenv-ca' if is_direct else ''}.",
    )._replace(level=FAILURE)


def _not_passed_on(
    wanted: WantedPackage, logins: Iterable[Login], account: BestEffortAwsApi
) -> Finding | None:
    """Say why a repository does not pass a public package on."""
    for login in logins:
        if account.blocks_upstream(login.endpoint, wanted.name):
            return _blocked(wanted, login)
        chain = account.chain(login.endpoint)
        if chain is not None and chain.public is not None:
            continue
        why = "has no connection to public PyPI" if chain is not None else "does not serve it"
        unknown = "" if chain is not None else " AWS did not say whether it reaches public PyPI."
        said = f"{wanted.name} is a public package, and {login.place} {why}.{unknown}"
        return wanted.finding("no-public-upstream", said)
    return None


def blocked_version(
    result: LookupResult, login: Login, account: BestEffortAwsApi
) -> Finding | None:
    """Say that origin control keeps a version out that the public index has; None else."""
    public = result.answers.get(PUBLIC)
    if public is None or not satisfies(result.wanted, public.files):
        return None
    if account.blocks_upstream(login.endpoint, result.wanted.name):
        return _blocked(result.wanted, login)
    return None


def _blocked(wanted: WantedPackage, login: Login) -> Finding:
    return wanted.finding(
        "origin-blocked",
        f"{wanted.name}{wanted.specifier} is public, and origin control of {login.place} keeps "
        "public versions of that name out (upstream BLOCK).",
    )
