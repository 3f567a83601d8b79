"""From a log to what is inserted into its index, batch by batch.

Half of the time goes to reading and parsing, half to SQLite. So a large log is read by a copy of
this process, where that can be made safely, while this one inserts.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import marshal
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, Final

from chained_logging.errors import ChainedLoggingError
from chained_logging.format.line import leaf_hash, position
from chained_logging.format.record import EMPTY, Head
from chained_logging.review.index_rows import RowMaker
from chained_logging.review.sources import Found, Source

VERSION: Final = "3"
"""Of the tables and the tokens in them. An index of another version is made again."""
_BATCH: Final = 2000
_LARGE: Final = 32 << 20  # bytes of a log that are worth a process
_LENGTH: Final = 8

Batch = tuple[list[Any], list[Any], list[Any], list[Any], dict[str, str]]
"""Rows for entries, words, spans and shared, and what is known of the log after them."""


class Alone(ChainedLoggingError):
    """The log is to be read by this process itself."""


def made(found: Iterable[Found], about: Mapping[str, str]) -> Iterator[Batch]:
    """Yield what is inserted for some entries.

    :param about: what was known of the log before them; nothing for its first one.
    :raises ValueError: at what was not written by a log.
    """
    head = Head(int(about["seq"]), about["hash"]) if about else EMPTY
    maker = RowMaker(head, about.get("fault"))
    known = {"version": VERSION, **about}
    found = iter(found)
    with _without_garbage():
        while batch := list(itertools.islice(found, _BATCH)):
            rows = maker.rows(batch)
            entries = [one for one in batch if one.stub is None]
            known.setdefault("begins", batch[0].leaf)
            if entries:  # from the last of them on, the log is read again
                last = entries[-1]
                known |= {"seq": str(position(last.body)[0]), "hash": last.hash}
                known |= {"place": str(last.place), "leaf": leaf_hash(last.body)}
            if maker.fault is not None:
                known["fault"] = maker.fault
            yield *rows, dict(known)


def made_apart(source: Source) -> Iterator[Batch]:
    """Yield what is inserted for a whole log, which another process reads.

    :raises Alone: if it is not worth it, or cannot be done here, or ended with an error.
    """
    if not (source.local and source.size() >= _LARGE and _may_fork()):
        raise Alone
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.close(reading)
        with contextlib.suppress(BaseException), os.fdopen(writing, "wb") as pipe:
            for batch in made(source.entries(), {}):
                _send(pipe, marshal.dumps(batch))
            _send(pipe, b"")
        os._exit(0)  # nothing of what this process would do at its end
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            while data := _received(pipe):
                yield marshal.loads(data)  # noqa: S302 -- of our own process
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(len(data).to_bytes(_LENGTH, "big") + data)


def _received(pipe: IO[bytes]) -> bytes:
    length = pipe.read(_LENGTH)
    size = int.from_bytes(length, "big")
    data = pipe.read(size)
    if len(length) < _LENGTH or len(data) < size:
        raise Alone  # the error is raised where it occurs again
    return data


def _may_fork() -> bool:
    """Whether a copy of this process can go on by itself, and nothing else waits for its end."""
    try:
        alone = len(os.listdir("/proc/self/task")) == 1  # only Linux tells for certain
    except OSError:
        return False
    return (
        alone and signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL and (os.cpu_count() or 1) > 1
    )


@contextlib.contextmanager
def _without_garbage() -> Iterator[None]:
    """Pause the search for reference cycles: of millions of objects, none are in one."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
