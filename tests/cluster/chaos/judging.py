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
from services.adapters.kafka_topic import KafkaTopic
from services.adapters.postgres_store import PostgresStore
from services.adapters.tables import ExchangeRow, FactRow, HeldRow, ProgrammeRow
from services.cluster.projector import group_of
from services.cluster.verify import verify
from services.ledger.ports import Record
from tests.cluster.chaos.callers import LENSES, PROGRAMMES, Answered, Load, Told, offset
from tests.cluster.chaos.cluster import NUMBERS, PARTITIONS, TOPIC, Cluster
from tests.faults.processes import eventually
from tests.ledger.product import as_json
from tests.oracle.answers import balances
from tests.oracle.fold import fold

_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """How many facts became what; `twice` stand more than once on the log, and count once."""

    acknowledged: int
    unknown: int
    refused: int
    on_log: int
    twice: int
    answers: int

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} facts acknowledged, each there once; {self.unknown:,} whose "
            f"outcome nobody was told, each there at most once; {self.refused:,} refused, none "
            f"there; {self.twice:,} sent again stand more than once on the log and count once; "
            f"{self.answers} answers given on the way are the oracle's"
        )


def judge(cluster: Cluster, load: Load) -> Judgement:
    """Raises AssertionError with what is wrong. Needs all to be projected."""
    assert load.wrong == []
    with cluster.reader() as log:
        partitions = records_of(log)
    ends = [len(records) for records in partitions]
    eventually(lambda: _committed(cluster) == ends, f"Kafka knows that {ends} are projected")
    report = verify(cluster.log, cluster.store_url)
    assert report.differences == []
    assert (report.beyond_count, report.held) == (0, "")
    found = by_programme(partitions)
    ids = Counter(event.event_id for each in found.values() for _, event in each)
    told = load.told
    _check_once(cluster, told, set(ids))
    check_answers(load.answers, found)
    _check_balances(cluster, found)
    return Judgement(
        acknowledged=len(told.acknowledged),
        unknown=len(told.unknown - told.acknowledged),
        refused=len(told.refused - told.acknowledged - told.unknown),
        on_log=sum(ends),
        twice=sum(count > 1 for count in ids.values()),
        answers=len(load.answers),
    )


def _check_once(cluster: Cluster, told: Told, on_log: set[str]) -> None:
    """In the tables, once, is every fact that was acknowledged, and nothing that nobody sent."""
    fact, exchange = FactRow.table().c, ExchangeRow.table().c
    with (
        closing(PostgresStore(cluster.store_url, read_only=True)) as store,
        store.snapshot(0) as snapshot,
    ):
        found = Counter(row[0] for row in snapshot.rows(select(fact.event_id)))
        revisions = Counter(row[0] for row in snapshot.rows(select(exchange.event_id)))
        assert list(snapshot.rows(select(HeldRow.metadata.tables["held"]))) == []
        programmes = snapshot.rows(select(ProgrammeRow.table().c.programme_id))
        assert sorted(row[0] for row in programmes) == PROGRAMMES
    assert max(found.values()) == 1
    assert max(revisions.values()) == 1
    assert found.keys() == on_log
    assert told.acknowledged - found.keys() == set(), "acknowledged facts are lost"
    assert found.keys() - told.acknowledged - told.unknown == set(), "refused facts are there"


def check_answers(
    answers: Sequence[Answered], by_programme: dict[str, list[tuple[int, Event]]]
) -> None:
    """Each is what the log added up to at its position."""
    for answer in answers:
        end = offset(answer.position)
        ledger = fold(event for at, event in by_programme[answer.programme] if at < end)
        expected = balances(ledger, pb.Question(programme_id=answer.programme, lens=answer.lens))
        assert answer.rows == expected, f"{answer.programme} at {answer.position}"


def _check_balances(cluster: Cluster, by_programme: dict[str, list[tuple[int, Event]]]) -> None:
    """Both query processes say what the oracle says of the log."""
    for programme, events in by_programme.items():
        ledger = fold(event for _, event in events)
        for number in NUMBERS:
            with Client(cluster.address_of("query", number), programme=programme) as client:
                for lens in LENSES:
                    question = pb.Question(programme_id=programme, lens=lens)
                    found = [as_json(row) for row in client.list_balances(question)]
                    assert found == balances(ledger, question), f"{programme} at query-{number}"


def records_of(log: KafkaTopic) -> list[list[Record]]:
    """All records of a log, by partition."""
    found = []
    for number in range(log.partition_count):
        partition, held = log.partition(number), list[Record]()
        while page := partition.read(len(held), _PAGE):
            held += page
        found.append(held)
    return found


def by_programme(partitions: list[list[Record]]) -> dict[str, list[tuple[int, Event]]]:
    """Offsets and facts, in the order of the log."""
    found: dict[str, list[tuple[int, Event]]] = defaultdict(list)
    for records in partitions:
        for record in records:
            found[record.programme_id].append((record.offset, Event.FromString(record.value)))
    return found


def _committed(cluster: Cluster) -> list[int]:
    """What Kafka has of the group."""
    with closing(KafkaAdminClient(bootstrap_servers=list(cluster.log.servers))) as admin:
        (offsets,) = admin.list_group_offsets(group_of(TOPIC)).values()
    by_partition = {place.partition: said.offset for place, said in offsets.items()}
    return [by_partition.get(number, -1) for number in range(PARTITIONS)]
