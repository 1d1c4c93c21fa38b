"""Every row of a file: read, judged by the rules of the core, and compared with what stands."""

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
"""What a row is judged under before it is known which one it is."""
# What stands is asked for once a block.
_BLOCK_ROWS: Final = 1_000

Content = TypeVar("Content", bound=Message)
RejectRow = Callable[[TableRow, Sequence[FieldProblem]], None]
"""Told of each row that cannot be taken, and why."""


class ParsedRow(NamedTuple):
    """What a sound row says: the fact it becomes, serialized, if nothing stands under its id."""

    fact_id: str
    fact: bytes
    identity: RowIdentity

    def parse_event(self) -> Event:
        return Event.FromString(self.fact)


class RowDecision(NamedTuple):
    """What becomes of a row, as `ProgrammeCounts` names it, and the fact that does it, if one is
    needed.

    A row that is recorded without an event of its own becomes the fact that it told.
    """

    outcome: Literal["recorded", "corrected", "agreed", "unchanged", "retracted_earlier", "skipped"]
    event: Event | None = None


RowResult = ParsedRow | RowDecision | Sequence[FieldProblem]


class RowChecker(ABC):
    """What rows of one sort mean. `facts` are those to record, each with its line.

    `fact` is the field of Event that a row becomes and `key` the field of the file that names it;
    `notes` has what the user should know, once each.
    """

    fact_field: ClassVar[str]
    key_field: ClassVar[str]

    def __init__(self, plan: ColumnMapping, programme: str, standing: ImportBatch) -> None:
        self.mapping = plan
        self.programme = programme
        self.import_batch = standing
        self.derive_batch_name = standing.name
        self.generation = standing.generation
        self.counts = RowCounts()
        self.problems = ProblemList()
        self.facts = FactSpool()
        self.notes: dict[str, None] = {}
        # By reference, the line of a row and a fingerprint of what it says.
        self._earlier: dict[str, tuple[int, int]] = {}

    @abstractmethod
    def read_field(self, said: Event, field: str, text: str) -> None:
        """Adds to `said` what a cell says, which is never empty. Raises NotationError."""

    @abstractmethod
    def get_reference(self, said: Event) -> str | None:
        """What the row itself names as its reference; None when the file has no references."""

    def identify(self, row: TableRow, said: Event) -> RowIdentity:  # noqa: ARG002 - rows need it
        """What a row goes by in its batch. `said` is normalized."""
        reference = self.get_reference(said)
        assert reference is not None, "rows without a reference have an identity of their own"
        return RowIdentity(reference, reference)

    @abstractmethod
    def decide(self, row: TableRow, told: ParsedRow) -> RowDecision | Sequence[FieldProblem]:
        """Compares with what stands; asked once an identity. Raises NotationError."""

    def normalize(self, said: Event) -> None:
        normalize(said)

    def look_up(self, rows: Sequence[RowIdentity]) -> None:  # noqa: B027 - not all rows need it
        """Finds what stands of these rows, about which `decide` is asked next."""

    def parse(self, row: TableRow, now: Instant) -> RowResult:
        """What a row says, or everything that is wrong with it."""
        if flaws := self.find_flaws(row):
            return flaws
        if len(row.cells) != len(self.mapping.header):
            count = format_count(len(row.cells), "cell")
            cells = f"has {count} and the header {len(self.mapping.header)}"
            message = f"{cells}: quote cells that hold the separator"
            return [FieldProblem("", "", message, is_same_everywhere=True)]
        said, texts = Event(), self.mapping.extract_texts(row.cells)
        getattr(said, self.fact_field).SetInParent()  # also when the row says nothing of it
        problems = self._read(said, texts)
        self.normalize(said)
        if problems:
            unread = {problem.field for problem in problems}
            further = self._judged(said, texts, now)
            return problems + [
                p for p in further if p.field in self.mapping.sources.keys() - unread
            ]
        if self.get_reference(said) == "":  # else rows would take each other's id
            return [FieldProblem(self.key_field, "", "is empty, and every row needs it")]
        said.event_id = PLACEHOLDER_ID
        said.programme_id = self.programme
        said.source.client = IMPORT_CLIENT
        said.source.batch = self.derive_batch_name
        said.source.generation = self.generation
        if problems := self._judged(said, texts, now):
            return problems
        identity = self.identify(row, said)
        said.event_id = self.import_batch.derive_id(identity.key)
        said.source.reference = identity.reference
        told = ParsedRow(said.event_id, said.SerializeToString(), identity)
        return self.check_repetition(row, told)

    def find_flaws(self, row: TableRow) -> list[FieldProblem]:
        """What keeps cells of columns that are used from being read."""
        if not row.flaws:
            return []
        return [
            FieldProblem(field, row.cells[source], row.flaws[source], is_same_everywhere=True)
            for field, source in self.mapping.sources.items()
            if isinstance(source, int) and source in row.flaws
        ]

    def check_repetition(self, row: TableRow, told: ParsedRow) -> RowResult:
        """The same, unless an earlier row has this reference."""
        said, reference = hash(told.fact), told.identity.key
        first_line, first_said = self._earlier.setdefault(reference, (row.line, said))
        if first_line == row.line:
            return told
        if first_said == said:
            return RowDecision("skipped")
        message = f"stands on line {first_line:,} too, with other content"
        return [FieldProblem(self.key_field, reference, message)]

    def check(self, rows: Iterable[TableRow], *, now: Instant, reject: RejectRow) -> None:
        """Raises ImportRefusedError when a constant cannot be read."""
        for block in split_into_blocks(rows, _BLOCK_ROWS):
            heard = [(row, self.parse(row, now)) for row in block]
            self.look_up([told.identity for _, told in heard if isinstance(told, ParsedRow)])
            for row, each in heard:
                self.counts.rows += 1
                if problems := self._settle(row, each, now):
                    self.counts.wrong += 1
                    reject(row, problems)
                    for problem in problems:
                        self.problems.add(row.line, problem)

    def _settle(self, row: TableRow, heard: RowResult, now: Instant) -> Sequence[FieldProblem]:
        """Counts a row and keeps its fact; returns what is wrong with it instead."""
        fact = b""
        if isinstance(heard, ParsedRow):
            fact = heard.fact
            try:
                heard = self.decide(row, heard)
            except NotationError as error:
                texts = self.mapping.extract_texts(row.cells)
                return [FieldProblem(error.field, texts.get(error.field, ""), str(error))]
            if isinstance(heard, RowDecision) and heard.event is not None:
                if problems := self._judged(
                    heard.event, self.mapping.extract_texts(row.cells), now
                ):
                    return problems
                fact = heard.event.SerializeToString()
        if not isinstance(heard, RowDecision):
            return heard
        self.counts.add(heard.outcome)
        if heard.outcome in ("recorded", "corrected", "agreed"):
            self.facts.add(row.line, fact)
        return ()

    def _read(self, said: Event, texts: dict[str, str]) -> list[FieldProblem]:
        problems = []
        for field, text in texts.items():
            try:
                self.read_field(said, field, text)
            except NotationError as error:
                if field in self.mapping.constants:
                    raise ImportRefusedError(f"--set {field}={text}: {text!r} {error}.") from error
                # What mends this text mends it wherever it stands.
                problems.append(FieldProblem(field, text, str(error), is_same_everywhere=True))
        return problems

    def _judged(self, event: Event, texts: dict[str, str], now: Instant) -> list[FieldProblem]:
        """What the core finds wrong, by the file's fields."""
        try:
            violations = validate_fact(to_event(event), now=now)
        except InvalidFieldError as unfit:
            violations = [unfit.violation]
        problems = []
        for violation in violations:
            field = find_file_field(violation.field, self.mapping.sources)
            is_constant = field in self.mapping.constants
            value = texts.get(field, "")
            problems.append(FieldProblem(field, value, violation.description, is_constant))
        return problems


def overlay(standing: Content, said: Content, fields: Iterable[str]) -> Content:
    """What is said of `fields` laid over what stands; repeated values of others add up."""
    merged = copy_without(standing, fields)
    merged.MergeFrom(said)
    return merged


def copy_without(content: Content, fields: Iterable[str]) -> Content:
    """A copy in which nothing is said of `fields`."""
    copy = type(content)()
    copy.CopyFrom(content)
    for field in fields:
        copy.ClearField(field)
    return copy


def find_file_field(path: str, fields: Container[str]) -> str:
    """`exchange_recorded.exchange.giver_ids[0]` is what the file calls giver."""
    names = [
        PARTY_COLUMN_BY_FIELD.get(name, name) for name in re.sub(r"\[\d+\]", "", path).split(".")
    ]
    return next((name for name in names if name in fields), names[-1])
