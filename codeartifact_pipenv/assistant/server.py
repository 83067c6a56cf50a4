"""The server: three tools that read, and one place where secrets are taken out of all answers."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

from mcp.server.mcpserver import Context, ListRoots, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import (
    CallToolResult,
    InputRequiredResult,
    ListRootsResult,
    TextContent,
    ToolAnnotations,
)
from pydantic import BaseModel, Field

from codeartifact_pipenv import __version__
from codeartifact_pipenv.assistant import guides, symptoms
from codeartifact_pipenv.assistant.answers import Cause, Diagnosis, Explanation, Guidance
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.lint.secrets import mask
from codeartifact_pipenv.settings import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.assistant.diagnosing import Examiner
    from codeartifact_pipenv.assistant.roots import Roots

_INSTRUCTIONS = (
    "For Python projects whose packages come from AWS CodeArtifact by pipenv. `explain_error` says "
    "what an error text means, `diagnose` looks at a project, `guidance` has the guides. Nothing "
    "is changed, and no answer has a token in it: never ask the user for one."
)
# Of the end of a text: what failed is said last.
_MOST_CHARACTERS = 50_000


class _Discreet(MCPServer[dict[str, Any]]):
    """A server that takes what is secret out of every answer of a tool, refusals included."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool, and mask what it says."""
        try:
            result = await super().call_tool(name, arguments, context)
        except ToolError as error:
            # (What does not fit the schema is quoted in it.)
            raise ToolError(mask(str(error))) from None
        if not isinstance(result, CallToolResult):
            return result  # a question to the client
        return CallToolResult.model_validate(_masked(result.model_dump()))


def make_server(roots: Roots, examiner: Examiner) -> MCPServer[dict[str, Any]]:
    """Return the server with its tools."""
    server = _Discreet(
        PROGRAM,
        instructions=_INSTRUCTIONS,
        version=__version__,
        log_level="CRITICAL",  # a traceback on stderr might hold what a project holds
    )

    def diagnose(
        of_client: Annotated[ListRootsResult | None, Resolve(_client_roots)],
        project: Annotated[str, Field(description="the folder of the Pipfile")] = ".",
        packages: Annotated[
            list[str], Field(description="look at these packages only", max_length=50)
        ] = [],  # noqa: B006 - the SDK shows it as the default
        online: Annotated[
            bool, Field(description="also ask AWS and the indexes, with the user's credentials")
        ] = False,
    ) -> Annotated[CallToolResult, Diagnosis]:
        """Look at a project: doctor's and lint's findings, and the repair as a diff.

        Nothing is changed. Offline it says what the project's files and this machine tell; online
        it also says whether tokens are given and each package is served.
        """
        uris = None if of_client is None else [str(root.uri) for root in of_client.roots]
        try:
            folder = roots.project(project, uris)
        except CodeArtifactPipenvError as error:
            raise ToolError(f"{error.sentence} {error.hint}") from None
        found = examiner.examine(folder, packages, online=online)
        return _answer(_summary(found), found)

    def explain_error(
        text: Annotated[str, Field(description="what pipenv, pip, AWS or pipenv-ca printed")],
    ) -> Annotated[CallToolResult, Explanation]:
        """Say what an error text of pipenv, pip, AWS or pipenv-ca means, and what to do next."""
        found = _explain(text[-_MOST_CHARACTERS:])
        lines = [f"{cause.code}: {cause.explanation} {cause.next_step}" for cause in found.causes]
        return _answer("\n".join([found.summary, *lines, found.next_step]), found)

    def guidance(
        topic: Annotated[str, Field(description=f"{_topics()}, or a code such as index-missing")],
    ) -> Annotated[CallToolResult, Guidance]:
        """Return a guide of codeartifact-pipenv, or what the guides say of one code."""
        try:
            title, text = guides.guide(topic)
        except CodeArtifactPipenvError as error:
            raise ToolError(f"{error.sentence} {error.hint}") from None
        found = Guidance(topic=topic, title=title, text=text, topics=list(guides.read_guides()))
        return _answer(f"# {title}\n\n{text}", found)

    for tool in (diagnose, explain_error, guidance):
        online = tool is diagnose
        server.tool(
            description=inspect.getdoc(tool),
            annotations=ToolAnnotations(
                read_only_hint=True,
                destructive_hint=False,
                idempotent_hint=True,
                open_world_hint=online,
            ),
        )(tool)
    return server


def _topics() -> str:
    return ", ".join(guides.read_guides())


def _client_roots(context: Context) -> ListRoots | ListRootsResult | None:
    """Ask the client for its roots, if it has any to tell."""
    can = context.client_capabilities
    return None if can is None or can.roots is None else ListRoots()


def _explain(text: str) -> Explanation:
    known = guides.advice()
    reading = symptoms.read(text, known)
    if reading is None:
        return Explanation(
            certain=False,
            summary="This is no error that codeartifact-pipenv knows.",
            causes=[],
            next_step="`pipenv-ca doctor` in the project (or `diagnose`) looks at everything.",
        )
    causes = [Cause(code=code, **known[code]._asdict()) for code in reading.codes]
    return Explanation(
        certain=reading.certain,
        summary=reading.summary,
        causes=causes,
        next_step=causes[0].next_step
        if reading.certain
        else "Which of these it is, `pipenv-ca doctor` in the project tells apart (`diagnose` with "
        "online=true does the same), and so does the failing command itself if it is run as "
        "`pipenv-ca` instead of `pipenv`.",
    )


def _summary(found: Diagnosis) -> str:
    lines = [
        f"{seen.level}: {seen.place}: {seen.sentence}{f' [{seen.code}]' if seen.code else ''} "
        f"{seen.hint}"
        for seen in (*found.doctor, *found.lint)
        if seen.level != "ok"
    ]
    lines += [*found.incomplete, *([found.diff] if found.diff else [])]
    return "\n".join([*(lines or [f"{found.project}: nothing is wrong."]), found.next_step])


def _answer(text: str, found: BaseModel) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=found.model_dump()
    )


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {name: _masked(item) for name, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value
