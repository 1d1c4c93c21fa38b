"""An ingest process of the cluster: records facts on Kafka."""

from __future__ import annotations

import asyncio
from typing import Final

from mutua.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server
from services.adapters.grpc.server import GrpcServer
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.log import KafkaLog
from services.adapters.telemetry.metrics import Meter
from services.adapters.telemetry.prometheus import serve_metrics
from services.app.process import report_health
from services.app.read_model_monitor import ReadModelMonitor
from services.app.stop_signal import StopSignal, handle_stop_signals
from services.ingest import service as ingest
from services.settings import Settings

GRACE_SECONDS: Final = 5.0
_LAST_ANSWERS_SECONDS: Final = 1.0
"""Time after the grace to answer waiting calls with OUTCOME_UNKNOWN."""


def run(settings: Settings) -> int:
    """Records facts until SIGTERM or SIGINT. Health is SERVING while Kafka accepts facts.

    It prints its address once it is ready. If the settings name read models, streams wait while
    projectors are far behind; single calls never wait. Returns the exit status: 0 after a signal, 1
    when the topic was recreated. Raises MutuaError for invalid settings, OSError when the address
    cannot be bound.
    """
    return asyncio.run(_IngestProcess(settings).serve())


class _IngestProcess:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address = KafkaAddress.parse(settings.log_url, settings.kafka_options())

    async def serve(self) -> int:
        stop = StopSignal()
        handle_stop_signals(stop.now)
        log = KafkaLog(
            self._address,
            partition_count=self._settings.partitions,
            queue_bytes=self._settings.queue_bytes,
            facts_per_second=self._settings.facts_per_second,
            on_failure=stop.fail,
        )
        try:
            with serve_metrics(self._settings.metrics_listen) as meter:
                await self._take_facts(log, meter, stop)
        finally:
            await asyncio.to_thread(log.close)
        return 1 if stop.failure else 0

    async def _take_facts(self, log: KafkaLog, meter: Meter, stop: StopSignal) -> None:
        server = GrpcServer(
            [ingest.SERVICE_NAME], reuse_port=self._settings.reuse_port, meter=meter
        )
        models = ReadModelMonitor(log)
        recording = ingest.IngestService(
            log,
            lag=models.lag,
            unsupported_fact_kinds=lambda: models.unsupported_facts,
            stop_event=server.stopping,
            meter=meter,
        )
        add_IngestServiceServicer_to_server(recording, server.aio_server)
        await server.set_serving(serving=False)
        address = await server.start(self._settings.listen)
        ready_text = f"mutua ingest is ready on {address}"
        health = report_health(server, lambda: not log.unready_reason, ready_text)
        tasks = [asyncio.create_task(health)]
        if url := self._settings.store_url:
            tasks.append(asyncio.create_task(models.follow(url)))
        await stop.wait()
        for task in tasks:
            task.cancel()
        await _stop(server, log)


async def _stop(server: GrpcServer, log: KafkaLog) -> None:
    """Accepts no more calls and answers the running ones, after the grace as OUTCOME_UNKNOWN."""
    stopping = asyncio.create_task(server.stop(GRACE_SECONDS + _LAST_ANSWERS_SECONDS))
    done, _ = await asyncio.wait([stopping], timeout=GRACE_SECONDS)
    if not done:
        log.abandon_pending()
    await stopping
