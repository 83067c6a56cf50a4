"""Every example is played by a test: each file, and each block of commands in a document."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import textwrap
from typing import TYPE_CHECKING

import pytest
from support.acme import OWNER
from support.ci import add_aws, load_yaml
from support.clients import client_environment
from support.guides import ROOT, blocks, commands, document, script, section
from support.lint import lock, pipfile, reviewed, write_project
from support.programs import SCRIPTS, run
from support.sandbox import client_of

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel
from codeartifact_pipenv.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = ROOT / "examples"
WIDE = pytest.mark.wide
# Files that git ignores, and that commands leave in a checkout.
OTHERS = {".gitignore", ".venv", "dist", "__pycache__", "Pipfile.lock", "build"}
# Documents and folders that one test plays from the first line to the last.
WHOLE = re.compile(
    r"guides/(assistant|clients|compatibility|integration|lint|performance|project-template"
    r"|provision|python-standards|settings)\.md#|(pictures|publish|quickstart)/"
)


def blocks_of(name: str, *titles: str) -> list[tuple[str, str]]:
    """Return the blocks of a document, or of some sections of it, each with its language."""
    text = document(name)
    parts = [section(text, title) for title in titles] or [text]
    return [found for part in parts for found in blocks(part)]


def bash(lines: list[str], env: dict[str, str], folder: Path) -> str:
    """Run commands in one shell, which must succeed, and return what they said."""
    env = env | {"PATH": f"{SCRIPTS}:{env['PATH']}", "PIPENV_VENV_IN_PROJECT": "1"}
    done = run("bash", "-euc", "\n".join(lines), env=env, cwd=folder, timeout=400)
    assert done.status == 0, done.output[-6000:]
    return done.output


def examples() -> Iterator[str]:
    """Yield each file of the examples, and each title above blocks of a document."""
    for path in [ROOT / "README.md", *sorted(EXAMPLES.rglob("*"))]:
        name = path.relative_to(ROOT).as_posix().removeprefix("examples/")
        if not path.is_file() or OTHERS & set(path.parts) or ".egg-info" in name:
            continue
        if path.suffix != ".md":
            yield name
            continue
        for part in re.split(r"(?m)^(?=##)", path.read_text("utf-8")):
            if "```" in part:
                yield f"{name}#{part.lstrip('# ').partition(chr(10))[0]}"


def test_each_example_is_played_by_a_test_that_names_it() -> None:
    tests = [path.read_text("utf-8") for path in (ROOT / "tests").glob("*.py")]

    def is_played(example: str) -> bool:
        name, _, title = example.partition("#")
        words = (name.rpartition("/")[2], f'"{title}"' if title else "")
        named = any(all(word in text for word in words) for text in tests)
        return named or WHOLE.match(example) is not None

    assert [example for example in examples() if not is_played(example)] == []


def test_extras_that_the_examples_install_exist() -> None:
    texts = [path.read_text("utf-8") for path in EXAMPLES.rglob("*.md")]
    named = set(re.findall(r"codeartifact-pipenv\[([\w,-]+)\]", "".join(texts)))
    extras = importlib.metadata.metadata("codeartifact-pipenv").get_all("Provides-Extra") or []
    assert {"mcp"} <= named <= set(extras)


def test_settings_of_the_lint_guide_ignore_a_code_and_name_private_packages(tmp_path: Path) -> None:
    text = pipfile('billing = "*"\nsix = "*"')
    path = write_project(tmp_path, text, lock(text, {"six": {"version": "==1.0"}}))
    assert "hashes-missing" in {finding.code for finding in reviewed(path).findings}
    ((_, settings),) = blocks_of("examples/guides/lint.md")
    (tmp_path / "pyproject.toml").write_text(settings)
    found = {(finding.code, finding.subject) for finding in reviewed(path).findings}
    assert ("index-missing", "package billing") in found
    assert "hashes-missing" not in {code for code, _ in found}


def test_table_of_the_settings_guide_gives_a_domain_its_role(tmp_path: Path) -> None:
    ((_, text),) = blocks_of("examples/guides/settings.md")
    (tmp_path / "config.toml").write_text(text)
    settings = Settings({}, {"PIPENV_CA_CONFIG": str(tmp_path / "config.toml")})
    domain = Domain("acme", OWNER, "eu-west-1")
    assert settings.text("profile", domain) == "work"
    assert settings.text("role", domain) == f"arn:aws:iam::{OWNER}:role/reader"


@pytest.mark.parametrize(
    ("name", "title"),
    [("README.md", "Before and after"), ("examples/guides/usage.md", "The Pipfile")],
)
def test_lint_finds_nothing_in_the_sources_that_documents_show(
    name: str, title: str, tmp_path: Path
) -> None:
    ((_, text),) = blocks_of(name, title)
    text = text.replace("DOMAIN", "acme").replace("REPOSITORY", "team")
    project = reviewed(write_project(tmp_path, text))
    assert project.findings == []
    assert list(project.contents.sources.repositories) == ["codeartifact"]


@WIDE
def test_line_of_the_readme_prints_what_it_shows_in_a_fresh_checkout(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    others = shutil.ignore_patterns(
        *OTHERS - {".gitignore"}, ".git", "tests", "*.egg-info", ".*_cache"
    )
    shutil.copytree(ROOT, checkout, ignore=others)
    text = section(document("README.md"), "Try it without an AWS account")
    ((_, line),) = blocks(text)
    again = commands(blocks_of("README.md", "Contribute")[0][1])[1]
    said = bash([line, again], clean_env, checkout)
    shown = text.split("```")[3].lstrip("\n")
    newest = re.compile(r"(humanize +)[\d.]+ +")
    assert newest.sub(r"\1", said).count(newest.sub(r"\1", shown)) == 2


@WIDE
def test_quickstart_runs_in_the_demonstration_and_in_an_account(
    clean_base: dict[str, str], clean_env: dict[str, str], tmp_path: Path
) -> None:
    project = tmp_path / "examples" / "quickstart"
    shutil.copytree(EXAMPLES / "quickstart", project, ignore=shutil.ignore_patterns(*OTHERS))
    demo, own = (commands(block) for _, block in blocks_of("examples/quickstart/README.md"))
    assert "acme-invoices" in bash(demo, clean_env, tmp_path)
    (project / "Pipfile.lock").unlink(missing_ok=True)
    packages = [project / "packages"]
    place = {"domain": "acme", "region": "eu-west-1", "repository": "team"}
    with Sandbox(packages, base=clean_base, **place) as sandbox:  # type: ignore[arg-type]
        said = bash(own, sandbox.environ(clean_env), project)
    assert "1,234,567 in two invoices\n" in said


def write_sandbox_project(folder: Path, domain: str, repository: str) -> None:
    """Write a project of one private package for a repository, with the package in ``wheels``."""
    make_wheel(folder / "wheels", "our-package", "1.0")
    shutil.copytree(folder / "wheels", folder / "dist")
    host = f"{domain}.amazonaws.com/pypi/{repository}"
    url = f"https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{host}/simple/"
    write_project(folder, pipfile('our-package = "*"', ("ca", url)))
    (folder / "Makefile").write_text(
        "test:\n\tpipenv-ca run python -c 'import our_package'\n"
        f"release:\n\ttwine upload -u aws --repository-url https://{host}/ dist/*\n"
    )


@WIDE
def test_sandbox_run_works_at_a_prompt_and_in_a_ci_job(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    (_, block), (_, text) = blocks_of("examples/guides/sandbox.md", "One command: run")
    (tmp_path / "job.yml").write_text(text)
    install, *steps = [step["run"] for step in load_yaml(tmp_path / "job.yml")]
    assert install == 'pip install "codeartifact-pipenv[sandbox]"'
    places = {
        "demo-123456789012.d.codeartifact.us-east-1": ("pypi-store", commands(block)),
        "acme-111122223333.d.codeartifact.eu-west-1": ("team", steps),
    }
    for domain, (repository, lines) in places.items():
        folder = tmp_path / repository
        folder.mkdir()
        write_sandbox_project(folder, domain, repository)
        locks = lines[0].rpartition(" -- ")[0] + " -- pipenv-ca lock"
        bash([locks, *lines], clean_env, folder)
        assert list((folder / ".venv").glob("lib/*/site-packages/our_package"))


@WIDE
def test_fixtures_and_faults_of_the_sandbox_work_in_another_project(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    write_sandbox_project(tmp_path, "demo-123456789012.d.codeartifact.us-east-1", "pypi-store")
    found = blocks_of("examples/guides/sandbox.md", "pytest", "Faults")
    released, behaviour, faults = (block for language, block in found if language == "python")
    imports = "from codeartifact_pipenv.sandbox.behaviour import Behaviour\nimport pytest\n"
    (tmp_path / "conftest.py").write_text(imports + behaviour)
    played = textwrap.indent(f"sandbox = codeartifact_sandbox\n{faults}", "    ")
    test = f"def test_faults_of_the_guide_work(codeartifact_sandbox):\n{played}\n"
    (tmp_path / "test_it.py").write_text(f"import subprocess\n{released}\n{test}")
    assert "2 passed" in bash(["python -m pytest -q test_it.py"], clean_env, tmp_path)


@WIDE
def test_commands_of_the_provisioning_guide_work_in_one_shell(
    clean_base: dict[str, str], clean_env: dict[str, str], tmp_path: Path
) -> None:
    found = blocks_of("examples/guides/provision.md")
    lines = [line for _, block in found for line in block.splitlines()]
    add_aws(tmp_path)
    with Sandbox(base=clean_base, owner=OWNER, upstream=False) as sandbox:
        iam = client_of(sandbox, "iam", sandbox.user)
        iam.create_role(RoleName="ROLE", AssumeRolePolicyDocument="{}")
        env = sandbox.environ(clean_env) | {"AWS_REGION": "eu-west-1"}
        bash([f"PATH={tmp_path}:$PATH", "cd ~", *lines], env, tmp_path)
        kept = iam.list_attached_role_policies(RoleName="acme-ci")["AttachedPolicies"]
        iam.close()
    assert [each["PolicyName"] for each in kept] == ["acme-ci"]


@WIDE
@pytest.mark.parametrize("tool", ["twine", "uv"])
def test_commands_of_the_readme_publish_the_package_and_run_the_application(
    tool: str, clean_base: dict[str, str], clean_env: dict[str, str], tmp_path: Path
) -> None:
    checkout = tmp_path / "publish"
    shutil.copytree(EXAMPLES / "publish", checkout, ignore=shutil.ignore_patterns(*OTHERS))
    text = document("examples/publish/README.md")
    titles = ("From a fresh checkout to a published package", tool, "Install it")
    lines = script(*(section(text, title) for title in titles))
    with Sandbox(base=clean_base) as running:
        env = client_environment(running, clean_env, tmp_path / "tokens")
        assert "Hello, world!\n" in bash([lines], env, checkout)
