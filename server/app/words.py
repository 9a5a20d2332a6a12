"""What anybody's values call themselves, also those whose own words fail; and texts that a screen can show."""

from __future__ import annotations

import re
from typing import TypeVar, cast

QUOTED = 80  # characters of a value that is quoted in a message
LONGEST = 4000  # characters of an error's message: more say no more

Written = TypeVar("Written")

_UNREADABLE = re.compile("[\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""What no JSON can carry (halves of a character), and what makes text read in another order than it is written."""


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


def readable(text: Written) -> Written:
    """The text with � for what nobody can read; what is no text stays itself."""
    return cast(Written, _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text)) if isinstance(text, str) else text


def all_readable(texts: object) -> object:
    """The same for each of a list."""
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return texts
    return [readable(text) for text in texts] if _UNREADABLE.search("".join(texts)) else texts


def cut(text: object) -> object:
    """The first of a text, where it is longer than anybody reads."""
    if not isinstance(text, str) or len(text) <= LONGEST:
        return text
    kept = LONGEST - 100  # so that what has been cut is not cut again
    return f"{text[:kept]}… ({len(text) - kept:,} characters more)"
