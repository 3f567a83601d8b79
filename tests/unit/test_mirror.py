"""The unit tests mirror the package: each module has a file of its own that tests what it promises.

``chained_logging/net/urls.py`` is tested in ``tests/unit/net/test_urls.py``. Other files beside
these may test what several modules promise together.
"""

from __future__ import annotations

from pathlib import Path

import chained_logging

PACKAGE = Path(chained_logging.__file__).parent
UNIT = Path(__file__).parent

WITHOUT = {
    "__init__.py": "names what others define",
    "__main__.py": "calls the command",
    "verify.py": "is generated: tests/unit/verify tests what it finds",
}
"""The files of the package's root that need no mirror, and why. So does each ``__init__.py``."""

UNFINISHED: set[str] = set()
"""Rooms where a mirror is still missing. It only gets shorter."""


def mirrored() -> list[Path]:
    """Return the modules that need a mirror, as paths in the package."""
    modules = (path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")))
    return [each for each in modules if each.name != "__init__.py" and str(each) not in WITHOUT]


def missing() -> dict[str, str]:
    """Return the mirrors that do not exist, and the module of each."""
    mirrors = {each: UNIT / each.with_name(f"test_{each.name}") for each in mirrored()}
    return {
        str(mirror.relative_to(UNIT)): str(module)
        for module, mirror in mirrors.items()
        if "def test_" not in (mirror.read_text("utf-8") if mirror.exists() else "")
    }


def test_each_module_has_its_mirror() -> None:
    assert len(mirrored()) > 150
    found = [
        f"tests/unit/{mirror} must test chained_logging/{module}"
        for mirror, module in missing().items()
        if Path(module).parts[0] not in UNFINISHED
    ]
    assert not found, "\n".join(found)


def test_a_room_that_is_finished_is_not_called_unfinished() -> None:
    finished = UNFINISHED - {Path(module).parts[0] for module in missing().values()}
    assert not finished, f"take off UNFINISHED: {', '.join(sorted(finished))}"
