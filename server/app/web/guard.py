"""Who may talk to a dashboard: before every route, so that none can forget to ask."""

from __future__ import annotations

import hmac
import html
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from werkzeug.wrappers import Request, Response

from app.schema import ApiError
from app.web.headers import NONCE
from app.web.hosts import Hosts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

OPEN = ("/", "/icon.svg", "/licenses.md", "/widget.js")
OPEN_BELOW = "/assets/"
"""The front end itself: it holds nothing of the user's, and tells whoever has no token how to come in."""

UNKNOWN = Path(__file__).with_name("unknown_host.html")
COME_IN = (
    "open the address with ?token=… that was printed where the dashboard was started (in Python: visualizer.address); "
    "a script sends the header `Authorization: Bearer TOKEN`"
)


class Guard:
    """Lets requests through that call us by a known name, bring the token, and are not another page's.

    app: what it guards. token: None lets in whoever gets here. port: cookies know no ports, so ours has it in its name.
    """

    def __init__(self, app: WSGIApplication, token: str | None, hosts: Hosts, port: int) -> None:
        self._app, self._token, self.hosts = app, token, hosts
        self._cookie = f"attribution-insights-{port}"
        self._session = "" if token is None else hmac.digest(token.encode(), self._cookie.encode(), "sha256").hex()
        self._tickets: set[str] = set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or have the app answer it."""
        request = Request(environ)
        return (self._answer(request) or self._app)(environ, start_response)

    def ticket(self) -> str:
        """A token that opens the dashboard once: other users of a machine see the arguments of a browser's command."""
        ticket = secrets.token_urlsafe(32)
        self._tickets.add(ticket)
        return ticket

    def _answer(self, request: Request) -> Response | None:
        """What is answered in place of the app; None where it answers."""
        host = request.headers.get("Host", "")
        if not self.hosts.knows(host):
            return _unknown(host, request)
        if not request.query_string.isascii():
            return _refusal(
                400, "Bad request", "the address has signs that are none of an address's", "write é as %C3%A9"
            )
        if request.method in ("GET", "HEAD") and _is_open(request.path):
            given = request.args.get("token", "") if request.path == "/" else ""
            return self._welcome(request) if given and self._takes(given) else None
        authorized = self._token is None or self._is_authorized(request, self._token)
        if not authorized and not self._has_cookie(request):
            refused = _refusal(403, "No token", "this dashboard answers only who brings its token", COME_IN)
            refused.headers["WWW-Authenticate"] = "Bearer"  # our page tells by it that the token is missing
            return refused
        return self._refuse_strangers(request, host, authorized) or _refuse_other_content(request)

    def _takes(self, given: str) -> bool:
        if self._token is not None and _same(given, self._token):
            return True
        try:
            self._tickets.remove(given)
        except KeyError:
            return False
        return True

    def _welcome(self, request: Request) -> Response:
        """A cookie for the token, and the same address without it: it stays in no history.

        The cookie names no path, and the address no place: both are of where the browser sees us, under any prefix.
        """
        parts = request.query_string.decode("ascii").split("&")
        rest = "&".join(part for part in parts if unquote_plus(part.partition("=")[0]) != "token")
        response = Response(status=303, headers={"Location": f"./?{rest}" if rest else "./"})
        response.headers["Cache-Control"] = "no-store"
        response.set_cookie(self._cookie, self._session, path=None, httponly=True, samesite="Strict")
        return response

    def _has_cookie(self, request: Request) -> bool:
        return any(_same(value, self._session) for value in request.cookies.getlist(self._cookie))

    @staticmethod
    def _is_authorized(request: Request, token: str) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() in ("token", "bearer") and _same(given.strip(), token)

    def _refuse_strangers(self, request: Request, host: str, authorized: bool) -> Response | None:
        """Pages of other origins have nothing to ask here; browsers say whose page asks, in one way or another."""
        site, page = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin") or request.referrer
        if site is not None:
            own = site in ("same-origin", "none")
        elif page is not None:
            own = self.hosts.serves(page, host)
        else:
            own = authorized  # a script's; every browser says one of them of our own page
        if own:
            return None
        return _refusal(403, "Another page", "this was asked for by a page that is not the dashboard's", COME_IN)


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_BELOW)


def _same(given: str, expected: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _refuse_other_content(request: Request) -> Response | None:
    """Forms of any page can be sent without asking us first; JSON cannot."""
    if request.method not in ("POST", "PUT", "PATCH") or request.mimetype == "application/json":
        return None
    arrived = f"{request.method} with content of type {request.mimetype[:80]!r}"
    return _refusal(415, "Unsupported media type", f"{arrived} is not taken", "send application/json")


def _unknown(host: str, request: Request) -> Response:
    message = f"this dashboard does not know the host name {host[:80]!r}"
    hint = "use the printed address; a proxy's name is allowed by --allow-host NAME or serve(allowed_hosts=[NAME])"
    if "text/html" not in request.headers.get("Accept", ""):
        return _refusal(403, "Unknown host", message, hint)
    page = UNKNOWN.read_text("utf-8").replace("NONCE", request.environ[NONCE]).replace("HOST", html.escape(host[:80]))
    return Response(page, status=403, mimetype="text/html", headers={"Cache-Control": "no-store"})


def _refusal(status: int, type: str, message: str, hint: str) -> Response:
    body = ApiError(type=type, message=message, hint=hint).model_dump_json()
    return Response(body, status=status, mimetype="application/json", headers={"Cache-Control": "no-store"})
