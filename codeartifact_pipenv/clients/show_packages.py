"""``pipenv-ca packages``: lists what repositories hold, published there or fetched."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

from codeartifact_pipenv.clients.targets import add_repository_options, by_endpoint, find_sources
from codeartifact_pipenv.errors import ListingError, UsageError
from codeartifact_pipenv.lookups.inventory import PUBLISHED, Inventory, newest_first
from codeartifact_pipenv.report import printable
from codeartifact_pipenv.terminal.arguments import Parser
from codeartifact_pipenv.terminal.text import columns_of, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.lookups.inventory import HeldPackage, HeldRelease
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_Row = dict[str, Any]  # the JSON of a package or a version

# The columns of the text, and their headings if not the key.
_KEYS = {
    "package": ("name", "newest", "origin", "repository"),
    "version": ("version", "origin", "published_at", "repository"),
}
_HEADS = {"name": "Package", "published_at": "Published"}


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print the packages, or the versions of one, a line each.

    The newest version costs a call each: it is asked for of published packages, and with
    ``--newest`` of all.

    Raises:
        UsageError: the words are not understood, or no repository is named.
        ConfigurationError: an account is not allowed.
        ListingError: AWS does not list a repository that is named.
    """
    chosen = _parser().parse_intermixed_args(list(arguments))
    names = [word for word in chosen.urls if _is_name(word)]
    chosen.urls = [word for word in chosen.urls if word not in names]
    for word in chosen.urls:
        if "." not in word and ":" not in word:
            raise UsageError(
                f"{word} is neither the name of a package nor the URL of an index.",
                "Name a package, such as acme-utils, or give the URL of a source.",
            )
    if len(names) > 1:
        raise UsageError("Only one package can be named.", "Name one, or none for all of them.")
    endpoints = list(by_endpoint(find_sources(chosen, settings)))
    inventory = Inventory(settings, os.environ)
    if names:
        with report.working(f"lists the versions of {names[0]}"):
            rows = _versions(inventory, endpoints, names[0])
        rows = [row for row in rows if row["origin"] == PUBLISHED or not chosen.published]
    else:
        rows = _packages(chosen, inventory, endpoints, report)
    what = "version" if names else "package"
    gaps = inventory.gaps
    if chosen.json:
        head = {"package": names[0]} if names else {}
        seen = [{"code": g.code, "sentence": g.sentence, "hint": g.hint} for g in gaps]
        sys.stdout.write(json.dumps({**head, f"{what}s": rows, "gaps": seen}, indent=2) + "\n")
    elif rows:
        _show(what, rows)
    for gap in gaps:
        report.warning(f"The list may lack something. {gap.sentence} {gap.hint}", gap.code)
    return 0


def _is_name(word: str) -> bool:
    """Whether a word is the name of a package, not a URL or a host of CodeArtifact."""
    name = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", word)
    return name is not None and ".codeartifact." not in word.lower()


def _versions(
    inventory: Inventory, endpoints: Sequence[RepositoryEndpoint], name: str
) -> list[_Row]:
    """Return each version once per repository, newest first."""
    found: dict[object, HeldRelease] = {}
    for endpoint in endpoints:
        for release in inventory.versions(endpoint, name):
            key = (endpoint.domain, release.repository, release.listed.version)
            found.setdefault(key, release)
    if not found and not inventory.gaps:
        raise ListingError(
            f"Package {name} was not found in {_counted(len(endpoints), 'repository')}: "
            f"{', '.join(str(endpoint.repository) for endpoint in endpoints)}.",
            "List what there is: pipenv-ca packages.",
            "package-missing",
        )
    return [
        {
            "version": release.listed.version,
            "status": release.listed.status,
            "origin": release.origin,
            "published_at": moment.isoformat() if (moment := release.listed.published_at) else None,
            **_place(release),
        }
        for release in newest_first(found.values())
    ]


def _place(found: HeldRelease | HeldPackage) -> _Row:
    domain = found.endpoint.domain
    return {
        "repository": found.repository,
        "domain": domain.name,
        "domain_owner": domain.owner,
        "region": domain.region,
    }


def _packages(
    chosen: argparse.Namespace,
    inventory: Inventory,
    endpoints: Sequence[RepositoryEndpoint],
    report: Report,
) -> list[_Row]:
    """Return each package once per repository, however many lead there, by name."""
    found: list[HeldPackage] = []
    for endpoint in endpoints:
        with report.working(f"lists repository {endpoint.repository}"):
            there = inventory.packages(endpoint, only_published=chosen.published)
        if not there:
            words = "no packages that were published" if chosen.published else "no packages"
            report.warning(f"Repository {endpoint.repository} of {endpoint.domain} holds {words}.")
        found += there
    asked = [package for package in found if chosen.newest or package.origin == PUBLISHED]
    with report.working("asks for the newest versions"):
        newest = inventory.newest(asked)
    rows: dict[tuple[str, str, str], _Row] = {}
    for package in found:
        key = (package.name, str(package.endpoint.domain), package.repository)
        head = {"name": package.name, "newest": newest.get(package), "origin": package.origin}
        row = rows.setdefault(key, {**head, **_place(package), "through": []})
        row["through"].append(package.endpoint.url)
    return [row for _, row in sorted(rows.items())]


def _show(what: str, rows: Sequence[_Row]) -> None:
    keys = _KEYS[what]
    heads = [_HEADS.get(key, key.capitalize()) for key in keys]
    several = len({(row["domain"], row["domain_owner"], row["region"]) for row in rows}) > 1
    cells = [[_cell(row, key, several_domains=several) for key in keys] for row in rows]
    is_terminal = sys.stdout.isatty()
    # (Whoever reads a pipe counts on a line for each.)
    for line in table([heads, *cells], columns_of(sys.stdout) if is_terminal else None):
        sys.stdout.write(f"{line}\n")
    if is_terminal:
        published = sum(row["origin"] == PUBLISHED for row in rows)
        sys.stdout.write(f"\n{_counted(len(rows), what)}, {published} published\n")


def _cell(row: _Row, key: str, *, several_domains: bool) -> str:
    text = row[key] or ("unknown" if key == "origin" else "-")
    if key == "published_at":
        text = text[: len("2026-01-31")]
    if key == "repository" and several_domains:
        text = f"{row['domain']}/{text}"
    return printable(text)


def _counted(number: int, what: str) -> str:
    several = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else several}"


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca packages",
        description="List the packages that repositories and their upstreams hold: published "
        "there, or fetched from outside. This calls AWS, so a token alone is not enough.",
        examples={
            "pipenv-ca packages --published": "the private ones, for the project here",
            "pipenv-ca packages acme-utils": "the versions of one, newest first",
            "pipenv-ca packages --newest --json": "for a program",
        },
    )
    what = "a package, for its versions; the URL of an index, else the Pipfile's"
    add_repository_options(parser, "NAME|URL", what)
    parser.add_argument(
        "--published", action="store_true", help="only packages that were published there"
    )
    parser.add_argument(
        "--newest",
        action="store_true",
        help="show the newest version of fetched packages too; takes one AWS call for each",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
