"""``pipenv-ca packages``: lists what repositories hold, published there or fetched."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import NamedTuple

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.clients.targets import Chosen, add_domain_options, find_targets
from codeartifact_pipenv.diagnosis.catalogue import PUBLISHED, Catalogue, Package, newest_first
from codeartifact_pipenv.errors import ListingError, UsageError
from codeartifact_pipenv.report import printable
from codeartifact_pipenv.stdout import printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codeartifact_pipenv.diagnosis.catalogue import Release
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_Cells = tuple[str, str, str, str]

_HEADS = ("Package", "Newest", "Origin", "Repository")


class _Chosen(Chosen):
    """What the words say."""

    words: Sequence[str] = ()
    published: bool = False
    newest: bool = False
    json: bool = False


class _Row(NamedTuple):
    """A package of one repository, and through which of the named ones it can be had."""

    package: Package
    through: list[str]


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print the packages, a line each.

    The newest version costs a call each: it is asked for of published packages, and with
    ``--newest`` of all.

    Raises:
        UsageError: the words are not understood, or no repository is named.
        ConfigurationError: an account is not allowed.
        ListingError: AWS does not list a repository that is named.
    """
    chosen = _parser().parse_intermixed_args(list(arguments), _Chosen())
    names = [word for word in chosen.words if _is_name(word)]
    urls = [word for word in chosen.words if word not in names]
    if len(names) > 1:
        raise UsageError("Only one package can be named.", "Name one, or none for all of them.")
    targets = find_targets(urls, chosen, settings)
    catalogue = Catalogue(settings, os.environ)
    endpoints = list(dict.fromkeys(target.endpoint for target in targets))
    if names:
        with report.working(f"lists the versions of {names[0]}"):
            releases = _releases(catalogue, endpoints, names[0])
        if chosen.published:
            releases = [release for release in releases if release.origin == PUBLISHED]
        with printing():
            _show_versions(names[0], releases, catalogue.gaps, as_json=chosen.json)
    else:
        _list_packages(chosen, catalogue, endpoints, report)
    for gap in catalogue.gaps:
        report.warning(f"The list may lack something. {gap.sentence} {gap.hint}", gap.code)
    return 0


def _is_name(word: str) -> bool:
    """Whether a word is the name of a package; a URL and a host of CodeArtifact's are not."""
    is_host = ".codeartifact." in word.lower()
    return (
        not is_host and re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", word) is not None
    )


def _releases(
    catalogue: Catalogue, endpoints: Sequence[RepositoryEndpoint], name: str
) -> list[Release]:
    """Return each version once per repository, newest first."""
    found: dict[tuple[object, str, str], Release] = {}
    for endpoint in endpoints:
        for release in catalogue.versions(endpoint, name):
            key = (endpoint.domain, release.repository, release.listed.version)
            found.setdefault(key, release)
    if not found and not catalogue.gaps:
        raise ListingError(
            f"Package {name} was not found in {_counted(len(endpoints), 'repository')}: "
            f"{', '.join(str(endpoint.repository) for endpoint in endpoints)}.",
            "List what there is: pipenv-ca packages.",
            "package-missing",
        )
    return newest_first(found.values())


def _show_versions(
    name: str, releases: Sequence[Release], gaps: Sequence[ListingError], *, as_json: bool
) -> None:
    if as_json:
        _print_json({"package": name, "versions": [*map(_version_document, releases)]}, gaps)
        return
    rows = [
        (
            printable(release.listed.version),
            release.origin or "unknown",
            _day(release),
            printable(release.repository),
        )
        for release in releases
    ]
    _show_text(("Version", "Origin", "Published", "Repository"), rows, "version")


def _day(release: Release) -> str:
    moment = release.listed.published_at
    return f"{moment:%Y-%m-%d}" if moment else "-"


def _version_document(release: Release) -> dict[str, object]:
    listed, domain = release.listed, release.endpoint.domain
    return {
        "version": listed.version,
        "status": listed.status,
        "origin": release.origin,
        "published_at": listed.published_at.isoformat() if listed.published_at else None,
        "repository": release.repository,
        "domain": domain.name,
        "domain_owner": domain.owner,
        "region": domain.region,
    }


def _list_packages(
    chosen: _Chosen, catalogue: Catalogue, endpoints: Sequence[RepositoryEndpoint], report: Report
) -> None:
    found: list[Package] = []
    for endpoint in endpoints:
        with report.working(f"lists repository {endpoint.repository}"):
            there = catalogue.packages(endpoint, only_published=chosen.published)
        if not there:
            words = "no packages that were published" if chosen.published else "no packages"
            report.warning(f"Repository {endpoint.repository} of {endpoint.domain} holds {words}.")
        found += there
    with report.working("asks for the newest versions"):
        rows = _rows(_with_newest(catalogue, found, of_all=chosen.newest))
    with printing():
        if chosen.json:
            _show_json(rows, catalogue.gaps)
        elif rows:
            _show_text(_HEADS, _cells(rows), "package")


def _with_newest(catalogue: Catalogue, packages: list[Package], *, of_all: bool) -> list[Package]:
    asked = [package for package in packages if of_all or package.origin == PUBLISHED]
    newest = dict(zip(asked, catalogue.with_newest(asked), strict=True))
    return [newest.get(package, package) for package in packages]


def _rows(packages: Iterable[Package]) -> list[_Row]:
    """Return each package of each repository once, however many lead there."""
    rows: dict[tuple[object, str, str], _Row] = {}
    for package in packages:
        key = (package.endpoint.domain, package.repository, package.name)
        rows.setdefault(key, _Row(package, [])).through.append(package.endpoint.url)
    return [rows[key] for key in sorted(rows, key=lambda key: (key[2], str(key[0]), key[1]))]


def _show_json(rows: Sequence[_Row], gaps: Sequence[ListingError]) -> None:
    document: dict[str, object] = {
        "packages": [
            {
                "name": package.name,
                "newest": package.newest,
                "origin": package.origin,
                "repository": package.repository,
                "domain": package.endpoint.domain.name,
                "domain_owner": package.endpoint.domain.owner,
                "region": package.endpoint.domain.region,
                "through": through,
            }
            for package, through in rows
        ]
    }
    _print_json(document, gaps)


def _print_json(document: dict[str, object], gaps: Sequence[ListingError]) -> None:
    seen = [{"code": g.code, "sentence": g.sentence, "hint": g.hint} for g in gaps]
    sys.stdout.write(json.dumps({**document, "gaps": seen}, indent=2) + "\n")


def _cells(rows: Sequence[_Row]) -> list[_Cells]:
    domains = {package.endpoint.domain for package, _ in rows}
    return [
        (
            printable(package.name),
            printable(package.newest or "-"),
            package.origin or "unknown",
            printable(f"{package.endpoint.domain.name}/" * (len(domains) > 1) + package.repository),
        )
        for package, _ in rows
    ]


def _show_text(heads: _Cells, cells: Sequence[_Cells], what: str) -> None:
    if sys.stdout.isatty():
        _show_table(heads, cells, what)
        return
    widths = [max(len(row[column]) for row in (heads, *cells)) for column in range(3)]
    for row in (heads, *cells):
        padded = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        sys.stdout.write("  ".join((*padded, row[3])) + "\n")


def _show_table(heads: _Cells, cells: Sequence[_Cells], what: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in cells:
        # As Text: rich would read marks in a plain string.
        table.add_row(*map(Text, row), style="bold" if PUBLISHED in row else "")
    published = sum(PUBLISHED in row for row in cells)
    table.caption = f"{_counted(len(cells), what)}, {published} published"
    Console(highlight=False).print(table)


def _counted(number: int, what: str) -> str:
    several = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else several}"


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca packages",
        description="List the packages that repositories and their upstreams hold: published "
        "there, or fetched from outside. AWS itself is asked, so a token alone is not enough.",
        examples={
            "pipenv-ca packages --published": "the private ones, for the project here",
            "pipenv-ca packages acme-utils": "the versions of one, newest first",
            "pipenv-ca packages --newest --json": "for a program",
        },
    )
    parser.add_argument(
        "words",
        nargs="*",
        default=(),
        metavar="NAME|URL",
        help="a package, for its versions; the URL of an index, else the Pipfile's",
    )
    add_domain_options(parser)
    parser.add_argument("--repository", metavar="NAME", help="the repository's name")
    parser.add_argument("--published", action="store_true", help="only what was published")
    parser.add_argument(
        "--newest",
        action="store_true",
        help="the newest version of fetched packages too, at one call of AWS each",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
