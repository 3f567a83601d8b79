"""``view``: a log as pages in the browser of the person at this machine."""

from __future__ import annotations

import contextlib
import threading
import webbrowser
from typing import Any

import click

from chained_logging import config
from chained_logging.cli.options import (
    evidence_of,
    evidence_options,
    log_argument,
    origin_option,
    refuse_options,
)
from chained_logging.cli.output import complain
from chained_logging.cli.reading import reason_option
from chained_logging.errors import LogError
from chained_logging.review.opening import is_url
from chained_logging.review.reading import Reader, Reading, Rules


@click.command()
@log_argument(exists=True, stores=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1. Default: a free one.",
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@origin_option
@evidence_options
@reason_option
def view(
    log: str,
    port: int,
    no_browser: bool,
    origin: str | None,
    reason: str | None,
    **evidence: Any,
) -> None:
    """Show LOG in a browser: an overview, the entries by filter, and each actor and resource.

    The pages are served on this machine alone, until you interrupt the command. The address that
    is printed works once, in one browser. Each page that you open is recorded in LOG.
    """
    from chained_logging.review.viewer import local
    from chained_logging.review.viewer.opened import OpenedLog

    refuse_options(not is_url(log), "is for the URL of a store", "origin")
    rules = Rules(**config.reading())
    rules.check(Reading("view", reason=reason))
    opened = OpenedLog(log, origin=origin, evidence=evidence_of(**evidence))
    with contextlib.suppress(LogError, ValueError):  # the first page says what is wrong
        opened.prepare()
    with local.listen(port) as listening:
        port = listening.getsockname()[1]
        session = local.Session(Reader.of_this_process(), port, reason)
        address = f"http://{local.LOOPBACK}:{port}{session.path}"
        click.echo(address)
        complain("open this address in a browser: it works once. Stop with Ctrl-C")
        if not no_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        local.serve(local.local_app(opened, session, port, rules), listening)
