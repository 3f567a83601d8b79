"""Alerts to a program: ``command:/usr/local/bin/page --urgent``."""

from __future__ import annotations

import shlex
import subprocess
from typing import Final

from chained_logging.review.alerts.delivery.target import Notification, Undelivered
from chained_logging.text import printable

_SECONDS: Final = 30.0
_SHOWN: Final = 300  # characters of what a program says


class Command:
    """See :class:`~chained_logging.review.alerts.delivery.target.Target`.

    The program gets the alert as one line of JSON on its standard input, and takes it by exiting
    with 0. No shell reads the command, and nothing of the alert is in its arguments.

    :param words: the program and its arguments, quoted as for a shell.
    :raises ValueError: if they name no program.
    """

    def __init__(self, words: str) -> None:
        self._arguments = shlex.split(words)
        if not self._arguments:
            raise ValueError("command: must be followed by a program: command:/usr/bin/page")
        self.name = f"command:{self._arguments[0]}"  # arguments may hold a secret

    def deliver(self, notification: Notification) -> None:
        """Run the program, and wait for its end."""
        try:
            # The administrator named the program, and nobody else can.
            done = subprocess.run(  # noqa: S603
                self._arguments,
                input=notification.to_json(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Undelivered(f"it did not end within {_SECONDS:.0f} s") from None
        except OSError as error:
            raise Undelivered(f"it cannot be run: {error.strerror}") from None
        if done.returncode:
            said = printable(done.stderr[-_SHOWN:].decode(errors="replace").strip())
            raise Undelivered(f"it exited with {done.returncode}: {said}")

    def close(self) -> None:
        """Do nothing."""
