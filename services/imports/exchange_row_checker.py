"""What rows say about exchanges, and what that changes."""

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
    "The file has no reference column: a row is known by what its columns mean, and by how many "
    "rows before it mean the same. A row that is edited later counts as a new exchange, and the "
    "old one stays. `--map reference=COLUMN` names a column that identifies each row."
)
# What differs from row to row even when the same is said.
_OF_THE_ROW: Final = ("reference", "occur_time", "report_time", "note")
_CONTENTS_KEPT: Final = 20_000
ID_RULE: Final = "exchange"
"""The first part of derived ids."""
_PRECISIONS: Final = {int(precision): precision for precision in Precision}
_OCCUPANTS_ASKED: Final = 8


class _Content(NamedTuple):
    """What some cells say, once they are known to be sound: on the wire, and to the core.

    `meaning` is what they add to the identity of a row without a reference.
    """

    serialized: bytes
    fact: facts.Fact
    meaning: str


class ExchangeRowChecker(RowChecker):
    """Compares rows with the exchanges that stand in their batch, by exchange id.

    Of fields that the file does not have, what stands is kept. What somebody corrected by hand
    since the last import stays; where the file says something new of the same field, the row is in
    conflict and cannot be taken. What somebody retracted by hand stays retracted.
    """

    fact_field = "exchange_recorded"
    key_field = "reference"

    def __init__(
        self,
        plan: ColumnMapping,
        programme: str,
        standing: ImportBatch,
        contents: ContentReader,
        dates: TimeReader,
        *,
        resolve: Callable[[str], str] = str,
        reinstate: bool = False,
        keeps_changes: bool = False,
    ) -> None:
        """`resolve` tells the organization that an id means. `reinstate` records mended rows again
        whose exchange was retracted by hand. `keeps_changes` keeps every change for the report.
        """
        super().__init__(plan, programme, standing)
        self.changes: list[RowChange] = []
        self.moved_count = self.rebound_count = 0
        self.hand_retractions: list[HandRetraction] = []
        self.raw_keys: dict[str, str] = {}
        """What other batches of earlier releases may know new rows by, by key."""
        self._found: dict[str, ExchangeMatch] = {}
        self._contents = contents
        self._dates = dates
        self._resolve = resolve
        self._reinstates = reinstate
        self._keeps_changes = keeps_changes
        self.occurrence_counter: OccurrenceCounter | None = None
        if self.key_field not in plan.sources:
            self.notes[_NO_REFERENCE] = None
            raw = standing.has_exchanges or bool(standing.other_batches)
            self.occurrence_counter = OccurrenceCounter(
                plan.header, self._occupants, has_raw_keys=raw
            )
        # A file about givers and receivers is not about a symmetric exchange.
        told = {*plan.sources, "giver_ids", "receiver_ids", "party_ids"}
        names = ExchangeContent.DESCRIPTOR.fields_by_name
        self._told = tuple(name for name in names if name in told)
        # Many rows say the same of different times: what they say is read and judged once.
        self._sound: dict[object, _Content | None] = {}
        content_fields = [field for field in plan.sources if field not in _OF_THE_ROW]
        self._columns = _cells_of(plan, content_fields)
        self._parties = [field for field in PARTY_FIELDS if field in plan.sources]
        self._party_cells = _cells_of(plan, self._parties)

    def read_field(self, said: Event, field: str, text: str) -> None:
        match field:
            case "occur_time":
                occurred = self._dates.read_time(text)
                said.occur_time.CopyFrom(occurred.timestamp)
                said.occur_precision = occurred.precision
            case "report_time":
                said.report_time.CopyFrom(self._dates.read_day(text).timestamp)
            case "reference":
                said.source.reference = text
            case _:
                self._contents.read_field(said.exchange_recorded.exchange, field, text)

    def get_reference(self, said: Event) -> str | None:
        return said.source.reference if self.key_field in self.mapping.sources else None

    def identify(self, row: TableRow, said: Event) -> RowIdentity:
        if self.occurrence_counter is None:
            return super().identify(row, said)
        content = encode_meaning(said.exchange_recorded.exchange, self._names(row))
        return self.occurrence_counter.identify(
            digest_row_meaning(content, said), row.line, row.cells
        )

    def parse(self, row: TableRow, now: Instant) -> RowResult:
        heard = self._parse(row, now)
        if len(self._contents.new_names) and len(row.cells) == len(self.mapping.header):
            self._contents.new_names.count_row(row.line, self._party_cells(row.cells))
        return heard

    def _parse(self, row: TableRow, now: Instant) -> RowResult:
        """Takes the short way when it is sound, and the long one to tell all that is wrong."""
        if not self.find_flaws(row) and len(row.cells) == len(self.mapping.header):
            try:
                heard = self._parse_sound(row, now)
            except NotationError:
                heard = None
            if heard is not None:
                return heard
        return super().parse(row, now)

    def iterate_new(self) -> Iterator[tuple[int, Event]]:
        """The exchanges to record, each with its line."""
        return (each for each in self.facts if each[1].HasField("exchange_recorded"))

    def look_up(self, rows: Sequence[RowIdentity]) -> None:
        self._found = self.import_batch.find(rows)

    def decide(self, row: TableRow, told: ParsedRow) -> RowDecision | Sequence[FieldProblem]:
        match = self._found.get(told.identity.key)
        if match is None:
            if self.import_batch.other_batches and told.identity.raw_key:
                self.raw_keys[told.identity.key] = told.identity.raw_key
            return RowDecision("recorded")
        said = told.parse_event()
        if match.exchange.state == EXCHANGE_STATE_RETRACTED:
            return self._decide_retracted(row, said, match)
        revisions = match.exchange.revisions
        merged = merge_row(
            said, revisions, self._told, is_ours=self._is_ours, resolve=self._resolve
        )
        if merged.conflicts:
            return self._conflict_problems(row, match.exchange, merged.conflicts)
        if not (merged.has_changes or merged.has_agreed):
            return RowDecision("unchanged")
        correction = self._correction(match.exchange, said, merged)
        if not merged.has_changes:
            return RowDecision("agreed", correction)
        self._keep_change(row, said, match.exchange, correction, merged)
        return RowDecision("corrected", correction)

    def _parse_sound(self, row: TableRow, now: Instant) -> RowResult | None:
        """Parses a sound row fast; returns None or raises NotationError for any other row.

        It applies the same rules of the core as `parse`, but reads the cells that many rows have in
        common only once.
        """
        content = self._content(row)
        occurred_text = self._text(row, "occur_time")
        if content is None or not occurred_text:
            return None
        occurred = self._dates.read_time(occurred_text)
        reported_text = self._text(row, "report_time")
        reported = self._dates.read_day(reported_text) if reported_text else None
        reference = self._text(row, self.key_field) if self.occurrence_counter is None else ""
        if not reference and self.occurrence_counter is None:
            return None
        found: Violations = []
        check_envelope(
            facts.Event(
                event_id=PLACEHOLDER_ID,
                programme_id=self.programme,
                fact=content.fact,
                occur_time=occurred.instant,
                occur_precision=_PRECISIONS[occurred.precision],
                report_time=reported.instant if reported else None,
                source=facts.Source(
                    client=IMPORT_CLIENT,
                    batch=self.derive_batch_name,
                    generation=self.generation,
                    reference=reference,
                ),
            ),
            now=now,
            violations=found,
        )
        note = self._text(row, "note")
        check_text(facts.Text(plain=note), "note", found)
        if found:
            return None
        if self.occurrence_counter is None:
            identity = RowIdentity(reference, reference)
        else:
            at = occurred.instant * 1_000
            reported_at = reported.instant * 1_000 if reported else ""
            meaning = digest_meaning(content.meaning, at, occurred.precision, reported_at, note)
            identity = self.occurrence_counter.identify(meaning, row.line, row.cells)
        fact_id = self.import_batch.derive_id(identity.key)
        own = Event(
            event_id=fact_id,
            occur_time=occurred.timestamp,
            occur_precision=occurred.precision,
            report_time=reported.timestamp if reported else None,
            source=Source(reference=identity.reference),
        )
        if note:
            own.exchange_recorded.exchange.note.plain = note
        # Serialized messages one after the other are the message that has the fields of both.
        told = ParsedRow(fact_id, content.serialized + own.SerializeToString(), identity)
        return self.check_repetition(row, told)

    def _content(self, row: TableRow) -> _Content | None:
        """What the columns say that many rows have in common; None when it may not be sound.

        A file in which they have nothing in common gains nothing, so that it is no longer tried.
        """
        said = self._columns(row.cells)
        if said not in self._sound:
            if len(self._sound) == _CONTENTS_KEPT:
                return None
            self._sound[said] = self._read_content(row)
        return self._sound[said]

    def _read_content(self, row: TableRow) -> _Content | None:
        said = Event(event_id=PLACEHOLDER_ID, programme_id=self.programme, occur_time=Timestamp())
        said.exchange_recorded.SetInParent()
        try:
            for field, text in self.mapping.extract_texts(row.cells).items():
                if field not in _OF_THE_ROW:
                    self.read_field(said, field, text)
            normalize(said)
            event = to_event(said)
        except (NotationError, InvalidFieldError):
            return None
        # Now is when the exchange occurred: only what it says itself can be wrong.
        if validate_fact(event, now=event.occur_time or 0):
            return None
        kept = Event(programme_id=self.programme)
        kept.exchange_recorded.CopyFrom(said.exchange_recorded)
        kept.source.client = IMPORT_CLIENT
        kept.source.batch = self.derive_batch_name
        kept.source.generation = self.generation
        meaning = encode_meaning(said.exchange_recorded.exchange, self._names(row))
        return _Content(kept.SerializeToString(), event.fact, meaning)

    def _names(self, row: TableRow) -> dict[str, str]:
        """The names of parties as they are written, by field."""
        return {field: self._text(row, field) for field in self._parties}

    def _text(self, row: TableRow, field: str) -> str:
        source = self.mapping.sources.get(field, "")
        return source if isinstance(source, str) else tidy(row.cells[source])

    def _occupants(self, meaning: str) -> list[str]:
        """The places of the rows that the numbers of a meaning were given to, in their order."""
        places: list[str] = []
        while True:
            numbers = range(len(places) + 1, len(places) + _OCCUPANTS_ASKED + 1)
            keys = [f"{meaning}-{number}" for number in numbers]
            matches = self.import_batch.find([RowIdentity(key, key) for key in keys])
            for key in keys:
                if key not in matches:
                    return places
                places.append(parse_place(matches[key].exchange.revisions[0].source.reference))

    def _is_ours(self, revision: Revision) -> bool:
        return (revision.source.client, revision.source.batch) == (
            IMPORT_CLIENT,
            self.derive_batch_name,
        )

    def _decide_retracted(self, row: TableRow, said: Event, match: ExchangeMatch) -> RowDecision:
        """What was retracted by hand stays so, unless the row was mended and is to be reinstated.

        What an undo retracted is recorded anew.
        """
        revisions = [each for each in match.exchange.revisions if each.HasField("content")]
        if match.is_retracted_by_hand and not (
            self._reinstates and self._is_mended(said, revisions[-1])
        ):
            if len(self.hand_retractions) < MAX_LISTED_ROWS:
                reference = (
                    self._text(row, self.key_field) if self.occurrence_counter is None else ""
                )
                retracted = make_hand_retraction(match.exchange, row=row.line, reference=reference)
                self.hand_retractions.append(retracted)
            return RowDecision("retracted_earlier")
        said.event_id = match.next_id
        return RowDecision("recorded", said)

    def _is_mended(self, said: Event, last: Revision) -> bool:
        merged = merge_row(said, [last], self._told, is_ours=self._is_ours, resolve=self._resolve)
        return merged.has_changes

    def _conflict_problems(
        self, row: TableRow, exchange: Exchange, conflicts: Sequence[MergeConflict]
    ) -> Sequence[FieldProblem]:
        texts = self.mapping.extract_texts(row.cells)
        return [
            FieldProblem(
                conflict.field,
                texts.get(conflict.field, ""),
                f"says {conflict.row_value or 'nothing'}, and a correction by hand says "
                f"{conflict.current or 'nothing'} where the file said {conflict.base or 'nothing'}"
                f" before: write {conflict.current or 'nothing'} here to keep the correction, or "
                f"correct exchange {exchange.exchange_id} (mutua correct) to what the file says",
            )
            for conflict in conflicts
        ]

    def _keep_change(
        self, row: TableRow, said: Event, exchange: Exchange, correction: Event, merged: RowMerge
    ) -> None:
        self.moved_count += merged.is_moved
        self.rebound_count += merged.is_bound
        is_first = len(self.changes) < MAX_LISTED_ROWS or (
            merged.is_moved and self.moved_count <= MAX_LISTED_ROWS
        )
        if not (is_first or self._keeps_changes):
            return
        last = exchange.revisions[-1]
        content = correction.exchange_corrected.exchange
        change = compare_cells(
            row.line,
            said.source.reference if self.occurrence_counter is None else "",
            exchange.exchange_id,
            format_exchange_cells(last.content, last.occur_time, last.occur_precision),
            format_exchange_cells(content, correction.occur_time, correction.occur_precision),
            is_moved=merged.is_moved,
        )
        self.changes.append(change)

    def _correction(self, exchange: Exchange, said: Event, merged: RowMerge) -> Event:
        current = exchange.revisions[-1]
        content = merge_content(said, current, merged.changed_fields)
        event = Event()
        event.CopyFrom(said)
        event.visibility = current.visibility
        event.event_id = ""
        mark = format_kept_mark(merged.kept_fields)
        event.source.reference = said.source.reference[: MAX_NAME_LENGTH - len(mark)] + mark
        event.exchange_corrected.exchange_id = exchange.exchange_id
        event.exchange_corrected.exchange.CopyFrom(content)
        event.exchange_corrected.replaces_event_id = current.event_id
        if "occur_time" not in merged.changed_fields:
            event.occur_time.CopyFrom(current.occur_time)
            event.occur_precision = current.occur_precision
        if not merged.has_new_report_time:
            event.ClearField("report_time")
        digest = hashlib.sha256(event.SerializeToString(deterministic=True)).hexdigest()
        event.event_id = uuid8("correction", exchange.exchange_id, current.event_id, digest)
        return event


def _cells_of(
    plan: ColumnMapping, fields: Iterable[str]
) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Picks the cells of a row that say these fields; what is the same for all rows comes last."""
    sources = [plan.sources[field] for field in fields]
    columns = [source for source in sources if isinstance(source, int)]
    constants = tuple(source for source in sources if isinstance(source, str))
    if len(columns) > 1:
        pick = itemgetter(*columns)
        return (lambda cells: pick(cells) + constants) if constants else pick
    return lambda cells: (*(cells[column] for column in columns), *constants)
