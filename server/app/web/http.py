"""The contract: a Flask app over a `Service`, one error shape, an OpenAPI document, no module-level state."""

from __future__ import annotations

from importlib.metadata import version
from typing import Protocol

from flask import Response, request, send_from_directory
from flask_compress import Compress
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from flask_openapi3.types import ResponseDict
from pydantic import BaseModel
from werkzeug.routing import PathConverter

from app.errors import InsightsError
from app.paths import STATIC
from app.schema import (
    ApiError,
    Asking,
    AttributionRequest,
    Client,
    Job,
    JobPath,
    MapPath,
    MediaPath,
    ModelLayers,
    ModelMethods,
    ModelPath,
    Price,
    Sample,
    SampleFilter,
    SamplePage,
    SamplePath,
    SampleQuery,
    Summary,
    Workspace,
)
from app.web import document, refusals
from app.web.headers import NONCE

LARGEST_BODY = 1 << 18  # bytes; a question has some hundred, at the bounds of its arguments some 10,000
NONCE_PLACE = "CSP_NONCE"
"""Stands in the built page where the word goes that lets an inline style through: `html.cspNonce` of Vite."""
IMMUTABLE = "private, max-age=31536000, immutable"


class Service(Protocol):
    """What the contract needs: every answer is a wire model or bytes, every refusal an `InsightsError`."""

    def workspace(self) -> Workspace:
        """What there is to explain, and how."""

    def layers(self, model: int) -> ModelLayers:
        """The modules of a model."""

    def methods(self, model: int) -> ModelMethods:
        """Which methods work on a model, and what they cost."""

    def price(self, request: AttributionRequest) -> Price:
        """What a question costs."""

    def samples(self, query: SampleQuery) -> SamplePage:
        """A page of samples."""

    def sample(self, sample: int) -> Sample:
        """One sample."""

    def summary(self, query: SampleFilter) -> Summary:
        """Counts."""

    def media(self, sample: int, feature: int) -> tuple[bytes, str]:
        """An input as a file, and its media type."""

    def explain(self, request: AttributionRequest, client: str, first: bool) -> Job:
        """The job that answers a question, before others if `first`."""

    def job(self, job: str, client: str, first: bool) -> Job:
        """How far a job is; from now on before others if `first`."""

    def cancel(self, job: str, client: str) -> Job:
        """A job for which one client no longer waits."""

    def map(self, job: str, feature: int, reduction: str) -> bytes:
        """A raw map."""


class Asset(PathConverter):
    """A path outside the API: a method that the API does not have is refused there, and not looked for as a file."""

    regex = r"(?!api(?:/|$))[^/].*?"


def create_app(service: Service) -> OpenAPI:
    """Build the Flask app that answers for `service`: the API under `/api`, the built front end elsewhere."""
    app = OpenAPI(
        __name__,
        info=Info(title="attribution-insights", version=version("attribution-insights")),
        responses={"4XX": ApiError, "5XX": ApiError, "422": ApiError},
        validation_error_model=ApiError,
        validation_error_callback=refusals.invalid,
        static_folder=None,
        doc_ui=False,
    )
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["COMPRESS_MIMETYPES"] = [
        "text/html", "text/css", "text/javascript", "application/json", "application/octet-stream", "image/svg+xml",
    ]  # fmt: skip
    Compress(app)
    app.url_map.converters["asset"] = Asset
    _api(app, service)
    _pages(app)
    refusals.install(app)
    return app


def _api(app: OpenAPI, service: Service) -> None:
    @app.get("/api/workspace", responses={"200": Workspace}, operation_id="workspace")
    def workspace() -> Response:
        """What there is to explain, and with which methods."""
        return _json(service.workspace())

    @app.get("/api/models/<int:model>/layers", responses={"200": ModelLayers}, operation_id="layers")
    def layers(path: ModelPath) -> Response:
        """The modules of a model, with what came out of them for the first sample."""
        return _json(service.layers(path.model))

    @app.get("/api/models/<int:model>/methods", responses={"200": ModelMethods}, operation_id="methods")
    def methods(path: ModelPath) -> Response:
        """Which methods work on a model, and what they cost."""
        return _json(service.methods(path.model))

    @app.get("/api/samples", responses={"200": SamplePage}, operation_id="samples")
    def samples(query: SampleQuery) -> Response:
        """A page of the samples that match a filter."""
        return _json(service.samples(query))

    @app.get("/api/samples/<int:sample>", responses={"200": Sample}, operation_id="sample")
    def one_sample(path: SamplePath) -> Response:
        """One sample by its number, whatever the filter."""
        return _json(service.sample(path.sample))

    @app.get("/api/summary", responses={"200": Summary}, operation_id="summary")
    def summary(query: SampleFilter) -> Response:
        """Counts: outcomes, classes, confusion, scores."""
        return _json(service.summary(query))

    @app.get(
        "/api/samples/<int:sample>/media/<int:feature>",
        responses=_file("image/png", "image/webp"),
        operation_id="media",
    )
    def media(path: MediaPath) -> Response:
        """An input of a sample as an image file."""
        return _bytes(*service.media(path.sample, path.feature))

    @app.post("/api/price", responses={"200": Price}, operation_id="price")
    def price(body: AttributionRequest) -> Response:
        """What an explanation would cost, without making it."""
        return _json(service.price(body))

    @app.post("/api/attributions", responses={"200": Job}, operation_id="explain")
    def explain(query: Asking, body: AttributionRequest) -> Response:
        """Ask for an explanation; the same question has the same id, and is computed once."""
        return _json(service.explain(body, query.client, query.first))

    @app.get("/api/attributions/<job>", responses={"200": Job}, operation_id="job")
    def job(path: JobPath, query: Asking) -> Response:
        """How far an explanation is, and the explanation once it is done."""
        return _json(service.job(path.job, query.client, query.first))

    @app.delete("/api/attributions/<job>", responses={"200": Job}, operation_id="cancel")
    def cancel(path: JobPath, query: Client) -> Response:
        """Say that this client no longer waits for an explanation."""
        return _json(service.cancel(path.job, query.client))

    @app.get(
        "/api/attributions/<job>/maps/<int:feature>/<reduction>",
        responses=_file("application/octet-stream"),
        operation_id="map",
    )
    def attribution_map(path: MapPath) -> Response:
        """A raw signed map as float16 numbers."""
        return _bytes(service.map(path.job, path.feature, path.reduction), "application/octet-stream")


def _file(*kinds: str) -> ResponseDict:
    """What a file answers, in the document."""
    content: dict[str, dict[str, object]] = {kind: {} for kind in kinds}
    return {"200": {"description": "OK", "content": content}, "304": {"description": "Not Modified"}}


def _pages(app: OpenAPI) -> None:
    @app.route("/")
    def index() -> Response:
        if not (STATIC / "index.html").exists():
            raise InsightsError(
                "the front end has not been built",
                hint="run `pip install -e .` again, or `npm run build` in frontend/",
                status=503,
            )
        page = (STATIC / "index.html").read_text("utf-8").replace(NONCE_PLACE, request.environ.get(NONCE, ""))
        return Response(page, mimetype="text/html", headers={"Cache-Control": "no-store"})

    @app.route(refusals.DOCUMENT)
    def openapi() -> Response:
        return Response(document.text(app), mimetype="application/json")

    @app.route("/<asset:name>")
    def asset(name: str) -> Response:
        return send_from_directory(STATIC, name, max_age=31536000 if name.startswith("assets/") else 0)


def _json(model: BaseModel) -> Response:
    response = Response(model.model_dump_json(), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _bytes(data: bytes, mimetype: str) -> Response:
    response = Response(data, mimetype=mimetype)
    response.headers["Cache-Control"] = IMMUTABLE
    response.add_etag()
    response.make_conditional(request.environ)
    return response
