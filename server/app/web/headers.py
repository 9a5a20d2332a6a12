"""What every answer says to the browser: run no script but ours, load nothing from elsewhere, show this in no frame."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NONCE = "attribution_insights.nonce"
"""Where a request's environment has the word that lets an inline style through; each answer has its own."""

ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]
POLICY = "Content-Security-Policy"
FILE = (POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox")
PAGE = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'nonce-{nonce}'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)


def secured(app: WSGIApplication) -> WSGIApplication:
    """The same app, its answers with these headers."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        nonce = environ[NONCE] = secrets.token_urlsafe(16)

        def start(
            status: str, headers: list[tuple[str, str]], error: OptExcInfo | None = None
        ) -> Callable[[bytes], object]:
            return start_response(status, [*headers, *ALWAYS, _policy(headers, nonce)], error)

        return app(environ, start)

    return call


def _policy(headers: list[tuple[str, str]], nonce: str) -> tuple[str, str]:
    is_page = any(name.lower() == "content-type" and value.startswith("text/html") for name, value in headers)
    return (POLICY, PAGE.format(nonce=nonce)) if is_page else FILE
