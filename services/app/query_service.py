"""A query process of the cluster: answers questions from the read models in PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, closing, contextmanager, nullcontext, suppress
from typing import Any, Final

from services.adapters.call_context import CallContext
from services.adapters.grpc.server import GrpcServer
from services.adapters.http.entity_tag import AnswerIdentity
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.control_store import PostgresControlStore
from services.adapters.postgres.store import PostgresStore, read_token_key
from services.adapters.postgres.watch import ProjectionStatus, watch
from services.adapters.sql_store.tables import MODEL_VERSION
from services.adapters.telemetry.metrics import Meter
from services.adapters.telemetry.prometheus import serve_metrics
from services.app.http import HttpSettings, serve_http
from services.app.process import LOG_CHECK_SECONDS, wait_until_available
from services.app.stop_signal import handle_stop_signals
from services.ledger.errors import LogUnavailableError
from services.query import service as query
from services.query.lag_monitor import LagMonitor
from services.query.position_tracker import PositionTracker
from services.query.watch.feed import WatchTiming
from services.query.watch.messages import WatchMessage
from services.settings import Settings

logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 5.0


def run(settings: Settings) -> int:
    """Answers until SIGTERM or SIGINT. Health is SERVING while PostgreSQL answers.

    It waits for the log and the read models, and prints its address once it is ready. Returns the
    exit status, 0. Raises MutuaError for invalid settings, for read models of a newer mutua, and
    when the topic was recreated; OSError when the address cannot be bound.
    """
    settings.require_store_url()
    address = KafkaAddress.parse(settings.log_url, settings.kafka_options())
    return asyncio.run(_serve(settings, address))


async def _serve(settings: Settings, log_address: KafkaAddress) -> int:
    stop = asyncio.Event()
    handle_stop_signals(stop.set)
    with serve_metrics(settings.metrics_listen) as meter:
        server = GrpcServer(query.SERVICE_NAMES, reuse_port=settings.reuse_port, meter=meter)
        gate = _ReadinessGate()
        query.add_query_services(gate, server.aio_server)
        await server.set_serving(serving=False)
        address = await server.start(settings.listen)
        maps = PostgresControlStore(settings.store_url)
        async with serve_http(
            HttpSettings.of(settings), gate, None, meter, address=address, maps=maps
        ):
            answer_task = asyncio.create_task(
                _answer(settings, log_address, server, gate, address, meter)
            )
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({answer_task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            gate.positions.stop_waiting()
        await server.stop(GRACE_SECONDS)
        if answer_task.done():
            await answer_task
        answer_task.cancel()
    return 0


class _ReadinessGate:
    """Passes calls to the service, or refuses them with LOG_DOWN while there is trouble."""

    def __init__(self) -> None:
        self.service: query.QueryService | None = None
        self.positions = PositionTracker()
        self.trouble = "mutua is starting"

    def wait_for(self, trouble: str) -> None:
        logger.warning("questions wait: %s", trouble)
        self.trouble = trouble

    async def answer(self, rpc: str, request: Any, context: CallContext) -> bytes:
        """What the service answers. Raises LogUnavailableError, naming the trouble."""
        return await self._require_service().answer(rpc, request, context)

    async def identify(self, rpc: str, request: Any, context: CallContext) -> AnswerIdentity:
        """What the service would answer from. Raises LogUnavailableError, naming the trouble."""
        return await self._require_service().identify(rpc, request, context)

    async def watch(
        self, rpc: str, request: Any, context: CallContext
    ) -> AsyncGenerator[WatchMessage, None]:
        """What the service sends. Raises LogUnavailableError, naming the trouble at the start."""
        async with aclosing(self._require_service().watch(rpc, request, context)) as messages:
            async for message in messages:
                yield message

    def _require_service(self) -> query.QueryService:
        if self.service is None or self.trouble:
            raise LogUnavailableError(f"questions wait: {self.trouble}")
        return self.service


async def _answer(
    settings: Settings,
    log_address: KafkaAddress,
    server: GrpcServer,
    gate: _ReadinessGate,
    address: str,
    meter: Meter,
) -> None:
    """Answers until it is cancelled. Raises ForeignDataError when the log was recreated."""
    url = settings.store_url
    log = await wait_until_available(
        lambda: KafkaTopic(log_address, partition_count=settings.partitions),
        on_unavailable=gate.wait_for,
    )
    store = await wait_until_available(
        lambda: PostgresStore(url, read_only=True), on_unavailable=gate.wait_for
    )
    token_key = await wait_until_available(
        lambda: read_token_key(url), on_unavailable=gate.wait_for
    )
    service = query.QueryService(
        store,
        gate.positions,
        log=log,
        model_version=MODEL_VERSION,
        meter=meter,
        token_key=token_key,
        watch_timing=WatchTiming(max_stream_seconds=settings.watch_seconds),
    )
    answers = _ReadModelFollower(url, log, store, service, server, gate, address, meter)
    try:
        with answers.export_lag() if settings.metrics_listen else nullcontext():
            await asyncio.gather(
                watch(
                    url,
                    on_status=answers.on_status,
                    on_progress=answers.on_position,
                    on_unavailable=answers.on_connection_lost,
                ),
                _check_identity(log),
            )
    finally:
        await asyncio.to_thread(answers.close)


async def _check_identity(log: KafkaTopic) -> None:
    """Checks that the topic was not recreated, and skips checks while Kafka does not answer."""
    while True:
        with suppress(LogUnavailableError):
            await asyncio.to_thread(log.check_identity)
        await asyncio.sleep(LOG_CHECK_SECONDS)


# decision 0090: only active read models are written and read
class _ReadModelFollower:
    """Keeps the query service and its health up to date with the read models."""

    def __init__(
        self,
        url: str,
        log: KafkaTopic,
        store: PostgresStore,
        service: query.QueryService,
        server: GrpcServer,
        gate: _ReadinessGate,
        address: str,
        meter: Meter,
    ) -> None:
        self._url = url
        self._log = log
        self._store = store
        self._server = server
        self._gate = gate
        self._address = address
        self._meter = meter
        self._positions = gate.positions
        self._held_partitions: frozenset[int] = frozenset()
        self._last_positions: Mapping[int, int] | None = None
        """The last known positions; None after a lost connection, which may have changed them."""
        self._was_ready = False
        self._service = gate.service = service

    @contextmanager
    def export_lag(self) -> Iterator[None]:
        """Exports the lag, read through a Kafka connection of its own."""
        lag_monitor = LagMonitor(
            open_log=lambda: closing(KafkaTopic(self._log.address)),
            read_status=self._service.read_status,
            positions=self._positions,
            meter=self._meter,
        )
        try:
            yield
        finally:
            lag_monitor.stop()

    async def on_status(self, status: ProjectionStatus) -> None:
        if status.schema != self._store.schema:
            await self._switch_store()
        elif self._last_positions is None or _is_rewound(self._last_positions, status.positions):
            # A backup or a late standby: projecting again may assign other numbers to names.
            self._service.switch_store(self._store)
        reset_positions = dict.fromkeys(self._last_positions or (), 0)
        self._last_positions = status.positions
        for partition, next_offset in {**reset_positions, **status.positions}.items():
            self._positions.advance(partition, next_offset)
        for partition in self._held_partitions | status.hold_reasons.keys():
            self._positions.set_hold(partition, status.hold_reasons.get(partition, ""))
        self._held_partitions = frozenset(status.hold_reasons)
        foreign_log_ids = status.log_ids - {self._log.log_id}
        await self._report(
            "the read models were made from another log; see MUTUA_LOG_URL and MUTUA_STORE_URL"
            if foreign_log_ids
            else ""
        )

    def on_position(self, partition: int, next_offset: int) -> None:
        self._positions.advance(partition, next_offset)

    async def on_connection_lost(self, reason: str) -> None:
        self._last_positions = None
        await self._report(f"the read models cannot be read: {reason}")

    def close(self) -> None:
        self._store.close()
        self._log.close()

    async def _report(self, trouble: str) -> None:
        """Updates health, and logs a change."""
        if trouble == self._gate.trouble:
            return
        if trouble:
            self._gate.wait_for(trouble)
        self._gate.trouble = trouble
        await self._server.set_serving(serving=not trouble)
        if not trouble and not self._was_ready:
            self._was_ready = True
            print(f"mutua query is ready on {self._address}", flush=True)

    async def _switch_store(self) -> None:
        """Switches the service to the active read models."""
        before = self._store
        self._store = await asyncio.to_thread(PostgresStore, self._url, read_only=True)
        self._service.switch_store(self._store)
        await asyncio.to_thread(before.close)


def _is_rewound(before: Mapping[int, int], now: Mapping[int, int]) -> bool:
    return any(now.get(number, 0) < next_offset for number, next_offset in before.items())
