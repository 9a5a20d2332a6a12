"""The OpenAPI document: valid, and true of what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis

from app import AttributionVisualizer
from app.schema import Asking, SampleQuery

from ..scripts import benchmark
from .conftest import scanned

fuzz_api = benchmark("fuzz_api")


@pytest.fixture
def workspace() -> Iterator[AttributionVisualizer]:
    visualizer = fuzz_api.workspace()
    yield visualizer
    visualizer.close()


def test_the_document_is_valid(workspace: AttributionVisualizer) -> None:
    schemathesis.openapi.from_wsgi("/openapi.json", workspace.app).validate()


def test_every_value_of_a_request_has_bounds(workspace: AttributionVisualizer) -> None:
    document = workspace.app.test_client().get("/openapi.json").get_json()
    asked = [
        p["schema"] for path in document["paths"].values() for op in path.values() for p in op.get("parameters", ())
    ]
    body = document["components"]["schemas"]["AttributionRequest"]["properties"]
    for schema in [*asked, *body.values()]:
        for part in parts(schema):
            assert bounded(part), schema


def test_the_schema_of_a_request_is_made_once() -> None:
    """It is looked at in every request, and takes longer to make than most answers."""
    assert SampleQuery.model_json_schema() is SampleQuery.model_json_schema()
    assert SampleQuery.model_json_schema() != Asking.model_json_schema()


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and those within it."""
    if isinstance(schema, dict):
        yield schema
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts(each)


def bounded(part: dict[str, Any]) -> bool:
    if "enum" in part or "const" in part:
        return True
    match part.get("type"):
        case "integer":
            return {"minimum", "maximum"} <= set(part)
        case "string":
            return "maxLength" in part or "pattern" in part
        case "array":
            return "maxItems" in part
        case "object":
            return "maxProperties" in part
    return True


def test_what_is_asked_by_the_document_is_answered_as_it_says(workspace: AttributionVisualizer) -> None:
    """A few requests of each operation; `benchmarks/fuzz_api.py` makes thousands."""
    workspace.app.test_client().get("/api/samples?scan_to=100")
    scanned(workspace)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", workspace.app)
    report = fuzz_api.fuzz(schema, lambda case: case.call(headers=fuzz_api.PLAIN), 200)
    assert report.faults == []
    assert report.requests > 100
    assert {200, 400, 404, 422} <= set(report.statuses)
