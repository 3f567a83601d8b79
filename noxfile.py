"""The tasks of this project. ``nox --list`` shows them; ``nox`` runs what CI runs.

They use the environment that nox itself is installed in: ``pip install -e '.[dev]'``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "docs", "tests", "examples"]

PARALLEL = ["-q", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
EXAMPLES = ["quickstart", "dictconfig", "cloudtrail", "central/run"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format (ruff), and that generated files are what their sources make."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "tools/build_verify.py", "--check")
    session.run("python", "tools/build_datasette.py", "--check")
    session.run("python", "tools/build_rules.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types (mypy --strict)."""
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests. Arguments after -- go to pytest."""
    arguments = session.posargs or PARALLEL
    session.run("python", "-m", "pytest", *arguments)


@nox.session(default=False)
def thorough(session: nox.Session) -> None:
    """Run all tests with each repetition, before a release. It takes about an hour."""
    arguments = [*PARALLEL, "-m", "long or not long"]
    session.run("python", "-m", "pytest", *arguments, env={"THOROUGH": "1"})


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Measure what tests/unit covers of the package, and hold the floor of pyproject.toml."""
    session.run("python", "-m", "pytest", *PARALLEL, "tests/unit", "--cov", "--cov-report=term")


@nox.session
def examples(session: nox.Session) -> None:
    """Run each example that is a program of its own, in an empty folder."""
    for example in EXAMPLES:
        program = Path("examples", f"{example}.py").resolve()
        with tempfile.TemporaryDirectory() as folder, session.chdir(folder):
            session.run("python", str(program))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into site/. A dead link or reference is an error."""
    session.run("mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure the ratios that the README states. Not part of CI: it needs a quiet machine."""
    session.run("python", "benchmarks/run.py", *session.posargs)
