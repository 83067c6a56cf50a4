"""Fix repairs the findings of lint and leaves everything else unchanged."""

from __future__ import annotations

import json
import os
import re
import shlex
from typing import TYPE_CHECKING

import pytest
from support.corpus import BROKEN, PIPFILES
from support.lint import (
    GITHUB_TOKEN,
    HOST,
    OTHER_HOST,
    OURS,
    PUBLIC,
    TOKEN,
    Shell,
    check_rest,
    codes,
    copy_of,
    entry,
    fixed,
    lock,
    pipfile,
    table,
    write_project,
)
from support.programs import PIPENV, PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import assert_error, get_token
from test_lint import CASES, IN_CONSOLE, Case, at, ours

from codeartifact_pipenv.checks.views import fix_cli
from codeartifact_pipenv.checks.views.fixes import FIXABLE, FixOptions
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import load_toml_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

ADD = ("--add-source", f"https://{HOST}/pypi/team/")
SECOND = f"https://{HOST}/pypi/other/simple/"
URL = OURS[1]

# Text of the cases whose intended value is unclear.
OPEN = (
    *("-12345678901.", '.com/simple/"', ".codeartifact.amazonaws", "me:<password>", "me:****"),
    *("1.0.*.1", "*, <2", "\u20131.0", '"main"', "git+", "; os_name==", "||"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code or 'none'}")
def test_fix_repairs_every_fixable_case_of_lint_and_no_other(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    before = path.read_bytes()
    done = fixed(path, case.private)
    left = [finding.code for finding in done.after.findings if finding.code != "lock-outdated"]
    assert path.read_bytes() == before
    if case.code in FIXABLE - {"source-missing"} and not any(part in case.text for part in OPEN):
        assert left == [], done
        assert done.changes
        assert done.text.encode() != before
    else:
        assert done.changes == []
        assert left == [case.code] * (case.code not in {None, "lock-outdated"})
        assert not done.text or done.text.encode() == before
    path.write_text(done.text or before.decode(errors="replace"), newline="")
    assert fixed(path, case.private).changes == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('acme-a = "*"   # why', 'acme-a = {version = "*", index = "ca"}   # why'),
        ("'acme-a'='==1'", "'acme-a'={version = '==1', index = \"ca\"}"),
        (
            '"Acme_A" = { version = ">=1", extras = ["x"] }  # y',
            '"Acme_A" = { version = ">=1", extras = ["x"], index = "ca" }  # y',
        ),
        (
            '[packages.acme-a]\nversion = "*" # x\n\n# next\n[scripts]\na = "b"',
            '[packages.acme-a]\nversion = "*" # x\nindex = "ca"\n\n# next\n[scripts]\na = "b"',
        ),
        ('  acme-a.version = "*"', '  acme-a.version = "*"\n  acme-a.index = "ca"'),
        (
            'acme-a = {version = "*", extras = [\n  "x", # one\n]}',
            'acme-a = {version = "*", extras = [\n  "x", # one\n], index = "ca"}',
        ),
        ('acme-a = "latest"', 'acme-a = {version = "*", index = "ca"}'),
        ('acme-a = "^1.2"  # why', 'acme-a = {version = ">=1.2,<2", index = "ca"}  # why'),
        (
            """acme-a = {sys_platform = "win32", index = "ca"}""",
            """acme-a = {sys_platform = "== 'win32'", index = "ca"}""",
        ),
    ],
)
def test_fix_corrects_an_entry_in_any_style_and_keeps_all_other_bytes(
    before: str, after: str, tmp_path: Path
) -> None:
    old, new = (pipfile(text).rstrip().replace("\n", "\r\n") for text in (before, after))
    assert fixed(write_project(tmp_path, old), "acme-*").text == new


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (at("me:$CODEARTIFACT_AUTH_TOKEN@"), URL),
        (at(f"bob:{TOKEN}@", path="/pypi/team"), URL),
        (at().replace("https", "http"), URL),
        (at(path="/maven/team"), URL),
        (at("aws:$(CODEARTIFACT_AUTH_TOKEN)@", path="/pypi/team/simple"), URL),
        (at("aws:${PW}@", path="/pypi/team"), URL.replace("CODEARTIFACT_AUTH_TOKEN", "PW")),
        (at("", path="/pypi/team"), at("")),
        (at("me:${A}@", path="/pypi/team/simple/?a=b"), at("aws:${A}@") + "?a=b"),
        (at("${WHO}:$A@", path="/pypi/team"), at("${WHO}:${A}@")),
        (at("aws:MY_CA_TOKEN@"), URL.replace("CODEARTIFACT_AUTH", "MY_CA")),
        (at(host=HOST + ":8443"), URL),
        (at(host=HOST.replace("eu-west-1", "eu_west_1")), URL),
        (at("", "eu-west-1.console.aws.amazon.com", f"{IN_CONSOLE}?region=eu-west-1"), URL),
        # A password that is only partly a variable stays.
        (
            at("me:${CODEARTIFACT_AUTH_TOKEN}-x@", path="/pypi/team"),
            at("me:${CODEARTIFACT_AUTH_TOKEN}-x@"),
        ),
    ],
)
def test_fix_repairs_everything_that_is_wrong_with_a_url(
    before: str, after: str, tmp_path: Path
) -> None:
    text = ours(before) + f"# {before[:20]}\n"
    assert fixed(write_project(tmp_path, text)).text == text.replace(f'"{before}"', f'"{after}"')


def test_fix_does_not_overwrite_a_pipfile_changed_meanwhile(tmp_path: Path) -> None:
    path = write_project(tmp_path, pipfile('acme-a = "*"'))
    done = fixed(path, "acme-*")
    path.write_text("# mine\n")
    with pytest.raises(ConfigurationError, match="was changed while fix was running"):
        fix_cli._write(done)
    assert path.read_text() == "# mine\n"


def test_tokens_of_two_domains_become_two_variables(tmp_path: Path) -> None:
    urls = at(f"aws:{TOKEN}@"), at(f"aws:{TOKEN}@", OTHER_HOST)
    done = fixed(write_project(tmp_path, pipfile("", ("a", urls[0]), ("b", urls[1]))))
    assert re.findall(r"\$\{(\w+)\}", done.text) == [
        "CODEARTIFACT_AUTH_TOKEN",
        "CODEARTIFACT_AUTH_TOKEN_FAR_DOM",
    ]
    assert done.after.findings == []


def test_fix_leaves_an_entry_that_two_repositories_may_serve(tmp_path: Path) -> None:
    text = pipfile('acme-a = "*"\nacme-b = "*"\nacme-c = "*"', PUBLIC, OURS, ("two", SECOND))
    path = write_project(tmp_path, text, lock(text, {"acme-b": entry("two")}))
    done = fixed(path, "acme-a acme-b")
    assert done.text == text.replace('acme-b = "*"', 'acme-b = {version = "*", index = "two"}')
    (refused,) = done.refused
    assert "not clear which of ca, two has it" in refused.sentence


@pytest.mark.parametrize(
    ("packages", "category", "expected"),
    [
        (
            'b = "*" # c\n\n[scripts]\nx = "y"',
            "default",
            'b = "*" # c\nNEW\n\n[scripts]\nx = "y"\n',
        ),
        ("# empty", "default", "NEW\n# empty\n"),
        ('b = "*"', "develop", 'b = "*"\n\n[dev-packages]\nNEW\n'),
        (
            '[dev-packages.b]\nversion = "*"',
            "develop",
            '[dev-packages.b]\nversion = "*"\n\n[dev-packages.acme-z]\nversion = "*"\nindex = "ca"\n',
        ),
    ],
)
def test_fix_lists_a_private_package_of_the_lock_only_on_request(
    packages: str, category: str, expected: str, tmp_path: Path
) -> None:
    text = pipfile(packages)
    document = json.loads(lock(text, {})) | {category: {"acme-z": entry("ca")}}
    path = write_project(tmp_path, text, json.dumps(document))
    assert fixed(path, options=FixOptions()).changes == []
    done = fixed(path)
    assert done.text.endswith(expected.replace("NEW", 'acme-z = {version = "*", index = "ca"}'))
    assert [finding.code for finding in done.after.findings] == ["lock-outdated"]


# --- the command -------------------------------------------------------------------------


@pytest.fixture
def shell(clean_base: dict[str, str], home: Path, tmp_path: Path) -> Shell:
    (tmp_path / "here").mkdir()
    env = {**clean_base, "HOME": str(home), "PIPENV_CA_PRIVATE_PACKAGES": "acme-*"}
    return Shell(env, tmp_path / "here")


def test_fix_prints_each_repair_and_suggests_to_lock_but_keeps_the_lock(shell: Shell) -> None:
    text = pipfile('acme-a = "*"')
    path = shell.write(text)
    locked = shell.folder / "Pipfile.lock"
    locked.write_text(before := lock(text, {"acme-a": entry("ca")}))
    shown = shell.fix("--diff")
    assert (shown.status, shown.stderr) == (0, "")
    assert shown.stdout.startswith("--- a/Pipfile\n")
    assert shown.stdout.endswith('+acme-a = {version = "*", index = "ca"}\n')
    done = shell.fix()
    assert (done.status, done.stderr) == (0, "")
    first, following, last = done.stdout.splitlines()
    assert first == 'Pipfile:12: fixed: acme-a now has index = "ca". [index-missing]'
    assert "Next: run `pipenv-ca lock`" in following
    assert last == "All is well."
    assert locked.read_text() == before
    locked.unlink()
    after = path.read_bytes()
    assert shell.fix() == Result(0, "All is well.\n", "")
    assert path.read_bytes() == after


def test_fix_prints_what_it_cannot_repair_and_fails(shell: Shell) -> None:
    shell.write(pipfile('acme-a = "*"\nb = {version = "*", index = "cq"}'))
    done = shell.fix()
    assert done.status == 1
    assert "Pipfile:12: fixed:" in done.stdout
    assert "Pipfile:13: error: b names the index cq" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 error left."


def test_diff_changes_nothing_and_fix_says_to_treat_a_removed_token_as_leaked(shell: Shell) -> None:
    url = f"https://x:hunter2@git.example/{GITHUB_TOKEN}"
    path = shell.write(pipfile(f'acme-a = "*"\nb = {{git = "{url}"}}', ("ca", at(f"aws:{TOKEN}@"))))
    before = path.read_bytes()
    done = shell.fix("--diff")
    said = "warning: 1 error cannot be fixed. See `pipenv-ca lint`.\n"
    assert (done.status, done.stderr) == (1, said)
    assert path.read_bytes() == before
    assert f'+url = "{URL}"' in done.stdout.splitlines()
    assert '-url = "https://aws:****@' in done.stdout
    changed = shell.fix()
    assert changed.status == 1
    assert "Treat the removed token as leaked" in changed.stdout
    assert TOKEN not in path.read_text()
    for secret in (TOKEN, "hunter2", GITHUB_TOKEN):
        assert secret not in done.output + changed.output


def test_fix_keeps_mode_owner_and_symlink_of_a_pipfile(shell: Shell) -> None:
    real = shell.folder.parent / "real"
    real.write_text(pipfile('acme-a = "*"'))
    real.chmod(0o640)
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # only root can give a file away
        os.chown(real, 1234, 2345)
    before = real.stat()
    (shell.folder / "Pipfile").symlink_to(real)
    assert shell.fix().status == 0
    assert (shell.folder / "Pipfile").is_symlink()
    assert 'index = "ca"' in real.read_text()
    for name in ("st_mode", "st_uid", "st_gid"):
        assert getattr(real.stat(), name) == getattr(before, name)
    assert [path.name for path in shell.folder.iterdir()] == ["Pipfile"]
    assert not list(shell.folder.parent.glob(".real*"))


def test_project_that_fix_cannot_write_is_kept_and_does_not_stop_the_others(shell: Shell) -> None:
    one, _ = (shell.project(name, pipfile('acme-a = "*"')) for name in ("one", "two"))
    # No temporary file can have a longer name, not even for root.
    long = one.rename(one.with_name("x" * 250))
    one.symlink_to(long)
    before = one.read_bytes()
    done = shell.fix("one", "two")
    assert done.status == 2
    assert re.search("^error: .*one/Pipfile cannot be written", done.stderr, re.MULTILINE)
    assert one.read_bytes() == before
    assert "two/Pipfile:12: fixed:" in done.stdout


# --- adding a repository -----------------------------------------------------------------


def sources(path: Path) -> list[str]:
    found = load_toml_bytes(path.read_bytes())["source"]
    assert isinstance(found, list)
    return [each["name"] for each in found]


@pytest.mark.parametrize(
    ("words", "expected"),
    [((), ["public", "codeartifact"]), (("--first", "--name", "ours"), ["ours", "public"])],
)
def test_add_source_adds_a_repository_and_private_packages_name_it(
    words: tuple[str, ...], expected: list[str], shell: Shell
) -> None:
    text = "# ours\n\n" + pipfile('acme-a = "*"', PUBLIC)
    path = shell.write(text)
    done = shell.fix(*ADD, *words)
    assert done.status == 0, done.output
    assert sources(path) == expected
    gone = [line for line in text.splitlines() if line not in path.read_text().splitlines()]
    assert gone == ([] if words else ['acme-a = "*"'])
    assert codes(path, private_packages="acme-*") == []
    again = path.read_bytes()
    assert shell.fix(*ADD, *words).status == 0
    assert path.read_bytes() == again


def test_new_first_source_keeps_comments_with_what_they_describe(shell: Shell) -> None:
    path = shell.write("# the file\n\n# public\n" + pipfile("", PUBLIC))
    assert shell.fix(*ADD, "--first").status == 0
    new = table("codeartifact", URL)
    assert path.read_text().startswith(f"# the file\n\n{new}\n# public\n[[source]]")


def test_add_source_also_adds_pypi_to_a_pipfile_without_sources(shell: Shell) -> None:
    path = shell.write('# ours\n[packages]\nacme-a = "*"\n')
    assert shell.fix(*ADD).status == 0
    assert sources(path) == ["pypi", "codeartifact"]
    assert PYPI_SOURCE.splitlines()[1] in path.read_text()
    assert path.read_text().startswith("# ours\n[[source]]")


def test_added_source_of_a_second_domain_gets_another_variable(shell: Shell) -> None:
    path = shell.write(pipfile(""))
    assert shell.fix("--add-source", f"https://{OTHER_HOST}/pypi/far/").status == 0
    url = f"aws:${{CODEARTIFACT_AUTH_TOKEN_FAR_DOM}}@{OTHER_HOST}/pypi/far/simple/"
    assert url in path.read_text()
    assert codes(path) == []


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--add-source", "https://index.example/simple"), "not the URL of a CodeArtifact repos"),
        (("--add-source", f"http://aws:{TOKEN}@{HOST}/pypi/team/"), "it is http, not https"),
        (("--first",), "need --add-source"),
        ((*ADD, "--name", "public"), "Another source is already named public"),
        ((*ADD, "--name", "ca"), "Another source is already named"),
        (("--add-source", SECOND, "--first"), "Move its [[source]] table"),
    ],
)
def test_source_that_cannot_be_added_is_refused_and_nothing_is_written(
    words: tuple[str, ...], part: str, shell: Shell
) -> None:
    path = shell.write(pipfile('acme-a = "*"', PUBLIC, ("ca", SECOND)))
    before = path.read_bytes()
    assert_error(done := shell.fix(*words), 2, part)
    assert TOKEN not in done.stderr
    assert path.read_bytes() == before


# --- real projects -----------------------------------------------------------------------


def test_fix_changes_only_what_it_must_in_the_corpus(tmp_path: Path) -> None:
    for name in PIPFILES:
        path = copy_of(name, tmp_path / name)
        before = path.read_bytes()
        done = fixed(path, "acme-*")
        assert (done.before is None) == (name in BROKEN)
        if done.before is None:
            continue
        assert done.refused == []
        check_rest(before.decode(), done)
        path.write_bytes(done.text.encode())
        again = fixed(path, "acme-*")
        assert again.changes == [], name
        assert again.text == done.text


@pytest.mark.shows_token("files")
@pytest.mark.wide
def test_plain_pipenv_locks_and_syncs_a_repaired_project_with_an_exported_token(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    url = source(sandbox.endpoint, "bob:$CODEARTIFACT_AUTH_TOKEN@").replace("/simple/", "")
    packages = '[packages]\norb-schema-generator = "*" # private\n"six" = "*"\n'
    path = write_pipfile(project, PYPI_SOURCE, url, packages)
    exported = sandbox_env | {"CODEARTIFACT_AUTH_TOKEN": get_token(sandbox, sandbox_env, project)}
    assert run(PIPENV, "lock", env=exported, cwd=project).status != 0
    for words in (("fix", "--online"), ("lock",), ("fix", "--list-transitive")):
        done = run(PIPENV_CA, *words, env=sandbox_env, cwd=project)
        assert done.status == 0, (words, done.output)
    assert "orb-common" in path.read_text()
    assert "# private" in path.read_text()
    (project / "Pipfile.lock").unlink()
    for command in ("lock", "sync", "run python -c 'import orb_common'"):
        done = run(PIPENV, *shlex.split(command), env=exported, cwd=project)
        assert done.status == 0, (command, done.output)
    looked = run(PIPENV_CA, "lint", "--online", env=sandbox_env, cwd=project)
    assert looked.status == 0, looked.output
