"""A user who imports files and undoes imports, with the expected outcome read by the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event, ExchangeContent
from mutua.v1.types_pb2 import ExchangeKind
from services.imports import ImportOptions, ImportRefusedError, ImportReport, import_exchanges
from services.imports.row_checker import IMPORT_CLIENT
from services.imports.undo import undo_import
from tests.machine.direct_client import DirectClient
from tests.machine.expected_log import ExpectedLog
from tests.oracle.fold import OracleExchange

HEADER = "reference,occur_time,giver,receiver,kind,giver_minutes"


class FileRow(NamedTuple):
    """A row. Its organizations get no aliases from other facts, because aliases would change how
    the import reads names.
    """

    reference: str
    day: str
    giver: str
    receiver: str
    kind: str
    minutes: str


def file_rows() -> st.SearchStrategy[list[FileRow]]:
    row = st.builds(
        FileRow,
        st.sampled_from(("r1", "r2", "r3", "r4", "r5")),
        st.sampled_from(("2024-03-31", "2024-04-01")),
        st.sampled_from(("fir", "oak")),
        st.sampled_from(("yew", "elm")),
        st.sampled_from(("call", "visit")),
        st.sampled_from(("", "30")),
    )
    return st.lists(row, min_size=1, max_size=5, unique_by=lambda row: row.reference)


class ImportedFiles:
    """`complete_files` are the completely imported files by batch; `batches_in_undo` are batches
    whose undo was started.
    """

    def __init__(self, client: DirectClient, expected_log: ExpectedLog, path: Path) -> None:
        self.complete_files: dict[str, list[FileRow]] = {}
        self.batches_in_undo: set[str] = set()
        self._client = client
        self._log = expected_log
        self._path = path

    def import_new(self, batch: str, rows: list[FileRow]) -> None:
        """Exchanges equal the file, except corrections by hand; a second import records nothing.

        If a row and a correction by hand disagree, the import records nothing.
        """
        self.complete_files.pop(batch, None)
        generation = self._next_generation(batch)
        before = len(self._log.values)
        report = self._import(batch, rows)
        if not report.ok:
            assert all("a correction by hand has" in each.message for each in report.errors)
            assert len(self._log.values) == before
            return
        assert report.generation == generation
        for row in rows:
            self._check(row, batch, generation)
        self.complete_files[batch] = rows
        self.import_again(batch)

    def import_again(self, batch: str) -> None:
        if batch not in self.complete_files:
            return
        before = len(self._log.values)
        counts = self._import(batch, self.complete_files[batch]).counts
        assert (counts.recorded, counts.corrected, counts.agreed, counts.wrong) == (0, 0, 0, 0)
        assert len(self._log.values) == before

    def undo(self, batch: str) -> None:
        """After an undo no exchange of the batch is standing."""
        self.complete_files.pop(batch, None)
        standing = self._find_standing_exchanges(batch)
        try:
            self.batches_in_undo.add(batch)
            report = undo_import(self._client, batch)
        except ImportRefusedError:
            assert not self._find_exchanges(batch)
        else:
            assert report.retracted_count == len(standing)
        assert self._find_standing_exchanges(batch) == []
        self.batches_in_undo.remove(batch)

    def list_batches(self) -> set[str]:
        """The batches with a recorded exchange."""
        exchanges = self._log.fold_ledger(self._client.programme).exchanges.values()
        sources = [each.revisions[0].source for each in exchanges]
        return {source.batch for source in sources if source.client == IMPORT_CLIENT}

    def _import(self, batch: str, rows: list[FileRow]) -> ImportReport:
        self._path.write_text("\n".join([HEADER, *map(",".join, rows)]))
        options = ImportOptions(batch=batch, as_new=True, accept_changes=True, accept_missing=True)
        return import_exchanges(self._client, self._path, options)

    def _check(self, row: FileRow, batch: str, generation: int) -> None:
        programme = self._client.programme
        exchanges = self._log.fold_ledger(programme).exchanges
        for earlier in range(generation, 0, -1):
            exchange_id = uuid8("exchange", programme, batch, str(earlier), row.reference)
            if exchange_id in exchanges:
                break
        exchange = exchanges[exchange_id]
        last = exchange.revisions[-1]
        if earlier < generation:
            assert exchange.is_retracted
            assert last.source.batch != batch, "only exchanges retracted by hand stay retracted"
            return
        by_hand = [each for each in exchange.revisions if each.source.batch != batch]
        if by_hand or exchange.is_retracted:
            return
        content = _content(last)
        assert list(content.giver_ids) == [row.giver]
        assert list(content.receiver_ids) == [row.receiver]
        assert content.kind == ExchangeKind.Value(f"EXCHANGE_KIND_{row.kind.upper()}")
        assert last.occur_time.ToJsonString() == f"{row.day}T00:00:00Z"
        if row.minutes:
            assert content.giver_minutes == int(row.minutes)

    def _find_exchanges(self, batch: str) -> list[OracleExchange]:
        exchanges = self._log.fold_ledger(self._client.programme).exchanges.values()
        return [each for each in exchanges if each.revisions[0].source.batch == batch]

    def _find_standing_exchanges(self, batch: str) -> list[OracleExchange]:
        return [each for each in self._find_exchanges(batch) if not each.is_retracted]

    def _next_generation(self, batch: str) -> int:
        """The latest generation, or the next one after a complete undo of the latest."""
        exchanges = self._find_exchanges(batch)
        latest = max((each.revisions[0].source.generation for each in exchanges), default=1)
        of_latest = [each for each in exchanges if each.revisions[0].source.generation == latest]
        is_undone = (
            bool(of_latest)
            and all(each.is_retracted for each in of_latest)
            and any(each.revisions[-1].source.batch == batch for each in of_latest)
        )
        return latest + is_undone


def _content(event: Event) -> ExchangeContent:
    if event.HasField("exchange_corrected"):
        return event.exchange_corrected.exchange
    return event.exchange_recorded.exchange
