"""Settings of a log: from ``chained-logging.toml``, ``pyproject.toml`` and the environment.

The file is the one that ``CHAINED_LOGGING_CONFIG`` names, or else the first that is found from the
current folder upward: ``chained-logging.toml``, or a ``pyproject.toml`` with a table
``[tool.chained_logging]``. A relative path in it starts at the file's folder. Each setting is also
an environment variable, ``CHAINED_LOGGING_`` and its name in capitals, which wins over the file.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FILE: Final = "chained-logging.toml"
_PROJECT: Final = "pyproject.toml"
_PREFIX: Final = "CHAINED_LOGGING_"
_NO_SETTINGS: Final = frozenset({"CONFIG", "PASSPHRASE"})  # variables with a meaning of their own
_SIZE_LIMIT: Final = 1 << 20


class ConfigError(ValueError):
    """A setting, or the file that it stands in, cannot be used."""


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


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_TEXT: Final = _Kind("a string", lambda value: isinstance(value, str), str)
_PATH: Final = _Kind("a path", lambda value: isinstance(value, str), str, is_path=True)
_FLAG: Final = _Kind("true or false", lambda value: isinstance(value, bool), _boolean)
_COUNT: Final = _Kind("a whole number", lambda value: type(value) is int, int)
_NUMBER: Final = _Kind("a number", _is_number, float)
_LIST: Final = _Kind("a list of strings", _is_list, str.split)
_NAMES: Final = _Kind("a table of names", _is_names, _pairs)

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
"""All settings: ``log`` is the log's path, the others are the keywords of `AuditLog`."""


def load(
    file: str | os.PathLike[str] | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the settings that are made, by name.

    :param file: the file to read; by default the one that the module describes.
    :param environment: the variables; by default those of this process.
    :raises ConfigError: for a setting that does not exist or has a wrong value, and for a file
        that is missing, no TOML, or could be written by another user.
    """
    variables = os.environ if environment is None else environment
    found = _named(file, variables) or _find(Path.cwd())
    settings = {} if found is None else _from_file(found)
    return settings | _from_environment(variables)


def _named(file: str | os.PathLike[str] | None, variables: Mapping[str, str]) -> Path | None:
    name = file or variables.get(f"{_PREFIX}CONFIG")
    if not name:
        return None
    path = Path(name).absolute()
    if not path.is_file():
        raise ConfigError(f"there is no configuration file {path}")
    return path


def _find(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        for name in (FILE, _PROJECT):
            path = folder / name
            if path.is_file() and (name == FILE or _table(path, _read(path)) is not None):
                return path
    return None


def _from_file(path: Path) -> dict[str, Any]:
    table = _table(path, _read(path)) or {}
    _check_owner(path)
    settings = {}
    for name, value in table.items():
        kind = _kind(name, f"{path}: {name}")
        if not kind.accepts(value):  # the value itself may hold a password
            raise ConfigError(f"{path}: {name} must be {kind.words}")
        settings[name] = str(path.parent / Path(value).expanduser()) if kind.is_path else value
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(_SIZE_LIMIT + 1)
        if len(data) > _SIZE_LIMIT:
            raise ConfigError(f"{path} must not be larger than {_SIZE_LIMIT} bytes")
        return tomllib.loads(data.decode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None


def _table(path: Path, content: dict[str, Any]) -> dict[str, Any] | None:
    """Return the settings in a file; None if it is a ``pyproject.toml`` without our table."""
    if path.name != _PROJECT:
        return content
    tools = content.get("tool")
    table = tools.get("chained_logging") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{path}: tool.chained_logging must be a table")
    return table


def _check_owner(path: Path) -> None:
    """Refuse a file of another user: it would decide where the log and its key are."""
    if not hasattr(os, "geteuid"):
        return
    status = path.stat()
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigError(f"{path} belongs to another user; it must be yours, or root's")
    if status.st_mode & 0o002:
        raise ConfigError(f"{path} can be written by every user; remove that with chmod o-w")


def _from_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    return dict(_variables(variables))


def _variables(variables: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for variable, text in variables.items():
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
    near = difflib.get_close_matches(name, SETTINGS, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"{where} is not a setting{hint}")
