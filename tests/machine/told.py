"""What was told to a log and what became known of that, kept apart from it and from the product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.message import DecodeError

from mutua.v1.event_pb2 import Event
from services.ledger.ports import Record
from tests.oracle import fold as oracle


class Told:
    """`values` stand on the log, in this order; of those in doubt nobody was told that they do.

    `acknowledged` are the facts, by programme and event id, of which somebody was told.
    """

    def __init__(self) -> None:
        self.values: list[tuple[str, bytes]] = []
        self.acknowledged: set[tuple[str, str]] = set()
        self.doubtful: set[tuple[str, str]] = set()
        self._in_doubt: list[list[tuple[str, bytes]]] = []
        self._ledgers: dict[tuple[str, int], oracle.Ledger] = {}

    def acknowledge(self, programme_id: str, values: Sequence[bytes]) -> None:
        self.values += [(programme_id, value) for value in values]
        self.acknowledged.update(_ids(programme_id, values))

    def doubt(self, programme_id: str, values: Sequence[bytes]) -> None:
        """Nobody knows whether these values came to the log, after all others or not at all."""
        self._in_doubt.append([(programme_id, value) for value in values])
        self.doubtful.update(_ids(programme_id, values))

    def settle(self, records: Sequence[Record]) -> None:
        """Compares with the log: all that was acknowledged in its order, what is in doubt whole."""
        found = [(record.programme_id, record.value) for record in records]
        possible = [self.values]
        for each in self._in_doubt:
            possible.append(possible[-1] + each)
        assert found in possible
        self.values = found
        self._in_doubt.clear()
        self._ledgers.clear()

    def ledger(self, programme_id: str, end: int | None = None) -> oracle.Ledger:
        """What the first `end` records add up to, by the oracle; without `end` all."""
        end = len(self.values) if end is None else end
        key = (programme_id, end)
        if key not in self._ledgers:
            self._ledgers[key] = oracle.fold(self.events(programme_id, end))
        return self._ledgers[key]

    def events(self, programme_id: str, end: int) -> Iterator[Event]:
        """Those that can be read."""
        for programme, value in self.values[:end]:
            if programme == programme_id and (event := legible(value)) is not None:
                yield event

    def unreadable_count(self, programme_id: str, end: int) -> int:
        ours = [value for programme, value in self.values[:end] if programme == programme_id]
        return sum(legible(value) is None for value in ours)


def legible(value: bytes) -> Event | None:
    event = Event()
    try:
        event.ParseFromString(value)
    except DecodeError:
        return None
    return event if event.WhichOneof("fact") else None


def _ids(programme_id: str, values: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    for value in values:
        if (event := legible(value)) is not None:
            yield programme_id, event.event_id
