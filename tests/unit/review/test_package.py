"""A package can be written in one way only, and a failure leaves nothing behind."""

from __future__ import annotations

import json
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from evidence_packages import pack, unpacked
from signed_logs import ORIGIN, Key

from chained_logging.review.package import Package, readme, verifier


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    key = Key()
    for name in ("one", "two"):
        with Package(tmp_path / name) as package:
            package.add("a.txt", [b"x", b"y"])
            package.add("b.txt", [])
            digest = package.seal(ORIGIN, {"n": 1}, key)
    one = (tmp_path / "one").read_bytes()
    assert one == (tmp_path / "two").read_bytes()
    files = unpacked(tmp_path / "one")
    assert [*files] == ["a.txt", "b.txt", "manifest.json", "claim.note"]
    assert files["a.txt"] == b"xy"
    said = json.loads(files["manifest.json"])
    assert said["files"] == {
        "a.txt": sha256(b"xy").hexdigest(),
        "b.txt": sha256(b"").hexdigest(),
    }
    assert digest == sha256(files["manifest.json"]).hexdigest()
    assert f"chained-logging evidence v1\n{ORIGIN}\n{digest}\n\n".encode() in files["claim.note"]
    # By another way, with nothing of the package's own.
    assert one == pack(tmp_path / "three", files).read_bytes()


def test_nothing_is_compressed_or_dated(tmp_path: Path) -> None:
    with Package(tmp_path / "p.zip") as package:
        package.add("a.txt", [b"x" * 1000])
        package.seal(ORIGIN, {}, None)
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
    assert (tmp_path / "p.zip").stat().st_mode & 0o777 == 0o600


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "p.zip").write_text("mine")
    with pytest.raises(FileExistsError, match="exists already: choose another name"):
        Package(tmp_path / "p.zip")
    assert (tmp_path / "p.zip").read_text() == "mine"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken() -> None:
        with Package(tmp_path / "p.zip") as package:
            package.add("a.txt", (b"x" * (1 // n) for n in (1, 0)))

    with pytest.raises(ZeroDivisionError):
        broken()
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "a.txt."])
def test_a_name_is_there_once(tmp_path: Path, name: str) -> None:
    with Package(tmp_path / "p.zip") as package:
        package.add("a.txt", [])
        with pytest.raises(ValueError, match=r"(?i)a\.txt\.? is in the package already"):
            package.add(name, [])


def test_the_readme_has_ten_lines() -> None:
    text = readme(ORIGIN, "3 of 5 {entries}", "Nothing is left out.", 5).decode()
    assert text.count("\n") == 10
    assert ORIGIN in text
    assert "3 of 5 {entries}\n" in text


def test_the_verifier_is_the_one_of_this_package() -> None:
    assert b"def verify_evidence(" in verifier()
