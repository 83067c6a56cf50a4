"""``pipenv-ca mcp``, as an assistant meets it: the SDK's own client, a real process."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest
from mcp.client import Client, ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ListRootsResult, Root, TextContent
from pydantic import FileUrl
from support import PIPENV_CA, PYPI_SOURCE, SCRIPTS, run, source, write_pipfile

from codeartifact_pipenv.endpoint import parse_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

_GUIDES = Path(__file__).parent.parent / "examples" / "guides"
_GUIDE = (_GUIDES / "assistant.md").read_text(encoding="utf-8")
TOKEN = "eyJhbGciOiJkaXIifQ.eyJleHAiOjB9.c2VjcmV0LXNlY3JldA"
HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
MODES = ("auto", "legacy")


class Answer(NamedTuple):
    """What a tool answered."""

    refused: bool
    text: str
    data: dict[str, Any]


class Assistant:
    """Somebody with a client, who starts the server in a folder."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self.env = dict(env)
        self.folder = folder
        self.command = [PIPENV_CA, "mcp"]
        self.roots: list[Path] | None = None
        self.mode = "auto"

    def call(self, *calls: tuple[str, dict[str, Any]]) -> list[Answer]:
        """Call some tools, one after the other."""
        return anyio.run(self._call, calls)

    def tools(self) -> dict[str, Any]:
        """Return the tools that there are, by name."""
        return anyio.run(self._tools)

    async def _call(self, calls: Sequence[tuple[str, dict[str, Any]]]) -> list[Answer]:
        answers = []
        async with self._client() as client:
            for name, arguments in calls:
                found = await client.call_tool(name, arguments)
                text = "".join(c.text for c in found.content if isinstance(c, TextContent))
                answers.append(Answer(bool(found.is_error), text, found.structured_content or {}))
        return answers

    async def _tools(self) -> dict[str, Any]:
        async with self._client() as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    def _client(self) -> Client:
        command, *arguments = self.command
        where = StdioServerParameters(
            command=command, args=arguments, env=self.env, cwd=self.folder
        )
        roots = [Root(uri=FileUrl(path.as_uri())) for path in self.roots or ()]

        async def tell(context: ClientRequestContext) -> ListRootsResult:  # noqa: ARG001
            return ListRootsResult(roots=roots)

        callback = None if self.roots is None else tell
        return Client(stdio_client(where), mode=self.mode, list_roots_callback=callback)


@pytest.fixture
def assistant(clean_env: dict[str, str], project: Path) -> Assistant:
    return Assistant(clean_env, project)


@pytest.fixture
def leaky(project: Path) -> Path:
    """A project with tokens in its Pipfile, its lock and its .env."""
    endpoint = parse_url(f"https://{HOST}/pypi/team/simple/")
    assert endpoint is not None
    table = source(endpoint, f"aws:{TOKEN}@")
    write_pipfile(project, PYPI_SOURCE, table, f'# {TOKEN}\n[packages]\nsix = "*"\n')
    (project / ".env").write_text(f"CODEARTIFACT_AUTH_TOKEN={TOKEN}\n")
    lock = {"_meta": {"sources": [{"name": "ca", "url": f"https://aws:{TOKEN}@{HOST}/"}]}}
    (project / "Pipfile.lock").write_text(json.dumps(lock))
    return project


@pytest.mark.shows_token("files")
@pytest.mark.parametrize("mode", MODES)
def test_diagnose(mode: str, assistant: Assistant, leaky: Path) -> None:
    """A project's findings and their repair are told, nothing is changed, and no token is in it."""
    before = {path.name: path.read_bytes() for path in leaky.iterdir()}
    assistant.mode = mode
    assistant.env["CODEARTIFACT_AUTH_TOKEN"] = TOKEN
    [found] = assistant.call(("diagnose", {}))
    assert not found.refused
    data = found.data
    assert (data["project"], data["online"], data["well"]) == (str(leaky), False, False)
    assert {"url-token", "url-secret"} <= {seen["code"] for seen in data["lint"]}
    assert "url-token" in {seen["code"] for seen in data["doctor"]}
    assert data["incomplete"] == []
    assert f'+url = "https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{HOST}' in data["diff"]
    assert data["diff"] in found.text
    assert "********9012" in json.dumps(data["doctor"])
    assert TOKEN.partition(".")[0] not in found.text + json.dumps(data)
    assert {path.name: path.read_bytes() for path in leaky.iterdir()} == before


@pytest.mark.wide
@pytest.mark.parametrize("mode", MODES)
def test_outside_of_the_roots(mode: str, assistant: Assistant, tmp_path: Path) -> None:
    """What is outside of the client's roots is refused in a sentence, in each protocol."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        write_pipfile(folder, PYPI_SOURCE)
    (inside / "link").symlink_to(outside)
    assistant.mode, assistant.roots, assistant.folder = mode, [inside], outside
    refused = assistant.call(
        ("diagnose", {"project": str(outside)}), ("diagnose", {"project": str(inside / "link")})
    )
    for answer in refused:
        assert answer.refused
        assert "is outside of the folders that may be read." in answer.text
    [found] = assistant.call(("diagnose", {}))
    assert found.data["project"] == str(inside)


def test_errors_and_guides(assistant: Assistant) -> None:
    """An error is explained, a guide is returned whole, and what the caller said is not repeated."""
    ambiguous, certain, aws, unknown, guide, code, missing, wrong = assistant.call(
        (
            "explain_error",
            {"text": f"https://aws:{TOKEN}@h/: No matching distribution found for x"},
        ),
        ("explain_error", {"text": "error: There is no x anywhere. [package-missing]"}),
        ("explain_error", {"text": "Unable to locate credentials. You can configure credentials"}),
        ("explain_error", {"text": f"What is {TOKEN}?"}),
        ("guidance", {"topic": "lint"}),
        ("guidance", {"topic": "[index-missing]"}),
        ("guidance", {"topic": f"{TOKEN}"}),
        ("explain_error", {"text": [TOKEN]}),
    )
    assert not ambiguous.data["certain"]
    assert len(ambiguous.data["causes"]) > 5
    assert "pipenv-ca doctor" in ambiguous.data["next_step"]
    assert certain.data["certain"]
    assert [cause["code"] for cause in certain.data["causes"]] == ["package-missing"]
    assert [cause["code"] for cause in aws.data["causes"]] == ["no-credentials"]
    assert unknown.data["causes"] == []
    text = (_GUIDES / "lint.md").read_text(encoding="utf-8")
    assert f"# {guide.data['title']}\n\n{guide.data['text']}\n" == text
    assert set(guide.data["topics"]) == {path.stem for path in _GUIDES.glob("*.md")}
    assert 'Add `index = "..."`' in code.text
    assert missing.refused
    assert "Topics are" in missing.text
    assert wrong.refused
    said = json.dumps([ambiguous, certain, aws, unknown, guide, code, missing, wrong])
    assert TOKEN.partition(".")[0] not in said


@pytest.mark.wide
def test_online(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> None:
    """Online it says who serves a package, with a token that nobody is shown."""
    write_pipfile(
        project,
        PYPI_SOURCE,
        source(sandbox.endpoint),
        '[packages]\norb-common = "*"\norb-comon = "*"\n',
    )
    [found] = Assistant(sandbox_env, project).call(("diagnose", {"online": True}))
    said = {seen["place"]: seen for seen in found.data["doctor"]}
    assert found.data["incomplete"] == []
    assert said["Packages: package orb-common"]["code"] == "index-missing"
    assert said["Packages: package orb-comon"]["code"] == "package-missing"
    assert {"index-missing"} == {seen["code"] for seen in found.data["lint"]}
    assert '+orb-common = {version = "*", index = "codeartifact"}' in found.data["diff"]
    assert "eyJ" not in found.text + json.dumps(found.data)


def test_without_the_extra(clean_env: dict[str, str], project: Path) -> None:
    """Without the extra it says so, and how to install it."""
    script = (
        "import sys; sys.modules['mcp'] = None; sys.argv = ['pipenv-ca', 'mcp']\n"
        "from codeartifact_pipenv.__main__ import main; sys.exit(main())"
    )
    done = run(sys.executable, "-c", script, env=clean_env, cwd=project)
    assert done.status == 1
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: The server for assistants needs mcp")
    assert hint == "hint: Install its extra: pip install 'codeartifact-pipenv[mcp]'."


def test_the_guide(assistant: Assistant) -> None:
    """What the guide has clients write starts the server, whose tools are those of the guide."""
    block = re.search(r"```json\n(.*?)```", _GUIDE, re.DOTALL)
    assert block is not None
    [registered] = json.loads(block[1])["mcpServers"].values()
    assistant.command = [registered["command"], *registered["args"]]
    assistant.env["PATH"] = f"{SCRIPTS}:{assistant.env['PATH']}"
    tools = assistant.tools()
    assert list(tools) == re.findall(r"^\| `(\w+)` \|", _GUIDE, re.MULTILINE)
    for tool in tools.values():
        assert tool.description
        assert tool.output_schema
        assert tool.annotations.read_only_hint
        assert not tool.annotations.destructive_hint
