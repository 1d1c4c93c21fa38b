"""SIGTERM and SIGINT end a server during any work, without losing acknowledged facts."""

import signal
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mutua import Client, MutuaError
from services.app.data_maintenance import verify
from tests.faults.server_process import assert_intact, facts, run_server
from tests.waiting import PATIENCE_SECONDS, wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_an_idle_server(tmp_path: Path, number: signal.Signals) -> None:
    with run_server(tmp_path / "data") as (server, _):
        server.send_signal(number)
        assert server.wait(PATIENCE_SECONDS) == 0
        assert server.stderr.read() == ""


def test_signal_during_calls_loses_no_acknowledged_fact(tmp_path: Path) -> None:
    data, counts, stopped = tmp_path / "data", [0] * 8, Event()
    with run_server(data) as (server, address):

        def record(thread: int) -> None:
            with Client(address, deadline_seconds=2.0) as client:
                while not stopped.is_set():
                    first = (counts[thread] * 8 + thread) * 5
                    with suppress(MutuaError):
                        client.record(list(facts(first, first + 5)))
                        counts[thread] += 1

        threads = [Thread(target=record, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: min(counts) > 2, "every client has recorded")
        server.terminate()
        assert server.wait(PATIENCE_SECONDS) == 0
        stopped.set()
        for thread in threads:
            thread.join()
        assert "Traceback" not in server.stderr.read()
    assert verify(data).differences == []
    assert_intact(data, min(counts) * 8 * 5)


def test_signal_ends_a_server_with_open_questions_and_watches(tmp_path: Path) -> None:
    """One call waits for a position that is never reached, another watches the health."""
    with (
        run_server(tmp_path / "data") as (server, address),
        Client(address, deadline_seconds=2.0) as client,
        grpc.insecure_channel(address) as channel,
    ):
        log, partition, _ = client.record(list(facts(0, 1))).split(".")
        request = health_pb2.HealthCheckRequest()
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(request)
        assert next(iter(watch)).status == health_pb2.HealthCheckResponse.SERVING

        def wait() -> None:
            with pytest.raises(MutuaError):
                client.get_status(min_position=f"{log}.{partition}.999")

        waiting = Thread(target=wait)
        waiting.start()
        start = time.monotonic()
        server.terminate()
        assert server.wait(PATIENCE_SECONDS) == 0
        assert time.monotonic() - start < 10
        waiting.join()


def test_signal_ends_a_server_whose_log_is_locked(tmp_path: Path) -> None:
    """Another program holds a write lock on the log."""
    data = tmp_path / "data"
    with run_server(data) as (server, address):
        log = data / "log.sqlite"
        with closing(sqlite3.connect(log, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            def record() -> None:
                with Client(address, deadline_seconds=2.0) as client, pytest.raises(MutuaError):
                    client.record(list(facts(0, 5)))

            recording = Thread(target=record)
            recording.start()
            server.terminate()
            assert server.wait(PATIENCE_SECONDS) == 0
            recording.join()
            other.execute("ROLLBACK")
    assert verify(data).differences == []


def test_server_survives_locked_read_models(tmp_path: Path) -> None:
    """Another program locks them for six seconds: projection is late, and the server runs on."""
    data = tmp_path / "data"
    with run_server(data) as (server, address), Client(address) as client:
        client.get_status(min_position=client.record(list(facts(0, 5))))
        read_models = next(data.glob("read-*.sqlite"))
        with closing(sqlite3.connect(read_models, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            client.record(list(facts(5, 10)))
            locked_at = time.monotonic()
            wait_until(lambda: server.poll() is not None or time.monotonic() > locked_at + 6, "6 s")
            other.execute("ROLLBACK")
        assert server.poll() is None, "the server ended"
        wait_until(lambda: client.get_status().exchange_count == 10, "10 exchanges")
