"""keyringrc.cfg: the section for an endpoint, and the errors of a broken file."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path
from typing import TYPE_CHECKING

import keyring.util.platform_
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codeartifact_pipenv.auth.keyringrc import KeyringConfig
from codeartifact_pipenv.auth.resolver import keyringrc_path, read_keyringrc, token_request
from codeartifact_pipenv.aws.caller import Caller, TokenRequest
from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint, parse_host, parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.settings import MAXIMUM_DURATION, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
URL = f"https://{HOST}/pypi/team/simple/"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
posix = pytest.mark.skipif(os.name == "nt", reason="the folders are POSIX's")


def endpoint(url: str = URL) -> RepositoryEndpoint:
    found = parse_url(url) if "/" in url else parse_host(url)
    assert found is not None
    return found


def written(home: Path, text: str | bytes | None) -> dict[str, str]:
    """Write the file, or a folder in its place; return the environment that names it."""
    path = home / "python_keyring" / "keyringrc.cfg"
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        path.mkdir()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {"XDG_CONFIG_HOME": str(home)}


def asked(environ: Mapping[str, str], url: str = URL, **options: str) -> TokenRequest:
    isolated = {"PIPENV_CA_CONFIG": os.devnull} | dict(environ)
    return token_request(Settings(options, isolated), isolated, endpoint(url))


SECTIONS = {
    "default": "[codeartifact]",
    "domain": '[codeartifact domain="my-dom"]',
    "both": "[codeartifact region='eu-west-1' domain=my-dom]",
    "all": '[codeartifact domain="my-dom" account="123456789012" region="eu-west-1" name="team"]',
}


@pytest.mark.parametrize("winner", SECTIONS)
def test_the_most_specific_section_wins_in_any_order(winner: str, tmp_path: Path) -> None:
    """It takes other values from [codeartifact]. One for a repository is not for a bare host."""
    chosen = list(SECTIONS)[: list(SECTIONS).index(winner) + 1]
    for names in (chosen, chosen[::-1]):
        text = "\n".join(f"{SECTIONS[name]}\nprofile_name = {name}" for name in names)
        environ = written(tmp_path, f"{text}\n[codeartifact]\ntoken_duration=1800\n")
        found = asked(environ)
        assert (found.caller.profile, found.duration) == (winner, 1800)
        assert asked(environ, HOST).caller.profile == ("both" if winner == "all" else winner)


@pytest.mark.parametrize(
    "title",
    [
        '[codeartifact domain="MY-DOM"]',
        '[codeartifact repository="team"]',  # unknown key: the section is never used
        '[codeartifact domain="my-dom]',
        '[codeartifact domain="my-dom" domain="my-dom"]',
        "[codeartifact-other]",
    ],
)
def test_a_section_that_is_not_for_this_endpoint_is_not_used(title: str, tmp_path: Path) -> None:
    """Its profile may belong to another account."""
    found = asked(written(tmp_path, f"{title}\nprofile_name = other\ntoken_duration = 900\n"))
    assert found == TokenRequest(MAXIMUM_DURATION)


def test_equally_specific_sections_that_differ_are_an_error(tmp_path: Path) -> None:
    """They agree, do not both apply, or a more specific section decides: no error."""
    first, second = "[codeartifact domain=my-dom]", "[codeartifact account=123456789012]"
    text = f"{first}\nprofile_name = one\n{second}\nprofile_name = two\n"
    environ = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as raised:
        asked(environ)
    assert first in raised.value.sentence
    assert second in raised.value.sentence
    assert raised.value.code == "keyringrc-ambiguous"
    assert asked(environ, URL.replace("123456789012", "000000000000")).caller.profile == "one"
    assert asked(written(tmp_path, text.replace("one", "two"))).caller.profile == "two"
    more = f"{text}[codeartifact domain=my-dom name=team]\nprofile_name = three\n"
    assert asked(written(tmp_path, more)).caller.profile == "three"


KEYS = f"aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = {SECRET}\n"


@pytest.mark.parametrize("line", KEYS.splitlines())
def test_half_of_a_key_pair_is_not_used(line: str, tmp_path: Path) -> None:
    assert asked(written(tmp_path, f"[codeartifact]\n{line}\n")).caller.keys is None


def test_own_settings_win_over_keyringrc_and_this_over_aws_profile(tmp_path: Path) -> None:
    """An identity comes from one place. Keys win over a profile in the same section."""
    text = "[codeartifact]\nprofile_name=a\ntoken_duration=1800\n"
    environ = written(tmp_path, f"{text}{KEYS}")
    found = asked(environ, profile="mine")
    assert (found.caller.profile, found.caller.keys, found.duration) == ("mine", None, 1800)
    found = asked(environ, duration="3600")
    assert (found.caller.profile, found.caller.keys is None, found.duration) == (None, False, 3600)
    found = asked(environ | {"PIPENV_CA_PROFILE": "mine", "PIPENV_CA_DURATION": "0"})
    assert found == TokenRequest(0, Caller("mine", profile_from="PIPENV_CA_PROFILE"))
    environ = written(tmp_path, text)
    assert asked(environ | {"AWS_PROFILE": "shell"}).caller.profile == "a"


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        (f"aws_secret_access_key = {SECRET}\n[codeartifact]\n", "line 1"),
        (f"[codeartifact]\naws_secret_access_key\n{SECRET}\n", "line 2"),
        (f"[codeartifact]\n{KEYS}{KEYS}", "line 4"),
        (b"# f\xfcr alle\n[codeartifact]\nprofile_name = x\n", "UTF-8"),
        ("[codeartifact]\ntoken_duration = an hour\n", "'an hour'"),
        ("[codeartifact]\ntoken_duration = 60\n", "'60'"),
        pytest.param(None, "cannot be read: it is not a regular file", marks=posix),
    ],
)
def test_a_broken_file_is_an_error(data: str | bytes | None, trouble: str, tmp_path: Path) -> None:
    environ = written(tmp_path, data)
    with pytest.raises(ConfigurationError) as raised:
        asked(environ)
    message = f"{raised.value.sentence} {raised.value.hint}"
    assert trouble in message
    assert keyringrc_path(environ) in message
    assert SECRET not in message
    assert "\n" not in message
    # The file is not needed if other settings provide all values.
    assert asked(environ, profile="mine", duration="900") == TokenRequest(
        900, Caller("mine", profile_from="--ca-profile")
    )


@pytest.mark.parametrize(
    ("data", "profile"),
    [
        (b"\xef\xbb\xbf[codeartifact]\r\nprofile_name = x\r\n", "x"),
        (b"[codeartifact name=team]\nPROFILE_NAME: 100%(what)s% # of the team\n", "100%(what)s%"),
        (b"[codeartifact]\nprofile_name =\n", None),
        ("[backend]\na = b\n[codeartifact]\nprofile_name = büro\n".encode(), "büro"),
    ],
)
def test_a_valid_file_of_an_unusual_form_is_read(
    data: bytes, profile: str | None, tmp_path: Path
) -> None:
    assert asked(written(tmp_path, data)).caller.profile == profile


@pytest.mark.parametrize("data", [b"", b"\xff\x00", b"[backend]\na = codeartifact.x\n[a\n"])
def test_a_file_without_codeartifact_sections_is_ignored(data: bytes, tmp_path: Path) -> None:
    environ = written(tmp_path, data)
    assert read_keyringrc(environ) is None
    assert asked(environ) == TokenRequest(MAXIMUM_DURATION)


@posix
def test_a_missing_or_relative_file_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the current folder is not read."""
    written(tmp_path / "~" / ".config", "[codeartifact]\nprofile_name = x\n")
    written(tmp_path / "relative", "[codeartifact]\nprofile_name = x\n")
    (tmp_path / "python_keyring").write_text("")  # a file where the folder should be
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    for base in (str(tmp_path), str(tmp_path / "none"), "relative", "~", "~/.config", ""):
        assert read_keyringrc({"XDG_CONFIG_HOME": base}) is None
    assert read_keyringrc({}) is None


@pytest.mark.parametrize("value", ["", "/folder"])
def test_the_path_of_the_file_is_that_of_keyring(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    theirs = keyring.util.platform_.config_root() / "keyringrc.cfg"
    assert Path(keyringrc_path(os.environ)) == theirs


OWN = {"domain": "a", "account": "0" * 12, "region": "b", "name": "c"}
values = st.sampled_from([*OWN.values(), "A", "ab", "1" * 12, ""])
values |= st.text(string.ascii_lowercase + string.digits + "-\"= ']", max_size=6)
titles = st.lists(st.tuples(st.sampled_from([*OWN, "x"]), values), max_size=5)


@given(st.lists(titles, max_size=4), st.binary(max_size=40))
@example([], b"[codeartifact]\nkey")
def test_any_file_gives_a_section_for_the_endpoint_or_a_configuration_error(
    sections: list[list[tuple[str, str]]], noise: bytes
) -> None:
    text = "\n".join(
        f"[codeartifact {' '.join(f'{key}={json.dumps(value)}' for key, value in title)}]\n"
        f"profile_name = {number}"
        for number, title in enumerate(sections)
    )
    where = RepositoryEndpoint(Domain("a", "0" * 12, "b"), "c", "ipv4", "host")
    try:
        config = KeyringConfig(text.encode() + noise, "file")
        profile = config.token_request(where).caller.profile
        config.unused()
    except ConfigurationError:
        return
    if profile is not None and profile.isdecimal() and not noise:
        assert all(OWN.get(key) == value for key, value in sections[int(profile)])
