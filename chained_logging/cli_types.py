"""Types of the command line's arguments."""

from __future__ import annotations

import os
from typing import Any

import click

from chained_logging.urls import is_address


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
