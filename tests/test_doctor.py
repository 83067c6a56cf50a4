"""`pipenv-ca doctor`: its output, its exit status, and what it does not print or request."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from support.files import files_below
from support.programs import PIPENV_CA, SCRIPTS, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import TOKEN_VARIABLE, Calls, Terminal, without_credentials
from support.sandbox import FakePublicIndex, get_token

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = '[packages]\norb-common = "*"\n'


@pytest.fixture
def healthy(project: Path, sandbox: Sandbox) -> Path:
    """Return a project without problems."""
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    return project


@pytest.fixture
def sandbox_env(sandbox_env: dict[str, str]) -> dict[str, str]:
    """Return an environment with this environment's keyring on PATH."""
    return sandbox_env | {"PATH": f"{SCRIPTS}{os.pathsep}{sandbox_env['PATH']}"}


def doctor(env: dict[str, str], cwd: Path, *words: str) -> Result:
    done = run(PIPENV_CA, "doctor", *words, env=env, cwd=cwd, timeout=60)
    assert "Traceback" not in done.output, done.output
    assert "\x1b" not in done.output
    return done


def findings(done: Result) -> list[dict[str, Any]]:
    document = json.loads(done.stdout)
    assert set(document) == {"ok", "sections"}
    found = [finding for section in document["sections"] for finding in section["findings"]]
    assert document["ok"] == all(finding["level"] != "failure" for finding in found)
    assert (done.status, done.stderr) == (0 if document["ok"] else 1, "")
    for finding in found:
        assert set(finding) - {"place"} == {"level", "code", "subject", "sentence", "hint"}
        assert finding["level"] == "ok" or finding["hint"], finding
    return found


def codes(done: Result, level: str = "failure") -> set[str]:
    return {finding["code"] for finding in findings(done) if finding["level"] == level}


@pytest.mark.wide
def test_a_healthy_project_gets_a_short_summary_or_all_checks_without_secrets(
    healthy: Path, sandbox_env: dict[str, str], sandbox: Sandbox
) -> None:
    before = {path: path.read_bytes() for path in files_below(healthy)}
    done = doctor(sandbox_env, healthy)
    assert (done.status, done.stderr) == (0, "")
    *facts, last = done.stdout.splitlines()
    subjects = [re.sub("  ok +(.*?):.*", r"\1", fact) for fact in facts]
    assert subjects == ["pipenv", "identity", "Pipfile", "source codeartifact", "packages"]
    assert re.fullmatch(r"All is well\. `--all` shows all [0-9]+ checks\.", last)
    done = doctor(sandbox_env, healthy, "--all")
    assert (done.status, done.stderr) == (0, "")
    line = r"^  ok +package orb-common: served by codeartifact, newest 2\.0\.0"
    assert re.search(line, done.stdout, re.MULTILINE)
    assert "eyJ" not in done.output
    assert sandbox.user.secret_access_key not in done.output
    assert {path: path.read_bytes() for path in files_below(healthy)} == before


def with_problems(project: Path, sandbox: Sandbox, env: dict[str, str]) -> dict[str, str]:
    """Write a project with two failures and a warning; return its environment."""
    write_pipfile(project, source(sandbox.endpoint, "me:${ABSENT_TOKEN}@"), PACKAGES)
    return env | {"PATH": "/nowhere", "PIP_CERT": "/nowhere/ca.pem"}


@pytest.mark.wide
def test_failures_come_before_warnings_and_are_counted(
    project: Path, sandbox: Sandbox, sandbox_env: dict[str, str]
) -> None:
    env = with_problems(project, sandbox, sandbox_env)
    done = doctor(env, project, "--offline")
    assert done.status == 1
    lines = done.stdout.splitlines()
    shown = re.findall(r"^(?:  )?(\w+)(?:: .*)?$", done.stdout, re.MULTILINE)
    assert shown == ["Environment", "error", "Sources", "error", "Keyring", "warning"]
    assert sum(line.startswith(f"{'':11}hint: ") for line in lines) == 3
    summary = r"Found 2 errors and 1 warning\. [0-9]+ checks passed; `--all` shows them\."
    assert re.fullmatch(summary, lines[-1])
    everything = doctor(env, project, "--offline", "--all")
    assert everything.status == 1
    assert set(lines[:-1]) <= set(everything.stdout.splitlines())
    assert "\n  ok       pipenv: " in everything.stdout
    assert everything.stdout.endswith("\nFound 2 errors and 1 warning.\n")


@pytest.mark.wide
@pytest.mark.parametrize(("words", "columns"), [("--offline --all", 40), ("--offline", 100)])
def test_coloured_output_fits_the_terminal_and_is_complete(
    words: str, columns: int, project: Path, sandbox: Sandbox, sandbox_env: dict[str, str]
) -> None:
    env = with_problems(project, sandbox, sandbox_env) | {"TERM": "xterm-256color"}
    pipfile = project / "Pipfile"
    name = 'name = "[/red]\\u65e5\\u672c[link=x]\\u001b[31m"'
    pipfile.write_text(pipfile.read_text().replace('name = "codeartifact"', name))
    plain = {key: value for key, value in env.items() if key != "NO_COLOR"}
    command = (PIPENV_CA, "doctor", *words.split())
    with Terminal(*command, env=plain, cwd=project, columns=columns) as terminal:
        assert terminal.finish() == 1, terminal.shown
    colours = set(re.findall(r"\x1b\[([0-9;]*)m(\w+):? *\x1b\[0m", terminal.shown))
    assert {("31", "error"), ("33", "warning"), ("36", "hint")} <= colours
    wide = terminal.screen.replace("\u65e5\u672c", "####")
    assert max(map(len, wide.splitlines())) <= columns
    piped = doctor(env, project, *words.split()).stdout
    assert "[/red]\u65e5\u672c[link=x]\ufffd[31m" in piped
    assert re.sub(r"\s", "", terminal.screen) == re.sub(r"\s", "", piped)
    folded = doctor(env | {"COLUMNS": str(columns)}, project, *words.split())
    assert folded.stdout == terminal.screen


@pytest.mark.wide
@pytest.mark.parametrize("form", ["--all", "--json"])
def test_redact_option_hides_account_numbers(
    form: str, healthy: Path, sandbox_env: dict[str, str]
) -> None:
    with (healthy / "Pipfile").open("a") as pipfile:
        pipfile.write('orb-missing = "*"\n')
    env = sandbox_env | {"PIPENV_CA_VERBOSE": "1"}
    assert re.search("[0-9]{12}", doctor(env, healthy, form).stdout)
    done = doctor(env, healthy, "--redact", form)
    assert not re.search("[0-9]{12}", done.output), done.output
    assert "********9012" in done.stdout


@pytest.mark.wide
@pytest.mark.parametrize(
    "proxy",
    ["http://bob:hunter2@h:1", "bob:hunter2@h:1", "http://bob:sea/horse@h:1", "b:sea://horse@h:1"],
    ids=["usual", "no-scheme", "slash", "odd"],
)
def test_passwords_in_urls_are_never_printed(
    proxy: str, project: Path, sandbox_env: dict[str, str]
) -> None:
    url = "https://bob:hunter2@index.example/simple"
    write_pipfile(project, f'[[source]]\nurl = "{url}"\nname = "x"\n', PACKAGES)
    env = sandbox_env | {"ALL_PROXY": proxy, "PIP_INDEX_URL": url}
    env["PIP_EXTRA_INDEX_URL"] = f"https://h/ {proxy}"
    for form in ("--all", "--json"):
        done = doctor(env, project, "--offline", form)
        assert "h:1" in done.stdout
        for secret in ("hunter2", "sea", "horse"):
            assert secret not in done.output, done.output


def test_offline_makes_no_request_and_checks_files(
    project: Path, sandbox: Sandbox, sandbox_env: dict[str, str]
) -> None:
    write_pipfile(project, source(sandbox.endpoint, "me:${ABSENT_TOKEN}@"), PACKAGES)
    before = len(sandbox.requests)
    done = doctor(sandbox_env, project, "--offline", "--json")
    assert codes(done) == {"url-username"}
    assert len(sandbox.requests) == before


def test_an_invalid_argument_is_a_usage_error(healthy: Path, sandbox_env: dict[str, str]) -> None:
    done = doctor(sandbox_env, healthy, "\x1b[31m")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith("error: pipenv-ca doctor: ")


@pytest.mark.wide
@pytest.mark.parametrize(
    "text",
    [
        "[packages\n",
        '[[source]]\nurl = "https://h:x/"\nname = "x"\nverify_ssl = true\n',
        'pipenv = 1\nrequires = 1\npackages = "x"\n',
        '[packages]\na = 1\nb = []\nc = {}\nd = {version = 1, index = ["x"]}\n',
    ],
)
def test_an_unreadable_or_odd_pipfile_is_a_failure_that_names_it(
    text: str, project: Path, sandbox_env: dict[str, str]
) -> None:
    (project / "Pipfile").write_text(text)
    done = doctor(sandbox_env, project, "--offline", "--json")
    failed = [found for found in findings(done) if found["level"] == "failure"]
    assert failed
    assert all("Pipfile" in found["sentence"] for found in failed)


@pytest.mark.wide
def test_it_works_in_subfolders_and_with_any_output_encoding(
    healthy: Path, sandbox_env: dict[str, str]
) -> None:
    below = healthy / "b\u00e9low \U0001f40d"
    (below / "x").mkdir(parents=True)
    (below / "Pipfile").write_text((healthy / "Pipfile").read_text())
    done = doctor(sandbox_env | {"PYTHONIOENCODING": "ascii"}, below / "x", "--offline")
    assert done.status == 0, done.output
    assert "b?low ?/Pipfile" in done.stdout


@pytest.mark.wide
def test_arguments_limit_the_report_to_these_packages(
    healthy: Path, sandbox_env: dict[str, str]
) -> None:
    assert run(PIPENV_CA, "lock", env=sandbox_env, cwd=healthy).status == 0
    pipfile = healthy / "Pipfile"
    pipfile.write_text(pipfile.read_text().replace('"*"', '">=1"'))
    env = sandbox_env | {"PIP_CERT": "/nowhere/ca.pem"}
    done = doctor(env, healthy, "Orb_Schema.Generator[x]>=1", "orb.common")
    assert done.status == 0, "the certificates and the outdated lock are about others"
    served = (
        "  ok       package {}: served by codeartifact, newest {}, no public package of that name"
    )
    assert done.stdout.splitlines() == [
        "Packages",
        served.format("orb-schema-generator", "1.1.0"),
        served.format("orb-common", "2.0.0, locked 2.0.0"),
        "",
        "All is well.",
    ]
    assert doctor(env, healthy).status == 1
    done = doctor(sandbox_env, healthy, "orb-common", "orb-komon")
    assert done.status == 1
    assert "error:   package orb-komon: Package orb-komon was not found" in done.stdout
    assert done.stdout.endswith("\nFound 1 error.\n")


@pytest.mark.wide
@pytest.mark.parametrize(
    ("broken", "status", "told"),
    [
        ("refused", 1, "[read-denied]"),
        ("no Pipfile", 0, "[pipfile-missing]"),
        ("--offline", 0, "No index was asked for orb-common."),
    ],
)
def test_the_reason_why_a_package_was_not_looked_up_is_shown(
    broken: str,
    status: int,
    told: str,
    healthy: Path,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
) -> None:
    env = sandbox_env | {"PATH": "/nowhere", "PIPENV_MAX_DEPTH": "1"}
    if broken == "refused":
        sandbox.deny("codeartifact:ReadFromRepository")
    elif broken == "no Pipfile":
        (healthy / "Pipfile").unlink()
    words = [broken] if broken == "--offline" else []
    try:
        done = doctor(env, healthy, "orb-common", *words)
    finally:
        sandbox.allow("codeartifact:ReadFromRepository")
    assert (done.status, told in done.stdout) == (status, True), done.output
    assert not re.search("  ok |Keyring|Programs|All is well", done.stdout)


@pytest.mark.wide
def test_packages_of_two_domains_show_their_sources_without_the_common_variable(
    project: Path, sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    other = sandbox.add_repository("team", domain="doctor-dom")
    sandbox.publish(make_wheel(tmp_path / "wheels", "acme-two", "1.0"), other)
    tables = [source(sandbox.endpoint, "aws:${A_TOKEN}@"), source(other, "aws:${B_TOKEN}@", "b")]
    write_pipfile(project, *tables, PACKAGES + 'acme-two = {version = "*", index = "b"}\n')
    done = doctor(sandbox_env | {TOKEN_VARIABLE: get_token(sandbox)}, project, "--json")
    assert codes(done) == set()
    said = {f["subject"]: f["sentence"] for f in findings(done)}
    assert said["package acme-two"].startswith("served by b, newest 1.0")
    assert said["package orb-common"].startswith("served by codeartifact, newest 2.0.0")


@pytest.mark.wide
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://aws:${CODEARTIFACT_AUTH_TOKEN}@PUBLIC/simple", "token-elsewhere"),
        ("http://PUBLIC/$CODEARTIFACT_AUTH_TOKEN/", "token-elsewhere"),
        ("http://aws:secret@AWS/pypi/team/simple/", "near-miss"),
    ],
)
def test_a_url_that_leaks_the_token_is_reported_and_not_requested(
    url: str,
    code: str,
    public: FakePublicIndex,
    project: Path,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
) -> None:
    host = f"127.0.0.1:{public.server_port}"
    url = url.replace("PUBLIC", host).replace("AWS", sandbox.endpoint.host)
    table = f'[[source]]\nurl = "{url}"\nname = "x"\nverify_ssl = false\n'
    write_pipfile(project, table, source(sandbox.endpoint), PACKAGES)
    env = sandbox_env | {TOKEN_VARIABLE: get_token(sandbox)}
    calls = Calls(sandbox)
    assert code in codes(doctor(env, project, "--json"))
    assert public.asked == []
    assert code != "near-miss" or calls.count("orb-common") == 0


@pytest.mark.wide
@pytest.mark.parametrize("on", ["api", "pages", "packages"])
def test_a_slow_answer_is_reported_as_unknown(
    on: str, healthy: Path, sandbox_env: dict[str, str], sandbox: Sandbox
) -> None:
    token = get_token(sandbox)
    sandbox.delay(20, on=on)
    try:
        done = doctor(sandbox_env | {TOKEN_VARIABLE: token}, healthy, "--json")
    finally:
        sandbox.heal()
    found = findings(done)
    said = " ".join(finding["sentence"] for finding in found)
    known = {finding["code"] for finding in found}
    assert "AWS did not answer" in said if on == "api" else "no-answer" in known, found
    assert "not allowed" not in said
    assert codes(done, "failure") <= {"no-answer"}


def test_one_missing_login_is_one_error(
    project: Path, sandbox: Sandbox, sandbox_env: dict[str, str]
) -> None:
    write_pipfile(project, source(sandbox.endpoint), '[packages]\nacme = "*"\n')
    env = without_credentials(sandbox_env) | {"AWS_EC2_METADATA_DISABLED": "true"}
    done = doctor(env, project)
    assert done.status == 1
    assert "identity, source codeartifact: No AWS credentials were found." in done.stdout
    assert done.stdout.count("[no-credentials]") == 1
    assert "Found 1 error" in done.stdout


@pytest.mark.wide
@pytest.mark.parametrize("published", [True, False])
def test_a_thousand_packages_are_all_checked(
    published: bool,
    clean_env: dict[str, str],
    clean_base: dict[str, str],
    project: Path,
    tmp_path: Path,
) -> None:
    names = [f"acme-part-{number}" for number in range(1000)]
    with Sandbox(domain="my-dom", repository="big", upstream=False, base=clean_base) as own:
        for name in names if published else ():
            own.publish(make_wheel(tmp_path / "wheels", name, "1.0"))
        value = '{version = "*", index = "codeartifact"}' if published else '"*"'
        packages = "\n".join(["[packages]", *(f"{name} = {value}" for name in names), ""])
        tables = [PYPI_SOURCE] if published else []
        write_pipfile(project, *tables, source(own.endpoint), packages)
        done = doctor(own.environ(clean_env), project, "--json")
    found = {f["subject"]: f["code"] for f in findings(done)}
    code = None if published else "package-missing"
    assert {found.get(f"package {name}", "") for name in names} == {code}
