"""The variables by which tools take an index and its credentials. Pure: data in, data out.

Each is the tool's own documented one; the names of uv's and poetry's contain the index's name.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from codeartifact_pipenv.clients.targets import USERNAME, by_endpoint, with_login
from codeartifact_pipenv.project.sources import (
    Source,
    assign_variables,
    check_token_use,
    read_source,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


# Where each tool keeps its indexes: in pyproject.toml below [tool], and in uv.toml.
_TABLES = [
    ("uv", ("tool", "uv", "index")),
    ("uv", ("index",)),
    ("poetry", ("tool", "poetry", "source")),
    ("pdm", ("tool", "pdm", "source")),
]


def tool_indexes(
    document: Mapping[str, object], path: str, environ: Mapping[str, str]
) -> list[ToolIndex]:
    """Return every index, on any host, that a file names for uv, poetry and pdm.

    Args:
        document: the content of a pyproject.toml or uv.toml.
        path: the file's path, for messages.
        environ: the environment, for variables in URLs.
    """
    return [
        ToolIndex(
            tool,
            read_source(str(entry.get("name", "")), entry[key], path, environ),
            publishes=key == "publish-url",
        )
        for tool, place in _TABLES
        for entry in _entries_at(document, place)
        for key in ("url", "publish-url")
        if isinstance(entry.get(key), str)
    ]


def _entries_at(document: Any, place: Sequence[str]) -> list[dict[str, Any]]:
    for key in place:
        document = document.get(key) if isinstance(document, dict) else None
    entries = document if isinstance(document, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def variables_for(
    sources: Sequence[Source], indexes: Sequence[ToolIndex], tokens: Mapping[Domain, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the variables that pipenv, pip, uv, poetry, pdm, hatch and twine read.

    A tool sends the credentials in a variable to whichever index has that name, so a name that
    an index on another host shares gets none.

    Args:
        sources: the repositories; the first is the one for tools that take but one.
        indexes: what the project names for its tools.
        tokens: the tokens, in clear.

    Returns:
        The values by name; and warnings of what is left out, and what to do about it.

    Raises:
        ConfigurationError: a URL names a variable that a shell cannot have, that programs
            follow, or that holds the token of another place. (A cloned project must not add
            words of its own to what a shell evaluates, nor choose where a token goes.)
    """
    first = next(iter(by_endpoint(sources)))
    token = tokens[first.domain]
    assigned = assign_variables([*sources, *(index.source for index in indexes)])
    found = {n: tokens[e.domain] for n, e in assigned.items() if e.domain in tokens}
    found["PIP_INDEX_URL"] = with_login(first.simple_url, token)
    # uv takes its own indexes first if the project has some.
    if not any(index.tool == "uv" and index.source.endpoint for index in indexes):
        found["UV_DEFAULT_INDEX"] = found["PIP_INDEX_URL"]
    warnings: list[str] = []
    for tool in _PREFIXES:
        for prefix, endpoint in _by_prefix(tool, sources, indexes, tokens, warnings).items():
            found[f"{prefix}_USERNAME"] = USERNAME
            found[f"{prefix}_PASSWORD"] = tokens[endpoint.domain]
            if tool == "poetry":
                found[f"{prefix.replace('HTTP_BASIC', 'REPOSITORIES', 1)}_URL"] = endpoint.url
    foreign = next((i.source for i in indexes if i.publishes and i.source.endpoint is None), None)
    for url, username, password in _PUBLISHING:
        if foreign is None or not url.startswith("UV_"):
            found |= {url: first.url, username: USERNAME, password: token}
    if foreign is not None:
        warnings.append(
            f"uv's index {foreign.name} in {foreign.origin} publishes to another host, which would "
            "be sent the token in UV_PUBLISH_PASSWORD: UV_PUBLISH_... is not set. Publish with "
            "twine, or remove its publish-url."
        )
    secrets = {
        name: first for name, value in found.items() if any(t in value for t in tokens.values())
    }
    for source in (index.source for index in indexes if index.source.endpoint is None):
        check_token_use(source, secrets)
    warnings += [
        f"{tool}'s index {source.name} is in another domain, {source.endpoint.domain}; "
        "there are no variables for it."
        for tool, source, _ in indexes
        if source.endpoint is not None and source.endpoint.domain not in tokens
    ]
    return found, warnings


# The variables of a tool that publishes: where, as whom, and with which password.
_PUBLISHING = (
    ("TWINE_REPOSITORY_URL", "TWINE_USERNAME", "TWINE_PASSWORD"),
    ("PDM_PUBLISH_REPO", "PDM_PUBLISH_USERNAME", "PDM_PUBLISH_PASSWORD"),
    ("HATCH_INDEX_REPO", "HATCH_INDEX_USER", "HATCH_INDEX_AUTH"),
    ("UV_PUBLISH_URL", "UV_PUBLISH_USERNAME", "UV_PUBLISH_PASSWORD"),
)
# How the variables of an index begin, as the tool itself forms their names.
_PREFIXES: dict[str, Callable[[str], str]] = {
    "uv": lambda name: f"UV_INDEX_{re.sub('[^A-Z0-9]', '_', name.upper())}",
    "poetry": lambda name: f"POETRY_HTTP_BASIC_{re.sub('[-.]', '_', name.upper())}",
}
# Without an entry in any file, poetry publishes to PyPI with these credentials.
_PYPI_OF_POETRY = "POETRY_HTTP_BASIC_PYPI"


def _by_prefix(
    tool: str,
    sources: Sequence[Source],
    indexes: Sequence[ToolIndex],
    tokens: Mapping[Domain, str],
    warnings: list[str],
) -> dict[str, RepositoryEndpoint]:
    """Return a repository for each beginning of variables that only one token can go by.

    An index that the tool's own files name comes before a repository of the same name.
    """
    prefix_of = _PREFIXES[tool]
    named = [index.source for index in indexes if index.tool == tool and index.source.name]
    found: dict[str, RepositoryEndpoint] = {}
    for prefix in dict.fromkeys(prefix_of(source.name) for source in [*named, *sources]):
        own = [source for source in named if prefix_of(source.name) == prefix]
        same = own + [source for source in sources if prefix_of(source.name) == prefix]
        ours = [s.endpoint for s in same if s.endpoint and s.endpoint.domain in tokens]
        is_name = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", prefix)
        if not ours or not is_name or (prefix == _PYPI_OF_POETRY and not own):
            continue
        rivals = [
            s for s in own or same if s.endpoint is None or s.endpoint.domain != ours[0].domain
        ]
        if not rivals:
            found[prefix] = ours[0]
            continue
        warnings.append(
            f"Index {rivals[0].name} in {rivals[0].origin} is on another host, and would be sent "
            f"the token in {prefix}_PASSWORD, which its name becomes for {tool}: {prefix}_... is "
            "not set. Give one of the indexes another name."
        )
    return found
