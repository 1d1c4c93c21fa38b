"""Facts of a later version hold their partition, and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mutua import Client, MutuaError
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.adapters.wire import event as wire
from services.app.bootstrap import serve_embedded
from services.app.data_maintenance import rebuild, verify
from services.projector.embedded_projector import EmbeddedProjector
from tests.faults.server_process import facts, run_server
from tests.projector.newer_facts import newer_fact
from tests.strategies import PROGRAMME
from tests.waiting import wait_until

DEFAULT = "default"
WHY = "fact kind 79 at offset 12 is newer than this mutua; upgrade it"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve facts, one of a later version, three more; projected as far as that goes."""
    path = tmp_path / "data"
    record(path, 0, 12)
    append(path, newer_fact(79, programme=DEFAULT))
    record(path, 12, 15)
    return path


def record(data: Path, start: int, end: int) -> None:
    with opened(data) as client:
        client.record(list(facts(start, end)))


def append(data: Path, value: bytes, programme: str = DEFAULT) -> None:
    """As a server of a later version would."""
    with closing(SqliteLog(data / "log.sqlite")) as log:
        log.append(programme, [value]).result(timeout=120)


@contextmanager
def opened(data: Path, *, write: bool = True) -> Iterator[Client]:
    with (
        serve_embedded(data, purpose="a test", write=write) as running,
        Client(running.address) as client,
    ):
        yield client


NOT_HELD: dict[str, Callable[[], bytes]] = {
    "a number that is no fact's": lambda: newer_fact(19),
    "a number of the server": lambda: newer_fact(93),
    "a number of none": lambda: newer_fact(80),
    "a number where a message belongs": lambda: newer_fact(79, wire_type=0),
    "no event": lambda: newer_fact(79, id=""),
    "no fact at all": lambda: newer_fact(79)[:-3],
    "garbage": lambda: b"\xff",
}


class TestHold:
    """The partition stops before the fact; recording, answers and tools continue."""

    def test_hold_lets_a_server_record_and_answer(self, data: Path) -> None:
        with run_server(data) as (server, address), Client(address) as client:
            wait_until(lambda: bool(client.get_status().held), "the hold is reported")
            beyond = client.record(list(facts(15, 18)))
            status = client.get_status()
            [held] = status.held
            assert (held.partition, held.reason) == (0, WHY)
            assert held.position == status.position == status.projection_position
            assert held.position.endswith(".12")
            assert (status.exchange_count, status.lag_count) == (12, 7)
            assert len(list(client.list_exchanges())) == 12
            start = time.monotonic()
            with pytest.raises(MutuaError, match="have stopped before that position") as refused:
                client.get_status(min_position=beyond)
            assert time.monotonic() - start < 3  # of the 5 s that a later one would be waited for
            assert refused.value.reason == "POSITION_NOT_REACHED"
            assert WHY in str(refused.value)
            with grpc.insecure_channel(address) as channel:
                health: Any = health_pb2_grpc.HealthStub(channel)
                answer = health.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            with opened(data, write=False) as reader:
                wait_until(lambda: bool(reader.get_status().held), "another reader reports it too")
            assert server.poll() is None

    def test_hold_counts_as_no_lag(self, data: Path) -> None:
        with (
            closing(SqliteLog(data / "log.sqlite")) as log,
            closing(SqliteStore(data / "read-1.sqlite")) as store,
        ):
            projector = EmbeddedProjector(
                log, store, on_progress=lambda _: None, on_failure=lambda _: None
            )
            assert projector.lag == 4
            projector.catch_up()
            assert (projector.lag, projector.hold_reason, projector.next_offset) == (0, WHY, 12)

    def test_hold_is_reported_by_verify(self, data: Path) -> None:
        report = verify(data)
        assert (report.differences, report.fact_count) == ([], 12)
        assert (report.unprojected_count, report.hold_reason) == (4, WHY)

    def test_hold_is_at_the_same_offset_after_a_rebuild(self, data: Path) -> None:
        rebuild(data, on_progress=lambda *_: None)
        assert verify(data).hold_reason == WHY

    def test_hold_ends_with_an_upgrade(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Here the number is no longer kept for later: the record is read, if only as garbage."""
        monkeypatch.setattr(wire, "_FACT_NUMBERS", ())
        with opened(data, write=False) as client:
            status = client.get_status()
        assert (status.exchange_count, status.lag_count, list(status.held)) == (15, 0, [])
        assert verify(data).fact_count == 15

    @pytest.mark.parametrize("kind", [29, 50, 79])
    def test_hold_follows_every_reserved_fact_kind(self, tmp_path: Path, kind: int) -> None:
        SqliteLog(tmp_path / "log.sqlite").close()
        append(tmp_path, newer_fact(kind), PROGRAMME)
        with opened(tmp_path, write=False) as client:
            [held] = client.get_status().held
        assert held.reason.startswith(f"fact kind {kind} at offset 0 is newer")


class TestUnreadableRecord:
    @pytest.mark.parametrize("make", NOT_HELD.values(), ids=NOT_HELD)
    def test_unreadable_record_is_quarantined(
        self, tmp_path: Path, make: Callable[[], bytes]
    ) -> None:
        SqliteLog(tmp_path / "log.sqlite").close()
        append(tmp_path, make(), PROGRAMME)
        record(tmp_path, 0, 2)
        with serve_embedded(tmp_path, purpose="a test", write=False) as running:
            with Client(running.address, programme=PROGRAMME) as client:
                status = client.get_status()
            with Client(running.address) as client:
                assert client.get_status().exchange_count == 2
        assert (status.quarantine_count, status.lag_count, list(status.held)) == (1, 0, [])
