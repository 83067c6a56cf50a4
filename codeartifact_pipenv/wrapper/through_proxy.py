"""The proxy index of a run: made from the plan, and what leads pipenv and pip to it."""

from __future__ import annotations

import os

from codeartifact_pipenv.files.pip_config import words
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import USERNAME, IndexAccess, IndexSources, Upstream
from codeartifact_pipenv.settings import variable_name
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.plan import WITHOUT_PROXY
from codeartifact_pipenv.wrapper.user_settings import without_proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.wrapper.combined_sources import CombinedSources
    from codeartifact_pipenv.wrapper.plan import RunPlan

_MOST_LISTED = 5


def make_index(plan: RunPlan, sources: CombinedSources, folder: str | None) -> ProxyIndex:
    """Return an index of a project's sources.

    Args:
        plan: the plan of the run.
        sources: the combined sources.
        folder: where the run keeps wheels; None to keep none.
    """
    settings, tokens = plan.context.settings, plan.tokens.by_domain
    served = IndexSources(
        [Upstream(e, tokens[e.domain].value) for e in sources.endpoints],
        sources.others.default_url,
        sources.private(),
        sources.private_patterns,
        sources.mirror,
        sources.others.urls,
        plan.inputs.user.links.local if plan.inputs else (),
        needs_dates=sources.cool_down is not None,
    )
    access = IndexAccess(
        sources.others.logins,
        plan.tokens.renew if plan.sources else None,
        plan.ask_exists,
        None if settings.flag("no-cache") else settings.state_directory(),
        folder,
    )
    return ProxyIndex(served, access)


def prefetch(plan: RunPlan, index: ProxyIndex) -> None:
    """Ask for the pages of the project's packages, and of those that the words name."""
    line = plan.context.line
    names = plan.sources.names if plan.sources else ()
    index.prefetch([*names, *commands.named_packages(line.command, line.arguments)])


def netrc_lines(plan: RunPlan, index: ProxyIndex) -> list[str]:
    """Return the lines of a netrc file for the index, and for others that files come from."""
    logins = dict(plan.sources.others.logins) if plan.sources else {}
    logins[index.host] = USERNAME, index.password
    return [
        f"machine {host} login {username} password {password}"
        for host, (username, password) in logins.items()
    ]


def lead_to_index(plan: RunPlan, index: ProxyIndex, environ: dict[str, str]) -> str | None:
    """Set the variables by which pip and pipenv ask the index, and no proxy for it.

    Args:
        plan: the plan.
        index: the index, which serves.
        environ: the environment of the child.

    Returns:
        The text for pip's configuration file; None to leave that as it is.
    """
    host = index.host
    if index.uses_saved_address:
        # pip keeps nothing that comes by plain http from others.
        environ["PIP_TRUSTED_HOST"] = " ".join([*words("trusted-host", environ), host])
    # pip's own settings have no exceptions; the common variables mean the same, and do.
    configured, pip_configuration = without_proxy(environ) or (None, None)
    proxy = environ.pop("PIP_PROXY", None) or configured
    if proxy:
        names = [*map(variable_name, ("http_proxy", "https_proxy"))]
        # (The index asks in pip's place, as do the checks that explain a failure.)
        for changed in (environ, os.environ):
            changed.update(dict.fromkeys(names, proxy))
    for name in WITHOUT_PROXY:
        kept = environ.get(name)
        environ[name] = f"{kept},{host}" if kept else host
    if commands.is_run(plan.context.line.command):
        environ["PIP_INDEX_URL"] = index.url
    return pip_configuration


def warn_of_index(plan: RunPlan, index: ProxyIndex, folder: str) -> None:
    """Warn of what the index could not find out, or not keep in its folder."""
    report, sources, observed = plan.context.report, plan.sources, index.observed
    if sources is None:
        return
    if observed.incomplete and sources.default:
        names = sorted(observed.incomplete)
        listed = ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")
        held = " They are held back, since the project has a cool-down."
        report.warning(
            f"Source {sources.default.name} did not answer, so it is not known when {listed} "
            f"were uploaded, and whether they have been withdrawn.{held if sources.cool_down else ''}"
        )
    for number in sorted(observed.unproven):
        source = sources.source_of(number)
        report.warning(
            f"Could not confirm that repository {sources.endpoints[number].repository} exists: it "
            "served no package, and AWS gave no answer. Packages that are not marked as private "
            f"were taken from other sources. Next: check the URL of source {source.name}, or list "
            "your private packages in private-packages."
        )
    if observed.unwritten is not None:
        report.warning(
            f"Packages could not be written to {folder}: "
            f"{observed.unwritten}. Make room, or name another folder in TMPDIR."
        )
