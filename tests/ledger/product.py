"""The product's core, told in the words of the recorded histories and of the oracle."""

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
from services.ledger.facts import Logged
from services.ledger.fold import fold
from services.ledger.ports import Record
from services.ledger.question import Answer, Balance, Coverage, Edge, Network, Pair
from services.ledger.state import Ledger, Revision, Version
from services.ledger.words import Quarantine, State

START_TIME = 1_720_000_000_000_000
"""When the first record was appended; microseconds."""


@dataclass(slots=True)
class Folded:
    """A ledger and everything that its journals told, however often."""

    ledger: Ledger = field(default_factory=Ledger)
    revisions: list[Revision] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    quarantined: dict[int, tuple[Quarantine, str, bytes]] = field(default_factory=dict)

    def take(self, records: Iterable[Logged]) -> None:
        journal = fold(self.ledger, records)
        self.revisions += [revision for _, revision in journal.revisions]
        self.versions += journal.versions
        self.waiting |= {event_id: key for event_id, (key, _) in journal.waiting.items()}
        for offset, (reason, detail, record) in journal.quarantined.items():
            self.quarantined[offset] = (reason, detail, record.value)


def as_records(events: Sequence[Event]) -> list[Record]:
    """The events as they stand on a log, one after the other."""
    return [
        Record(offset, START_TIME + offset, event.programme_id, event.SerializeToString())
        for offset, event in enumerate(events)
    ]


def as_logged(records: Iterable[Record]) -> list[Logged]:
    return [
        read_record(record.offset, record.record_time, record.programme_id, record.value)
        for record in records
    ]


def folded(events: Sequence[Event], cuts: Sequence[int] = ()) -> Folded:
    """The events of one programme folded, in slabs that end at `cuts`."""
    records = as_logged(as_records(events))
    found = Folded()
    for start, end in zip((0, *cuts), (*cuts, len(records)), strict=True):
        found.take(records[start:end])
    return found


def outcomes(found: Folded, records: Sequence[Logged]) -> list[str]:
    """One word a record, as in the recorded histories."""
    words, seen = [], set[str]()
    for record in records:
        assert record.event is not None
        event_id = record.event.event_id
        if record.offset in found.quarantined:
            reason, *_ = found.quarantined[record.offset]
            words.append(f"quarantined:{reason.name}")
        elif event_id in seen:
            words.append("duplicate")
        else:
            words.append("waiting" if event_id in found.ledger.awaited else "applied")
        seen.add(event_id)
    return words


def exchanges(ledger: Ledger) -> dict[str, dict[str, Any]]:
    return {
        exchange_id: {
            "state": state_name(history.current.state),
            "revisions": [revision.event_id for revision in history.revisions],
        }
        for exchange_id, history in ledger.histories.items()
    }


def state_name(state: State) -> str:
    return ExchangeState.Name(ExchangeState.ValueType(state))


def rows(answer: Answer[Any]) -> list[dict[str, Any]]:
    """Rows as in the JSON contract."""
    return [as_json(_TO_WIRE[type(row)](row)) for row in answer.rows]


def graph(answer: Network) -> dict[str, list[dict[str, Any]]]:
    """Edges and nodes as in the JSON contract."""
    return {"edges": rows(answer), "nodes": [as_json(from_node(node)) for node in answer.nodes]}


_TO_WIRE: dict[type, Callable[[Any], Message]] = {
    Balance: from_balance,
    Pair: from_pair,
    Edge: from_edge,
    Concentration: from_concentration,
}


def counts(coverage: Coverage) -> dict[str, Any]:
    return as_json(from_coverage(coverage))


def as_json(message: Message) -> dict[str, Any]:
    """Every field but the optional ones that are not set."""
    return {
        each.name: list(found) if each.is_repeated else found
        for each in message.DESCRIPTOR.fields
        if not each.has_presence or message.HasField(each.name)
        for found in [getattr(message, each.name)]
    }
