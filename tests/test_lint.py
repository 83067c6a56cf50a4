"""Lint finds the problems in the files of a project, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.corpus import BROKEN, PIPFILES, REFUSED
from support.lint import (
    BESIDE,
    GITHUB_TOKEN,
    HASH,
    HOST,
    OTHER_HOST,
    OURS,
    PUBLIC,
    TOKEN,
    USERINFO,
    codes,
    copy_of,
    entry,
    lock,
    pipfile,
    reviewed,
    table,
    write_project,
)
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import Terminal, assert_error, without_credentials

from codeartifact_pipenv.causes import LEVELS
from codeartifact_pipenv.checks.files.contents import projects_at
from codeartifact_pipenv.checks.files.secrets import mask
from codeartifact_pipenv.project.pipfile import entries_of
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

ROOT = Path(__file__).parent.parent


class Case(NamedTuple):
    """A project with one expected finding, or with no finding.

    Attributes:
        code: the expected code, if any.
        text: the Pipfile, or only its packages.
        line: the expected line; 0 accepts any line.
        entries: the lock's packages; no lock is written if this and ``meta`` are None.
        private: the setting private-packages.
        lock_has_it: whether the finding is in the lock.
        meta: values that replace those in the lock's ``_meta``.
    """

    code: str | None
    text: str
    line: int = 0
    entries: Mapping[str, Mapping[str, object]] | None = None
    private: str = ""
    lock_has_it: bool = False
    meta: Mapping[str, object] | None = None

    def write(self, folder: Path) -> Path:
        whole = self.text if "[[source]]" in self.text or not self.text else pipfile(self.text)
        if "[packages]" in self.text and "[[source]]" not in self.text:
            whole = self.text
        locked = None
        if self.entries is not None or self.meta is not None:
            locked = lock(whole, self.entries or {}, **(self.meta or {}))
        return write_project(folder, whole, locked)


def ours(url: str, *others: tuple[str, str], packages: str = 'acme-a = "*"') -> str:
    """Return a Pipfile whose first source has this URL."""
    return pipfile(packages, ("ca", url), *others)


def at(userinfo: str = USERINFO, host: str = HOST, path: str = "/pypi/team/simple/") -> str:
    return f"https://{userinfo}{host}{path}"


IN_CONSOLE = "/codesuite/codeartifact/d/123456789012/my-dom/r/team"
WITH = 'acme-a = {version = "*", index = "ca"}'

META_WITH_HOLES: tuple[dict[str, object], ...] = ({"requires": None}, {"hash": {}}, {"sources": []})

# For each code: projects with the finding, and similar projects without it.
CASES = [
    # --- the file itself
    Case("pipfile-invalid", "[[source]]\nname = \n", 2),
    Case("pipfile-invalid", '[[source]]\nname = "a"\n[packages', 3),
    Case("pipfile-invalid", "[[source]]\n" + 'name = "a"\nname = "b"\n', 3),
    Case("pipfile-invalid", table(*PUBLIC) + '[packages]\na = ["*"]\n', 6),
    Case("pipfile-invalid", table(*PUBLIC) + "[packages]\na = 1\n", 6),
    Case("pipfile-invalid", 'packages = "a"\n' + table(*PUBLIC), 1),
    Case("pipfile-invalid", 'source = "[[source]]"\n[packages]\n', 1),
    Case("pipfile-invalid", 'a = {version = "*", verison = "1"}', 12),
    Case("pipfile-invalid", "a = {version = 1}", 12),
    Case("pipfile-invalid", 'a = {version = "*", extras = "x"}', 12),
    Case("pipfile-invalid", table(*PUBLIC, '"true"'), 4),
    Case("pipfile-invalid", table(*PUBLIC) + "[requires]\npython_version = 3.11\n", 6),
    Case("pipfile-invalid", table(*PUBLIC) + "[scripts]\na = ''\n", 6),
    Case("pipfile-invalid", table(*PUBLIC) + '[pipenv]\ncool-down-period = "3 days"\n', 6),
    Case("pipfile-invalid", "scripts = 1\n" + table(*PUBLIC), 1),
    Case(None, table(*PUBLIC) + '[pipenv]\ncool-down-period = "3d"\nallow_prereleases = true\n'),
    *(
        Case("pipfile-invalid", f'a = {{version = "*", {key} = {value}}}', 12)
        for key, value in (
            *(("Index", '"ca"'), ("idnex", '"ca"'), ("extra", '["b"]'), ("marker", '""')),
            *(("editable", '"true"'), ("extras", '["b c"]'), ("extras", "[1]"), ("index", "3")),
            *(("markers", "1"), ("python_version", "3.8"), ("commit", '"a1"')),
        )
    ),
    Case("pipfile-invalid", "a = 1.10", 12),
    Case("pipfile-invalid", table(*PUBLIC) + '[[package]]\na = "*"\n', 5),
    Case("pipfile-invalid", 'requires = "3.11"\n' + table(*PUBLIC), 1),
    *(
        Case("pipfile-invalid", f"{head}\nname = 'x'\nurl = '{PUBLIC[1]}'\n[packages]\n", 1)
        for head in ("[sources]", "[[sources]]", "[Source]", "[[index]]", "[source]", "[[soruce]]")
    ),
    *(
        Case("pipfile-invalid", f"{table(*PUBLIC)}[{head}]\n{line}\n", 5)
        for head, line in (
            *(("require", 'python_version = "3.11"'), ("Requires", 'python_version = "3.11"')),
            *(("script", 'a = "b c"'), ("Scripts", "a = 'pytest -q'"), ("Pipenv", "")),
        )
    ),
    *(
        Case("table-unknown", f'{table(*PUBLIC)}[{head}]\na = "*"\n', 5)
        for head in (
            *("dev_packages", "package", "requirements", "dependencies", "dev-dependencies"),
            *("Packages", "pakages", "default", "Dev-Packages"),
        )
    ),
    *(
        Case(None, f'{table(*PUBLIC)}[{head}]\na = "*"\n')
        for head in ("docs", "tests", "python", "index", "lambda-packages", "developer", "script")
    ),
    *(
        Case("key-ignored", f"{table(*PUBLIC)}[{head}]\n{line}\n", 6)
        for head, line in (
            *(("pipenv", "allow_prerelease = true"), ("pipenv", "sort-pipfile = true")),
            *(("pipenv", "allow-prereleases = true"), ("requires", 'python = "3.9"')),
            *(("requires", 'python-version = "3.9"'), ("requires", 'python_versions = "3.9"')),
        )
    ),
    Case("key-ignored", table(*PUBLIC).replace("verify_ssl", "verify-ssl"), 4),
    Case(None, table(*PUBLIC) + "[pipenv]\nkeep_outdated = true\nsort_pipfile = true\n"),
    *(
        Case(f"requires-{what}", f'{table(*PUBLIC)}[requires]\npython_version = "{text}"\n', 6)
        for what, texts in (
            ("invalid", ("latest", "3.9 || 3.10", "^3.9", "python3.11", "3.x", "311", "3.11+", "3.11.*", "pypy3.9")),
            ("unclear", (">=3.8", "3", "3.11.4", "~=3.11")),
        )
        for text in texts
    ),
    Case(
        "requires-unclear",
        f'{table(*PUBLIC)}[requires]\npython_version = "3.1"\npython_full_version = "3.11.2"\n',
        6,
    ),
    *(
        Case(None, f"{table(*PUBLIC)}[requires]\n{lines}\n")
        for lines in (
            *('python_version = "3.11"', 'python_version = "*"', 'python_full_version = "3.11.2"'),
            'python_version = "3.11"\npython_full_version = "3.11.2"',
        )
    ),
    Case("url-secret", f'a = "*"  # {GITHUB_TOKEN}', 12),
    Case("url-secret", f'a = "*"\n[scripts]\nb = "TOKEN={TOKEN} c"', 14),
    Case(None, 'a = "*"  # ghp_not-one'),
    Case(None, ours(at("${WHO}:${CODEARTIFACT_AUTH_TOKEN}@"))),
    Case(None, table(*PUBLIC) + "[packages]\n[dev-packages]\n[scripts]\na = 'b'\n"),
    Case(None, '[packages]\na = "*"\n'),
    Case(None, ""),
    # --- sources
    Case("source-incomplete", '[[source]]\nname = "a"\n', 1),
    Case("source-incomplete", '\n[[source]]\nurl = "https://index.example/simple"\n', 2),
    Case("source-incomplete", '[[source]]\nname = ""\nurl = "https://index.example/simple"\n', 1),
    Case("source-incomplete", '[[source]]\nname = 3\nurl = "https://index.example/simple"\n', 1),
    Case(None, '[[source]]\nname = "a"\nurl = "https://index.example/simple"\n'),
    Case("source-duplicate", table(*PUBLIC) + table("public", "https://other.example/simple"), 6),
    Case("source-duplicate", table(*PUBLIC) + table("again", PUBLIC[1] + "/"), 7),
    Case(None, table(*PUBLIC) + table("again", PUBLIC[1] + "/more")),
    Case("near-miss", ours(at().replace("https", "http")), 3),
    Case("near-miss", ours(at(host=HOST.replace("123456789012", "12345678901"))), 3),
    Case("near-miss", ours(at(host=HOST + ":8443")), 3),
    Case("near-miss", ours(at(path="/simple/")), 3),
    Case(None, ours(at())),
    Case(None, ours(at(host="${DOMAIN}-123456789012.d.codeartifact.eu-west-1.amazonaws.com"))),
    Case(None, ours("${THE_INDEX}")),
    Case("near-miss", ours(at(path="/npm/team/")), 3),
    Case("near-miss", ours(at(host=HOST.replace(".eu-west-1", ""))), 3),
    Case("near-miss", ours(at(host=HOST.replace(".d.codeartifact", ".codeartifact"))), 3),
    Case("near-miss", ours(at(host=HOST.replace("d.codeartifact.", ""))), 3),
    Case("near-miss", ours(at(host=HOST.replace("my-dom", "my_dom"))), 3),
    Case("near-miss", ours(f" {at()} "), 3),
    Case("near-miss", ours(at("", "eu-west-1.console.aws.amazon.com", IN_CONSOLE)), 3),
    Case("url-without-simple", ours(at(path="/pypi/team/simple/simple/")), 3),
    Case("variable-form", ours(at("<token>@")), 3),
    Case("variable-form", ours(at("YOUR_TOKEN@")), 3),
    Case("variable-form", ours("https://me:<password>@index.example/simple"), 3),
    Case("variable-form", 'a = {git = "https://me:****@git.example/a"}', 12),
    Case("url-invalid", ours("https:/index.example/simple"), 3),
    Case("url-invalid", ours("index.example/simple"), 3),
    Case("url-invalid", ours("https://[::1/simple"), 3),
    Case("url-invalid", ours("https://index.example:port/simple"), 3),
    Case("url-http", ours("http://index.example/simple"), 3),
    Case(None, ours("http://localhost:3141/simple")),
    Case(None, ours("HTTPS://index.example/simple")),
    Case("url-token", ours(at(f"aws:{TOKEN}@")), 3),
    Case("url-token", ours(at("aws:hunter2@")), 3),
    Case("url-secret", pipfile("", PUBLIC, ("b", "https://me:hunter2@b.example/simple")), 8),
    Case("url-secret", ours(f"https://{GITHUB_TOKEN}@index.example/simple"), 3),
    Case("url-secret", ours("https://index.example/simple?token=hunter2"), 3),
    Case(None, ours("https://me:${PASSWORD}@index.example/simple?token=${T}")),
    Case(None, ours("https://me@index.example/simple?page=2")),
    Case(None, ours("https://index.example/pypi-all-of-the-proxies/npm_internal_packages/simple")),
    Case("url-secret", ours("https://__token__:pypi-AgEIcHlwaS5vcmcCJDU3YTc4@index.example/s"), 3),
    Case("url-username", ours(at("me:${CODEARTIFACT_AUTH_TOKEN}@")), 3),
    Case("url-username", ours(at(":$CODEARTIFACT_AUTH_TOKEN@")), 3),
    Case(None, ours(at("aws:$CODEARTIFACT_AUTH_TOKEN@"))),
    Case(None, ours(at("aws@"))),
    Case(None, ours(at(""))),
    Case("url-without-simple", ours(at(path="/pypi/team/")), 3),
    Case("url-without-simple", ours(at(path="/pypi/team/simple/acme/")), 3),
    Case(None, ours(at(path="/pypi/team/simple"))),
    Case("tls-unverified", table(*OURS, "false"), 4),
    Case("tls-unverified", table(*PUBLIC, "false"), 4),
    Case(None, table("proxy", "http://localhost:3141/simple", "false")),
    Case("token-elsewhere", pipfile("", OURS, ("b", f"https://{USERINFO}b.example/simple")), 8),
    Case("token-elsewhere", ours(at("aws:${CODEARTIFACT_AUTH_TOKEN}-x@")), 3),
    Case(None, pipfile("", OURS, ("b", "https://aws:${OTHER_TOKEN}@b.example/simple"))),
    Case("token-elsewhere", 'a = {git = "https://${CODEARTIFACT_AUTH_TOKEN}@git.example/a"}', 12),
    Case(None, 'a = {git = "https://${GIT_TOKEN}@git.example/a"}'),
    Case("variable-shared", pipfile("", OURS, ("far", at(host=OTHER_HOST))), 8),
    Case(None, pipfile("", OURS, ("far", at("aws:${FAR_TOKEN}@", OTHER_HOST)))),
    Case("variable-name", pipfile("", OURS, ("far", at("aws:${FAR}@", OTHER_HOST))), 8),
    Case("variable-name", ours(at("aws:${CFLAGS}@")), 3),
    *(
        Case("variable-form", ours(at(f"aws:{form}@")), 3)
        for form in (
            "${CODEARTIFACT_AUTH_TOKEN:-none}",
            "${CODEARTIFACT_AUTH_TOKEN-}",
            "${ CODEARTIFACT_AUTH_TOKEN }",
            "$(CODEARTIFACT_AUTH_TOKEN)",
            "%CODEARTIFACT_AUTH_TOKEN%",
            "{{CODEARTIFACT_AUTH_TOKEN}}",
            "${{ secrets.CODEARTIFACT_AUTH_TOKEN }}",
            "{CODEARTIFACT_AUTH_TOKEN}",
            "$env:CODEARTIFACT_AUTH_TOKEN",
            "$codeartifact_auth_token",
            "${CodeArtifact_Auth_Token}",
            *("${CODEARTIFACT_AUTH_TOKEN", "$CODEARTIFACT_AUTH_TOKEN}", "CODEARTIFACT_AUTH_TOKEN"),
            *("#{token}", "{{ token }}", "%TOKEN%", "$[TOKEN]", "os.environ['CA_TOKEN']"),
            "$(aws codeartifact get-authorization-token --domain d --output text)",
            *("$(cat /run/token)", "`cat token`", "<token>", "<your token>", "[TOKEN]"),
            *("TOKEN", "YOUR_TOKEN_HERE", "your-auth-token", "password", "changeme", "__TOKEN__"),
            *("xxxx", "****", "...", "", "x", " ", "tkn", "paste-token-here", "${{ github.token }}"),
            *("op://vault/item", "ENC[abc]", "$ {CODEARTIFACT_AUTH_TOKEN}", "!Ref Token"),
        )
    ),
    Case("variable-form", ours("https://me:%THE_PASSWORD%@index.example/simple"), 3),
    Case(None, ours("https://me:${THE_PASSWORD}@index.example/a%41BC%20d")),
    Case(None, ours(at("aws:${CODEARTIFACT_AUTH_TOKEN_FAR}@"))),
    # --- packages
    Case("index-missing", 'acme-a = "*"', 12, private="acme-*"),
    Case("index-missing", 'Acme_A = "*"', 12, private="acme.a"),
    Case("index-missing", 'acme-a = {version = "*"}', 12, private="acme-*"),
    Case("index-missing", '[packages.acme-a]\nversion = "*"', 12, private="acme-*"),
    Case("index-missing", 'b = "*"\n[dev-packages]\nacme-a = "*"', 14, private="acme-*"),
    Case("index-missing", 'b = "*"\n[docs]\n"acme-a" = "*"', 14, private="acme-*"),
    Case("index-missing", f'{WITH}\n[dev-packages]\nacme-a = "*"', 14),
    Case("index-missing", 'acme-a = "*"', 12, {"acme-a": entry("ca")}),
    Case(None, 'acme-a = "*"', 0, {"acme-a": entry("public")}),
    Case(None, 'acme = "*"', private="acme-*"),
    Case(None, 'acme-a = {git = "https://git.example/a.git"}', private="acme-*"),
    Case(None, 'acme-a = {path = "."}', private="acme-*"),
    Case(None, WITH, private="acme-*"),
    Case(None, pipfile('acme-a = "*"', OURS, PUBLIC), private="acme-*"),
    Case(None, pipfile('acme-a = "*"', ("x", "${THE_INDEX}"), OURS), private="acme-*"),
    Case("source-missing", pipfile('acme-a = "*"', PUBLIC), 7, private="acme-*"),
    Case("index-public", 'acme-a = {version = "*", index = "public"}', 12, private="acme-*"),
    Case(None, 'acme-a = {version = "*", index = "public"}'),
    Case("near-miss", ours(at(host=HOST + ":8443")), 3, private="acme-*"),
    Case("index-unknown", 'a = {version = "*", index = "cq"}', 12),
    Case("index-unknown", '[packages.a]\nversion = "*"\nindex = "cq"', 14),
    Case(None, 'a = {version = "*", index = "ca"}'),
    Case("url-secret", f'a = {{git = "https://me:{GITHUB_TOKEN}@github.com/a/a.git"}}', 12),
    Case("url-secret", 'a = {file = "https://files.example/a.whl?sig=hunter2"}', 12),
    Case(None, 'a = {git = "ssh://git@github.com/a/a.git"}'),
    Case(None, 'a = {git = "https://${GIT_TOKEN}:x-oauth-basic@github.com/a/a.git"}'),
    *(
        Case("version-invalid", f"a = {value}", 12)
        for value in (
            *('"latest"', '"^1.2"', '"~1.2"', '"1.x"', '">=1.0 <2"', '"==1.0.*.1"', '" * "', '""'),
            *('"==latest"', '"==1.0 # new"', '"==\uff11.0"', '"\u22651.0"'),
            *('">= 1.0,"', '"~=1"', '"*, <2"', '">=1.*"', '"=>1.0"', '"\u20131.0"', '"any"', '"main"'),
            *('"git+https://git.example/a"', """ "==1.0; os_name=='nt'" """, '"==1.0 || ==1.2"'),
            *('{version = "latest"}', '{version = "1.x", extras = ["b"]}', '{version = ""}'),
        )
    ),
    *(
        Case(None, f"a = {value}")
        for value in (
            *('"1.0"', '"==1.0;"', '"v1.0"', '"==1.*"', '"=1.0"', '"===1.0"', '"1.0,<2"', '"~=1.0rc1"'),
            *('">=1.0 , <2"', '"!=1.*"', '"==1!1.0"', '"==1.0+a.b"', '"==*"', "{}", '{extras = ["b"]}'),
        )
    ),
    *(
        Case("marker-invalid", f'a = {{version = "*", {value}}}', 12)
        for value in (
            *('sys_platform = "win32"', 'sys_platform = "== win32"', 'python_version = "3.8"'),
            *('python_version = ">=3.8"', 'os_name = "posix"', 'markers = "linux"'),
            *("""markers = "os_name is 'nt'" """, """markers = "OS_name == 'nt'" """),
            """markers = "os_name=='nt',extra=='x'" """,
            *('markers = "python_version >= 3.8"', """markers = "sys_platform = 'linux'" """),
            *("""markers = "; os_name == 'nt'" """, """markers = "os_name == 'nt' && extra == 'x'" """),
        )
    ),
    *(
        Case(None, f'a = {{version = "*", markers = "{value}"}}')
        for value in (
            *("", "os_name == 'nt'", "(os_name=='nt'or os_name == 'posix') and extra == 'b'"),
            *("python_version not in '3.0, 3.1'", "'linux' in sys_platform", "os.name == 'nt'"),
        )
    ),
    Case(None, """a = {version = "*", sys_platform = "== 'win32'"}"""),
    *(
        Case("name-invalid", f'{name} = "*"', 12)
        for name in ('"acme billing"', '"-a"', '"a/b"', '"é"', '"https://a.example/b"', '"b-"')
    ),
    *(Case(None, f'{name} = "*"') for name in ('"a[b]"', "A_b", '"a.b-c"', "1")),
    Case("package-duplicate", 'Acme_b = "*"\nacme-b = "==1"', 13),
    Case("package-duplicate", 'a = "==1"\n[dev-packages]\nA = "==2"', 14),
    Case(
        "package-duplicate",
        'a = {version = "*", index = "ca"}\n[docs]\na = {version = "*", index = "public"}',
        14,
    ),
    Case(None, 'a = ">=1"\n[dev-packages]\na = "==2"'),
    Case(None, '[packages]\nb = "*"\n[docs]\na = "==1"\n[tests]\na = "==2"'),
    *(
        Case("path-missing", f"a = {value}", 12)
        for value in ('{path = "../no/lib"}', '{path = "lib", editable = true}', '{file = "a.whl"}')
    ),
    Case(None, 'a = {path = ".", editable = true}'),
    Case(None, 'a = {file = "https://files.example/a.whl"}'),
    *(
        Case("package-url", f'a = {{{key} = "{at("", path=path)}"}}', 12)
        for key, path in (
            ("file", "/pypi/team/simple/a/1.0/a-1.0-py3-none-any.whl"),
            ("file", "/pypi/other/simple/a/1.0/a-1.0.tar.gz"),
            ("path", "/pypi/team/simple/a/1.0/a-1.0.zip"),
        )
    ),
    *(
        Case("key-ignored", f"a = {value}", 12)
        for value in (
            *('{version = "*", ref = "main"}', '{version = "*", editable = true}'),
            *('{git = "https://git.example/a", index = "ca"}', '{path = ".", version = "==1"}'),
        )
    ),
    # --- the lock
    Case("lock-outdated", WITH, 3, meta={"hash": {"sha256": "0" * 64}}, lock_has_it=True),
    Case(None, WITH, 0, {"acme-a": entry("ca")}, meta={}),
    Case("lock-sources", pipfile(""), 8, meta={"sources": [{"name": "public", "url": PUBLIC[1]}]}, lock_has_it=True),
    Case(
        "lock-sources",
        pipfile(""),
        8,
        meta={
            "sources": [
                {"name": name, "url": url, "verify_ssl": name == "ca"} for name, url in (PUBLIC, OURS)
            ]
        },
        lock_has_it=True,
    ),
    Case("lock-index", WITH, 0, {"acme-a": entry("public")}, lock_has_it=True),
    Case("lock-index", 'a = "*"', 0, {"a": entry("gone")}, lock_has_it=True),
    Case(None, WITH, 0, {"acme-a": entry("ca")}),
    Case("hashes-missing", 'a = "*"', 0, {"a": {"version": "==1"}}, lock_has_it=True),
    Case(None, 'a = {path = "."}', 0, {"a": {"path": "."}}),
    Case("dependency-unlisted", WITH, 0, {"acme-a": entry("ca"), "acme-b": entry("ca")}, lock_has_it=True),
    Case(
        "dependency-unlisted",
        WITH,
        0,
        {"acme-b": entry(), "acme-a": entry("ca")},
        "acme-*",
        lock_has_it=True,
    ),
    *(
        Case("hashes-invalid", 'a = "*"', 0, {"a": entry(hashes=hashes)}, lock_has_it=True)
        for hashes in (["md5:" + "0" * 32], ["0" * 64], ["sha256:00"], HASH, [HASH, 3])
    ),
    Case(None, 'a = "*"', 0, {"a": entry(hashes=["sha512:" + "aB" * 64, HASH])}),
    *(
        Case("lock-invalid", 'a = "*"', 0, {"a": entry(**more)}, lock_has_it=True)
        for more in (
            *({"version": "1.0"}, {"version": ">=1.0"}, {"version": "==1.*"}, {"version": 3}),
            *({"markers": "sys_platform = 'x'"}, {"markers": "linux"}, {"markers": ["x"]}),
        )
    ),
    Case("lock-invalid", 'a = "*"', 0, {"a": {"index": "public"}}, lock_has_it=True),
    *(
        Case("lock-invalid", pipfile(""), 2, {}, lock_has_it=True, meta=meta)
        for meta in META_WITH_HOLES
    ),
    Case("lock-edited", pipfile(""), 2, {}, lock_has_it=True, meta={"pipfile-spec": 5}),
    Case("lock-incomplete", 'a = "*"\nb = "*"', 0, {"b": entry()}, lock_has_it=True),
    Case("lock-incomplete", '[dev-packages]\nA_b = "*"', 0, {"a-b": entry()}, lock_has_it=True),
    Case("lock-incomplete", 'a = "==1.1"', 0, {"a": entry()}, lock_has_it=True),
    Case("lock-incomplete", 'a = {version = "1.0.1"}', 0, {"a": entry()}, lock_has_it=True),
    *(
        Case(None, f"A_b = {value}", 0, {"a-b": entry()})
        for value in ('"*"', '"==1.0.0"', '">=0.1"', '{version = "v1"}', '{extras = ["c"]}', '"1"')
    ),
    Case(None, '"a[b]" = "*"', 0, {"a": entry(extras=["b"])}),
    Case(None, """a = {version = "*", markers = "os_name == 'nt'"}""", 0, {}),
    Case("lock-markers", """a = {os_name = "== 'nt'"}""", 0, {"a": entry()}, lock_has_it=True),
    Case(None, """a = {os_name = "== 'nt'"}""", 0, {"a": entry(markers="os_name == 'nt'")}),
    *(
        Case("hashes-missing", f'a = {{version = "*", {marker}}}', 0, {"a": value}, lock_has_it=True)
        for marker, value in (
            ("""sys_platform = "== 'win32'" """, {"version": "*"}),
            ("""os_name = "== 'nt'" """, {"version": "*", "markers": "os_name == 'nt'"}),
            ("""markers = "os_name == 'nt'" """, {"version": "*", "markers": "os_name == 'nt'"}),
        )
    ),
    *(
        Case("lock-loopback", 'a = "*"', 0, {"a": value}, meta=meta, lock_has_it=True)
        for value, meta in (
            ({"file": "http://127.0.0.1:4321/a.whl"}, {}),
            ({"file": "http://localhost:4321/a/a.whl"}, {}),
            (
                entry("ca"),
                {"sources": [{"name": "ca", "url": "http://127.0.0.1:43/simple/", "verify_ssl": True}]},
            ),
        )
    ),
    Case(
        None,
        pipfile('a = "*"', ("own", "http://localhost:3141/simple")),
        0,
        {"a": entry("own")},
    ),
    Case(None, WITH, 0, {"acme-a": entry("ca"), "six": entry()}),
    Case(None, pipfile('acme-a = "*"', OURS), 0, {"acme-a": entry("ca"), "acme-b": entry("ca")}),
    Case(
        "url-secret",
        'a = {git = "https://git.example/a"}',
        0,
        {"a": {"git": f"https://{GITHUB_TOKEN}@git.example/a", "ref": "0"}},
        lock_has_it=True,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code or 'none'}")
def test_each_case_has_only_its_expected_finding(case: Case, tmp_path: Path) -> None:
    """The finding is in the right file, and on the right line if the case names one."""
    path = case.write(tmp_path)
    found = reviewed(path, private_packages=case.private).findings
    assert [remark.code for remark in found] == ([case.code] if case.code else []), found
    for remark in found:
        assert Path(remark.path).name == ("Pipfile.lock" if case.lock_has_it else "Pipfile")
        if case.line:
            assert remark.line == case.line, remark
        assert remark.sentence.endswith(".")
        assert remark.hint.endswith(".")


WHOLE = f"https://{USERINFO}{HOST}/pypi/team/simple/"


@pytest.mark.parametrize(
    ("url", "right"),
    [
        (at().replace("https", "http"), WHOLE),
        (at(host=HOST + ":8443"), WHOLE),
        (at(path="/npm/team/"), WHOLE),
        (at(path="/maven/team"), WHOLE),
        (at(path="/team/simple/"), WHOLE),
        (at(path="/pypi/team/"), WHOLE),
        (at(path="/pypi/team/simple/simple/"), WHOLE),
        (at(host=HOST.replace("d.codeartifact.", "")), WHOLE),
        (at(host=HOST.replace(".d.codeartifact", ".codeartifact")), WHOLE),
        (at(host=HOST.replace("my-dom", "My_Dom")), WHOLE),
        (f"  {at()} ", WHOLE),
        (at("").replace("https://", "https:/"), WHOLE),
        (at("aws:<token>@"), WHOLE),
        (at("aws:$(aws codeartifact get-authorization-token)@"), WHOLE),
        (at("", "eu-west-1.console.aws.amazon.com", IN_CONSOLE), WHOLE),
        (at(host=HOST.replace("123456789012", "1234-5678-9012")), WHOLE),
        (at(host=HOST.replace("eu-west-1", "eu-west-1a")), WHOLE),
        (at(host=HOST.replace("eu-west-1", "eu_west_1")), WHOLE),
        ("arn:aws:codeartifact:eu-west-1:123456789012:repository/my-dom/team", WHOLE),
        (at("", "codeartifact.eu-west-1.amazonaws.com", "/v1/"), "/pypi/REPOSITORY/simple/"),
        (at(host="<domain>-<account>.d.codeartifact.<region>.amazonaws.com"), "DOMAIN-ACCOUNT"),
        (at(path="/pypi/a/simple/"), WHOLE.replace("team", "REPOSITORY")),
        (at(host=HOST.replace("my-dom", "d")), WHOLE.replace("my-dom", "DOMAIN")),
        (at(path="/simple/"), WHOLE.replace("team", "REPOSITORY")),
        (at(host=HOST.replace(".eu-west-1", "")), WHOLE.replace("eu-west-1", "REGION")),
        (at(host=HOST.replace("9012", "901")), WHOLE.replace("123456789012", "ACCOUNT")),
        (
            at(host="vpce-1-a.d.codeartifact.eu-west-1.vpce.amazonaws.com"),
            "/pypi/d/DOMAIN-ACCOUNT/REPOSITORY/simple/",
        ),
    ],
)
def test_hint_shows_the_corrected_url(url: str, right: str, tmp_path: Path) -> None:
    found = reviewed(write_project(tmp_path, ours(url))).findings
    assert re.search(rf"{re.escape(right)}\S* (?:in its place|instead)", found[0].hint)
    assert len(found) == 1


@pytest.mark.parametrize("secret", ["hunter2", TOKEN, "s3cr3t-and-long", "Tr0ub4dor&3", "tokenize"])
def test_a_secret_is_not_taken_for_a_placeholder(secret: str, tmp_path: Path) -> None:
    assert codes(write_project(tmp_path, ours(at(f"aws:{secret}@")))) == ["url-token"]
    other = ours(f"https://me:{secret}@index.example/simple")
    assert codes(write_project(tmp_path, other)) == ["url-secret"]


ELSEWHERE = {"ignore-unused", "name-public"} | BESIDE


def test_every_code_has_a_case() -> None:
    """The codes in ELSEWHERE have separate tests."""
    assert {case.code for case in CASES if case.code} == LEVELS.keys() - ELSEWHERE


def test_finding_in_a_lock_has_the_line_of_its_key(tmp_path: Path) -> None:
    text = pipfile('a = "*"')
    path = write_project(tmp_path, text, lock(text, {"a": entry("gone"), "b": {"version": "1"}}))
    lines = (tmp_path / "Pipfile.lock").read_text().splitlines()
    lines_of = {remark.code: lines[remark.line - 1] for remark in reviewed(path).findings}
    assert lines_of["lock-index"].strip() == '"index": "gone",'
    assert lines_of["hashes-missing"].strip() == '"b": {'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("{", 1),
        ('{\n"_meta": 3\n"b"}', 3),
        ("[]", 1),
        ('{"_meta": {}}', 1),
        ("\ufeff{}", 1),
    ],
)
def test_broken_lock_is_a_single_lock_invalid_finding(text: str, line: int, tmp_path: Path) -> None:
    """The finding has the line at which the lock becomes invalid."""
    path = write_project(tmp_path, pipfile('a = "*"'), text)
    (found,) = reviewed(path).findings
    assert (found.code, found.line) == ("lock-invalid", line)


@pytest.mark.parametrize("begin", ["", "\n\n", "  "])
def test_merge_conflict_in_a_lock_or_pipfile_is_reported_by_name(
    begin: str, tmp_path: Path
) -> None:
    """In a lock, the finding is at the first conflict marker."""
    text = pipfile('a = "*"')
    half = lock(text, {"a": entry()}).split('"default"')
    marks = "\n<<<<<<< HEAD\n=======\n>>>>>>> theirs\n"
    path = write_project(tmp_path, text, f'{begin}{half[0]}{marks}"default"{half[1]}')
    (finding,) = reviewed(path).findings
    assert finding.code == "lock-invalid"
    assert "merge conflict" in finding.sentence
    written = (tmp_path / "Pipfile.lock").read_text().splitlines()
    assert written[finding.line - 1] == "<<<<<<< HEAD"
    (tmp_path / "Pipfile.lock").unlink()
    path.write_text(f"{text}<<<<<<< HEAD\nb = 1\n=======\n>>>>>>> x\n")
    (finding,) = reviewed(path).findings
    assert finding.code == "pipfile-invalid"
    assert "merge conflict" in finding.sentence


def test_hints_for_a_lock_say_to_lock_again_and_not_to_edit(tmp_path: Path) -> None:
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


def test_hint_pins_a_package_that_this_platform_cannot_lock(tmp_path: Path) -> None:
    text = pipfile("""a = {version = "*", markers = "sys_platform == 'win32'"}""")
    value = {"version": "*", "markers": "sys_platform == 'win32'"}
    (finding,) = reviewed(write_project(tmp_path, text, lock(text, {"a": value}))).findings
    assert """{version = "==1.0", markers = "sys_platform == 'win32'"}""" in finding.hint


@pytest.mark.parametrize("data", [b"a = '\xff'\n", b"\xef\xbb\xbf[packages]\n", b"\x00", b"\n\n="])
def test_pipfile_that_pipenv_cannot_read_is_a_single_finding(data: bytes, tmp_path: Path) -> None:
    assert codes(write_project(tmp_path, data)) == ["pipfile-invalid"]


def test_pylock_next_to_the_pipfile_is_reviewed(tmp_path: Path) -> None:
    path = write_project(tmp_path, pipfile('a = "*"'))
    (tmp_path / "pylock.toml").write_text(
        'lock-version = "1.0"\n\n[[packages]]\nname = "a"\n'
        f'vcs = {{type = "git", url = "https://{GITHUB_TOKEN}@git.example/a"}}\n'
        '[[packages]]\nname = "b"\nwheels = [{url = "https://x.example/b.whl"}]\n'
    )
    found = [(Path(r.path).name, r.line, r.code) for r in reviewed(path).findings]
    assert found == [("pylock.toml", 5, "url-secret"), ("pylock.toml", 6, "hashes-missing")]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('lock-version = "2.0"', "lock-invalid", 1),
        ("packages = []", "lock-invalid", 1),
        ('[[packages]]\nname = "b"\nmarker = "linux"', "lock-invalid", 4),
        ('[[packages]]\nname = "b"\nsdist = {hashes = {md5 = "00"}}', "hashes-invalid", 2),
        ('[[packages]]\nname = "b"\nwheels = [{hashes = {sha1 = "0"}}]', "hashes-invalid", 2),
        ('[[packages]]\nname = "b"\nindex = "http://127.0.0.1:1/s"', "lock-loopback", 4),
        ('[[packages]]\nname = "b"\n<<<<<<< HEAD\n', "lock-invalid", 4),
    ],
)
def test_problem_in_a_pylock_is_reported_at_its_line(
    text: str, code: str, line: int, tmp_path: Path
) -> None:
    path = write_project(tmp_path, pipfile('a = "*"'))
    begin = 'lock-version = "1.0"\n' if text.startswith("[[") else ""
    (tmp_path / "pylock.toml").write_text(begin + text)
    assert [(r.code, r.line) for r in reviewed(path).findings] == [(code, line)]


def test_valid_pylock_has_no_findings(tmp_path: Path) -> None:
    path = write_project(tmp_path, pipfile('a = "*"'))
    (tmp_path / "pylock.toml").write_text(
        'lock-version = "1.0"\n[[packages]]\nname = "b"\nmarker = "\'x\' in extras"\n'
        'wheels = [{url = "https://x.example/b.whl", hashes = {md5 = "0", sha256 = "0"}}]\n'
    )
    assert codes(path) == []


# --- ignoring ----------------------------------------------------------------------------

BAD = 'a = {version = "*", index = "cq"}'


@pytest.mark.parametrize(
    "packages",
    [
        f"{BAD} # pipenv-ca: ignore[index-unknown]",
        f"# pipenv-ca: ignore[index-unknown]\n{BAD}",
        f"# pipenv-ca: ignore[index-unknown]\n# (it is made in CI)\n{BAD}",
        f"{BAD}  #pipenv-ca:ignore[ index-unknown ]",
    ],
)
def test_comment_on_or_above_the_line_ignores_a_finding(packages: str, tmp_path: Path) -> None:
    assert codes(write_project(tmp_path, pipfile(packages))) == []


def test_ignore_comment_may_name_several_codes(tmp_path: Path) -> None:
    """A code that ignores nothing is reported."""
    bad = 'a = {git = "https://me:hunter2@git.example/a"}'
    text = pipfile(f"# pipenv-ca: ignore[url-secret, index-missing]\n{bad}")
    found = reviewed(write_project(tmp_path, text)).findings
    assert [(remark.line, remark.code) for remark in found] == [(12, "ignore-unused")]


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        (f"# pipenv-ca: ignore[index-missing]\n{BAD}", ["ignore-unused", "index-unknown"]),
        (f"# pipenv-ca: ignore[index-unknown]\n\n{BAD}", ["ignore-unused", "index-unknown"]),
        (f'b = "*" # pipenv-ca: ignore[index-unknown]\n{BAD}', ["ignore-unused", "index-unknown"]),
        ('a = "*" # pipenv-ca: ignore[no-such-code]', ["ignore-unused"]),
        ('a = "==1 # pipenv-ca: ignore[index-unknown]"', ["version-invalid"]),
    ],
)
def test_ignore_comment_without_effect_is_reported(
    packages: str, expected: list[str], tmp_path: Path
) -> None:
    """Text inside a string is not a comment."""
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


class Shell(NamedTuple):
    """Run pipenv-ca in a folder."""

    env: dict[str, str]
    folder: Path

    def lint(self, *words: str, **variables: str) -> Result:
        env = self.env | variables
        return run(PIPENV_CA, "lint", *words, env=env, cwd=self.folder)

    def see(self, verb: str = "lint", columns: int = 80, env: dict[str, str] | None = None) -> str:
        """Return the output of a verb on a terminal."""
        env = self.env | {"TERM": "xterm", "NO_COLOR": "1"} | (env or {})
        with Terminal(PIPENV_CA, verb, env=env, cwd=self.folder, columns=columns) as terminal:
            assert terminal.finish() == 1
        return terminal.shown.replace("\r\n", "\n")

    def project(self, name: str, text: str) -> Path:
        (self.folder / name).mkdir()
        return write_project(self.folder / name, text)


def test_text_output_has_a_line_and_a_hint_for_each_finding(shell: Shell) -> None:
    """The status is 1 with an error and 0 without findings."""
    write_project(shell.folder, pipfile(BAD))
    done = shell.lint()
    assert done.status == 1
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "Pipfile:12: error: a names the index cq, which is not a source of the Pipfile. [index-unknown]",
        "    hint: Name one of the Pipfile's sources (ca, public), or add it as a [[source]].",
        "Found 1 error.",
    ]
    write_project(shell.folder, pipfile('a = "*"'))
    assert shell.lint() == Result(0, "All is well.\n", "")


def test_json_output_has_file_line_column_and_code_of_a_finding(shell: Shell) -> None:
    write_project(shell.folder, pipfile(BAD))
    done = shell.lint("--json")
    (found,) = json.loads(done.stdout)["findings"]
    assert (found["file"], found["line"], found["code"]) == ("Pipfile", 12, "index-unknown")
    assert (found["column"], found["fixable"]) == (21, False)
    assert found["level"] == "error"
    assert json.loads(done.stdout)["ok"] is False
    assert done.status == 1


@pytest.mark.wide
def test_last_line_counts_the_findings_that_fix_repairs(shell: Shell) -> None:
    """Afterwards only the findings that were not marked fixable remain."""
    private = {"PIPENV_CA_PRIVATE_PACKAGES": "acme-*"}
    two = ("ca", OURS[1]), ("two", OURS[1].replace("team", "other"))
    for text, summary in (
        (pipfile(f'acme-a = "*"\n{BAD}'), "Found 2 errors. `pipenv-ca fix` can fix 1 of 2."),
        (pipfile('acme-a = "*"', PUBLIC, *two), "Found 1 error."),
        (
            ours(at(f"me:{TOKEN}@", path="/pypi/team")),
            "Found 3 errors. `pipenv-ca fix` can fix 3 of 3.",
        ),
        (ours(at(host=HOST.replace("9012", "901"))), "Found 1 error."),
        (table(*PUBLIC) + "[packages]\na = 1\n", "Found 1 error."),
    ):
        write_project(shell.folder, text)
        last = shell.lint(**private).stdout.splitlines()[-1]
        assert last == (f"{summary} by `pipenv-ca fix`." if "repaired" in summary else summary)
        found = json.loads(shell.lint("--json", **private).stdout)["findings"]
        before = [one["code"] for one in found if not one["fixable"]]
        run(PIPENV_CA, "fix", env=shell.env | private, cwd=shell.folder)
        found = json.loads(shell.lint("--json", **private).stdout)["findings"]
        assert [one["code"] for one in found] == before


@pytest.mark.parametrize(
    ("packages", "row", "marks"),
    [
        (BAD, BAD, f"{' ' * 20}^^^^^"),
        ("a = { index = 'cq' }  # why", "a = { index = 'cq' }  # why", f"{' ' * 6}^^^^^"),
        ('[packages.a]\n\tindex = "cq"', '    index = "cq"', "    ^^^^^"),
        ('"日本" = {index = "cq"}', '"日本" = {index = "cq"}', f"{' ' * 10}^^^^^"),
        ('a.index = "cq"\r', 'a.index = "cq"', "^^^^^^^"),
        ('a = ["*"]', 'a = ["*"]', "^"),
        ("a = ", "a =", "^^^"),
    ],
)
def test_terminal_shows_the_line_and_underlines_the_problem(
    packages: str, row: str, marks: str, shell: Shell
) -> None:
    write_project(shell.folder, pipfile(packages))
    lines = shell.see().splitlines()
    number = 13 if "\n" in packages else 12
    assert lines[0].startswith(f"Pipfile:{number}: error: ")
    assert lines[1:3] == [f"    {number} | {row}", f"       | {marks}"]
    assert lines[-2].startswith("    hint: ")


@pytest.mark.wide
@pytest.mark.parametrize("columns", [120, 80, 50, 30])
def test_terminal_cuts_a_long_line_around_the_underlined_part(columns: int, shell: Shell) -> None:
    long = ", ".join(f'"extra{number}"' for number in range(100))
    entries = {name: {"version": "==1"} for name in ("a", "b", "日本", "c")}
    write_project(shell.folder, pipfile(f'a = {{extras = [{long}], index = "cq"}}'))
    text = pipfile("")
    one_line = json.dumps(json.loads(lock(text, entries)), ensure_ascii=False)
    for name, content in (("Pipfile.lock", one_line), ("Pipfile", None)):
        if content:
            (shell.folder / name).write_text(content, encoding="utf-8")
    lines = shell.see(columns=columns).splitlines()
    wide = str.maketrans({"日": "##", "本": "##"})
    for above, below in pairwise(lines):
        if re.match(r" +\| +\^", below):
            start, end = below.index("^"), below.rindex("^") + 1
            assert len(above.translate(wide)) <= columns
            assert above.translate(wide)[start:end] in {
                "index",
                '"hash"',
                '"a"',
                '"b"',
                '"####"',
                '"c"',
            }
    assert sum("^" in line for line in lines) == 6


SECRET_LINES = [
    f'a = {{git = "https://{GITHUB_TOKEN}@git.example/a", index = "cq"}}',
    'a = {git = "https:\\u002f\\u002fme:hunter2@git.example/a", index = "cq"}',
    'a = {git = "https://me:hunter2\\u0040git.example/a", index = "cq"}',
    "a = {git = 'https://me:hunt/hunter2@git.example/a', verison = '1'}",
    'a = {index = "cq", git = """https://me:hunter2\\\n   @git.example/a"""}',
    f'a = {{index = "cq"}}  # {GITHUB_TOKEN} and hunter2'.replace("hunter2", "https://x:hunter2@h"),
]


@pytest.mark.parametrize("packages", SECRET_LINES)
@pytest.mark.parametrize("verb", ["lint", "fix"])
def test_secret_in_the_shown_line_is_masked_however_it_is_spelled(
    verb: str, packages: str, shell: Shell
) -> None:
    write_project(shell.folder, pipfile(packages))
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
    write_project(shell.folder, pipfile(BAD))
    shown = shell.see(env=variables)
    assert ("\x1b[31merror:\x1b[0m" in shown) == wanted
    assert ("\x1b" in shown) == wanted
    piped = shell.lint(**({"NO_COLOR": "1"} | variables))
    assert ("\x1b" in piped.stdout) == (wanted and "FORCE_COLOR" in variables)
    assert " | " not in piped.stdout


def test_github_actions_gets_annotations_unless_another_format_is_chosen(shell: Shell) -> None:
    """Annotations are escaped, and their paths are relative to GITHUB_WORKSPACE."""
    write_project(shell.folder, pipfile('a = {version = "*", index = "50%,\\nof:all"}'))
    done = shell.lint(GITHUB_ACTIONS="true")
    (line, summary) = done.stdout.splitlines()
    begin = (
        "::error file=Pipfile,line=12,title=pipenv-ca%3A index-unknown::a names the index 50%25,"
    )
    assert line.startswith(begin)
    assert summary == "Found 1 error."
    (shell.folder / "sub").mkdir()
    write_project(shell.folder / "sub", pipfile(BAD))
    inside = shell._replace(folder=shell.folder / "sub")
    done = inside.lint("--github", GITHUB_WORKSPACE=str(shell.folder))
    assert done.stdout.startswith("::error file=sub/Pipfile,line=12,")
    assert shell.lint("--format", "text", GITHUB_ACTIONS="true").stdout.startswith("Pipfile:12:")
    assert shell.lint("--github", "--severity", "warning").stdout.startswith("::error ")


def test_no_name_in_a_project_becomes_a_ci_command(shell: Shell) -> None:
    """GitHub's and Azure's runners would act on such text in a log."""
    hostile = "##[set-output name=a;]b ##vso[task.prependpath]/c ###[add-mask]d"
    lines = '"""\n::set-output name=a::b\n  ::stop-commands::c\n"""'
    text = f'[scripts]\nx = {lines}\n[packages]\na = {{version = "*", index = "{hostile}"}}\n'
    write_project(shell.folder, f'[[source]]\nname = "public"\nurl = "{at("")[:-7]}"\n{text}')
    for words in (("lint", "--format", "text"), ("lint", "--json"), ("lint", "--github")):
        done = run(PIPENV_CA, *words, env=shell.env, cwd=shell.folder)
        assert "task.prependpath" in done.stdout
        assert re.findall(r"##\w*\[", done.output) == []
    shown = run(PIPENV_CA, "fix", "--diff", env=shell.env, cwd=shell.folder).stdout
    assert "set-output name=a::b" in shown
    assert re.findall(r"^\s*::", shown, re.MULTILINE) == []
    assert re.findall(r"##\w*\[", shown) == []


def test_warnings_fail_lint_only_with_severity_warning(shell: Shell) -> None:
    write_project(shell.folder, pipfile("", ("a", "http://a.example/simple")))
    done = shell.lint()
    assert "Pipfile:3: warning: " in done.stdout
    assert done.status == 0
    assert shell.lint("--severity", "warning").status == 1


def test_each_named_project_is_reviewed_once_with_its_own_settings(shell: Shell) -> None:
    """Folders, Pipfiles and locks can be named."""
    one = shell.project("one", pipfile(BAD))
    two = shell.project("two", pipfile('acme-a = "*"'))
    (two.parent / "pyproject.toml").write_text(
        '[tool.codeartifact-pipenv]\nprivate-packages = ["acme-*"]\n'
    )
    three = shell.project("three", pipfile('acme-a = "*"'))
    (three.parent / "Pipfile.lock").write_text("[")
    words = ["one", "one/Pipfile", "two", "three/Pipfile.lock"]
    done = shell.lint(*words)
    found = re.findall(r"^(\S+):[0-9]+: error: .* \[(.*)\]$", done.stdout, re.MULTILINE)
    assert found == [
        ("one/Pipfile", "index-unknown"),
        ("two/Pipfile", "index-missing"),
        ("three/Pipfile.lock", "lock-invalid"),
    ]
    assert done.stdout.splitlines()[-1] == (
        "Found 3 errors in 3 projects. `pipenv-ca fix` can fix 1 of 3."
    )
    assert len(projects_at([str(one), str(one.parent)], {})) == 1


def test_lock_without_a_pipfile_is_reviewed(shell: Shell) -> None:
    text = pipfile("")
    (shell.folder / "Pipfile.lock").write_text(lock(text, {"a": {"version": "==1"}}))
    assert "[hashes-missing]" in shell.lint("Pipfile.lock").stdout
    (shell.folder / "pylock.toml").write_text("[[packages]]\nname = 'b'\nsdist = {}\n")
    (shell.folder / "Pipfile.lock").unlink()
    assert "pylock.toml:1: warning: b is" in shell.lint("pylock.toml").stdout


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ((), "No Pipfile was found here"),
        (("gone",), "gone does not exist"),
        ((".",), "No Pipfile was found in ."),
    ],
)
def test_lint_without_a_project_fails_with_status_2(
    words: tuple[str, ...], part: str, shell: Shell
) -> None:
    assert_error(shell.lint(*words, PIPENV_MAX_DEPTH="1"), 2, part)


def test_unknown_code_in_the_settings_is_an_error(shell: Shell) -> None:
    write_project(shell.folder, pipfile(""))
    assert_error(shell.lint(PIPENV_CA_LINT_IGNORE="index-mising"), 2, "index-mising")


def test_no_output_format_shows_a_secret(shell: Shell) -> None:
    urls = at(f"aws:{TOKEN}@"), f"https://me:hunter2@{PUBLIC[1][8:]}"
    text = pipfile(
        f'a = {{git = "https://{GITHUB_TOKEN}@git.example/a"}}', *zip("ab", urls, strict=True)
    )
    write_project(shell.folder, text)
    for form in ("text", "json", "github"):
        done = shell.lint("--format", form)
        assert done.status == 1
        for secret in (TOKEN, "hunter2", GITHUB_TOKEN):
            assert secret not in done.output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "see https://a.example/?token=hunter2&page=2.",
            "see https://a.example/?token=****&page=2.",
        ),
        ("https://a.example/?token=${T}", "https://a.example/?token=${T}"),
        (f"x {GITHUB_TOKEN} y", "x **** y"),
        ("https://abcdefghij0123456789@a.example/x", "https://****@a.example/x"),
        ("https://me:hunter2@a.example/x", "https://me:****@a.example/x"),
    ],
)
def test_mask_hides_secrets_and_keeps_variables(text: str, shown: str) -> None:
    assert mask(text) == shown


def test_lint_needs_neither_pipenv_nor_aws_credentials(shell: Shell) -> None:
    write_project(shell.folder, pipfile('a = "*"'))
    for pipenv in ("/nowhere/pipenv", "no-such-pipenv"):
        done = shell.lint(PIPENV_CA_PIPENV=pipenv, AWS_PROFILE="none")
        assert done == Result(0, "All is well.\n", "")


def test_pipfile_that_is_a_folder_is_an_error(shell: Shell) -> None:
    """Other projects are still reviewed."""
    (shell.folder / "other").mkdir()
    (shell.folder / "other" / "Pipfile").mkdir()
    assert_error(shell.lint("other"), 2, "cannot be read")
    shell.project("good", pipfile(BAD))
    done = shell.lint("other", "good")
    assert done.status == 2
    assert "other/Pipfile cannot be read" in done.stderr
    assert "good/Pipfile:12: error:" in done.stdout


# --- online ------------------------------------------------------------------------------


@pytest.fixture
def asked(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Shell:
    write_pipfile(
        project,
        PYPI_SOURCE,
        source(sandbox.endpoint),
        '[packages]\norb-common = "*"\niniconfig = "*"\nno-such-orb = "*"\n',
    )
    return Shell(sandbox_env, project)


@pytest.mark.wide
@pytest.mark.parametrize("denied", [None, "codeartifact:ListPackages"])
def test_online_lint_finds_private_packages_without_an_index(
    asked: Shell, sandbox: Sandbox, denied: str | None
) -> None:
    """It works even if AWS denies listing packages."""
    assert asked.lint().status == 0
    if denied is not None:
        sandbox.deny(denied)
    try:
        done = asked.lint("--online")
    finally:
        if denied is not None:
            sandbox.allow(denied)
    assert re.findall(r"error: (\S+) .* \[index-missing\]", done.stdout) == ["orb-common"]
    assert "Pipfile:14: error: Package no-such-orb was not found" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "Found 2 errors. `pipenv-ca fix --online` can fix 1 of 2."
    )
    assert done.status == 1


@pytest.mark.wide
def test_online_lint_warns_about_a_private_package_with_a_public_name(
    asked: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    own = sandbox.add_repository("namesakes")
    sandbox.publish(make_wheel(tmp_path / "wheels", "iniconfig", "0.0.1"), own)
    packages = '[packages]\niniconfig = {version = "*", index = "codeartifact"}\n'
    write_pipfile(asked.folder, PYPI_SOURCE, source(own), packages)
    assert "Pipfile:12: warning: iniconfig is private" in asked.lint("--online").stdout
    # A package that only the lock has is reported too.
    text = write_pipfile(asked.folder, PYPI_SOURCE, source(own), "[packages]\n").read_text()
    (asked.folder / "Pipfile.lock").write_text(lock(text, {"iniconfig": entry("codeartifact")}))
    found = re.findall(r"^(\S+):[0-9]+: .* \[(.*)\]$", asked.lint("--online").stdout, re.MULTILINE)
    assert ("Pipfile.lock", "name-public") in found


@pytest.mark.wide
def test_online_lint_fails_when_the_repositories_do_not_answer(asked: Shell) -> None:
    keyless = without_credentials(asked.env) | {"AWS_EC2_METADATA_DISABLED": "true"}
    alone = asked._replace(env=keyless)
    done = alone.lint("--online", CODEARTIFACT_AUTH_TOKEN="eyJ9.a.b.c.d")
    assert done.status == 1
    assert done.stdout == ""
    assert "did not say whether it has" in done.stderr
    done = alone.lint("--online")
    assert_error(done, 1, "[no-credentials]")


# --- the guide ---------------------------------------------------------------------------


def test_every_code_is_in_the_guide() -> None:
    """The guide has one section for each code, with its level."""
    guide = (ROOT / "examples/guides/lint.md").read_text(encoding="utf-8")
    documented = re.findall(r"^### `([a-z-]+)` \((error|warning)\)$", guide, re.MULTILINE)
    words = {"failure": "error", "warning": "warning"}
    assert dict(documented) == {code: words[level] for code, level in LEVELS.items()}
    assert len(documented) == len(LEVELS)


# The findings of the corpus locks that are bad on purpose.
LOCKS = {
    "lock_broken": {"lock-invalid"},
    "lock_of_wrong_index": {"lock-index"},
    "lock_outdated": {"lock-outdated"},
    "lock_with_token": {"lock-sources"},
}


def test_lint_handles_every_pipfile_of_the_corpus(tmp_path: Path) -> None:
    """Only files that are bad on purpose have parse or lock findings, and every line exists."""
    for name in PIPFILES:
        path = copy_of(name, tmp_path / name)
        found = reviewed(path, private_packages="acme-*").findings
        unread = {"pipfile-invalid", "source-incomplete"} & {remark.code for remark in found}
        assert bool(unread) == (name in BROKEN | REFUSED), name
        lines = {p.name: p.read_bytes().count(b"\n") + 1 for p in path.parent.iterdir()}
        for remark in found:
            assert 1 <= remark.line <= lines[Path(remark.path).name]
        of_lock = {code for finding in found if (code := finding.code or "").startswith("lock-")}
        assert of_lock == LOCKS.get(name, set()), name


_READ_BY_PIPENV = """
import json, sys
from pipenv.utils.dependencies import install_req_from_pipfile, translate_markers

errors = []
for name, value in json.load(sys.stdin):
    try:
        if isinstance(value, dict):
            translate_markers(value)
        install_req_from_pipfile(name, value)
    except BaseException as error:
        errors.append(type(error).__name__)
    else:
        errors.append("")
print(json.dumps(errors))
"""
# Older pipenvs, or `pipenv lock` itself, do not read these.
_READ_BY_THE_NEWEST = {">= 1.0,", "(>=1.0)", " * ", " >=1.0", "==1.0; os_name=='nt'", "=>1.0"}
_READ_BY_THE_NEWEST |= {"==1.0 # new", "git+https://git.example/a"}


@pytest.mark.wide
def test_pipenv_reads_what_lint_lets_pass(clean_env: dict[str, str], tmp_path: Path) -> None:
    """Pipenv also rejects the entries that lint reports, apart from the exceptions below."""
    entries: list[tuple[str, object, bool]] = []
    for case in CASES:
        if case.code in {None, "version-invalid", "marker-invalid", "name-invalid"}:
            path = case.write(tmp_path)
            document = reviewed(path).contents.pipfile
            entries += [
                (entry_.written, entry_.value, case.code is None)
                for entry_ in entries_of(document.document if document else None)
                if entry_.is_indexed and not isinstance(entry_.value, (int, float))
            ]
            (tmp_path / "Pipfile.lock").unlink(missing_ok=True)
    assert len(entries) > 80
    done = subprocess.run(
        [sys.executable, "-c", _READ_BY_PIPENV],
        input=json.dumps([(name, value) for name, value, _ in entries]),
        env=clean_env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for (name, value, is_right), error in zip(entries, json.loads(done.stdout), strict=True):
        version = value.get("version") if isinstance(value, dict) else value
        if is_right:
            assert not error, (name, value, error)
        elif version not in _READ_BY_THE_NEWEST | {""} and "os_name" not in str(value):
            # Pipenv drops os_name together with the package, and would fetch a URL used as a name.
            assert error or "://" in name, (name, value)
