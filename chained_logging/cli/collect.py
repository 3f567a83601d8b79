"""``collect``: entries from programs in any language."""

from __future__ import annotations

from typing import Any

import click

from chained_logging.cli.options import (
    log_argument,
    open_writer,
    refuse_options,
    seconds_option,
    writer_options,
)
from chained_logging.cli.output import complain
from chained_logging.cli.types import FILE_MODE, HTTP_ADDRESS, FilePath


@click.command()
@log_argument()
@click.option(
    "--socket",
    "socket_path",
    type=FilePath(),
    metavar="PATH",
    required=True,
    help="Path of the Unix socket to listen on.",
)
@click.option(
    "--mode",
    type=FILE_MODE,
    default="600",
    show_default=True,
    help="File mode of the socket, in octal.",
)
@click.option(
    "--http",
    type=HTTP_ADDRESS,
    help="Loopback address to listen on for HTTP too, such as 127.0.0.1:8181.",
)
@click.option(
    "--token-file",
    type=FilePath(dir_okay=False),
    help="File whose first line is the token that HTTP clients must send.",
)
@click.option(
    "--connections",
    metavar="N",
    type=click.IntRange(min=1),
    default=128,
    show_default=True,
    help="Largest number of clients that may be connected at the same time.",
)
@seconds_option(
    "--timeout",
    default=30.0,
    least=0.1,
    help="Time that a client may take to send a line or request, or to read an answer.",
)
@writer_options
def collect(
    log: str,
    socket_path: str,
    mode: int,
    http: tuple[str, int] | None,
    token_file: str | None,
    connections: int,
    timeout: float,
    **writer: Any,
) -> None:
    """Receive events from other programs, and append them to LOG.

    The command listens on a Unix socket until it receives SIGTERM. Each line from a client is an
    event in JSON, and is answered with a line once the event is stored. docs/collector.md
    describes the protocol.
    """
    from chained_logging.collector import Collector, read_token
    from chained_logging.net.signals import ended_by_signal

    if http is not None and token_file is None:
        raise click.UsageError("--http needs a --token-file")
    refuse_options(http is None, "needs --http", "token_file")
    token = read_token(token_file) if token_file else None
    with open_writer(log, **writer) as audit:
        ended = ended_by_signal()
        collector = Collector(
            audit,
            socket_path,
            mode=mode,
            http=http,
            token=token,
            connections=connections,
            timeout=timeout,
        )
        complain(f"collecting on {socket_path}")
        if http is not None:
            host, port = collector.http_address
            shown = f"[{host}]" if ":" in host else host
            complain(f"collecting on http://{shown}:{port}/v1/events")
        collector.run(ended)
