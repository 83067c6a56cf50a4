"""Words, streams, terminal, signals and exit status reach pipenv unchanged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
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
    started,
    without_credentials,
)

import codeartifact_pipenv

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

WIDE = pytest.mark.wide
DUMP = "import json, os; print(json.dumps(dict(os.environ)))"
AWKWARD = [
    ["run", "a b", "", "two\nlines", "\ttab", "'\"$HOME`*\\"],
    ["run", "žluťoučký", "木", "\N{PILE OF POO}"],
    ["run", os.fsdecode(b"caf\xe9"), os.fsdecode(b"\xff\xfe")],
    ["run", "--", "--ca-profile", "x", "--ca-nonsense", "--ca-help"],
    ["--", "run", "--ca-profile=x"],
    ["graph", "--ca-other", "--ca-version", "-", "--"],
    ["--python", "3.11", "graph"],
    ["--verbose", "--pypi-mirror", "https://example.org/simple", "graph", "--bare"],
    ["--nonsense"],
    ["", "x"],
    ["no-such-command", "token", "sandbox"],
    ["lock", "two\nlines", "", os.fsdecode(b"\xff"), "--", "--ca-verbose", "-x"],
    ["install", "pkg >= 1.0 ; python_version < '4'", "-e", "./a b"],
]
# The wrapper waits for pipenv's `lock`, and the process becomes pipenv for `graph`.
WAITED = "lock"
each_way = pytest.mark.parametrize("command", [WAITED, "graph"])
SLEEP = "time.sleep(60)"


@pytest.fixture(scope="module")
def kept_tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a token cache for all tests of this module, which saves calls to AWS."""
    return tmp_path_factory.mktemp("tokens")


class Wrapped:
    """A project on the sandbox, with a stand-in for pipenv."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.env = env
        self.folder = folder
        self.pipenv = self.stand_in()

    def stand_in(self, behaviour: str = "", afterwards: str = "") -> StandIn:
        self.pipenv = StandIn(self.folder.parent / "other pipenv", behaviour, afterwards)
        return self.pipenv

    def words(self, *words: str) -> list[str]:
        return [PIPENV_CA, "--ca-pipenv", str(self.pipenv.path), *words]

    def __call__(self, *words: str, stdin: str | None = None) -> Result:
        return run(*self.words(*words), env=self.env, cwd=self.folder, stdin=stdin)

    def start(self, *words: str) -> AbstractContextManager[subprocess.Popen[str]]:
        return started(*self.words(*words), env=self.env, cwd=self.folder)

    def check_nothing_left(self) -> None:
        assert os.listdir(self.env["TMPDIR"]) == []
        assert os.listdir(self.folder) == ["Pipfile"]


@pytest.fixture
def wrapped(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path, kept_tokens: Path
) -> Wrapped:
    write_pipfile(project, source(sandbox.endpoint), '[packages]\norb-schema-generator = "*"\n')
    return Wrapped(sandbox_env | {"PIPENV_CA_CACHE_DIR": str(kept_tokens)}, project)


# --- words, folder, streams, status ------------------------------------------------------


@pytest.mark.parametrize("words", AWKWARD, ids=lambda words: ascii(words[0]))
def test_words_arrive_byte_for_byte_without_own_options(words: list[str], wrapped: Wrapped) -> None:
    done = wrapped("--ca-duration=900", *words)
    assert done.status == 0, done.output
    assert wrapped.pipenv.record["argv"] == words


@pytest.mark.parametrize("status", [0, 3, 127])
@each_way
def test_exit_status_is_that_of_pipenv(command: str, status: int, wrapped: Wrapped) -> None:
    wrapped.stand_in(afterwards=f"sys.exit({status})")
    assert wrapped(command) == Result(status, "", "")


@each_way
def test_pipenv_gets_stdin_and_folder_and_owns_stdout(command: str, wrapped: Wrapped) -> None:
    said = 'print("said", end=""); sys.stderr.write("oops")'
    pipenv = wrapped.stand_in(f'record["stdin"] = sys.stdin.read(); {said}')
    wrapped.folder /= "below"
    wrapped.folder.mkdir()
    done = wrapped("--ca-verbose", command, stdin="typed\n\n")
    assert done.stdout == "said"
    assert "note: " in done.stderr
    assert done.stderr.endswith("oops")
    assert pipenv.record["stdin"] == "typed\n\n"
    assert pipenv.record["cwd"] == str(wrapped.folder)
    pipenv = wrapped.stand_in(said)
    assert wrapped(command) == Result(0, "said", "oops")


# --- terminal and signals ----------------------------------------------------------------


@each_way
def test_pipenv_of_another_environment_has_the_terminal(command: str, wrapped: Wrapped) -> None:
    with Terminal(*wrapped.words(command), env=wrapped.env, cwd=wrapped.folder) as terminal:
        assert terminal.finish() == 0, terminal.shown
    assert wrapped.pipenv.record["terminal"] == [True, True, True]


@WIDE
def test_program_below_the_own_pipenv_has_the_terminal(
    sandbox_env: dict[str, str], installed: Path
) -> None:
    code = "import os; print([os.isatty(n) for n in range(3)])"
    words = ("run", "python", "-c", code)
    with Terminal(PIPENV_CA, *words, env=sandbox_env, cwd=installed) as terminal:
        assert terminal.finish() == 0, terminal.shown
    assert "[True, True, True]" in terminal.shown


def test_control_c_reaches_a_waited_pipenv_once(wrapped: Wrapped) -> None:
    counting = "count = []; signal.signal(signal.SIGINT, lambda *_: count.append(1))"
    # After the first interrupt it stays for a while, in which a second one would arrive.
    staying = "while not count: time.sleep(0.01)\ntime.sleep(0.3)\nsys.exit(40 + len(count))"
    pipenv = wrapped.stand_in(counting, staying)
    with Terminal(*wrapped.words(WAITED), env=wrapped.env, cwd=wrapped.folder) as terminal:
        pipenv.wait_until_run()
        terminal.type(b"\x03")
        assert terminal.finish() == 41, terminal.shown
    assert "Traceback" not in terminal.shown
    wrapped.check_nothing_left()


@each_way
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=str)
def test_signal_reaches_pipenv_and_ends_this_process(
    number: int, command: str, wrapped: Wrapped
) -> None:
    # Python itself would raise an exception for SIGINT.
    pipenv = wrapped.stand_in("signal.signal(signal.SIGINT, signal.SIG_DFL)", SLEEP)
    with wrapped.start(command) as process:
        child = pipenv.wait_until_run()["pid"]
        process.send_signal(number)
        assert process.wait(30) == -number
        assert process.communicate() == ("", "")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    wrapped.check_nothing_left()


def test_exit_status_of_a_handled_interrupt_is_kept(wrapped: Wrapped) -> None:
    pipenv = wrapped.stand_in("signal.signal(signal.SIGINT, lambda *_: os._exit(7))", SLEEP)
    with wrapped.start(WAITED) as process:
        pipenv.wait_until_run()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 7
    wrapped.check_nothing_left()


def test_signal_ignored_by_nohup_stays_ignored(wrapped: Wrapped) -> None:
    pipenv = wrapped.stand_in('record["hup"] = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN')
    words = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh", *wrapped.words(WAITED))
    assert run(*words, env=wrapped.env, cwd=wrapped.folder).status == 0
    assert pipenv.record["hup"]


# --- commands that need no index ---------------------------------------------------------


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


def both(words: list[str], env: dict[str, str], folder: Path, *programs: list[str]) -> list[Result]:
    """Run words with pipenv-ca and pipenv, or with some programs, at the same time."""
    chosen = programs or ([PIPENV_CA], [PIPENV])
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda name: run(*name, *words, env=env, cwd=folder), chosen))


@WIDE
@pytest.mark.parametrize(
    "words",
    [
        *("--venv", "--where", "graph", "verify", "requirements", "scripts", "activate"),
        *("lock --help", "run pip list", "no-such-command", "run python -c DUMP"),
    ],
)
def test_offline_command_needs_no_credentials_and_sends_no_request(
    words: str, sandbox: Sandbox, sandbox_env: dict[str, str], installed: Path
) -> None:
    env = without_credentials(sandbox_env)
    calls = Calls(sandbox)
    typed = [DUMP if word == "DUMP" else word for word in words.split()]
    ours, theirs = both(typed, env, installed)
    assert calls.to_aws() == 0
    if DUMP in typed:
        own = {"PIPENV_ACTIVE", "_"}
        one, other = (json.loads(done.stdout).items() for done in (ours, theirs))
        assert {i for i in one if i[0] not in own} == {i for i in other if i[0] not in own}
    else:
        assert ours == theirs


@WIDE
def test_own_pipenv_gets_the_same_words_in_process(
    sandbox_env: dict[str, str], installed: Path
) -> None:
    words = ["a b", "", "two\nlines", "é", os.fsdecode(b"\xff"), "--", "--ca-x"]
    typed = ["run", "python", "-c", "import sys; print(sys.argv[1:])", *words]
    ours, theirs = both(typed, sandbox_env, installed)
    assert ours == theirs == Result(0, f"{words}\n", "")


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
    "words",
    [
        *("run pip install x", "run pip3 download x", "run python -m pip install x"),
        *("run fetch", "run pip list --outdated"),
    ],
)
def test_pip_gets_the_repository_and_no_token_in_arguments(
    words: str, sandbox: Sandbox, wrapped: Wrapped
) -> None:
    token = get_token(sandbox, wrapped.env, wrapped.folder)
    script = '[scripts]\nfetch = "pip install x"\n'
    write_pipfile(wrapped.folder, source(sandbox.endpoint), script)
    pipenv = wrapped.stand_in('record["netrc"] = open(os.environ["NETRC"]).read()')
    assert wrapped(*words.split()).status == 0
    record = pipenv.record
    assert record["argv"] == words.split()
    assert record["environ"]["PIP_INDEX_URL"] == sandbox.endpoint.simple_url
    assert record["environ"]["PIP_EXTRA_INDEX_URL"].strip() == ""
    assert token not in json.dumps(record["environ"])
    assert record["netrc"] == f"machine {sandbox.endpoint.host} login aws password {token}\n"


# --- which pipenv ------------------------------------------------------------------------


@WIDE
def test_option_beats_variable_beats_user_file_for_pipenv(
    clean_env: dict[str, str], home: Path, project: Path, tmp_path: Path
) -> None:
    chosen = {
        name: StandIn(tmp_path / name, afterwards=f"print({name!r})").path
        for name in ("option", "variable", "file")
    }

    def shown(*words: str, **env: str) -> str:
        return run(PIPENV_CA, *words, "--version", env=clean_env | env, cwd=project).stdout

    assert shown() == run(PIPENV, "--version", env=clean_env, cwd=project).stdout
    config = home / ".config" / "codeartifact-pipenv" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'pipenv = "{chosen["file"]}"\n')
    variable = {"PIPENV_CA_PIPENV": str(chosen["variable"])}
    assert shown() == "file\n"
    assert shown(**variable) == "variable\n"
    relative = os.path.relpath(chosen["option"], project)
    assert shown("--ca-pipenv", relative, **variable) == "option\n"


def test_pipenv_name_is_searched_on_path(wrapped: Wrapped) -> None:
    pipenv = wrapped.stand_in(afterwards='print("found")')
    env = wrapped.env | {"PATH": f"{pipenv.path.parent}:{wrapped.env['PATH']}"}
    words = ("--ca-pipenv", pipenv.path.name, "graph")
    assert run(PIPENV_CA, *words, env=env, cwd=wrapped.folder) == Result(0, "found\n", "")


@WIDE
def test_project_cannot_choose_the_pipenv_to_run(sandbox: Sandbox, wrapped: Wrapped) -> None:
    (wrapped.folder / "pyproject.toml").write_text(
        f'[tool.codeartifact-pipenv]\npipenv = "{wrapped.pipenv.path}"\n'
    )
    calls = Calls(sandbox)
    locked = run(PIPENV_CA, "lock", env=wrapped.env, cwd=wrapped.folder)
    assert_error(locked, 2, "pyproject.toml sets pipenv", "PIPENV_CA_PIPENV")
    run(PIPENV_CA, "--version", env=wrapped.env, cwd=wrapped.folder)
    assert not wrapped.pipenv.was_run
    assert calls.to_aws() == 0


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
    command: str, kind: str, status: int, says: str, wrapped: Wrapped
) -> None:
    path = wrapped.folder.parent / "broken"
    if kind == "folder":
        path.mkdir()
    elif kind != "gone":
        path.write_text("#!/no/such/python\n")
        path.chmod(0o644 if kind == "not executable" else 0o755)
    name = says if kind == "not on PATH" else str(path)
    done = run(PIPENV_CA, "--ca-pipenv", name, command, env=wrapped.env, cwd=wrapped.folder)
    assert_error(done, status, name, says)
    wrapped.check_nothing_left()


@WIDE
@pytest.mark.parametrize("name", ["pipenv-ca", "a link", "codeartifact-pipenv"])
def test_this_program_is_refused_as_pipenv(
    name: str, clean_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    link = tmp_path / "pipenv"
    link.symlink_to(PIPENV_CA)
    env = clean_env | {"PIPENV_CA_PIPENV": str(link if name == "a link" else SCRIPTS / name)}
    done = run(PIPENV_CA, "graph", env=env, cwd=project)
    assert_error(done, 2, "this program itself")


def test_environment_without_pipenv_exits_with_127(
    clean_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    (library,) = bare.glob("lib/python*/site-packages")
    shutil.copytree(Path(codeartifact_pipenv.__file__).parent, library / "codeartifact_pipenv")
    words = (bare / "bin" / "python", "-m", "codeartifact_pipenv", "--version")
    done = run(*words, env=clean_env, cwd=project)
    assert_error(done, 127, "pipenv is not installed", "--ca-pipenv")


@WIDE
def test_version_and_help_are_those_of_pipenv_under_every_name(
    clean_env: dict[str, str], project: Path
) -> None:
    module = [sys.executable, "-m", "codeartifact_pipenv"]
    named = [[PIPENV_CA], [str(SCRIPTS / "codeartifact-pipenv")], module]
    theirs, *ours = both(["--version"], clean_env, project, [PIPENV], *named)
    assert theirs.status == 0
    assert ours == [theirs] * 3
    for words in ([], ["--help"], ["-h"]):
        theirs, done = both(words, clean_env, project, [PIPENV], [PIPENV_CA])
        shown, _, own = done.stdout.partition("verbs of codeartifact-pipenv:\n")
        assert shown.startswith(theirs.stdout), words
        assert done.status == 0
        assert "  doctor " in own
        assert "  --ca-profile NAME " in own


@pytest.mark.parametrize(("word", "meant"), [("doctr", "doctor"), ("pakages", "packages")])
def test_misspelt_verb_gets_a_suggestion(
    word: str, meant: str, clean_env: dict[str, str], project: Path
) -> None:
    done = run(PIPENV_CA, word, env=clean_env, cwd=project)
    assert_error(done, 2, f"{word} is not a command", f"Did you mean `pipenv-ca {meant}`?")


def test_misspelt_pipenv_command_is_left_to_pipenv(
    clean_env: dict[str, str], project: Path
) -> None:
    done = run(PIPENV_CA, "lokc", env=clean_env, cwd=project)
    assert "pipenv-ca" not in done.output
    assert "lokc" in done.output


@WIDE
def test_pipenv_without_a_script_imports_no_module_of_the_folder(
    clean_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "user"
    made = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(made, env=clean_env, check=True)
    own = Path(codeartifact_pipenv.__file__).parent.parent
    (library,) = folder.glob("lib/python*/site-packages")
    places = dict.fromkeys([sysconfig.get_path("purelib"), str(own)])
    (library / "places.pth").write_text("".join(f"{place}\n" for place in places))
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
