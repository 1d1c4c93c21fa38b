"""Processes of the cluster that crash or freeze at a failpoint."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event as Signal

import pytest

from mutua import Client
from services.adapters.kafka.topic import find_partition
from services.ledger.records import MAX_PROJECTION_FAILURES
from tests.backing_services import temporary_database
from tests.cluster.service_cluster import ServiceCluster
from tests.cluster.service_process import read_process_state
from tests.cluster.topics import PARTITIONS, count_event_ids, temporary_topic
from tests.services.facts import exchange
from tests.waiting import wait_until

CRASHED = 137
PROJECTOR_CRASHES = [
    "in_schema:1",
    "before_seek:1",
    "after_move:2",
    "in_copy:1",
    "in_copy:9",
    "in_slab:2",
    "after_commit_before_ack:2",
    "before_committed_offset:1",
    "before_committed_offset:9",
]
INGEST_CRASHES = [
    "before_append:9",
    "in_send:1",
    "in_send:2",
    "after_send:5",
    "after_append_before_ack:5",
]
BATCH = 500
"""Facts that do not fit into one batch of the producer."""

FAILING_RULE = """
from services.app.process import main
from services.app.projector_service import run
from services.projector import slab

project = slab.project_records

def failing(programme_id, *given):
    if programme_id == "poison":
        raise ZeroDivisionError("a rule divides by nothing")
    return project(programme_id, *given)

slab.project_records = failing
main(run)
"""
"""A version of the projector whose rules fail at whatever concerns one programme."""

FREEZING_IN_COPY = """
import os, signal
import asyncpg
from services.app.process import main
from services.app.projector_service import run

copy = asyncpg.Connection.copy_records_to_table

async def freezing(self, name, *, records):
    def read():
        for number, record in enumerate(records):
            if number == 300:
                os.kill(os.getpid(), signal.SIGSTOP)
            yield record
    return await copy(self, name, records=read())

asyncpg.Connection.copy_records_to_table = freezing
main(run)
"""
"""A projector that stands still whenever it is in the middle of sending so many rows."""

NEVER_ENDING = """
import asyncio
import aiokafka
from services.app.process import main
from services.app.projector_service import run

async def stop(self):
    await asyncio.Event().wait()

aiokafka.AIOKafkaConsumer.stop = stop
main(run)
"""
"""A projector whose consumer waits for a broker to answer its last words."""


@pytest.fixture
def site(tmp_path: Path, broker: str, topic: str, database: str) -> Iterator[ServiceCluster]:
    with closing(ServiceCluster(tmp_path, broker, topic, database)) as site:
        yield site


@pytest.fixture(scope="class")
def shared_site(
    broker: str, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceCluster]:
    """A projector on a topic; tests leave it running, with the whole log projected."""
    for topic in temporary_topic(broker):
        with (
            temporary_database(postgres) as database,
            closing(
                ServiceCluster(tmp_path_factory.mktemp("site"), broker, topic, database)
            ) as site,
        ):
            site.record(8)
            site.start_projector("projector-2").wait_until_ready()
            site.assert_complete()
            yield site


class TestProjector:
    def test_resumes_after_a_crash_at_any_failpoint(
        self,
        site: ServiceCluster,
    ) -> None:
        for crash in PROJECTOR_CRASHES:
            assert site.record_until_exit(site.start_projector(MUTUA_CRASH_AT=crash)) == CRASHED, (
                crash
            )
            if crash != PROJECTOR_CRASHES[0]:
                site.assert_consistent()
        leaving = site.start_projector(MUTUA_CRASH_AT="before_leave:1")
        site.assert_complete()
        assert leaving.stop() == CRASHED
        site.record(40)
        site.start_projector()
        site.assert_complete()

    def test_failing_rule_holds_its_partition_until_it_is_fixed(self, site: ServiceCluster) -> None:
        """Whatever the process dies of while it says so."""
        faulty = ("projector-1", "-c", FAILING_RULE)
        site.record(40)
        site.record(1, ["poison"])
        site.record(40)
        for crash in ("before_hold:1", "after_hold:1"):
            assert (
                site.record_until_exit(site.start_projector(*faulty, MUTUA_CRASH_AT=crash))
                == CRASHED
            )
        for _ in range(MAX_PROJECTION_FAILURES - 2):
            assert site.record_until_exit(site.start_projector(*faulty)) == 1
        last = site.start_projector(*faulty)
        poisoned = find_partition("poison", PARTITIONS)
        wait_until(lambda: poisoned in site.find_hold_offsets(), "it is held")
        site.record(40)
        ends = site.read_ends()
        ends[poisoned] = site.find_hold_offsets()[poisoned]
        wait_until(lambda: site.read_positions() == ends, f"projected up to {ends}")
        site.assert_consistent()
        assert last.stop() == 0
        site.start_projector()
        site.assert_complete()
        assert site.find_hold_offsets() == {}

    def test_ends_after_the_grace_if_it_cannot_stop(
        self,
        site: ServiceCluster,
    ) -> None:
        site.record(40)
        projector = site.start_projector("projector-1", "-c", NEVER_ENDING)
        site.assert_complete()
        projector.send_signal(signal.SIGTERM)
        assert projector.wait_for_exit() == 1
        assert "did not end within 10 s; the next process repeats them" in projector.output


class TestFrozenProjector:
    @pytest.mark.parametrize(
        "where",
        [
            "in the middle of COPY",
            "after_move:1",
            "in_copy:2",
            "in_slab:1",
            "after_commit_before_ack:1",
        ],
    )
    def test_replaced_and_fenced(self, shared_site: ServiceCluster, where: str) -> None:
        """The other projector takes over; the frozen one wakes, does no harm and goes on."""
        site = shared_site
        program = ("-c", FREEZING_IN_COPY) if " " in where else ()
        settings = {} if program else {"MUTUA_FREEZE_AT": where}
        frozen = site.start_projector("projector-1", *program, **settings)
        wait_until(lambda: "is ready" in frozen.output, "it projects too")

        def is_frozen() -> bool:
            site.record(4_000)
            return read_process_state(frozen.process.pid) == "T"

        wait_until(is_frozen, "it is frozen")
        ends = site.read_ends()
        wait_until(lambda: site.read_positions() == ends, f"the other one projects up to {ends}")
        frozen.send_signal(signal.SIGCONT)
        site.record(400)
        site.assert_complete()
        assert not site.processes[0].has_ended()
        frozen.kill()


class TestIngest:
    def test_crash_loses_no_acknowledged_fact(
        self,
        site: ServiceCluster,
    ) -> None:
        """Its callers live on, and send again what was in doubt."""
        sent: list[str] = []
        over = Signal()

        def record(number: int) -> None:
            with Client(listen, programme=f"p{number}", deadline_seconds=120) as client:
                while not over.is_set():
                    events = [exchange("A" * 60, ["B" * 60, "C" * 60]) for _ in range(BATCH)]
                    client.record(events)
                    sent.extend(event.event_id for event in events)

        first = site.start_ingest()
        listen = first.wait_for_address()
        with ThreadPoolExecutor(2) as pool:
            callers = [pool.submit(record, number) for number in range(2)]
            wait_until(lambda: len(sent) > 2 * BATCH, "both have reached it")
            first.kill()
            for crash in INGEST_CRASHES:
                dying = site.start_ingest(MUTUA_LISTEN=listen, MUTUA_CRASH_AT=crash)
                assert dying.wait_for_exit() == CRASHED
            last = site.start_ingest(MUTUA_LISTEN=listen)
            over.set()
            for caller in callers:
                caller.result()
            assert last.stop() == 0
        on_log = count_event_ids(site.address.servers[0], site.address.topic)
        assert set(sent) == set(on_log)
        assert max(on_log.values()) <= 1 + len(INGEST_CRASHES)
