"""Checks rows about exchanges and decides what each of them changes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event, ExchangeContent
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Exchange, Revision
from mutua.v1.types_pb2 import Source
from services.adapters.wire.event import normalize, to_event
from services.adapters.wire.values import InvalidFieldError, tidy
from services.imports.batches import ExchangeMatch, ImportBatch
from services.imports.changes import (
    MAX_LISTED_ROWS,
    HandRetraction,
    RowChange,
    compare_cells,
    format_exchange_cells,
    make_hand_retraction,
)
from services.imports.column_mapping import ColumnMapping
from services.imports.content_reader import ContentReader
from services.imports.party_reader import PARTY_FIELDS
from services.imports.report import FieldProblem
from services.imports.row_checker import (
    IMPORT_CLIENT,
    PLACEHOLDER_ID,
    ParsedRow,
    RowChecker,
    RowDecision,
    RowResult,
)
from services.imports.row_identity import (
    OccurrenceCounter,
    RowIdentity,
    digest_meaning,
    digest_row_meaning,
    encode_meaning,
    parse_place,
)
from services.imports.row_merge import (
    MergeConflict,
    RowMerge,
    format_kept_mark,
    merge_content,
    merge_row,
)
from services.imports.table import TableRow
from services.ledger import facts
from services.ledger.enums import Precision
from services.ledger.fact_registry import validate_fact
from services.ledger.times import Instant
from services.ledger.validation import MAX_NAME_LENGTH, Violations, check_envelope, check_text
from services.notation.dates import TimeReader
from services.notation.errors import NotationError

_NO_REFERENCE: Final = (
    "The file has no reference column: the meaning of its columns identifies a row, with the "
    "number of rows before it that mean the same. A row that is edited later counts as a new "
    "exchange, and the old one stays. `--map reference=COLUMN` names a column that identifies "
    "each row."
)
# Fields that differ from row to row although the rest is equal.
_ROW_FIELDS: Final = ("reference", "occur_time", "report_time", "note")
_MAX_CACHED_CONTENTS: Final = 20_000
ID_RULE: Final = "exchange"
"""The first part of derived ids."""
_PRECISIONS: Final = {int(precision): precision for precision in Precision}
_OCCUPANT_PAGE: Final = 8


class _ParsedContent(NamedTuple):
    """The valid content of some cells: serialized, and as a fact of the core.

    `meaning` is its part of the identity of a row without a reference.
    """

    serialized: bytes
    fact: facts.Fact
    meaning: str


class ExchangeRowChecker(RowChecker):
    """Compares rows with the exchanges that their batch recorded, by exchange id.

    Fields that the file does not have keep their value. A correction by hand since the last import
    stays; when the file has a new value of the same field, the row is in conflict and is not
    imported. An exchange that somebody retracted by hand stays retracted.
    """

    fact_field = "exchange_recorded"
    key_field = "reference"

    def __init__(
        self,
        mapping: ColumnMapping,
        programme: str,
        import_batch: ImportBatch,
        contents: ContentReader,
        dates: TimeReader,
        *,
        resolve: Callable[[str], str] = str,
        reinstate: bool = False,
        keeps_changes: bool = False,
    ) -> None:
        """Takes options of the import.

        `resolve` maps an id to its organization. `reinstate` records fixed rows again whose
        exchange was retracted by hand. `keeps_changes` keeps every change for the report, not only
        the first ones.
        """
        super().__init__(mapping, programme, import_batch)
        self.changes: list[RowChange] = []
        self.moved_count = self.rebound_count = 0
        self.hand_retractions: list[HandRetraction] = []
        self.raw_keys: dict[str, str] = {}
        """Key of a new row -> its key in imports before 0.2, by which other batches may have it."""
        self._matches: dict[str, ExchangeMatch] = {}
        self._contents = contents
        self._dates = dates
        self._resolve = resolve
        self._reinstates = reinstate
        self._keeps_changes = keeps_changes
        self.occurrence_counter: OccurrenceCounter | None = None
        if self.key_field not in mapping.sources:
            self.notes[_NO_REFERENCE] = None
            has_raw_keys = import_batch.has_exchanges or bool(import_batch.other_batches)
            self.occurrence_counter = OccurrenceCounter(
                mapping.header, self._occupants, has_raw_keys=has_raw_keys
            )
        # A file with giver and receiver columns is about no symmetric exchange.
        field_names = {*mapping.sources, "giver_ids", "receiver_ids", "party_ids"}
        names = ExchangeContent.DESCRIPTOR.fields_by_name
        self._content_fields = tuple(name for name in names if name in field_names)
        # Many rows differ only in their times, so the rest of their cells is parsed once.
        self._contents_by_cells: dict[object, _ParsedContent | None] = {}
        content_fields = [field for field in mapping.sources if field not in _ROW_FIELDS]
        self._columns = _make_cell_picker(mapping, content_fields)
        self._parties = [field for field in PARTY_FIELDS if field in mapping.sources]
        self._party_cells = _make_cell_picker(mapping, self._parties)

    def read_field(self, event: Event, field: str, text: str) -> None:
        match field:
            case "occur_time":
                occurred = self._dates.read_time(text)
                event.occur_time.CopyFrom(occurred.timestamp)
                event.occur_precision = occurred.precision
            case "report_time":
                event.report_time.CopyFrom(self._dates.read_day(text).timestamp)
            case "reference":
                event.source.reference = text
            case _:
                self._contents.read_field(event.exchange_recorded.exchange, field, text)

    def get_reference(self, event: Event) -> str | None:
        return event.source.reference if self.key_field in self.mapping.sources else None

    def identify(self, row: TableRow, event: Event) -> RowIdentity:
        if self.occurrence_counter is None:
            return super().identify(row, event)
        content = encode_meaning(event.exchange_recorded.exchange, self._names(row))
        return self.occurrence_counter.identify(
            digest_row_meaning(content, event), row.line, row.cells
        )

    def parse(self, row: TableRow, now: Instant) -> RowResult:
        result = self._parse(row, now)
        if len(self._contents.new_names) and len(row.cells) == len(self.mapping.header):
            self._contents.new_names.count_row(row.line, self._party_cells(row.cells))
        return result

    def _parse(self, row: TableRow, now: Instant) -> RowResult:
        """Parses a sound row fast, and any other row in full because that finds all problems."""
        if not self.find_flaws(row) and len(row.cells) == len(self.mapping.header):
            try:
                result = self._parse_fast(row, now)
            except NotationError:
                result = None
            if result is not None:
                return result
        return super().parse(row, now)

    def iterate_new(self) -> Iterator[tuple[int, Event]]:
        """The events that record new exchanges, each with its line."""
        return (each for each in self.facts if each[1].HasField("exchange_recorded"))

    def look_up(self, rows: Sequence[RowIdentity]) -> None:
        self._matches = self.import_batch.find(rows)

    def decide(self, row: TableRow, parsed_row: ParsedRow) -> RowDecision | Sequence[FieldProblem]:
        match = self._matches.get(parsed_row.identity.key)
        if match is None:
            if self.import_batch.other_batches and parsed_row.identity.raw_key:
                self.raw_keys[parsed_row.identity.key] = parsed_row.identity.raw_key
            return RowDecision("recorded")
        row_event = parsed_row.parse_event()
        if match.exchange.state == EXCHANGE_STATE_RETRACTED:
            return self._decide_retracted(row, row_event, match)
        revisions = match.exchange.revisions
        row_merge = merge_row(
            row_event, revisions, self._content_fields, is_ours=self._is_ours, resolve=self._resolve
        )
        if row_merge.conflicts:
            return self._conflict_problems(row, match.exchange, row_merge.conflicts)
        if not (row_merge.has_changes or row_merge.has_agreed):
            return RowDecision("unchanged")
        correction = self._correction(match.exchange, row_event, row_merge)
        if not row_merge.has_changes:
            return RowDecision("agreed", correction)
        self._keep_change(row, row_event, match.exchange, correction, row_merge)
        return RowDecision("corrected", correction)

    def _parse_fast(self, row: TableRow, now: Instant) -> RowResult | None:
        """Parses a sound row fast; returns None or raises NotationError for any other row.

        It applies the same rules of the core as `parse`, but reads the cells that many rows have in
        common only once: checking the DPDK file takes 0.7 of the processor time (2026-11-30).
        `tests/imports/test_exchanges.py` holds it to `parse`.
        """
        content = self._read_cached_content(row)
        occurred_text = self._text(row, "occur_time")
        if content is None or not occurred_text:
            return None
        occur_moment = self._dates.read_time(occurred_text)
        reported_text = self._text(row, "report_time")
        report_moment = self._dates.read_day(reported_text) if reported_text else None
        reference = self._text(row, self.key_field) if self.occurrence_counter is None else ""
        if not reference and self.occurrence_counter is None:
            return None
        violations: Violations = []
        check_envelope(
            facts.Event(
                event_id=PLACEHOLDER_ID,
                programme_id=self.programme,
                fact=content.fact,
                occur_time=occur_moment.instant,
                occur_precision=_PRECISIONS[occur_moment.precision],
                report_time=report_moment.instant if report_moment else None,
                source=facts.Source(
                    client=IMPORT_CLIENT,
                    batch=self.batch_name,
                    generation=self.generation,
                    reference=reference,
                ),
            ),
            now=now,
            violations=violations,
        )
        note = self._text(row, "note")
        check_text(facts.Text(plain=note), "note", violations)
        if violations:
            return None
        if self.occurrence_counter is None:
            identity = RowIdentity(reference, reference)
        else:
            at = occur_moment.instant * 1_000
            reported_at = report_moment.instant * 1_000 if report_moment else ""
            meaning = digest_meaning(content.meaning, at, occur_moment.precision, reported_at, note)
            identity = self.occurrence_counter.identify(meaning, row.line, row.cells)
        fact_id = self.import_batch.derive_id(identity.key)
        row_event = Event(
            event_id=fact_id,
            occur_time=occur_moment.timestamp,
            occur_precision=occur_moment.precision,
            report_time=report_moment.timestamp if report_moment else None,
            source=Source(reference=identity.reference),
        )
        if note:
            row_event.exchange_recorded.exchange.note.plain = note
        # Concatenated serialized messages are one message with the fields of both.
        parsed_row = ParsedRow(
            fact_id, content.serialized + row_event.SerializeToString(), identity
        )
        return self.check_repetition(row, parsed_row)

    def _read_cached_content(self, row: TableRow) -> _ParsedContent | None:
        """The content that a row shares with others; None when it may be invalid.

        When the cache is full, the rows have little in common, so further contents are not cached.
        """
        texts = self._columns(row.cells)
        if texts not in self._contents_by_cells:
            if len(self._contents_by_cells) == _MAX_CACHED_CONTENTS:
                return None
            self._contents_by_cells[texts] = self._read_content(row)
        return self._contents_by_cells[texts]

    def _read_content(self, row: TableRow) -> _ParsedContent | None:
        content_event = Event(
            event_id=PLACEHOLDER_ID, programme_id=self.programme, occur_time=Timestamp()
        )
        content_event.exchange_recorded.SetInParent()
        try:
            for field, text in self.mapping.extract_texts(row.cells).items():
                if field not in _ROW_FIELDS:
                    self.read_field(content_event, field, text)
            normalize(content_event)
            event = to_event(content_event)
        except (NotationError, InvalidFieldError):
            return None
        # Now is the time of the exchange, so that only the content can be invalid.
        if validate_fact(event, now=event.occur_time or 0):
            return None
        shared_event = Event(programme_id=self.programme)
        shared_event.exchange_recorded.CopyFrom(content_event.exchange_recorded)
        shared_event.source.client = IMPORT_CLIENT
        shared_event.source.batch = self.batch_name
        shared_event.source.generation = self.generation
        meaning = encode_meaning(content_event.exchange_recorded.exchange, self._names(row))
        return _ParsedContent(shared_event.SerializeToString(), event.fact, meaning)

    def _names(self, row: TableRow) -> dict[str, str]:
        """The party names as written in the cells, by field."""
        return {field: self._text(row, field) for field in self._parties}

    def _text(self, row: TableRow, field: str) -> str:
        source = self.mapping.sources.get(field, "")
        return source if isinstance(source, str) else tidy(row.cells[source])

    def _occupants(self, meaning: str) -> list[str]:
        """The places of the rows that have the numbers of a meaning, in order."""
        places: list[str] = []
        while True:
            numbers = range(len(places) + 1, len(places) + _OCCUPANT_PAGE + 1)
            keys = [f"{meaning}-{number}" for number in numbers]
            matches = self.import_batch.find([RowIdentity(key, key) for key in keys])
            for key in keys:
                if key not in matches:
                    return places
                places.append(parse_place(matches[key].exchange.revisions[0].source.reference))

    def _is_ours(self, revision: Revision) -> bool:
        return (revision.source.client, revision.source.batch) == (
            IMPORT_CLIENT,
            self.batch_name,
        )

    def _decide_retracted(
        self, row: TableRow, row_event: Event, match: ExchangeMatch
    ) -> RowDecision:
        """Leaves an exchange retracted that somebody retracted by hand; records it anew after an
        undo.

        With `reinstate` a row that was fixed since is recorded anew as well.
        """
        revisions = [each for each in match.exchange.revisions if each.HasField("content")]
        if match.is_retracted_by_hand and not (
            self._reinstates and self._is_mended(row_event, revisions[-1])
        ):
            if len(self.hand_retractions) < MAX_LISTED_ROWS:
                reference = (
                    self._text(row, self.key_field) if self.occurrence_counter is None else ""
                )
                retraction = make_hand_retraction(match.exchange, row=row.line, reference=reference)
                self.hand_retractions.append(retraction)
            return RowDecision("retracted_earlier")
        row_event.event_id = match.next_id
        return RowDecision("recorded", row_event)

    def _is_mended(self, row_event: Event, last: Revision) -> bool:
        row_merge = merge_row(
            row_event, [last], self._content_fields, is_ours=self._is_ours, resolve=self._resolve
        )
        return row_merge.has_changes

    def _conflict_problems(
        self, row: TableRow, exchange: Exchange, conflicts: Sequence[MergeConflict]
    ) -> Sequence[FieldProblem]:
        texts = self.mapping.extract_texts(row.cells)
        return [
            FieldProblem(
                conflict.field,
                texts.get(conflict.field, ""),
                f"has {conflict.row_value or 'nothing'}, and a correction by hand has "
                f"{conflict.current or 'nothing'} where the file had {conflict.base or 'nothing'}"
                f" before: write {conflict.current or 'nothing'} here to keep the correction, or "
                f"correct exchange {exchange.exchange_id} (mutua correct) to what the file has",
            )
            for conflict in conflicts
        ]

    def _keep_change(
        self,
        row: TableRow,
        row_event: Event,
        exchange: Exchange,
        correction: Event,
        row_merge: RowMerge,
    ) -> None:
        self.moved_count += row_merge.is_moved
        self.rebound_count += row_merge.is_bound
        is_first = len(self.changes) < MAX_LISTED_ROWS or (
            row_merge.is_moved and self.moved_count <= MAX_LISTED_ROWS
        )
        if not (is_first or self._keeps_changes):
            return
        last = exchange.revisions[-1]
        content = correction.exchange_corrected.exchange
        change = compare_cells(
            row.line,
            row_event.source.reference if self.occurrence_counter is None else "",
            exchange.exchange_id,
            format_exchange_cells(last.content, last.occur_time, last.occur_precision),
            format_exchange_cells(content, correction.occur_time, correction.occur_precision),
            is_moved=row_merge.is_moved,
        )
        self.changes.append(change)

    def _correction(self, exchange: Exchange, row_event: Event, row_merge: RowMerge) -> Event:
        current = exchange.revisions[-1]
        content = merge_content(row_event, current, row_merge.changed_fields)
        event = Event()
        event.CopyFrom(row_event)
        event.visibility = current.visibility
        event.event_id = ""
        mark = format_kept_mark(row_merge.kept_fields)
        event.source.reference = row_event.source.reference[: MAX_NAME_LENGTH - len(mark)] + mark
        event.exchange_corrected.exchange_id = exchange.exchange_id
        event.exchange_corrected.exchange.CopyFrom(content)
        event.exchange_corrected.replaces_event_id = current.event_id
        if "occur_time" not in row_merge.changed_fields:
            event.occur_time.CopyFrom(current.occur_time)
            event.occur_precision = current.occur_precision
        if not row_merge.has_new_report_time:
            event.ClearField("report_time")
        digest = hashlib.sha256(event.SerializeToString(deterministic=True)).hexdigest()
        event.event_id = uuid8("correction", exchange.exchange_id, current.event_id, digest)
        return event


def _make_cell_picker(
    plan: ColumnMapping, fields: Iterable[str]
) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """A function that picks the cells of these fields; constants come last."""
    sources = [plan.sources[field] for field in fields]
    columns = [source for source in sources if isinstance(source, int)]
    constants = tuple(source for source in sources if isinstance(source, str))
    if len(columns) > 1:
        pick = itemgetter(*columns)
        return (lambda cells: pick(cells) + constants) if constants else pick
    return lambda cells: (*(cells[column] for column in columns), *constants)
