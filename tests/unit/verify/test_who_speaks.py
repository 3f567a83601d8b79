"""Who may speak for a log: entries in its own name that somebody without its key writes.

The attacker can write the log's file and every file beside it, and computes all hashes; he has no
key of the log. Each attack is tried on both kinds of store, under both ways to sign, with a writer
that runs on and one that is started again, and judged by both verifiers, pinned and not.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from commands import command
from signed_logs import ORIGIN, Key, append_lines, own, pin

from chained_logging import AuditLog
from chained_logging.errors import FAILURES, KeyForged
from chained_logging.format.canonical import canonical
from chained_logging.format.line import GENESIS
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.statements import made_statement, statement_message, verifier_key

VERIFY = Path(sys.modules["chained_logging.verify"].__file__ or "")


def verdicts(path: Path, *arguments: object) -> set[int]:
    """Return how both verifiers end: the command, and the file alone.

    The file under ``-I -S`` has no package that checks signatures: it comes to the same end, or
    says what it did not check.
    """
    ends = set()
    for done in (
        command("verify", path, *arguments),
        command(path, *arguments, program=("-I", "-S", VERIFY)),
    ):
        assert "Traceback" not in done.stderr
        if "-S" not in done.args or "NOT CHECKED" not in done.stdout + done.stderr:
            ends.add(done.returncode)
        else:
            assert not arguments or done.returncode, done.stdout
    return ends


def rotation(evil: Key, log_key: Key, **statement: Any) -> Any:
    return own(
        "key.rotate",
        origin=ORIGIN,
        old_public_key=pin(log_key),
        public_key=pin(evil),
        **statement,
    )


def forged(evil: Key, key: Key, wrong: str) -> Any:
    """Return an entry that names or revokes a key and that the log's key did not make."""
    signature = base64.b64encode(evil.sign(b"anything")).decode()
    return {
        "rotation without a statement": rotation(evil, key),
        "rotation with another key's statement": rotation(evil, key, statement=signature),
        "rotation with a broken statement": rotation(evil, key, statement="AAAA"),
        "rotation from the attacker's key": own(
            "key.rotate", origin=ORIGIN, old_public_key=pin(evil), public_key=pin(evil)
        ),
        "rotation that names nothing": own("key.rotate", origin=ORIGIN, statement=signature),
        "a first key": own("key.add", origin=ORIGIN, public_key=pin(evil)),
        "the log's own key once more": own("key.add", origin=ORIGIN, public_key=pin(key)),
        "a second beginning": own("log.open", origin=ORIGIN, format=1, software="x"),
        "a second beginning with a key": own(
            "log.open", origin=ORIGIN, format=1, software="x", public_key=pin(evil)
        ),
    }[wrong]


WRONG = (
    "rotation without a statement",
    "rotation with another key's statement",
    "rotation with a broken statement",
    "rotation from the attacker's key",
    "rotation that names nothing",
    "a first key",
    "the log's own key once more",
    "a second beginning",
    "a second beginning with a key",
)


@pytest.mark.parametrize("wrong", WRONG)
def test_nothing_is_signed_above_a_key_that_the_log_did_not_name(path: Path, wrong: str) -> None:
    evil, key = Key(), Key()
    (path.with_name("k")).write_text(pin(key))
    options = {"key": key, "sync_interval": 0.02, "checkpoint_interval": 0.02}
    with pytest.warns(UserWarning, match="no checkpoint at close"):  # noqa: SIM117, PT031
        with AuditLog(path, origin=ORIGIN, **options) as log:
            log.append("a", **EVENT)
            size = len(log.checkpoint()) and log.last_checkpoint().size
            append_lines(path, [forged(evil, key, wrong)], own=True)
            log.append("goes on", **EVENT)
            deadline = time.monotonic() + 10
            while "was not written by this log" not in str(log.stats()["last_error"]):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            with pytest.raises(KeyForged, match="Nothing is signed above it"):
                log.checkpoint()
            with pytest.raises(KeyForged):
                log.rotate_key(Key())
    assert verdicts(path) == verdicts(path, "--public-key", path.with_name("k")) == {1}
    # A writer that is started again is no better off, and breaks no program.
    with pytest.warns(UserWarning, match="no checkpoint at close"):  # noqa: SIM117, PT031
        with AuditLog(path, **options) as log:
            log.append("after", **EVENT)
            assert log.last_checkpoint().size == size
    with pytest.raises(ValueError, match="has the key"):
        AuditLog(path, key=evil)


@pytest.mark.parametrize("wrong", WRONG[::3])
def test_no_entry_is_signed_above_a_forged_name(path: Path, wrong: str) -> None:
    evil, key = Key(), Key()
    with AuditLog(path, key=key, origin=ORIGIN, sign="each", on_failure="raise") as log:
        log.append("a", **EVENT)
        append_lines(path, [forged(evil, key, wrong)], own=True)
        before = log.last_seq
        with pytest.raises(KeyForged):
            log.append("b", **EVENT)
        with pytest.warns(UserWarning, match="no checkpoint at close"):
            log.close()
    signed = [entry.seq for entry in AuditLog(path, sign="follow").entries() if entry.signature]
    assert max(signed) == before
    assert verdicts(path) == {1}


def test_a_checkpoint_that_the_log_did_not_sign_is_not_gone_on_from(path: Path) -> None:
    """A checkpoint of the attacker over his rotation would hide it from who reads on from there."""
    from chained_logging.format.merkle import Frontier
    from chained_logging.sinks.checkpoints import make

    key, evil = Key(), Key()

    class Pretender(Key):
        public_key = key.public_key

    options = {"key": key, "sync_interval": 5, "checkpoint_interval": 600}
    with pytest.warns(UserWarning, match="no checkpoint at close"):  # noqa: SIM117, PT031
        with AuditLog(path, origin=ORIGIN, **options) as log:
            log.append("a", **EVENT)
            append_lines(path, [rotation(evil, key)], own=True)
            note = make(Frontier(), log.records(), ORIGIN, Pretender())
            log._sink.add_checkpoint(note)
            with pytest.raises(KeyForged):
                log.checkpoint()
    with pytest.warns(UserWarning, match="no checkpoint at close"):
        AuditLog(path, **options).close()
    assert verdicts(path) == {1}


def test_deleted_checkpoints_do_not_make_a_running_log_sign_another_history(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", Key()
    (tmp_path / "k").write_text(pin(key))
    with AuditLog(path, key=key, origin=ORIGIN, checkpoint_interval=600) as log:
        for n in range(5):
            log.append(f"a-{n}", **EVENT)
        log.checkpoint()
        Path(f"{path}.checkpoints").unlink()
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(lines[0])
        append_lines(path, [{"action": f"b-{n}", **EVENT} for n in range(9)])
        log.append("goes on", **EVENT)
    assert verdicts(path, "--public-key", tmp_path / "k") == {1}


def test_a_statement_is_bound_to_its_place_and_log(path: Path) -> None:
    key, new = Key(), Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
        log.rotate_key(new)
        log.append("b", **EVENT)
    entry = next(e for e in AuditLog(path, sign="follow").entries() if e.action == "key.rotate")
    arguments = [ORIGIN, entry.seq, entry.prev_hash, pin(key), pin(new)]
    signature = base64.b64decode(entry.context["statement"])
    mine = VerifierKey.parse(pin(key))
    assert made_statement(mine, statement_message("key.rotate", *arguments), signature)
    for index, other in enumerate(("example.com/other", 1, "GENESIS", pin(new), pin(key))):
        moved = [*arguments[:index], other, *arguments[index + 1 :]]
        assert not made_statement(mine, statement_message("key.rotate", *moved), signature)
    assert not made_statement(mine, statement_message("key.revoke", *arguments), signature)
    # Once more in the same log, after it: the place is another one.
    append_lines(path, [own("key.rotate", **entry.context)], own=True)
    assert verdicts(path) == {1}


def test_the_first_key_of_a_log_is_vouched_for_by_nobody(path: Path) -> None:
    """Said in the documentation: only who knows it from elsewhere can tell."""
    key, evil = Key(), Key()
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    append_lines(path, [own("key.add", origin=ORIGIN, public_key=pin(evil))], own=True)
    with pytest.raises(ValueError, match="has the key"):
        AuditLog(path, key=key)
    (path.with_name("k")).write_text(pin(key))
    assert verdicts(path, "--public-key", path.with_name("k")) == {1}


@pytest.mark.parametrize("sign", ["checkpoint", "each"])
def test_a_forged_revocation_is_said_to_bear_no_signature(path: Path, sign: Any) -> None:
    key = Key()
    (path.with_name("k")).write_text(pin(key))
    options = {"key": key, "sign": sign, "sync_interval": 0.02, "checkpoint_interval": 0.02}
    with AuditLog(path, origin=ORIGIN, **options) as log:
        log.append("a", **EVENT)
        append_lines(path, [own("key.revoke", ("public_key", pin(key)))], own=True)
        log.append("b", **EVENT)
        deadline = time.monotonic() + 10
        while "was stolen" not in str(log.stats()["last_error"]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    done = subprocess.run(
        [sys.executable, VERIFY, path, "--public-key", path.with_name("k")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "was revoked at seq 2, by an entry that no key signed" in done.stdout
    # It does not spare anybody the signatures: without them a pinned log is still a forgery.
    if path.suffix == ".jsonl":
        Path(f"{path}.checkpoints").unlink()
        assert verdicts(path, "--public-key", path.with_name("k")) == {1}


def test_an_entry_that_only_looks_like_the_logs_own_is_named(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    append_lines(path, [{**own("log.recover"), "actor_type": "service"}], own=True)
    assert verdicts(path) == {1}


# --- Files beside the log.


@pytest.mark.parametrize(
    "forged", [b"", b"{}\n", b"\xff" * 99 + b"\n", b"another head", b"far ahead"]
)
@pytest.mark.parametrize("resting", [False, True])
def test_what_the_manifest_says_is_not_believed_of_a_segment_that_is_here(
    tmp_path: Path, forged: bytes, resting: bool
) -> None:
    path, key = tmp_path / "audit.jsonl", Key()
    with AuditLog(path, key=key, origin=ORIGIN, max_bytes=1500) as log:
        for number in range(6):
            log.append(f"a-{number}", **EVENT)
    manifest = Path(f"{path}.manifest")
    *lines, last = manifest.read_text().splitlines()
    said = json.loads(last)
    if resting:  # killed between the sealing and the next entry
        path.rename(tmp_path / f"audit.{said['last_seq'] + 1:020d}.jsonl")
    if forged == b"another head":
        said["last_hash"] = "0" * 64
    elif forged == b"far ahead":
        said["last_seq"] += 1000
    if forged.isascii() and b" " in forged:
        forged = "\n".join([*lines, json.dumps(said)]).encode() + b"\n"
    manifest.write_bytes(forged)
    with AuditLog(path, key=key, sync_interval=0.02) as log:
        log.append("goes on", **EVENT)
    entries = list(AuditLog(path, sign="follow").entries())
    assert [entry.seq for entry in entries] == list(range(len(entries)))
    assert entries[-1].action == "goes on"
    links = [GENESIS, *(entry.hash for entry in entries)]
    assert all(entry.prev_hash == link for entry, link in zip(entries, links, strict=False))


@pytest.mark.parametrize("name", ["torn-0-1", "ship-0123456789ab", "new", "restoring.x"])
def test_nothing_is_said_for_the_log_by_other_files_beside_it(path: Path, name: str) -> None:
    key, evil = Key(), Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    other = path.with_name("other.jsonl")
    with AuditLog(other, key=evil, origin=ORIGIN) as log:
        log.append("forged", **EVENT)
    beside = Path(f"{path}.{name}")
    beside.write_bytes(other.read_bytes() + b"\0\xff{")
    beside.chmod(0o600)
    path.with_name("k").write_text(pin(key))
    with AuditLog(path, key=key) as log:
        log.append("b", **EVENT)
    assert [entry.action for entry in AuditLog(path, sign="follow").entries()][1:] == ["a", "b"]
    assert verdicts(path, "--public-key", path.with_name("k")) == {0}


# --- The spill file.


def spill_line(event: dict[str, Any], **edits: Any) -> bytes:
    from chained_logging.event.draft import draft

    fields = json.loads(draft(event, own=True).body(0, GENESIS))
    return canonical({**fields, **edits}) + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        spill_line(own("key.rotate", public_key="x")),
        spill_line(own("log.recover", cause="nothing to see")),
        spill_line(own("read"), actor_type="user", ip_address="10.0.0.1"),
        spill_line({"action": "a", **EVENT}, actor_id=7),
        spill_line({"action": "a", **EVENT}, ip_address=None),
        spill_line({"action": "a", **EVENT}, ip_address="10.0.0.01"),
        spill_line({"action": "a", **EVENT}, result="great"),
        spill_line({"action": "a", **EVENT}, timestamp="yesterday"),
        spill_line({"action": "a", **EVENT}, id="not-a-uuid"),
        spill_line({"action": "a", **EVENT}, v=2),
        spill_line({"action": "a", **EVENT}, hash="0" * 64),
        spill_line({"action": "a", **EVENT}, changed_fields="abc"),
        spill_line({"action": "a", **EVENT}, old_values=[]),
        spill_line({"action": "a", **EVENT}, context={"invalid": 7}),
        spill_line({"action": "a", **EVENT}, context={"invalid": {"actor_id": 7}}),
        spill_line({"action": "a", **EVENT}, v=True),
        spill_line({"action": "a", **EVENT}, seq=False),
        spill_line({"action": "a", **EVENT}).replace(b'"v":1', b'"v":1.0'),
        spill_line({"action": "a", **EVENT}, reason="r", context={"invalid": {"reason": 7}}),
        spill_line({"action": "a", **EVENT}, context={"oversize": 7}),
        spill_line({"action": "a", **EVENT}, context={"oversize": ["/context/b"], "b": "x"}),
        spill_line({"action": "a", **EVENT}, context={"oversize": ["/reason", "/context"]}),
        b"x" * 200_000 + b"\n",
        b"[]\n",
        b'"' + b"[" * 5000 + b"\n",
    ],
)
def test_what_no_caller_could_log_is_not_chained_from_the_spill_file(
    tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin=ORIGIN, on_failure="raise") as log:
        log.append("a", **EVENT)
    good = spill_line({"action": "good", **EVENT})
    spill = Path(f"{path}.spill")
    spill.write_bytes(line + good)
    spill.chmod(0o600)
    with AuditLog(path) as log:
        log.append("b", **EVENT)
    actions = [entry.action for entry in AuditLog(path).entries()]
    assert actions == ["log.open", "a", "good", "log.recover", "b"]
    (aside,) = tmp_path.glob("*.torn-*")
    assert aside.read_bytes() == line
    assert verdicts(path) == {0}


def test_a_forged_mark_makes_no_event_vanish(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        taken = log.append("a", **EVENT)
    spill = Path(f"{path}.spill")
    spill.write_bytes(b"0\n" + spill_line({"action": "kept", **EVENT}, id=taken.id))
    spill.chmod(0o600)
    AuditLog(path).close()
    assert [entry.action for entry in AuditLog(path).entries()] == ["log.open", "a", "kept"]


# --- Files that the log did not make.


def plant(path: Path, how: str) -> None:
    """Put something where the log wants a file."""
    victim = path.with_name("victim")
    victim.write_bytes(b"precious\n")
    if how == "link":
        path.symlink_to(victim)
    elif how == "hard link":
        os.link(victim, path)
    elif how == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"")
        path.chmod(0o666 if how == "loose" else 0o600)
        if how == "foreign":
            os.chown(path, 65534, 65534)


PLANTED = [
    ("audit.jsonl", ".lock"),
    ("audit.jsonl", ".writers"),
    ("audit.jsonl", ".checkpoints"),
    ("audit.jsonl", ".spill"),
    ("audit.jsonl", ".manifest"),
    ("audit.jsonl", ".manifest.new"),
    ("audit.00000000000000000000.jsonl", ""),
    ("audit.jsonl", ""),
    ("audit.db", ""),
    ("audit.db", ".lock"),
    ("audit.db", ".spill"),
    ("audit.db", "-wal"),
    ("audit.db", "-shm"),
    ("audit.db", "-journal"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("how", ["link", "hard link", "pipe", "loose", "foreign"])
@pytest.mark.parametrize(("name", "side"), PLANTED)
def test_a_file_that_the_log_did_not_make_is_left_alone(
    tmp_path: Path, name: str, side: str, how: str
) -> None:
    if how == "foreign" and os.geteuid():
        pytest.skip("only root can give a file away")
    if not side and how == "link" and "." not in name[6:]:
        pytest.skip("a link to a log is followed")
    planted = tmp_path / (name + side)
    plant(planted, how)
    before, victim = os.lstat(planted), tmp_path / "victim"
    path = tmp_path / ("audit.db" if name.endswith(".db") else "audit.jsonl")
    if not side and how == "link" and path == planted:
        return  # a link to a log is followed, and its lock stands beside the log itself
    options: dict[str, Any] = {"max_bytes": 600} if name.endswith("l") else {}
    reasons = []
    try:
        with AuditLog(path, key=Key(), origin=ORIGIN, sync_interval=0.02, **options) as log:
            for _ in range(3):
                log.append("a", **EVENT)
            log.checkpoint()
            time.sleep(0.1)
            reasons.append(str(log.stats()["last_error"]))
    except (*FAILURES, ValueError) as error:
        reasons.append(str(error))
    after = os.lstat(planted)
    assert (after.st_ino, after.st_mode, after.st_uid) == (
        before.st_ino,
        before.st_mode,
        before.st_uid,
    )
    assert victim.read_bytes() == b"precious\n"
    if how not in ("link", "hard link", "pipe"):
        assert planted.read_bytes() == b""
    assert "so it is not used" in reasons[0], reasons


def test_the_spill_file_of_another_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    spill = Path(f"{path}.spill")
    spill.write_bytes(spill_line({"action": "theirs", **EVENT}))
    spill.chmod(0o622)
    with AuditLog(path, sync_interval=0.02) as log:
        log.append("b", **EVENT)
        assert "can be written to by others" in str(log.stats()["last_error"])
    assert [entry.action for entry in AuditLog(path).entries()] == ["log.open", "a", "b"]
    assert spill.exists()


@pytest.mark.parametrize(
    "edit",
    [
        lambda lines: [b"99999999999999999999 " + b"0" * 64, *lines[1:]],
        lambda lines: [b"00000000000000000009 " + b"x" * 64, *lines[1:]],
        lambda lines: [*lines[:3], b"example.com/another", *lines[4:]],
        lambda _: [b"\xff\xfe"],
    ],
)
def test_what_the_lock_file_says_is_not_believed(
    path: Path, edit: Callable[[list[bytes]], list[bytes]]
) -> None:
    key = Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    lock = Path(f"{path}.lock")
    lock.write_bytes(b"\n".join(edit(lock.read_bytes().split(b"\n"))))
    with AuditLog(path, key=key) as log:
        assert log.origin == ORIGIN
        log.append("b", **EVENT)
    assert verdicts(path) == {0}


def test_a_key_named_for_another_log_is_none_of_this_one(path: Path) -> None:
    key, new = Key(), Key()
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
        head = log.durable_head()
    other = verifier_key("example.com/other", new)
    message = statement_message("key.rotate", ORIGIN, head.seq + 1, head.hash, pin(key), other)
    entry = own(
        "key.rotate",
        origin=ORIGIN,
        old_public_key=pin(key),
        public_key=other,
        statement=base64.b64encode(key.sign(message)).decode(),
    )
    append_lines(path, [entry], own=True)
    assert verdicts(path) == {1}
