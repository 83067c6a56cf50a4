"""All checks: doctor runs them all, explain looks for a cause in the same ones, lint runs some."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.facts import Facts
from codeartifact_pipenv.checks.local_facts import LocalFacts
from codeartifact_pipenv.checks.machine import environment, programs
from codeartifact_pipenv.checks.network import aws, packages
from codeartifact_pipenv.findings import OK, WARNING, Finding, ok
from codeartifact_pipenv.project.sources import without_credentials
from codeartifact_pipenv.wrapper.commands import RESOLVES
from codeartifact_pipenv.wrapper.route import choose_route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from codeartifact_pipenv.checks.files.review import ProjectReview
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

# What only pipenv without pipenv-ca would meet.
_ONLY_BARE = frozenset({"index-missing", "dependency-unlisted"})


def check_project(facts: Facts) -> Iterator[Finding]:
    """Check that there is a project, and that it can be read."""
    project = facts.local.project
    told = {finding.code for finding in facts.local.file_findings}
    if "pipfile-invalid" not in told:
        yield from facts.local.errors
    if project is None:
        return
    if project.pipfile is None:
        found = finding_for("pipfile-missing", "Pipfile", "There is no Pipfile here or above.")
        yield found._replace(level=WARNING)
        return
    yield ok("Pipfile", project.pipfile)
    wanted = facts.local.settings.text("route")
    version = facts.local.pipenv.version() if facts.local.pipenv else None
    name, why = choose_route(RESOLVES, facts.local.sources, version)
    yield ok("route of lock", f"{wanted}: it is set so" if wanted else f"{name}: {why}")


def check_files(facts: Facts) -> Iterator[Finding]:
    """Check the project's files, as lint does."""
    found = facts.local.file_findings
    for finding in found:
        told = finding.told_with_place()
        is_bare = finding.code in _ONLY_BARE and facts.run.failed is None
        yield packages.only_bare(told) if is_bare else told
    project = facts.local.project
    is_outdated = any(finding.code == "lock-outdated" for finding in found)
    if facts.local.lock is not None and project and project.pipfile and not is_outdated:
        yield ok("Pipfile.lock", "was made of this Pipfile")


def check_sources(facts: Facts) -> Iterator[Finding]:
    """Check what the URLs of sources need of the environment."""
    yield from facts.local.unset
    if facts.local.stray is not None:
        yield facts.local.stray
    for source in facts.local.sources:
        if source.endpoint is None and not source.mismatch_reason:
            url = without_credentials(source.url)
            yield ok(f"source {source.name}", f"{url}: another index, left alone")


class Check(NamedTuple):
    """One check.

    Attributes:
        section: the part of doctor's report that it belongs to.
        run: yields its findings.
        is_online: whether it asks the project's indexes, so that ``lint --online`` runs it too.
    """

    section: str
    run: Callable[[Facts], Iterable[Finding]]
    is_online: bool = False

    def section_of(self, finding: Finding) -> str:
        """Return the part of doctor's report that a finding belongs to."""
        word = finding.subject.partition(" ")[0] if finding.place else ""
        return {"source": "Sources", "package": "Packages"}.get(word, self.section)


# In this order explain looks for a cause: what was seen comes before what is likely.
CHECKS = (
    Check("Sources", aws.check_missing),
    Check("Project", check_project),
    Check("Sources", check_sources),
    Check("Project", check_files),
    Check("Environment", environment.check_environment),
    Check("Environment", environment.check_user_files),
    Check("Sources", aws.check_tokens, is_online=True),
    Check("Sources", aws.check_repositories, is_online=True),
    Check("Sources", aws.check_logins),
    Check("Packages", packages.check_packages, is_online=True),
    Check("AWS", aws.check_identity),
    Check("Programs", programs.check_programs),
    Check("Keyring", programs.check_keyring),
    Check("Keyring", programs.check_keyringrc),
)


def online_findings(files: ProjectReview, settings: Settings, report: Report) -> Iterator[Finding]:
    """Yield what the indexes say is wrong with a project, at its place in the project's files."""
    file = files.contents.pipfile or files.contents.lock
    if file is None or file.document is None:
        return
    told = {(finding.code, finding.subject) for finding in files.findings}
    facts = Facts(LocalFacts(settings, pipfile=file.path.removesuffix(".lock")), report)
    for check in CHECKS:
        for finding in check.run(facts) if check.is_online else ():
            if finding.level != OK and (finding.code, finding.subject) not in told:
                yield finding._replace(place=file.place_of(finding.subject))
