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
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic
from services.ledger.records import Record
from tests.faults.server_process import make_environment
from tests.ports import allocate_port
from tests.waiting import PATIENCE_SECONDS, wait_until

SERVING = health_pb2.HealthCheckResponse.SERVING
SERVICE = "mutua.v1.IngestService"


class IngestProcess:
    """An ingest process on its own port. It need not be ready yet; see `wait_until_serving`."""

    def __init__(self, log_url: str, **settings: str) -> None:
        self.address = f"127.0.0.1:{settings.pop('port', '') or allocate_port()}"
        inherited = {name: "" for name in os.environ if name.startswith("MUTUA_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=make_environment(
                **{**inherited, "MUTUA_LOG_URL": log_url, "MUTUA_LISTEN": self.address, **settings},
            ),
        )
        self.stderr_lines: list[str] = []
        """The lines of stderr."""
        self.stdout_lines: list[str] = []
        """The lines of stdout."""
        self._readers = [
            Thread(target=self.stderr_lines.extend, args=(self.process.stderr,)),
            Thread(target=self.stdout_lines.extend, args=(self.process.stdout,)),
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

    def wait_until_serving(self, *, within_seconds: float = PATIENCE_SECONDS) -> None:
        started = time.monotonic()
        wait_until(self.is_serving, "ingest serves")
        assert time.monotonic() - started < within_seconds

    def wait_for_exit(self) -> int:
        """The exit status, once the process ends by itself."""
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


def wait_for_stderr(running: IngestProcess, *words: str) -> None:
    wait_until(
        lambda: all(word in "".join(running.stderr_lines) for word in words), f"stderr says {words}"
    )


@contextmanager
def run_ingest(log_url: str, **settings: str) -> Iterator[IngestProcess]:
    with closing(IngestProcess(log_url, **settings)) as running:
        yield running


def kafka_url(broker: str, topic: str) -> str:
    return f"kafka://{broker}/{topic}"


def read_partitions(broker: str, topic: str) -> list[list[Record]]:
    """The records of every partition."""
    with closing(KafkaTopic(KafkaAddress(servers=(broker,), topic=topic))) as log:
        found = []
        for number in range(log.partition_count):
            partition, held = log.get_partition(number), list[Record]()
            while page := partition.read(len(held), 5_000):
                held += page
            found.append(held)
    return found


def count_event_ids(broker: str, topic: str) -> Counter[str]:
    return Counter(
        Event.FromString(each.value).event_id
        for held in read_partitions(broker, topic)
        for each in held
    )
