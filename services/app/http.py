"""HTTP next to gRPC, in the same process and event loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from services.adapters.http.origins import parse_origins
from services.adapters.telemetry.metrics import Meter
from services.query import service as query

if TYPE_CHECKING:
    from services.adapters.http.questions import Answering
    from services.settings import Settings

GRACE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Where HTTP is answered, "" for nowhere, and the web sites whose pages may use it."""

    listen: str = ""
    origins: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """Those of a process of a cluster."""
        return cls(listen=settings.http_listen, origins=parse_origins(settings.http_origins))


NO_HTTP: Final = HttpSettings()


@asynccontextmanager
async def serve_http(
    settings: HttpSettings, answering: "Answering", meter: Meter
) -> AsyncIterator[str]:
    """Answers HTTP while the context lasts; its address, "" if settings name none.

    Raises OSError when the address cannot be bound.
    """
    if not settings.listen:
        yield ""
        return
    # Commands that open a directory themselves answer no HTTP, and start faster without it.
    from services.adapters.http.application import build_application
    from services.adapters.http.questions import make_question_routes
    from services.adapters.http.server import HttpServer

    routes = make_question_routes(query.SERVICES, answering, meter)
    server = HttpServer(build_application(tuple(routes), settings.origins))
    address = await server.start(settings.listen, grace_seconds=GRACE_SECONDS)
    try:
        yield address
    finally:
        await server.stop()
