"""A witness against the specification, lies, kills and odd bytes."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from chains import often
from folders import SUPPORT
from hypothesis import given, settings
from hypothesis import strategies as st
from note_keys import LOG, LOG_KEY, ORIGIN, OTHER, OTHER_KEY, WITNESS, WITNESS_KEY, Key
from witness_logs import NAME, A, History
from witness_servers import TEXT, B, holds, post, serving, state

from chained_logging.errors import BrokenLog
from chained_logging.files import durable
from chained_logging.format import merkle
from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import EMPTY_ROOT
from chained_logging.format.note import Note, Signature
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURE, ED25519, VerifierKey
from chained_logging.transparency.witness import (
    MAX_REQUEST,
    Answer,
    Witness,
    WitnessConflict,
    WitnessError,
    ask,
    format_request,
    parse_request,
    with_cosignatures,
)


def test_extension_lines_are_cosigned(plain: Witness) -> None:
    checkpoint = Checkpoint(ORIGIN, 3, A.checkpoint(3).root, ("an extension", "another"))
    note = notes.sign_note(checkpoint.format(), ORIGIN, LOG).format()
    answer = plain.add_checkpoint(format_request(0, [], note))
    assert holds(answer.body, checkpoint.format())


# --- What is refused, and with which status.


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _signed(text: str, name: str = ORIGIN, key: Key = LOG) -> bytes:
    return notes.sign_note(text, name, key).format()


def _text(size: object, root: object = None) -> str:
    root = base64.b64encode(A.checkpoint(9).root).decode() if root is None else root
    return f"{ORIGIN}\n{size}\n{root}\n"


HASH = base64.b64encode(bytes(32)).decode()
EMPTY = base64.b64encode(EMPTY_ROOT).decode()
_NOTE = A.note(9)
_OTHER_LINE = notes.sign_note(A.checkpoint(9).format(), OTHER_KEY.name, OTHER).signatures[0]

# All of them to a witness that holds A at 7.
REFUSED: dict[str, tuple[int, bytes]] = {
    # 422: the history.
    "a fork": (422, B.request(7, 9)),
    "a fork with the true proof of the other": (422, format_request(7, A.proof(7, 9), B.note(9))),
    "a fork of the same size": (422, B.request(7, 7)),
    "a proof too short": (422, format_request(7, A.proof(7, 9)[:-1], _NOTE)),
    "a proof too long": (422, format_request(7, [*A.proof(7, 9), bytes(32)], _NOTE)),
    "a proof in the wrong order": (422, format_request(7, A.proof(7, 9)[::-1], _NOTE)),
    "a proof from elsewhere": (422, format_request(7, A.proof(6, 9), _NOTE)),
    "no proof": (422, format_request(7, [], _NOTE)),
    "a proof where none is needed": (422, format_request(7, [bytes(32)], A.note(7))),
    "a size of 0 with a root": (422, b"old 0\n\n" + _signed(_text(0, HASH))),
    # 409: what the witness holds.
    "from the beginning": (409, A.request(0, 9)),
    "an older size": (409, A.request(6, 9)),
    "a newer size": (409, A.request(8, 9)),
    "a rollback": (409, A.request(6, 6)),
    "a rollback to nothing": (409, A.request(0, 0)),
    "a proof from 0": (409, format_request(0, [bytes(32)], _NOTE)),
    "the largest size": (409, b"old 9223372036854775807\n\n" + _signed(_text(2**63 - 1))),
    # 400: no request.
    "the old size beyond the new": (400, format_request(7, [], A.note(6))),
    "nothing": (400, b""),
    "one byte": (400, b"\0"),
    "no UTF-8": (400, b"old 7\n\n\xff\n"),
    "only the old size": (400, b"old 7\n"),
    "an empty note": (400, b"old 7\n\n"),
    "no note": (400, b"old 7\n\nhello\n"),
    "no old size": (400, b"\n\n" + _NOTE),
    "another word": (400, b"new 7\n\n" + _NOTE),
    "two spaces": (400, b"old  7\n\n" + _NOTE),
    "a space before": (400, b" old 7\n\n" + _NOTE),
    "a leading zero": (400, b"old 07\n\n" + _NOTE),
    "a negative size": (400, b"old -1\n\n" + _NOTE),
    "a plus": (400, b"old +7\n\n" + _NOTE),
    "an Arabic digit": (400, "old \u0667\n\n".encode() + _NOTE),
    "a size of 2**63": (400, b"old 9223372036854775808\n\n" + _NOTE),
    "a size of many digits": (400, b"old " + b"9" * 5000 + b"\n\n" + _NOTE),
    "carriage returns": (400, A.request(7, 9).replace(b"\n", b"\r\n")),
    "64 hashes": (400, _lines("old 7", *[HASH] * 64, "") + _NOTE),
    "a hash too short": (400, _lines("old 7", base64.b64encode(bytes(31)).decode(), "") + _NOTE),
    "a hash too long": (400, _lines("old 7", base64.b64encode(bytes(33)).decode(), "") + _NOTE),
    "a hash without padding": (400, _lines("old 7", HASH[:-1], "") + _NOTE),
    "a hash with stray bits": (400, _lines("old 7", HASH[:-2] + "B=", "") + _NOTE),
    "a hash with a space": (400, _lines("old 7", HASH + " ", "") + _NOTE),
    "a hash in base64url": (400, _lines("old 7", "_" + HASH[1:], "") + _NOTE),
    "no empty line": (400, _lines("old 7") + _NOTE),
    "two empty lines, so no origin": (404, b"old 7\n\n\n" + _NOTE),
    "a cut end": (400, A.request(7, 9)[:-1]),
    "more after the end": (400, A.request(7, 9) + b"\n"),
    "too few lines, signed": (400, b"old 7\n\n" + _signed(f"{ORIGIN}\n9\n")),
    "a size with a zero, signed": (400, b"old 7\n\n" + _signed(_text("09"))),
    "a size of 2**63, signed": (400, b"old 7\n\n" + _signed(_text(2**63))),
    "a negative size, signed": (400, b"old 7\n\n" + _signed(_text("-0"))),
    "a root of 31 bytes, signed": (400, b"old 7\n\n" + _signed(_text(9, "AAAA"))),
    "a size of 0 and a root of 3 bytes": (400, b"old 0\n\n" + _signed(_text(0, "AAAA"))),
    "an empty extension, signed": (400, b"old 7\n\n" + _signed(_text(9) + "\nx\n")),
    # 404 and 403: whose it is.
    "an unknown log": (404, History(origin="example.com/unknown").request(0, 9)),
    "an unknown log, signed by a known one": (404, b"old 0\n\n" + _signed("x\n" + _text(9))),
    "a wrong key": (403, b"old 7\n\n" + _signed(_text(9), ORIGIN, OTHER)),
    "a wrong key with another name": (403, b"old 7\n\n" + _signed(_text(9), "x", OTHER)),
    "the right key with another name": (403, b"old 7\n\n" + _signed(_text(9), "x")),
    "only somebody else's signature": (
        403,
        b"old 7\n\n" + Note(_text(9), (_OTHER_LINE,)).format(),
    ),
    "a signature of another text": (
        403,
        b"old 7\n\n" + Note(_text(10), Note.parse(_NOTE).signatures).format(),
    ),
    "a good signature and a bad one of the key": (
        403,
        b"old 7\n\n"
        + Note.parse(_NOTE).with_signatures(Signature(ORIGIN, LOG_KEY.id, bytes(64))).format(),
    ),
    "a signature too short": (
        403,
        b"old 7\n\n" + Note(_text(9), (Signature(ORIGIN, LOG_KEY.id, b"x"),)).format(),
    ),
    "only the witness's own signature": (
        403,
        b"old 7\n\n" + Note(_text(9), (notes.cosign(_text(9), NAME, WITNESS, 7),)).format(),
    ),
    # 413.
    "one byte too many": (413, b"x" * (MAX_REQUEST + 1)),
    "a megabyte": (413, b"x" * 1_000_000),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(seven: tuple[Witness, str, Path], what: str) -> None:
    plain, url, folder = seven
    status, body = REFUSED[what]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    answer = post(url, body)
    assert answer.status == status, answer
    assert plain.add_checkpoint(body) == answer
    if status == 409:
        assert answer == (409, b"7\n", "text/x.tlog.size")
    else:
        assert answer.body.endswith(b"\n")
        assert b"Traceback" not in answer.body
        assert answer.content_type == "text/plain; charset=utf-8"
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_new_log_is_refused_what_the_specification_says(plain: Witness) -> None:
    for status, body in (
        (422, format_request(0, [bytes(32)], A.note(9))),
        (422, b"old 0\n\n" + _signed(_text(0, HASH))),
        (409, A.request(3, 9)),
        (400, format_request(10, [], A.note(9))),
    ):
        assert plain.add_checkpoint(body).status == status
    assert plain.add_checkpoint(b"old 0\n\n" + _signed(_text(0, EMPTY))).status == 200
    assert plain.add_checkpoint(A.request(0, 9)).status == 200


def test_signatures_of_others_are_ignored(plain: Witness, tmp_path: Path) -> None:
    note = Note.parse(A.note(9))
    mine = notes.cosign(note.text, NAME, WITNESS, 7)
    forged = Signature(NAME, WITNESS_KEY.id, bytes(72))
    rest = [Signature(f"x{number}", b"1234", bytes(64)) for number in range(80)]
    many = note.with_signatures(_OTHER_LINE, mine, forged, *rest, note.signatures[0])
    assert plain.add_checkpoint(format_request(0, [], many.format())).status == 200
    # Of them all only the log's was kept, once.
    kept = Note.parse((tmp_path / "w" / hashlib.sha256(ORIGIN.encode()).hexdigest()).read_bytes())
    assert [each.name for each in kept.signatures] == [ORIGIN, NAME]


def test_a_log_with_several_keys(tmp_path: Path) -> None:
    new = VerifierKey(ORIGIN, ED25519, OTHER.public_key)
    plain = Witness(tmp_path, NAME, WITNESS, {ORIGIN: [LOG_KEY, new]})
    assert plain.add_checkpoint(A.request(0, 7)).status == 200
    note = _signed(A.checkpoint(9).format(), ORIGIN, OTHER)
    assert plain.add_checkpoint(format_request(7, A.proof(7, 9), note)).status == 200
    # The old key is no longer trusted, and what it signed is still the last state.
    plain = Witness(tmp_path, NAME, WITNESS, {ORIGIN: new})
    assert plain.add_checkpoint(A.request(9, 12)).status == 403
    note = _signed(A.checkpoint(12).format(), ORIGIN, OTHER)
    assert plain.add_checkpoint(format_request(9, A.proof(9, 12), note)).status == 200
    # Nor is a new key of the witness a fresh start, as long as the log's is known.
    renewed = Witness(tmp_path, NAME, Key(bytes(32)), {ORIGIN: new})
    assert renewed.add_checkpoint(A.request(0, 9)).status == 403
    note = _signed(B.checkpoint(13).format(), ORIGIN, OTHER)
    assert renewed.add_checkpoint(format_request(12, B.proof(12, 13), note)).status == 422


@pytest.mark.parametrize(
    "keys",
    [
        [],
        VerifierKey(ORIGIN, COSIGNATURE, LOG.public_key),
        VerifierKey(ORIGIN, ED25519, WITNESS.public_key),
        [LOG_KEY, VerifierKey(ORIGIN, COSIGNATURE, OTHER.public_key)],
    ],
)
def test_keys_that_no_witness_should_trust(tmp_path: Path, keys: Any) -> None:
    with pytest.raises(ValueError, match="the log 'example"):
        Witness(tmp_path, NAME, WITNESS, {ORIGIN: keys})


def test_a_witness_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(NoteError, match="name"):
        Witness(tmp_path, "two words", WITNESS, {ORIGIN: LOG_KEY})


# --- The state.


def test_the_state_outlives_the_process(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "w"
    known = {ORIGIN: LOG_KEY, "example.com/second": LOG_KEY}
    Witness(folder, NAME, WITNESS, known).add_checkpoint(A.request(0, 7))
    second = History(origin="example.com/second")
    plain = Witness(folder, NAME, WITNESS, known)
    note = _signed(second.checkpoint(3).format())
    assert plain.add_checkpoint(format_request(0, [], note)).status == 200  # a history of its own
    assert plain.add_checkpoint(B.request(7, 9)).status == 422
    assert plain.add_checkpoint(A.request(0, 9)).status == 409
    assert plain.add_checkpoint(A.request(7, 9)).status == 200
    for path in (folder, *folder.iterdir()):
        assert path.stat().st_mode & 0o077 == 0


def test_a_damaged_state_is_no_fresh_start(tmp_path: Path, plain: Witness) -> None:
    plain.add_checkpoint(A.request(0, 7))
    good = state(tmp_path / "w").read_bytes()
    moved = _signed(Checkpoint("example.com/x", 7, A.checkpoint(7).root).format())
    chance = random.Random(1)
    for damaged in (
        b"",
        b"x",
        good[:-1],
        good + b"\n",
        good + good,
        moved,
        A.note(3)[:-40],
        *(
            good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :]
            for at in range(len(A.checkpoint(7).format()))
        ),
    ):
        state(tmp_path / "w").write_bytes(damaged)
        for body in (A.request(0, 9), A.request(7, 9), B.request(0, 9)):
            with pytest.raises(BrokenLog, match=r"the state of 'example.com.*cannot be trusted"):
                plain.add_checkpoint(body)
        assert state(tmp_path / "w").read_bytes() == damaged
    state(tmp_path / "w").write_bytes(good)
    assert plain.add_checkpoint(A.request(7, 9)).status == 200


def test_a_failure_inside_is_not_shown(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ask(url, 0, [], A.note(7))
    state(tmp_path / "w").write_bytes(b"damaged")
    answer = post(url, A.request(7, 9))
    assert answer == (500, b"the witness failed; nothing was cosigned\n", TEXT)
    with pytest.raises(WitnessError, match="cannot answer now") as caught:
        ask(url, 7, A.proof(7, 9), A.note(9))
    assert (caught.value.status, caught.value.temporary) == (500, True)
    assert "cannot be trusted" in caplog.text  # but the operator sees why


def test_the_state_is_on_the_disk_before_the_answer(
    plain: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(name)
            return function(*arguments)

        return call

    monkeypatch.setattr(durable, "sync_file", watched("content", durable.sync_file))
    monkeypatch.setattr(durable, "sync_directory", watched("name", durable.sync_directory))
    monkeypatch.setattr(os, "rename", watched("rename", os.rename))
    for old, size in ((0, 3), (3, 9)):
        assert plain.add_checkpoint(A.request(old, size)).status == 200
        assert calls == ["content", "rename", "name"]
        calls.clear()


@pytest.mark.parametrize("step", ["sync_file", "rename", "sync_directory"])
def test_a_disk_that_fails_gets_no_cosignature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    plain = Witness(tmp_path, NAME, WITNESS, {ORIGIN: LOG_KEY}, clock=lambda: 1000)
    plain.add_checkpoint(A.request(0, 7))

    def fail(*arguments: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os if step == "rename" else durable, step, fail)
        with pytest.raises(OSError, match="Input/output"):
            plain.add_checkpoint(A.request(7, 9))
    # The log asks again. If the new state did reach its name, it says 409 first.
    old = 7 if (answer := plain.add_checkpoint(A.request(7, 9))).status == 200 else 9
    assert answer.status in (200, 409)
    synced: list[Path] = []
    monkeypatch.setattr(durable, "sync_directory", synced.append)
    if old == 9:
        # The same bytes stand in the file, and yet they must be brought onto the disk.
        assert plain.add_checkpoint(A.request(9, 9)).status == 200
        assert synced
    assert plain.add_checkpoint(B.request(9, 12)).status == 422


def test_one_checkpoint_again_and_again_is_one_write_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenths = 10_000
    plain = Witness(tmp_path, NAME, WITNESS, {ORIGIN: LOG_KEY}, clock=lambda: tenths / 10)
    plain.add_checkpoint(A.request(0, 7))
    writes: list[int] = []
    monkeypatch.setattr(durable, "sync_file", writes.append)
    times = set()
    for _ in range(50):
        times.add(holds(plain.add_checkpoint(A.request(7, 7)).body, A.checkpoint(7).format()))
        tenths += 1
    assert times == {1000, 1001, 1002, 1003, 1004}
    assert len(writes) == 4


def test_a_signer_that_errs_harms_nothing(tmp_path: Path) -> None:
    class Faulty:
        public_key = WITNESS.public_key
        value: bytes | None = None

        def sign(self, data: bytes) -> bytes:
            if self.value is None:
                raise RuntimeError("the token is gone")
            return self.value

    signer = Faulty()
    plain = Witness(tmp_path, NAME, signer, {ORIGIN: LOG_KEY})
    for signer.value in (None, bytes(64), b"short"):
        with pytest.raises((RuntimeError, NoteError)):
            plain.add_checkpoint(A.request(0, 7))
        assert not state(tmp_path).exists()
    plain = Witness(tmp_path, NAME, WITNESS, {ORIGIN: LOG_KEY})
    assert plain.add_checkpoint(B.request(0, 7)).status == 200


def test_time_does_not_run_backwards(tmp_path: Path) -> None:
    now = 10_000.0
    plain = Witness(tmp_path, NAME, WITNESS, {ORIGIN: LOG_KEY}, clock=lambda: now)

    def time_of(old: int, size: int) -> int | str:
        answer = plain.add_checkpoint(A.request(old, size))
        if answer.status != 200:
            return f"{answer.status}"
        return holds(answer.body, A.checkpoint(size).format())

    assert time_of(0, 3) == 10_000
    now = 9_940
    assert time_of(3, 4) == 10_000
    now = 9_939
    assert time_of(4, 5) == "503"
    now = 0.0
    assert time_of(4, 5) == "503"
    now = 10_001.9
    assert time_of(4, 5) == 10_001
    # As documented: what a clock that was far ahead has left can be taken out by hand.
    now = 1_000.0
    note = Note.parse(state(tmp_path).read_bytes())
    state(tmp_path).write_bytes(Note(note.text, note.signatures[:1]).format())
    assert time_of(5, 6) == 1_000
    now = 0.5
    plain = Witness(tmp_path / "new", NAME, WITNESS, {ORIGIN: LOG_KEY}, clock=lambda: now)
    assert time_of(0, 3) == "503"  # a time of 0 would mean none


# --- Never two histories: kills, threads, processes.

_PROGRAM = """
    import sys
    from pathlib import Path
    from note_keys import LOG_KEY
    from witness_logs import NAME, Slow
    from chained_logging.transparency.witness import Witness, WitnessServer
    origins = [f"example.com/{n}" for n in range(int(sys.argv[2]))]
    server = WitnessServer(
        Witness(Path(sys.argv[1]), NAME, Slow(float(sys.argv[3])), {
            origin: type(LOG_KEY)(origin, 1, LOG_KEY.public_key) for origin in origins}))
    print(server.url, flush=True)
    server.serve_forever()
"""


class Child:
    """A witness in a process of its own."""

    def __init__(self, folder: Path, origins: int, seconds: float = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_PROGRAM), folder, str(origins), str(seconds)],
            cwd=SUPPORT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait() == -signal.SIGKILL
        assert self._process.stdout is not None
        self._process.stdout.close()


class Cosigned(NamedTuple):
    origin: int
    size: int
    root: bytes


@functools.cache
def histories(origin: int) -> tuple[History, History]:
    """Return two that compete: they have their first entry in common, and no other."""
    name = f"example.com/{origin}"
    return History(origin=name), History("b", fork=1, origin=name)


def _compete(
    which: int,
    urls: list[str],
    origins: int,
    stop: Callable[[], bool],
    found: list[Cosigned],
    seed: int,
) -> None:
    """Show one of two histories to a witness, for one log after the other, as fast as it goes."""
    chance = random.Random(seed)
    held = [0] * origins
    while not stop():
        origin = chance.randrange(origins)
        history = histories(origin)[which]
        old = held[origin]
        size = min(64, old + chance.randrange(8))
        try:
            signatures = ask(
                chance.choice(urls),
                old,
                history.proof(old, size),
                history.note(size),
                timeout=5,
            )
        except WitnessConflict as conflict:
            held[origin] = conflict.size
        except WitnessError:
            pass  # killed, or it holds the other history
        else:
            with_cosignatures(history.note(size), signatures, [WITNESS_KEY])
            found.append(Cosigned(origin, size, history.checkpoint(size).root))
            held[origin] = size


def check_one_history(found: list[Cosigned]) -> int:
    """Check that all cosignatures for a log are of one history; return for how many logs that says
    something."""
    decided = 0
    for origin in {each.origin for each in found}:
        roots = [
            {each.size: each.root for each in found if each.origin == origin},
            *({size: h.checkpoint(size).root for size in range(65)} for h in histories(origin)),
        ]
        fits = [roots[0].items() <= each.items() for each in roots[1:]]
        assert any(fits), f"two histories of {origin} were cosigned"
        assert len({(each.size, each.root) for each in found if each.origin == origin}) == len(
            roots[0]
        )
        decided += fits != [True, True]
    return decided


@pytest.mark.long
def test_killed_again_and_again(tmp_path: Path) -> None:
    origins = 20
    found: list[Cosigned] = []
    chance = random.Random(7)
    for round in range(8):
        # Two processes on one folder. One is killed, then the other.
        children = [Child(tmp_path, origins) for _ in range(2)]
        urls = [child.url for child in children]
        stop = threading.Event()
        threads = [
            threading.Thread(
                target=_compete, args=(n % 2, urls, origins, stop.is_set, found, 10 * round + n)
            )
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for child in children:
            # In the middle of its work: so after so many answers, and a moment more.
            enough, deadline = len(found) + chance.randrange(1, 20), time.monotonic() + 10
            while len(found) < enough and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.01))
            child.kill()
        stop.set()
        for thread in threads:
            thread.join()
    assert check_one_history(found) > origins // 2
    # And what it holds in the end is the last of what it signed, or one it could not answer.
    last: dict[int, int] = {}
    for each in found:
        last[each.origin] = max(each.size, last.get(each.origin, 0))
    for origin, size in last.items():
        name = hashlib.sha256(f"example.com/{origin}".encode()).hexdigest()
        held = Checkpoint.parse(Note.parse((tmp_path / name).read_bytes()).text)
        assert held.size >= size


def test_the_check_for_two_histories_finds_them() -> None:
    a, b = histories(0)
    with pytest.raises(AssertionError, match="two histories"):
        check_one_history(
            [Cosigned(0, 6, a.checkpoint(6).root), Cosigned(0, 7, b.checkpoint(7).root)]
        )
    assert check_one_history([Cosigned(0, 1, b.checkpoint(1).root)]) == 0


_KILLED = """
    import os, signal, sys
    from pathlib import Path
    from note_keys import LOG_KEY, ORIGIN, WITNESS
    from witness_logs import A, NAME
    from chained_logging.files import durable
    from chained_logging.transparency.witness import Witness, service
    left, after = int(sys.argv[2]), sys.argv[3] == "after"

    def counted(function):
        def call(*arguments, **keywords):
            global left
            left -= 1
            if left == 0 and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments, **keywords)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return call

    plain = Witness(Path(sys.argv[1]), NAME, WITNESS, {ORIGIN: LOG_KEY})
    for module, name in ((os, "open"), (os, "rename"), (durable, "sync_file"),
                         (durable, "sync_directory"), (service, "cosign")):
        setattr(module, name, counted(getattr(module, name)))
    print(plain.add_checkpoint(A.request(7, 9)).status, flush=True)
"""


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_each_step(tmp_path: Path, when: str) -> None:
    outcomes = []
    for step in count(1):
        folder = tmp_path / str(step)
        plain = Witness(folder, NAME, WITNESS, {ORIGIN: LOG_KEY})
        plain.add_checkpoint(A.request(0, 7))
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(_KILLED), folder, str(step), when],
            cwd=SUPPORT,
            capture_output=True,
            check=False,
            timeout=60,
        )
        held = Checkpoint.parse(Note.parse(state(folder).read_bytes()).text)
        assert held in (A.checkpoint(7), A.checkpoint(9))
        outcomes.append(held.size)
        # It goes on from there, and only from there: A and B differ at 7 already.
        assert plain.add_checkpoint(B.request(7, 9)).status == (422 if held.size == 7 else 409)
        assert plain.add_checkpoint(B.request(9, 12)).status in (409, 422)
        assert plain.add_checkpoint(A.request(held.size, 12)).status == 200
        if done.returncode == 0:
            assert done.stdout == b"200\n"
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert not done.stdout
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {7, 9}
    assert len(outcomes) >= 6


def test_many_threads_show_two_histories_at_once(tmp_path: Path) -> None:
    origins = 6
    logs = {
        f"example.com/{n}": VerifierKey(f"example.com/{n}", ED25519, LOG.public_key)
        for n in range(origins)
    }
    plain = Witness(tmp_path, NAME, WITNESS, logs)
    found: list[Cosigned] = []
    end = time.monotonic() + 1.5
    with serving(plain) as url:
        threads = [
            threading.Thread(
                target=_compete,
                args=(n % 2, [url], origins, lambda: time.monotonic() > end, found, n),
            )
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert check_one_history(found) == origins


@pytest.mark.parametrize("where", ["threads", "processes"])
def test_two_histories_at_the_same_moment(tmp_path: Path, where: str) -> None:
    origins = 4
    children = [Child(tmp_path, origins, 0.15) for _ in range(1 if where == "threads" else 2)]
    try:
        for origin in range(origins):
            answers: list[Answer] = []

            def show(number: int, origin: int = origin, answers: list[Answer] = answers) -> None:
                body = histories(origin)[number].request(0, 7 + number)
                answers.append(post(children[number % len(children)].url, body))

            threads = [threading.Thread(target=show, args=(number,)) for number in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            # Whoever came second learns of the other, and waited for it.
            given, refused = sorted(answers)
            assert (given.status, refused.status) == (200, 409)
            assert refused.body in (b"7\n", b"8\n")
    finally:
        for child in children:
            child.kill()


# --- Odd bytes.


class Model:
    """A witness as the specification describes it, in memory, who knows all histories there are."""

    def __init__(self) -> None:
        self.size = 0
        self.root = EMPTY_ROOT

    def status(self, old: int, history: History, size: int, proof: list[bytes]) -> int:
        if old > size:
            return 400
        if old != self.size:
            return 409
        true = self.root == merkle.root(history.leaves[:old]) or old == 0
        if not true or proof != history.proof(old, size):
            return 422
        self.size, self.root = size, merkle.root(history.leaves[:size])
        return 200


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[int, History, int, int]]:
    sizes = st.integers(0, 12)
    old = st.just(-1) | sizes  # mostly what it holds
    proof = st.just(-1) | sizes  # mostly the right one
    step = st.tuples(old, st.sampled_from([A, A, B]), sizes, proof)
    return draw(st.lists(step, max_size=12))


@settings(deadline=None, max_examples=often(150))
@given(steps())
def test_it_answers_as_the_specification_says(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, History, int, int]],
) -> None:
    folder = tmp_path_factory.mktemp("model")
    plain, model = Witness(folder, NAME, WITNESS, {ORIGIN: LOG_KEY}), Model()
    for old, history, size, proof_from in steps:
        old = model.size if old < 0 else old
        proof = history.proof(min(old if proof_from < 0 else proof_from, size), size)
        held = model.size
        answer = plain.add_checkpoint(format_request(old, proof, history.note(size)))
        assert answer.status == model.status(old, history, size, proof)
        if answer.status == 200:
            holds(answer.body, history.checkpoint(size).format())
        elif answer.status == 409:
            assert answer.body == b"%d\n" % held
        assert plain._recall(ORIGIN)[0] == Checkpoint(ORIGIN, model.size, model.root)
    shutil.rmtree(folder)


_TOKENS = st.sampled_from(
    [b"\n", b"\n\n", b"old ", b"old 0", b"0", b"7", b"9", b" ", b"\0", b"\xff", b"+", b"=", b"AA==",
     "— ".encode(), ORIGIN.encode(), HASH.encode(), b"\r\n", b"9" * 30, b"-1", LOG_KEY.id]
)  # fmt: skip
_VALID = st.sampled_from([A.request(7, 9), A.request(7, 7), B.request(7, 9), A.request(0, 9)])


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A request with some bytes replaced by others, or by parts of requests."""
    body = draw(_VALID)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 5) | st.integers(0, len(body)))
        body = body[:at] + draw(_TOKENS | st.binary(max_size=4)) + body[at + length :]
    return body


odd_bodies = mangled() | st.lists(_TOKENS, max_size=30).map(b"".join) | st.binary(max_size=300)


@pytest.fixture(scope="module")
def movable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Witness, Path, bytes]:
    """A witness that holds A at 7, and the bytes that bring it back there."""
    folder = tmp_path_factory.mktemp("movable")
    plain = Witness(folder, NAME, WITNESS, {ORIGIN: LOG_KEY})
    plain.add_checkpoint(A.request(0, 7))
    return plain, folder, state(folder).read_bytes()


@settings(deadline=None, max_examples=often(600))
@given(odd_bodies)
def test_any_body_gets_an_answer(movable: tuple[Witness, Path, bytes], body: bytes) -> None:
    plain, folder, held = movable
    state(folder).write_bytes(held)
    answer = plain.add_checkpoint(body)
    assert answer.status in (200, 400, 403, 404, 409, 422)
    if answer.status == 200:  # what was done to it can be nothing
        text = parse_request(body).note.text
        assert text in (A.checkpoint(7).format(), A.checkpoint(9).format())
        assert holds(answer.body, text)
    else:
        assert state(folder).read_bytes() == held


@settings(deadline=None, max_examples=often(150))
@given(odd_bodies)
def test_any_body_gets_an_answer_over_http(seven: tuple[Witness, str, Path], body: bytes) -> None:
    plain, url, _ = seven
    body = body.replace(A.note(9), b"")  # this one stays at 7
    answer = post(url, body)
    assert answer.status < 500
    if answer.status != 200:
        assert answer == plain.add_checkpoint(body)
