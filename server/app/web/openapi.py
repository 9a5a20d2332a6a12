"""The OpenAPI document: `python -m app.web.openapi > frontend/src/api/openapi.json`."""

from __future__ import annotations

import json
import sys

from pydantic.json_schema import models_json_schema

from app.schema import NOTEBOOK
from app.web.http import create_app

REFERENCE = "#/components/schemas/{model}"


def openapi_document() -> str:
    """The document as JSON text; the types of the front end are generated from it."""
    app = create_app(service=None)  # type: ignore[arg-type]  # nothing is asked of it
    document = app.api_doc
    _, messages = models_json_schema([(model, "serialization") for model in NOTEBOOK], ref_template=REFERENCE)
    document["components"]["schemas"] |= messages["$defs"]
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(openapi_document())
