"""The variables by which tools take an index and its credentials. Pure: data in, data out.

Each is the tool's own documented one; the names of uv's and poetry's have the index's name in
them. What holds a secret is told from what does not by the token in it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from codeartifact_pipenv.clients.urls import USERNAME, with_login
from codeartifact_pipenv.project.sources import check_variable, read_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.clients.targets import Target
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint


class NamedIndex(NamedTuple):
    """An index as a project's pyproject.toml or uv.toml names it.

    Attributes:
        tool: ``uv``, ``poetry`` or ``pdm``.
        name: the index's name; '' where it has none.
        endpoint: the repository.
        variable: the variable that stands for its password; None where none does.
    """

    tool: str
    name: str
    endpoint: RepositoryEndpoint
    variable: str | None


# Where each tool keeps its indexes, below [tool] in pyproject.toml.
_TABLES = {"uv": ("uv", "index"), "poetry": ("poetry", "source"), "pdm": ("pdm", "source")}


def named_indexes(
    pyproject: Mapping[str, object], uv: Mapping[str, object], environ: Mapping[str, str]
) -> list[NamedIndex]:
    """Return the CodeArtifact indexes that a project's files name for uv, poetry and pdm.

    Args:
        pyproject: the content of pyproject.toml.
        uv: the content of uv.toml; where it is there, uv does not read pyproject.toml.
        environ: the environment, for variables in URLs.
    """
    found = []
    for tool, path in _TABLES.items():
        root: object = uv if tool == "uv" and uv else pyproject.get("tool")
        for key in path[1:] if root is uv else path:
            root = root.get(key) if isinstance(root, dict) else None
        for entry in root if isinstance(root, list) else []:
            url = entry.get("url") if isinstance(entry, dict) else None
            if not isinstance(url, str):
                continue
            source = read_source(str(entry.get("name", "")), url, tool, environ)
            if source.endpoint is not None and source.endpoint.repository is not None:
                found.append(NamedIndex(tool, source.name, source.endpoint, source.variable))
    return found


def variables_for(
    targets: Sequence[Target], indexes: Sequence[NamedIndex], tokens: Mapping[Domain, str]
) -> dict[str, str]:
    """Return the variables that pipenv, pip, uv, poetry, pdm, hatch and twine read.

    Args:
        targets: the repositories; the first is the one for tools that take but one.
        indexes: what the project names for its tools, of domains that there is a token of.
        tokens: the tokens, in clear.

    Raises:
        ConfigurationError: a URL of the project names a variable that no shell can have, or
            that programs follow. (A cloned project must not put words of its own into what a
            shell evaluates, nor the token where a program sends it on.)
    """
    first = targets[0].endpoint
    token = tokens[first.domain]
    found = {name: tokens[t.endpoint.domain] for t in targets for name in t.variables}
    for index in indexes:
        if index.variable is not None:
            check_variable(index.variable, f"{index.tool}'s index {index.name}")
            found[index.variable] = tokens[index.endpoint.domain]
    found["PIP_INDEX_URL"] = with_login(first.simple_url, token)
    # uv takes its own indexes first where the project has some.
    if not any(index.tool == "uv" for index in indexes):
        found["UV_DEFAULT_INDEX"] = found["PIP_INDEX_URL"]
    for name, endpoint in _names("uv", targets, indexes).items():
        prefix = f"UV_INDEX_{re.sub('[^A-Z0-9]', '_', name.upper())}"
        found |= _login(prefix, tokens[endpoint.domain])
    for name, endpoint in _names("poetry", targets, indexes).items():
        spelled = re.sub("[-.]", "_", name.upper())
        if not _is_name(f"POETRY_{spelled}"):
            continue  # poetry cannot be told of it by a variable
        found |= _login(f"POETRY_HTTP_BASIC_{spelled}", tokens[endpoint.domain])
        found[f"POETRY_REPOSITORIES_{spelled}_URL"] = endpoint.url
    found |= _login("UV_PUBLISH", token) | {"UV_PUBLISH_URL": first.url}
    found |= _login("TWINE", token) | {"TWINE_REPOSITORY_URL": first.url}
    found |= _login("PDM_PUBLISH", token) | {"PDM_PUBLISH_REPO": first.url}
    found |= {
        "HATCH_INDEX_REPO": first.url,
        "HATCH_INDEX_USER": USERNAME,
        "HATCH_INDEX_AUTH": token,
    }
    return found


def _is_name(text: str) -> bool:
    return re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", text) is not None


def _names(
    tool: str, targets: Sequence[Target], indexes: Sequence[NamedIndex]
) -> dict[str, RepositoryEndpoint]:
    """Return a tool's indexes by name: what the project names for it, else what it names at all."""
    own = {index.name: index.endpoint for index in indexes if index.tool == tool and index.name}
    named: dict[str, RepositoryEndpoint] = {}
    for target in targets:
        named.setdefault(target.name, target.endpoint)
    return named | own


def _login(prefix: str, token: str) -> dict[str, str]:
    return {f"{prefix}_USERNAME": USERNAME, f"{prefix}_PASSWORD": token}
