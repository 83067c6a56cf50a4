"""Lint finds the problems in the files of a project, and nothing else."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.corpus import BROKEN, PIPFILES, REFUSED
from support.lint import (
    GITHUB_TOKEN,
    HASH,
    HOST,
    OTHER_HOST,
    OURS,
    PUBLIC,
    TOKEN,
    USERINFO,
    Shell,
    codes,
    copy_of,
    entry,
    found_in,
    lock,
    pipfile,
    reviewed,
    table,
    write_project,
)
from support.programs import Result
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import assert_error, without_credentials

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.sandbox.sandbox import Sandbox


class Case(NamedTuple):
    """A project with one expected finding at a line (0: any), or with no finding.

    Without entries no lock is written; ``meta`` replaces values in its ``_meta``.
    """

    code: str | None
    line: int
    text: str
    entries: Mapping[str, Mapping[str, object]] | None = None
    private: str = ""
    file: str = "Pipfile"
    meta: Mapping[str, object] | None = None

    def write(self, folder: Path) -> Path:
        is_whole = not self.text or "[[source]]" in self.text or "[packages]" in self.text
        whole = self.text if is_whole else pipfile(self.text)
        is_locked = self.entries is not None
        locked = lock(whole, self.entries or {}, **(self.meta or {})) if is_locked else None
        return write_project(folder, whole, locked)


def each(code: str | None, line: int, *texts: str, private: str = "") -> list[Case]:
    """Return a case for each Pipfile."""
    return [Case(code, line, text, private=private) for text in texts]


def in_lock(
    code: str, text: str, *locks: Mapping[str, Any], line: int = 0, private: str = "", **meta: Any
) -> list[Case]:
    """Return a case for each lock of a Pipfile; the finding is in the lock."""
    return [Case(code, line, text, each_, private, "Pipfile.lock", meta) for each_ in locks]


def ours(url: str, *others: tuple[str, str], packages: str = 'acme-a = "*"') -> str:
    """Return a Pipfile whose first source has this URL."""
    return pipfile(packages, ("ca", url), *others)


def at(userinfo: str = USERINFO, host: str = HOST, path: str = "/pypi/team/simple/") -> str:
    return f"https://{userinfo}{host}{path}"


def source_tables(*urls: str) -> list[str]:
    """Return a Pipfile for each URL of its first source."""
    return [ours(url) for url in urls]


def entries(*values: str) -> list[str]:
    """Return the packages of a Pipfile for each value of an entry."""
    return [f"a = {value}" for value in values]


def below_public(*texts: str) -> list[str]:
    """Return a Pipfile with the public index for each text below it."""
    return [f"{table(*PUBLIC)}{text}\n" for text in texts]


SIMPLE = "https://index.example/simple"
IN_CONSOLE = "/codesuite/codeartifact/d/123456789012/my-dom/r/team"
WITH = 'acme-a = {version = "*", index = "ca"}'
ON_NT = """a = {os_name = "== 'nt'"}"""
EMPTY = pipfile("")
NO_PLACEHOLDERS = ("hunter2", TOKEN, "s3cr3t-and-long", "Tr0ub4dor&3", "tokenize")
SOURCES = [{"name": n, "url": u, "verify_ssl": n == "ca"} for n, u in (PUBLIC, OURS)]
LOOPBACK = {"name": "ca", "url": "http://127.0.0.1:43/simple/", "verify_ssl": True}

# For each code: projects with the finding, and similar projects without it.
CASES = [
    # --- the file itself
    *each("pipfile-invalid", 1, 'packages = "a"\n' + table(*PUBLIC), 'source = "[[source]]"\n[packages]\n'),
    *each("pipfile-invalid", 1, "scripts = 1\n" + table(*PUBLIC), 'requires = "3.11"\n' + table(*PUBLIC)),
    *each("pipfile-invalid", 1, *(
        f"{head}\nname = 'x'\nurl = '{SIMPLE}'\n[packages]\n"
        for head in ("[[sources]]", "[Source]", "[[index]]", "[[soruce]]")
    )),
    *each("pipfile-invalid", 2, "[[source]]\nname = \n"),
    *each("pipfile-invalid", 3, '[[source]]\nname = "a"\n[packages', '[[source]]\nname = "a"\nname = "b"\n'),
    *each("pipfile-invalid", 4, table(*PUBLIC, '"true"')),
    *each("pipfile-invalid", 5, *below_public(
        '[[package]]\na = "*"', '[require]\npython_version = "3.11"', "[Scripts]\na = 'pytest -q'", "[Pipenv]",
    )),
    *each("pipfile-invalid", 6, *below_public(
        '[packages]\na = ["*"]', "[requires]\npython_version = 3.11", "[scripts]\na = ''",
        '[pipenv]\ncool-down-period = "3 days"',
    )),
    *each("pipfile-invalid", 12, *entries("{version = 1}", "1.10", *(
        f'{{version = "*", {more}}}'
        for more in ('verison = "1"', 'extras = "x"', 'Index = "ca"', "extras = [1]", "markers = 1")
    ))),
    *each(None, 0, "", '[packages]\na = "*"\n', *below_public(
        '[pipenv]\ncool-down-period = "3d"\nallow_prereleases = true',
        "[pipenv]\nkeep_outdated = true\nsort_pipfile = true",
        "[packages]\n[dev-packages]\n[scripts]\na = 'b'",
    )),
    *(
        case
        for code, heads in (
            ("table-unknown", "dev_packages requirements Packages pakages default"),
            (None, "docs python index lambda-packages developer script"),
        )
        for case in each(code, 5, *below_public(*(f'[{head}]\na = "*"' for head in heads.split())))
    ),
    *each("key-ignored", 4, table(*PUBLIC).replace("verify_ssl", "verify-ssl")),
    *each("key-ignored", 6, *below_public(
        "[pipenv]\nallow_prerelease = true", '[requires]\npython = "3.9"',
    )),
    *(
        case
        for code, versions in (
            ("requires-invalid", ("latest", "3.9 || 3.10", "^3.9", "311", "3.11.*")),
            ("requires-unclear", (">=3.8", "3", "3.11.4", '3.1"\npython_full_version = "3.11.2')),
            (None, ("3.11", "*", '3.11"\npython_full_version = "3.11.2')),
        )
        for case in each(code, 6, *below_public(*(f'[requires]\npython_version = "{v}"' for v in versions)))
    ),
    *each("url-secret", 12, f'a = "*"  # {GITHUB_TOKEN}'),
    *each("url-secret", 14, f'a = "*"\n[scripts]\nb = "TOKEN={TOKEN} c"'),
    *each(None, 0, 'a = "*"  # ghp_not-one'),
    # --- sources
    *each("source-incomplete", 1, '[[source]]\nname = "a"\n', f'[[source]]\nname = 3\nurl = "{SIMPLE}"\n'),
    *each("source-incomplete", 2, f'\n[[source]]\nurl = "{SIMPLE}"\n'),
    *each(None, 0, f'[[source]]\nname = "a"\nurl = "{SIMPLE}"\n'),
    *each("source-duplicate", 6, table(*PUBLIC) + table("public", "https://other.example/simple")),
    *each("source-duplicate", 7, table(*PUBLIC) + table("again", PUBLIC[1] + "/")),
    *each(None, 0, table(*PUBLIC) + table("again", PUBLIC[1] + "/more")),
    *each("near-miss", 3, *source_tables(
        at().replace("https", "http"), at(host=HOST.replace("123456789012", "12345678901")),
        at(host=HOST + ":8443"), at(path="/simple/"), at(path="/npm/team/"),
        at(host=HOST.replace(".eu-west-1", "")), at(host=HOST.replace("d.codeartifact.", "")), f" {at()} ",
        at("", "eu-west-1.console.aws.amazon.com", IN_CONSOLE),
    )),
    *each("url-without-simple", 3, *source_tables(
        at(path="/pypi/team/simple/simple/"), at(path="/pypi/team/"), at(path="/pypi/team/simple/acme/"),
    )),
    *each("variable-form", 3, *source_tables(
        "https://me:<password>@index.example/simple", "https://me:%THE_PASSWORD%@index.example/simple",
    )),
    *each("variable-form", 12, 'a = {git = "https://me:****@git.example/a"}'),
    *each("url-invalid", 3, *source_tables(
        "https:/index.example/simple", "index.example/simple", "https://[::1/simple",
        "https://index.example:port/simple",
    )),
    *each("url-http", 3, ours("http://index.example/simple")),
    *each("url-token", 3, *source_tables(*(at(f"aws:{secret}@") for secret in NO_PLACEHOLDERS))),
    *each("url-secret", 8, pipfile("", PUBLIC, ("b", "https://me:hunter2@b.example/simple"))),
    *each("url-secret", 3, *source_tables(*(
        f"https://me:{secret}@index.example/simple" for secret in NO_PLACEHOLDERS
    ))),
    *each("url-secret", 3, *source_tables(
        f"https://{GITHUB_TOKEN}@index.example/simple", f"{SIMPLE}?token=hunter2",
        "https://__token__:pypi-AgEIcHlwaS5vcmcCJDU3YTc4@index.example/s",
    )),
    *each("url-username", 3, *source_tables(
        at("me:${CODEARTIFACT_AUTH_TOKEN}@"), at(":$CODEARTIFACT_AUTH_TOKEN@"),
    )),
    *each(None, 0, *source_tables(
        at(host="${DOMAIN}-123456789012.d.codeartifact.eu-west-1.amazonaws.com"), "${THE_INDEX}",
        at("${WHO}:${CODEARTIFACT_AUTH_TOKEN}@"), "http://localhost:3141/simple",
        "HTTPS://index.example/simple", "https://me:${PASSWORD}@index.example/simple?token=${T}",
        "https://me@index.example/simple?page=2", "https://me:${THE_PASSWORD}@index.example/a%41BC%20d",
        "https://index.example/pypi-all-of-the-proxies/npm_internal_packages/simple",
        at("aws:$CODEARTIFACT_AUTH_TOKEN@"), at("aws:${CODEARTIFACT_AUTH_TOKEN_FAR}@"), at("aws@"), at(""),
        at(path="/pypi/team/simple"),
    )),
    *each("tls-unverified", 4, table(*OURS, "false"), table(*PUBLIC, "false")),
    *each(None, 0, table("proxy", "http://localhost:3141/simple", "false")),
    *each("token-elsewhere", 8, pipfile("", OURS, ("b", f"https://{USERINFO}b.example/simple"))),
    *each("token-elsewhere", 3, ours(at("aws:${CODEARTIFACT_AUTH_TOKEN}-x@"))),
    *each("token-elsewhere", 12, 'a = {git = "https://${CODEARTIFACT_AUTH_TOKEN}@git.example/a"}'),
    *each(None, 0, pipfile("", OURS, ("b", "https://aws:${OTHER_TOKEN}@b.example/simple"))),
    *each(None, 0, 'a = {git = "https://${GIT_TOKEN}@git.example/a"}'),
    *each("variable-shared", 8, pipfile("", OURS, ("far", at(host=OTHER_HOST)))),
    *each(None, 0, pipfile("", OURS, ("far", at("aws:${FAR_TOKEN}@", OTHER_HOST)))),
    *each("variable-name", 8, pipfile("", OURS, ("far", at("aws:${FAR}@", OTHER_HOST)))),
    *each("variable-name", 3, ours(at("aws:${CFLAGS}@"))),
    *each("variable-form", 3, *source_tables(*(
        at(f"aws:{form}@")
        for form in (
            "${CODEARTIFACT_AUTH_TOKEN:-none}", "$(aws codeartifact get-authorization-token --domain d)",
            "%CODEARTIFACT_AUTH_TOKEN%", "${{ secrets.CODEARTIFACT_AUTH_TOKEN }}", "{CODEARTIFACT_AUTH_TOKEN}",
            "$env:CODEARTIFACT_AUTH_TOKEN", "$codeartifact_auth_token", "${CODEARTIFACT_AUTH_TOKEN",
            "os.environ['CA_TOKEN']", "`cat token`", "<your token>", "YOUR_TOKEN_HERE", "password", "changeme",
            "xxxx", "****", "", " ", "op://vault/item", "ENC[abc]", "!Ref Token",
        )
    ), at("<token>@"), at("YOUR_TOKEN@"))),
    # --- packages
    *each(
        "index-missing", 12, 'acme-a = "*"', 'acme-a = {version = "*"}', '[packages.acme-a]\nversion = "*"',
        private="acme-*",
    ),
    *each("index-missing", 12, 'Acme_A = "*"', private="acme.a"),
    *each("index-missing", 14, 'b = "*"\n[docs]\n"acme-a" = "*"', private="acme-*"),
    *each("index-missing", 14, f'{WITH}\n[dev-packages]\nacme-a = "*"'),
    Case("index-missing", 12, 'acme-a = "*"', {"acme-a": entry("ca")}),
    Case(None, 0, 'acme-a = "*"', {"acme-a": entry("public")}),
    *each(
        None, 0, 'acme = "*"', 'acme-a = {git = "https://git.example/a.git"}', 'acme-a = {path = "."}', WITH,
        pipfile('acme-a = "*"', OURS, PUBLIC), pipfile('acme-a = "*"', ("x", "${THE_INDEX}"), OURS),
        private="acme-*",
    ),
    *each("source-missing", 7, pipfile('acme-a = "*"', PUBLIC), private="acme-*"),
    *each("index-public", 12, 'acme-a = {version = "*", index = "public"}', private="acme-*"),
    *each("near-miss", 3, ours(at(host=HOST + ":8443")), private="acme-*"),
    *each("index-unknown", 12, 'a = {version = "*", index = "cq"}'),
    *each("url-secret", 12, *entries(
        f'{{git = "https://me:{GITHUB_TOKEN}@github.com/a/a.git"}}',
        '{file = "https://files.example/a.whl?sig=hunter2"}',
    )),
    *each("version-invalid", 12, *entries(
        '"latest"', '"^1.2"', '"~1.2"', '"1.x"', '">=1.0 <2"', '"==1.0.*.1"', '" * "', '""', '"==1.0 # new"',
        '"==\uff11.0"', '"*, <2"', '"=>1.0"', '"\u20131.0"', '"main"', """ "==1.0; os_name=='nt'" """,
        '"git+https://git.example/a"', '{version = "1.x", extras = ["b"]}',
    )),
    *each("marker-invalid", 12, *entries(*(
        f'{{version = "*", {marker}}}'
        for marker in (
            'sys_platform = "win32"', 'python_version = ">=3.8"', 'markers = "linux"',
            """markers = "OS_name == 'nt'" """, 'markers = "python_version >= 3.8"',
            """markers = "os_name == 'nt' && extra == 'x'" """,
        )
    ))),
    *each(None, 0, *entries(
        '"1.0"', '"==1.0;"', '"v1.0"', '"===1.0"', '"~=1.0rc1"', "{}", '">=1.0 , <2"', '"!=1.*"',
        '"==1!1.0"', '"==1.0+a.b"', '{extras = ["b"]}', """{version = "*", sys_platform = "== 'win32'"}""",
        '{version = "*", index = "public"}', '{git = "ssh://git@github.com/a/a.git"}',
        '{git = "https://${GIT_TOKEN}:x-oauth-basic@github.com/a/a.git"}', '{path = ".", editable = true}',
        '{file = "https://files.example/a.whl"}', *(
            f'{{version = "*", markers = "{marker}"}}'
            for marker in (
                "", "(os_name=='nt'or os_name == 'posix') and extra == 'b'",
                "python_version not in '3.0, 3.1'", "'linux' in sys_platform", "os.name == 'nt'",
            )
        ),
    )),
    *each("name-invalid", 12, *(
        f'"{name}" = "*"' for name in ("acme billing", "-a", "é", "https://a.example/b")
    )),
    *each(None, 0, '"a[b]" = "*"', '"A_b.b-c" = "*"', '1 = "*"'),
    *each("package-duplicate", 13, 'Acme_b = "*"\nacme-b = "==1"'),
    *each(
        "package-duplicate", 14, 'a = "==1"\n[dev-packages]\nA = "==2"',
        'a = {version = "*", index = "ca"}\n[docs]\na = {version = "*", index = "public"}',
    ),
    *each(None, 0, 'a = ">=1"\n[dev-packages]\na = "==2"'),
    *each(None, 0, '[packages]\nb = "*"\n[docs]\na = "==1"\n[tests]\na = "==2"'),
    *each("path-missing", 12, *entries('{path = "lib", editable = true}', '{file = "a.whl"}')),
    *each("package-url", 12, *(
        f'a = {{file = "{at("", path=f"/pypi/{path}")}"}}'
        for path in ("team/simple/a/1.0/a-1.0-py3-none-any.whl", "other/simple/a/1.0/a-1.0.tar.gz")
    )),
    *each("key-ignored", 12, *entries(
        '{version = "*", ref = "main"}', '{git = "https://git.example/a", index = "ca"}',
        '{path = ".", version = "==1"}',
    )),
    # --- the lock
    *in_lock("lock-outdated", pipfile(WITH), {}, line=3, hash={"sha256": "0" * 64}),
    *in_lock("lock-sources", EMPTY, {}, line=8, sources=[SOURCES[0]]),
    *in_lock("lock-sources", EMPTY, {}, line=8, sources=SOURCES),
    *in_lock("lock-invalid", EMPTY, {}, line=2, requires=None),
    *in_lock("lock-invalid", EMPTY, {}, line=2, hash={}),
    *in_lock("lock-invalid", EMPTY, {}, line=2, sources=[]),
    Case("lock-edited", 2, EMPTY, {}, "", "Pipfile.lock", {"pipfile-spec": 5}),
    *in_lock("lock-index", WITH, {"acme-a": entry("public")}),
    *in_lock("lock-index", 'a = "*"', {"a": entry("gone")}),
    *in_lock("hashes-missing", 'a = "*"', {"a": {"version": "==1"}}),
    *in_lock("hashes-missing", """a = {version = "*", sys_platform = "== 'win32'"}""", {"a": {"version": "*"}}),
    *in_lock("dependency-unlisted", WITH, {"acme-a": entry("ca"), "acme-b": entry("ca")}),
    *in_lock("dependency-unlisted", WITH, {"acme-b": entry(), "acme-a": entry("ca")}, private="acme-*"),
    *in_lock("hashes-invalid", 'a = "*"', *(
        {"a": entry(hashes=hashes)} for hashes in (["md5:" + "0" * 32], ["sha256:00"], HASH, [HASH, 3])
    )),
    *in_lock("lock-invalid", 'a = "*"', {"a": {"index": "public"}}, *(
        {"a": entry(**more)}
        for more in (
            {"version": ">=1.0"}, {"version": "==1.*"}, {"version": 3},
            {"markers": "sys_platform = 'x'"}, {"markers": ["x"]},
        )
    )),
    *in_lock("lock-incomplete", 'a = "*"\nb = "*"', {"b": entry()}),
    *in_lock("lock-incomplete", '[dev-packages]\nA_b = "*"', {"a-b": entry()}),
    *in_lock("lock-incomplete", 'a = "==1.1"', {"a": entry()}),
    *in_lock("lock-incomplete", 'a = {version = "1.0.1"}', {"a": entry()}),
    *in_lock("lock-markers", ON_NT, {"a": entry()}),
    *in_lock("lock-loopback", 'a = "*"', *(
        {"a": {"file": f"http://{host}:4321/a.whl"}} for host in ("127.0.0.1", "localhost")
    )),
    *in_lock("lock-loopback", 'a = "*"', {"a": entry("ca")}, sources=[LOOPBACK]),
    *in_lock(
        "url-secret", 'a = {git = "https://git.example/a"}',
        {"a": {"git": f"https://{GITHUB_TOKEN}@git.example/a", "ref": "0"}},
    ),
    *(
        Case(None, 0, text, packages)
        for text, packages in (
            (WITH, {"acme-a": entry("ca"), "six": entry()}),
            ('a = {path = "."}', {"a": {"path": "."}}),
            ('a = "*"', {"a": entry(hashes=["sha512:" + "aB" * 64, HASH])}),
            ('"a[b]" = "*"', {"a": entry(extras=["b"])}),
            ("""a = {version = "*", markers = "os_name == 'nt'"}""", {}),
            (ON_NT, {"a": entry(markers="os_name == 'nt'")}),
            (pipfile('a = "*"', ("own", "http://localhost:3141/simple")), {"a": entry("own")}),
            (pipfile('acme-a = "*"', OURS), {"acme-a": entry("ca"), "acme-b": entry("ca")}),
            *(
                (f"A_b = {value}", {"a-b": entry()})
                for value in ('"==1.0.0"', '">=0.1"', '{version = "v1"}', '{extras = ["c"]}', '"1"')
            ),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code or 'none'}")
def test_each_case_has_only_its_expected_finding(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    found = reviewed(path, private_packages=case.private).findings
    assert [finding.code for finding in found] == ([case.code] if case.code else []), found
    for finding in found:
        assert Path(finding.path).name == case.file
        assert case.line in {0, finding.line}, finding
        assert finding.sentence.endswith(".")
        assert finding.hint.endswith(".")


@pytest.mark.parametrize(
    ("url", "right"),
    [
        (at(), ""),
        (at(host=HOST.replace("my-dom", "My_Dom")), OURS[1]),
        (at(host=HOST.replace("123456789012", "1234-5678-9012")), OURS[1]),
        ("arn:aws:codeartifact:eu-west-1:123456789012:repository/my-dom/team", OURS[1]),
        (at("", "codeartifact.eu-west-1.amazonaws.com", "/v1/"), "/pypi/REPOSITORY/simple/"),
        (at(host="<domain>-<account>.d.codeartifact.<region>.amazonaws.com"), "DOMAIN-ACCOUNT"),
        (at(path="/pypi/a/simple/"), OURS[1].replace("team", "REPOSITORY")),
        (at(host=HOST.replace("my-dom", "d")), OURS[1].replace("my-dom", "DOMAIN")),
        (at(host=HOST.replace(".eu-west-1", "")), OURS[1].replace("eu-west-1", "REGION")),
        (at(host=HOST.replace("9012", "901")), OURS[1].replace("123456789012", "ACCOUNT")),
        (at(host="vpce-1-a.d.codeartifact.eu-west-1.vpce.amazonaws.com"), "/DOMAIN-ACCOUNT/REPOS"),
    ],
)
def test_hint_shows_the_corrected_url(url: str, right: str, tmp_path: Path) -> None:
    hints = [one.hint for one in reviewed(write_project(tmp_path, ours(url))).findings]
    assert len(hints) == bool(right)
    for hint in hints:
        assert re.search(rf"{re.escape(right)}\S* (?:in its place|instead)", hint)


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("{", 1), ('{\n"_meta": 3\n"b"}', 3), ("[]", 1), ('{"_meta": {}}', 1)],
    ids=repr,
)
def test_broken_lock_is_one_finding_at_the_line_that_breaks_it(
    text: str, line: int, tmp_path: Path
) -> None:
    path = write_project(tmp_path, pipfile('a = "*"'), text)
    assert found_in(path) == [("Pipfile.lock", line, "lock-invalid")]


def test_merge_conflict_is_reported_by_name_at_its_marker(tmp_path: Path) -> None:
    marks = "<<<<<<< HEAD\n=======\n>>>>>>> theirs\n"
    head, tail = lock(EMPTY, {"a": entry()}).split('"default"')
    path = write_project(tmp_path, EMPTY + marks, f'\n\n{head}\n{marks}"default"{tail}')
    in_pipfile, in_lock = reviewed(path).findings
    assert (in_pipfile.code, in_lock.code) == ("pipfile-invalid", "lock-invalid")
    assert in_lock.path.endswith("Pipfile.lock")
    for finding in (in_pipfile, in_lock):
        assert "merge conflict" in finding.sentence
        lines = Path(finding.path).read_text().splitlines()
        assert lines[finding.line - 1] == "<<<<<<< HEAD"


def test_finding_in_a_lock_has_the_line_of_its_key_and_says_to_lock_again(tmp_path: Path) -> None:
    text = pipfile('a = "*"')
    sources = [{"name": "public", "url": "https://me:hunter2@index.example/s", "verify_ssl": False}]
    entries = {"a": entry("gone", version="1", hashes=["md5:0"]), "b": {"version": "==1"}}
    path = write_project(tmp_path, text, lock(text, entries, sources=sources))
    findings = reviewed(path).findings
    assert len(findings) >= 5
    for finding in findings:
        assert finding.path.endswith("Pipfile.lock")
        assert "`pipenv-ca lock`" in finding.hint
        assert "Write " not in finding.hint
    lines = (tmp_path / "Pipfile.lock").read_text().splitlines()
    shown = {finding.code: lines[finding.line - 1].strip() for finding in findings}
    assert shown["lock-index"] == '"index": "gone",'
    assert shown["hashes-missing"] == '"b": {'


def test_hint_pins_a_package_that_this_platform_cannot_lock(tmp_path: Path) -> None:
    markers = """markers = "sys_platform == 'win32'"}"""
    text = pipfile(f'a = {{version = "*", {markers}')
    value = {"version": "*", "markers": "sys_platform == 'win32'"}
    (finding,) = reviewed(write_project(tmp_path, text, lock(text, {"a": value}))).findings
    assert f'{{version = "==1.0", {markers}' in finding.hint


@pytest.mark.parametrize("data", [b"a = '\xff'\n", b"\xef\xbb\xbf[packages]\n", b"\x00", b"\n\n="])
def test_pipfile_that_pipenv_cannot_read_is_a_single_finding(data: bytes, tmp_path: Path) -> None:
    assert codes(write_project(tmp_path, data)) == ["pipfile-invalid"]


IN_PYLOCK = '[[packages]]\nname = "b"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('lock-version = "2.0"', [(1, "lock-invalid")]),
        (f'{IN_PYLOCK}marker = "linux"', [(4, "lock-invalid")]),
        (f'{IN_PYLOCK}sdist = {{hashes = {{md5 = "00"}}}}', [(2, "hashes-invalid")]),
        (f'{IN_PYLOCK}wheels = [{{hashes = {{sha1 = "0"}}}}]', [(2, "hashes-invalid")]),
        (f'{IN_PYLOCK}wheels = [{{url = "https://x.example/b.whl"}}]', [(2, "hashes-missing")]),
        (f'{IN_PYLOCK}index = "http://127.0.0.1:1/s"', [(4, "lock-loopback")]),
        (f'{IN_PYLOCK}vcs = {{url = "https://{GITHUB_TOKEN}@h/a"}}', [(4, "url-secret")]),
        (f"{IN_PYLOCK}<<<<<<< HEAD\n", [(4, "lock-invalid")]),
        (f"""{IN_PYLOCK}marker = "'x' in extras"\nsdist = {{hashes = {{sha256 = "0"}}}}""", []),
    ],
)
def test_problem_in_a_pylock_is_reported_at_its_line(
    text: str, expected: list[tuple[int, str]], tmp_path: Path
) -> None:
    path = write_project(tmp_path, pipfile('a = "*"'))
    begin = 'lock-version = "1.0"\n' if text.startswith("[[") else ""
    (tmp_path / "pylock.toml").write_text(begin + text)
    assert found_in(path) == [("pylock.toml", *found) for found in expected]


# --- ignoring ----------------------------------------------------------------------------

BAD = 'a = {version = "*", index = "cq"}'
IGNORE = "# pipenv-ca: ignore[index-unknown]"


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        (f"{BAD} {IGNORE}", []),
        (f"{IGNORE}\n# (it is made in CI)\n{BAD}", []),
        (f"{BAD}  #pipenv-ca:ignore[ index-unknown ]", []),
        (f"# pipenv-ca: ignore[index-unknown, url-secret]\n{BAD}", ["ignore-unused"]),
        (f"{IGNORE}\n\n{BAD}", ["ignore-unused", "index-unknown"]),
        (f'b = "*" {IGNORE}\n{BAD}', ["ignore-unused", "index-unknown"]),
        ('a = "*" # pipenv-ca: ignore[no-such-code]', ["ignore-unused"]),
        (f'a = "==1 {IGNORE}"', ["version-invalid"]),
    ],
)
def test_comment_on_or_above_the_line_ignores_a_finding(
    packages: str, expected: list[str], tmp_path: Path
) -> None:
    assert codes(write_project(tmp_path, pipfile(packages))) == expected


def test_lint_ignore_setting_hides_findings_of_pipfile_and_lock(tmp_path: Path) -> None:
    text = pipfile(BAD)
    path = write_project(tmp_path, text, lock(text, {"a": {"version": "==1"}}))
    assert codes(path) == ["index-unknown", "hashes-missing"]
    settings = tmp_path / "pyproject.toml"
    settings.write_text('[tool.codeartifact-pipenv]\nlint-ignore = ["index-unknown"]\n')
    assert codes(path) == ["hashes-missing"]
    assert codes(path, lint_ignore="index-unknown, hashes-missing") == []


# --- the command -------------------------------------------------------------------------


@pytest.fixture
def shell(clean_base: dict[str, str], home: Path, tmp_path: Path) -> Shell:
    return Shell({**clean_base, "HOME": str(home)}, tmp_path)


def test_text_and_json_have_place_code_and_hint_of_each_finding(shell: Shell) -> None:
    shell.write(pipfile(BAD))
    done = shell.lint()
    assert (done.status, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "Pipfile:12: error: a names the index cq, which is not a source of the Pipfile. [index-unknown]",
        "    hint: Name one of the Pipfile's sources (ca, public), or add it as a [[source]].",
        "Found 1 error.",
    ]
    done = shell.lint("--json")
    document = json.loads(done.stdout)
    (found,) = document["findings"]
    assert (done.status, document["ok"], found["level"]) == (1, False, "error")
    assert (found["file"], found["line"], found["code"]) == ("Pipfile", 12, "index-unknown")
    assert (found["column"], found["fixable"]) == (21, False)


def test_lint_needs_neither_pipenv_nor_aws_credentials(shell: Shell) -> None:
    shell.write(pipfile('a = "*"'))
    done = shell.lint(PIPENV_CA_PIPENV="/nowhere/pipenv", AWS_PROFILE="none")
    assert done == Result(0, "All is well.\n", "")


@pytest.mark.parametrize(
    ("packages", "row", "marks"),
    [
        ("a = { index = 'cq' }  # why", "a = { index = 'cq' }  # why", f"{' ' * 6}^^^^^"),
        ('[packages.a]\n\tindex = "cq"', '    index = "cq"', "    ^^^^^"),
        ('"日本" = {index = "cq"}', '"日本" = {index = "cq"}', f"{' ' * 10}^^^^^"),
        ('a.index = "cq"\r', 'a.index = "cq"', "^^^^^^^"),
        ("a = ", "a =", "^^^"),
    ],
)
def test_terminal_shows_the_line_and_underlines_the_problem(
    packages: str, row: str, marks: str, shell: Shell
) -> None:
    shell.write(pipfile(packages))
    lines = shell.see().splitlines()
    number = 13 if "\n" in packages else 12
    assert lines[0].startswith(f"Pipfile:{number}: error: ")
    assert lines[1:3] == [f"    {number} | {row}", f"       | {marks}"]
    assert lines[-2].startswith("    hint: ")


@pytest.mark.wide
@pytest.mark.parametrize("columns", [120, 30])
def test_terminal_cuts_a_long_line_around_the_underlined_part(columns: int, shell: Shell) -> None:
    extras = ", ".join(f'"extra{number}"' for number in range(100))
    shell.write(pipfile(f'a = {{extras = [{extras}], index = "cq"}}'))
    entries = {name: {"version": "==1"} for name in ("a", "b", "日本", "c")}
    one_line = json.dumps(json.loads(lock(EMPTY, entries)), ensure_ascii=False)
    (shell.folder / "Pipfile.lock").write_text(one_line, encoding="utf-8")
    lines = shell.see(columns=columns).replace("日本", "####").splitlines()
    rows = [pair for pair in pairwise(lines) if re.match(r" +\| +\^", pair[1])]
    assert max(len(row) for row, _ in rows) <= columns
    shown = {row[marks.index("^") : marks.rindex("^") + 1] for row, marks in rows}
    assert shown == {"index", '"hash"', '"a"', '"b"', '"####"', '"c"'}
    assert len(rows) == 6


@pytest.mark.parametrize(
    "packages",
    [
        f'a = {{git = "https://{GITHUB_TOKEN}@git.example/a", index = "cq"}}',
        'a = {git = "https:\\u002f\\u002fme:hunter2@git.example/a", index = "cq"}',
        'a = {git = "https://me:hunter2\\u0040git.example/a", index = "cq"}',
        "a = {git = 'https://me:hunt/hunter2@git.example/a', verison = '1'}",
        'a = {index = "cq", git = """https://me:hunter2\\\n   @git.example/a"""}',
        f'a = {{index = "cq"}}  # {GITHUB_TOKEN} and https://x:hunter2@h',
    ],
)
@pytest.mark.parametrize("verb", ["lint", "fix"])
def test_secret_in_the_shown_line_is_masked_however_it_is_spelled(
    verb: str, packages: str, shell: Shell
) -> None:
    shell.write(pipfile(packages))
    shown = shell.see(verb, columns=200)
    assert "    12 | a = {" in shown
    assert "hunter2" not in shown
    assert GITHUB_TOKEN not in shown


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"NO_COLOR": ""}, True),
        ({}, False),
        ({"NO_COLOR": "", "TERM": "dumb"}, False),
        ({"NO_COLOR": "", "TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_follows_terminal_no_color_force_color_and_term(
    variables: dict[str, str], wanted: bool, shell: Shell
) -> None:
    shell.write(pipfile(BAD))
    shown = shell.see(env=variables)
    assert ("\x1b[31merror:\x1b[0m" in shown) == wanted
    assert ("\x1b" in shown) == wanted
    piped = shell.lint(**({"NO_COLOR": "1"} | variables))
    assert ("\x1b" in piped.stdout) == (wanted and "FORCE_COLOR" in variables)
    assert " | " not in piped.stdout


def test_github_actions_gets_escaped_annotations_with_paths_of_the_workspace(shell: Shell) -> None:
    path = shell.project("sub", pipfile('a = {version = "*", index = "50%,\\nof:all"}'))
    inside = Shell(shell.env | {"GITHUB_WORKSPACE": str(shell.folder)}, path.parent)
    line, summary = inside.lint(GITHUB_ACTIONS="true").stdout.splitlines()
    place = "::error file=sub/Pipfile,line=12,title=pipenv-ca%3A index-unknown"
    assert line.startswith(f"{place}::a names the index 50%25,")
    assert summary == "Found 1 error."
    assert inside.lint("--format", "text", GITHUB_ACTIONS="true").stdout.startswith("Pipfile:12:")


def test_no_name_in_a_project_becomes_a_ci_command(shell: Shell) -> None:
    """GitHub's and Azure's runners would act on such text in a log."""
    hostile = "##[set-output name=a;]b ##vso[task.prependpath]/c ###[add-mask]d"
    lines = '"""\n::set-output name=a::b\n  ::stop-commands::c\n"""'
    text = f'[scripts]\nx = {lines}\n[packages]\na = {{version = "*", index = "{hostile}"}}\n'
    shell.write(f'[[source]]\nname = "public"\nurl = "{at("")[:-7]}"\n{text}')
    for form in ("text", "json", "github"):
        done = shell.lint("--format", form)
        assert "task.prependpath" in done.stdout
        assert re.findall(r"##\w*\[", done.output) == []
    shown = shell.fix("--diff").stdout
    assert "set-output name=a::b" in shown
    assert re.findall(r"^\s*::|##\w*\[", shown, re.MULTILINE) == []


def test_warnings_fail_lint_only_with_severity_warning(shell: Shell) -> None:
    shell.write(pipfile("", ("a", "http://a.example/simple")))
    done = shell.lint()
    assert "Pipfile:3: warning: " in done.stdout
    assert done.status == 0
    assert shell.lint("--severity", "warning").status == 1


def test_each_named_project_is_reviewed_once_with_its_own_settings(shell: Shell) -> None:
    shell.project("one", pipfile(BAD))
    two = shell.project("two", pipfile('acme-a = "*"'))
    settings = '[tool.codeartifact-pipenv]\nprivate-packages = ["acme-*"]\n'
    (two.parent / "pyproject.toml").write_text(settings)
    three = shell.project("three", pipfile('acme-a = "*"'))
    (three.parent / "Pipfile.lock").write_text("[")
    done = shell.lint("one", "one/Pipfile", "two", "three/Pipfile.lock")
    found = re.findall(r"^(\S+):[0-9]+: error: .* \[(.*)\]$", done.stdout, re.MULTILINE)
    assert found == [
        ("one/Pipfile", "index-unknown"),
        ("two/Pipfile", "index-missing"),
        ("three/Pipfile.lock", "lock-invalid"),
    ]
    summary = "Found 3 errors in 3 projects. `pipenv-ca fix` can fix 1 of 3."
    assert done.stdout.splitlines()[-1] == summary


def test_lock_without_a_pipfile_is_reviewed(shell: Shell) -> None:
    (shell.folder / "Pipfile.lock").write_text(lock(pipfile(""), {"a": {"version": "==1"}}))
    assert "[hashes-missing]" in shell.lint("Pipfile.lock").stdout
    (shell.folder / "pylock.toml").write_text("[[packages]]\nname = 'b'\nsdist = {}\n")
    (shell.folder / "Pipfile.lock").unlink()
    assert "pylock.toml:1: warning: b is" in shell.lint("pylock.toml").stdout


@pytest.mark.parametrize(
    ("words", "ignored", "part"),
    [
        ((), "", "No Pipfile was found here"),
        (("gone",), "", "gone does not exist"),
        ((".",), "", "No Pipfile was found in ."),
        (("good",), "index-mising", "index-mising"),
    ],
)
def test_lint_without_a_project_or_with_an_unknown_code_fails_with_status_2(
    words: tuple[str, ...], ignored: str, part: str, shell: Shell
) -> None:
    shell.project("good", pipfile(""))
    done = shell.lint(*words, PIPENV_MAX_DEPTH="1", PIPENV_CA_LINT_IGNORE=ignored)
    assert_error(done, 2, part)


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_no_output_format_shows_a_secret(form: str, shell: Shell) -> None:
    packages = (
        f'a = {{git = "https://{GITHUB_TOKEN}@git.example/a"}}\n'
        'b = {file = "https://a.example/b.whl?token=hunter2"}'
    )
    urls = at(f"aws:{TOKEN}@"), f"https://me:hunter2@{PUBLIC[1][8:]}"
    shell.write(pipfile(packages, *zip("ab", urls, strict=True)))
    done = shell.lint("--format", form)
    assert done.status == 1
    assert not any(secret in done.output for secret in (TOKEN, "hunter2", GITHUB_TOKEN))


def test_other_projects_are_reviewed_after_an_unreadable_pipfile(shell: Shell) -> None:
    (shell.folder / "other" / "Pipfile").mkdir(parents=True)
    shell.project("good", pipfile(BAD))
    done = shell.lint("other", "good")
    assert done.status == 2
    assert "other/Pipfile cannot be read" in done.stderr
    assert "good/Pipfile:12: error:" in done.stdout


# --- online ------------------------------------------------------------------------------


@pytest.fixture
def online(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Shell:
    packages = '[packages]\norb-common = "*"\niniconfig = "*"\nno-such-orb = "*"\n'
    write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), packages)
    return Shell(sandbox_env, project)


@pytest.mark.wide
@pytest.mark.parametrize("may_list", [True, False])
def test_online_lint_finds_private_packages_without_an_index(
    online: Shell, sandbox: Sandbox, may_list: bool
) -> None:
    assert online.lint().status == 0
    if not may_list:
        sandbox.deny("codeartifact:ListPackages")
    try:
        done = online.lint("--online")
    finally:
        sandbox.allow("codeartifact:ListPackages")
    assert done.status == 1
    assert re.findall(r"error: (\S+) .* \[index-missing\]", done.stdout) == ["orb-common"]
    assert "Pipfile:14: error: Package no-such-orb was not found" in done.stdout
    summary = "Found 2 errors. `pipenv-ca fix --online` can fix 1 of 2."
    assert done.stdout.splitlines()[-1] == summary


@pytest.mark.wide
def test_online_lint_warns_about_a_private_package_with_a_public_name(
    online: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    own = sandbox.add_repository("namesakes")
    sandbox.publish(make_wheel(tmp_path / "wheels", "iniconfig", "0.0.1"), own)
    packages = '[packages]\niniconfig = {version = "*", index = "codeartifact"}\n'
    write_pipfile(online.folder, PYPI_SOURCE, source(own), packages)
    assert "Pipfile:12: warning: iniconfig is private" in online.lint("--online").stdout
    # A package that only the lock has is reported too.
    text = write_pipfile(online.folder, PYPI_SOURCE, source(own), "[packages]\n").read_text()
    (online.folder / "Pipfile.lock").write_text(lock(text, {"iniconfig": entry("codeartifact")}))
    shown = online.lint("--online").stdout
    assert re.search(r"^Pipfile.lock:[0-9]+: .* \[name-public\]$", shown, re.MULTILINE)


@pytest.mark.wide
def test_online_lint_fails_when_the_repositories_do_not_answer(online: Shell) -> None:
    keyless = without_credentials(online.env) | {"AWS_EC2_METADATA_DISABLED": "true"}
    alone = Shell(keyless, online.folder)
    done = alone.lint("--online", CODEARTIFACT_AUTH_TOKEN="eyJ9.a.b.c.d")
    assert (done.status, done.stdout) == (1, "")
    assert "did not say whether it has" in done.stderr
    assert_error(alone.lint("--online"), 1, "[no-credentials]")


# --- real projects -----------------------------------------------------------------------


def test_lint_handles_every_pipfile_of_the_corpus(tmp_path: Path) -> None:
    for name in PIPFILES:
        path = copy_of(name, tmp_path / name)
        found = found_in(path, private_packages="acme-*")
        unread = {"pipfile-invalid", "source-incomplete"} & {code for _, _, code in found}
        assert bool(unread) == (name in BROKEN | REFUSED), name
        lines = {p.name: p.read_bytes().count(b"\n") + 1 for p in path.parent.iterdir()}
        assert all(1 <= line <= lines[file] for file, line, _ in found), name
