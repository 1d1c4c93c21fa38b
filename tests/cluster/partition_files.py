"""Read models in one SQLite file per partition, so that several processes can project.

A file in their folder makes them fail: `away` refuses connections, `hang` never answers, `poison`
raises at every fact of the programme of that name.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from services.adapters.kafka.topic import find_partition
from services.adapters.sqlite.store import SqliteStore
from services.ledger.changes import ProgrammeChanges
from services.ledger.records import Hold, Watermark
from services.ledger.state import Ledger, Needs
from tests.cluster.topics import PARTITIONS


class PartitionFiles:
    """See `ports.ProjectionStore`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fail_if_away()
        self.stores = [SqliteStore(folder / f"{number}.sqlite") for number in range(PARTITIONS)]

    def read_watermark(self, partition: int) -> Watermark | None:
        return self.stores[partition].read_watermark(partition)

    def read_positions(self) -> Mapping[int, int]:
        positions: dict[int, int] = {}
        for store in self.stores:
            positions |= store.read_positions()
        return positions

    def load(self, programme_id: str, needs: Needs) -> Ledger:
        return self._of(programme_id).load(programme_id, needs)

    def find_used_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        return self._of(programme_id).find_used_event_ids(programme_id, event_ids)

    def commit(self, changes: Sequence[ProgrammeChanges], start: int, end: Watermark) -> None:
        self._fail_if_away()
        if (self._folder / "hang").exists():
            threading.Event().wait()
        if (self._folder / "poison").exists() and "poison" in {c.programme_id for c in changes}:
            raise ZeroDivisionError("a rule divides by nothing")
        self.stores[end.partition].commit(changes, start, end)

    def read_hold(self, partition: int) -> Hold | None:
        return self.stores[partition].read_hold(partition)

    def save_hold(self, hold: Hold) -> None:
        self._fail_if_away()
        self.stores[hold.partition].save_hold(hold)

    def delete_hold(self, partition: int) -> None:
        self.stores[partition].delete_hold(partition)

    def invalidate_watermark(self, partition: int) -> None:
        self.stores[partition].invalidate_watermark(partition)

    def fence(self, partitions: Collection[int]) -> None:
        """Does nothing, because SQLite transactions of other processes block nothing."""

    def require_current(self) -> None:
        """Does nothing, because there is no switch-over."""

    def close(self) -> None:
        for store in self.stores:
            store.close()

    def _of(self, programme_id: str) -> SqliteStore:
        is_foreign = programme_id.startswith("?")
        number = int(programme_id[1:]) if is_foreign else find_partition(programme_id, PARTITIONS)
        return self.stores[number]

    def _fail_if_away(self) -> None:
        if (self._folder / "away").exists():
            raise ConnectionRefusedError("the database is away")
