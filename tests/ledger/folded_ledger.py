"""The product's fold, with results in the form of recorded histories and of the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import ExchangeState
from services.adapters.wire.answer import (
    from_balance,
    from_coverage,
    from_edge,
    from_node,
    from_pair,
)
from services.adapters.wire.concentration import from_concentration
from services.adapters.wire.event import read_record
from services.ledger.concentration import Concentration
from services.ledger.enums import QuarantineCause, RevisionState
from services.ledger.facts import LoggedRecord
from services.ledger.fold import fold
from services.ledger.question import Answer, Balance, Coverage, Edge, Network, Pair
from services.ledger.records import Record
from services.ledger.state import Ledger, OrganizationVersion, Revision

START_TIME = 1_720_000_000_000_000
"""When the first record was appended; microseconds."""


@dataclass(slots=True)
class FoldedLedger:
    """A ledger with everything that its journals contained, repetitions included."""

    ledger: Ledger = field(default_factory=Ledger)
    revisions: list[Revision] = field(default_factory=list)
    versions: list[OrganizationVersion] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    quarantine: dict[int, tuple[QuarantineCause, str, bytes]] = field(default_factory=dict)

    def fold_records(self, records: Iterable[LoggedRecord]) -> None:
        journal = fold(self.ledger, records)
        self.revisions += [revision for _, revision in journal.revisions]
        self.versions += journal.versions
        self.waiting |= {event_id: key for event_id, (key, _) in journal.waiting_changes.items()}
        for offset, (reason, detail, record) in journal.quarantine.items():
            self.quarantine[offset] = (reason, detail, record.value)


def make_records(events: Sequence[Event]) -> list[Record]:
    """Returns the events as consecutive records of a log."""
    return [
        Record(offset, START_TIME + offset, event.programme_id, event.SerializeToString())
        for offset, event in enumerate(events)
    ]


def read_records(records: Iterable[Record]) -> list[LoggedRecord]:
    return [
        read_record(record.offset, record.record_time, record.programme_id, record.value)
        for record in records
    ]


def fold_events(events: Sequence[Event], cuts: Sequence[int] = ()) -> FoldedLedger:
    """The events of one programme folded, in slabs that end at `cuts`."""
    records = read_records(make_records(events))
    folded = FoldedLedger()
    for start, end in zip((0, *cuts), (*cuts, len(records)), strict=True):
        folded.fold_records(records[start:end])
    return folded


def list_outcomes(folded: FoldedLedger, records: Sequence[LoggedRecord]) -> list[str]:
    """One word a record, as in the recorded histories."""
    words, earlier_ids = [], set[str]()
    for record in records:
        assert record.event is not None
        event_id = record.event.event_id
        if record.offset in folded.quarantine:
            reason, *_ = folded.quarantine[record.offset]
            words.append(f"quarantined:{reason.name}")
        elif event_id in earlier_ids:
            words.append("duplicate")
        else:
            words.append("waiting" if event_id in folded.ledger.waiting_keys else "applied")
        earlier_ids.add(event_id)
    return words


def summarize_exchanges(ledger: Ledger) -> dict[str, dict[str, Any]]:
    return {
        exchange_id: {
            "state": state_name(history.current.state),
            "revisions": [revision.event_id for revision in history.revisions],
        }
        for exchange_id, history in ledger.histories.items()
    }


def state_name(state: RevisionState) -> str:
    return ExchangeState.Name(ExchangeState.ValueType(state))


def to_json_rows(answer: Answer[Any]) -> list[dict[str, Any]]:
    """Rows as in the JSON contract."""
    return [message_to_json(_TO_WIRE[type(row)](row)) for row in answer.rows]


def to_json_graph(answer: Network) -> dict[str, list[dict[str, Any]]]:
    """Edges and nodes as in the JSON contract."""
    return {
        "edges": to_json_rows(answer),
        "nodes": [message_to_json(from_node(node)) for node in answer.nodes],
    }


_TO_WIRE: dict[type, Callable[[Any], Message]] = {
    Balance: from_balance,
    Pair: from_pair,
    Edge: from_edge,
    Concentration: from_concentration,
}


def to_json_counts(coverage: Coverage) -> dict[str, Any]:
    return message_to_json(from_coverage(coverage))


def message_to_json(message: Message) -> dict[str, Any]:
    """Every field except optional ones that are not set."""
    return {
        each.name: list(value) if each.is_repeated else value
        for each in message.DESCRIPTOR.fields
        if not each.has_presence or message.HasField(each.name)
        for value in [getattr(message, each.name)]
    }
