"""Checks the rows of a file: reads them, applies the rules of the core, compares with the batch."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Sequence
from typing import ClassVar, Final, Literal, NamedTuple, TypeVar

from google.protobuf.message import Message

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event
from services.adapters.wire.event import normalize, to_event
from services.adapters.wire.values import InvalidFieldError
from services.imports.batches import ImportBatch, split_into_blocks
from services.imports.column_mapping import ColumnMapping
from services.imports.fact_spool import FactSpool
from services.imports.report import FieldProblem, ImportRefusedError, ProblemList, RowCounts
from services.imports.row_identity import RowIdentity
from services.imports.table import TableRow
from services.ledger.fact_registry import validate_fact
from services.ledger.times import Instant
from services.ledger.wording import format_count
from services.notation.errors import NotationError
from services.notation.exchange_cells import PARTY_COLUMN_BY_FIELD

IMPORT_CLIENT: Final = "mutua-import"
PLACEHOLDER_ID: Final = uuid8("content")
"""The event id with which a row is checked before its own id is derived."""
# Recorded exchanges are looked up once per block of rows.
_BLOCK_ROWS: Final = 1_000

Content = TypeVar("Content", bound=Message)
RejectRow = Callable[[TableRow, Sequence[FieldProblem]], None]
"""Called with each row that cannot be imported, and its problems."""


class ParsedRow(NamedTuple):
    """A valid row: the serialized fact that records it when its id is new."""

    fact_id: str
    fact: bytes
    identity: RowIdentity

    def parse_event(self) -> Event:
        return Event.FromString(self.fact)


class RowDecision(NamedTuple):
    """The outcome of a row, named as in `RowCounts`, and the fact that brings it about, if any.

    A row that is recorded without an event becomes the fact of its `ParsedRow`.
    """

    outcome: Literal["recorded", "corrected", "agreed", "unchanged", "retracted_earlier", "skipped"]
    event: Event | None = None


RowResult = ParsedRow | RowDecision | Sequence[FieldProblem]


class RowChecker(ABC):
    """Checks rows of one kind and collects in `facts` the events to record, each with its line.

    `fact_field` is the field of Event that a row becomes. `key_field` is the field of the file that
    identifies a row. `notes` has each note for the user once.
    """

    fact_field: ClassVar[str]
    key_field: ClassVar[str]

    def __init__(self, mapping: ColumnMapping, programme: str, import_batch: ImportBatch) -> None:
        self.mapping = mapping
        self.programme = programme
        self.import_batch = import_batch
        self.batch_name = import_batch.name
        self.generation = import_batch.generation
        self.counts = RowCounts()
        self.problems = ProblemList()
        self.facts = FactSpool()
        self.notes: dict[str, None] = {}
        # Key of a row -> its line and a hash of its fact.
        self._first_rows: dict[str, tuple[int, int]] = {}

    @abstractmethod
    def read_field(self, event: Event, field: str, text: str) -> None:
        """Reads a cell, which is never empty, into `event`. Raises NotationError."""

    @abstractmethod
    def get_reference(self, event: Event) -> str | None:
        """The reference in the row; None when the file has no references."""

    def identify(self, row: TableRow, event: Event) -> RowIdentity:  # noqa: ARG002 - rows need it
        """Identifies a row in its batch. `event` is normalized."""
        reference = self.get_reference(event)
        assert reference is not None, "rows without a reference have an identity of their own"
        return RowIdentity(reference, reference)

    @abstractmethod
    def decide(self, row: TableRow, parsed_row: ParsedRow) -> RowDecision | Sequence[FieldProblem]:
        """Compares a row with the recorded exchange; called once per identity. Raises
        NotationError.
        """

    def normalize(self, event: Event) -> None:
        normalize(event)

    def look_up(self, rows: Sequence[RowIdentity]) -> None:  # noqa: B027 - not all rows need it
        """Looks up the recorded exchanges of these rows, for which `decide` is called next."""

    def parse(self, row: TableRow, now: Instant) -> RowResult:
        """Parses a row, or returns every problem with it."""
        if flaws := self.find_flaws(row):
            return flaws
        if len(row.cells) != len(self.mapping.header):
            count = format_count(len(row.cells), "cell")
            cells = f"has {count} and the header {len(self.mapping.header)}"
            message = f"{cells}: quote cells that hold the separator"
            return [FieldProblem("", "", message, is_same_everywhere=True)]
        event, texts = Event(), self.mapping.extract_texts(row.cells)
        getattr(event, self.fact_field).SetInParent()  # also when no cell sets a field of it
        problems = self._read_fields(event, texts)
        self.normalize(event)
        if problems:
            unread = {problem.field for problem in problems}
            violations = self._find_violations(event, texts, now)
            return problems + [
                p for p in violations if p.field in self.mapping.sources.keys() - unread
            ]
        if self.get_reference(event) == "":  # otherwise rows would share an id
            return [FieldProblem(self.key_field, "", "is empty, and every row needs it")]
        event.event_id = PLACEHOLDER_ID
        event.programme_id = self.programme
        event.source.client = IMPORT_CLIENT
        event.source.batch = self.batch_name
        event.source.generation = self.generation
        if problems := self._find_violations(event, texts, now):
            return problems
        identity = self.identify(row, event)
        event.event_id = self.import_batch.derive_id(identity.key)
        event.source.reference = identity.reference
        parsed_row = ParsedRow(event.event_id, event.SerializeToString(), identity)
        return self.check_repetition(row, parsed_row)

    def find_flaws(self, row: TableRow) -> list[FieldProblem]:
        """Problems of cells that cannot be read, in columns that are used."""
        if not row.flaws:
            return []
        return [
            FieldProblem(field, row.cells[source], row.flaws[source], is_same_everywhere=True)
            for field, source in self.mapping.sources.items()
            if isinstance(source, int) and source in row.flaws
        ]

    def check_repetition(self, row: TableRow, parsed_row: ParsedRow) -> RowResult:
        """Returns the parsed row unless an earlier row of the file has its key."""
        fact_hash, reference = hash(parsed_row.fact), parsed_row.identity.key
        first_line, first_hash = self._first_rows.setdefault(reference, (row.line, fact_hash))
        if first_line == row.line:
            return parsed_row
        if first_hash == fact_hash:
            return RowDecision("skipped")
        message = f"is on line {first_line:,} too, with other content"
        return [FieldProblem(self.key_field, reference, message)]

    def check(self, rows: Iterable[TableRow], *, now: Instant, reject: RejectRow) -> None:
        """Checks all rows. Raises ImportRefusedError when a constant cannot be read."""
        for block in split_into_blocks(rows, _BLOCK_ROWS):
            results = [(row, self.parse(row, now)) for row in block]
            self.look_up(
                [result.identity for _, result in results if isinstance(result, ParsedRow)]
            )
            for row, result in results:
                self.counts.rows += 1
                if problems := self._settle(row, result, now):
                    self.counts.wrong += 1
                    reject(row, problems)
                    for problem in problems:
                        self.problems.add(row.line, problem)

    def _settle(self, row: TableRow, result: RowResult, now: Instant) -> Sequence[FieldProblem]:
        """Counts a row and adds its fact; returns its problems if it has any."""
        fact = b""
        if isinstance(result, ParsedRow):
            fact = result.fact
            try:
                result = self.decide(row, result)
            except NotationError as error:
                texts = self.mapping.extract_texts(row.cells)
                return [FieldProblem(error.field, texts.get(error.field, ""), str(error))]
            if isinstance(result, RowDecision) and result.event is not None:
                if problems := self._find_violations(
                    result.event, self.mapping.extract_texts(row.cells), now
                ):
                    return problems
                fact = result.event.SerializeToString()
        if not isinstance(result, RowDecision):
            return result
        self.counts.add(result.outcome)
        if result.outcome in ("recorded", "corrected", "agreed"):
            self.facts.add(row.line, fact)
        return ()

    def _read_fields(self, event: Event, texts: dict[str, str]) -> list[FieldProblem]:
        problems = []
        for field, text in texts.items():
            try:
                self.read_field(event, field, text)
            except NotationError as error:
                if field in self.mapping.constants:
                    raise ImportRefusedError(f"--set {field}={text}: {text!r} {error}.") from error
                # The same text has the same problem in every row.
                problems.append(FieldProblem(field, text, str(error), is_same_everywhere=True))
        return problems

    def _find_violations(
        self, event: Event, texts: dict[str, str], now: Instant
    ) -> list[FieldProblem]:
        """Violations of the core's rules, by the fields of the file."""
        try:
            violations = validate_fact(to_event(event), now=now)
        except InvalidFieldError as error:
            violations = list(error.violations)
        problems = []
        for violation in violations:
            field = find_file_field(violation.field, self.mapping.sources)
            is_constant = field in self.mapping.constants
            value = texts.get(field, "")
            problems.append(FieldProblem(field, value, violation.description, is_constant))
        return problems


def overlay(current: Content, update: Content, fields: Iterable[str]) -> Content:
    """The current content with `fields` replaced by the new ones; other repeated values add up."""
    merged = copy_without(current, fields)
    merged.MergeFrom(update)
    return merged


def copy_without(content: Content, fields: Iterable[str]) -> Content:
    """A copy without these fields."""
    copy = type(content)()
    copy.CopyFrom(content)
    for field in fields:
        copy.ClearField(field)
    return copy


def find_file_field(path: str, fields: Container[str]) -> str:
    """Maps a path such as `exchange_recorded.exchange.giver_ids[0]` to the file's field, giver."""
    names = [
        PARTY_COLUMN_BY_FIELD.get(name, name) for name in re.sub(r"\[\d+\]", "", path).split(".")
    ]
    return next((name for name in names if name in fields), names[-1])
