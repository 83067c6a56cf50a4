"""``pipenv-ca packages``: lists what repositories hold, published there or fetched."""

from __future__ import annotations

import json
import os
import sys
from typing import NamedTuple

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.clients.targets import Chosen, add_domain_options, find_targets
from codeartifact_pipenv.diagnosis.catalogue import PUBLISHED, Catalogue, Package
from codeartifact_pipenv.report import printable
from codeartifact_pipenv.stdout import printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codeartifact_pipenv.errors import ListingError
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_HEADS = ("Package", "Newest", "Origin", "Repository")


class _Chosen(Chosen):
    """What the words say."""

    urls: Sequence[str] = ()
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
    targets = find_targets(chosen.urls, chosen, settings)
    catalogue = Catalogue(settings, os.environ)
    found: list[Package] = []
    for endpoint in dict.fromkeys(target.endpoint for target in targets):
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
            _show_text(rows)
    for gap in catalogue.gaps:
        report.warning(f"The list may lack something. {gap.sentence} {gap.hint}", gap.code)
    return 0


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
    document = {
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
        ],
        "gaps": [{"code": g.code, "sentence": g.sentence, "hint": g.hint} for g in gaps],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _show_text(rows: Sequence[_Row]) -> None:
    domains = {package.endpoint.domain for package, _ in rows}
    cells = [
        (
            printable(package.name),
            printable(package.newest or "-"),
            package.origin or "unknown",
            printable(f"{package.endpoint.domain.name}/" * (len(domains) > 1) + package.repository),
        )
        for package, _ in rows
    ]
    if sys.stdout.isatty():
        _show_table(cells)
        return
    widths = [max(len(row[column]) for row in (_HEADS, *cells)) for column in range(3)]
    for name, newest, origin, place in (_HEADS, *cells):
        line = f"{name:<{widths[0]}}  {newest:<{widths[1]}}  {origin:<{widths[2]}}  {place}"
        sys.stdout.write(f"{line}\n")


def _show_table(cells: Sequence[tuple[str, str, str, str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for head in _HEADS:
        table.add_column(head, overflow="fold")
    for row in cells:
        # (As Text: rich would read marks in a plain string.)
        style = "bold" if row[2] == PUBLISHED else ""
        table.add_row(*(Text(cell) for cell in row), style=style)
    published = sum(row[2] == PUBLISHED for row in cells)
    table.caption = f"{len(cells)} packages, {published} of them published"
    Console(highlight=False).print(table)


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca packages",
        description="List the packages that repositories and their upstreams hold: published "
        "there, or fetched from outside. AWS itself is asked, so a token alone is not enough.",
        examples={
            "pipenv-ca packages --published": "the private ones, for the project here",
            "pipenv-ca packages --newest --json": "for a program",
        },
    )
    parser.add_argument(
        "urls", nargs="*", metavar="URL", help="of an index; else the Pipfile's CodeArtifact ones"
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
