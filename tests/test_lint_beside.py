"""Lint also checks the files next to a Pipfile: requirements, constraints and .env."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from support.lint import (
    GITHUB_TOKEN,
    HOST,
    OURS,
    PUBLIC,
    TOKEN,
    Shell,
    fixed,
    found_in,
    pipfile,
    reviewed,
    write_project,
)
from support.programs import PIPENV_CA, run
from support.runs import assert_error

from codeartifact_pipenv.checks.views.excerpt import excerpt

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "requirements.txt"
URL = OURS[1]
PLAIN = f"https://{HOST}/pypi/team/simple/"
SECRETS = (TOKEN, "hunter2", GITHUB_TOKEN)


def found(folder: Path, files: dict[str, str], *sources: tuple[str, str]) -> list[tuple[str, int]]:
    """Return code and line of each finding in a project with these files; fix changes nothing."""
    path = write_project(folder, pipfile('six = "*"', *sources))
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    project = reviewed(path, private_packages="acme-*")
    for finding in project.findings:
        shown = excerpt(finding, project.files[finding.path], 80)
        said = f"{finding.sentence} {finding.hint} {shown.text if shown else ''}"
        assert not any(secret in said for secret in SECRETS)
        assert finding.path.endswith(tuple(files)), finding
        assert finding.sentence.endswith(".")
        assert finding.hint.endswith(".")
    assert fixed(path, "acme-*").changes == []
    return [(finding.code or "", finding.line) for finding in project.findings]


def with_token(token: str) -> str:
    """Return the option with the repository's URL, and with this in the token's place."""
    return f"-i {URL.replace('${CODEARTIFACT_AUTH_TOKEN}', token)}"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (f"six\n{with_token(TOKEN)}\n", "url-token", 2),
        (with_token("hunter2").replace("-i ", "--index-url="), "url-token", 1),
        ("--extra-index-url https://me:hunter2@index.example/simple", "url-secret", 1),
        ("C:\\src\\a\n-f https://me:hunter2@files.example/\n", "url-secret", 2),
        (f"acme @ https://{GITHUB_TOKEN}@git.example/a.whl", "url-secret", 1),
        (f"six\n# was {GITHUB_TOKEN}\n", "url-secret", 2),
        (f"--index-url \\\n  {URL.replace('aws:$', 'aws:')}", "variable-form", 1),
        (with_token("<token>"), "variable-form", 1),
        (f"-i {URL.replace('CODEARTIFACT_AUTH_TOKEN', 'a_token')}", "variable-form", 1),
        (f"six  # no\n\n-i {PLAIN.replace('123456789012', '1234')}", "near-miss", 3),
        (f"-i {PLAIN.replace('simple/', '')}", "url-without-simple", 1),
        (f"-i {URL.replace('aws:', 'me:')}", "url-username", 1),
        ("-i http://index.example/simple", "url-http", 1),
        (f"-i {URL.replace(HOST, 'index.example')}", "token-elsewhere", 1),
        ("six\n--constraint no/constraints.txt", "path-missing", 2),
        (f"--extra-index-url {URL}\nacme-a==1\nsix\n", "extra-index", 1),
        (f"-i https://index.example/simple\n--extra-index-url={PLAIN}\nsix\n", "extra-index", 2),
    ],
)
def test_problem_in_a_requirements_file_is_reported_at_its_line(
    text: str, code: str, line: int, tmp_path: Path
) -> None:
    assert found(tmp_path, {TEXT: text}) == [(code, line)]


@pytest.mark.parametrize(
    "text",
    [
        f"-i {URL}\nacme-a==1 --hash=sha256:00\n",
        f"--index-url {PLAIN}\nacme-a\n",
        f"-i {PLAIN}\n--extra-index-url {PLAIN.replace('team', 'more')}\nacme-a\n",
        "--extra-index-url https://index.example/simple\nsix\n",
        "-i http://localhost:8080/simple\n",
        "-e .\n./lib\ngit+https://git.example/a\nhttps://x.example/a.whl\nsix ; os_name == 'nt'\n",
        "Notes: write --index-url https://me:hunter2@index.example/simple\n",
        "six\n* not pip's: -i https://me:hunter2@index.example/simple\n",
        f"-i {URL.replace('aws:', 'me:')}  # pipenv-ca: ignore[url-username]\n",
        "",
    ],
)
def test_correct_requirements_and_notes_have_no_findings(text: str, tmp_path: Path) -> None:
    assert found(tmp_path, {TEXT: text, "notes.txt": f"-i https://me:{TOKEN}@x.example\n"}) == []


def test_readable_requirements_and_the_files_that_they_include_are_reviewed_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "project" / "requirements-old.txt").mkdir(parents=True)
    (tmp_path / "project" / "constraints-old.txt").write_bytes(b"\xff\xfe\x00")
    outside = "-i https://me:hunter2@index.example/simple\n"
    (tmp_path / "outside.txt").write_text(outside)
    files = {
        TEXT: "-r more/base.in\n-r ../outside.txt\n-c requirements-dev.txt\n",
        "requirements-dev.txt": f"-r {TEXT}\n-r more/base.in\n",
        "constraints.txt": "-r gone.txt",
        "more/base.in": f"six\n{outside}",
    }
    found_there = found(tmp_path / "project", files)
    assert sorted(found_there) == [("path-missing", 1), ("url-secret", 2)]


def token_of(expires_at: int) -> str:
    """Return a text shaped like a token that expires at this time."""
    header = json.dumps({"isu": expires_at - 43200, "exp": expires_at}).encode()
    return base64.urlsafe_b64encode(header).decode().rstrip("=") + ".a.b.c.d"


LONG, OVER = token_of(2**34), token_of(1_700_000_000)
IN_URL = f"PIP_INDEX_URL=https://aws:{TOKEN}@{HOST}/pypi/team/simple/"
KEYS = "\r\nexport AWS_ACCESS_KEY_ID=a\r\nAWS_SECRET_ACCESS_KEY=b\r\n"


@pytest.mark.parametrize(
    ("text", "code", "level"),
    [
        (f"\nCODEARTIFACT_AUTH_TOKEN={TOKEN}\n", "dotenv-token", "warning"),
        (f"\nexport CODEARTIFACT_AUTH_TOKEN='{LONG}'", "dotenv-token", "warning"),
        (f"\nCODEARTIFACT_AUTH_TOKEN={OVER}\n", "dotenv-token", "failure"),
        ("A=1\nCODEARTIFACT_AUTH_TOKEN=\n", "dotenv-token", "failure"),
        ("#\nCODEARTIFACT_AUTH_TOKEN=<token>\n", "dotenv-token", "failure"),
        (f"A=1\n{IN_URL}\n", "dotenv-token", "warning"),
        ("A=1\nAWS_PROFILE=x\n", "dotenv-aws", "warning"),
        (KEYS, "dotenv-aws", "warning"),
        ("A=1\nthis sets nothing: b c\n", "dotenv-invalid", "warning"),
        ("A=1\nB='open\n", "dotenv-invalid", "warning"),
    ],
)
def test_problem_in_dotenv_is_reported_at_its_line(
    text: str, code: str, level: str, tmp_path: Path
) -> None:
    assert found(tmp_path, {".env": text}) == [(code, 2)]
    assert [finding.level for finding in reviewed(tmp_path / "Pipfile").findings] == [level]


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("A=1\n# CODEARTIFACT_AUTH_TOKEN=x\nAWS_REGION=eu-west-1\n", ()),
        ("AWS_PROFILE=x  # pipenv-ca: ignore[dotenv-aws]\n", ()),
        ("A='one\ntwo'\nexport B\n", ()),
        ("AWS_PROFILE=x\nCODEARTIFACT_AUTH_TOKEN=\n", (PUBLIC,)),
    ],
)
def test_dotenv_that_is_harmless_or_beside_no_codeartifact_has_no_findings(
    text: str, sources: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    assert found(tmp_path, {".env": text}, *sources) == []


@pytest.mark.parametrize(
    "text",
    [
        "AWS_SECRET_ACCESS_KEY=hunter2\n",
        "export CODEARTIFACT_AUTH_TOKEN = 'hunter2'  # hunter2\n",
        "KEY='BEGIN\nhunter2 more\nhunter2\n",
        "hunter2 alone\n",
    ],
)
def test_no_value_of_dotenv_is_shown(text: str, clean_base: dict[str, str], tmp_path: Path) -> None:
    shell = Shell(clean_base | {"FORCE_COLOR": "1"}, tmp_path)
    shell.write(pipfile('six = "*"\na = {index = "gone"}'))
    (tmp_path / ".env").write_text(text)
    for form in ("text", "json", "github"):
        done = shell.lint("--format", form)
        assert "dotenv-" in done.stdout
        assert "hunter2" not in done.output
    shown = shell.see()
    assert "dotenv-" in shown
    assert "hunter2" not in shown


def test_command_in_the_hint_restores_a_pipfile_left_by_version_1(
    clean_env: dict[str, str], project: Path
) -> None:
    """Version 1.0 left loopback URLs in the Pipfile when it was killed."""
    path = write_project(project, pipfile('six = "*"', ("ca", "http://127.0.0.1:4321/simple/")))
    assert found_in(path) == []
    (project / ".Pipfile.pipenv-ca-original").write_text(pipfile('six = "*"'))
    assert found_in(path) == [("Pipfile", 3, "pipfile-loopback")]
    done = run(PIPENV_CA, "lock", env=clean_env, cwd=project)
    assert_error(done, 2, "[pipfile-loopback]")
    command = done.stderr.split("`")[1]
    assert run("sh", "-c", command, env=clean_env, cwd=project).status == 0
    assert path.read_text() == pipfile('six = "*"')
