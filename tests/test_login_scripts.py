"""Lint, fix and doctor report scripts and files that still log in with the AWS CLI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.lint import HOST, OURS, TOKEN, pipfile, reviewed, table, write_project
from support.programs import PIPENV_CA, run

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = "aws codeartifact login --tool pip --domain my-dom --repository team"
NPM = LOGIN.replace("pip", "npm")
GET = "aws codeartifact get-authorization-token --domain my-dom --query authorizationToken"
CA, CA_LOGIN = "call `pipenv-ca` instead of `pipenv`", "`pipenv-ca login pip`"
CA_TOKEN, REMOVE = "`pipenv-ca token`", "Remove it"
VARIABLE = "CODEARTIFACT_AUTH_TOKEN"
COMPOSED = '"aws", "codeartifact", "login", "--tool", "pip"'
WORKFLOW = "run: >\n  aws codeartifact login --domain ${{ vars.DOMAIN }}\n  --tool pip\n"


def findings_in(folder: Path, files: dict[str, str]) -> list[tuple[str, int, str]]:
    """Return file, line and hint of each finding in a project with these files."""
    path = write_project(folder, pipfile('six = "*"', OURS))
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    findings = reviewed(path).findings
    for finding in findings:
        assert (finding.code, finding.level) == ("login-script", "warning")
        assert TOKEN not in finding.sentence + finding.hint
    return [(f.path.removeprefix(f"{folder}/"), f.line, f.hint) for f in findings]


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("Makefile", f"login:\n\t{LOGIN}\n", CA_LOGIN),
        ("Taskfile.yml", f"\n- {LOGIN.replace('pip', 'twine')}\n", "`pipenv-ca login twine`"),
        ("noxfile.py", f'"""Tests."""\nsession.run({COMPOSED})\n', CA),
        ("scripts/deploy.sh", f'#!/bin/sh\nexport {VARIABLE}="$({GET})"\n', CA_TOKEN),
        ("bin/lock.sh", "\naws codeartifact \\\n  login \\\n  --domain x \\\n --tool pip\n", CA),
        (".ci/a.bash", f"\naws --profile x --region=r {GET[4:]} > /tmp/t\n", CA_TOKEN),
        (".github/workflows/test.yml", WORKFLOW, CA),
        (".github/workflows/b.yaml", f'\n- run: echo "T=$({GET})"\n- run: pipenv\n', CA_TOKEN),
        ("Dockerfile", f"FROM python\nRUN [{COMPOSED}]\n", CA),
        ("docker-compose.yml", f"environment:\n  - {VARIABLE}={TOKEN}\n", REMOVE),
        (".envrc", f"\nexport {VARIABLE}='{TOKEN}'  # of May\n", REMOVE),
        ("Pipfile", f"[scripts]\na = {{call = 'a', cmd = '{LOGIN} && pipenv lock'}}\n", CA),
        ("Pipfile", f"[scripts]\na = 'sh -c \"{VARIABLE}=$({GET})\"'\n", CA_TOKEN),
    ],
)
def test_login_or_token_in_a_file_is_reported_with_a_hint(
    name: str, text: str, hint: str, tmp_path: Path
) -> None:
    text += table(*OURS) if name == "Pipfile" else ""
    ((path, line, shown_hint),) = findings_in(tmp_path, {name: text})
    assert (path, line) == (name, 2)
    assert hint in shown_hint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Makefile", f"# was: {LOGIN}\nall:\n\tpipenv-ca sync  # not {LOGIN}\n"),
        ("Jenkinsfile", f"// {LOGIN}\n"),
        ("noxfile.py", f'"""Tests.\n\nDo not run {LOGIN}.\n"""\n'),
        (".github/workflows/a.yml", f"- name: No {LOGIN}\n  run: pipenv-ca sync\n"),
        ("deploy.sh", f"# pipenv-ca: ignore[login-script]\n{LOGIN}\n"),
        ("deploy.sh", f"{NPM}\npipenv-ca sync\n"),
        ("deploy.sh", f"npm config set //{HOST}/npm/team/:_authToken=$({GET})\npipenv-ca sync\n"),
        ("deploy.sh", f"export {VARIABLE}=$({GET})\n./gradlew publish\n"),
        (".envrc", f"export {VARIABLE}=$(pipenv-ca token)\nexport OTHER=eyJhbGciOiJ9\n"),
        ("README.md", f"Run {LOGIN}.\n"),
        ("scripts/deep/login.sh", f"{LOGIN}\n"),
        ("huge.sh", f"{LOGIN}\n" + "#" * 300_000),
    ],
)
def test_comments_documents_and_other_tools_logins_are_not_reported(
    name: str, text: str, tmp_path: Path
) -> None:
    assert findings_in(tmp_path, {name: text}) == []


def test_lint_reads_a_limited_number_of_scripts(tmp_path: Path) -> None:
    """Files that never end are skipped."""
    (tmp_path / "tox.ini").symlink_to("/dev/zero")
    assert len(findings_in(tmp_path, {f"{number}.sh": LOGIN for number in range(99)})) == 60


@pytest.mark.wide
def test_lint_fix_and_doctor_report_a_login(clean_base: dict[str, str], tmp_path: Path) -> None:
    """Fix leaves the Makefile unchanged; lint and fix print no token."""
    files = {"Makefile": f"a:\n\t{LOGIN}\n", ".envrc": f"export CODEARTIFACT_AUTH_TOKEN={TOKEN}\n"}
    assert len(findings_in(tmp_path, files)) == 2
    for words, status in [(("lint",), 0), (("lint", "--severity=warning"), 1), (("fix",), 0)]:
        done = run(PIPENV_CA, *words, env=clean_base | {"FORCE_COLOR": "1"}, cwd=tmp_path)
        assert (done.status, done.output.count("login-script")) == (status, 2), done.output
        assert TOKEN not in done.output
    assert (tmp_path / "Makefile").read_text() == files["Makefile"]
    done = run(PIPENV_CA, "doctor", "--offline", "--json", env=clean_base, cwd=tmp_path)
    sections = json.loads(done.stdout)["sections"]
    reported = [f["code"] for each in sections for f in each["findings"]]
    assert reported.count("login-script") == 2


def test_fix_names_the_command_that_removes_a_login_in_the_home(
    clean_base: dict[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    url = f"https://aws:{TOKEN}@{HOST}/pypi/team/"
    section = f"repository = https://{HOST}/pypi/team/\nusername = aws\npassword = {TOKEN}\n"
    left = {
        "netrc": (".netrc", f"machine {HOST} login aws password {TOKEN}\n"),
        "pip": (".config/pip/pip.conf", f"[global]\nindex-url = {url}\n"),
        "twine": (".pypirc", f"[a]\n{section}"),
    }
    (home / ".config/pip").mkdir(parents=True)
    for name, text in left.values():
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    write_project(tmp_path, pipfile('six = "*"', OURS))
    done = run(PIPENV_CA, "fix", env=clean_base | {"HOME": str(home)}, cwd=tmp_path)
    assert (done.status, TOKEN in done.output) == (0, False)
    lines = [line for line in done.stderr.splitlines() if "[login-left]" in line]
    assert len(lines) == len(left)
    for tool, (name, text) in left.items():
        (line,) = (line for line in lines if f"{home / name} " in line)
        assert f"`pipenv-ca logout {tool}`" in line
        assert (home / name).read_text() == text
