"""Programs by other people that judge what this package made, and how to get them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest

SIGSTORE = "@sigstore/verify@3.1.1"


def absent(reason: str) -> NoReturn:
    """Skip the test that needs what is not here; but in CI everything must be here."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def module(name: str) -> Any:
    """Return a Python module that only tests need."""
    try:
        return import_module(name)
    except ImportError:
        absent(f"the Python package {name} is not installed")


def program(name: str) -> str:
    """Return the path of a program."""
    return shutil.which(name) or absent(f"{name} is not installed")


def openssl() -> str:
    """Return an openssl that knows Ed25519 and ``-rawin``; LibreSSL, as on macOS, does not."""
    path = program("openssl")
    version = subprocess.run([path, "version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("OpenSSL 3"):
        absent(f"an OpenSSL 3 is needed, not {version.strip()}")
    return path


def node(script: str, given: object) -> Any:
    """Run a JavaScript program that reads JSON and writes JSON."""
    done = subprocess.run(
        [program("node"), "-e", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sigstore(cache: pytest.Cache) -> Path:
    """Return the directory of the compiled `@sigstore/verify`, installed at the first call."""
    home = cache.mkdir("npm") / SIGSTORE.replace("/", "-")
    dist = home / "node_modules" / "@sigstore" / "verify" / "dist"
    if not dist.is_dir():
        npm = program("npm")
        # Under another name first, so that a run that is stopped or runs twice leaves no half.
        fresh = Path(tempfile.mkdtemp(dir=home.parent))
        options = "--no-audit --no-fund --ignore-scripts --fetch-retries=1"
        try:
            done = subprocess.run(
                [npm, "install", *options.split(), "--prefix", str(fresh), SIGSTORE],
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            if done.returncode:
                absent(f"npm did not install {SIGSTORE}: {done.stderr.strip()[-300:]}")
            with contextlib.suppress(OSError):  # another run was first
                fresh.rename(home)
        except subprocess.TimeoutExpired:
            absent(f"npm did not install {SIGSTORE} within five minutes")
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return dist
