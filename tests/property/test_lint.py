"""Lint accepts any text and any bytes, and finds the line of each key."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plette
import tomlkit
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from plette.models.packages import KNOWN_PACKAGE_KEYS
from support.lint import GITHUB_TOKEN, HOST, OURS, PUBLIC, reviewed, table

from codeartifact_pipenv.checks.files.pep508 import (
    corrected_marker,
    corrected_version,
    is_marker,
    is_name,
    is_version,
)
from codeartifact_pipenv.checks.files.pipfile_shape import PACKAGE_KEYS
from codeartifact_pipenv.checks.files.secrets import mask
from codeartifact_pipenv.checks.files.url_repair import repair_url
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.files.io import load_toml_bytes
from codeartifact_pipenv.project.json_positions import json_positions
from codeartifact_pipenv.project.toml_text import toml_positions
from codeartifact_pipenv.project.url_correction import correct_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.findings import Finding


def of_pieces(text: str, most: int, joint: str = "") -> st.SearchStrategy[str]:
    """Return texts made of the pieces that `|` separates here."""
    return st.lists(st.sampled_from(text.split("|")), max_size=most).map(joint.join)


_WORDS = (
    "source packages dev-packages name url verify_ssl index version a acme-a git requires _meta "
    "hash sha256 sources default hashes"
)
WORDS = st.sampled_from(_WORDS.split())
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["ca", "public", "*", "==1", OURS[1], PUBLIC[1], f"https://{HOST}/pypi/a/"])
    | st.sampled_from([f"https://{GITHUB_TOKEN}@x", "${A}", "$(A)", "http://[", "https://a:b@c"]),
)
LEAVES = TEXTS | st.integers(-9, 9) | st.booleans() | st.floats(-9, 9)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | TEXTS, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(WORDS | TEXTS, VALUES, max_size=5)


def review(**files: bytes) -> list[Finding]:
    """Review a project with these files; check that each finding is on an existing line."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            other = {"lock": "Pipfile.lock", "requirements": "requirements.txt", "dotenv": ".env"}
            Path(folder, other.get(name, "Pipfile")).write_bytes(data)
        found = reviewed(Path(folder, "Pipfile"), private_packages="acme-*").findings
    most = max(data.count(b"\n") for data in files.values()) + 1
    assert all(1 <= finding.line <= most for finding in found)
    return found


@given(DOCUMENTS, VALUES)
def test_lint_accepts_any_document_and_reports_existing_lines(
    pipfile: dict[str, Any], lock: Any
) -> None:
    review(pipfile=tomlkit.dumps(pipfile).encode(), lock=json.dumps(lock).encode())


@given(st.binary(max_size=60), st.binary(max_size=60))
@example(b"a = " + b"[" * 5000, b"[" * 100_000)
@example(b"a = 1", b'{"default": {"a": ' + b'{"a": ' * 900 + b'"x"' + b"}" * 902)
def test_lint_accepts_any_bytes_as_pipfile_and_lock(pipfile: bytes, lock: bytes) -> None:
    review(pipfile=pipfile, lock=lock)


TOML = of_pieces(
    '\n|#|[|]|[[|]]|{|}|"|"""|\'|\'\'\'|=|,|.| |\\|a|1|source|packages|"x"|true|[packages]\n|a = 1\n|\r\n|\\\n',
    25,
)


@given(TOML)
def test_lint_accepts_any_sequence_of_toml_tokens(text: str) -> None:
    toml_positions(text)
    review(pipfile=text.encode(), lock=text.encode())


def paths_of(value: object, keys: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*keys, key)
            yield from paths_of(item, (*keys, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from paths_of(item, (*keys, number))


@given(DOCUMENTS)
def test_each_toml_key_is_found_on_a_line_that_has_it(document: dict[str, Any]) -> None:
    text = tomlkit.dumps(document)
    lines, written = toml_positions(text), text.split("\n")
    for keys in paths_of(load_toml_bytes(text.encode())):
        line = written[lines.line_of(keys) - 1]
        names = [key for key in keys if isinstance(key, str)]
        if all(name.isascii() and name.isalnum() for name in names):
            assert names[-1] in line, (keys, text)


@given(DOCUMENTS)
def test_each_json_key_is_found_on_a_line_that_has_it(document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=4)
    lines, written = json_positions(text), text.split("\n")
    for keys in paths_of(document):
        if isinstance(keys[-1], str):
            assert json.dumps(keys[-1]) in written[lines.line_of(keys) - 1]


ENTRIES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from([*sorted(PACKAGE_KEYS), "note"]), LEAVES | st.just([]), max_size=3
)
KEYS = st.sampled_from(["python_version", "allow_prereleases", "cool-down-period", "a", "b"])
SHAPES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["requires", "pipenv", "scripts", "packages", "docs", "pipfile"]),
    VALUES | st.dictionaries(KEYS, VALUES | st.sampled_from(["3d", "3"]) | ENTRIES),
    max_size=4,
)


@given(SHAPES, st.sampled_from(["true", '"true"', "1"]))
def test_lint_reports_every_pipfile_that_plette_rejects(
    document: dict[str, Any], verify: str
) -> None:
    text = tomlkit.dumps(document)
    whole = text + table(*PUBLIC, verify)
    try:
        load_toml_bytes(whole.encode())
        plette.Pipfile.load(io.StringIO(whole))
    except Exception:  # noqa: BLE001 - it raises what it likes
        found = {finding.code for finding in review(pipfile=whole.encode())}
        assert {"pipfile-invalid", "source-incomplete"} & found, whole


def test_allowed_package_keys_are_those_of_plette() -> None:
    assert PACKAGE_KEYS == KNOWN_PACKAGE_KEYS


VERSIONS = of_pieces(
    "0|1|2|3|,|.|*|x|v|!|+|-|_|^|~|<|>|=|;|(|)| |a|==|>=|<=|~=|!=|===|1.0|2.1|.*|rc1|.post1|.dev2|+local"
    "|1!|latest|alpha",
    7,
)


def line_of(version: str) -> str:
    """Return the requirement line that pipenv builds from a version."""
    operators = ("==", ">=", "<=", "~=", "!=", ">", "<")
    line = f"a{version}" if version.startswith(operators) else f"a=={version}"
    return "a" if version == "*" or line == "a==*" else line


@given(VERSIONS)
def test_accepted_or_corrected_version_is_one_that_packaging_reads(text: str) -> None:
    for version in (text, corrected_version(text)):
        if version is not None and is_version(version):
            Requirement(line_of(version))
    assert corrected_version(text) is None or is_version(corrected_version(text) or "")


@given(VERSIONS)
def test_version_that_packaging_reads_is_accepted(text: str) -> None:
    try:
        found = Requirement(line_of(text))
    except InvalidRequirement:
        return
    ends = text.rstrip().endswith(",")
    if found.marker is None and not ends and not text.startswith(("=>", "=<")):
        assert is_version(text), text


MARKER_PARTS = of_pieces(
    "os_name|sys_platform|python_version|extra|'nt'|\"3.9\"|linux|3.8|==|=|>=|in|not|and|or|(|)|os.name|;|&&|T",
    9,
    " ",
)


@given(MARKER_PARTS)
def test_marker_is_accepted_or_corrected_exactly_if_packaging_reads_it(text: str) -> None:
    try:
        Marker(text)
    except InvalidMarker:
        assert not is_marker(text)
    else:
        assert is_marker(text)
    proposed = corrected_marker("markers", text)
    if proposed is not None:
        Marker(proposed)


@given(st.text(st.sampled_from("aZ9-_. [],\u00e9/@=;1"), max_size=6))
def test_accepted_name_is_one_that_packaging_reads(text: str) -> None:
    if is_name(text):
        Requirement(text)


LINES = of_pieces(
    f"-i |--extra-index-url=|-r x.txt|-c |https://|aws:|@|{HOST}|/pypi/a/simple/|<token>|${{A}}|$B|\n| "
    f"|six==1|\\\n|#|A=|'|export | {GITHUB_TOKEN}|CODEARTIFACT_AUTH_TOKEN=|AWS_PROFILE=x|é|://|[::1|:99999"
    "|\r\n",
    14,
)


@given(LINES, LINES)
def test_lint_accepts_any_requirements_file_and_dotenv_and_shows_no_token(
    requirements: str, dotenv: str
) -> None:
    files = {"requirements": requirements.encode(), "dotenv": dotenv.encode()}
    for finding in review(pipfile=table(*OURS).encode(), **files):
        assert GITHUB_TOKEN not in mask(finding.sentence + finding.hint)


URLS = of_pieces(
    "https://|http://|https:/|aws|:|@|<token>|$(cat x)|${A_TOKEN}|****|/pypi/|/npm/|team|/simple|/|?a=b| |\\|["
    f"|:8443|%|é|{HOST}|{HOST[:-4]}|vpce-1.d.codeartifact.eu-west-1.vpce.amazonaws.com|d/dom-123456789012"
    "|eu-west-1.console.aws.amazon.com/codesuite/codeartifact/d/123456789012/dom/r/team",
    9,
)


@given(URLS)
def test_complete_correction_of_a_url_is_a_repository_and_stable(url: str) -> None:
    form = correct_url(url)
    if form is not None and form.is_whole:
        assert parse_url(form.url) is not None
    right = repair_url(url, {}, {})
    assert repair_url(right, {}, {}) == right
    review(pipfile=table("ca", json.dumps(url)[1:-1]).encode())
