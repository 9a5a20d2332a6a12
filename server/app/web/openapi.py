"""The OpenAPI document: `python -m app.web.openapi > frontend/src/api/openapi.json`."""

from __future__ import annotations

import sys

from app.web import document
from app.web.http import create_app


def openapi_document() -> str:
    """The document as JSON text; the types of the front end are generated from it."""
    return document.text(create_app(service=None))  # type: ignore[arg-type]  # nothing is asked of it


if __name__ == "__main__":
    sys.stdout.write(openapi_document())
