"""What a cluster held is lost and made again from what was kept: all answers are as they were."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from mutua.v1 import query_service_pb2 as pb
from services.adapters.kafka.topic import KafkaTopic
from services.dev.postgres import find_programs
from services.ledger.position import Position
from services.ledger.records import Record
from tests.backing_services import build_or_skip, temporary_database
from tests.cli.conftest import RunCommand
from tests.cli.conftest import run as run  # a fixture
from tests.cluster.answer_comparison import (
    POSITION_FIELDS,
    clear_fields,
    fetch_pages,
    find_difference,
)
from tests.cluster.irregular_programme import generate_irregular_programme
from tests.cluster.question_stub import QuestionStub
from tests.cluster.service_cluster import ServiceCluster
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import PARTITIONS, delete_topic, kafka_url, read_partitions
from tests.databases import create_sibling, replace_database
from tests.waiting import wait_until

PROGRAMMES = ("p0", "p1", "p2", "p3")
RPCS = {
    "ListBalances": pb.ListBalancesRequest,
    "ListPairs": pb.ListPairsRequest,
    "ListExchanges": pb.ListExchangesRequest,
    "ListOrganizations": pb.ListOrganizationsRequest,
}
LISTS = {"ListQuarantine": pb.ListQuarantineRequest, "ListBatches": pb.ListBatchesRequest}


@pytest.fixture
def site(tmp_path: Path, broker: str, topic: str, database: str) -> Iterator[ServiceCluster]:
    """In each programme everything is on the log that goes wrong."""
    with closing(ServiceCluster(tmp_path, broker, topic, database)) as site:
        for programme in PROGRAMMES:
            site.append(event for event in in_programme(programme))
        yield site


def in_programme(programme: str) -> Iterator[Any]:
    for event in generate_irregular_programme(programme):
        event.programme_id = programme
        yield event


def answers(site: ServiceCluster, query: ServiceProcess) -> dict[str, list[Any]]:
    """All that can be asked, times included, once everything is projected."""
    pages: dict[str, list[Any]] = {}
    with (
        closing(KafkaTopic(site.address)) as log,
        grpc.insecure_channel(query.wait_for_address()) as channel,
    ):
        stub = QuestionStub(channel)
        for programme in PROGRAMMES:
            number = log.find_partition(programme)
            end = str(Position(log.log_id, number, log.get_partition(number).end()))
            stub.GetStatus(
                pb.GetStatusRequest(programme_id=programme, min_position=end), timeout=60
            )
            question = pb.Question(programme_id=programme)
            requests: dict[str, Any] = {name: ask(question=question) for name, ask in RPCS.items()}
            requests |= {name: ask(programme_id=programme) for name, ask in LISTS.items()}
            for name, request in requests.items():
                pages[f"{name} {programme}"] = fetch_pages(
                    [stub],
                    name,
                    request,
                    normalize=lambda page: clear_fields(page, POSITION_FIELDS | {"record"}),
                )
    return pages


def assert_alike(now: dict[str, list[Any]], before: dict[str, list[Any]]) -> None:
    assert now.keys() == before.keys()
    for name, pages in before.items():
        assert find_difference(now[name], pages) == "", name
        assert pages


def places(partitions: list[list[Record]]) -> list[list[tuple[int, str]]]:
    """Which programme has which place, in each partition."""
    return [[(each.offset, each.programme_id) for each in records] for records in partitions]


class TestRestore:
    def test_exported_log_has_equal_answers(
        self,
        site: ServiceCluster,
        run: RunCommand,
        tmp_path: Path,
        broker: str,
        topic: str,
        postgres: str,
    ) -> None:
        """Topic and database are lost. The new log has the same facts at the same offsets."""
        file, log_url = tmp_path / "log.jsonl.gz", ("--log-url", kafka_url(broker, topic))
        projector, query = site.start_projector(), site.start_query()
        before, on_log = answers(site, query), read_partitions(site.address)
        for process in (projector, query):
            process.kill()
        assert run("export", "log", file, *log_url).code == 0
        delete_topic(broker, topic)
        wait_until(
            lambda: "is not there" in run("topic", "check", *log_url).err, "the topic is gone"
        )
        assert run("topic", "create", *log_url, "--partitions", PARTITIONS).code == 0
        assert run("replay", file, *log_url).code == 0
        assert places(read_partitions(site.address)) == places(on_log)
        with (
            temporary_database(postgres) as database,
            closing(ServiceCluster(tmp_path, broker, topic, database)) as restored,
        ):
            restored.start_projector()
            assert_alike(answers(restored, restored.start_query()), before)
            restored.assert_complete()

    def test_dumped_database_is_projected_to_the_end(
        self, site: ServiceCluster, tmp_path: Path, database: str, postgres: str
    ) -> None:
        """Dumped while facts are projected, and put in the place of what is lost at once."""
        programs, dump = build_or_skip(find_programs), tmp_path / "read-models.dump"
        projector, query = site.start_projector(), site.start_query()
        wait_until(lambda: sum(site.read_positions()) > 0, "something is projected")
        subprocess.run(
            [programs / "pg_dump", "--format=custom", f"--file={dump}", database], check=True
        )
        site.record(400, PROGRAMMES)
        before = answers(site, query)
        restored = create_sibling(postgres, database)
        restoring = subprocess.run(
            [programs / "pg_restore", "--exit-on-error", f"--dbname={restored}", dump],
            capture_output=True,
            text=True,
        )
        assert restoring.returncode == 0, restoring.stderr
        replace_database(postgres, database, restored)
        wait_until(projector.has_ended, "the projector notices")
        site.start_projector()
        wait_until(query.is_serving, "the restored one is asked")
        assert_alike(answers(site, query), before)
        site.assert_complete()
        assert_alike(answers(site, site.start_query()), before)
