"""Words, streams, terminal, signals and exit status reach pipenv unchanged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV, PIPENV_CA, SCRIPTS, Result, run
from support.projects import source, write_pipfile
from support.runs import (
    TOKEN_VARIABLE,
    Calls,
    StandIn,
    Terminal,
    assert_error,
    get_token,
    replace_pipenv,
    started,
    without_credentials,
)

import codeartifact_pipenv

if TYPE_CHECKING:
    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

WIDE = pytest.mark.wide
DUMP = """\
import json, os
print(json.dumps({n: v for n, v in sorted(os.environ.items()) if n not in ("_", "PIPENV_ACTIVE")}))
"""
AWKWARD = [
    ["run", "a b", "", "two\nlines", "\ttab", "'\"$HOME`*\\", "žluťoučký 木 \N{PILE OF POO}"],
    ["run", os.fsdecode(b"caf\xe9"), os.fsdecode(b"\xff\xfe")],
    ["run", "--", "--ca-profile", "x", "--ca-nonsense", "--ca-help"],
    ["", "x"],
    ["lock", "two\nlines", "", os.fsdecode(b"\xff"), "--", "--ca-verbose", "-x"],
]
# The wrapper waits for pipenv's `lock`, and the process becomes pipenv for `graph`.
WAITED = "lock"
each_way = pytest.mark.parametrize("command", [WAITED, "graph"])
SLEEP = "time.sleep(60)"


@pytest.fixture(scope="module")
def kept_tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a token cache for all tests of this module, which saves calls to AWS."""
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture
def wrapped(user: User, kept_tokens: Path) -> User:
    """Return a user with a project on the sandbox."""
    write_pipfile(user.folder, source(user.sandbox.endpoint), '[packages]\norb-common = "*"\n')
    user.env["PIPENV_CA_CACHE_DIR"] = str(kept_tokens)
    return user


def check_nothing_left(user: User) -> None:
    assert os.listdir(user.env["TMPDIR"]) == []
    assert os.listdir(user.folder) == ["Pipfile"]


@pytest.mark.parametrize("words", AWKWARD, ids=lambda words: ascii(words[0]))
def test_words_arrive_byte_for_byte_without_own_options(words: list[str], wrapped: User) -> None:
    pipenv = replace_pipenv(wrapped.env)
    done = wrapped.run("--ca-duration=900", *words)
    assert done.status == 0, done.output
    assert pipenv.record["argv"] == words


@each_way
def test_pipenv_gets_stdin_and_folder_and_owns_stdout_and_status(
    command: str, wrapped: User
) -> None:
    said = 'record["stdin"] = sys.stdin.read(); print("said", end=""); sys.stderr.write("oops")'
    pipenv = replace_pipenv(wrapped.env, said, "sys.exit(3)")
    below = wrapped.folder / "below"
    below.mkdir()
    words = (PIPENV_CA, "--ca-refresh", command)
    done = run(*words, env=wrapped.env, cwd=below, stdin="typed\n\n")
    assert done == Result(3, "said", "oops")
    assert (pipenv.record["stdin"], pipenv.record["cwd"]) == ("typed\n\n", str(below))
    done = run(PIPENV_CA, "--ca-verbose", command, env=wrapped.env, cwd=below)
    assert (done.status, done.stdout) == (3, "said")
    assert "note: " in done.stderr
    assert done.stderr.endswith("oops")


@each_way
def test_pipenv_of_another_environment_has_the_terminal(command: str, wrapped: User) -> None:
    pipenv = replace_pipenv(wrapped.env)
    with Terminal(PIPENV_CA, command, env=wrapped.env, cwd=wrapped.folder) as terminal:
        assert terminal.finish() == 0, terminal.shown
    assert pipenv.record["terminal"] == [True, True, True]


@pytest.mark.parametrize(("group", "calls"), [("", 1), ("os.setpgid(0, 0)", 0)])
def test_control_c_reaches_a_waited_pipenv_from_the_terminal_alone(
    group: str, calls: int, wrapped: User
) -> None:
    counting = f"{group}\ncount = []; signal.signal(signal.SIGINT, lambda *_: count.append(1))"
    # It stays for a while, in which a second interrupt would arrive.
    waiting = f"while len(count) < {calls}: time.sleep(0.01)\n"
    staying = f"{waiting}time.sleep(0.3)\nsys.exit(40 + len(count))"
    pipenv = replace_pipenv(wrapped.env, counting, staying)
    with Terminal(PIPENV_CA, WAITED, env=wrapped.env, cwd=wrapped.folder) as terminal:
        pipenv.wait_until_run()
        terminal.type(b"\x03")
        assert terminal.finish() == 40 + calls, terminal.shown
    assert "Traceback" not in terminal.shown
    check_nothing_left(wrapped)


@each_way
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=str)
def test_signal_reaches_pipenv_and_ends_this_process(
    number: int, command: str, wrapped: User
) -> None:
    # Python itself would raise an exception for SIGINT.
    default = "signal.signal(signal.SIGINT, signal.SIG_DFL)"
    pipenv = replace_pipenv(wrapped.env, default, "time.sleep(60)")
    with started(PIPENV_CA, command, env=wrapped.env, cwd=wrapped.folder) as process:
        child = pipenv.wait_until_run()["pid"]
        process.send_signal(number)
        assert process.wait(30) == -number
        assert process.communicate() == ("", "")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    check_nothing_left(wrapped)


def test_signal_ignored_by_nohup_stays_ignored(wrapped: User) -> None:
    ignored = 'record["hup"] = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN'
    pipenv = replace_pipenv(wrapped.env, ignored)
    words = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh", PIPENV_CA, WAITED)
    assert run(*words, env=wrapped.env, cwd=wrapped.folder).status == 0
    assert pipenv.record["hup"]


@pytest.fixture(scope="module")
def installed(sandbox: Sandbox, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a lock and an environment, both without packages."""
    folder = tmp_path_factory.mktemp("installed")
    write_pipfile(folder, source(sandbox.endpoint), "[packages]\n")
    lock = {"_meta": {"hash": {"sha256": "0"}, "sources": []}, "default": {}, "develop": {}}
    (folder / "Pipfile.lock").write_text(json.dumps(lock))
    app_data = ["--app-data", str(shared / "virtualenv")]
    virtualenv = [sys.executable, "-m", "virtualenv", "--quiet", *app_data, str(folder / ".venv")]
    subprocess.run(virtualenv, check=True)
    return folder


def both(words: list[str], env: dict[str, str], folder: Path) -> tuple[Result, Result]:
    """Run words with pipenv-ca and with pipenv."""
    return run(PIPENV_CA, *words, env=env, cwd=folder), run(PIPENV, *words, env=env, cwd=folder)


OFFLINE = [
    *("--venv", "--where", "graph", "verify", "requirements", "scripts", "activate"),
    *("lock --help", "run pip list", "no-such-command"),
]
ODD = ["import sys; print(sys.argv)", "a b", "", "two\nlines", os.fsdecode(b"\xff"), "--", "--ca-x"]


@WIDE
@pytest.mark.parametrize(
    "words", [*map(str.split, OFFLINE), *(["run", "python", "-c", *more] for more in ([DUMP], ODD))]
)
def test_offline_command_is_that_of_pipenv_and_needs_no_credentials_or_request(
    words: list[str], sandbox: Sandbox, sandbox_env: dict[str, str], installed: Path
) -> None:
    calls = Calls(sandbox)
    ours, theirs = both(words, without_credentials(sandbox_env), installed)
    assert calls.to_aws() == 0
    assert ours == theirs


@pytest.mark.shows_token("output")
@WIDE
def test_program_gets_the_token_only_with_run_token(
    sandbox: Sandbox, sandbox_env: dict[str, str], installed: Path
) -> None:
    token = get_token(sandbox, sandbox_env, installed)
    words = ("run", "python", "-c", DUMP)
    plain = run(PIPENV_CA, *words, env=sandbox_env, cwd=installed)
    assert plain.status == 0, plain.output
    assert TOKEN_VARIABLE not in plain.output
    assert token not in plain.output
    for option, variable in (("--ca-run-token", "0"), ("--ca-verbose", "1")):
        env = sandbox_env | {"PIPENV_CA_RUN_TOKEN": variable}
        given = run(PIPENV_CA, option, *words, env=env, cwd=installed)
        assert json.loads(given.stdout)[TOKEN_VARIABLE] == token, option


@pytest.mark.parametrize(
    "words", ["run pip install x", "run python -m pip download x", "run fetch", "run pip list -o"]
)
def test_pip_gets_the_repository_and_no_token_in_arguments(words: str, wrapped: User) -> None:
    endpoint, token = wrapped.sandbox.endpoint, wrapped.token()
    write_pipfile(wrapped.folder, source(endpoint), '[scripts]\nfetch = "pip install x"\n')
    pipenv = replace_pipenv(wrapped.env, 'record["netrc"] = open(os.environ["NETRC"]).read()')
    assert wrapped.run(*words.split()).status == 0
    record = pipenv.record
    assert record["argv"] == words.split()
    assert record["environ"]["PIP_INDEX_URL"] == wrapped.url
    assert record["environ"]["PIP_EXTRA_INDEX_URL"].strip() == ""
    assert token not in json.dumps(record["environ"])
    assert record["netrc"] == f"machine {endpoint.host} login aws password {token}\n"


# Prints the modules that are loaded when pipenv starts.
LOADED = """
import os, subprocess, sys
from codeartifact_pipenv.__main__ import main

def start(*_, **__):
    print(*sys.modules, flush=True)
    os._exit(0)

subprocess.Popen = start
main()
"""


@pytest.mark.parametrize("route", ["as-written", "loopback"])
def test_lock_with_a_cached_token_loads_no_slow_library(route: str, wrapped: User) -> None:
    wrapped.token()
    words = (sys.executable, "-c", LOADED, "--ca-route", route, "lock")
    loaded = run(*words, env=wrapped.env, cwd=wrapped.folder).stdout.split()
    assert "codeartifact_pipenv.wrapper.plan" in loaded
    assert not {"botocore", "tomlkit", "plette"} & set(loaded)


def test_relative_option_beats_variable_for_pipenv(user: User, tmp_path: Path) -> None:
    replace_pipenv(user.env, afterwards="print('variable')")
    option = StandIn(tmp_path / "option", afterwards="print('option')").path
    assert user.run("--version").stdout == "variable\n"
    words = ("--ca-pipenv", os.path.relpath(option, user.folder), "--version")
    assert user.run(*words).stdout == "option\n"


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        ("gone", 127, ""),
        ("not on PATH", 127, "no-such-pipenv"),
        ("no interpreter", 127, "interpreter"),
        ("not executable", 126, "Permission denied"),
        ("folder", 126, ""),
    ],
)
@each_way
def test_pipenv_that_cannot_start_exits_as_a_shell_does(
    command: str, kind: str, status: int, says: str, wrapped: User
) -> None:
    path = wrapped.folder.parent / "broken"
    if kind == "folder":
        path.mkdir()
    elif kind != "gone":
        path.write_text("#!/no/such/python\n")
        path.chmod(0o644 if kind == "not executable" else 0o755)
    name = says if kind == "not on PATH" else str(path)
    assert_error(wrapped.run("--ca-pipenv", name, command), status, name, says)
    check_nothing_left(wrapped)


def bare_environment(tmp_path: Path) -> tuple[Path, Path]:
    """Return a new environment without packages, and the folder for them."""
    folder = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (library,) = folder.glob("lib/python*/site-packages")
    return folder, library


def test_environment_without_pipenv_exits_with_127(
    clean_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    bare, library = bare_environment(tmp_path)
    shutil.copytree(Path(codeartifact_pipenv.__file__).parent, library / "codeartifact_pipenv")
    words = (bare / "bin" / "python", "-m", "codeartifact_pipenv", "--version")
    done = run(*words, env=clean_env, cwd=project)
    assert_error(done, 127, "pipenv is not installed", "--ca-pipenv")


@WIDE
def test_version_and_help_are_those_of_pipenv_under_every_name(
    clean_env: dict[str, str], project: Path
) -> None:
    module = (sys.executable, "-m", "codeartifact_pipenv")
    for name in ((PIPENV_CA,), (SCRIPTS / "codeartifact-pipenv",), module):
        ours = run(*name, "--version", env=clean_env, cwd=project)
        assert ours == run(PIPENV, "--version", env=clean_env, cwd=project), name
    for words in ([], ["--help"], ["-h"]):
        done, theirs = both(words, clean_env, project)
        shown, _, own = done.stdout.partition("verbs of codeartifact-pipenv:\n")
        assert shown.startswith(theirs.stdout), words
        assert done.status == 0
        assert "  doctor " in own
        assert "  --ca-profile NAME " in own


def test_misspelt_verb_gets_a_suggestion_and_a_pipenv_command_does_not(
    clean_env: dict[str, str], project: Path
) -> None:
    for word, meant in (("doctr", "doctor"), ("pakages", "packages")):
        done = run(PIPENV_CA, word, env=clean_env, cwd=project)
        assert_error(done, 2, f"{word} is not a command", f"Did you mean `pipenv-ca {meant}`?")
    done = run(PIPENV_CA, "lokc", env=clean_env, cwd=project)
    assert "pipenv-ca" not in done.output
    assert "lokc" in done.output


@WIDE
def test_pipenv_without_a_script_imports_no_module_of_the_folder(
    clean_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    folder, library = bare_environment(tmp_path)
    own = Path(codeartifact_pipenv.__file__).parent.parent
    (library / "places.pth").write_text(f"{sysconfig.get_path('purelib')}\n{own}\n")
    program = folder / "pipenv-ca"
    program.write_text(
        f"#!{folder}/bin/python\nimport sys\n"
        "from codeartifact_pipenv.__main__ import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    write_pipfile(project, "", "[packages]\n")
    for name in ("pipenv", "textwrap"):
        (project / f"{name}.py").write_text("open('was-run', 'w').close()\n")
    version = metadata.version("pipenv")
    completing = {"COMP_WORDS": "pipenv-ca lo", "_PIPENV_CA_COMPLETE": "bash_complete"}
    assert version in run(program, "--version", env=clean_env, cwd=project).stdout
    assert "lock\t" in run(program, env=clean_env | completing, cwd=project).stdout
    seen = run(program, "doctor", "--all", "--offline", env=clean_env, cwd=project).stdout
    assert f"pipenv: {version}, " in seen
    assert not (project / "was-run").exists()
