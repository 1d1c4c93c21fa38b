"""Ingest while its broker freezes, dies or is not there: nothing acknowledged is lost."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from threading import Event, Lock

import grpc
import pytest

from mutua import Client
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.log import KafkaLog
from services.adapters.kafka.topic import find_partition
from services.ledger.errors import OverloadedError
from tests.cluster.broker import PASSWORD, USER, Broker, pause
from tests.cluster.ingest_process import run_ingest
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import count_event_ids, kafka_url
from tests.error_details import parse_error_details
from tests.services.facts import exchange
from tests.waiting import wait_until

CALLERS = 6
RECOVERY_SECONDS = 10.0
"""How soon ingest is itself again, of its own accord, when the cause is gone."""


class RecordingLoad:
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

    def wait_for_progress(self) -> None:
        """Until everything goes on: another fact of each caller and some more."""
        enough = len(self.acknowledged) + 20 * CALLERS
        wait_until(lambda: len(self.acknowledged) >= enough, "facts are recorded")

    def has_failed(self) -> bool:
        """Whether anybody has given up."""
        return any(caller.done() for caller in self._callers)

    def stop(self) -> list[str]:
        """The ids that were acknowledged, by now all that were sent."""
        self._stop.set()
        for caller in self._callers:
            caller.result()
        self._pool.shutdown()
        return self.acknowledged


def freeze_broker(broker: Broker) -> Callable[[], None]:
    broker.freeze()
    pause(10)
    return broker.thaw


def kill_broker(broker: Broker) -> Callable[[], None]:
    broker.kill()
    return broker.start


def send(running: ServiceProcess, *, deadline_seconds: float) -> str:
    """Why a call that is sent once is refused; "" when it is not."""
    request = RecordEventsRequest(events=[exchange(programme="default")])
    try:
        IngestServiceStub(running.channel).RecordEvents(request, timeout=deadline_seconds)
    except grpc.RpcError as error:
        return str(parse_error_details(error).info.reason)
    return ""


SAFE = {
    "MUTUA_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "MUTUA_KAFKA_SASL_MECHANISM": "PLAIN",
    "MUTUA_KAFKA_SASL_PLAIN_USERNAME": USER,
}


class TestIngest:
    @pytest.mark.parametrize("fault", [freeze_broker, kill_broker])
    def test_acknowledged_facts_are_on_the_log_exactly_once(
        self,
        private_broker: Broker,
        private_topic: str,
        fault: Callable[[Broker], Callable[[], None]],
    ) -> None:
        with run_ingest(kafka_url(private_broker.address, private_topic)) as running:
            running.wait_until_serving()
            load = RecordingLoad(running.address)
            load.wait_for_progress()
            recover = fault(private_broker)
            wait_until(lambda: not running.is_serving(), "health tells that the broker is away")
            recover()
            running.wait_until_serving(within_seconds=RECOVERY_SECONDS)
            load.wait_for_progress()
            acknowledged = load.stop()
        on_log = count_event_ids(private_broker.address, private_topic)
        assert set(acknowledged) == set(on_log)
        assert set(on_log.values()) == {1}

    def test_waits_for_absent_broker(self, private_broker: Broker, private_topic: str) -> None:
        private_broker.kill()
        with run_ingest(kafka_url(private_broker.address, private_topic)) as running:
            running.wait_for_stderr(f"Kafka at {private_broker.address} does not answer")
            assert not running.is_serving()
            assert send(running, deadline_seconds=5) == "LOG_DOWN"
            private_broker.start()
            running.wait_until_serving(within_seconds=RECOVERY_SECONDS)
            assert send(running, deadline_seconds=5) == ""
            assert len(running.stderr.splitlines()) == 1

    def test_stop_leaves_running_calls_outcome_unknown(
        self, private_broker: Broker, private_topic: str
    ) -> None:
        with (
            run_ingest(kafka_url(private_broker.address, private_topic)) as running,
            ThreadPoolExecutor(4) as pool,
        ):
            running.wait_until_serving()
            private_broker.freeze()
            calls = [pool.submit(send, running, deadline_seconds=60) for _ in range(4)]
            pause(0.5)
            running.send_signal(signal.SIGTERM)
            assert {call.result() for call in calls} == {"OUTCOME_UNKNOWN"}
            assert running.wait_for_exit() == 0
            private_broker.thaw()

    def test_outcome_unknown_arrives_before_the_deadline(
        self, private_broker: Broker, private_topic: str
    ) -> None:
        with run_ingest(kafka_url(private_broker.address, private_topic)) as running:
            running.wait_until_serving()
            private_broker.freeze()
            assert send(running, deadline_seconds=1) == "OUTCOME_UNKNOWN"
            private_broker.thaw()
            running.wait_until_serving()

    def test_tls_and_password_reach_the_broker(
        self, private_broker: Broker, private_topic: str
    ) -> None:
        safe = {**SAFE, "MUTUA_KAFKA_SSL_CAFILE": str(private_broker.certificate)}
        with (
            run_ingest(
                kafka_url(private_broker.safe_address, private_topic),
                MUTUA_KAFKA_SASL_PLAIN_PASSWORD=PASSWORD,
                **safe,
            ) as right,
            run_ingest(
                kafka_url(private_broker.safe_address, private_topic),
                MUTUA_KAFKA_SASL_PLAIN_PASSWORD="no",
                **safe,
            ) as wrong,
        ):
            right.wait_until_serving()
            assert send(right, deadline_seconds=5) == ""
            wrong.wait_for_stderr("refuses the credentials", "MUTUA_KAFKA_SASL_PLAIN_PASSWORD")
            assert not wrong.is_serving()
            # One line more if a busy broker only hung up at first.
            assert len(wrong.stderr.splitlines()) <= 2


class TestKafkaLog:
    def test_append_beyond_queue_is_refused_and_not_sent(
        self, private_broker: Broker, private_topic: str
    ) -> None:
        address = KafkaAddress(servers=(private_broker.address,), topic=private_topic)
        with closing(KafkaLog(address, queue_bytes=40_000, facts_per_second=10**9)) as log:
            wait_until(lambda: not log.unready_reason, "the log is open")
            private_broker.freeze()
            # A partition may take a quarter of the room, at 1,000 bytes a record plus its value.
            waiting = [log.append("one", [b"%d" % number]) for number in range(9)]
            with pytest.raises(OverloadedError):
                log.append("one", [b"another"])
            other = next(
                p for p in ("a", "b", "c", "d") if find_partition(p, 4) != find_partition("one", 4)
            )
            waiting.append(log.append(other, [b"of another partition"]))
            private_broker.thaw()
            assert [each.result(20).next_offset for each in waiting] == [*range(1, 10), 1]
            assert log.append("one", [b"room again"]).result(20).next_offset == 10
