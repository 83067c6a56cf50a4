"""``pipenv-ca provision protect``: reserves names and prefixes for private packages.

A name is blocked by the package's origin control in the repository, a prefix by a package group
of the domain. Both work before a package exists (AWS user guide, "Editing package origin
controls", "Package group origin controls").
"""

from __future__ import annotations

import os
import re
from typing import Any

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.clients.targets import Chosen
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.provision.aws import AbsentError, OvertakenError, ProvisionError, find
from codeartifact_pipenv.provision.ensure import Done, place
from codeartifact_pipenv.provision.plan import PlanOptions, Subject, add_plan_options, run_plan
from codeartifact_pipenv.provision.where import add_place_options, find_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codeartifact_pipenv.provision.where import Place
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_PRIVATE = {"publish": "ALLOW", "upstream": "BLOCK"}


class _ProtectOptions(Chosen, PlanOptions):
    """The options of the verb."""

    names: Sequence[str] = ()
    from_pipfile: str | None = None


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Reserve names and prefixes.

    Raises:
        UsageError: the words are not understood, or name no package.
        ConfigurationError: the Pipfile cannot be read.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    chosen = _parser().parse_intermixed_args(list(arguments), _ProtectOptions())
    prefixes = sorted({_prefix(word) for word in chosen.names if word.endswith("*")})
    names = _names(chosen)
    if not names and not prefixes:
        raise UsageError(
            "No name was given to protect.",
            "Name packages; or --from-pipfile, where packages name CodeArtifact as their index.",
        )
    where = find_place(chosen, settings)
    subject = Subject(
        f"Names in {where.repository} of {where.endpoint.domain}:",
        lambda dry_run: ensure_private(where, names, prefixes, dry_run=dry_run),
        {"repository": where.endpoint.url},
        list(_how_to_undo(where, names, prefixes)),
    )
    return run_plan(subject, where.aws, chosen, report)


def _names(chosen: _ProtectOptions) -> dict[str, bool]:
    """Return normalised names; False where only a lock suggests that one is private."""
    names = {_name(word): True for word in chosen.names if not word.endswith("*")}
    if chosen.from_pipfile is not None:
        from codeartifact_pipenv.provision.pipfile_names import private_names

        endpoint, found = private_names(chosen.from_pipfile, chosen, os.environ)
        chosen.domain, chosen.domain_owner, chosen.region = endpoint.domain
        chosen.repository = endpoint.repository
        names = {**found, **names}
    return dict(sorted(names.items()))


def _name(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", word):
        raise UsageError(
            f"No package can be named {word}.", "Take letters, digits and . _ - in it."
        )
    return normalise(word)


def _prefix(word: str) -> str:
    """Return a normalised prefix with its hyphen.

    AWS matches prefixes at the ends of words, so that one has to end there.
    """
    match = re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)[._-]+\*", word)
    if match is None:
        raise UsageError(
            f"{word} is not a prefix of names.", "Write a whole word and a hyphen, as in 'acme-*'."
        )
    return f"{normalise(match[1])}-"


def _how_to_undo(where: Place, names: Mapping[str, bool], prefixes: Sequence[str]) -> Iterator[str]:
    domain = where.endpoint.domain
    about = f"--domain {domain.name} --domain-owner {domain.owner}"
    if names:
        yield (
            f"To restore a name: aws codeartifact put-package-origin-configuration {about} "
            f"--repository {where.repository} --format pypi --package NAME --restrictions "
            "publish=ALLOW,upstream=ALLOW (or what the plan says it had)"
        )
    if prefixes:
        yield (
            f"To release a prefix: aws codeartifact delete-package-group {about} --package-group "
            "'/pypi//PREFIX~'"
        )


def ensure_private(
    where: Place, names: Mapping[str, bool], prefixes: Sequence[str], *, dry_run: bool
) -> Iterator[Done]:
    """Ensure that names and prefixes are private.

    Raises:
        ProvisionError: the repository does not exist.
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    where.aws.codeartifact("describe_repository", **_about(where))
    for name, is_given in names.items():
        yield from ensure_name(where, name, is_given=is_given, dry_run=dry_run)
    for prefix in prefixes:
        yield from ensure_prefix(where, prefix, dry_run=dry_run)


def ensure_name(where: Place, name: str, *, is_given: bool, dry_run: bool) -> Iterator[Done]:
    """Ensure that upstreams are blocked for one name in the repository.

    A name that only the lock suggests is left alone unless it was published here: the lock names
    the index of public packages that came through it, too, and those would get no updates.
    """
    about = {**_about(where), "format": "pypi", "package": name}
    found = find(where.aws.codeartifact, "describe_package", **about)
    former = _controls(found["package"]) if found else {}
    if former == _PRIVATE:
        yield Done("present", f"{name}, with {_spelled(former)}")
        return
    is_public = found is not None and _has_versions(where, about, "EXTERNAL")
    if not is_given and not (found and _has_versions(where, about, "INTERNAL")):
        why = "came from the public index" if is_public else "was not published here"
        yield Done("note", f"{name} is in the lock, and {why}: name it if it is private")
        return
    if is_public:
        yield Done("note", f"{name} has versions from the public index; they stay")
    if not dry_run:
        _set_controls(where, about)
    yield Done(
        "changed",
        f"keep {name} private by {_spelled(_PRIVATE)}",
        f"it has {_spelled(former)}" if former else "it is not in this repository yet",
    )


def _set_controls(where: Place, about: Mapping[str, str]) -> None:
    try:
        answer = where.aws.codeartifact(
            "put_package_origin_configuration", **about, restrictions=_PRIVATE
        )
    except (AbsentError, OvertakenError) as error:
        # AWS may not describe a package without versions: a second try could not tell.
        raise ProvisionError(error.sentence, error.hint, error.code) from error
    if _controls(answer) != _PRIVATE:
        raise ProvisionError(
            f"AWS has not applied the origin controls of {about['package']}.",
            "Run the command again.",
        )


def _has_versions(where: Place, about: Mapping[str, str], origin: str) -> bool:
    answer = find(
        where.aws.codeartifact, "list_package_versions", **about, originType=origin, maxResults=1
    )
    return bool(answer and answer.get("versions"))


def ensure_prefix(where: Place, prefix: str, *, dry_run: bool) -> Iterator[Done]:
    """Ensure that no package whose name begins with a prefix comes from the public index.

    The group is the domain's, so this holds for all its repositories. Only the external
    connection is blocked: repositories still get published packages from each other.
    """
    aws, group = where.aws, f"/pypi//{prefix}~"
    domain = place(where.endpoint.domain)
    found = find(aws.codeartifact, "describe_package_group", **domain, packageGroup=group)
    modes = _modes(found["packageGroup"]) if found else {}
    if modes.get("EXTERNAL_UPSTREAM") == "BLOCK" and modes.get("PUBLISH") != "INHERIT":
        yield Done("present", f"{prefix}*, by the package group {group}")
        return
    for name in _public_names(where, prefix):
        yield Done("note", f"{name} came from the public index before; its versions stay")
    if not dry_run:
        _block(where, group, modes)
    what = f"keep {prefix}* private in all repositories of {where.endpoint.domain.name} by the"
    if found is None:
        yield Done("created", f"{what} package group {group}", "it does not exist")
    else:
        yield Done("changed", f"{what} package group {group}", f"it has {_spelled(modes)}")


def _block(where: Place, group: str, modes: Mapping[str, str]) -> None:
    domain = place(where.endpoint.domain)
    if not modes:
        where.aws.codeartifact("create_package_group", **domain, packageGroup=group)
    restrictions = {"EXTERNAL_UPSTREAM": "BLOCK"}
    # Who has set this group's PUBLISH has chosen who may publish.
    if modes.get("PUBLISH", "INHERIT") == "INHERIT":
        restrictions["PUBLISH"] = "ALLOW"
    where.aws.codeartifact(
        "update_package_group_origin_configuration",
        **domain,
        packageGroup=group,
        restrictions=restrictions,
    )


def _modes(group: Any) -> dict[str, str]:
    found = group.get("originConfiguration", {}).get("restrictions", {})
    return {kind: found[kind]["mode"] for kind in ("PUBLISH", "EXTERNAL_UPSTREAM") if kind in found}


def _public_names(where: Place, prefix: str) -> list[str]:
    found = where.aws.pages(
        "codeartifact",
        "list_packages",
        "packages",
        **_about(where),
        format="pypi",
        packagePrefix=prefix,
        upstream="ALLOW",
    )
    return [each["package"] for each in found]


def _about(where: Place) -> dict[str, str]:
    return place(where.endpoint.domain, where.repository)


def _controls(answer: Mapping[str, Any]) -> dict[str, str]:
    return dict(answer.get("originConfiguration", {}).get("restrictions", {}))


def _spelled(restrictions: Mapping[str, str]) -> str:
    return ",".join(f"{kind}={mode}" for kind, mode in restrictions.items())


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca provision protect",
        description="Reserve names or prefixes of private packages, before or after they exist, so "
        "that a public package of the same name is never installed in their place.",
        examples={
            "pipenv-ca provision protect --from-pipfile": "the project's private names",
            "pipenv-ca provision protect 'acme-*' --dry-run": "see the plan for a prefix",
        },
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a package's name, or 'PREFIX-*'")
    parser.add_argument(
        "--from-pipfile",
        nargs="?",
        const="",
        metavar="PATH",
        help="the names of a Pipfile and its lock that have CodeArtifact as index",
    )
    add_place_options(parser)
    add_plan_options(parser)
    return parser
