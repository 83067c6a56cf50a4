"""The command line of ``pipenv-ca doctor``."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext

from packaging.requirements import InvalidRequirement, Requirement

from codeartifact_pipenv.arguments import Parser
from codeartifact_pipenv.diagnosis.account import Account
from codeartifact_pipenv.diagnosis.pages import Asker
from codeartifact_pipenv.doctor import keyring_config, surroundings
from codeartifact_pipenv.doctor.context import Context, Section
from codeartifact_pipenv.doctor.packages import Packages
from codeartifact_pipenv.doctor.programs import Programs
from codeartifact_pipenv.doctor.sources import Sources, route_of
from codeartifact_pipenv.doctor.view import cleaner, show_json, show_text
from codeartifact_pipenv.finding import FAILURE, OK, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_SECONDS = 6.0


class _Quiet:
    """Takes the place of the report: what it would say stands in the table."""

    def note(self, sentence: str) -> None:
        """Say nothing."""

    def warning(self, sentence: str, code: str | None = None) -> None:
        """Say nothing."""

    def working(self, what: str) -> AbstractContextManager[None]:  # noqa: ARG002 - as the report has it
        """Say nothing."""
        return nullcontext()


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Look at everything, print it, and return 1 where something is wrong, else 0."""
    chosen = _parser().parse_args(list(arguments))
    # (Notes have account numbers in them.)
    talks = report.verbose and not chosen.redact
    quiet: Report = report if talks else _Quiet()  # type: ignore[assignment] # it has what is called of it
    with report.working("looks at programs, AWS, sources and packages"):
        sections = examine(settings, quiet, chosen.package, offline=chosen.offline)
    clean = cleaner(accounts=chosen.redact)
    (show_json if chosen.json else show_text)(sections, clean)
    failed = any(f.level == FAILURE for section in sections for f in section.findings)
    return int(failed)


def examine(
    settings: Settings, report: Report, names: Sequence[str], *, offline: bool
) -> list[Section]:
    """Look at everything once.

    Args:
        settings: the settings in force.
        report: where notes go.
        names: packages to look at; empty for all of the project's.
        offline: whether the network is left alone.
    """
    context = Context(settings, report, names, offline=offline)
    asker = Asker(os.environ, _SECONDS)
    asked = context.terms()
    account = Account(asked.profile, _SECONDS, asked.keys)
    programs = Programs(context)
    sources = Sources(context, asker, account)
    packages = Packages(context, sources, asker, account, programs.python)
    project = list(context.troubles)
    if context.project is not None and context.project.pipfile is not None:
        project.insert(0, Finding(OK, "Pipfile", context.project.pipfile))
    route = route_of(context)
    if route is not None:
        project.append(Finding(OK, "route of lock", f"{route.name}: {route.why}"))
    sections = [
        Section("Programs", programs.findings),
        Section("Keyring", [*programs.clients, *keyring_config.look(context)]),
        Section("Environment", surroundings.look(context)),
        Section("AWS", sources.aws),
        Section("Project", project),
        Section("Sources", sources.findings),
        Section("Packages", packages.findings),
    ]
    return [section for section in sections if section.findings]


def _package(word: str) -> str:
    """Read the name out of a requirement, such as ``name[extra]>=1``."""
    try:
        return Requirement(word).name
    except InvalidRequirement:
        raise argparse.ArgumentTypeError(f"{word!r} is no package") from None


def _parser() -> Parser:
    parser = Parser(
        prog="pipenv-ca doctor",
        description="Look at everything once: programs, AWS, sources, packages. Exit status 1 "
        "where something is wrong.",
        examples={
            "pipenv-ca doctor": "everything that the project needs",
            "pipenv-ca doctor acme-billing": "one package: who serves it, and if nobody, why",
            "pipenv-ca doctor --redact": "to be pasted into an issue",
        },
    )
    parser.add_argument("package", nargs="*", type=_package, help="look at these packages only")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--offline", action="store_true", help="leave the network alone")
    parser.add_argument("--redact", action="store_true", help="shorten account numbers")
    return parser
