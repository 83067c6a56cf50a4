"""The examples for CI: their files fit the systems' schemas, and their commands work."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.acme import ACME, CI_ROLE, Reader, acme_sandbox, make_invoices, write_acme_project
from support.ci import (
    add_aws,
    add_program,
    build_image,
    container_credentials,
    load_yaml,
    read_dockerfile,
)
from support.clients import Place
from support.github import github as github_identity
from support.guides import ROOT, document, script, section
from support.programs import PIPENV_CA, SCRIPTS, Result, run
from support.runs import get_token
from support.sandbox import IDENTITY
from support.traces import CommandLines, assert_no_secrets, assert_not_shown, files_with

from codeartifact_pipenv.settings import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

WIDE = pytest.mark.wide
INSTALL = "pipx install codeartifact-pipenv"
CI = ROOT / "examples" / "ci"
README = document("examples/ci/README.md")
DOCKERFILE = document("examples/ci/Dockerfile")


@pytest.mark.parametrize(
    "schema",
    [
        "github-workflows github*.yml",
        "github-actions action/action.yml",
        "gitlab-ci gitlab-ci.yml",
        "dependabot dependabot.yml",
    ],
)
def test_each_example_fits_the_schema_of_its_system(schema: str) -> None:
    name, pattern = schema.split()
    check_schema(name, *CI.glob(pattern))


def check_schema(schema: str, *paths: Path) -> None:
    words = ("--builtin-schema", f"vendor.{schema}")
    done = run(SCRIPTS / "check-jsonschema", *words, *paths, env={}, cwd=CI)
    assert done.status == 0, done.output


def test_buildspec_has_only_phases_and_keys_that_codebuild_knows() -> None:
    spec = load_yaml(CI / "buildspec.yml")
    assert (str(spec["version"]), set(spec)) == ("0.2", {"version", "phases", "cache"})
    assert list(spec["phases"]) == ["install", "build"]
    for phase in spec["phases"].values():
        assert set(phase) <= {"runtime-versions", "commands"}
        assert all(isinstance(command, str) for command in phase["commands"])


def cache(system: str) -> tuple[str, list[str]]:
    """Return the key and the paths of a system's cache."""
    if system == "github":
        steps = load_yaml(CI / "github.yml")["jobs"]["test"]["steps"]
        (found,) = [s["with"] for s in steps if s.get("uses", "").startswith("actions/cache")]
        return found["key"], found["path"].split()
    if system == "gitlab":
        found = load_yaml(CI / "gitlab-ci.yml")["test"]["cache"]
        return " ".join(found["key"]["files"]), found["paths"]
    found = load_yaml(CI / "buildspec.yml")["cache"]
    return found["key"], [path.removesuffix("/**/*") for path in found["paths"]]


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]) -> Iterator[Sandbox]:
    """Acme's account, in which the README's commands have made the roles."""
    folder = tmp_path_factory.mktemp("acme")
    with acme_sandbox(folder / "packages", clean_base) as running:
        shutil.copy(CI / "gitlab-trust.json", folder)
        add_aws(folder)
        env = running.environ(clean_base)
        env |= {"PATH": f"{folder}:{SCRIPTS}:{env['PATH']}", "HOME": str(folder)}
        lines = script(section(README, "The role"), section(README, "GitLab"))
        done = run("bash", "-c", lines, env=env, cwd=folder)
        assert done.status == 0, done.output
        yield running


@pytest.fixture(scope="module")
def lock(acme: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("lock")
    write_acme_project(folder, acme)
    env = acme.environ() | {"HOME": str(folder), "PIPENV_NOSPIN": "1"}
    done = run(PIPENV_CA, "lock", env=env, cwd=folder)
    assert done.status == 0, done.output
    return (folder / "Pipfile.lock").read_text()


@pytest.fixture
def job(acme: Sandbox, clean_env: dict[str, str], project: Path, lock: str) -> Reader:
    """A job in a fresh checkout, whose environment has no credentials."""
    job = Reader(acme, clean_env, project)
    for name in ("PIP_CACHE_DIR", "PIPENV_CACHE_DIR"):
        del job.env[name]
    write_acme_project(project, acme)
    (project / "Pipfile.lock").write_text(lock)
    return job


def check(job: Reader, done: Result, token: str, system: str) -> None:
    """Check that a job has tested the locked packages with one token, which no CI cache gets."""
    assert "Ran 1 test" in done.output
    assert job.version("acme_invoices") == "1.0"
    assert job.calls.count() == 1
    assert_not_shown(token, done)
    (cached,) = files_with(token, [job.home, job.folder, Path(job.env["TMPDIR"])])
    assert cached.is_relative_to(job.home / ".cache")
    key, paths = cache(system)
    assert "Pipfile.lock" in key
    for path in paths:
        assert not cached.is_relative_to(job.folder / re.sub("^~", str(job.home), path))


def play_workflow(job: Reader, name: str) -> Result:
    """Run the steps of a workflow's only job, with the identity that GitHub gives it."""
    workflow = load_yaml(CI / name)
    assert workflow["permissions"]["id-token"] == "write"
    (played,) = workflow["jobs"].values()
    output = ""
    with github_identity(job.env | played["env"]) as of_job:
        job.env = of_job.env | {"GITHUB_ACTIONS": "true"}
        for step in played["steps"]:
            if "run" in step:
                env = {n: value for n, value in step.get("env", {}).items() if "${{" not in value}
                output += job.run(step["run"], **env).output
    return Result(0, output, "")


@WIDE
def test_github_job_installs_with_the_role_that_trusts_its_environment(job: Reader) -> None:
    done = play_workflow(job, "github.yml")
    check(job, done, get_token(job.acme, job.env, job.folder), "github")


def play_action(job: Reader, **inputs: str) -> str:
    """Run the composite action's commands, give the job their variables, and return the log."""
    action = load_yaml(CI / "action" / "action.yml")
    given = {name: each["default"] for name, each in action["inputs"].items()} | inputs

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: given[found[1]], text)

    files = {name: job.folder.parent / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT")}
    job.env |= {"GITHUB_ACTIONS": "true", **{name: str(path) for name, path in files.items()}}
    log = ""
    for step in action["runs"]["steps"]:
        if "run" in step:
            env = {name: filled(value) for name, value in step.get("env", {}).items()}
            assert filled(step.get("working-directory", ".")) == "."
            # The package under test replaces any released version.
            line = step["run"].replace('--quiet "codeartifact-pipenv$VERSION"', PROGRAM)
            log += job.run(line, **env).output
    assert files["GITHUB_OUTPUT"].read_text().startswith("version=3.")
    job.env |= dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
    files["GITHUB_ENV"].unlink()
    return log


@WIDE
@pytest.mark.shows_token("output")  # the command that masks it has it
def test_action_takes_the_role_and_the_next_step_runs_bare_pipenv(job: Reader) -> None:
    with github_identity(job.env) as of_job:
        job.env = of_job.env
        log = play_action(job, role=CI_ROLE)
    assert [target for target, _ in of_job.asked] == ["/id?api=2&audience=sts.amazonaws.com"]
    token = job.env["CODEARTIFACT_AUTH_TOKEN"]
    assert log.count(token) == log.count(f"::add-mask::{token}\n") == 1
    assert token == get_token(job.acme, job.env, job.folder)
    done = job.run("pipenv sync --dev", "pipenv-ca run python -m unittest")
    assert "Ran 1 test" in done.output
    assert job.version("acme_invoices") == "1.0"
    assert job.calls.count() == 1


@WIDE
def test_check_of_a_pull_request_sends_no_request_to_aws(job: Reader) -> None:
    steps = load_yaml(CI / "github-lint.yml")["jobs"]["lint"]["steps"]
    (step,) = [each for each in steps if "run" in each]
    job.run(INSTALL, step["run"].removeprefix("pipx run "), **step["env"])
    (job.folder / "Pipfile").write_text("[packages]\nacme-core = '*'\n")
    assert job.ask("codeartifact-pipenv lint", **step["env"]).status == 1
    assert job.calls.to_aws() == 0


@WIDE
def test_weekly_job_opens_a_pull_request_only_for_a_changed_lock(job: Reader) -> None:
    job.acme.publish(make_invoices(job.folder.parent / "new", "1.1"))
    asked = job.folder.parent / "asked"
    add_program(job.programs, "gh", f'#!/bin/sh\necho "$@" >> {asked}\n[ "$2" = create ]\n')
    (job.home / ".gitconfig").write_text("[user]\nname = A\nemail = a@acme.example\n")
    (job.folder / ".gitignore").write_text(".venv\n__pycache__\n")
    job.run(
        "git init -q -b main; git add .; git commit -qm locked",
        "git init -q --bare ../origin; git remote add origin ../origin; git push -q origin main",
    )
    done = play_workflow(job, "github-update.yml")
    assert "Ran 1 test" in done.output
    assert asked.read_text().splitlines()[-1] == "pr create --fill --head packages/update"
    changed = job.run("git -C ../origin diff --name-only main packages/update").stdout.split()
    assert changed == ["Pipfile.lock"]
    pushed = json.loads(job.run("git -C ../origin show packages/update:Pipfile.lock").stdout)
    assert pushed["default"]["acme-invoices"]["version"] == "==1.1"
    asked.unlink()
    job.run("git switch -q -c next")
    play_workflow(job, "github-update.yml")
    assert not asked.exists()


@WIDE
def test_gitlab_job_takes_its_role_with_its_own_identity(job: Reader) -> None:
    played = load_yaml(CI / "gitlab-ci.yml")["test"]
    (variable,) = played["id_tokens"]
    for name, value in played["variables"].items():
        job.env[name] = value.replace("$CI_PROJECT_DIR", str(job.folder))
    written = job.folder.parent / "token"
    lines = [*played["before_script"], *played["script"], f"pipenv-ca token > '{written}'"]
    done = job.run(*lines, **{variable: IDENTITY})
    token = written.read_text().strip()
    written.unlink()
    check(job, done, token, "gitlab")


@WIDE
def test_codebuild_job_gets_credentials_of_its_service_role(job: Reader) -> None:
    phases = load_yaml(CI / "buildspec.yml")["phases"]
    with container_credentials(job.acme, CI_ROLE) as variables:
        job.env |= variables | {"CODEBUILD_SRC_DIR": str(job.folder)}
        done = job.run(*(line for phase in phases.values() for line in phase["commands"]), by="sh")
        token = get_token(job.acme, job.env, job.folder)
    check(job, done, token, "codebuild")


@WIDE
@pytest.mark.shows_token("output")  # the stand-in for docker prints the secret
def test_image_gets_the_secret_of_the_build_command_and_no_layer_contains_it(job: Reader) -> None:
    docker = '#!/bin/sh\nwhile [ "$1" != --secret ]; do shift; done\nprintenv "${2#id=}"\n'
    add_program(job.programs, "docker", docker)
    aws = job.acme.environ(job.env) | {"PIPENV_CA_NO_CACHE": "1"}
    secret = job.run(INSTALL, script(section(README, "Docker")), **aws).stdout.strip()
    (job.folder / "app.py").write_text("import acme_invoices\nprint(acme_invoices.total())\n")
    layers = job.folder.parent / "layers"
    with CommandLines(pause=0.02) as seen:
        image = build_image(DOCKERFILE, job.folder, layers, job.env, secret)
    assert job.calls.count() == 1  # the build command's
    assert seen.holding(secret) == set()
    assert_no_secrets(secret, layers, job.home, Path(job.env["TMPDIR"]))
    python, *words = json.loads(read_dockerfile(DOCKERFILE)[-1].words)
    program = image / "app" / ".venv" / "bin" / python
    assert run(program, *words, env=job.env, cwd=image / "app").stdout == "42\n"


@WIDE
def test_tox_installs_locked_packages_in_its_own_environment(job: Reader, clients: Clients) -> None:
    shutil.copy(CI / "tox.ini", job.folder)
    job.take_role()
    done = job.run(INSTALL, f"'{clients('tox').bin / 'tox'}'")
    assert "Ran 1 test" in done.output
    assert Place(job.folder / ".tox" / "test").version("acme_invoices") == "1.0"
    assert not (job.folder / ".venv").exists()
    assert job.calls.count() == 1
    assert_not_shown(get_token(job.acme, job.env, job.folder), done)


@WIDE
def test_pre_commit_accepts_the_hooks_and_each_passes_on_its_files(
    job: Reader, clients: Clients
) -> None:
    program = clients("pre-commit").bin / "pre-commit"
    example, manifest = CI / "pre-commit-config.yaml", ROOT / ".pre-commit-hooks.yaml"
    job.run(f"'{program}' validate-config '{example}'")
    job.run(f"'{program}' validate-manifest '{manifest}'", INSTALL)
    (repository,) = load_yaml(example)["repos"]
    hooks = load_yaml(manifest)
    assert [hook["id"] for hook in repository["hooks"]] == [hook["id"] for hook in hooks]
    for hook in hooks:
        names = [path.name for path in job.folder.iterdir() if re.search(hook["files"], path.name)]
        assert sorted(names) == ["Pipfile", "Pipfile.lock"]
        job.run(" ".join([hook["entry"], *names]))


@WIDE
def test_lint_finds_an_index_that_dependabot_invents_and_lock_fixes_it(job: Reader) -> None:
    lock = job.folder / "Pipfile.lock"
    invented = '"index": "dependabot-inserted-index-0"'
    lock.write_text(lock.read_text().replace('"index": "codeartifact"', invented, 1))
    job.env = job.acme.environ(job.env)
    found = job.ask(INSTALL, "pipenv-ca lint")
    assert found.status == 1
    assert "is locked from dependabot-inserted-index-0" in found.stdout
    assert "[lock-index]" in found.stdout
    job.run("pipenv-ca lock", "pipenv-ca lint")
    assert files_with(invented, [job.folder]) == []
    url = load_yaml(CI / "dependabot.yml")["registries"]["codeartifact"]
    assert url["url"] == job.acme.endpoint.simple_url
    assert (url["domain"], url["domain-owner"], url["aws-region"]) == ACME


@WIDE
@pytest.mark.shows_token("files")  # plain pipenv 2026 leaves one below the temporary folder
def test_pipenv_locks_with_the_token_of_renovates_host_rule(job: Reader) -> None:
    job.env = job.acme.environ(job.env)
    lines = script(section(README, "Dependabot and Renovate"))
    said = job.run(INSTALL, lines, 'printf %s "$RENOVATE_HOST_RULES"')
    (rule,) = json.loads(said.stdout)
    assert job.acme.endpoint.simple_url.startswith(f"{rule['matchHost']}/")
    configuration = job.folder.parent / "renovate.json"
    configuration.write_text(json.dumps({"hostRules": [rule]}))
    check_schema("renovate", configuration)
    job.run("pipenv lock", CODEARTIFACT_AUTH_TOKEN=rule["password"], AWS_ACCESS_KEY_ID="none")
