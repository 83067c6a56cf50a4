"""``pipenv-ca provision protect``: reserves names and prefixes for private packages.

A name is blocked by the package's origin control in the repository, a prefix by a package group
of the domain. Both work before a package exists (AWS user guide, "Editing package origin
controls", "Package group origin controls").
"""

from __future__ import annotations

import os
import re
from typing import Any

from codeartifact_pipenv.auth.resolver import caller_for
from codeartifact_pipenv.errors import ConfigurationError, UsageError
from codeartifact_pipenv.project.pipfile import (
    entries_of,
    load_project,
    normalise,
    read_lock,
    working_directory,
)
from codeartifact_pipenv.provision.aws import Aws
from codeartifact_pipenv.provision.plan import Plan, Step, add_plan_options, run_plan
from codeartifact_pipenv.provision.target import add_target_options, find_repository
from codeartifact_pipenv.terminal.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_PRIVATE = {"publish": "ALLOW", "upstream": "BLOCK"}


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Reserve names and prefixes; raises what ``cli.main`` does."""
    options = _parser().parse_intermixed_args(list(arguments))
    prefixes = sorted({word.removesuffix("*") for word in options.words if word.endswith("*")})
    names = _names(options)
    if not names and not prefixes:
        raise UsageError(
            "No name was given to protect.",
            "Name packages; or --from-pipfile, where packages name CodeArtifact as their index.",
        )
    endpoint = find_repository(options, settings)
    aws = Aws(endpoint.domain, caller_for(settings, endpoint.domain))
    repository = str(endpoint.repository)
    plan = Plan(
        f"Names in {repository} of {aws.domain}:",
        lambda: _ensure_private(aws, repository, names, prefixes),
        {"repository": endpoint.url},
        list(_how_to_undo(aws, repository, names, prefixes)),
    )
    return run_plan(plan, aws, options, report)


def _names(options: argparse.Namespace) -> dict[str, bool]:
    """Return normalised names; False if only a lock suggests that one is private."""
    names = {word: True for word in options.words if not word.endswith("*")}
    if options.from_pipfile is not None:
        endpoint, found = _private_names(options.from_pipfile, options)
        options.domain, options.domain_owner, options.region = endpoint.domain
        options.repository = endpoint.repository
        names = {**found, **names}
    return dict(sorted(names.items()))


def _private_names(
    path: str, options: argparse.Namespace
) -> tuple[RepositoryEndpoint, dict[str, bool]]:
    """Return a project's CodeArtifact repository, and the names that have it as their index.

    A name is True if the Pipfile itself says so. (A lock names the index of public packages, too,
    that came through the repository.)
    """
    project = _load(path)
    sources = project.sources()
    endpoint = _endpoint(sources, options)
    indexes = {source.name for source in sources if source.endpoint == endpoint}
    locked = read_lock(project.lock or "")
    return endpoint, {
        entry.name: is_listed
        for document, is_listed in ((locked, False), (project.document, True))
        for entry in entries_of(document)
        if entry.source in indexes
    }


def _load(path: str) -> Project:
    environ = dict(os.environ)
    if path:
        given = os.path.abspath(path)
        is_folder = os.path.isdir(given)
        environ["PIPENV_PIPFILE"] = os.path.join(given, "Pipfile") if is_folder else given
    project = load_project(environ, working_directory(), lambda: None)
    if project.pipfile is None:
        raise ConfigurationError(
            "A Pipfile was not found in this folder or above.", "Name it: --from-pipfile PATH."
        )
    return project


def _endpoint(sources: Sequence[Source], options: argparse.Namespace) -> RepositoryEndpoint:
    given = (options.domain, options.domain_owner, options.region, options.repository)
    found = set()
    for each in (source.endpoint for source in sources if source.endpoint is not None):
        parts = (*each.domain, each.repository)
        if all(word in {None, part} for word, part in zip(given, parts, strict=True)):
            found.add(each)
    if len(found) == 1:
        return found.pop()
    raise UsageError(
        f"The Pipfile has {'several' if found else 'no such'} CodeArtifact sources.",
        "Say which one is meant by --domain and --repository, or name packages.",
    )


def _word(word: str) -> str:
    """Return a normalised name, or a prefix with its hyphen and ``*``.

    AWS matches prefixes at the ends of words, so that one has to end there.
    """
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?([._-]+\*)?", word):
        raise UsageError(
            f"{word} is neither the name of a package nor a prefix.",
            "A name has letters, digits and . _ -; a prefix is whole words and a hyphen: 'acme-*'.",
        )
    return normalise(word)


def _how_to_undo(
    aws: Aws, repository: str, names: Mapping[str, bool], prefixes: Sequence[str]
) -> Iterator[str]:
    domain = f"--domain {aws.domain.name} --domain-owner {aws.domain.owner}"
    if names:
        yield (
            f"To restore a name: aws codeartifact put-package-origin-configuration {domain} "
            f"--repository {repository} --format pypi --package NAME --restrictions "
            "publish=ALLOW,upstream=ALLOW (or what the plan says it had)"
        )
    if prefixes:
        yield (
            f"To release a prefix: aws codeartifact delete-package-group {domain} --package-group "
            "'/pypi//PREFIX~'"
        )


def _ensure_private(
    aws: Aws, repository: str, names: Mapping[str, bool], prefixes: Sequence[str]
) -> Iterator[Step]:
    aws.codeartifact("describe_repository", repository=repository)
    for name, is_given in names.items():
        yield from _ensure_name(aws, repository, name, is_given=is_given)
    for prefix in prefixes:
        yield from _ensure_prefix(aws, repository, prefix)


def _ensure_name(aws: Aws, repository: str, name: str, *, is_given: bool) -> Iterator[Step]:
    """Ensure that upstreams are blocked for one name in the repository.

    A name that only the lock suggests is left alone unless it was published here: the lock names
    the index of public packages that came through it, too, and those would get no updates.
    """
    about = {"repository": repository, "format": "pypi", "package": name}
    found = aws.find("describe_package", **about)
    former = found["package"].get("originConfiguration", {}).get("restrictions") if found else None
    if former == _PRIVATE:
        yield Step("present", f"{name}, with {_spelled(former)}")
        return
    is_public = found is not None and _has_versions(aws, about, "EXTERNAL")
    if not is_given and not (found and _has_versions(aws, about, "INTERNAL")):
        why = "came from the public index" if is_public else "was not published here"
        yield Step("note", f"{name} is in the lock, and {why}: name it if it is private")
        return
    if is_public:
        yield Step("note", f"{name} has versions from the public index; they stay")
    yield Step(
        "change",
        f"keep {name} private by {_spelled(_PRIVATE)}",
        f"it has {_spelled(former)}" if former else "it is not in this repository yet",
        lambda: aws.codeartifact(
            "put_package_origin_configuration", **about, restrictions=_PRIVATE
        ),
    )


def _has_versions(aws: Aws, about: Mapping[str, str], origin: str) -> bool:
    answer = aws.find("list_package_versions", **about, originType=origin, maxResults=1)
    return bool(answer and answer.get("versions"))


def _ensure_prefix(aws: Aws, repository: str, prefix: str) -> Iterator[Step]:
    """Ensure that no package whose name begins with a prefix comes from the public index.

    The group is the domain's, so this holds for all its repositories. Only the external
    connection is blocked: repositories still get published packages from each other.
    """
    group = f"/pypi//{prefix}~"
    found = aws.find("describe_package_group", packageGroup=group)
    modes = _modes(found["packageGroup"]) if found else {}
    if modes.get("EXTERNAL_UPSTREAM") == "BLOCK" and modes.get("PUBLISH") != "INHERIT":
        yield Step("present", f"{prefix}*, by the package group {group}")
        return
    public = {"repository": repository, "format": "pypi", "upstream": "ALLOW"}
    for package in aws.listed(
        "codeartifact", "list_packages", "packages", **aws.named, **public, packagePrefix=prefix
    ):
        name = package["package"]
        yield Step("note", f"{name} came from the public index before; its versions stay")
    yield Step(
        "change" if found else "make",
        f"keep {prefix}* private in all repositories of {aws.domain.name} by the package group "
        f"{group}",
        f"it has {_spelled(modes)}" if found else "it does not exist",
        lambda: _block(aws, group, modes),
    )


def _block(aws: Aws, group: str, modes: Mapping[str, str]) -> None:
    if not modes:
        aws.codeartifact("create_package_group", packageGroup=group)
    restrictions = {"EXTERNAL_UPSTREAM": "BLOCK"}
    # Keep PUBLISH if somebody has set it for this group.
    if modes.get("PUBLISH", "INHERIT") == "INHERIT":
        restrictions["PUBLISH"] = "ALLOW"
    aws.codeartifact(
        "update_package_group_origin_configuration", packageGroup=group, restrictions=restrictions
    )


def _modes(group: Any) -> dict[str, str]:
    found = group.get("originConfiguration", {}).get("restrictions", {})
    return {kind: found[kind]["mode"] for kind in ("PUBLISH", "EXTERNAL_UPSTREAM") if kind in found}


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
    parser.add_argument(
        "words", nargs="*", type=_word, metavar="NAME", help="a package's name, or 'PREFIX-*'"
    )
    parser.add_argument(
        "--from-pipfile",
        nargs="?",
        const="",
        metavar="PATH",
        help="the names in a Pipfile and its lock whose index is CodeArtifact",
    )
    add_target_options(parser)
    add_plan_options(parser)
    return parser
