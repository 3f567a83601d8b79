"""Text that others wrote, made fit for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text that cannot steer a terminal, or hide or reorder the text around it.

    Controls, format characters (bidirectional, zero width, tags), separators and lone surrogates
    are written as their escapes.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
