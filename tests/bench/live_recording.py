"""Facts recorded at an even rate, and when each was acknowledged."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event as Signal

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import EXCHANGE_KIND_CALL


def make_call(giver: int, receiver: int, occur_time: datetime) -> Event:
    """A call of 30 minutes between two organizations, which a number names."""
    event = Event()
    event.occur_time.FromDatetime(occur_time.astimezone(UTC))
    exchange = event.exchange_recorded.exchange
    exchange.giver_ids.append(f"o{giver}")
    exchange.receiver_ids.append(f"o{receiver}")
    exchange.kind = EXCHANGE_KIND_CALL
    exchange.giver_minutes = 30
    return event


def record_evenly(
    client: Client,
    make_event: Callable[[], Event],
    *,
    facts_per_second: int,
    duration_seconds: float,
    batch: int = 1,
) -> dict[int, float]:
    """Records batches on time. The moment when the facts before each offset were acknowledged."""
    acknowledged: dict[int, float] = {}
    start, never = time.monotonic(), Signal()
    for number in range(int(facts_per_second * duration_seconds) // batch):
        never.wait(max(0.0, start + number * batch / facts_per_second - time.monotonic()))
        position = client.record([make_event() for _ in range(batch)])
        acknowledged[offset_of(position)] = time.monotonic()
    return acknowledged


def offset_of(position: str) -> int:
    """The offset in a position of the embedded log."""
    return int(position.rpartition(".")[2])
