"""Which disk a folder is on: from what the kernel lists, here made up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from backed_up import elsewhere

from chained_logging.review.backup import disks as module
from chained_logging.review.backup.disks import disks, in_memory, shared_disk

__all__ = ["elsewhere"]  # a fixture


class Machine:
    """What a kernel lists of its disks and mounts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.devices: dict[Path, int] = {}
        self.mounts: list[str] = []
        (folder / "numbers").mkdir(parents=True)
        monkeypatch.setattr(module, "_BLOCK", folder / "numbers")
        monkeypatch.setattr(module, "_MOUNTS", folder / "mountinfo")
        real = os.stat

        def stat(path: object, *arguments: object, **options: object) -> object:
            found = real(path, *arguments, **options)  # type: ignore[arg-type, call-overload]
            device = self.devices.get(Path(os.fspath(path)))  # type: ignore[call-overload]
            return found if device is None else os.stat_result([*found[:2], device, *found[3:10]])

        monkeypatch.setattr(module.os, "stat", stat)

    def device(self, number: int, name: str) -> Path:
        """Add a block device, such as ``sda/sda1``."""
        block = self.folder / "block" / name
        block.mkdir(parents=True, exist_ok=True)
        if "/" in name:
            (block / "partition").write_text("1")
        (self.folder / "numbers" / f"8:{number}").symlink_to(block)
        return block

    def mount(self, point: Path, number: int, source: str = "none", kind: str = "ext4") -> Path:
        point.mkdir(exist_ok=True)
        self.devices[point] = os.makedev(8, number)
        name = str(point).replace(" ", r"\040")
        self.mounts.append(f"1 1 8:{number} / {name} rw - {kind} {source} rw\n")
        (self.folder / "mountinfo").write_text("".join(self.mounts))
        return point


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path / "machine", monkeypatch)


def test_two_folders_of_one_file_system_are_together(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert shared_disk(tmp_path, tmp_path / "a") == (
        f"{tmp_path / 'a'} is on the same file system as {tmp_path}"
    )


def test_another_file_system_is_apart(tmp_path: Path, elsewhere: Path) -> None:
    assert shared_disk(tmp_path, elsewhere) is None
    assert in_memory(elsewhere)


def test_two_partitions_of_one_disk_are_together(machine: Machine, tmp_path: Path) -> None:
    machine.device(1, "sda/sda1")
    machine.device(2, "sda/sda2")
    machine.device(17, "sdb/sdb1")
    log = machine.mount(tmp_path / "log", 1)
    other = machine.mount(tmp_path / "with a blank", 2)
    far = machine.mount(tmp_path / "far", 17)
    assert shared_disk(log, other) == f"{other} is on the same disk as {log}: sda"
    assert shared_disk(log, far) is None
    assert not in_memory(far)


def test_a_volume_is_on_all_disks_below_it(machine: Machine, tmp_path: Path) -> None:
    for number, name in ((1, "sda/sda1"), (17, "sdb/sdb1"), (33, "sdc/sdc1")):
        machine.device(number, name)
    volume = machine.device(40, "dm-0")
    (volume / "slaves").mkdir()
    for number in (1, 17):
        block = (machine.folder / "numbers" / f"8:{number}").resolve()
        (volume / "slaves" / block.name).symlink_to(block)
    log = machine.mount(tmp_path / "log", 40)
    assert disks(log) == {"sda", "sdb"}
    assert "sdb" in str(shared_disk(log, machine.mount(tmp_path / "b", 17)))
    assert shared_disk(log, machine.mount(tmp_path / "c", 33)) is None


def test_a_loop_device_is_where_its_file_is(machine: Machine, tmp_path: Path) -> None:
    machine.device(1, "sda/sda1")
    loop = machine.device(50, "loop0")
    log = machine.mount(tmp_path / "log", 1)
    image = tmp_path / "log" / "image"
    image.write_bytes(b"")
    machine.devices[image] = machine.devices[log]
    (loop / "loop").mkdir()
    (loop / "loop" / "backing_file").write_text(f"{image}\n")
    assert "sda" in str(shared_disk(log, machine.mount(tmp_path / "b", 50)))


@pytest.mark.parametrize("strange", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_a_mount_with_a_strange_name_hides_no_other(
    machine: Machine, tmp_path: Path, strange: str
) -> None:
    machine.device(1, "sda/sda1")
    log = machine.mount(tmp_path / "log", 1)
    machine.mount(tmp_path / f"of{strange}ann", 2, "ann", "fuse.sshfs")
    memory = machine.mount(tmp_path / "memory", 3, "tmpfs", "tmpfs")
    assert disks(log) == {"sda"}
    assert (in_memory(log), in_memory(memory)) == (False, True)


@pytest.mark.parametrize("source", ["nas.example:/export/{}", "//nas.example/{}"])
def test_two_shares_of_one_server_are_together(
    machine: Machine, tmp_path: Path, source: str
) -> None:
    one = machine.mount(tmp_path / "a", 60, source.format("a"), "nfs4")
    other = machine.mount(tmp_path / "b", 61, source.format("b"), "nfs4")
    assert shared_disk(one, other) == f"{other} is on the same disk as {one}: nas.example"


def test_without_a_list_of_mounts_the_numbers_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOUNTS", tmp_path / "missing")
    monkeypatch.setattr(module, "_BLOCK", tmp_path / "missing")
    device = os.stat(tmp_path).st_dev
    assert disks(tmp_path) == {f"{os.major(device)}:{os.minor(device)}"}
    assert not in_memory(tmp_path)
