"""Checks that a project's sources have each package in a version that can be installed."""

from __future__ import annotations

from codeartifact_pipenv.checks.network.dependencies import private_dependencies
from codeartifact_pipenv.checks.network.lookup import (
    PUBLIC,
    blocked_version,
    explain_absence,
    is_public_package,
    missing_index,
)
from codeartifact_pipenv.checks.network.wanted import (
    allowed_versions,
    check_cool_down,
    check_installable,
    files_by_version,
    newest,
)
from codeartifact_pipenv.findings import WARNING, ok
from codeartifact_pipenv.lookups.simple_page import completed
from codeartifact_pipenv.project.sources import expand, repository_of_pip, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from codeartifact_pipenv.checks.facts import Facts
    from codeartifact_pipenv.checks.network.lookup import LookupResult
    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.checks.network.wanted import WantedPackage
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.lookups.simple_page import File


def check_packages(facts: Facts) -> Iterator[Finding]:
    """Check the packages of a project, if all of its repositories can be read."""
    network, sources = facts.network, facts.local.sources
    known = all(not source.endpoint or source.name in network.logins for source in sources)
    if network.is_offline or not sources or not facts.local.is_readable or not known:
        return
    if facts.run.failed is None and not facts.serving >= network.logins.keys():
        return  # one unreadable repository would make all of its packages look missing
    results = [facts.lookup(wanted) for wanted in facts.wanted]
    seen = [result.wanted.name for result in results if result.server is not None]
    for result in results:
        if result.server is None:
            yield _absence(facts, result, seen)
        else:
            files = _files(facts, result, result.server)
            problem = _problem(facts, result, result.server, files)
            yield problem or _served(facts, result, result.server, files)
    yield from _unlisted(facts)


def _problem(
    facts: Facts, result: LookupResult, server: str, files: Sequence[File]
) -> Finding | None:
    """Explain why a package cannot be installed, or only by pipenv-ca."""
    wanted, login = result.wanted, facts.network.logins.get(server)
    python = facts.python(files) or (facts.interpreter[0] if _has_only_wheels(files) else None)
    problem = check_installable(wanted, files, python) or _lock_problem(
        facts, result, files, python
    )
    if problem is None and facts.local.cool_down is not None:
        problem = check_cool_down(wanted, files, facts.local.cool_down)
    elif problem is not None and problem.code == "version-missing" and login is not None:
        blocked = blocked_version(result, login, facts.network.account)
        problem = blocked or _published_since(facts, wanted, login) or problem
    if problem is None and facts.run.failed is None:
        problem = _for_bare_pipenv(facts, result, server)
    return problem


def _served(facts: Facts, result: LookupResult, server: str, files: Sequence[File]) -> Finding:
    last, locked = newest(files_by_version(files)), facts.local.locked.get(result.wanted.name)
    at = f", locked {locked.specifier.lstrip('=')}" if locked and locked.specifier else ""
    namesake = _namesake(result, server) if server in facts.network.logins else ""
    sentence = f"served by {server}, newest {last or 'unknown'}{at}{namesake}"
    return ok(f"package {result.wanted.name}", sentence)


def _absence(facts: Facts, result: LookupResult, seen: Iterable[str]) -> Finding:
    name, network = result.wanted.name, facts.network
    found = _unknown_index(facts, result.wanted)
    if found is not None:
        return found
    if network.limits.left:
        served = (n for n, number in facts.run.places.items() if number >= 0)
        known = [*seen, *facts.local.locked, *served]
        is_direct = facts.local.is_direct
        found = explain_absence(result, network.logins, network.account, known, is_direct=is_direct)
    if found is not None and found.code == "package-missing":
        return _with_repository_of_pip(facts, found)
    return found or result.wanted.finding(
        "package-not-seen",
        f"Not all indexes answered for {name} in time, so it may or may not exist.",
        f"Try again, or check this package alone: `pipenv-ca doctor {name}`.",
    )


def _with_repository_of_pip(facts: Facts, found: Finding) -> Finding:
    """Say in the hint how to add a repository that only pip's settings name."""
    repository = repository_of_pip(facts.local.environ)
    if repository is None or any(source.endpoint for source in facts.local.sources):
        return found
    hint = (
        "pip's settings name a CodeArtifact repository, but pipenv follows the Pipfile: "
        f"`pipenv-ca fix --add-source {repository.simple_url}`."
    )
    return found._replace(hint=hint)


def _unknown_index(facts: Facts, wanted: WantedPackage) -> Finding | None:
    """Return the finding for an entry whose index is not a source, so that pipenv ignores it."""
    if wanted.source in {None, *(source.name for source in facts.local.sources)}:
        return None
    codes, subject = {"index-unknown", "lock-index"}, f"package {wanted.name}"
    found = (f for f in facts.local.file_findings if f.code in codes and f.subject == subject)
    return next((finding.with_place_in_sentence() for finding in found), None)


def _files(facts: Facts, result: LookupResult, server: str) -> Sequence[File]:
    """Return the files of a page as pipenv sees them."""
    files = result.answers[server].files
    public = result.answers.get(PUBLIC)
    if facts.run.proxy is not None:
        listing = facts.run.proxy.known_listing(result.wanted.name)
        return (listing and listing.files) or files
    if server in facts.network.logins and public is not None and public.is_definite:
        return completed(files, public.files)
    return files


def _lock_problem(
    facts: Facts, result: LookupResult, files: Sequence[File], python: str | None
) -> Finding | None:
    """Return the finding for a locked version that the index lacks or has with other hashes."""
    wanted = result.wanted
    locked = facts.local.locked.get(wanted.name)
    if locked is None or (facts.run.failed is not None and locked != wanted):
        return None
    if locked != wanted:
        missing = check_installable(locked._replace(prereleases=True), files, python)
        if missing is not None:
            return missing
    known = facts.local.locked_hashes.get(wanted.name, set())
    versions = files_by_version(files)
    served = {f.sha256 for v in allowed_versions(locked, files) for f in versions[v] if f.sha256}
    if not known or not served or not served.isdisjoint(known):
        return None
    return wanted.finding(
        "hash-mismatch",
        f"The files of {wanted.name}{locked.specifier} in {result.server} have other hashes than "
        "those in Pipfile.lock.",
    )


def _has_only_wheels(files: Sequence[File]) -> bool:
    """Whether all files are wheels for certain Pythons or platforms."""
    return bool(files) and all(
        file.name.endswith(".whl") and "-none-any" not in file.name for file in files
    )


def _published_since(facts: Facts, wanted: WantedPackage, login: Login) -> Finding | None:
    """Return the finding for a version that the index shows now and did not show before."""
    if facts.run.proxy is None:
        return None
    network = facts.network
    answer = network.answer_to(network.page_question(login.source, wanted.name))
    if answer is None or not answer.has_page:
        return None
    if check_installable(wanted, answer.files, facts.python(answer.files)) is not None:
        return None
    return wanted.finding(
        "page-outdated",
        f"{login.place} has {wanted.name}{wanted.specifier} now but did not show it to this "
        "command: it was published since, or the page came from a cache.",
    )


def _for_bare_pipenv(facts: Facts, result: LookupResult, server: str) -> Finding | None:
    """Return the finding for a package that plain pipenv would search in the wrong source."""
    listed = facts.local.listed.get(result.wanted.name)
    project = facts.local.project
    if project is None or server not in {source.name for source in project.pipfile_sources()}:
        return None  # a source of the lock alone, which lint reports
    is_first = server == facts.local.sources[0].name
    if is_first or server not in facts.network.logins or (listed and listed.source):
        return None
    if result.is_public and is_public_package(result.answers[server], result.answers[PUBLIC]):
        return None
    return only_bare(missing_index(result.wanted, server, None if listed else "another package"))


def _unlisted(facts: Facts) -> Iterator[Finding]:
    """Yield findings for private dependencies that plain pipenv would search in the first source."""
    local, network, failed = facts.local, facts.network, facts.run.failed
    first = local.sources[0]
    if first.endpoint is not None or (facts.names if failed is None else failed.combined_sources):
        return
    if failed is None and local.locked:
        return
    index = without_credentials(expand(first.url, local.environ))
    for name, login in network.logins.items():
        named = [wanted for wanted in facts.wanted if wanted.source == name]
        for needed in private_dependencies(named, login, network.client, index, network.limits.end):
            found = missing_index(needed.wanted, name, needed.parent, is_direct=local.is_direct)
            if failed is not None:
                yield found
            elif needed.wanted.name not in local.listed:
                yield only_bare(found)


def only_bare(found: Finding) -> Finding:
    """Mark a finding as one that only plain pipenv meets."""
    sentence = f"{found.sentence} This affects pipenv without pipenv-ca; pipenv-ca finds it."
    return found._replace(level=WARNING, sentence=sentence)


def _namesake(result: LookupResult, server: str) -> str:
    if result.is_public is None:
        return ""
    if not result.is_public:
        return ", no public package of that name"
    if is_public_package(result.answers[server], result.answers[PUBLIC]):
        return ", the public package"
    return ", private; a public package has the same name"
