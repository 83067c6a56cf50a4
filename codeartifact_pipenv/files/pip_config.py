"""User configuration of pip: settings that name places, configuration files and netrc."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# --- settings that change where files come from --------------------------------------------
# pip takes such a setting from an option, a variable, a key of its configuration files, or a line of
# a requirements file. One list serves all of them. An ambiguous abbreviation, which pip rejects, may
# be recognised here.

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


# --- configuration files -------------------------------------------------------------------
# See "Configuration" in the documentation of pip.

_MAXIMUM_BYTES = 1024 * 1024
# Parts of the keys that are looked for; configparser takes long to import.
_TELLING = ("index", "pypi", "links", "constraint", "requirement", "host", "log", "cert")
NAME = "pip.ini" if sys.platform == "win32" else "pip.conf"
_HOMEBREW = ("/opt/homebrew/", "/usr/local/")


def named_file(environ: Mapping[str, str]) -> str | None:
    """Return the file of ``PIP_CONFIG_FILE``, with which pip does not read the user's own.

    None if the variable is not set, or names a file that does not exist; ``os.devnull`` is
    for pip to read no file at all.
    """
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return named
    return os.path.abspath(named) if named and os.path.exists(named) else None


def all_files(environ: Mapping[str, str]) -> list[str]:
    """Return the files that pip reads, the weakest first; those need not exist."""
    named = named_file(environ)
    if named == os.devnull:
        return []
    places = [os.path.join(folder, NAME) for folder in _global_folders(environ)]
    if named is None:
        with contextlib.suppress(ConfigurationError):  # no home directory
            places += user_files(environ)
    places.append(os.path.join(sys.prefix, NAME))
    return [*places, *([named] if named else [])]


def index_settings(environ: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return the index URL and the extra index URLs that pip is told by variables and files.

    Files that pip could not read either say nothing.
    """
    first = [word for kind in ("index-url", "pypi-url") for word in words(kind, environ)]
    return next(iter(first), None), words("extra-index-url", environ)


def words(setting: str, environ: Mapping[str, str], command: str = "install") -> list[str]:
    """Return the words of a setting that takes several, such as ``trusted-host``.

    A variable takes the place of the files, unless it is empty; files that pip could not read
    either say nothing.
    """
    return setting_value(setting, environ, command)[0].split()


def setting_value(
    setting: str, environ: Mapping[str, str], command: str = "install"
) -> tuple[str, str]:
    """Return the value of a setting for one of pip's commands, and where it stands.

    That is the name of a variable, or the path of a file; two empty texts where it is not set.
    """
    for name, given in reversed(list(environ.items())):
        if name.startswith("PIP_") and normalise_key(name[len("PIP_") :]) == setting and given:
            return given, name
    return in_files(environ, command).get(setting, ("", ""))


def in_files(environ: Mapping[str, str], command: str = "install") -> dict[str, tuple[str, str]]:
    """Return what pip's configuration files say for one of its commands.

    By normalised key, value and file. Only files with a setting of ``_TELLING`` are parsed.
    """
    sections: dict[str, dict[str, tuple[str, str]]] = {"global": {}, command: {}}
    for path in all_files(environ):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            now = os.stat(path)
            parsed = _parsed(path, now.st_mtime_ns, now.st_size)
            for section, items in sections.items():
                items.update({key: (value, path) for key, value in parsed.get(section, {}).items()})
    # Later sections override earlier ones; an empty value is ignored.
    return {key: found for items in sections.values() for key, found in items.items() if found[0]}


def read_config(path: str) -> str:
    """Read a file of pip's, in the encoding that pip takes: on Windows that is rarely UTF-8.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    import locale

    text = read_bytes(path, _MAXIMUM_BYTES).decode(locale.getpreferredencoding(do_setlocale=False))
    return text.replace("\r\n", "\n").replace("\r", "\n")


@functools.lru_cache(maxsize=16)
def _parsed(path: str, _changed_at: int, _size: int) -> dict[str, dict[str, str]]:
    """Return the sections of a file, which is asked for many times in one command."""
    text = read_config(path)
    if not any(part in text.lower() for part in _TELLING):
        return {}
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {
        section: {normalise_key(key): value or "" for key, value in parser.items(section)}
        for section in parser.sections()
    }


def _global_folders(environ: Mapping[str, str]) -> list[str]:
    others: list[str] = []
    if sys.platform == "win32":
        shared = [environ.get("PROGRAMDATA", r"C:\ProgramData")]
    elif sys.platform == "darwin":
        # (pip before 26.2 reads the last one only.)
        brew = [f"{place}share" for place in _HOMEBREW if sys.base_prefix.startswith(place)]
        shared = environ.get("XDG_DATA_DIRS", "").split(":") + brew
        others = ["/Library/Application Support/pip"]
    else:
        shared, others = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"), ["/etc"]
    return [*(os.path.join(folder, "pip") for folder in shared if folder), *others]


def user_files(environ: Mapping[str, str]) -> list[str]:
    """Return the user's own files, the weakest first; a login belongs in the last.

    Raises:
        ConfigurationError: the home directory was not found.
    """
    if sys.platform == "win32":
        data = environ.get("APPDATA") or home("AppData", "Roaming", environ=environ)
        legacy, folders = home("pip", environ=environ), [os.path.join(data, "pip")]
    else:
        legacy, folders = home(".pip", environ=environ), _user_folders(environ)
    return list(dict.fromkeys(os.path.join(folder, NAME) for folder in [legacy, *folders]))


def _user_folders(environ: Mapping[str, str]) -> list[str]:
    config = home(".config", "pip", environ=environ)
    if sys.platform == "darwin":
        # pip before 26.2 knows the first one only.
        library = home("Library", "Application Support", environ=environ)
        data = [library, *_absolute(environ.get("XDG_DATA_HOME", ""))]
        found = [os.path.join(folder, "pip") for folder in data]
        folders = [folder if os.path.isdir(folder) else config for folder in found]
    else:
        base = _absolute(environ.get("XDG_CONFIG_HOME", ""))
        folders = [os.path.join(base[0], "pip") if base else config]
    return folders


def _absolute(path: str) -> list[str]:
    return [path] if os.path.isabs(path) else []


def home(*names: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a path below the user's home.

    Raises:
        ConfigurationError: the home directory was not found.
    """
    folder = environ.get("HOME", "") if sys.platform != "win32" else ""
    folder = folder or os.path.expanduser("~")
    if not os.path.isabs(folder):
        raise ConfigurationError("The home directory was not found.", "Set HOME.")
    return os.path.join(folder, *names)


# --- netrc ---------------------------------------------------------------------------------
# Python's netrc module, which pip and requests use, rejects a whole file for one unknown line. This
# code reads a file entry by entry and writes a form that every reader accepts.

# A word as Python's netrc reads it: only quotes at its beginning count.
_WORD = r'[ \t]*("(?:[^"\\\n]|\\[^\n])*"|(?:[^ \t"\\]|\\.)(?:[^ \t\\]|\\.)*)'
_END = r"[ \t]*\Z"
_STARTS = frozenset({"machine", "default", "macdef"})
_LOGIN = {"login": "login", "user": "login", "account": "account", "password": "password"}
# Keywords that git and curl allow in an entry, and Python does not.
_FOREIGN = frozenset({"protocol", "port", "path"})
_WEB = frozenset({"http", "https"})


class _Entry:
    """An entry, with words as written in the file, including quotes.

    Attributes:
        machine: the name of the machine, or None for ``default``.
        number: the number of its first line.
        values: by keyword, the value.
        is_usable: whether all of it was understood and it is for HTTP.
    """

    def __init__(self, machine: str | None, number: int, *, is_usable: bool = True) -> None:
        self.machine = machine
        self.number = number
        self.values: dict[str, str] = {}
        self.is_usable = is_usable

    def line(self) -> str:
        # Python 3.10 requires a password in each entry.
        values = {"password": '""'} | self.values
        fields = [
            f"{word} {values[word]}" for word in ("login", "account", "password") if word in values
        ]
        start = "default" if self.machine is None else f"machine {self.machine}"
        return " ".join([start, *fields]) + "\n"


class UsersNetrc:
    """The user's netrc file.

    Args:
        path: the path of the file.
        text: the text of the file; bytes that are not UTF-8 are lone surrogates.

    Attributes:
        unread: the numbers of lines that cannot be used.
        foreign: the numbers of lines with a keyword that only other programs know.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.unread: list[int] = []
        self.foreign: list[int] = []
        self._entries: list[_Entry] = []
        self._keyword = ""  # the keyword whose value is the next word
        self._keyword_at = 0
        self._macro_at = 0  # the first line of an open macro
        self._lines = text.removesuffix("\n").split("\n")
        for number, line in enumerate(self._lines, 1):
            if self._macro_at:
                self._macro_at = self._macro_at if line else 0
            else:
                self._read_line(number, line)
        self._drop_keyword()
        macro = self._lines[self._macro_at :] if self._macro_at else []
        if any(line.split()[:1] in (["machine"], ["default"]) for line in macro):
            self.unread.append(self._macro_at)

    def lines(self, without: Iterable[str] = ()) -> str:
        """Return the usable entries, except those of some machines."""
        return "".join(
            entry.line()
            for entry in self._entries
            if entry.is_usable and _unquote(entry.machine or "") not in without
        )

    def passwords(self) -> Iterator[tuple[int, str, str]]:
        """Yield line number, machine and password of each entry, without quotes."""
        for entry in self._entries:
            if entry.machine and "password" in entry.values:
                yield entry.number, _unquote(entry.machine), _unquote(entry.values["password"])

    def _read_line(self, number: int, line: str) -> None:
        at = 0
        is_first = True
        end, a_word = re.compile(_END), re.compile(_WORD)
        while not end.match(line, at):
            found = a_word.match(line, at)
            word = found[1] if found else ""
            if not self._keyword and (word or line[at:].lstrip(" \t")).startswith("#"):
                return
            is_bad = found is None or not _is_readable(word)
            is_within = bool(self._keyword) or not is_first
            if is_bad or not self._read_word(number, word, is_first=is_first):
                self._skip_entry(number, is_within=is_within)
                return
            if self._macro_at:
                return
            at = found.end() if found else len(line)
            is_first = False

    def _read_word(self, number: int, word: str, *, is_first: bool) -> bool:
        """Process a word, and return False if it is invalid."""
        known = word in _STARTS or word in _LOGIN or word in _FOREIGN
        if self._keyword and is_first and known:
            self._drop_keyword()
        if self._keyword:
            self._set_value(word)
        elif word == "default":
            self._entries.append(_Entry(None, number))
        elif word in _STARTS or (known and self._entries):
            self._keyword, self._keyword_at = word, number
            if word in _FOREIGN:
                self.foreign.append(number)
        else:
            return False
        return True

    def _set_value(self, word: str) -> None:
        keyword, self._keyword = self._keyword, ""
        if keyword == "machine":
            self._entries.append(_Entry(word, self._keyword_at, is_usable=bool(_unquote(word))))
            if not _unquote(word):
                self.unread.append(self._keyword_at)
        elif keyword == "macdef":
            self._macro_at = self._keyword_at
        elif keyword in _LOGIN:
            is_simple = re.fullmatch(r'"[^#\s"\\][^\s"\\]*"', word)
            self._entries[-1].values[_LOGIN[keyword]] = word[1:-1] if is_simple else word
        elif keyword == "protocol" and _unquote(word).lower() not in _WEB:
            self._entries[-1].is_usable = False

    def _drop_keyword(self) -> None:
        """Skip the entry whose keyword has no value."""
        if self._keyword:
            self._skip_entry(self._keyword_at, is_within=self._keyword != "macdef")

    def _skip_entry(self, number: int, *, is_within: bool) -> None:
        """Skip an invalid line and the entry that contains it."""
        self.unread.append(number)
        if self._keyword == "machine":
            self._entries.append(_Entry("", number, is_usable=False))
        elif self._entries and is_within:
            self._entries[-1].is_usable = False
        self._keyword = ""


def _unquote(word: str) -> str:
    """Return a word without quotes and backslashes."""
    inner = word[1:-1] if word.startswith('"') else word
    return re.sub(r"\\(.)", r"\1", inner)


def _is_readable(word: str) -> bool:
    """Whether Python can read a word; until 3.10 it supported neither quotes nor non-ASCII."""
    if sys.version_info < (3, 11):
        return word.isascii() and word.isprintable() and " " not in word
    return not any("\udc80" <= sign <= "\udcff" for sign in word)
