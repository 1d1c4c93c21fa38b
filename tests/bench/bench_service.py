"""Services of the cluster as processes, and topics filled with records."""

import os
import subprocess
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from kafka import KafkaProducer

from services.adapters.kafka.topic import find_partition
from tests.cluster.topics import PARTITIONS


class BenchService:
    """Runs `python -m services.NAME` for the time of a block; enters when it is ready."""

    def __init__(self, name: str, broker: str, topic: str, database: str = "") -> None:
        settings = {
            "MUTUA_LOG_URL": f"kafka://{broker}/{topic}",
            "MUTUA_LISTEN": "127.0.0.1:0",
            "MUTUA_FACTS_PER_SECOND": "1000000",
        }
        if database:
            settings["MUTUA_STORE_URL"] = database
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", f"services.{name}"],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().split()[-1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.communicate()


def fill_topic(broker: str, topic: str, records: Iterable[tuple[str, bytes]]) -> None:
    """Appends records of programmes to a topic, in order."""
    producer = KafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=20, batch_size=262_144)
    for programme, value in records:
        partition = find_partition(programme, PARTITIONS)
        producer.send(topic, value, programme.encode(), partition=partition)
    producer.close()
