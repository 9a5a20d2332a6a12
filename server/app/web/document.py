"""The OpenAPI document of an app, with the messages of the notebook, which no request of it names."""

from __future__ import annotations

import json

from flask_openapi3.openapi import OpenAPI
from pydantic.json_schema import models_json_schema

from app.schema import NOTEBOOK

REFERENCE = "#/components/schemas/{model}"


def text(app: OpenAPI) -> str:
    """The document as JSON text."""
    document = app.api_doc
    _, messages = models_json_schema([(model, "serialization") for model in NOTEBOOK], ref_template=REFERENCE)
    document["components"]["schemas"] |= messages["$defs"]
    document["components"].pop("securitySchemes", None)
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
