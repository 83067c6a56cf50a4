"""The variables by which tools take an index and its credentials. Pure: data in, data out.

Each is the tool's own documented one; the names of uv's and poetry's contain the index's name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from codeartifact_pipenv.clients.urls import USERNAME, with_login
from codeartifact_pipenv.project.sources import (
    Source,
    assign_variables,
    read_source,
    refuse_stray_token,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codeartifact_pipenv.clients.targets import Target
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint


class ToolIndex(NamedTuple):
    """An index that a project's files name for a tool.

    Attributes:
        tool: ``uv``, ``poetry``, ``pdm`` or ``pipenv``.
        source: the index's name and URL; its endpoint is None on another host.
        publishes: whether the entry says where to publish, too (uv's ``publish-url``).
    """

    tool: str
    source: Source
    publishes: bool = False


class Variables(NamedTuple):
    """What a shell is to be given.

    Attributes:
        values: by name.
        warnings: which variables are left out, and what to do about it.
    """

    values: dict[str, str]
    warnings: list[str]


# Where each tool keeps its indexes: in pyproject.toml below [tool], and in uv.toml.
_TABLES: dict[str, list[tuple[str, ...]]] = {
    "uv": [("tool", "uv", "index"), ("index",)],
    "poetry": [("tool", "poetry", "source")],
    "pdm": [("tool", "pdm", "source")],
}


def tool_indexes(
    document: Mapping[str, object], path: str, environ: Mapping[str, str]
) -> list[ToolIndex]:
    """Return every index, on any host, that a file names for uv, poetry and pdm.

    Args:
        document: the content of a pyproject.toml or uv.toml.
        path: the file's path, for messages.
        environ: the environment, for variables in URLs.
    """
    found = []
    for tool, places in _TABLES.items():
        for entry in (entry for place in places for entry in _tables_at(document, place)):
            for key in ("url", "publish-url"):
                url = entry.get(key)
                if isinstance(url, str):
                    name = str(entry.get("name", ""))
                    source = read_source(name, url, path, environ)
                    found.append(ToolIndex(tool, source, publishes=key == "publish-url"))
    return found


def _tables_at(document: Mapping[str, object], place: Sequence[str]) -> Iterator[dict[str, object]]:
    found: object = document
    for key in place:
        found = found.get(key) if isinstance(found, dict) else None
    return (
        entry for entry in (found if isinstance(found, list) else []) if isinstance(entry, dict)
    )


def variables_for(
    targets: Sequence[Target], indexes: Sequence[ToolIndex], tokens: Mapping[Domain, str]
) -> Variables:
    """Return the variables that pipenv, pip, uv, poetry, pdm, hatch and twine read.

    A tool sends the credentials in a variable to whichever index has that name, so a name that
    an index on another host shares gets none.

    Args:
        targets: the repositories; the first is the one for tools that take but one.
        indexes: what the project names for its tools.
        tokens: the tokens, in clear.

    Raises:
        ConfigurationError: a URL names a variable that a shell cannot have, that programs
            follow, or that holds the token of another place. (A cloned project must not add
            words of its own to what a shell evaluates, nor choose where a token goes.)
    """
    first = targets[0].endpoint
    token = tokens[first.domain]
    assigned = assign_variables([*_sources_of(targets), *(index.source for index in indexes)])
    wanted = {name for t in targets for name in t.variables}
    wanted |= {index.source.variable for index in indexes if index.source.variable}
    found = {
        name: tokens[endpoint.domain]
        for name, endpoint in assigned.items()
        if name in wanted and endpoint.domain in tokens
    }
    found["PIP_INDEX_URL"] = with_login(first.simple_url, token)
    # uv takes its own indexes first where the project has some.
    if not any(index.tool == "uv" and index.source.endpoint for index in indexes):
        found["UV_DEFAULT_INDEX"] = found["PIP_INDEX_URL"]
    uv, uv_warnings = _by_prefix("uv", targets, indexes, tokens)
    poetry, poetry_warnings = _by_prefix("poetry", targets, indexes, tokens)
    for prefix, endpoint in (*uv.items(), *poetry.items()):
        found |= _login(prefix, tokens[endpoint.domain])
    for prefix, endpoint in poetry.items():
        found[f"{prefix.replace('HTTP_BASIC', 'REPOSITORIES', 1)}_URL"] = endpoint.url
    publishing, publish_warnings = _for_publishing(first, token, indexes)
    found |= publishing
    secrets = {
        name: first for name, value in found.items() if any(t in value for t in tokens.values())
    }
    for source in (index.source for index in indexes if index.source.endpoint is None):
        refuse_stray_token(source, secrets)
    return Variables(found, [*uv_warnings, *poetry_warnings, *publish_warnings])


def _for_publishing(
    first: RepositoryEndpoint, token: str, indexes: Sequence[ToolIndex]
) -> tuple[dict[str, str], list[str]]:
    found = _login("TWINE", token) | {"TWINE_REPOSITORY_URL": first.url}
    found |= _login("PDM_PUBLISH", token) | {"PDM_PUBLISH_REPO": first.url}
    found |= {
        "HATCH_INDEX_REPO": first.url,
        "HATCH_INDEX_USER": USERNAME,
        "HATCH_INDEX_AUTH": token,
    }
    foreign = next((i.source for i in indexes if i.publishes and i.source.endpoint is None), None)
    if foreign is None:
        return found | _login("UV_PUBLISH", token) | {"UV_PUBLISH_URL": first.url}, []
    return found, [
        f"uv's index {foreign.name} in {foreign.origin} publishes to another host, which would be "
        "sent the token in UV_PUBLISH_PASSWORD: UV_PUBLISH_... is not set. Publish with twine, or "
        "remove its publish-url."
    ]


def _sources_of(targets: Sequence[Target]) -> list[Source]:
    """Return the repositories with their variables, as if a Pipfile named them."""
    return [
        read_source(
            target.name,
            target.endpoint.simple_url.replace("://", f"://{USERNAME}:${{{variable}}}@", 1),
            "the Pipfile",
            {},
        )
        for target in targets
        for variable in target.variables
    ]


def _prefix(tool: str, name: str) -> str:
    """Return how the variables of an index begin, as the tool itself forms their names."""
    if tool == "uv":
        return f"UV_INDEX_{re.sub('[^A-Z0-9]', '_', name.upper())}"
    return f"POETRY_HTTP_BASIC_{re.sub('[-.]', '_', name.upper())}"


# Without an entry in any file, poetry publishes to PyPI with the credentials of this name.
_PYPI_OF_POETRY = _prefix("poetry", "pypi")


def _by_prefix(
    tool: str,
    targets: Sequence[Target],
    indexes: Sequence[ToolIndex],
    tokens: Mapping[Domain, str],
) -> tuple[dict[str, RepositoryEndpoint], list[str]]:
    """Return a repository for each beginning of variables that only one token can go by."""
    found: dict[str, RepositoryEndpoint] = {}
    shared: dict[str, str] = {}
    for source in (i.source for i in indexes if i.tool == tool and i.source.name):
        prefix = _prefix(tool, source.name)
        endpoint = source.endpoint
        which = f"{tool}'s index {source.name} in {source.origin}"
        if endpoint is None or endpoint.domain not in tokens:
            shared[prefix] = f"{which} is on another host"
        elif found.setdefault(prefix, endpoint).domain != endpoint.domain:
            shared[prefix] = f"{which} is in another domain"
    own = dict(found)
    for target in targets:
        prefix = _prefix(tool, target.name)
        other = found.setdefault(prefix, target.endpoint)
        if prefix not in own and other.domain != target.endpoint.domain:
            shared[prefix] = f"two repositories are named {target.name}"
    warnings = [
        f"{why}, and would be sent the token in {prefix}_PASSWORD, which its name becomes for "
        f"{tool}: {prefix}_... is not set. Give one of the indexes another name."
        for prefix, why in shared.items()
        if prefix in found
    ]
    names = {
        prefix: endpoint
        for prefix, endpoint in found.items()
        if prefix not in shared
        and re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", prefix)
        and not (prefix == _PYPI_OF_POETRY and prefix not in own)
    }
    return names, warnings


def _login(prefix: str, token: str) -> dict[str, str]:
    return {f"{prefix}_USERNAME": USERNAME, f"{prefix}_PASSWORD": token}
