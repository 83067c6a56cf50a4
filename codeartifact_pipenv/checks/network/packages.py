"""Whether each package of a project is where the project looks for it, in a version that fits."""

from __future__ import annotations

from codeartifact_pipenv.checks.network.dependencies import private_needs
from codeartifact_pipenv.checks.network.lookup import (
    PUBLIC,
    absence,
    blocked_version,
    is_same,
    missing_index,
)
from codeartifact_pipenv.checks.network.wanted import (
    held_back,
    judge,
    newest,
    satisfies,
    versions_of,
)
from codeartifact_pipenv.findings import WARNING, ok
from codeartifact_pipenv.lookups.simple_page import completed
from codeartifact_pipenv.project.sources import expand, without_credentials

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
    """Check the packages that are wanted, if every repository that may have them is known."""
    network, sources = facts.network, facts.local.sources
    known = all(not source.endpoint or source.name in network.logins for source in sources)
    if network.is_offline or not sources or not facts.local.is_readable or not known:
        return
    if facts.run.failed is None and not facts.serving >= network.logins.keys():
        return  # everything that a repository would have is missing for that one reason
    results = [facts.lookup(wanted) for wanted in facts.wanted]
    seen = [result.wanted.name for result in results if result.server is not None]
    for result in results:
        if result.server is None:
            yield _absence(facts, result, seen)
        else:
            files = _files(facts, result, result.server)
            wrong = _fault(facts, result, result.server, files)
            yield wrong or _served(facts, result, result.server, files)
    yield from _unlisted(facts)


def _fault(
    facts: Facts, result: LookupResult, server: str, files: Sequence[File]
) -> Finding | None:
    """Say why a package of a page cannot be installed, or not by bare pipenv."""
    wanted, login = result.wanted, facts.network.logins.get(server)
    python = facts.python(files) or (facts.interpreter[0] if _has_only_wheels(files) else None)
    wrong = judge(wanted, files, python) or _locked_otherwise(facts, result, files, python)
    if wrong is None and facts.local.cool_down is not None:
        wrong = held_back(wanted, files, facts.local.cool_down)
    elif wrong is not None and wrong.code == "version-missing" and login is not None:
        blocked = blocked_version(result, login, facts.network.account)
        wrong = blocked or _published_since(facts, wanted, login) or wrong
    if wrong is None and facts.run.failed is None:
        wrong = _for_bare_pipenv(facts, result, server)
    return wrong


def _served(facts: Facts, result: LookupResult, server: str, files: Sequence[File]) -> Finding:
    last, locked = newest(versions_of(files)), facts.local.locked.get(result.wanted.name)
    at = f", locked {locked.specifier.lstrip('=')}" if locked and locked.specifier else ""
    namesake = _namesake(result, server) if server in facts.network.logins else ""
    said = f"served by {server}, newest {last or 'unknown'}{at}{namesake}"
    return ok(f"package {result.wanted.name}", said)


def _absence(facts: Facts, result: LookupResult, seen: Iterable[str]) -> Finding:
    name, network = result.wanted.name, facts.network
    found = None
    if network.limits.left:
        served = (n for n, number in facts.run.places.items() if number >= 0)
        known = [*seen, *facts.local.locked, *served]
        is_direct = facts.local.is_direct
        found = absence(result, network.logins, network.account, known, is_direct=is_direct)
    return found or result.wanted.finding(
        "package-not-seen",
        f"Not all indexes answered for {name} in time, so it is not known whether they have it.",
        f"Try again, or check this package alone: `pipenv-ca doctor {name}`.",
    )


def _files(facts: Facts, result: LookupResult, server: str) -> Sequence[File]:
    """Return the files of a page as pipenv is told of them."""
    files = result.answers[server].files
    public = result.answers.get(PUBLIC)
    if facts.run.proxy is not None:
        listing = facts.run.proxy.known_listing(result.wanted.name)
        return (listing and listing.files) or files
    if server in facts.network.logins and public is not None and public.is_definite:
        return completed(files, public.files)
    return files


def _locked_otherwise(
    facts: Facts, result: LookupResult, files: Sequence[File], python: str | None
) -> Finding | None:
    """Say that an index has not, or not the same, what the lock has; None if the lock is not used."""
    wanted = result.wanted
    locked = facts.local.locked.get(wanted.name)
    if locked is None or (facts.run.failed is not None and locked != wanted):
        return None
    if locked != wanted:
        missing = judge(locked._replace(prereleases=True), files, python)
        if missing is not None:
            return missing
    known = facts.local.locked_hashes.get(wanted.name, set())
    versions = versions_of(files)
    served = {f.sha256 for v in satisfies(locked, files) for f in versions[v] if f.sha256}
    if not known or not served or not served.isdisjoint(known):
        return None
    return wanted.finding(
        "hash-mismatch",
        f"{result.server} serves other files of {wanted.name}{locked.specifier} than Pipfile.lock "
        "was made with: none has a hash of the lock.",
    )


def _has_only_wheels(files: Sequence[File]) -> bool:
    """Whether it depends on the Python which of the files can be installed, if any."""
    return bool(files) and all(
        file.name.endswith(".whl") and "-none-any" not in file.name for file in files
    )


def _published_since(facts: Facts, wanted: WantedPackage, login: Login) -> Finding | None:
    """Say that an index has by now what it did not show to the command that failed."""
    if facts.run.proxy is None:
        return None
    network = facts.network
    answer = network.answer_to(network.page_question(login.source, wanted.name))
    if answer is None or not answer.has_page:
        return None
    if judge(wanted, answer.files, facts.python(answer.files)) is not None:
        return None
    return wanted.finding(
        "page-outdated",
        f"{login.place} has {wanted.name}{wanted.specifier} now, and did not show it to this "
        "command: it was published in the meantime, or the page came from a cache.",
    )


def _for_bare_pipenv(facts: Facts, result: LookupResult, server: str) -> Finding | None:
    """Say what pipenv alone would not find, or would find in the wrong place."""
    listed = facts.local.listed.get(result.wanted.name)
    is_first = server == facts.local.sources[0].name
    if is_first or server not in facts.network.logins or (listed and listed.source):
        return None
    if result.is_public and is_same(result.answers[server], result.answers[PUBLIC]):
        return None
    return only_bare(missing_index(result.wanted, server, None if listed else "another package"))


def _unlisted(facts: Facts) -> Iterator[Finding]:
    """Yield private packages that others need, and that pipenv looks for in the first source."""
    local, network, failed = facts.local, facts.network, facts.run.failed
    first = local.sources[0]
    if first.endpoint is not None or (facts.names if failed is None else failed.combined_sources):
        return
    if failed is None and local.locked:
        return
    index = without_credentials(expand(first.url, local.environ))
    for name, login in network.logins.items():
        named = [wanted for wanted in facts.wanted if wanted.source == name]
        for needed in private_needs(named, login, network.client, index, network.limits.end):
            found = missing_index(needed.wanted, name, needed.by, is_direct=local.is_direct)
            if failed is not None:
                yield found
            elif needed.wanted.name not in local.listed:
                yield only_bare(found)


def only_bare(found: Finding) -> Finding:
    """Return a finding as one that pipenv alone would meet."""
    said = f"{found.sentence} That concerns pipenv without pipenv-ca; pipenv-ca finds it."
    return found._replace(level=WARNING, sentence=said)


def _namesake(result: LookupResult, server: str) -> str:
    if result.is_public is None:
        return ""
    if not result.is_public:
        return ", no public package of that name"
    if is_same(result.answers[server], result.answers[PUBLIC]):
        return ", the public package"
    return ", private; a public package has the same name"
