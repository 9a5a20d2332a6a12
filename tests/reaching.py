"""Reaching a dashboard by HTTP, as a script does that was given its printed address."""

from __future__ import annotations

from http.client import HTTPResponse
from typing import cast
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen


def reached(address: str, path: str, data: bytes | None = None) -> HTTPResponse:
    """The answer of the dashboard at an address with its token."""
    place, _, query = address.partition("?")
    headers = {"Authorization": f"Bearer {parse_qs(query)['token'][0]}"}
    if data is not None:
        headers["Content-Type"] = "application/json"
    assert urlsplit(place).path.endswith("/")
    return cast(HTTPResponse, urlopen(Request(place + path, data, headers), timeout=20))
