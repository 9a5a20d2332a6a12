"""The OpenAPI document: `python -m app.web.openapi > frontend/src/api/openapi.json`."""

from __future__ import annotations

import json
import sys

from app.web.http import create_app


def openapi_document() -> str:
    """The document as JSON text; the types of the front end are generated from it."""
    app = create_app(service=None)  # type: ignore[arg-type]  # nothing is asked of it
    return json.dumps(app.api_doc, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(openapi_document())
