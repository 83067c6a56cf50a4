"""``pipenv-ca mcp``, tested with the SDK's own client and a real process."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest
from mcp.client import Client, ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ListRootsResult, Root, TextContent, TextResourceContents, Tool
from pydantic import FileUrl
from support.guides import ROOT
from support.programs import PIPENV_CA, SCRIPTS, run
from support.projects import PYPI_SOURCE, source, write_pipfile

from codeartifact_pipenv.assistant.roots import Roots
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

_GUIDES = ROOT / "examples" / "guides"
_GUIDE = (_GUIDES / "assistant.md").read_text(encoding="utf-8")
TOKEN = "eyJhbGciOiJkaXIifQ.eyJleHAiOjB9.c2VjcmV0LXNlY3JldA"
HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
MODES = ("auto", "legacy")


class Answer(NamedTuple):
    refused: bool
    text: str
    data: dict[str, Any]


class Assistant:
    """A user whose client starts the server in a folder."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self.env = dict(env)
        self.folder = folder
        self.command = [PIPENV_CA, "mcp"]
        self.roots: list[Path] | None = None
        self.mode = "auto"

    async def _roots(self, context: ClientRequestContext) -> ListRootsResult:  # noqa: ARG002
        return ListRootsResult(roots=[Root(uri=FileUrl(p.as_uri())) for p in self.roots or ()])

    def client(self) -> Client:
        command, *arguments = self.command
        server = {"command": command, "args": arguments, "env": self.env, "cwd": self.folder}
        place = stdio_client(StdioServerParameters.model_validate(server))
        roots = None if self.roots is None else self._roots
        return Client(place, mode=self.mode, list_roots_callback=roots)

    def diagnose(self, **arguments: Any) -> Answer:
        """Call the tool that diagnoses a project."""

        async def call() -> Answer:
            async with self.client() as client:
                found = await client.call_tool("diagnose", arguments)
                text = "".join(c.text for c in found.content if isinstance(c, TextContent))
                return Answer(bool(found.is_error), text, found.structured_content or {})

        return anyio.run(call)

    def offers(self) -> tuple[list[Tool], dict[str, str]]:
        """Return the tools, and the text of each resource by its URI."""

        async def call() -> tuple[list[Tool], dict[str, str]]:
            texts = {}
            async with self.client() as client:
                for resource in (await client.list_resources()).resources:
                    [content] = (await client.read_resource(resource.uri)).contents
                    assert isinstance(content, TextResourceContents)
                    texts[str(resource.uri)] = content.text
                return (await client.list_tools()).tools, texts

        return anyio.run(call)


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


def findings_of_doctor(data: dict[str, Any]) -> set[tuple[str, str | None]]:
    """Return what doctor reports: subjects and codes."""
    sections = data["doctor"]["sections"]
    return {(found["subject"], found["code"]) for part in sections for found in part["findings"]}


@pytest.mark.wide
@pytest.mark.shows_token("files")
@pytest.mark.parametrize("mode", MODES)
def test_diagnose_reports_as_json_without_tokens_and_changes_nothing(
    mode: str, assistant: Assistant, leaky: Path
) -> None:
    before = {path.name: path.read_bytes() for path in leaky.iterdir()}
    assistant.mode = mode
    assistant.env["CODEARTIFACT_AUTH_TOKEN"] = TOKEN
    found = assistant.diagnose()
    assert not found.refused
    data = found.data
    assert (data["project"], data["online"]) == (str(leaky), False)
    assert {"url-token", "url-secret"} <= {seen["code"] for seen in data["lint"]["findings"]}
    assert "url-token" in {code for _, code in findings_of_doctor(data)}
    assert "********9012" in json.dumps(data["doctor"])
    assert json.loads(found.text) == data
    assert TOKEN.partition(".")[0] not in found.text + json.dumps(data)
    assert {path.name: path.read_bytes() for path in leaky.iterdir()} == before


@pytest.mark.wide
@pytest.mark.parametrize("mode", MODES)
def test_a_project_outside_of_the_clients_roots_is_refused(
    mode: str, assistant: Assistant, tmp_path: Path
) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        write_pipfile(folder, PYPI_SOURCE)
    assistant.mode, assistant.roots, assistant.folder = mode, [inside], outside
    answer = assistant.diagnose(project=str(outside))
    assert answer.refused
    assert "is outside of the folders that may be read." in answer.text
    assert assistant.diagnose().data["project"] == str(inside)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a folder with two projects; a folder next to it has a name that starts the same."""
    for name in ("work/one", "work/two", "work-not"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "Pipfile").write_text("")
    return tmp_path / "work"


def refused(roots: Roots, path: str, of_client: list[str] | None = None) -> bool:
    """Whether a path is refused because it is outside."""
    try:
        roots.project(path, of_client)
    except ConfigurationError as error:
        assert "is outside of the folders" in error.sentence  # noqa: PT017 - what else is wrong
        return True
    return False


def test_only_the_working_directory_except_the_root_may_be_read_by_default(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    assert Roots([]).project("one", None) == str(work / "one")
    assert Roots([]).project("one/Pipfile", None) == str(work / "one")
    assert refused(Roots([]), "../work-not")
    assert refused(Roots([]), str(work.parent))
    monkeypatch.chdir("/")
    assert refused(Roots([]), str(work / "one"))


def test_a_project_must_be_in_the_roots_of_client_and_command_line(work: Path) -> None:
    one, two = (work / "one").as_uri(), (work / "two").as_uri()
    assert not refused(Roots([]), str(work / "one"), [one])
    assert refused(Roots([]), str(work / "two"), [one])
    assert not refused(Roots([str(work)]), str(work / "two"))
    assert not refused(Roots([str(work)]), str(work / "two"), [two])
    assert refused(Roots([str(work / "one")]), str(work / "two"), [one, two])
    assert refused(Roots([str(work)]), str(work / "one"), [])
    assert refused(Roots([]), str(work / "one"), ["https://example.com/"])


@pytest.mark.parametrize(
    "name", ["Pipfile", "Pipfile.lock", "pylock.toml", "pyproject.toml", ".env"]
)
def test_links_to_files_or_folders_outside_are_refused(name: str, work: Path) -> None:
    place = work / "one" / name
    place.unlink(missing_ok=True)
    place.symlink_to(work.parent / "work-not" / "Pipfile")
    assert refused(Roots([str(work)]), "one")
    (work / "link").symlink_to(work.parent / "work-not")
    assert refused(Roots([str(work)]), "link")


def test_dotenv_cannot_name_a_pipfile_outside_of_the_roots(work: Path) -> None:
    for folder, is_outside in ((work.parent / "work-not", True), (work / "two", False)):
        (work / "one" / ".env").write_text(f"PIPENV_PIPFILE={folder / 'Pipfile'}\n")
        assert refused(Roots([str(work)]), str(work / "one")) is is_outside


def test_a_folder_with_a_pipfile_only_above_is_not_a_project(work: Path) -> None:
    (work / "Pipfile").touch()
    (work / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"A Pipfile was not found in empty\."):
        Roots([str(work)]).project("empty", None)


@pytest.mark.wide
def test_refusals_do_not_repeat_secrets_of_the_request(assistant: Assistant) -> None:
    for arguments in ({"project": f"https://aws:{TOKEN}@h/"}, {"packages": {"x": TOKEN}}):
        answer = assistant.diagnose(**arguments)
        assert answer.refused
        assert TOKEN.partition(".")[0] not in answer.text


@pytest.mark.wide
def test_an_error_in_doctor_does_not_affect_the_lint_report(assistant: Assistant) -> None:
    write_pipfile(assistant.folder, PYPI_SOURCE)
    found = assistant.diagnose(packages=["--help"])
    assert found.data["doctor"].keys() == {"error"}
    assert "'--help' is not a package name" in found.data["doctor"]["error"]
    assert found.data["lint"] == {"ok": True, "findings": []}


@pytest.mark.wide
def test_diagnose_online_finds_missing_indexes_without_showing_the_token(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    packages = '[packages]\norb-common = "*"\norb-comon = "*"\n'
    write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), packages)
    found = Assistant(sandbox_env, project).diagnose(online=True)
    expected = {("package orb-common", "index-missing"), ("package orb-comon", "package-missing")}
    assert expected <= findings_of_doctor(found.data)
    codes = {seen["code"] for seen in found.data["lint"]["findings"]}
    assert codes == {"index-missing", "package-missing"}
    assert "eyJ" not in found.text + json.dumps(found.data)


@pytest.mark.parametrize(
    ("receipt", "way"),
    [
        (None, "pip install"),
        ("uv-receipt.toml", "uv tool install"),
        ("pipx_metadata.json", "pipx install --force"),
    ],
)
def test_without_the_extra_the_error_says_how_to_install_it(
    receipt: str | None, way: str, clean_env: dict[str, str], project: Path
) -> None:
    if receipt:
        (project / receipt).touch()
    script = f"import sys; sys.prefix = {str(project)!r}; sys.modules['mcp'] = None\n"
    script += "from codeartifact_pipenv.__main__ import main; sys.exit(main())"
    done = run(sys.executable, "-c", script, "mcp", env=clean_env, cwd=project)
    assert done.status == 1
    error = "error: The server for assistants is not installed: it is an extra."
    assert done.stderr == f"{error}\nhint: Run `{way} 'codeartifact-pipenv[mcp]'`.\n"


@pytest.mark.wide
def test_registration_of_the_guide_starts_a_server_with_read_only_tools_and_all_guides(
    assistant: Assistant,
) -> None:
    block = re.search(r"```json\n(.*?)```", _GUIDE, re.DOTALL)
    assert block is not None
    [registered] = json.loads(block[1])["mcpServers"].values()
    assistant.command = [registered["command"], *registered["args"]]
    assistant.env["PATH"] = f"{SCRIPTS}:{assistant.env['PATH']}"
    tools, resources = assistant.offers()
    for tool in tools:
        assert f"`{tool.name}`" in _GUIDE
        assert tool.annotations
        assert tool.annotations.read_only_hint
    guides = {path.stem: path.read_text(encoding="utf-8") for path in _GUIDES.glob("*.md")}
    assert resources == {f"guide://{name}": text for name, text in guides.items()}
