"""``pipenv-ca provision protect``: keeps public packages of the same name out, before there is one.

A package whose origin control blocks upstreams comes from the repository itself alone, whatever
is published under its name elsewhere; also one that does not exist yet (AWS user guide,
"Package origin controls").
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.clients.targets import Chosen
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.provision.calls import AbsentError, OvertakenError, ProvisionError
from codeartifact_pipenv.provision.steps import Plan, place
from codeartifact_pipenv.provision.view import (
    Agreement,
    Outcome,
    Subject,
    add_agreement_options,
    run_plan,
)
from codeartifact_pipenv.provision.where import add_place_options, find_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.provision.calls import Calls
    from codeartifact_pipenv.provision.steps import Step
    from codeartifact_pipenv.provision.where import Place
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_WANTED = ("ALLOW", "BLOCK")


class _Chosen(Chosen, Agreement):
    """What the words say."""

    names: Sequence[str] = ()
    from_pipfile: str | None = None


class Name(NamedTuple):
    """A name that is to be kept private.

    Attributes:
        name: normalised.
        is_given: whether the user said that it is private; else a file only suggests it.
    """

    name: str
    is_given: bool


class Origin(NamedTuple):
    """What a repository itself knows of a name.

    Attributes:
        publish, upstream: its origin controls, ``ALLOW`` or ``BLOCK``; '' where it has none.
        has_own: whether a version was published in the domain.
        has_public: whether a version came through an external connection.
    """

    publish: str = ""
    upstream: str = ""
    has_own: bool = False
    has_public: bool = False


class Protect(NamedTuple):
    """Reserve one name."""

    domain: Domain
    repository: str
    name: str
    former: str
    action: str = "change"

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"keep {self.name} private by publish=ALLOW,upstream=BLOCK"

    @property
    def reason(self) -> str:
        """What there was before, to be put back if need be."""
        return self.former

    def perform(self, calls: Calls) -> None:
        """Set the origin controls.

        Raises:
            ProvisionError: AWS's answer is not what was asked, it is a conflict (which no
                second look would tell from success), or there is no such repository.
        """
        try:
            answer = calls.codeartifact(
                "put_package_origin_configuration",
                **place(self.domain, self.repository),
                format="pypi",
                package=self.name,
                restrictions=dict(zip(("publish", "upstream"), _WANTED, strict=True)),
            )
        except (AbsentError, OvertakenError) as error:
            raise ProvisionError(error.sentence, error.hint, error.code) from error
        if _controls(answer) != _WANTED:
            raise ProvisionError(
                f"AWS has not taken the origin controls of {self.name}.", "Run the command again."
            )


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Reserve names.

    Raises:
        UsageError: the words are not understood, or name no package.
        ConfigurationError: the Pipfile cannot be read.
        CodeArtifactPipenvError: AWS refuses something, or is not reached.
    """
    chosen = _parser().parse_intermixed_args(list(arguments), _Chosen())
    names = {_name(word): True for word in chosen.names}
    if chosen.from_pipfile is not None:
        from codeartifact_pipenv.provision.pipfile_names import private_names

        endpoint, found = private_names(chosen.from_pipfile, chosen, os.environ)
        chosen.domain, chosen.domain_owner, chosen.region = endpoint.domain
        chosen.repository = endpoint.repository
        names = {**found, **names}
    if not names:
        raise UsageError(
            "There is no name to protect.",
            "Name packages; or --from-pipfile, where packages name CodeArtifact as their index.",
        )
    where = find_place(chosen, settings)
    wanted = [Name(name, is_given) for name, is_given in sorted(names.items())]
    back = (
        "The former state of one is given back by: aws codeartifact "
        f"put-package-origin-configuration --domain {where.endpoint.domain.name} --domain-owner "
        f"{where.endpoint.domain.owner} --repository {where.repository} --format pypi --package "
        "NAME --restrictions publish=ALLOW,upstream=ALLOW (or what is said above)"
    )
    return run_plan(
        Subject(
            f"Names in {where.repository} of {where.endpoint.domain}:",
            lambda: plan(observe(where, wanted), wanted, where),
            is_shown=False,  # whether AWS describes what has no version yet is not documented
        ),
        where.calls,
        chosen,
        Outcome({"repository": where.endpoint.url}, [back]),
        report,
    )


def _name(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", word):
        raise UsageError(
            f"No package can be named {word}.", "Take letters, digits and . _ - in it."
        )
    return normalise(word)


def observe(where: Place, names: Sequence[Name]) -> dict[str, Origin]:
    """Return what the repository itself knows of each name.

    Raises:
        ProvisionError: there is no such repository.
        CodeArtifactPipenvError: AWS refuses a look, or is not reached.
    """
    about = place(where.endpoint.domain, where.repository)
    try:
        where.calls.codeartifact("describe_repository", **about)
    except AbsentError as error:
        raise ProvisionError(error.sentence, error.hint, error.code) from error
    return {name.name: _origin(where.calls, about, name.name) for name in names}


def _origin(calls: Calls, about: Mapping[str, str], name: str) -> Origin:
    asked = {**about, "format": "pypi", "package": name}
    try:
        publish, upstream = _controls(calls.codeartifact("describe_package", **asked)["package"])
        own, public = (
            calls.codeartifact("list_package_versions", **asked, originType=kind, maxResults=1).get(
                "versions"
            )
            for kind in ("INTERNAL", "EXTERNAL")
        )
    except AbsentError:
        return Origin()
    return Origin(publish, upstream, bool(own), bool(public))


def _controls(answer: Mapping[str, Mapping[str, Mapping[str, str]]]) -> tuple[str, str]:
    found = answer.get("originConfiguration", {}).get("restrictions", {})
    return found.get("publish", ""), found.get("upstream", "")


def plan(state: Mapping[str, Origin], names: Sequence[Name], where: Place) -> Plan:
    """Say what is to be done. Pure.

    What the lock alone suggests is left alone unless it was published here: an index's name in
    a lock tells where a package came from, and a public one would be cut off from its updates.
    """
    present: list[str] = []
    steps: list[Step] = []
    notes: list[str] = []
    for name, is_given in names:
        found = state[name]
        if (found.publish, found.upstream) == _WANTED:
            present.append(f"{name}, with publish=ALLOW,upstream=BLOCK")
        elif not is_given and not found.has_own:
            why = "came from the public index" if found.has_public else "was not published here"
            notes.append(f"{name} is in the lock, and {why}: name it if it is private")
        else:
            if found.has_public:
                notes.append(
                    f"{name} has versions from the public index; they stay, and no more come"
                )
            former = f"it has publish={found.publish},upstream={found.upstream}"
            steps.append(
                Protect(
                    where.endpoint.domain,
                    where.repository,
                    name,
                    former if found.publish else "it is not in this repository yet",
                )
            )
    return Plan(tuple(present), tuple(steps), (), tuple(notes))


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision protect",
        description="Reserve names of private packages, also of ones that do not exist yet, so "
        "that a public package of the same name is never taken for them.",
        examples={
            "pipenv-ca provision protect --from-pipfile": "the project's private names",
            "pipenv-ca provision protect acme-core --dry-run": "see the plan",
        },
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a package's name")
    parser.add_argument(
        "--from-pipfile",
        nargs="?",
        const="",
        metavar="PATH",
        help="the names of a Pipfile and its lock that have CodeArtifact as index",
    )
    add_place_options(parser)
    add_agreement_options(parser)
    return parser
