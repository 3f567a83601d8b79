"""Types of the command line's arguments."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import click

from chained_logging import config
from chained_logging.urls import is_address

_OWN_OPTIONS: Final = {
    *("log", "key", "origin", "strict", "durability", "sign", "ship"),
    "on_failure",  # commands raise
}


class FilePath(click.Path):
    """A file's path. What looks like an address is refused, and not shown: it may hold a password.

    Without that it would be quoted in an error, or become the name of a file.
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path."""
        if isinstance(value, str) and is_address(value) and not os.path.exists(value):
            self.fail("must be a file; what was given is the address of something else", param, ctx)
        return super().convert(value, param, ctx)


class AsGiven(click.Command):
    """A command whose ``arguments`` are handed on as they are: click would take ``--`` away."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take all of them."""
        ctx.params["arguments"] = tuple(args)
        return []


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
    """Return the settings of the configured log that are no options of the running command."""
    return click.get_current_context().obj or {}
