"""Ingest while its broker freezes, dies or is not there: nothing acknowledged is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from threading import Event, Lock
from typing import Any, cast

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from mutua import Client
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_log import KafkaLog
from services.adapters.kafka_topic import partition_of
from services.ledger.errors import Overloaded
from tests.cluster.brokers import PASSWORD, USER, Broker, pause
from tests.cluster.ingest import Ingest, event_ids, ingest, until_said, url
from tests.faults.processes import eventually
from tests.services.facts import exchange

CALLERS = 6
RECOVERY_SECONDS = 10.0
"""How soon ingest is itself again, of its own accord, when the cause is gone."""


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

    def failed(self) -> bool:
        """Whether anybody has given up."""
        return any(caller.done() for caller in self._callers)

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
        running.until_serving(within_seconds=RECOVERY_SECONDS)
        load.until_more()
        acknowledged = load.stop()
    on_log = event_ids(own_broker.address, own_topic)
    assert set(acknowledged) == set(on_log)
    assert set(on_log.values()) == {1}


def send(running: Ingest, *, deadline_seconds: float) -> str:
    """Why a call that is sent once is refused; "" when it is not."""
    request = RecordEventsRequest(events=[exchange(programme="default")])
    try:
        IngestServiceStub(running.channel).RecordEvents(request, timeout=deadline_seconds)
    except grpc.RpcError as error:
        status: Any = rpc_status.from_call(cast(grpc.Call, error))
        info = ErrorInfo()
        status.details[0].Unpack(info)
        return str(info.reason)
    return ""


def test_a_broker_that_is_absent_is_waited_for(own_broker: Broker, own_topic: str) -> None:
    own_broker.kill()
    with ingest(url(own_broker.address, own_topic)) as running:
        until_said(running, f"Kafka at {own_broker.address} does not answer")
        assert not running.is_serving()
        assert send(running, deadline_seconds=5) == "LOG_DOWN"
        own_broker.start()
        running.until_serving(within_seconds=RECOVERY_SECONDS)
        assert send(running, deadline_seconds=5) == ""
        assert len(running.said) == 1


def test_a_call_under_way_hears_that_its_outcome_is_unknown_when_ingest_stops(
    own_broker: Broker, own_topic: str
) -> None:
    with ingest(url(own_broker.address, own_topic)) as running, ThreadPoolExecutor(4) as pool:
        running.until_serving()
        own_broker.freeze()
        calls = [pool.submit(send, running, deadline_seconds=60) for _ in range(4)]
        pause(0.5)
        running.terminate()
        assert {call.result() for call in calls} == {"OUTCOME_UNKNOWN"}
        assert running.ended() == 0
        own_broker.thaw()


def test_a_caller_hears_that_the_outcome_is_unknown_before_its_deadline(
    own_broker: Broker, own_topic: str
) -> None:
    with ingest(url(own_broker.address, own_topic)) as running:
        running.until_serving()
        own_broker.freeze()
        assert send(running, deadline_seconds=1) == "OUTCOME_UNKNOWN"
        own_broker.thaw()
        running.until_serving()


def test_what_has_no_room_is_refused_and_nothing_of_it_sent(
    own_broker: Broker, own_topic: str
) -> None:
    address = KafkaAddress(servers=(own_broker.address,), topic=own_topic)
    with closing(KafkaLog(address, queue_bytes=40_000, facts_per_second=10**9)) as log:
        eventually(lambda: not log.unready, "the log is open")
        own_broker.freeze()
        # A quarter of the room, at 1,000 bytes a record beside its value, is for one partition.
        waiting = [log.append("one", [b"%d" % number]) for number in range(9)]
        with pytest.raises(Overloaded):
            log.append("one", [b"another"])
        other = next(
            p for p in ("a", "b", "c", "d") if partition_of(p, 4) != partition_of("one", 4)
        )
        waiting.append(log.append(other, [b"of another partition"]))
        own_broker.thaw()
        assert [each.result(20).next_offset for each in waiting] == [*range(1, 10), 1]
        assert log.append("one", [b"room again"]).result(20).next_offset == 10


SAFE = {
    "MUTUA_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "MUTUA_KAFKA_SASL_MECHANISM": "PLAIN",
    "MUTUA_KAFKA_SASL_PLAIN_USERNAME": USER,
}


def test_tls_and_a_password_pass_through(own_broker: Broker, own_topic: str) -> None:
    safe = {**SAFE, "MUTUA_KAFKA_SSL_CAFILE": str(own_broker.certificate)}
    with (
        ingest(
            url(own_broker.safe_address, own_topic),
            MUTUA_KAFKA_SASL_PLAIN_PASSWORD=PASSWORD,
            **safe,
        ) as right,
        ingest(
            url(own_broker.safe_address, own_topic), MUTUA_KAFKA_SASL_PLAIN_PASSWORD="no", **safe
        ) as wrong,
    ):
        right.until_serving()
        assert send(right, deadline_seconds=5) == ""
        until_said(wrong, "refuses the credentials", "MUTUA_KAFKA_SASL_PLAIN_PASSWORD")
        assert not wrong.is_serving()
        assert len(wrong.said) <= 2  # one more where a busy broker only hung up at first
