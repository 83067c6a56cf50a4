"""The server: one tool that diagnoses a project, and the guides as resources."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import Context, ListRoots, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resources import FileResource
from mcp_types import CallToolResult, InputRequiredResult, ListRootsResult, ToolAnnotations
from pydantic import BaseModel, Field

from codeartifact_pipenv import __version__
from codeartifact_pipenv.assistant import diagnosis
from codeartifact_pipenv.assistant.guides import guide_files
from codeartifact_pipenv.checks.files.secrets import mask
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.settings import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.assistant.roots import Roots

_INSTRUCTIONS = (
    "For Python projects that get packages from AWS CodeArtifact with pipenv. `diagnose` checks a "
    "project. The resource guide://causes explains the codes that it reports, and guide://lint "
    "those of Pipfiles and locks. Nothing is changed, and no answer contains a token: never ask "
    "the user for one."
)


class Diagnosis(BaseModel):
    """The reports of doctor and lint; a report that failed has only an `error`."""

    project: str = Field(description="the project's folder")
    online: bool = Field(description="whether AWS and the indexes were asked")
    doctor: dict[str, Any] = Field(description="programs, AWS, sources and packages")
    lint: dict[str, Any] = Field(description="Pipfile and locks")


class _Server(MCPServer[dict[str, Any]]):
    """A server whose errors contain no secrets."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool."""
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            # The message quotes arguments that do not fit the schema.
            raise ToolError(mask(str(error))) from None


def make_server(roots: Roots, options: Sequence[str]) -> MCPServer[dict[str, Any]]:
    """Return the server.

    Args:
        roots: the folders that may be read.
        options: our own options for doctor and lint, such as ``--ca-profile=work``.
    """
    server = _Server(
        PROGRAM,
        instructions=_INSTRUCTIONS,
        version=__version__,
        log_level="CRITICAL",  # a traceback might contain secrets of a project
    )
    for path in guide_files():
        uri = f"guide://{path.stem}"
        server.add_resource(
            FileResource(uri=uri, name=path.stem, path=path, mime_type="text/markdown")
        )

    @server.tool(annotations=ToolAnnotations(read_only_hint=True, destructive_hint=False))
    def diagnose(
        of_client: Annotated[ListRootsResult | None, Resolve(_client_roots)],
        project: Annotated[str, Field(description="the folder of the Pipfile")] = ".",
        packages: Annotated[
            list[str], Field(description="check only these packages", max_length=50)
        ] = [],  # noqa: B006 - the SDK shows it as the default
        online: Annotated[
            bool, Field(description="also ask AWS and the indexes, with the user's credentials")
        ] = False,
    ) -> Diagnosis:
        """Check a project with doctor and lint, and return their reports. Nothing is changed."""
        uris = None if of_client is None else [str(root.uri) for root in of_client.roots]
        try:
            folder = roots.project(project, uris)
        except CodeArtifactPipenvError as error:
            raise ToolError(f"{error.sentence} {error.hint}") from None
        reports = diagnosis.diagnose(options, folder, packages, online=online)
        return Diagnosis(project=folder, online=online, **reports)

    return server


def _client_roots(context: Context) -> ListRoots | ListRootsResult | None:
    """Ask the client for its roots, if it has that capability."""
    can = context.client_capabilities
    return None if can is None or can.roots is None else ListRoots()
