"""What the package raises, by what went wrong.

```text
ChainedLoggingError        the base of all
├── InvalidEntry           a strict log: the event lacks a field, or has one that is not valid
├── ConfigError            a setting is unknown or has a wrong value
├── LogError               a log, a file beside it or a key cannot be used as it is
│   ├── LogClosed          the log was closed: open it again
│   ├── Busy               somebody else holds the log: try again
│   ├── StoreError         the log's store failed, and says why
│   ├── ForeignFile        a file belongs to somebody else, or others can change or read it
│   ├── NotALog            a file is not a log: name another
│   ├── BrokenLog          entries or checkpoints were changed: run chained-logging verify
│   │   └── NotAnEntry     a line or a row is not an entry
│   ├── NoCheckpoint       the log has no checkpoint, and this needs one
│   ├── KeyMissing         this needs the log's key
│   ├── KeyForged          entries name a key that the key before did not sign for
│   ├── KeyRotated         the key is no longer the log's: open the log with the new one
│   └── Unsupported        this system lacks what the promise needs
├── ShipError              entries did not get to another store
│   ├── DestinationError   the store failed or cannot be reached: try again
│   ├── Refused            the store does not take them, however often they are sent
│   │   └── Unfit          they do not fit what the store holds
│   └── BrokenChain        the log's own entries do not follow one another
├── NetError               another host did not answer as it should
│   ├── Unreachable        no connection was made, so nothing was sent
│   └── TooLong            the answer is longer than it may be
├── WitnessError           a witness gave no signature
│   └── WitnessConflict    a witness signed another history of this log
├── TimestampError         a timestamp does not hold
├── NoteError              a text is not a signed note, a checkpoint or a key
└── ProofError             a proof does not hold
```

If the operating system refuses something, that is an ``OSError`` with its ``errno``: a full disk, a
missing file, a directory that may not be read. So a function that reads or writes a log raises one
of two classes, which ``FAILURES`` names. SQLite's own errors are a ``StoreError``, even on a full
disk:

```python
try:
    log.append("export", ...)
except (OSError, LogError) as error:
    ...
```

``InvalidEntry``, ``ConfigError``, ``LogClosed``, ``NotAnEntry``, ``TimestampError``, ``NoteError``
and ``ProofError`` are also a ``ValueError``. Classes that are not defined here are in the module
that raises them: ``chained_logging``, ``config``, ``transparency.witness``,
``transparency.timestamps``, ``format.note`` and ``format.merkle``. An argument that is wrong in
itself raises a plain ``ValueError`` or ``TypeError``.
"""

from __future__ import annotations

from typing import Final


class ChainedLoggingError(Exception):
    """The base of all errors of this package."""


class LogError(ChainedLoggingError):
    """A log, a file beside it or a key cannot be used as it is."""


class LogClosed(LogError, ValueError):
    """An append was attempted after the log was closed. Also a ValueError, as of a closed file."""


class Busy(LogError):
    """Somebody else holds the log: another writer its lock, or another program the database."""


class StoreError(LogError):
    """The log's store failed. SQLite says why in a sentence, without an ``errno``."""


class ForeignFile(LogError):
    """A file was not made by the log, or others can write to it or read a key in it."""


class NotALog(LogError):
    """A file or a folder is not a log, or not a part of this one."""


class BrokenLog(LogError):
    """The entries or checkpoints are not those that were written."""


class NotAnEntry(BrokenLog, ValueError):
    """A stored line or row is not an entry: another program wrote or changed it."""


class NoCheckpoint(LogError):
    """The log has no checkpoint, or none that reaches far enough."""


class KeyMissing(LogError):
    """This needs the log's private key."""


class KeyForged(LogError):
    """An entry names a key without a statement of the log's key: nothing after it is signed."""


class KeyRotated(LogError):
    """Another process rotated the log's key.

    :ivar vkey: the new key; None if it is not known.
    """

    def __init__(self, vkey: str | None) -> None:
        super().__init__("the log's key was rotated: reopen it with the new one")
        self.vkey = vkey

    def __reduce__(self) -> tuple[type[KeyRotated], tuple[str | None]]:
        return type(self), (self.vkey,)  # its copy has the same key


class Unsupported(LogError):
    """This operating system lacks what the promise needs."""


class ShipError(ChainedLoggingError):
    """Entries did not get to another store."""


class DestinationError(ShipError):
    """A destination is down, or refuses for now: the same call may succeed later."""


class Refused(ShipError):
    """A destination will never take this: its history is another one, or it was set up wrongly.

    The message says what to do. It holds no password.
    """


class Unfit(Refused):
    """A destination will never take these entries, however it is set up. It may take others."""


class BrokenChain(ShipError):
    """The log itself is not intact. Nothing past the break is shipped."""


class NetError(ChainedLoggingError):
    """Another host did not answer as it should."""


class Unreachable(NetError):
    """There is no connection: the name is unknown, nobody listens, or TLS does not hold."""


class TooLong(NetError):
    """An answer has more bytes than the caller takes."""


Failure = OSError | LogError
"""What reading or writing a log raises if that fails."""

FAILURES: Final = (OSError, LogError)
"""The same, to catch. After any of these, events are kept for later if the options say so."""
