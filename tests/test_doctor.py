"""`pipenv-ca doctor`: its output, its exit status, and what it does not print or request."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, SCRIPTS, Result, run
from support.projects import source
from support.runs import TOKEN_VARIABLE, Calls, Terminal
from support.sandbox import FakePublicIndex, get_token
from support.traces import files_below
from support.workspace import Workspace

from codeartifact_pipenv.checks.machine.interpreter import version_of_environment
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path


class CheckedProject(Workspace):
    """A project, by default without problems, for doctor."""

    def doctor(self, *words: str, **variables: str) -> Result:
        env = self.env | variables
        done = run(PIPENV_CA, "doctor", *words, env=env, cwd=self.folder, timeout=120)
        assert "Traceback" not in done.output, done.output
        assert "\x1b" not in done.output
        return done

    def findings(self, *words: str) -> list[dict[str, Any]]:
        done = self.doctor("--json", *words)
        document = json.loads(done.stdout)
        assert set(document) == {"ok", "sections"}
        found = [finding for section in document["sections"] for finding in section["findings"]]
        assert document["ok"] == all(finding["level"] != "failure" for finding in found)
        assert (done.status, done.stderr) == (0 if document["ok"] else 1, "")
        for finding in found:
            assert set(finding) - {"place"} == {"level", "code", "subject", "sentence", "hint"}
            assert finding["level"] == "ok" or finding["hint"], finding
        return found

    def codes(self, *words: str) -> set[str]:
        """Return the codes of failures."""
        return {found["code"] for found in self.findings(*words) if found["level"] == "failure"}

    def inherit_token(self) -> None:
        self.env[TOKEN_VARIABLE] = get_token(self.sandbox)

    def with_problems(self) -> None:
        """Give the project two failures and a warning."""
        self.pipfile('orb-common = "*"', source(self.team, "me:${ABSENT_TOKEN}@"))
        self.env |= {"PATH": "/nowhere", "PIP_CERT": "/nowhere/ca.pem"}


@pytest.fixture
def work(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> CheckedProject:
    """Return a healthy project, with this environment's keyring on PATH."""
    env = sandbox_env | {"PATH": f"{SCRIPTS}{os.pathsep}{sandbox_env['PATH']}"}
    work = CheckedProject(sandbox, env, project)
    work.pipfile('orb-common = "*"')
    return work


@pytest.mark.wide
def test_a_healthy_project_gets_a_short_summary_or_all_checks_without_secrets(
    work: CheckedProject,
) -> None:
    before = {path: path.read_bytes() for path in files_below(work.folder)}
    done = work.doctor()
    assert (done.status, done.stderr) == (0, "")
    *facts, last = done.stdout.splitlines()
    subjects = [re.sub("  ok +(.*?):.*", r"\1", fact) for fact in facts]
    assert subjects == ["pipenv", "identity", "Pipfile", "source codeartifact", "packages"]
    assert re.fullmatch(r"All is well\. `--all` shows all [0-9]+ checks\.", last)
    done = work.doctor("--all")
    assert (done.status, done.stderr) == (0, "")
    line = r"^  ok +package orb-common: served by codeartifact, newest 2\.0\.0"
    assert re.search(line, done.stdout, re.MULTILINE)
    assert "eyJ" not in done.output
    assert work.sandbox.user.secret_access_key not in done.output
    assert {path: path.read_bytes() for path in files_below(work.folder)} == before


@pytest.mark.wide
def test_failures_come_before_warnings_and_are_counted(work: CheckedProject) -> None:
    work.with_problems()
    done = work.doctor("--offline")
    assert done.status == 1
    lines = done.stdout.splitlines()
    shown = re.findall(r"^(?:  )?(\w+)(?:: .*)?$", done.stdout, re.MULTILINE)
    assert shown == ["Environment", "error", "Sources", "error", "Keyring", "warning"]
    assert sum(line.startswith(f"{'':11}hint: ") for line in lines) == 3
    summary = r"Found 2 errors and 1 warning\. [0-9]+ checks passed; `--all` shows them\."
    assert re.fullmatch(summary, lines[-1])
    everything = work.doctor("--offline", "--all")
    assert everything.status == 1
    assert set(lines[:-1]) <= set(everything.stdout.splitlines())
    assert "\n  ok       pipenv: " in everything.stdout
    assert everything.stdout.endswith("\nFound 2 errors and 1 warning.\n")


@pytest.mark.wide
@pytest.mark.parametrize(("words", "columns"), [("--offline --all", 40), ("--offline", 100)])
def test_coloured_output_fits_the_terminal_and_is_complete(
    words: str, columns: int, work: CheckedProject
) -> None:
    work.with_problems()
    work.env["TERM"] = "xterm-256color"
    pipfile = work.folder / "Pipfile"
    name = 'name = "[/red]\\u65e5\\u672c[link=x]\\u001b[31m"'
    pipfile.write_text(pipfile.read_text().replace('name = "codeartifact"', name))
    plain = {key: value for key, value in work.env.items() if key != "NO_COLOR"}
    command = (PIPENV_CA, "doctor", *words.split())
    with Terminal(*command, env=plain, cwd=work.folder, columns=columns) as terminal:
        assert terminal.finish() == 1, terminal.shown
    colours = set(re.findall(r"\x1b\[([0-9;]*)m(\w+):? *\x1b\[0m", terminal.shown))
    assert {("31", "error"), ("33", "warning"), ("36", "hint")} <= colours
    wide = terminal.screen.replace("\u65e5\u672c", "####")
    assert max(map(len, wide.splitlines())) <= columns
    piped = work.doctor(*words.split()).stdout
    assert "[/red]\u65e5\u672c[link=x]\ufffd[31m" in piped
    assert re.sub(r"\s", "", terminal.screen) == re.sub(r"\s", "", piped)
    assert work.doctor(*words.split(), COLUMNS=str(columns)).stdout == terminal.screen


@pytest.mark.wide
@pytest.mark.parametrize("form", ["--all", "--json"])
def test_redact_option_hides_account_numbers(form: str, work: CheckedProject) -> None:
    work.pipfile('orb-common = "*"\norb-missing = "*"')
    work.env["PIPENV_CA_VERBOSE"] = "1"
    assert re.search("[0-9]{12}", work.doctor(form).stdout)
    done = work.doctor("--redact", form)
    assert not re.search("[0-9]{12}", done.output), done.output
    assert "********9012" in done.stdout


@pytest.mark.wide
@pytest.mark.parametrize(
    "proxy",
    ["http://bob:hunter2@h:1", "bob:hunter2@h:1", "http://bob:sea/horse@h:1", "b:sea://horse@h:1"],
    ids=["usual", "no-scheme", "slash", "odd"],
)
def test_passwords_in_urls_are_never_printed(proxy: str, work: CheckedProject) -> None:
    url = "https://bob:hunter2@index.example/simple"
    work.pipfile('orb-common = "*"', f'[[source]]\nurl = "{url}"\nname = "x"\n')
    work.env |= {"ALL_PROXY": proxy, "PIP_INDEX_URL": url}
    work.env["PIP_EXTRA_INDEX_URL"] = f"https://h/ {proxy}"
    for form in ("--all", "--json"):
        done = work.doctor("--offline", form)
        assert "h:1" in done.stdout
        for secret in ("hunter2", "sea", "horse"):
            assert secret not in done.output, done.output


def test_offline_makes_no_request_and_checks_files(work: CheckedProject) -> None:
    work.pipfile('orb-common = "*"', source(work.team, "me:${ABSENT_TOKEN}@"))
    before = len(work.sandbox.requests)
    assert work.codes("--offline") == {"url-username"}
    assert len(work.sandbox.requests) == before


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
    text: str, work: CheckedProject
) -> None:
    (work.folder / "Pipfile").write_text(text)
    failed = [each for each in work.findings("--offline") if each["level"] == "failure"]
    assert failed
    assert all("Pipfile" in each["sentence"] for each in failed)


@pytest.mark.wide
def test_arguments_limit_the_report_to_these_packages(work: CheckedProject) -> None:
    assert work.run("lock").status == 0
    work.pipfile('orb-common = ">=1"')
    certificates = {"PIP_CERT": "/nowhere/ca.pem"}
    done = work.doctor("Orb_Schema.Generator[x]>=1", "orb.common", **certificates)
    assert done.status == 0, "the certificates and the outdated lock are about others"
    served, alone = "served by codeartifact, newest", "no public package of that name"
    assert done.stdout.splitlines() == [
        "Packages",
        f"  ok       package orb-schema-generator: {served} 1.1.0, {alone}",
        f"  ok       package orb-common: {served} 2.0.0, locked 2.0.0, {alone}",
        "",
        "All is well.",
    ]
    assert work.doctor(**certificates).status == 1
    done = work.doctor("orb-common", "orb-komon")
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
    broken: str, status: int, told: str, work: CheckedProject
) -> None:
    work.env |= {"PATH": "/nowhere", "PIPENV_MAX_DEPTH": "1"}
    if broken == "refused":
        work.sandbox.deny("codeartifact:ReadFromRepository")
    elif broken == "no Pipfile":
        (work.folder / "Pipfile").unlink()
    try:
        done = work.doctor("orb-common", *([broken] if broken == "--offline" else []))
    finally:
        work.sandbox.allow("codeartifact:ReadFromRepository")
    assert (done.status, told in done.stdout) == (status, True), done.output
    assert not re.search("  ok |Keyring|Programs|All is well", done.stdout)


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
    url: str, code: str, public: FakePublicIndex, work: CheckedProject
) -> None:
    host = f"127.0.0.1:{public.server_port}"
    url = url.replace("PUBLIC", host).replace("AWS", work.team.host)
    table = f'[[source]]\nurl = "{url}"\nname = "x"\nverify_ssl = false\n'
    work.pipfile('orb-common = "*"', table, source(work.team))
    work.inherit_token()
    calls = Calls(work.sandbox)
    assert code in work.codes()
    assert public.asked == []
    assert code != "near-miss" or calls.count("orb-common") == 0


@pytest.mark.wide
@pytest.mark.parametrize("on", ["api", "pages", "packages"])
def test_a_slow_answer_is_reported_as_unknown(on: str, work: CheckedProject) -> None:
    work.inherit_token()
    work.sandbox.delay(20, on=on)
    try:
        found = work.findings()
    finally:
        work.sandbox.heal()
    said = " ".join(finding["sentence"] for finding in found)
    known = {finding["code"] for finding in found}
    assert "AWS did not answer" in said if on == "api" else "no-answer" in known, found
    assert "not allowed" not in said
    assert {each["code"] for each in found if each["level"] == "failure"} <= {"no-answer"}


def test_one_missing_login_is_one_error(work: CheckedProject) -> None:
    work.pipfile('acme = "*"')
    work.without_keys()
    done = work.doctor()
    assert done.status == 1
    assert "identity, source codeartifact: No AWS credentials were found." in done.stdout
    assert done.stdout.count("[no-credentials]") == 1
    assert "Found 1 error" in done.stdout


@pytest.mark.wide
def test_a_thousand_packages_are_all_checked(
    clean_env: dict[str, str], clean_base: dict[str, str], project: Path, tmp_path: Path
) -> None:
    names = [f"acme-part-{number}" for number in range(1000)]
    with Sandbox(domain="my-dom", repository="big", upstream=False, base=clean_base) as own:
        for name in names:
            own.publish(make_wheel(tmp_path / "wheels", name, "1.0"))
        work = CheckedProject(own, own.environ(clean_env), project)
        work.pipfile("\n".join(f'{name} = "*"' for name in names), source(own.endpoint))
        found = {each["subject"]: each["code"] for each in work.findings()}
    assert {found.get(f"package {name}", "") for name in names} == {None}


@pytest.mark.parametrize("text", ["home = /x\nversion = 3.12.4\n", "version_info = 3.12.4.final.0"])
def test_version_is_read_without_running_the_interpreter(text: str, tmp_path: Path) -> None:
    assert version_of_environment(str(tmp_path)) is None
    (tmp_path / "pyvenv.cfg").write_text(text)
    assert version_of_environment(str(tmp_path)) == "3.12.4"
