"""The viewer: a log as pages for people, served by an ASGI server.

It needs the extra ``viewer``: ``pip install 'chained_logging[viewer]'``.
"""

try:
    from chained_logging.review.viewer.access import Access
    from chained_logging.review.viewer.application import app
except ModuleNotFoundError as error:
    raise ImportError(
        f"the viewer needs {error.name}: pip install 'chained_logging[viewer]'"
    ) from error

__all__ = ["Access", "app"]
