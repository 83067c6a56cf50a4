"""The places that a setting comes from, and the values that are refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.parsing import load_toml_bytes
from codeartifact_pipenv.settings import SETTINGS, Settings, default_cache_dir, user_config_path

if TYPE_CHECKING:
    from pathlib import Path

ACME = Domain("acme", "123456789012", "us-east-1")
ROLE = "arn:aws:iam::123456789012:role/team/reader"
PERSONAL = sorted(name for name, setting in SETTINGS.items() if setting.personal)


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
    with pytest.raises(ConfigurationError, match=r"none\.toml"):
        places.settings().text("profile")


@pytest.mark.skipif(os.name == "nt", reason="there a user's folder comes from elsewhere")
@pytest.mark.parametrize("home", ["", "nowhere"])
def test_paths_are_empty_without_a_home(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home)
    assert default_cache_dir({"HOME": home}) == user_config_path({"HOME": home}) == ""


def test_the_strongest_layer_wins(places: Places) -> None:
    assert places.settings().text("profile") is None
    places.write_user('profile = "user"\n')
    assert places.settings().text("profile") == "user"
    places.write_project('profile = "project"\n')
    assert places.settings().text("profile") == "project"
    places.environ["PIPENV_CA_PROFILE"] = "variable"
    assert places.settings().text("profile") == "variable"
    places.options["profile"] = "option"
    assert places.settings().text("profile") == "option"


@pytest.mark.parametrize(
    ("name", "domain", "project"), [("profile", "work", "team"), ("role", ROLE, None)]
)
def test_a_domain_table_wins_over_the_project_and_the_file(
    name: str, domain: str, project: str | None, places: Places
) -> None:
    """It applies to this domain only. Variables and options win over it."""
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


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("domains = 3\n", "domains"),
        ('domains = ["acme-123456789012"]\n', "domains"),
        ('[domains]\nacme-123456789012 = "work"\n', "domains.acme-123456789012"),
        ("[domains.acme]\n", "domains.acme"),
        ("[domains.-123456789012]\n", "domains.-123456789012"),
        ("[domains.acme-12345678901]\n", "domains.acme-12345678901"),
    ],
)
def test_a_table_that_does_not_name_a_domain_is_refused(
    text: str, subject: str, places: Places
) -> None:
    """The hint has an example."""
    places.write_user(text)
    with pytest.raises(ConfigurationError) as caught:
        places.settings().text("profile")
    assert caught.value.sentence == f"{subject} in {places.user} is not a table of a domain."
    assert '"acme-123456789012"' in caught.value.hint


def test_a_domain_table_accepts_profile_and_role_only(places: Places) -> None:
    places.write_user("[domains.acme-123456789012]\nduration = 900\n")
    with pytest.raises(
        ConfigurationError, match=r"sets duration in .*which is not a setting of a"
    ) as caught:
        places.settings().text("profile")
    assert caught.value.hint == "Known: profile and role."


def test_a_project_may_not_set_domain_tables(places: Places) -> None:
    places.write_project('domains.acme-123456789012.profile = "x"\n')
    with pytest.raises(ConfigurationError, match="sets domains, which a project may not") as caught:
        places.settings()
    assert "config.toml" in caught.value.hint


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_role_arn_is_accepted(partition: str, places: Places) -> None:
    arn = f"arn:{partition}:iam::123456789012:role/a/b_+=,.@-C1"
    places.write_user(f'role = "{arn}"\n')
    assert places.settings().text("role") == arn


@pytest.mark.parametrize(
    "arn",
    [
        "reader",
        "role/reader",
        f" {ROLE}",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a b",
        "arn:aws:iam::123456789012:role/\N{LATIN SMALL LETTER E WITH ACUTE}",
        "arn:aws:iam::123456789012:user/me",
        "arn:aws:iam::12345:role/reader",
        "arn:aws:iam:us-east-1:123456789012:role/reader",
        "arn:aws:sts::123456789012:assumed-role/reader/me",
        "arn:azure:iam::123456789012:role/reader",
        "arn:aws:iam::123456789012:x:role/reader",
        ":role/x",
    ],
)
def test_a_malformed_role_arn_is_refused(arn: str, places: Places) -> None:
    places.environ["PIPENV_CA_ROLE"] = arn
    assert refusal(places.settings(), "role").startswith(
        "PIPENV_CA_ROLE must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/NAME"
    )


def test_a_stronger_no_wins_over_a_weaker_yes(places: Places) -> None:
    places.write_user("verbose = true\n")
    assert places.settings().flag("verbose")
    places.write_project("verbose = false\n")
    assert not places.settings().flag("verbose")
    places.environ["PIPENV_CA_VERBOSE"] = "yes"
    assert places.settings().flag("verbose")
    places.environ["PIPENV_CA_VERBOSE"] = "0"
    assert not places.settings().flag("verbose")
    places.options["verbose"] = True
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
    ("written", "route"),
    [
        ("loopback", "loopback"),
        ("as-written", "as-written"),
        ("proxy", "loopback"),
        ("direct", "as-written"),
    ],
)
def test_each_name_of_a_route_is_accepted(places: Places, written: str, route: str) -> None:
    """Each of the two routes has two names, and a project may choose one."""
    places.write_project(f"route = {written!r}\n")
    assert places.settings().text("route") == route


@pytest.mark.parametrize("value", ["['loopback']", "{a = 1}", "1979-05-27"])
def test_a_route_must_be_text(places: Places, value: str) -> None:
    places.write_project(f"route = {value}\n")
    with pytest.raises(ConfigurationError, match="must be loopback or as-written"):
        places.settings().text("route")


@pytest.mark.parametrize("value", ["mirror", "LOOPBACK", "as written", " "])
def test_an_unknown_route_is_refused(places: Places, value: str) -> None:
    places.environ["PIPENV_CA_ROUTE"] = value
    with pytest.raises(
        ConfigurationError, match=r"^PIPENV_CA_ROUTE must be loopback or as-written"
    ):
        places.settings().text("route")


def test_the_state_directory_follows_cache_dir(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a home there is not a state directory."""
    places.environ["XDG_CACHE_HOME"] = "/caches"
    assert places.settings().state_directory() == os.path.join("/caches", "codeartifact-pipenv")
    places.environ["PIPENV_CA_CACHE_DIR"] = "/elsewhere"
    assert places.settings().state_directory() == "/elsewhere"
    places.environ.clear()
    monkeypatch.setenv("HOME", "nowhere")
    assert places.settings().state_directory() is None


@pytest.mark.parametrize("value", ["0", "900", "43200", "3600", 0, 900, 43200])
def test_a_duration_in_range_is_accepted(places: Places, value: str | int) -> None:
    places.write_user(f"duration = {value!r}\n")
    assert places.settings().seconds("duration", 1) == int(value)


@pytest.mark.parametrize(
    "value",
    [
        "1",
        "899",
        "43201",
        "-1",
        '"12h"',
        '"900s"',
        "900.5",
        "true",
        "false",
        "[900]",
        '""',
        "1e400",
    ],
)
def test_a_duration_out_of_range_is_refused(places: Places, value: str) -> None:
    places.write_user(f"duration = {value}\n")
    with pytest.raises(ConfigurationError, match="0 or 900 to 43200 seconds"):
        places.settings().seconds("duration", 1)


def refusal(settings: Settings, name: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings.text(name)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value.sentence


def test_a_bad_value_says_where_it_came_from(places: Places) -> None:
    """The message names the option, the variable or the file."""
    places.write_user('duration = "soon"\n')
    assert refusal(places.settings(), "duration").startswith(f"duration in {places.user} must be")
    places.write_project('duration = "later"\n')
    pyproject = places.project / "pyproject.toml"
    assert refusal(places.settings(), "duration").startswith(f"duration in {pyproject} must be")
    places.environ["PIPENV_CA_DURATION"] = "never"
    assert refusal(places.settings(), "duration").startswith("PIPENV_CA_DURATION must be")
    places.options["duration"] = "now"
    sentence = refusal(places.settings(), "duration")
    assert sentence.startswith("--ca-duration must be")
    assert "'now'" in sentence


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("profile", "3", "a text"),
        ("profile", '"  "', "a text"),
        ("verbose", '"perhaps"', "true or false"),
        ("verbose", "1", "true or false"),
        ("allowed-owners", '"12345"', "account numbers of 12 digits"),
        ("allowed-owners", "[123456789012]", "account numbers of 12 digits"),
        ("allowed-owners", "123456789012", "account numbers of 12 digits"),
        ("cache-dir", "[]", "a text"),
        ("lint-ignore", "3", "a list of texts"),
        ("private-packages", '["a", 3]', "a list of texts"),
        ("private-packages", '[""]', "a list of texts"),
    ],
)
def test_a_bad_value_names_the_expected_kind(
    places: Places, name: str, value: str, expected: str
) -> None:
    places.write_user(f"{name} = {value}\n")
    assert f"must be {expected}" in refusal(places.settings(), name)


@pytest.mark.parametrize(
    "value", ['"123456789012, 210987654321"', '["123456789012", "210987654321"]']
)
def test_account_numbers_are_split(places: Places, value: str) -> None:
    """The value is a list, or a text with commas or blanks."""
    places.write_user(f"allowed-owners = {value}\n")
    assert places.settings().accounts("allowed-owners") == ("123456789012", "210987654321")


@pytest.mark.parametrize("value", ['"acme-*, billing"', '["acme-*", " billing "]'])
def test_a_list_of_texts_is_split(places: Places, value: str) -> None:
    """A project may set it."""
    places.write_project(f"private-packages = {value}\n")
    assert places.settings().words("private-packages") == ("acme-*", "billing")
    assert places.settings().words("lint-ignore") == ()


def test_settings_of_one_project_do_not_apply_to_the_next(places: Places, tmp_path: Path) -> None:
    places.write_project('profile = "one"\n')
    settings = places.settings()
    settings.read_project(str(tmp_path))
    assert settings.text("profile") is None


def test_an_empty_list_of_accounts_allows_none(places: Places) -> None:
    """An empty list is a limit and differs from an unset one."""
    places.write_user("allowed-owners = []\n")
    assert places.settings().accounts("allowed-owners") == ()


@pytest.mark.parametrize("word", ["1", "true", "YES", "on", " True "])
def test_words_for_yes_are_true(places: Places, word: str) -> None:
    places.environ["PIPENV_CA_REFRESH"] = word
    assert places.settings().flag("refresh")


@pytest.mark.parametrize("word", ["0", "false", "No", "OFF", " "])
def test_words_for_no_are_false(places: Places, word: str) -> None:
    places.environ["PIPENV_CA_REFRESH"] = word
    assert not places.settings().flag("refresh")


def test_personal_settings_are_the_expected_ones() -> None:
    """Settings that choose a program, an account or a place for tokens are personal."""
    assert PERSONAL == [
        "allowed-owners",
        "cache-dir",
        "keyring-backend",
        "no-cache",
        "pipenv",
        "role",
    ]


@pytest.mark.parametrize("name", PERSONAL)
def test_personal_settings_are_refused_from_a_project(places: Places, name: str) -> None:
    """The message names the variable that may set it."""
    places.write_project(f'{name} = "x"\n')
    with pytest.raises(ConfigurationError) as caught:
        places.settings()
    assert f"sets {name}, which a project may not choose" in caught.value.sentence
    assert SETTINGS[name].variable in caught.value.hint


@pytest.mark.parametrize("name", PERSONAL)
def test_personal_settings_are_accepted_from_the_user_file(places: Places, name: str) -> None:
    value = {"allowed-owners": "123456789012", "role": ROLE}.get(name, "true")
    places.write_user(f'{name} = "{value}"\n')
    of_file = places.settings()
    assert of_file.text(name) or of_file.flag(name) or of_file.accounts(name)


def test_unknown_keys_are_refused(places: Places) -> None:
    """A misspelled key is an error in either file; the hint lists the known ones."""
    places.write_user("proflie = 'x'\n")
    with pytest.raises(ConfigurationError, match="sets proflie, which is not a setting") as caught:
        places.settings().text("profile")
    assert "profile" in caught.value.hint
    places.write_user("")
    places.write_project("proflie = 'x'\n")
    with pytest.raises(ConfigurationError, match="sets proflie, which is not a setting"):
        places.settings()


@pytest.mark.parametrize("content", [b"profile = ", b"profile = '\xff'", b"\x00", b"[a\n"])
def test_broken_user_configuration_is_refused(places: Places, content: bytes) -> None:
    """A limit in the file might be lost otherwise."""
    places.user.write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        places.settings().accounts("allowed-owners")
    assert str(places.user) in caught.value.sentence


@pytest.mark.parametrize("content", [b"profile = ", b"profile = '\xff'", b"\x00", b"[a\n"])
def test_a_broken_pyproject_is_ignored(places: Places, content: bytes) -> None:
    (places.project / "pyproject.toml").write_bytes(content)
    assert places.settings().text("profile") is None


@pytest.mark.parametrize("text", ["", "tool = 3\n", "[tool.other]\nx = 1\n", "[project]\n"])
def test_a_pyproject_without_our_table_is_accepted(places: Places, text: str) -> None:
    places.write_project(text, head="")
    assert places.settings().text("profile") is None


def test_our_table_must_be_a_table(places: Places) -> None:
    places.write_project("[tool]\ncodeartifact-pipenv = 3\n", head="")
    with pytest.raises(ConfigurationError, match="is not a table"):
        places.settings()


def test_a_valid_option_hides_a_broken_file(places: Places) -> None:
    places.write_user("broken")
    places.options["profile"] = "option"
    assert places.settings().text("profile") == "option"


def test_a_tilde_in_a_path_is_expanded(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    places.environ["PIPENV_CA_CACHE_DIR"] = "~/tokens"
    places.write_user('pipenv = "~/bin/pipenv"\n')
    assert places.settings().text("cache-dir") == "/home/someone/tokens"
    assert places.settings().text("pipenv") == "/home/someone/bin/pipenv"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps both in LOCALAPPDATA")
def test_configuration_and_cache_follow_xdg_or_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert user_config_path({}) == "/home/someone/.config/codeartifact-pipenv/config.toml"
    assert default_cache_dir({}) == "/home/someone/.cache/codeartifact-pipenv"
    xdg = {"XDG_CONFIG_HOME": "/xdg/config", "XDG_CACHE_HOME": "/xdg/cache"}
    assert user_config_path(xdg) == "/xdg/config/codeartifact-pipenv/config.toml"
    assert default_cache_dir(xdg) == "/xdg/cache/codeartifact-pipenv"
    # The XDG specification ignores relative paths.
    assert default_cache_dir({"XDG_CACHE_HOME": "cache"}) == default_cache_dir({})
    assert user_config_path({**xdg, "PIPENV_CA_CONFIG": "/own.toml"}) == "/own.toml"


def test_toml_is_read_with_this_python() -> None:
    assert load_toml_bytes(b"a = [1]\n[b]\nc = 'd'\n") == {"a": [1], "b": {"c": "d"}}
