"""The places that a setting comes from, and the values that are refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.settings import SETTINGS, Settings, default_cache_dir, user_config_path

if TYPE_CHECKING:
    from pathlib import Path

ACME = Domain("acme", "123456789012", "us-east-1")
ROLE = "arn:aws:iam::123456789012:role/team/reader"
# They choose a program, an account or a place for tokens.
PERSONAL = ["allowed-owners", "cache-dir", "keyring-backend", "no-cache", "pipenv", "role"]


class Places(NamedTuple):
    """The four places of a setting."""

    options: dict[str, str | bool]
    environ: dict[str, str]
    project: Path
    user: Path

    def write_project(self, text: str, head: str = "[tool.codeartifact-pipenv]\n") -> None:
        (self.project / "pyproject.toml").write_text(head + text, encoding="utf-8")

    def write_user(self, text: str) -> None:
        self.user.write_text(text, encoding="utf-8")

    def settings(self) -> Settings:
        made = Settings(self.options, self.environ)
        made.read_project(str(self.project))
        return made


@pytest.fixture
def places(tmp_path: Path) -> Places:
    project = tmp_path / "project"
    project.mkdir()
    user = tmp_path / "codeartifact-pipenv" / "config.toml"
    user.parent.mkdir()
    return Places({}, {"XDG_CONFIG_HOME": str(tmp_path)}, project, user)


def test_a_missing_file_in_pipenv_ca_config_is_an_error(places: Places, tmp_path: Path) -> None:
    places.environ["PIPENV_CA_CONFIG"] = str(tmp_path / "none.toml")
    assert "none.toml" in refusal(places, "profile")[0]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps both in LOCALAPPDATA")
@pytest.mark.parametrize(
    ("home", "environ", "config", "cache"),
    [
        ("/me", {}, "/me/.config", "/me/.cache"),
        ("/me", {"XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/x"}, "/c", "/x"),
        # The XDG specification ignores relative paths.
        ("/me", {"XDG_CONFIG_HOME": "c", "XDG_CACHE_HOME": "x"}, "/me/.config", "/me/.cache"),
        ("", {}, "", ""),
        ("nowhere", {}, "", ""),
    ],
)
def test_configuration_and_cache_follow_xdg_or_the_home(
    home: str, environ: dict[str, str], config: str, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home)
    environ = {"HOME": home, **environ}
    assert user_config_path(environ) == (config and f"{config}/codeartifact-pipenv/config.toml")
    assert default_cache_dir(environ) == (cache and f"{cache}/codeartifact-pipenv")
    assert Settings({}, environ).state_directory() == (default_cache_dir(environ) or None)
    own = {**environ, "PIPENV_CA_CONFIG": "/own.toml", "PIPENV_CA_CACHE_DIR": "/elsewhere"}
    assert (user_config_path(own), Settings({}, own).state_directory()) == (
        "/own.toml",
        "/elsewhere",
    )


@pytest.mark.parametrize(
    ("name", "domain", "project"), [("profile", "work", "team"), ("role", ROLE, None)]
)
def test_a_domain_table_wins_over_the_project_and_the_file(
    name: str, domain: str, project: str | None, places: Places
) -> None:
    general = ROLE.replace("reader", "general")
    places.write_user(f'{name} = "{general}"\n[domains."acme-123456789012"]\n{name} = "{domain}"\n')
    if project:
        places.write_project(f'{name} = "{project}"\n')
    found = places.settings()
    assert found.text(name, ACME) == domain
    assert found.origin(name, ACME) == f'{name} in [domains."acme-123456789012"] of {places.user}'
    for other in (None, ACME._replace(name="acme2"), ACME._replace(owner="210987654321")):
        assert found.text(name, other) == (project or general)
    for strength, set_by in ((places.environ, "PIPENV_CA_" + name.upper()), (places.options, name)):
        strength[set_by] = ROLE.replace("reader", set_by)
        assert places.settings().text(name, ACME) == strength[set_by]


USERS = {
    "domains = 3": ("domains in {} is not a table of a domain", '"acme-123456789012"'),
    'domains = ["acme-123456789012"]': ("domains in {} is not a table of a domain", "acme"),
    '[domains]\nacme-123456789012 = "x"': ("domains.acme-123456789012 in {} is not a table", ""),
    "[domains.acme]": ("domains.acme in {} is not a table of a domain", ""),
    "[domains.-123456789012]": ("domains.-123456789012 in {} is not a table of a domain", ""),
    "[domains.acme-12345678901]": ("domains.acme-12345678901 in {} is not a table of a", ""),
    "[domains.acme-123456789012]\nduration = 900": ("sets duration in", "profile and role."),
    "proflie = 'x'": ("sets proflie, which is not a setting", "profile"),
}
PROJECTS = {
    'domains.acme-123456789012.profile = "x"': ("sets domains, which a project", "config.toml"),
    "proflie = 'x'": ("sets proflie, which is not a setting", "profile"),
    **{
        f"{name} = 'x'": (f"sets {name}, which a project may not", SETTINGS[name].variable)
        for name in PERSONAL
    },
}


@pytest.mark.parametrize("text", USERS)
def test_a_wrong_key_in_the_users_file_is_refused(text: str, places: Places) -> None:
    places.write_user(f"{text}\n")
    sentence, hint = refusal(places, "profile")
    assert USERS[text][0].format(places.user) in sentence
    assert USERS[text][1] in hint


@pytest.mark.parametrize("text", PROJECTS)
def test_a_wrong_key_in_a_project_is_refused(text: str, places: Places) -> None:
    places.write_project(f"{text}\n")
    sentence, hint = refusal(places, "profile")
    assert PROJECTS[text][0] in sentence
    assert PROJECTS[text][1] in hint


def test_a_value_in_place_of_the_projects_table_is_refused(places: Places) -> None:
    places.write_project("[tool]\ncodeartifact-pipenv = 3\n", head="")
    assert "is not a table" in refusal(places, "profile")[0]


ARN = "arn:aws:iam::123456789012:"
ROLES = [f"arn:{x}:iam::123456789012:role/a/b_+=,.@-C1" for x in ("aws", "aws-cn", "aws-us-gov")]


@pytest.mark.parametrize(
    "arn",
    [
        *("reader", "role/reader", f" {ROLE}", ":role/x", f"{ARN}role/", f"{ARN}role/a b"),
        *(f"{ARN}role/\N{LATIN SMALL LETTER E WITH ACUTE}", f"{ARN}user/me", f"{ARN}x:role/reader"),
        *("arn:aws:iam::12345:role/reader", "arn:aws:iam:us-east-1:123456789012:role/reader"),
        "arn:aws:sts::123456789012:assumed-role/reader/me",
        "arn:azure:iam::123456789012:role/reader",
    ],
)
def test_a_malformed_role_arn_is_refused(arn: str, places: Places) -> None:
    places.environ["PIPENV_CA_ROLE"] = arn
    assert "PIPENV_CA_ROLE must be the ARN of an IAM role" in refusal(places, "role")[0]


def test_a_stronger_no_wins_over_a_weaker_yes(places: Places) -> None:
    places.write_user("verbose = true\n")
    assert places.settings().flag("verbose")
    places.write_project("verbose = false\n")
    assert not places.settings().flag("verbose")
    places.environ["PIPENV_CA_VERBOSE"] = "yes"
    assert places.settings().flag("verbose")


def test_an_unset_setting_has_its_default(places: Places) -> None:
    unset = places.settings()
    assert [name for name in SETTINGS if unset.flag(name)] == []
    assert [name for name in SETTINGS if unset.text(name) is not None] == []
    assert unset.seconds("duration", 7) == 7
    assert unset.accounts("allowed-owners") is None


def test_an_empty_variable_counts_as_unset(places: Places) -> None:
    places.write_user('profile = "user"\nduration = 900\nno-cache = true\n')
    places.environ.update(PIPENV_CA_PROFILE="", PIPENV_CA_DURATION="", PIPENV_CA_NO_CACHE="")
    assert places.settings().text("profile") == "user"
    assert places.settings().seconds("duration", 0) == 900
    assert places.settings().flag("no-cache")


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        *(("route", name, "loopback") for name in ("loopback", "proxy")),
        *(("route", name, "as-written") for name in ("as-written", "direct")),
        *(("role", arn, arn) for arn in ROLES),
    ],
)
def test_each_valid_role_and_route_is_accepted(
    places: Places, name: str, written: str, value: str
) -> None:
    places.write_user(f"{name} = {written!r}\n")
    assert places.settings().text(name) == value


@pytest.mark.parametrize("value", ["0", "900", "43200", "3600", 0, 900, 43200])
def test_a_duration_in_range_is_accepted(places: Places, value: str | int) -> None:
    places.write_user(f"duration = {value!r}\n")
    assert places.settings().seconds("duration", 1) == int(value)


def refusal(places: Places, name: str) -> tuple[str, str]:
    """Return sentence and hint of the error that a setting causes."""
    with pytest.raises(ConfigurationError) as caught:
        places.settings().text(name)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value.sentence, caught.value.hint


def test_a_bad_value_says_where_it_came_from(places: Places) -> None:
    places.write_user('duration = "soon"\n')
    assert refusal(places, "duration")[0].startswith(f"duration in {places.user} must be")
    places.write_project('duration = "later"\n')
    pyproject = places.project / "pyproject.toml"
    assert refusal(places, "duration")[0].startswith(f"duration in {pyproject} must be")
    places.environ["PIPENV_CA_DURATION"] = "never"
    assert refusal(places, "duration")[0].startswith("PIPENV_CA_DURATION must be")
    places.options["duration"] = "now"
    sentence, _ = refusal(places, "duration")
    assert sentence.startswith("--ca-duration must be")
    assert "'now'" in sentence


BAD = {
    ("profile", "a text"): ["3", '"  "'],
    ("cache-dir", "a text"): ["[]"],
    ("verbose", "true or false"): ['"perhaps"', "1"],
    ("allowed-owners", "account numbers of 12 digits"): ['"12345"', "[123456789012]", "1234"],
    ("lint-ignore", "a list of texts"): ["3"],
    ("private-packages", "a list of texts"): ['["a", 3]', '[""]'],
    ("route", "loopback or as-written"): ["['loopback']", "{a = 1}", "1979-05-27", '"LOOPBACK"'],
    ("duration", "0 or 900 to 43200 seconds"): [
        *("1", "899", "43201", "-1", '"12h"', '"900s"', "900.5", "true", "[900]", '""', "1e400")
    ],
}


@pytest.mark.parametrize(
    ("name", "expected", "value"), [(*kind, value) for kind in BAD for value in BAD[kind]]
)
def test_a_bad_value_names_the_expected_kind(
    places: Places, name: str, expected: str, value: str
) -> None:
    places.write_user(f"{name} = {value}\n")
    assert f"must be {expected}" in refusal(places, name)[0]


@pytest.mark.parametrize(
    ("value", "accounts"),
    [
        ('"123456789012, 210987654321"', ("123456789012", "210987654321")),
        ('["123456789012", "210987654321"]', ("123456789012", "210987654321")),
        ("[]", ()),  # allows no account
    ],
)
def test_account_numbers_are_a_list_or_a_text(
    places: Places, value: str, accounts: tuple[str, ...]
) -> None:
    places.write_user(f"allowed-owners = {value}\n")
    assert places.settings().accounts("allowed-owners") == accounts


@pytest.mark.parametrize("value", ['"acme-*, billing"', '["acme-*", " billing "]'])
def test_private_packages_of_a_project_are_a_list_or_a_text(places: Places, value: str) -> None:
    places.write_project(f"private-packages = {value}\n")
    assert places.settings().words("private-packages") == ("acme-*", "billing")
    assert places.settings().words("lint-ignore") == ()


def test_settings_of_one_project_do_not_apply_to_the_next(places: Places, tmp_path: Path) -> None:
    places.write_project('profile = "one"\n')
    settings = places.settings()
    settings.read_project(str(tmp_path))
    assert settings.text("profile") is None


@pytest.mark.parametrize(
    "word", ["1", "true", "YES", "on", " True ", "0", "false", "No", "OFF", " "]
)
def test_words_for_yes_and_no_set_a_flag(places: Places, word: str) -> None:
    places.environ["PIPENV_CA_REFRESH"] = word
    assert places.settings().flag("refresh") is (word in {"1", "true", "YES", "on", " True "})


@pytest.mark.parametrize("name", PERSONAL)
def test_personal_settings_are_accepted_from_the_users_file(places: Places, name: str) -> None:
    value = {"allowed-owners": "123456789012", "role": ROLE}.get(name, "true")
    places.write_user(f'{name} = "{value}"\n')
    of_file = places.settings()
    assert of_file.text(name) or of_file.flag(name) or of_file.accounts(name)


@pytest.mark.parametrize("content", [b"profile = ", b"profile = '\xff'", b"\x00", b"[a\n"])
def test_a_broken_users_file_is_refused_and_a_broken_pyproject_ignored(
    places: Places, content: bytes
) -> None:
    (places.project / "pyproject.toml").write_bytes(content)
    assert places.settings().text("profile") is None
    places.user.write_bytes(content)  # it may hold a limit
    assert f"{places.user} cannot be read" in refusal(places, "profile")[0]
    places.options["profile"] = "option"
    assert places.settings().text("profile") == "option"


@pytest.mark.parametrize("text", ["", "tool = 3\n", "[tool.other]\nx = 1\n", "[project]\n"])
def test_a_pyproject_without_our_table_is_accepted(places: Places, text: str) -> None:
    places.write_project(text, head="")
    assert places.settings().text("profile") is None


def test_a_tilde_in_a_path_is_expanded(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    places.environ["PIPENV_CA_CACHE_DIR"] = "~/tokens"
    places.write_user('pipenv = "~/bin/pipenv"\n')
    assert places.settings().text("cache-dir") == "/home/someone/tokens"
    assert places.settings().text("pipenv") == "/home/someone/bin/pipenv"
