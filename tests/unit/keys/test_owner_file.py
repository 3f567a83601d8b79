"""Files for their owner alone: how they are written, read, refused and destroyed."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from key_files import KEY, RAW, RFC_PRIVATE, RFC_PUBLIC, private

from chained_logging.errors import ForeignFile, Unsupported
from chained_logging.keys import (
    PrivateKey,
    destroy,
    owner_file,
    passphrase_from,
)


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_a_new_file_is_for_its_owner_alone(file: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        KEY.save(file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PrivateKey.load(file).public_key == RAW


def test_it_is_so_from_its_first_moment_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = os.open

    def spy(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if Path(path) == file:
            opened.append((flags, mode))
        return real(path, flags, mode, **more)

    monkeypatch.setattr(os, "open", spy)
    KEY.save(file)
    ((flags, mode),) = opened
    assert mode == 0o600
    assert flags & os.O_EXCL
    assert flags & os.O_NOFOLLOW
    assert flags & os.O_CLOEXEC


def test_it_is_on_the_disk_before_save_returns(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[object] = []
    monkeypatch.setattr(owner_file, "sync_file", lambda fd: synced.append(os.fstat(fd).st_size))
    monkeypatch.setattr(owner_file, "sync_directory", synced.append)
    KEY.save(file)
    assert synced == [len(RFC_PRIVATE), file]


@pytest.mark.parametrize("fails", ["sync_file", "sync_directory"])
def test_what_cannot_be_written_whole_is_not_left(
    file: Path, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(owner_file, fails, full)
    with pytest.raises(OSError, match="No space"):
        KEY.save(file)
    assert list(file.parent.iterdir()) == []


def test_nothing_is_written_over(file: Path, tmp_path: Path) -> None:
    private(file, "precious")
    (link := tmp_path / "link").symlink_to(file)
    (dangling := tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for there in (file, link, dangling, tmp_path):
        with pytest.raises(FileExistsError) as caught:
            KEY.save(there)
        assert str(caught.value) == f"{there} exists already, and a key is never overwritten"
    assert file.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666, 0o4644, 0o440])
def test_a_file_that_others_can_use_is_refused(file: Path, mode: int) -> None:
    private(file, mode=mode)
    for read in (PrivateKey.load, lambda path: passphrase_from(file=path)):
        with pytest.raises(ForeignFile) as caught:
            read(file)
        assert str(caught.value) == (
            f"{file} has mode {mode:04o} and is not for its owner alone: chmod 600 {file}"
        )


def test_the_advice_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    file = private(tmp_path / "my $(key)", mode=0o644)
    with pytest.raises(ForeignFile) as caught:
        PrivateKey.load(file)
    subprocess.run(str(caught.value).partition("alone: ")[2], shell=True, check=True)
    assert PrivateKey.load(file).public_key == RAW


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_is_read(file: Path, mode: int) -> None:
    assert PrivateKey.load(private(file, mode=mode)).public_key == RAW


def test_a_link_is_as_good_as_where_it_leads(file: Path, tmp_path: Path) -> None:
    private(file)
    (first := tmp_path / "first").symlink_to(file)
    (second := tmp_path / "second").symlink_to(first)
    assert PrivateKey.load(second).public_key == RAW
    file.chmod(0o644)
    with pytest.raises(ForeignFile, match="has mode 0644"):
        PrivateKey.load(second)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        PrivateKey.load(second)
    first.unlink()
    first.symlink_to(first)
    with pytest.raises(OSError, match="symbolic links"):
        PrivateKey.load(second)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(fifo := tmp_path / "fifo", 0o600)
    for path in (tmp_path, fifo, Path("/dev/zero")):
        for read in (PrivateKey.load, lambda path: passphrase_from(file=path)):
            with pytest.raises(ForeignFile, match=r"is not a regular file$"):
                read(path)


def test_a_large_file_is_refused(file: Path) -> None:
    comment = "# " + "x" * (owner_file.MAX_FILE - len(RFC_PRIVATE) - 3) + "\n"
    assert PrivateKey.load(private(file, comment + RFC_PRIVATE)).public_key == RAW
    with pytest.raises(ForeignFile, match="has more than 65536 bytes"):
        PrivateKey.load(private(file, "#" + comment + RFC_PRIVATE))
    os.truncate(file, 1 << 40)  # no memory is taken for it
    with pytest.raises(ForeignFile, match="has more than 65536 bytes"):
        PrivateKey.load(file)


def test_a_destroyed_key_was_overwritten_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KEY.save(file)
    file.chmod(0o400)
    done: list[object] = []
    unlink = os.unlink
    monkeypatch.setattr(owner_file, "sync_file", lambda fd: done.append(oct(os.fstat(fd).st_mode)))
    monkeypatch.setattr(owner_file, "sync_directory", done.append)

    def spy(path: Path) -> None:
        done.append(path.read_bytes())
        unlink(path)

    monkeypatch.setattr(os, "unlink", spy)
    destroy(file)
    assert done == ["0o100600", bytes(len(RFC_PRIVATE)), file]
    assert list(file.parent.iterdir()) == []


def test_an_interrupted_destruction_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KEY.save(file)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            destroy(file)
    assert file.read_bytes() == bytes(len(RFC_PRIVATE))
    destroy(str(file))
    assert not file.exists()
    with pytest.raises(FileNotFoundError):
        destroy(file)


def test_the_name_goes_even_where_nothing_can_be_overwritten(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    KEY.save(file)

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pwrite", broken)
    destroy(file)
    assert not file.exists()


def test_another_name_of_the_key_does_not_keep_it(file: Path, tmp_path: Path) -> None:
    KEY.save(file)
    os.link(file, other := tmp_path / "other")
    destroy(file)
    assert other.read_bytes() == bytes(len(RFC_PRIVATE))


def test_what_is_no_key_is_not_destroyed(file: Path, tmp_path: Path) -> None:
    for content in (b'{"action":"read"}\n', RFC_PUBLIC.encode(), bytes(owner_file.MAX_FILE + 1)):
        private(file, content)
        with pytest.raises(ValueError, match=r"is not a private key, and was left as it is$"):
            destroy(file)
        assert file.read_bytes() == content
    private(file)
    (link := tmp_path / "link").symlink_to(file)
    with pytest.raises(ForeignFile, match="is a link"):
        destroy(link)
    os.mkfifo(fifo := tmp_path / "fifo")
    for path in (tmp_path, fifo):
        with pytest.raises(ForeignFile, match=r"is not a regular file$"):
            destroy(path)
    assert file.read_text() == RFC_PRIVATE
    assert link.is_symlink()


def test_without_file_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_file, "os", SimpleNamespace(name="nt"))
    for call in (partial(KEY.save, "x"), partial(PrivateKey.load, "x"), partial(destroy, "x")):
        with pytest.raises(Unsupported, match=r"^private keys are not kept in files on this"):
            call()
