"""What anybody's values call themselves: also those whose own words fail."""

from __future__ import annotations

QUOTED = 80  # characters of a value that is quoted in a message


def text(value: object) -> str:
    """Its text, as `str` gives it."""
    try:
        return str(value)
    except BaseException:
        return f"({type(value).__name__} does not say: its text cannot be made)"


def quoted(value: object) -> str:
    """Its text as code would write it, the first of it where there is much."""
    try:
        said = repr(value)
    except BaseException:
        return type(value).__name__
    return said if len(said) <= QUOTED else f"{said[:QUOTED]}…"
