"""Checks what must be true after all faults: the log, the tables and the answers."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import select

from mutua import Client
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.postgres.store import PostgresStore
from services.adapters.sql_store.tables import ExchangeRow, FactRow, HoldRow, ProgrammeRow
from services.app.cluster_verification import verify
from services.app.projector_service import consumer_group_name
from services.ledger.records import Record
from tests.cluster.chaos.chaos_cluster import INSTANCE_NUMBERS, TOPIC, ChaosCluster
from tests.cluster.chaos.workload import (
    LENSES,
    PROGRAMMES,
    ChaosWorkload,
    FactOutcomes,
    ObservedAnswer,
    parse_offset,
)
from tests.cluster.topics import read_committed_offsets, read_partitions
from tests.ledger.folded_ledger import message_to_json
from tests.oracle.answers import compute_balances
from tests.oracle.fold import fold
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Verdict:
    """Numbers of facts by outcome; `duplicate_count` facts are on the log more than once."""

    acknowledged_count: int
    unknown_count: int
    refused_count: int
    record_count: int
    duplicate_count: int
    answer_count: int

    def __str__(self) -> str:
        return (
            f"{self.acknowledged_count:,} facts acknowledged, each recorded once; "
            f"{self.unknown_count:,} with unknown outcome, each recorded at most once; "
            f"{self.refused_count:,} refused, none recorded; {self.duplicate_count:,} sent again, "
            f"on the log more than once and counted once; "
            f"{self.answer_count} sampled answers equal the oracle's"
        )


def judge(cluster: ChaosCluster, load: ChaosWorkload) -> Verdict:
    """Checks a cluster whose whole log is projected. Raises AssertionError with the difference."""
    assert load.violations == []
    partitions = read_partitions(cluster.log)
    ends, group = [len(records) for records in partitions], consumer_group_name(TOPIC)
    wait_until(
        lambda: read_committed_offsets(cluster.log, group) == ends,
        f"offsets {ends} are committed to Kafka",
    )
    report = verify(cluster.log, cluster.store_url)
    assert report.differences == []
    assert (report.unprojected_count, report.hold_reason) == (0, "")
    facts = group_by_programme(partitions)
    ids = Counter(
        event.event_id for programme_facts in facts.values() for _, event in programme_facts
    )
    outcomes = load.outcomes
    _check_once(cluster, outcomes, set(ids))
    check_answers(load.answers, facts)
    _check_balances(cluster, facts)
    return Verdict(
        acknowledged_count=len(outcomes.acknowledged),
        unknown_count=len(outcomes.unknown - outcomes.acknowledged),
        refused_count=len(outcomes.refused - outcomes.acknowledged - outcomes.unknown),
        record_count=sum(ends),
        duplicate_count=sum(count > 1 for count in ids.values()),
        answer_count=len(load.answers),
    )


def _check_once(cluster: ChaosCluster, outcomes: FactOutcomes, on_log: set[str]) -> None:
    """Checks that the tables have every acknowledged fact once, and no refused one."""
    fact, exchange = FactRow.table().c, ExchangeRow.table().c
    with (
        closing(PostgresStore(cluster.store_url, read_only=True)) as store,
        store.open_snapshot(0) as snapshot,
    ):
        fact_counts = Counter(row[0] for row in snapshot.fetch_all(select(fact.event_id)))
        revisions = Counter(row[0] for row in snapshot.fetch_all(select(exchange.event_id)))
        assert list(snapshot.fetch_all(select(HoldRow.metadata.tables["held"]))) == []
        programmes = snapshot.fetch_all(select(ProgrammeRow.table().c.programme_id))
        assert sorted(row[0] for row in programmes) == PROGRAMMES
    assert max(fact_counts.values()) == 1
    assert max(revisions.values()) == 1
    assert fact_counts.keys() == on_log
    assert outcomes.acknowledged - fact_counts.keys() == set(), "acknowledged facts are lost"
    assert fact_counts.keys() - outcomes.acknowledged - outcomes.unknown == set(), (
        "refused facts are recorded"
    )


def check_answers(
    answers: Sequence[ObservedAnswer], by_programme: dict[str, list[tuple[int, Event]]]
) -> None:
    """Checks that every answer equals the oracle's at its position."""
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
    """Checks that both query processes answer as the oracle does."""
    for programme, events in by_programme.items():
        ledger = fold(event for _, event in events)
        for number in INSTANCE_NUMBERS:
            with Client(cluster.find_address("query", number), programme=programme) as client:
                for lens in LENSES:
                    question = pb.Question(programme_id=programme, lens=lens)
                    balances = [message_to_json(row) for row in client.list_balances(question)]
                    assert balances == compute_balances(ledger, question), (
                        f"{programme} at query-{number}"
                    )


def group_by_programme(partitions: list[list[Record]]) -> dict[str, list[tuple[int, Event]]]:
    """Returns offsets and facts by programme, in the order of the log."""
    facts: dict[str, list[tuple[int, Event]]] = defaultdict(list)
    for records in partitions:
        for record in records:
            facts[record.programme_id].append((record.offset, Event.FromString(record.value)))
    return facts
