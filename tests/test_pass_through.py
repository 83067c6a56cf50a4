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
    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-schema-generator = "*"\n'
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
# With a URL that names the variable, the wrapper waits for this one.
WAITED = "lock"
# For this one the process becomes pipenv.
HANDED_OVER = "graph"


@pytest.fixture
def pipfile(sandbox: Sandbox, project: Path) -> Path:
    """Return the Pipfile of a project on the sandbox."""
    return write_pipfile(project, source(sandbox.endpoint), PACKAGES)


@pytest.fixture(scope="module")
def kept_tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a token cache for all tests of this module."""
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture
def live_env(sandbox_env: dict[str, str], kept_tokens: Path, pipfile: Path) -> dict[str, str]:
    """Return an environment with a token in the cache, which saves calls to AWS."""
    assert pipfile.exists()
    return sandbox_env | {"PIPENV_CA_CACHE_DIR": str(kept_tokens)}


def stand_in_for(
    tmp_path: Path, behaviour: str = "", afterwards: str = ""
) -> tuple[StandIn, tuple[str, str]]:
    """Make a stand-in and the options that name it."""
    stand_in = StandIn(tmp_path / "other pipenv", behaviour, afterwards)
    return stand_in, ("--ca-pipenv", str(stand_in.path))


# --- words, folder, streams, status ------------------------------------------------------


@pytest.mark.parametrize("words", AWKWARD, ids=lambda words: ascii(words[0]))
def test_words_arrive_byte_for_byte(
    words: list[str], live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    """Everything from the command on reaches pipenv as it was typed, own options before it taken out."""
    stand_in, named = stand_in_for(tmp_path)
    done = run(PIPENV_CA, *named, "--ca-duration=900", *words, env=live_env, cwd=project)
    assert done.status == 0, done.output
    assert stand_in.record["argv"] == words


def test_own_options_between_pipenvs_are_taken_out(
    live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    """Own and pipenv's options before the command may be mixed; pipenv gets its own in order."""
    stand_in, named = stand_in_for(tmp_path)
    words = ["--verbose", *named, "--python", "--ca-x", "--ca-no-cache", "-q", "graph", "--ca-y"]
    assert run(PIPENV_CA, *words, env=live_env, cwd=project).status == 0
    assert stand_in.record["argv"] == ["--verbose", "--python", "--ca-x", "-q", "graph", "--ca-y"]


def test_unknown_own_option_is_refused(sandbox_env: dict[str, str], project: Path) -> None:
    """A misspelt own option is refused and never reaches pipenv."""
    assert_error(
        run(PIPENV_CA, "--ca-profil=x", "lock", env=sandbox_env, cwd=project),
        2,
        "Unknown option --ca-profil",
    )


@pytest.mark.parametrize("status", [0, 3, 127])
@pytest.mark.parametrize("command", [WAITED, HANDED_OVER])
def test_exit_status_is_that_of_pipenv(
    command: str, status: int, live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    _, named = stand_in_for(tmp_path, afterwards=f"sys.exit({status})")
    done = run(PIPENV_CA, *named, command, env=live_env, cwd=project)
    assert done == Result(status, "", "")


@pytest.mark.parametrize("command", [WAITED, HANDED_OVER])
def test_pipenv_gets_stdin_and_folder_and_owns_stdout(
    command: str, live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    behaviour = (
        'record["stdin"] = sys.stdin.read(); print("said", end=""); sys.stderr.write("oops")'
    )
    stand_in, named = stand_in_for(tmp_path, behaviour)
    below = project / "below"
    below.mkdir()
    words = (*named, "--ca-verbose", command)
    done = run(PIPENV_CA, *words, env=live_env, cwd=below, stdin="typed\n\n")
    assert done.stdout == "said"
    assert "note: " in done.stderr
    assert done.stderr.endswith("oops")
    assert stand_in.record["stdin"] == "typed\n\n"
    assert stand_in.record["cwd"] == str(below)
    quiet = run(PIPENV_CA, *named, command, env=live_env, cwd=below)
    assert quiet == Result(0, "said", "oops")


# --- terminal and signals ----------------------------------------------------------------


@pytest.mark.parametrize("command", [WAITED, HANDED_OVER])
def test_pipenv_of_another_environment_has_the_terminal(
    command: str, live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    stand_in, named = stand_in_for(tmp_path)
    with Terminal(PIPENV_CA, *named, command, env=live_env, cwd=project) as terminal:
        assert terminal.finish() == 0, terminal.shown
    assert stand_in.record["terminal"] == [True, True, True]


@pytest.mark.wide
def test_program_below_the_own_pipenv_has_the_terminal(
    sandbox_env: dict[str, str], installed: Path
) -> None:
    code = "import os; print([os.isatty(n) for n in range(3)])"
    words = ("run", "python", "-c", code)
    with Terminal(PIPENV_CA, *words, env=sandbox_env, cwd=installed) as terminal:
        assert terminal.finish() == 0, terminal.shown
    assert "[True, True, True]" in terminal.shown


def test_control_c_reaches_pipenv_once(
    live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    """Of one ctrl-C at a terminal pipenv, which is waited for, sees one interrupt."""
    counting = "count = []; signal.signal(signal.SIGINT, lambda *_: count.append(1))"
    # After the first interrupt it stays for a while, in which a second one would come.
    staying = "while not count: time.sleep(0.01)\ntime.sleep(0.3)\nsys.exit(40 + len(count))"
    stand_in, named = stand_in_for(tmp_path, counting, staying)
    with Terminal(PIPENV_CA, *named, WAITED, env=live_env, cwd=project) as terminal:
        stand_in.wait_until_run()
        terminal.type(b"\x03")
        assert terminal.finish() == 41, terminal.shown
    assert "Traceback" not in terminal.shown
    assert list(Path(live_env["TMPDIR"]).iterdir()) == []


@pytest.mark.parametrize("command", [WAITED, HANDED_OVER])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_reaches_pipenv_and_ends_this_process(
    name: str, command: str, live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    number = signal.Signals[name]
    # (Python itself would make an exception of SIGINT.)
    stand_in, named = stand_in_for(
        tmp_path, "signal.signal(signal.SIGINT, signal.SIG_DFL)", "time.sleep(60)"
    )
    with started(PIPENV_CA, *named, command, env=live_env, cwd=project) as process:
        child = stand_in.wait_until_run()["pid"]
        process.send_signal(number)
        assert process.wait(30) == -number
        assert process.communicate() == ("", "")
    assert not _is_running(child)
    assert list(Path(live_env["TMPDIR"]).iterdir()) == []


def test_exit_status_of_a_handled_interrupt_is_kept(
    live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    stand_in, named = stand_in_for(
        tmp_path, "signal.signal(signal.SIGINT, lambda *_: os._exit(7))", "time.sleep(60)"
    )
    with started(PIPENV_CA, *named, WAITED, env=live_env, cwd=project) as process:
        stand_in.wait_until_run()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 7
    assert list(Path(live_env["TMPDIR"]).iterdir()) == []


def test_signal_ignored_by_nohup_stays_ignored(
    live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    stand_in, named = stand_in_for(
        tmp_path, 'record["hup"] = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN'
    )
    ignoring = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    ignoring += "os.execv(sys.argv[1], sys.argv[1:])"
    words = (sys.executable, "-c", ignoring, PIPENV_CA, *named, WAITED)
    assert run(*words, env=live_env, cwd=project).status == 0
    assert stand_in.record["hup"]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- commands that need no index ---------------------------------------------------------


@pytest.fixture(scope="module")
def installed(sandbox: Sandbox, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a lock and an environment, both without packages."""
    folder = tmp_path_factory.mktemp("installed")
    write_pipfile(folder, source(sandbox.endpoint), "[packages]\n")
    (folder / "Pipfile.lock").write_text(
        json.dumps(
            {"_meta": {"hash": {"sha256": "0"}, "sources": []}, "default": {}, "develop": {}}
        )
    )
    app_data = ["--app-data", str(shared / "virtualenv")]
    virtualenv = [sys.executable, "-m", "virtualenv", "--quiet", *app_data, str(folder / ".venv")]
    subprocess.run(virtualenv, check=True)
    return folder


def both(words: list[str], env: dict[str, str], folder: Path, *programs: list[str]) -> list[Result]:
    """Run something below us and below pipenv itself, or some programs, at once."""
    chosen = programs or ([PIPENV_CA], [PIPENV])
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda name: run(*name, *words, env=env, cwd=folder), chosen))


@pytest.mark.wide
@pytest.mark.parametrize(
    "words",
    [
        ["--venv"],
        ["--where"],
        ["graph"],
        ["verify"],
        ["requirements"],
        ["scripts"],
        ["activate"],
        ["lock", "--help"],
        ["run", "python", "-c", DUMP],
        ["run", "pip", "list"],
        ["no-such-command"],
    ],
    ids=" ".join,
)
def test_offline_command_needs_no_credentials_and_sends_no_request(
    words: list[str],
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    installed: Path,
) -> None:
    env = without_credentials(sandbox_env)
    calls = Calls(sandbox)
    ours, theirs = both(words, env, installed)
    assert calls.to_aws() == 0
    if DUMP in words:
        assert _environment(ours) == _environment(theirs)
    else:
        assert ours == theirs


@pytest.mark.wide
def test_own_pipenv_gets_the_same_words_in_process(
    sandbox_env: dict[str, str], installed: Path
) -> None:
    code = "import sys; print(sys.argv[1:])"
    words = ["a b", "", "two\nlines", "é", os.fsdecode(b"\xff"), "--", "--ca-x"]
    ours, theirs = both(["run", "python", "-c", code, *words], sandbox_env, installed)
    assert ours == theirs == Result(0, f"{words}\n", "")


def _environment(result: Result) -> dict[str, str]:
    found: dict[str, str] = json.loads(result.stdout)
    return {name: value for name, value in found.items() if name not in {"PIPENV_ACTIVE", "_"}}


@pytest.mark.shows_token("output")
@pytest.mark.wide
def test_program_gets_the_token_only_with_run_token(
    sandbox: Sandbox, sandbox_env: dict[str, str], installed: Path
) -> None:
    token = get_token(sandbox, sandbox_env, installed)
    words = ("run", "python", "-c", DUMP)
    plain = run(PIPENV_CA, *words, env=sandbox_env, cwd=installed)
    assert plain.status == 0, plain.output
    assert TOKEN_VARIABLE not in plain.output
    assert token not in plain.output
    given = run(PIPENV_CA, "--ca-run-token", *words, env=sandbox_env, cwd=installed)
    assert json.loads(given.stdout)[TOKEN_VARIABLE] == token
    by_variable = sandbox_env | {"PIPENV_CA_RUN_TOKEN": "1"}
    again = run(PIPENV_CA, *words, env=by_variable, cwd=installed)
    assert json.loads(again.stdout)[TOKEN_VARIABLE] == token


@pytest.mark.parametrize(
    "words",
    [
        ["run", "pip", "install", "x"],
        ["run", "pip3", "download", "x"],
        ["run", "python", "-m", "pip", "install", "x"],
        ["run", "fetch"],
        ["run", "pip", "list", "--outdated"],
    ],
    ids=" ".join,
)
def test_pip_gets_the_repository_and_no_token_in_arguments(
    words: list[str], sandbox: Sandbox, live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    token = get_token(sandbox, live_env, tmp_path)
    write_pipfile(project, source(sandbox.endpoint), '[scripts]\nfetch = "pip install x"\n')
    stand_in, named = stand_in_for(tmp_path, 'record["netrc"] = open(os.environ["NETRC"]).read()')
    assert run(PIPENV_CA, *named, *words, env=live_env, cwd=project).status == 0
    record = stand_in.record
    assert record["argv"] == words
    assert record["environ"]["PIP_INDEX_URL"] == sandbox.endpoint.simple_url
    assert record["environ"]["PIP_EXTRA_INDEX_URL"].strip() == ""
    assert token not in json.dumps(record["environ"])
    assert record["netrc"] == f"machine {sandbox.endpoint.host} login aws password {token}\n"


# --- which pipenv ------------------------------------------------------------------------


@pytest.mark.wide
def test_option_beats_variable_beats_user_file_for_pipenv(
    clean_env: dict[str, str], home: Path, project: Path, tmp_path: Path
) -> None:
    chosen = {
        name: StandIn(tmp_path / name, afterwards=f"print({name!r})")
        for name in ("option", "variable", "file")
    }
    own = run(PIPENV_CA, "--version", env=clean_env, cwd=project)
    assert own == run(PIPENV, "--version", env=clean_env, cwd=project)
    config = home / ".config" / "codeartifact-pipenv" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'pipenv = "{chosen["file"].path}"\n')
    assert run(PIPENV_CA, "--version", env=clean_env, cwd=project).stdout == "file\n"
    env = clean_env | {"PIPENV_CA_PIPENV": str(chosen["variable"].path)}
    assert run(PIPENV_CA, "--version", env=env, cwd=project).stdout == "variable\n"
    words = ("--ca-pipenv", os.path.relpath(chosen["option"].path, project), "--version")
    assert run(PIPENV_CA, *words, env=env, cwd=project).stdout == "option\n"


def test_pipenv_name_is_searched_on_path(
    clean_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    stand_in = StandIn(tmp_path / "bin", afterwards='print("found")')
    env = clean_env | {"PATH": f"{stand_in.path.parent}:{clean_env['PATH']}"}
    words = ("--ca-pipenv", stand_in.path.name, "graph")
    assert run(PIPENV_CA, *words, env=env, cwd=project) == Result(0, "found\n", "")


@pytest.mark.wide
@pytest.mark.usefixtures("pipfile")
def test_project_cannot_choose_the_pipenv_to_run(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    stand_in, _ = stand_in_for(tmp_path)
    (project / "pyproject.toml").write_text(
        f'[tool.codeartifact-pipenv]\npipenv = "{stand_in.path}"\n'
    )
    calls = Calls(sandbox)
    locked = run(PIPENV_CA, "lock", env=sandbox_env, cwd=project)
    assert_error(locked, 2, "pyproject.toml sets pipenv", "PIPENV_CA_PIPENV")
    run(PIPENV_CA, "--version", env=sandbox_env, cwd=project)
    assert not stand_in.was_run
    assert calls.to_aws() == 0


@pytest.mark.parametrize("command", [WAITED, HANDED_OVER])
def test_missing_pipenv_exits_with_127(
    command: str, live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    for named in (str(tmp_path / "gone"), "no-such-pipenv"):
        done = run(PIPENV_CA, "--ca-pipenv", named, command, env=live_env, cwd=project)
        assert_error(done, 127, named)
    orphan = tmp_path / "orphan"
    orphan.write_text("#!/no/such/python\n")
    orphan.chmod(0o755)
    done = run(PIPENV_CA, "--ca-pipenv", orphan, command, env=live_env, cwd=project)
    assert_error(done, 127, str(orphan), "interpreter")
    assert list(Path(live_env["TMPDIR"]).iterdir()) == []


@pytest.mark.parametrize("command", [WAITED, HANDED_OVER])
def test_pipenv_that_cannot_be_executed_exits_with_126(
    command: str, live_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    stand_in, named = stand_in_for(tmp_path)
    stand_in.path.chmod(0o644)
    done = run(PIPENV_CA, *named, command, env=live_env, cwd=project)
    assert_error(done, 126, str(stand_in.path), "Permission denied")
    done = run(PIPENV_CA, "--ca-pipenv", tmp_path, command, env=live_env, cwd=project)
    assert_error(done, 126, str(tmp_path))
    assert list(Path(live_env["TMPDIR"]).iterdir()) == []


@pytest.mark.wide
@pytest.mark.parametrize("name", ["pipenv-ca", "a link", "codeartifact-pipenv"])
def test_this_program_is_refused_as_pipenv(
    name: str, clean_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    link = tmp_path / "pipenv"
    link.symlink_to(PIPENV_CA)
    named = str(link) if name == "a link" else str(SCRIPTS / name)
    by_option = run(PIPENV_CA, "--ca-pipenv", named, "graph", env=clean_env, cwd=project)
    assert_error(by_option, 2, "this program itself")
    env = clean_env | {"PIPENV_CA_PIPENV": named}
    by_variable = run(PIPENV_CA, "graph", env=env, cwd=project)
    assert_error(by_variable, 2, "this program itself")


def test_environment_without_pipenv_exits_with_127(
    clean_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    (library,) = bare.glob("lib/python*/site-packages")
    shutil.copytree(Path(codeartifact_pipenv.__file__).parent, library / "codeartifact_pipenv")
    words = (bare / "bin" / "python", "-m", "codeartifact_pipenv", "--version")
    assert_error(
        run(*words, env=clean_env, cwd=project), 127, "pipenv is not installed", "--ca-pipenv"
    )


@pytest.mark.wide
def test_version_and_help_are_those_of_pipenv_under_every_name(
    clean_env: dict[str, str], project: Path
) -> None:
    module = [sys.executable, "-m", "codeartifact_pipenv"]
    said = [
        both([option], clean_env, project, *programs)
        for option, programs in (
            ("--version", [[PIPENV], [PIPENV_CA], [str(SCRIPTS / "codeartifact-pipenv")], module]),
            ("--help", [[PIPENV], [PIPENV_CA]]),
        )
    ]
    for theirs, *ours in said:
        assert theirs.status == 0
        assert [done._replace(stdout=done.stdout[: len(theirs.stdout)]) for done in ours] == [
            theirs
        ] * len(ours)


@pytest.mark.wide
@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]], ids=" ".join)
def test_help_of_pipenv_is_followed_by_own_verbs_and_options(
    words: list[str], clean_env: dict[str, str], project: Path
) -> None:
    done = run(PIPENV_CA, *words, env=clean_env, cwd=project)
    theirs, _, ours = done.stdout.partition("verbs of codeartifact-pipenv:\n")
    assert done.status == 0
    assert "requirements" in theirs
    assert "  doctor " in ours
    assert "  --ca-profile NAME " in ours


@pytest.mark.parametrize(
    ("word", "meant"),
    [("doctr", "doctor"), ("fixx", "fix"), ("logn", "login"), ("pakages", "packages")],
)
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


@pytest.mark.wide
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
