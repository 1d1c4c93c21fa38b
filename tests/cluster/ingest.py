"""Ingest processes under test, and what is on their log."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mutua.v1.event_pb2 import Event
from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_topic import KafkaTopic
from services.ledger.ports import Record
from tests.faults.processes import PATIENCE_SECONDS, environment, eventually
from tests.ports import free_port

SERVING = health_pb2.HealthCheckResponse.SERVING
SERVICE = "mutua.v1.IngestService"


class Ingest:
    """A process on a port of its own, from its start on; whether it is ready is another matter."""

    def __init__(self, log_url: str, **settings: str) -> None:
        self.address = f"127.0.0.1:{settings.pop('port', '') or free_port()}"
        inherited = {name: "" for name in os.environ if name.startswith("MUTUA_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(
                **{**inherited, "MUTUA_LOG_URL": log_url, "MUTUA_LISTEN": self.address, **settings},
            ),
        )
        self.said: list[str] = []
        """What it wrote to stderr."""
        self.told: list[str] = []
        """What it wrote to stdout."""
        self._readers = [
            Thread(target=self.said.extend, args=(self.process.stderr,)),
            Thread(target=self.told.extend, args=(self.process.stdout,)),
        ]
        for reader in self._readers:
            reader.start()
        self.channel = grpc.insecure_channel(self.address)

    def is_serving(self) -> bool:
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=5)
        except grpc.RpcError:
            return False
        return bool(answer.status == SERVING)

    def until_serving(self, *, within_seconds: float = PATIENCE_SECONDS) -> None:
        started = time.monotonic()
        eventually(self.is_serving, "ingest serves")
        assert time.monotonic() - started < within_seconds

    def ended(self) -> int:
        """Its exit status, once it ends by itself."""
        return self.process.wait(PATIENCE_SECONDS)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        self.channel.close()
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def until_said(running: Ingest, *words: str) -> None:
    eventually(lambda: all(word in "".join(running.said) for word in words), f"stderr says {words}")


@contextmanager
def ingest(log_url: str, **settings: str) -> Iterator[Ingest]:
    with closing(Ingest(log_url, **settings)) as running:
        yield running


def url(broker: str, topic: str) -> str:
    return f"kafka://{broker}/{topic}"


def records(broker: str, topic: str) -> list[list[Record]]:
    """What each partition holds."""
    with closing(KafkaTopic(KafkaAddress(servers=(broker,), topic=topic))) as log:
        found = []
        for number in range(log.partition_count):
            partition, held = log.partition(number), list[Record]()
            while page := partition.read(len(held), 5_000):
                held += page
            found.append(held)
    return found


def event_ids(broker: str, topic: str) -> Counter[str]:
    return Counter(
        Event.FromString(each.value).event_id for held in records(broker, topic) for each in held
    )
