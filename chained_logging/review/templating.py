"""What draws templates as HTML: what others wrote is text, which hides and reorders nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from chained_logging.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(
    package: str, folder: str = "templates", filters: Mapping[str, Callable[..., Any]] | None = None
) -> Environment:
    """Return what draws the templates of a package.

    :param folder: where they are in it.
    :param filters: what they may use, by name.
    :raises ImportError: as :func:`require_jinja`.
    """
    require_jinja()
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_made_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters or {})
    return made


def require_jinja() -> None:
    """Check that the library for pages is installed.

    :raises ImportError: if it is not; the message names the extra that brings it.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError:
        raise ImportError("a page needs Jinja2: pip install 'chained_logging[report]'") from None


def _made_visible(value: Any) -> Any:
    """Return a value with escapes for what would hide or reorder the text around it."""
    return printable(value) if type(value) is str else value  # not Markup, which is ready
