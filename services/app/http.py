"""HTTP next to gRPC, in the same process and event loop."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from services.adapters.grpc.ingest_forwarder import IngestForwarder
from services.adapters.http.origins import parse_origins
from services.adapters.telemetry.metrics import Meter
from services.ledger.ports import MapStore
from services.query import service as query

if TYPE_CHECKING:
    from services.adapters.http.recording import RecordEvents
    from services.settings import Settings

GRACE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """How HTTP is answered; see `services.setting_table`.

    `ingest_server` is where a process records that has no log, "" for nowhere.
    """

    listen: str = ""
    origins: tuple[str, ...] = ()
    ingest_server: str = ""
    reuse_port: bool = False

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """Those of a process of a cluster."""
        return cls(
            listen=settings.http_listen,
            origins=parse_origins(settings.http_origins),
            ingest_server=settings.ingest_server,
            reuse_port=settings.reuse_port,
        )


NO_HTTP: Final = HttpSettings()


@asynccontextmanager
async def serve_http(
    settings: HttpSettings,
    rpcs: query.QueryRpcs,
    record: "RecordEvents | None",
    meter: Meter,
    *,
    address: str,
    maps: MapStore | None = None,
) -> AsyncIterator[str]:
    """Answers HTTP while the context lasts; its address, "" if settings name none.

    `address` is where this process answers gRPC, through which files are imported. Without
    `record` facts are passed on to the ingest process that settings name, or refused. `maps` has
    the coordinates of organizations. Raises OSError when the address cannot be bound.
    """
    if not settings.listen:
        yield ""
        return
    # Commands that open a directory themselves answer no HTTP, and start faster without it.
    from services.adapters.http.application import build_application
    from services.adapters.http.openapi import make_document_routes
    from services.adapters.http.questions import make_question_routes
    from services.adapters.http.recording import make_recording_route, refuse_to_record
    from services.adapters.http.server import HttpServer
    from services.adapters.http.watches import make_watch_routes
    from services.query.dashboard.routes import make_dashboard_routes
    from services.uploads.file_importer import FileImporter
    from services.uploads.import_jobs import ImportJobs
    from services.uploads.routes import make_upload_routes

    async with AsyncExitStack() as resources:
        recording_address = address if record is not None else settings.ingest_server
        importer = FileImporter(f"{recording_address},{address}") if recording_address else None
        if record is None and settings.ingest_server:
            forwarder = IngestForwarder(settings.ingest_server)
            resources.push_async_callback(forwarder.close)
            record = forwarder.record
        jobs = ImportJobs()
        routes = [
            *make_question_routes(query.SERVICES, rpcs, meter),
            *make_watch_routes(query.SERVICES, rpcs, meter),
            make_recording_route(record or refuse_to_record, meter),
            *make_document_routes(query.SERVICES),
            *make_upload_routes(importer, jobs, meter),
            *make_dashboard_routes(rpcs, maps),
        ]
        server = HttpServer(build_application(routes, settings.origins))
        http_address = await server.start(
            settings.listen, reuse_port=settings.reuse_port, grace_seconds=GRACE_SECONDS
        )
        resources.push_async_callback(server.stop)
        resources.push_async_callback(jobs.stop)
        yield http_address
