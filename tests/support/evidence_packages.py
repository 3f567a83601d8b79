"""Packages of evidence, and what somebody without the log's key can make of one."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785
from chains import EVENT
from signed_logs import ORIGIN

from chained_logging import AuditLog
from chained_logging.review.package import readme

LAST = ("manifest.json", "claim.note")


def make_log(path: Path, key: Any, count: int = 40, **options: Any) -> Path:
    """Make a log whose entries differ, each with the checkpoint of its end."""
    with AuditLog(path, key=key, origin=ORIGIN, **options) as log:
        for number in range(count):
            log.append(
                ("read", "export")[number % 3 == 0],
                **{
                    **EVENT,
                    "actor": f"user-{number % 4}",
                    "resource": f"patient_record/{number % 5}",
                    "reason": "Treatment, ward 5" if number % 2 else None,
                    "changed_fields": ["name"] if number % 2 else None,
                },
            )
    return path


def unpacked(package: Path) -> dict[str, bytes]:
    """Return the files of a package, in their order."""
    with zipfile.ZipFile(package) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(target: Path, files: Mapping[str, bytes]) -> Path:
    """Write files as a package has them, whatever is in them."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, content)
    return target


def retold(files: Mapping[str, bytes], claim: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """Return files with a manifest and a README that fit them, and what is claimed of them.

    :param claim: fields of the manifest to replace. The sentence is left as it is given.
    """
    made = {name: content for name, content in files.items() if name not in LAST}
    said = {**json.loads(files["manifest.json"]), **(claim or {})}
    if claim is not None:
        meaning = files["README.txt"].decode().splitlines()[5]
        made["README.txt"] = readme(said["origin"], said["statement"], meaning, said["size"])
    said["files"] = {name: sha256(content).hexdigest() for name, content in made.items()}
    made["manifest.json"] = rfc8785.dumps(said)
    if "claim.note" in files:
        made["claim.note"] = files["claim.note"]
    return made
