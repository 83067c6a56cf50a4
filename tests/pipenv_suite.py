"""Run pipenv's own integration tests, with bare pipenv and through pipenv-ca, and compare.

    python tests/pipenv_suite.py CHECKOUT [WORDS FOR PYTEST...]

CHECKOUT is a checkout of pypa/pipenv; its release of pipenv is installed. Bare pipenv meets the public
index; through pipenv-ca the tests' index is a repository of the sandbox's, which reaches the public
one. The exit status is 1 where a test passes bare and fails through us, unless it is in DIFFERENCES.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

from support.programs import clean_environment

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OUTLINE = "it wants the tables of other packages rewritten inline; we keep the user's bytes"
PLUGIN = "pipenv_suite_plugin"
DIFFERENCES = {
    "test_install_basic::test_bad_mirror_install": (
        "a mirror takes the public index's place, and the only source is a repository"
    ),
    "test_install_basic::test_install_respects_lockfile_versions": (
        "its lock has the hash of a Pipfile with the public index, so that with another it is outdated"
    ),
    "test_install_basic::test_rewrite_outline_table": _OUTLINE,
    "test_install_basic::test_rewrite_outline_table_ooo": _OUTLINE,
    "test_prefetch_manifest::test_prefetch_routes_per_source_verify_ssl": (
        "it wants a client for each verify_ssl; ours sees one index on loopback"
    ),
    "test_pylock::test_pylock_file_loading": (
        "it looks for the public index's URL in an example whose URLs are the repository's here"
    ),
    "test_resolver_protocol::test_resolver_protocol_lock_smoke": (
        "it looks for pipenv's temporary files in TMPDIR; ours are in a private folder of the run"
    ),
}
"""Tests that pass with bare pipenv and not through us, each with the reason."""

_HERE = Path(__file__).parent
_PUBLIC = "https://pypi.org/simple"
_NEEDED = ("pytest", "pytest-timeout", "pytest-rerunfailures", "mock")


class Outcome(NamedTuple):
    kind: str
    said: str


def main(checkout: Path, words: Sequence[str]) -> int:
    """Run both, print the table, and return the exit status."""
    if not (checkout / "tests/integration").is_dir():
        raise SystemExit(
            f"{checkout} is not a checkout of pypa/pipenv: it has no tests/integration."
        )
    with (
        tempfile.TemporaryDirectory(prefix="pipenv-suite-") as folder,
        Sandbox(base=clean_environment()) as sandbox,
        ThreadPoolExecutor() as pool,
    ):
        index = sandbox.endpoint.simple_url.rstrip("/")
        play = partial(_outcomes, checkout, words=words)
        bare = pool.submit(play, Path(folder, "bare"), environ=clean_environment(), index=None)
        ours = pool.submit(play, Path(folder, "ours"), environ=sandbox.environ(), index=index)
        return _compare(bare.result(), ours.result())


def _outcomes(
    checkout: Path,
    folder: Path,
    words: Sequence[str],
    environ: Mapping[str, str],
    index: str | None,
) -> dict[str, Outcome]:
    """Run the tests in a new environment; return the outcome of each."""
    home, shims, venv = folder / "home", folder / "shims", folder / "venv"
    for place in (home, shims):
        place.mkdir(parents=True)
    env = {
        **environ,
        "HOME": str(home),
        "PATH": os.pathsep.join([str(shims), str(venv / "bin"), environ["PATH"]]),
        "PIPENV_PYPI_SERVER": index or _PUBLIC,
        "PIPENV_SUITE_TESTS": str(checkout / "tests"),
    }
    _install(checkout, venv, env, [] if index is None else [f"{_HERE.parent}[sandbox]"])
    if index is not None:
        env["PIPENV_SUITE_INDEX"] = index
        shim = shims / "pipenv"
        shim.write_text(f'#!/bin/sh\nexec "{venv}/bin/pipenv-ca" "$@"\n', encoding="utf-8")
        shim.chmod(0o755)
    report = folder / "report.xml"
    # (Plain asserts: the modules are compiled by the plugin. Compiled ones of the checkout's are not read.)
    options = (
        f"-m pytest -q -o addopts= -p {PLUGIN} -p no:cacheprovider --assert=plain --timeout=600"
    )
    command = [str(venv / "bin/python"), "-X", f"pycache_prefix={folder}/compiled"]
    command += [*options.split(), f"--junitxml={report}", "tests/integration", *words]
    done = subprocess.run(
        command, env=env, cwd=checkout, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if not report.exists():
        raise SystemExit((done.stdout + done.stderr).decode(errors="replace"))
    return dict(map(_outcome, ET.parse(report).iter("testcase")))  # noqa: S314  # pytest wrote it


def _install(checkout: Path, venv: Path, env: Mapping[str, str], ours: Sequence[str]) -> None:
    text = (checkout / "pipenv/__version__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "(.+)"', text)
    assert found, "no version of pipenv"
    python = str(venv / "bin/python")
    pip = [python, "-m", "pip", "install", "-q", f"pipenv=={found[1]}", *_NEEDED, *ours]
    for words in ([sys.executable, "-m", "venv", str(venv)], pip):
        subprocess.run(words, env=env, check=True)
    shutil.copy(_HERE / "support" / f"{PLUGIN}.py", next(venv.glob("lib/python*/site-packages")))


def _outcome(case: ET.Element) -> tuple[str, Outcome]:
    module = case.get("classname", "").removeprefix("tests.integration.")
    kinds = {child.tag: child for child in case}
    kind = next((kind for kind in ("failure", "error", "skipped") if kind in kinds), "passed")
    said = "\n".join(child.text or "" for child in case)
    return f"{module}::{case.get('name')}", Outcome(kind, said)


def _compare(bare: Mapping[str, Outcome], ours: Mapping[str, Outcome]) -> int:
    absent = Outcome("absent", "")
    differing = []
    for test in sorted(bare.keys() | ours.keys()):
        by_pipenv, by_us = bare.get(test, absent), ours.get(test, absent)
        note = ""
        if by_pipenv.kind == "passed" != by_us.kind:
            note = DIFFERENCES.get(test, "DIFFERS")
            if test not in DIFFERENCES:
                differing.append(f"{test}\n{by_us.said}")
        elif test in DIFFERENCES and by_us.kind == "passed":
            note = f"no longer differs: {DIFFERENCES[test]}"
        print(f"{test:<90} {by_pipenv.kind:<8} {by_us.kind:<8} {note}".rstrip())
    for title, outcomes in (("bare", bare), ("through pipenv-ca", ours)):
        print(f"{title}: {dict(Counter(outcome.kind for outcome in outcomes.values()))}")
    print(*differing, sep="\n\n")
    return 1 if differing or not bare else 0


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
