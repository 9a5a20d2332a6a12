"""What is not answered: requests that cannot be read, and every refusal and fault as `{type, message, hint}`."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from flask import Flask, Request, Response, request
from pydantic import ValidationError
from pydantic_core import from_json
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app.errors import InsightsError, describe
from app.schema import ApiError, SampleQuery

log = logging.getLogger(__name__)

DOCUMENT = "/openapi.json"
SEE = f"what can be asked is in {DOCUMENT}"
LONGEST_ECHO = 200  # characters of a request in an error: enough to know it again
REPEATED = {name for name, field in SampleQuery.model_fields.items() if isinstance(field.get_default(), list)}


class ApiRequest(Request):
    """A request whose body is JSON that says so, and nothing else."""

    def get_json(self, *_: object, **__: object) -> dict[str, object]:
        """The body's object; an `InsightsError` for any other body."""
        if self.mimetype != "application/json":
            raise InsightsError(
                f"the body is said to be {short(self.mimetype) or 'of no kind'}",
                hint="expected JSON, with the header Content-Type: application/json",
                status=415,
                type="Unsupported media type",
            )
        try:
            found = from_json(self.get_data(), allow_inf_nan=False)
        except ValueError as error:
            hint = f"expected an object in UTF-8; {SEE}"
            raise InsightsError(
                f"the body is no JSON: {short(str(error))}", hint=hint, status=400, type="Bad request"
            ) from None
        if not isinstance(found, dict):
            raise InsightsError(f"the body is no JSON object: {short(repr(found))}", hint=SEE, status=422)
        return found


def short(text: str) -> str:
    """The text, cut where it would make an error long."""
    return text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO]}…"


def install(app: Flask) -> None:
    """Have an app read requests and answer errors so."""
    app.request_class = ApiRequest
    app.before_request(_refuse_repeated)
    app.register_error_handler(InsightsError, _refused)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _crashed)


def invalid(error: ValidationError) -> Response:
    """The answer to a request with something in it that does not fit: the first that is found."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = short(".".join(str(part) for part in first["loc"]))
    message = f"{where}: {short(first['msg'])}"
    return _error(422, ApiError(type="Invalid request", message=message, hint=SEE))


def _refuse_repeated() -> None:
    """Of two values for one name, nobody knows which is meant."""
    for name, values in request.args.lists():
        if len(values) > 1 and name not in REPEATED:
            raise InsightsError(f"{short(name)} is given {len(values)} times", hint="give it once", status=422)


def _error(status: int, error: ApiError, headers: Iterable[tuple[str, str]] = ()) -> Response:
    response = Response(error.model_dump_json(), status=status, mimetype="application/json")
    response.headers.extend(headers)
    return response


def _refused(error: InsightsError) -> Response:
    return _error(error.status, error.wire())


def _http_error(error: HTTPException) -> Response:
    place = f"{request.method} {short(request.path)}"
    hint = SEE if request.path.startswith("/api") else "the dashboard is at /"
    message = f"{place}: {error.description}"
    if error.code == 404:
        message = f"{place}: there is nothing here"
    if isinstance(error, MethodNotAllowed):
        message, hint = f"{place}: this cannot be done here", f"what can be: {', '.join(error.valid_methods or ())}"
    kind = error.name.capitalize()
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    return _error(error.code or 500, ApiError(type=kind, message=message, hint=hint), headers)


def _crashed(error: Exception) -> Response:
    log.exception("%s %s failed", request.method, short(request.path))
    return _error(500, describe(error))
