"""Fix repairs any Pipfile in one run and keeps everything else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.lint import HOST, OURS, PUBLIC, TOKEN, check_rest, fixed

from codeartifact_pipenv.files.io import load_toml_bytes

BLANK = st.sampled_from(["", " ", "  "])
COMMENT = st.sampled_from(["", " # why", "  # x = {", "\t# 'é'"])
NAMES = st.sampled_from(["acme-a", "Acme_B", '"acme.c"', "'acme-d'", "six", "click"])
VALUES = st.sampled_from(
    ['"*"', "'>=1'", '{version = "*"}', "{ version='*' , extras = ['x', \"y\"] }", "{}", '"""*"""']
) | st.sampled_from(['{git = "https://git.example/a"}', '{version = "*", index = "ca"}'])
LINES = st.sampled_from(["", "# a comment", "  # [packages]", "\t"])
URLS = st.sampled_from(
    [OURS[1], OURS[1].replace("https", "http"), OURS[1].replace("/simple/", "")]
) | st.sampled_from(
    [f"https://bob:{TOKEN}@{HOST}/pypi/team/", f"https://aws:$(X_TOKEN)@{HOST}/pypi/team"]
)


@st.composite
def pipfiles(draw: st.DrawFn) -> str:
    """Draw a Pipfile in any style."""
    lines = [draw(LINES)]
    for name, url in (PUBLIC, ("ca", draw(URLS))):
        quote = draw(st.sampled_from("\"'"))
        lines += [
            f"[[source]]{draw(COMMENT)}",
            f"url={draw(BLANK)}{quote}{url}{quote}{draw(COMMENT)}",
        ]
        lines += [f'name = "{name}"', draw(LINES)]
    tables = draw(st.permutations(["packages", "dev-packages", "docs"]))
    for table in tables[: draw(st.integers(1, 3))]:
        lines.append(f"{draw(BLANK)}[{table}]{draw(COMMENT)}")
        for name in draw(st.lists(NAMES, unique=True, max_size=4)):
            if draw(st.booleans()):
                lines.append(draw(LINES))
            blank = draw(BLANK)
            if draw(st.integers(0, 4)) == 0:
                lines.append(f'{blank}{name}.version{draw(BLANK)}= "*"{draw(COMMENT)}')
            else:
                lines.append(f"{blank}{name} ={draw(BLANK)}{draw(VALUES)}{draw(COMMENT)}")
    if draw(st.booleans()):
        table = "packages" if "[packages]" in lines else "more"
        lines += [f"[{table}.acme-z]", 'version = "*"']
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join(lines) + draw(st.sampled_from(["", end, end * 2]))


@given(pipfiles())
def test_fix_repairs_a_pipfile_of_any_style_and_keeps_the_rest(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "Pipfile"
        path.write_bytes(text.encode())
        done = fixed(path, "acme-*")
        assert done.before is not None
        assert [remark.code for remark in done.after.findings] == []
        check_rest(text, done)
        assert done.text.count("\r\n") - text.count("\r\n") in range(-1, len(done.changes) + 1)
        path.write_bytes(done.text.encode())
        assert fixed(path, "acme-*").text == done.text
        document = load_toml_bytes(done.text.encode())
        assert document["source"][1]["name"] == "ca"
