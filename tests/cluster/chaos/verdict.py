"""What must be true at the end, whatever was broken on the way."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from kafka import KafkaAdminClient
from sqlalchemy import select

from mutua import Client
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.store import PostgresStore
from services.adapters.sql_store.tables import ExchangeRow, FactRow, HoldRow, ProgrammeRow
from services.app.cluster_verification import verify
from services.app.projector_service import consumer_group_name
from services.ledger.records import Record
from tests.cluster.chaos.chaos_cluster import INSTANCE_NUMBERS, PARTITIONS, TOPIC, ChaosCluster
from tests.cluster.chaos.workload import (
    LENSES,
    PROGRAMMES,
    ChaosWorkload,
    FactOutcomes,
    ObservedAnswer,
    parse_offset,
)
from tests.faults.server_process import wait_until
from tests.ledger.folded_ledger import message_to_json
from tests.oracle.answers import compute_balances
from tests.oracle.fold import fold

_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many facts became what; `duplicate_count` stand more than once on the log, and count
    once.
    """

    acknowledged_count: int
    unknown_count: int
    refused_count: int
    record_count: int
    duplicate_count: int
    answer_count: int

    def __str__(self) -> str:
        return (
            f"{self.acknowledged_count:,} facts acknowledged, each there once; "
            f"{self.unknown_count:,} whose "
            f"outcome nobody was told, each there at most once; {self.refused_count:,} "
            "refused, none "
            f"there; {self.duplicate_count:,} sent again stand more than once on the "
            "log and count once; "
            f"{self.answer_count} answers given on the way are the oracle's"
        )


def judge(cluster: ChaosCluster, load: ChaosWorkload) -> Verdict:
    """Raises AssertionError with what is wrong. Needs all to be projected."""
    assert load.violations == []
    with cluster.open_log() as log:
        partitions = read_partitions(log)
    ends = [len(records) for records in partitions]
    wait_until(lambda: _committed(cluster) == ends, f"Kafka knows that {ends} are projected")
    report = verify(cluster.log, cluster.store_url)
    assert report.differences == []
    assert (report.unprojected_count, report.hold_reason) == (0, "")
    found = group_by_programme(partitions)
    ids = Counter(event.event_id for each in found.values() for _, event in each)
    told = load.outcomes
    _check_once(cluster, told, set(ids))
    check_answers(load.answers, found)
    _check_balances(cluster, found)
    return Verdict(
        acknowledged_count=len(told.acknowledged),
        unknown_count=len(told.unknown - told.acknowledged),
        refused_count=len(told.refused - told.acknowledged - told.unknown),
        record_count=sum(ends),
        duplicate_count=sum(count > 1 for count in ids.values()),
        answer_count=len(load.answers),
    )


def _check_once(cluster: ChaosCluster, told: FactOutcomes, on_log: set[str]) -> None:
    """In the tables, once, is every fact that was acknowledged, and nothing that nobody sent."""
    fact, exchange = FactRow.table().c, ExchangeRow.table().c
    with (
        closing(PostgresStore(cluster.store_url, read_only=True)) as store,
        store.open_snapshot(0) as snapshot,
    ):
        found = Counter(row[0] for row in snapshot.fetch_all(select(fact.event_id)))
        revisions = Counter(row[0] for row in snapshot.fetch_all(select(exchange.event_id)))
        assert list(snapshot.fetch_all(select(HoldRow.metadata.tables["held"]))) == []
        programmes = snapshot.fetch_all(select(ProgrammeRow.table().c.programme_id))
        assert sorted(row[0] for row in programmes) == PROGRAMMES
    assert max(found.values()) == 1
    assert max(revisions.values()) == 1
    assert found.keys() == on_log
    assert told.acknowledged - found.keys() == set(), "acknowledged facts are lost"
    assert found.keys() - told.acknowledged - told.unknown == set(), "refused facts are there"


def check_answers(
    answers: Sequence[ObservedAnswer], by_programme: dict[str, list[tuple[int, Event]]]
) -> None:
    """Each is what the log added up to at its position."""
    for answer in answers:
        end = parse_offset(answer.position)
        ledger = fold(event for at, event in by_programme[answer.programme] if at < end)
        expected = compute_balances(
            ledger, pb.Question(programme_id=answer.programme, lens=answer.lens)
        )
        assert answer.rows == expected, f"{answer.programme} at {answer.position}"


def _check_balances(
    cluster: ChaosCluster, by_programme: dict[str, list[tuple[int, Event]]]
) -> None:
    """Both query processes say what the oracle says of the log."""
    for programme, events in by_programme.items():
        ledger = fold(event for _, event in events)
        for number in INSTANCE_NUMBERS:
            with Client(cluster.find_address("query", number), programme=programme) as client:
                for lens in LENSES:
                    question = pb.Question(programme_id=programme, lens=lens)
                    found = [message_to_json(row) for row in client.list_balances(question)]
                    assert found == compute_balances(ledger, question), (
                        f"{programme} at query-{number}"
                    )


def read_partitions(log: KafkaTopic) -> list[list[Record]]:
    """All records of a log, by partition."""
    found = []
    for number in range(log.partition_count):
        partition, held = log.get_partition(number), list[Record]()
        while page := partition.read(len(held), _PAGE):
            held += page
        found.append(held)
    return found


def group_by_programme(partitions: list[list[Record]]) -> dict[str, list[tuple[int, Event]]]:
    """Offsets and facts, in the order of the log."""
    found: dict[str, list[tuple[int, Event]]] = defaultdict(list)
    for records in partitions:
        for record in records:
            found[record.programme_id].append((record.offset, Event.FromString(record.value)))
    return found


def _committed(cluster: ChaosCluster) -> list[int]:
    """What Kafka has of the group."""
    with closing(KafkaAdminClient(bootstrap_servers=list(cluster.log.servers))) as admin:
        (offsets,) = admin.list_group_offsets(consumer_group_name(TOPIC)).values()
    by_partition = {place.partition: said.offset for place, said in offsets.items()}
    return [by_partition.get(number, -1) for number in range(PARTITIONS)]
