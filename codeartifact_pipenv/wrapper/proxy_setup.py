"""Create the proxy index of a run, and configure pipenv and pip to use it."""

from __future__ import annotations

import os

from codeartifact_pipenv.files.pip_config import words
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import USERNAME, IndexAccess, IndexSources, Upstream
from codeartifact_pipenv.settings import variable_name
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.plan import NO_PROXY_VARIABLES
from codeartifact_pipenv.wrapper.user_settings import split_proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.proxy_index.model import CombinedSources
    from codeartifact_pipenv.wrapper.plan import RunPlan

_MOST_LISTED = 5


def make_index(plan: RunPlan, sources: CombinedSources, folder: str | None) -> ProxyIndex:
    """Return an index of a project's sources.

    Args:
        plan: the plan of the run.
        sources: the combined sources.
        folder: the folder for wheels, or None not to keep them.
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
        plan.repository_exists,
        None if settings.flag("no-cache") else settings.state_directory(),
        folder,
    )
    return ProxyIndex(served, access)


def prefetch(plan: RunPlan, index: ProxyIndex) -> None:
    """Fetch the pages of the project's packages and of packages on the command line."""
    line = plan.context.line
    names = plan.sources.names if plan.sources else ()
    index.prefetch([*names, *commands.named_packages(line.command, line.arguments)])


def netrc_lines(plan: RunPlan, index: ProxyIndex) -> list[str]:
    """Return the lines of a netrc file for the proxy index and for other indexes."""
    logins = dict(plan.sources.others.logins) if plan.sources else {}
    logins[index.host] = USERNAME, index.password
    return [
        f"machine {host} login {username} password {password}"
        for host, (username, password) in logins.items()
    ]


def point_to_index(plan: RunPlan, index: ProxyIndex, environ: dict[str, str]) -> str | None:
    """Set the variables that make pip and pipenv use the index, without a proxy.

    Args:
        plan: the plan.
        index: the running index.
        environ: the environment of the child, which is changed.

    Returns:
        The text of a new configuration file for pip, or None if none is needed.
    """
    host = index.host
    if index.uses_saved_address:
        # pip caches plain HTTP only from trusted hosts.
        environ["PIP_TRUSTED_HOST"] = " ".join([*words("trusted-host", environ), host])
    # PIP_PROXY and pip.conf have no exceptions, unlike the variables for all programs.
    configured, pip_configuration = split_proxy(environ) or (None, None)
    proxy = environ.pop("PIP_PROXY", None) or configured
    if proxy:
        names = [*map(variable_name, ("http_proxy", "https_proxy"))]
        # This process needs the proxy too: for the index, and to explain a failure.
        for changed in (environ, os.environ):
            changed.update(dict.fromkeys(names, proxy))
    for name in NO_PROXY_VARIABLES:
        kept = environ.get(name)
        environ[name] = f"{kept},{host}" if kept else host
    if commands.runs_program(plan.context.line.command):
        environ["PIP_INDEX_URL"] = index.url
    return pip_configuration


def warn_about_index(plan: RunPlan, index: ProxyIndex, folder: str) -> None:
    """Warn if the index lacked an answer or could not write a file."""
    report, sources, observed = plan.context.report, plan.sources, index.observed
    if sources is None:
        return
    if observed.incomplete and sources.default:
        names = sorted(observed.incomplete)
        listed = ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")
        held = " They are held back, since the project has a cool-down."
        report.warning(
            f"Source {sources.default.name} did not answer, so it is not known when {listed} "
            f"were uploaded or withdrawn.{held if sources.cool_down else ''}"
        )
    for number in sorted(observed.unproven):
        source = sources.source_of(number)
        report.warning(
            f"Could not confirm that repository {sources.endpoints[number].repository} exists: it "
            "served no package, and AWS did not answer. Packages that are not marked as private "
            f"were taken from other sources. Next: check the URL of source {source.name}, or list "
            "your private packages in private-packages."
        )
    if observed.unwritten is not None:
        report.warning(
            f"Packages could not be written to {folder}: "
            f"{observed.unwritten}. Make room, or set TMPDIR to another folder."
        )
