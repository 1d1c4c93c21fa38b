"""The expected content of a log, recorded independently of the log and of the product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.message import DecodeError

from mutua.v1.event_pb2 import Event
from services.ledger.records import Record
from tests.oracle import fold as oracle


class ExpectedLog:
    """`values` are on the log in this order, except uncertain appends, which may be.

    `acknowledged_ids` and `uncertain_ids` are pairs of programme and event id.
    """

    def __init__(self) -> None:
        self.values: list[tuple[str, bytes]] = []
        self.acknowledged_ids: set[tuple[str, str]] = set()
        self.uncertain_ids: set[tuple[str, str]] = set()
        self._uncertain_appends: list[list[tuple[str, bytes]]] = []
        self._ledgers: dict[tuple[str, int], oracle.OracleLedger] = {}

    def acknowledge(self, programme_id: str, values: Sequence[bytes]) -> None:
        self.values += [(programme_id, value) for value in values]
        self.acknowledged_ids.update(_ids(programme_id, values))

    def mark_uncertain(self, programme_id: str, values: Sequence[bytes]) -> None:
        """Marks values as appended after all others, or not at all."""
        self._uncertain_appends.append([(programme_id, value) for value in values])
        self.uncertain_ids.update(_ids(programme_id, values))

    def compare_with_log(self, records: Sequence[Record]) -> None:
        """The log has the acknowledged values in order, then an uncertain append wholly or not."""
        actual = [(record.programme_id, record.value) for record in records]
        possible = [self.values]
        for each in self._uncertain_appends:
            possible.append(possible[-1] + each)
        assert actual in possible
        self.values = actual
        self._uncertain_appends.clear()
        self._ledgers.clear()

    def fold_ledger(self, programme_id: str, end: int | None = None) -> oracle.OracleLedger:
        """The ledger of the oracle after the first `end` records, or after all."""
        end = len(self.values) if end is None else end
        key = (programme_id, end)
        if key not in self._ledgers:
            self._ledgers[key] = oracle.fold(self.read_events(programme_id, end))
        return self._ledgers[key]

    def read_events(self, programme_id: str, end: int) -> Iterator[Event]:
        """Yields the readable events."""
        for programme, value in self.values[:end]:
            if programme == programme_id and (event := parse_fact(value)) is not None:
                yield event

    def count_unreadable(self, programme_id: str, end: int) -> int:
        values = [value for programme, value in self.values[:end] if programme == programme_id]
        return sum(parse_fact(value) is None for value in values)


def parse_fact(value: bytes) -> Event | None:
    event = Event()
    try:
        event.ParseFromString(value)
    except DecodeError:
        return None
    return event if event.WhichOneof("fact") else None


def _ids(programme_id: str, values: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    for value in values:
        if (event := parse_fact(value)) is not None:
            yield programme_id, event.event_id
