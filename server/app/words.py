"""Anybody's words as text that can be shown: what a class, an input or an exception calls itself may be anything."""

from __future__ import annotations

MOST = 1000  # characters of a message: a card has no room for more, and a page may hold two hundred cards


def readable(value: object, most: int = MOST) -> str:
    """What a value calls itself, cut after `most` characters; what no encoding can write is escaped."""
    try:
        said = str(value)
    except BaseException:
        return f"({type(value).__name__} does not say: its text cannot be made)"
    length = len(said)
    if length > most:
        said = f"{said[:most]} … ({length:,} characters in all)"
    return said.encode("utf-8", "backslashreplace").decode()
