"""Who may send requests, and what browsers may do with responses."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.adapters.http.loopback import is_loopback
from services.adapters.http.problems import make_problem_response

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PREFLIGHT_SECONDS: Final = 600
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_ENCODED_SECURITY_HEADERS: Final = [
    (name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
]


class Gatekeeper:
    """Middleware that refuses requests other web sites make through the browser of a person here.

    A request must name this machine, or the host of a named origin: otherwise a site whose name
    resolves to this machine (DNS rebinding) could read everything. A write from a page must come
    from this server or a named origin. Pages of named origins may read responses (CORS).
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str] = ()) -> None:
        """`origins` are such as `https://mutua.example.org`."""
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_security_headers(message["headers"])
                if self._origins:
                    self._allow_origins(MutableHeaders(scope=message), origin)
            await send(message)

        refusal = self._refuse(scope["method"], headers.get("host", ""), origin)
        if refusal is None and scope["method"] == "OPTIONS" and origin in self._origins:
            refusal = _make_preflight_response()
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refuse(self, method: str, host: str, origin: str) -> Response | None:
        if host not in self._hosts and not is_loopback(_without_port(host)):
            return make_problem_response(
                421,
                f"this server does not answer for the host {host[:100]!r}; ask 127.0.0.1 or "
                "localhost, or name the origin in MUTUA_HTTP_ORIGINS",
                code="PERMISSION_DENIED",
                reason="NOT_ALLOWED",
            )
        is_own = not origin or urlsplit(origin).netloc == host or origin in self._origins
        if method not in _READING and not is_own:
            return make_problem_response(
                403,
                f"pages of {origin[:100]!r} may not record facts; name the origin in "
                "MUTUA_HTTP_ORIGINS if they may",
                code="PERMISSION_DENIED",
                reason="NOT_ALLOWED",
            )
        return None

    def _allow_origins(self, headers: MutableHeaders, origin: str) -> None:
        headers.add_vary_header("Origin")
        if origin in self._origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = "ETag, Retry-After"


def _with_security_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers, and those for security that are not among them."""
    given = [*headers]
    names = {name for name, _ in given}
    return given + [each for each in _ENCODED_SECURITY_HEADERS if each[0] not in names]


def _make_preflight_response() -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": (
                "Content-Type, If-None-Match, Last-Event-ID, Mutua-Organization, X-Request-Id"
            ),
            "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
        },
    )


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() else host
