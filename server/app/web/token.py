"""The token of a dashboard: given by the user or the environment, or made up."""

from __future__ import annotations

import os
import re
import secrets
from typing import Literal

from app.errors import InsightsError

VARIABLE = "ATTRIBUTION_INSIGHTS_TOKEN"
SHORTEST, LONGEST = 16, 512
PLAIN = re.compile(r"[A-Za-z0-9._~-]*", re.ASCII)  # what an address carries as it is

Token = str | Literal[False] | None
"""As a user gives it: None for that of the environment or a random one, False for none at all."""


def choose(given: Token) -> str | None:
    """The token to ask for; None where none is asked for."""
    if given is False:
        return None
    if given is not None:
        return _checked(given, "the token")
    if (set_ := os.environ.get(VARIABLE)) is not None:
        return _checked(set_, f"the token in {VARIABLE}")
    return secrets.token_urlsafe(32)


def _checked(token: object, name: str) -> str:
    """A token that can stand in an address and is not soon guessed; what is refused is not repeated."""
    if not isinstance(token, str):
        raise InsightsError(f"{name} is {_kind(token)}, not text", hint="leave it out for a random one, False for none")
    if not token:
        raise InsightsError(f"{name} is empty", hint="leave it out for a random one")
    if not PLAIN.fullmatch(token):
        raise InsightsError(
            f"{name} has characters that an address does not carry as they are",
            hint="use letters from a to z, digits, and the signs - . _ ~",
        )
    if not SHORTEST <= len(token) <= LONGEST:
        raise InsightsError(
            f"{name} has {len(token)} characters: {'it could be guessed' if len(token) < SHORTEST else 'too many'}",
            hint=f"use {SHORTEST} to {LONGEST}, or leave it out for a random one",
        )
    return token


def _kind(value: object) -> str:
    return repr(value) if isinstance(value, bool) else f"of type {type(value).__name__}"
