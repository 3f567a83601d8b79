"""Types of the command line's arguments."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import click

from chained_logging import config
from chained_logging.net.urls import is_address
from chained_logging.verify import OPTIONS

_OWN_OPTIONS: Final = {
    *("log", "key", "origin", "strict", "durability", "sign", "ship"),
    "on_failure",  # commands raise
}


class FilePath(click.Path):
    """A file's path. A URL is refused without being shown, because it may hold a password.

    Otherwise it would be quoted in an error, or become the name of a file.
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path."""
        if isinstance(value, str) and is_address(value) and not os.path.exists(value):
            self.fail("must be a file, not the address of something else", param, ctx)
        return super().convert(value, param, ctx)


def verifier_options(*, of_proof: bool = False) -> Callable[[Any], Any]:
    """Return a decorator for the options of verify.py, from its own table.

    :param of_proof: whether to leave out the options that do not apply to proofs.
    """

    def decorate(command: Any) -> Any:
        for option in reversed(OPTIONS):
            if of_proof and not option.of_proof:
                continue
            settings: dict[str, Any] = {"is_flag": True}
            if option.metavar is not None:
                file = option.metavar == "FILE"
                settings = {
                    "metavar": option.metavar,
                    "multiple": option.many,
                    "type": FilePath(dir_okay=False) if file else str,
                }
            command = click.option(option.flag, help=option.help, **settings)(command)
        return command

    return decorate


def verifier_arguments(given: dict[str, Any]) -> list[str]:
    """Return options as verify.py takes them on its own command line."""
    arguments = []
    for option in OPTIONS:
        value = given.get(option.flag[2:].replace("-", "_"))
        if option.metavar is None:
            arguments += [option.flag] if value else []
        else:
            values = value or () if option.many else [value]
            arguments += [f"{option.flag}={one}" for one in values if one is not None]
    return arguments


def log_argument(*, exists: bool = False) -> Callable[[Any], Any]:
    """Return a decorator for the argument LOG: a file, or what the configuration names.

    The configured settings become the defaults of the command's options, for the configured log
    alone.

    :param exists: whether the file must be there.
    """
    return click.argument(
        "log",
        type=FilePath(dir_okay=False, exists=exists),
        required=False,
        is_eager=True,  # before the options, whose defaults it sets
        callback=_configured,
    )


def _configured(ctx: click.Context, param: click.Parameter, given: str | None) -> str | None:
    if ctx.resilient_parsing:  # shell completion
        return given
    settings = config.load()
    named = settings.get("log")
    if given is None and named is None:
        raise click.UsageError(f"give LOG, or name it in {config.FILE}", ctx)
    if given is not None and (named is None or os.path.realpath(given) != os.path.realpath(named)):
        return given
    ctx.default_map = {
        "key_file": settings.get("key"),
        "origin": settings.get("origin"),
        "strict": settings.get("strict"),
        "fsync": settings.get("durability") == "fsync",
        "sign_each": settings.get("sign") == "each",
        "destinations": settings.get("ship"),
    }
    ctx.obj = {name: value for name, value in settings.items() if name not in _OWN_OPTIONS}
    return given if given is not None else str(param.type.convert(named, param, ctx))


def further_settings() -> dict[str, Any]:
    """Return the settings of the configured log that the running command has no options for."""
    return click.get_current_context().obj or {}
