"""The list of all checks. doctor and explain run all of them; lint runs some."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.facts import Facts
from codeartifact_pipenv.checks.local_facts import LocalFacts
from codeartifact_pipenv.checks.machine import environment, programs
from codeartifact_pipenv.checks.network import aws, packages
from codeartifact_pipenv.findings import OK, WARNING, Finding, ok
from codeartifact_pipenv.project.sources import without_credentials
from codeartifact_pipenv.wrapper.pipenv_cli import RESOLVES
from codeartifact_pipenv.wrapper.plan import choose_route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from codeartifact_pipenv.checks.files.review import ProjectReview
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

# Findings that matter only to pipenv without pipenv-ca.
_ONLY_BARE = frozenset({"index-missing", "dependency-unlisted"})


def check_project(facts: Facts) -> Iterator[Finding]:
    """Check that a project exists and can be read."""
    project = facts.local.project
    reported = {finding.code for finding in facts.local.file_findings}
    if "pipfile-invalid" not in reported:
        yield from facts.local.errors
    if project is None:
        return
    if project.pipfile is None:
        found = finding_for("pipfile-missing", "Pipfile", "No Pipfile was found here or above.")
        yield found._replace(level=WARNING)
        return
    yield ok("Pipfile", project.pipfile)
    wanted = facts.local.settings.text("route")
    version = facts.local.pipenv.version() if facts.local.pipenv else None
    name, why = choose_route(RESOLVES, facts.local.sources, version)
    yield ok("route of lock", f"{wanted}: from your settings" if wanted else f"{name}: {why}")


def check_files(facts: Facts) -> Iterator[Finding]:
    """Report lint's findings on the project's files."""
    found = facts.local.file_findings
    for finding in found:
        reported = finding.with_place_in_sentence()
        is_bare = finding.code in _ONLY_BARE and facts.run.failed is None
        yield packages.only_bare(reported) if is_bare else reported
    project = facts.local.project
    is_outdated = any(finding.code == "lock-outdated" for finding in found)
    if facts.local.lock is not None and project and project.pipfile and not is_outdated:
        yield ok("Pipfile.lock", "matches the Pipfile")


def check_sources(facts: Facts) -> Iterator[Finding]:
    """Check that every variable in a source's URL is set, and list the other indexes."""
    yield from facts.local.unset_variables
    if facts.local.stray_token is not None:
        yield facts.local.stray_token
    for source in facts.local.sources:
        if source.endpoint is None and not source.mismatch_reason:
            url = without_credentials(source.url)
            yield ok(f"source {source.name}", f"{url}: not CodeArtifact, not checked")


class Check(NamedTuple):
    """One check.

    Attributes:
        section: its section in doctor's report.
        run: yields its findings.
        is_online: whether it asks the project's indexes; ``lint --online`` runs these.
    """

    section: str
    run: Callable[[Facts], Iterable[Finding]]
    is_online: bool = False

    def section_of(self, finding: Finding) -> str:
        """Return the section of doctor's report that a finding belongs to."""
        word = finding.subject.partition(" ")[0] if finding.place else ""
        return {"source": "Sources", "package": "Packages"}.get(word, self.section)


# explain reports the first cause in this order: observed causes come before likely ones.
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
    """Yield the findings of the online checks, each at its place in the project's files."""
    file = files.contents.pipfile or files.contents.lock
    if file is None or file.document is None:
        return
    reported = {(finding.code, finding.subject) for finding in files.findings}
    facts = Facts(LocalFacts(settings, pipfile=file.path.removesuffix(".lock")), report)
    for check in CHECKS:
        for finding in check.run(facts) if check.is_online else ():
            if finding.level != OK and (finding.code, finding.subject) not in reported:
                yield finding._replace(place=file.place_of(finding.subject))
