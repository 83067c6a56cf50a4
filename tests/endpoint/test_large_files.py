"""Large files at the package endpoint, uploaded and downloaded."""

from __future__ import annotations

import os
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, SCRIPTS, run

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

# Prints the peak of the sandbox's memory after both transfers. A file is not kept in pip's cache.
SCRIPT = """
export TWINE_USERNAME=aws TWINE_PASSWORD="$(pipenv-ca token "$PIPENV_CA_SANDBOX_URL")"
url="${PIPENV_CA_SANDBOX_URL#https://}"
twine upload --repository-url "https://${url%simple/}" "$1" >&2
pip download --no-cache-dir --index-url "https://aws:$TWINE_PASSWORD@$url" large >&2
grep VmHWM /proc/$PPID/status
"""


@pytest.mark.wide
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_large_file_takes_little_memory(clean_env: dict[str, str], tmp_path: Path) -> None:
    """A wheel of 60 MB is uploaded and downloaded while the sandbox stays below 100 MB."""
    wheel = make_wheel(tmp_path / "made", "large", "1.0")
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("large/data", os.urandom(60 * 1024 * 1024))
    clean_env["PATH"] = f"{SCRIPTS}:{clean_env['PATH']}"
    words = ("sandbox", "run", "--no-upstream", "--", "sh", "-ec", SCRIPT, "sh", wheel)
    done = run(PIPENV_CA, *words, env=clean_env, cwd=tmp_path)
    assert done.status == 0, done.output
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()
    assert int(done.stdout.split()[1]) < 100 * 1024
