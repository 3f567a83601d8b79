"""Settings of a log: from ``chained-logging.toml``, ``pyproject.toml`` and the environment.

The file is the one that ``CHAINED_LOGGING_CONFIG`` names, or else the first that is found from the
current folder upward: ``chained-logging.toml``, or a ``pyproject.toml`` with a table
``[tool.chained_logging]``. A relative path in it starts at the file's folder. Each setting is also
an environment variable, ``CHAINED_LOGGING_`` and its name in capitals, which wins over the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from chained_logging.errors import ChainedLoggingError
from chained_logging.files.own import open_regular, why_foreign

FILE: Final = "chained-logging.toml"
_PROJECT: Final = "pyproject.toml"
_PREFIX: Final = "CHAINED_LOGGING_"
_NO_SETTINGS: Final = frozenset(
    {
        *("CONFIG", "PASSPHRASE", "WEBHOOK_SECRET", "WEBHOOK_AUTHORIZATION"),
        *("OTLP_AUTHORIZATION", "SMTP_PASSWORD"),
    }
)  # variables with a meaning of their own
_SIZE_LIMIT: Final = 1 << 20

_Table = Mapping[str, Any]


class ConfigError(ChainedLoggingError, ValueError):
    """A setting, or the file that holds it, cannot be used."""


@dataclass(frozen=True)
class _Kind:
    """What a setting may be: how TOML gives it, and how the environment writes it."""

    words: str
    accepts: Callable[[Any], bool]
    parse: Callable[[str], Any]
    is_path: bool = False


def _boolean(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
        text.lower()
    ]


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) for name in value.values())


def _is_tables(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(table, dict) for table in value.values())


def _only_in_a_file(text: str) -> NoReturn:
    raise ValueError("a table is given in the file")


def _is_period(value: Any) -> bool:
    return value in ("week", "month", "quarter", "year")


def _period(text: str) -> str:
    if not _is_period(text):
        raise ValueError("a kind of period has a name")
    return text


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_TEXT: Final = _Kind("a string", lambda value: isinstance(value, str), str)
_PATH: Final = _Kind("a path", lambda value: isinstance(value, str), str, is_path=True)
_FLAG: Final = _Kind("true or false", lambda value: isinstance(value, bool), _boolean)
_COUNT: Final = _Kind("a whole number", lambda value: type(value) is int, int)
_NUMBER: Final = _Kind("a number", _is_number, float)
_PERIOD: Final = _Kind("week, month, quarter or year", _is_period, _period)
_LIST: Final = _Kind("a list of strings", _is_list, str.split)
_NAMES: Final = _Kind("a table of names", _is_names, _pairs)
_TABLES: Final = _Kind("a table of tables, each with a name", _is_tables, _only_in_a_file)

SETTINGS: Final[Mapping[str, _Kind]] = {
    "log": _PATH,
    "origin": _TEXT,
    "durability": _TEXT,
    "on_failure": _TEXT,
    "strict": _FLAG,
    "sync_interval": _NUMBER,
    "timeout": _NUMBER,
    "max_bytes": _COUNT,
    "max_age": _NUMBER,
    "spill": _PATH,
    "key": _PATH,
    "sign": _TEXT,
    "checkpoint_every": _COUNT,
    "checkpoint_interval": _NUMBER,
    "heartbeat": _NUMBER,
    "ship": _LIST,
    "resources": _NAMES,
}
"""Settings of a log: ``log`` is its path, the others are the keywords of `AuditLog`."""

READING: Final[Mapping[str, tuple[str, _Kind]]] = {
    "require_reason": ("reason", _FLAG),
    "require_recorded_reads": ("recorded", _FLAG),
    "record_reads_in": ("elsewhere", _PATH),
}
"""Settings of reading, each with its name in :class:`chained_logging.review.reading.Rules`."""

ALERTING: Final[Mapping[str, tuple[str, _Kind]]] = {
    "alert_to": ("to", _LIST),
    "alerts_into": ("into", _PATH),
    "alert_rules": ("rules", _PATH),
}
"""Settings of alerts, each with the name of the option that it stands for."""

REVIEWING: Final[Mapping[str, tuple[str, _Kind]]] = {
    "review_every": ("every", _PERIOD),
    "reviewer_keys": ("keys", _LIST),
}
"""Settings of reviews: which periods are to be reviewed, and the reviewers' keys as vkeys."""

DETECTING: Final[Mapping[str, tuple[str, _Kind]]] = {
    "people_zone": ("zone", _TEXT),
    "people_holidays": ("holidays", _LIST),
}
"""Settings of baselines: the time zone of the people whose work is logged, and their holidays."""

_ELSEWHERE: Final = {**READING, **ALERTING, **REVIEWING, **DETECTING}

TABLES: Final[Mapping[str, _Kind]] = {"retention": _TABLES}
"""Settings that are tables of tables, which only a file can have: ``[retention.patients]``."""


def load(
    file: str | os.PathLike[str] | None = None, environment: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Return the configured settings of a log, by name.

    :param file: the file to read; by default the one that the module describes.
    :param environment: the variables; by default those of this process.
    :raises ConfigError: for a setting that does not exist or has a wrong value, and for a file
        that is missing, no TOML, or could be written by another user.
    """
    every = _every(file, environment)
    return {name: every[name] for name in SETTINGS if name in every}


def destinations(log: Path) -> list[str] | None:
    """Return where the configuration ships a log; None if it names none, or is for another log.

    :raises ConfigError: as :func:`load`.
    """
    settings = load()
    named = settings.get("log")
    is_for_it = named is not None and Path(named).resolve() == log.resolve()
    return settings.get("ship") if is_for_it else None


def reading() -> dict[str, Any]:
    """Return the configured rules of reading: the arguments of
    :class:`chained_logging.review.reading.Rules`.

    :raises ConfigError: as :func:`load`.
    """
    return _named_as(READING)


def alerting() -> dict[str, Any]:
    """Return the configured settings of alerts: ``to``, ``into`` and ``rules``, if they are set.

    :raises ConfigError: as :func:`load`.
    """
    return _named_as(ALERTING)


def detecting() -> dict[str, Any]:
    """Return the configured settings of baselines: ``zone`` and ``holidays``, if they are set.

    :raises ConfigError: as :func:`load`.
    """
    return _named_as(DETECTING)


def reviewing() -> dict[str, Any]:
    """Return the configured settings of reviews: ``every`` and ``keys``, if they are set.

    :raises ConfigError: as :func:`load`.
    """
    return _named_as(REVIEWING)


def _named_as(table: Mapping[str, tuple[str, _Kind]]) -> dict[str, Any]:
    every = _every(None, os.environ)
    return {named: every[name] for name, (named, _) in table.items() if name in every}


def retention() -> dict[str, dict[str, Any]]:
    """Return the configured retention policies, by name, as they are written.

    :raises ConfigError: as :func:`load`.
    """
    policies: dict[str, dict[str, Any]] = _every(None, os.environ).get("retention", {})
    return policies


def _every(file: str | os.PathLike[str] | None, environment: Mapping[str, str]) -> dict[str, Any]:
    named = file or environment.get(f"{_PREFIX}CONFIG")
    found = _named(Path(named).absolute()) if named else _found()
    return _from_file(*found) | dict(_from_environment(environment))


def _named(path: Path) -> tuple[Path, _Table]:
    if not path.is_file():
        raise ConfigError(f"there is no configuration file {path}")
    return path, _table(path) or {}


def _found() -> tuple[Path, _Table]:
    """Return the nearest file with settings, from the current folder upward, and what it holds."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        for path in (folder / FILE, folder / _PROJECT):
            table = _table(path) if path.is_file() else None
            if table is not None:
                return path, table
    return here, {}


def _from_file(path: Path, table: _Table) -> dict[str, Any]:
    settings = {}
    for name, value in table.items():
        kind = _kind(name, f"{path}: {name}")
        if not kind.accepts(value):  # the value itself may hold a password
            raise ConfigError(f"{path}: {name} must be {kind.words}")
        settings[name] = str(path.parent / Path(value).expanduser()) if kind.is_path else value
    return settings


def _table(path: Path) -> _Table | None:
    """Return the settings in a file; None if it is a ``pyproject.toml`` without our table.

    A file of another user is refused: it would decide where the log and its key are.
    """
    content, foreign = _read(path)
    table: _Table | None = content
    if path.name == _PROJECT:
        tools = content.get("tool")
        table = tools.get("chained_logging") if isinstance(tools, dict) else None
        if not isinstance(table, dict | None):
            raise ConfigError(f"{path}: tool.chained_logging must be a table")
    if table is not None and foreign:
        raise ConfigError(f"{path} {foreign}, so it is not used")
    return table


def _read(path: Path) -> tuple[_Table, str | None]:
    """Return what a file holds, and why it may be another user's, if it may."""
    import tomllib

    try:
        with open_regular(path) as file:
            foreign = why_foreign(os.fstat(file.fileno())) if hasattr(os, "geteuid") else None
            data = file.read(_SIZE_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) > _SIZE_LIMIT:
        raise ConfigError(f"{path} must not be larger than {_SIZE_LIMIT} bytes")
    try:
        return tomllib.loads(data.decode()), foreign
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError too
        raise ConfigError(f"{path} is not TOML: {error}") from None


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for variable, text in environment.items():
        name = variable.removeprefix(_PREFIX)
        if name == variable or name in _NO_SETTINGS:
            continue
        kind = _kind(name.lower(), f"the environment: {variable}")
        try:
            value = kind.parse(text)
        except (ValueError, KeyError):
            raise ConfigError(f"{variable} must be {kind.words}") from None
        yield name.lower(), str(Path(value).absolute()) if kind.is_path else value


def _kind(name: str, where: str) -> _Kind:
    if name in SETTINGS:
        return SETTINGS[name]
    if name in _ELSEWHERE:
        return _ELSEWHERE[name][1]
    if name in TABLES:
        return TABLES[name]
    import difflib  # for this error alone

    near = difflib.get_close_matches(name, [*SETTINGS, *_ELSEWHERE, *TABLES], 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"{where} is not a setting{hint}")
