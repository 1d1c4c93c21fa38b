"""Ingest while its broker freezes, dies or is not there: nothing acknowledged is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event, Lock

import pytest

from mutua import Client
from tests.cluster.brokers import Broker, pause
from tests.cluster.ingest import event_ids, ingest, url
from tests.faults.processes import eventually
from tests.services.facts import exchange

CALLERS = 6


class Load:
    """Callers that record without end, each fact under its own id and as often as it takes."""

    def __init__(self, address: str) -> None:
        self.acknowledged: list[str] = []
        self._lock = Lock()
        self._stop = Event()
        self._pool = ThreadPoolExecutor(CALLERS)
        self._callers = [
            self._pool.submit(self._record, address, f"p{number}") for number in range(CALLERS)
        ]

    def _record(self, address: str, programme: str) -> None:
        with Client(address, programme=programme, deadline_seconds=60) as client:
            for number in count():
                if self._stop.is_set():
                    return
                events = [exchange() for _ in range(1 + number % 5)]
                client.record(events)
                with self._lock:
                    self.acknowledged += [event.event_id for event in events]

    def until_more(self) -> None:
        """Until everything goes on: another fact of each caller and some more."""
        enough = len(self.acknowledged) + 20 * CALLERS
        eventually(lambda: len(self.acknowledged) >= enough, "facts are recorded")

    def stop(self) -> list[str]:
        """The ids that were acknowledged, by now all that were sent."""
        self._stop.set()
        for caller in self._callers:
            caller.result()
        self._pool.shutdown()
        return self.acknowledged


def frozen(broker: Broker) -> Callable[[], None]:
    broker.freeze()
    pause(10)
    return broker.thaw


def killed(broker: Broker) -> Callable[[], None]:
    broker.kill()
    return broker.start


@pytest.mark.parametrize("fault", [frozen, killed])
def test_nothing_acknowledged_is_lost_and_nothing_stands_twice(
    own_broker: Broker, own_topic: str, fault: Callable[[Broker], Callable[[], None]]
) -> None:
    with ingest(url(own_broker.address, own_topic)) as running:
        running.until_serving()
        load = Load(running.address)
        load.until_more()
        recover = fault(own_broker)
        eventually(lambda: not running.is_serving(), "health tells that the broker is away")
        recover()
        running.until_serving()
        load.until_more()
        acknowledged = load.stop()
    on_log = event_ids(own_broker.address, own_topic)
    assert set(acknowledged) == set(on_log)
    assert set(on_log.values()) == {1}
