"""The list of pip's settings that change where files come from. Pure.

pip takes such a setting from an option, a variable, a key of its configuration files, or a line of a
requirements file. One list serves all of them. An ambiguous abbreviation, which pip rejects, may be
recognised here.
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INDEX, EXTRA_INDEX, FIND_LINKS, NO_INDEX = "index", "extra-index", "find-links", "no-index"
ISOLATED, FILES, PIP_WORDS = "isolated", "files", "pip-words"


class PipSetting(NamedTuple):
    """A setting of pip, or of pipenv for pip.

    Attributes:
        kind: what it is about; see above.
        options: its spellings, a short one first if there is one.
        takes_value: whether it has a value.
    """

    kind: str
    options: tuple[str, ...]
    takes_value: bool = True

    @property
    def name(self) -> str:
        """Its long option."""
        return next(option for option in self.options if option.startswith("--"))


SETTINGS = (
    PipSetting(INDEX, ("-i", "--index-url", "--pypi-url")),
    PipSetting(EXTRA_INDEX, ("--extra-index-url",)),
    PipSetting(FIND_LINKS, ("-f", "--find-links")),
    PipSetting(NO_INDEX, ("--no-index",), takes_value=False),
    # pip then ignores its variables, also those that this program sets.
    PipSetting(ISOLATED, ("--isolated",), takes_value=False),
    PipSetting(FILES, ("-r", "--requirement")),
    PipSetting(FILES, ("-c", "--constraint")),
    PipSetting(FILES, ("--build-constraint",)),
)
PIPENV_SETTINGS = (
    PipSetting(INDEX, ("-i", "--index")),
    PipSetting(FILES, ("-r", "--requirements")),
    PipSetting(PIP_WORDS, ("--extra-pip-args",)),
)
# Words for pip, as a JSON list; read by pipenv until 2025.
PIP_WORDS_VARIABLE = "PIPENV_EXTRA_PIP_ARGS"
# pip takes this one only as an option, and only unabbreviated.
_WHOLE_WORD = "--isolated"
# Values that cancel a user's own settings: pip ignores an empty variable, but not these.
NEUTRAL = {"PIP_EXTRA_INDEX_URL": " ", "PIP_FIND_LINKS": " ", "PIP_NO_INDEX": "0"}

# Letters of pip's and pipenv's other short options that take a value.
_PIP_LETTERS, _PIPENV_LETTERS = "tCdwbe", "eo"
_SHORTEST = len("--x")


class Given(NamedTuple):
    """A setting in a list of words.

    Attributes:
        setting: which one.
        option: how it is spelled, without its value.
        value: its value; empty without one.
        at: where in the words it begins.
        taken: how many words it takes.
        flags: the options of one letter before it in the same word, such as ``-U``.
    """

    setting: PipSetting
    option: str
    value: str
    at: int
    taken: int
    flags: str = ""

    @property
    def kind(self) -> str:
        """The kind of the setting."""
        return self.setting.kind

    @property
    def name(self) -> str:
        """Its long option, never abbreviated."""
        known = [o for o in self.setting.options if o.startswith(self.option)]
        return known[0] if known and self.option.startswith("--") else self.setting.name


class Named(NamedTuple):
    """A setting in the environment.

    Attributes:
        setting: which one.
        name: the variable's name.
        value: its value.
    """

    setting: PipSetting
    name: str
    value: str

    @property
    def kind(self) -> str:
        """The kind of the setting."""
        return self.setting.kind


def in_pip_words(words: Sequence[str]) -> list[Given]:
    """Return the settings in the words of a pip command, in order."""
    # `pip list -e -o` takes no values, `pip lock -o` does.
    letters = _PIP_LETTERS.replace("e", "") if "list" in words else _PIP_LETTERS
    return list(_read(words, SETTINGS, letters + ("o" if "lock" in words else "")))


def in_pipenv_words(words: Sequence[str]) -> list[Given]:
    """Return the settings in the words of a command of pipenv's that resolves or installs."""
    return list(_read(words, PIPENV_SETTINGS, _PIPENV_LETTERS))


def setting_of_key(name: str) -> PipSetting | None:
    """Return the setting that a key of a configuration file stands for."""
    option = f"--{normalise_key(name)}"
    found = (s for s in SETTINGS if option in s.options and option != _WHOLE_WORD)
    return next(found, None)


def normalise_key(name: str) -> str:
    """Return a key as pip compares it: ``Find_Links`` and ``--find-links`` are one."""
    return name.lower().replace("_", "-").removeprefix("--")


def setting_of_variable(name: str) -> PipSetting | None:
    """Return the setting that a variable stands for; its name may be in any case after PIP_."""
    return setting_of_key(name[len("PIP_") :]) if name.startswith("PIP_") else None


def in_environment(environ: Mapping[str, str]) -> list[Named]:
    """Return the settings that variables hold, also where they are empty."""
    return [
        Named(setting, name, value)
        for name, value in environ.items()
        if (setting := setting_of_variable(name)) is not None
    ]


def _read(words: Sequence[str], settings: Sequence[PipSetting], letters: str) -> Iterator[Given]:
    at = 0
    while at < len(words):
        given = _given(words, at, settings, letters)
        if given is not None:
            yield given
        # A word that looks like an option may be one, if the word before was itself a value.
        is_value = given is not None and given.taken > 1 and not given.value.startswith("-")
        at += 2 if is_value else 1


def _given(
    words: Sequence[str], at: int, settings: Sequence[PipSetting], letters: str
) -> Given | None:
    word = words[at]
    following = words[at + 1] if at + 1 < len(words) else ""
    if word.startswith("--"):
        option, equals, value = word.partition("=")
        setting = _long(option, settings)
        if setting is None:
            return None
        if equals or not setting.takes_value:
            return Given(setting, option, value, at, 1)
        return Given(setting, option, following, at, 2)
    if not word.startswith("-"):
        return None
    for position, letter in enumerate(word[1:], 1):
        option = f"-{letter}"
        setting = next((s for s in settings if option in s.options), None)
        if setting is not None:
            flags = word[:position] if position > 1 else ""
            value = word[position + 1 :]
            if value:
                return Given(setting, option, value, at, 1, flags)
            return Given(setting, option, following, at, 2, flags)
        if letter in letters:
            return None
    return None


def _long(option: str, settings: Sequence[PipSetting]) -> PipSetting | None:
    """Return the setting of a long option, abbreviated or not."""
    exact = next((s for s in settings if option in s.options), None)
    if exact is not None or len(option) < _SHORTEST:
        return exact
    abbreviated = (
        s for s in settings for o in s.options if o.startswith(option) and o != _WHOLE_WORD
    )
    return next(abbreviated, None)
