"""Every row of a file: read, compared with what stands, and judged by the rules of the core."""

import re
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Sequence
from typing import ClassVar, Final, Literal, NamedTuple, TypeVar

from google.protobuf.message import Message

from mutua.v1.event_pb2 import Event
from services.adapters.wire.event import normalize, to_event
from services.adapters.wire.values import Unfit
from services.imports.cells import CellError, WordError
from services.imports.columns import Plan
from services.imports.reading import Row
from services.imports.report import Counts, ErrorTable, ImportRefused, Problem
from services.ledger.kinds import validate
from services.ledger.times import Instant

CLIENT: Final = "mutua-import"
FIRST_GENERATION: Final = 1
"""Of every batch until an import can be undone."""

Content = TypeVar("Content", bound=Message)
# What a file calls the fields of the contract, where that differs.
_FILE_NAMES: Final = {"giver_ids": "giver", "receiver_ids": "receiver"}


class Decision(NamedTuple):
    """What becomes of a row, as `Counts` names it, and the fact that does it, if one is needed."""

    outcome: Literal["recorded", "corrected", "unchanged", "retracted_earlier", "skipped"]
    event: Event | None = None


class Rows(ABC):
    """What rows of one sort mean. `facts` are those to record, each with its line.

    `fact` is the field of Event that a row becomes and `key` the field of the file that names it;
    `notes` has what the user should know, once each.
    """

    fact: ClassVar[str]
    key: ClassVar[str]

    def __init__(self, plan: Plan, programme: str, batch: str) -> None:
        self.plan = plan
        self.programme = programme
        self.batch = batch
        self.counts = Counts()
        self.errors = ErrorTable()
        self.facts: list[tuple[int, Event]] = []
        self.notes: dict[str, None] = {}
        self._earlier: dict[str, tuple[int, bytes]] = {}

    @abstractmethod
    def read_field(self, said: Event, field: str, text: str) -> None:
        """Adds to `said` what a cell says, which is never empty. Raises CellError."""

    @abstractmethod
    def reference(self, row: Row, said: Event) -> str:
        """What a row goes by in its batch. `said` is normalized."""

    @abstractmethod
    def decide(self, reference: str, said: Event) -> Decision:
        """Compares with what stands; asked once a reference. Raises CellError.

        `said` lacks its id and may be changed.
        """

    def check(self, rows: Iterable[Row], *, now: Instant) -> None:
        """Raises ImportRefused when a constant cannot be read."""
        for row in rows:
            self.counts.rows += 1
            decided = self._decided(row, now)
            if not isinstance(decided, Decision):
                for problem in decided:
                    self.errors.add(row.line, problem)
                continue
            self.counts.add(decided.outcome)
            if decided.event is not None:
                self.facts.append((row.line, decided.event))

    def id_parts(self, rule: str, reference: str) -> tuple[str, ...]:
        """What the derived id of a row's fact is made of."""
        return rule, self.programme, self.batch, str(FIRST_GENERATION), reference

    def _decided(self, row: Row, now: Instant) -> Decision | Sequence[Problem]:
        """What becomes of a row, or everything that is wrong with it."""
        if len(row.cells) != len(self.plan.header):
            counted = f"has {len(row.cells)} cells and the header {len(self.plan.header)}"
            return [Problem("", "", f"{counted}: quote cells that hold the separator")]
        said, texts = Event(), self.plan.texts(row.cells)
        getattr(said, self.fact).SetInParent()  # also when the row says nothing of it
        problems = self._read(said, texts)
        normalize(said)
        if problems:
            unread = {problem.field for problem in problems}
            further = self._judged(said, texts, now)
            return problems + [p for p in further if p.field in self.plan.sources.keys() - unread]
        try:
            decision = self._compared(row, said)
        except CellError as error:
            return [Problem(error.field, texts.get(error.field, ""), str(error))]
        return (decision.event and self._judged(decision.event, texts, now)) or decision

    def _read(self, said: Event, texts: dict[str, str]) -> list[Problem]:
        problems = []
        for field, text in texts.items():
            try:
                self.read_field(said, field, text)
            except CellError as error:
                if field in self.plan.constants:
                    raise ImportRefused(f"--set {field}={text}: {text!r} {error}.") from error
                problems.append(Problem(field, text, str(error), isinstance(error, WordError)))
        return problems

    def _judged(self, event: Event, texts: dict[str, str], now: Instant) -> list[Problem]:
        """What the core finds wrong, by the file's fields."""
        try:
            violations = validate(to_event(event), now=now)
        except Unfit as unfit:
            violations = [unfit.violation]
        problems = []
        for violation in violations:
            field = file_field(violation.field, self.plan.sources)
            is_constant = field in self.plan.constants
            value = texts.get(field, "")
            problems.append(Problem(field, value, violation.description, is_constant))
        return problems

    def _compared(self, row: Row, said: Event) -> Decision:
        reference = self.reference(row, said)
        if not reference:  # else rows would take each other's id
            raise CellError("is empty, and every row needs it", field=self.key)
        serialized = said.SerializeToString(deterministic=True)
        first_line, first = self._earlier.setdefault(reference, (row.line, serialized))
        if first_line != row.line:
            if first == serialized:
                return Decision("skipped")
            message = f"stands on line {first_line:,} too, with other content"
            raise CellError(message, field=self.key)
        said.programme_id = self.programme
        said.source.client = CLIENT
        said.source.batch = self.batch
        said.source.generation = FIRST_GENERATION
        said.source.reference = reference
        return self.decide(reference, said)


def overlaid(standing: Content, said: Content, fields: Iterable[str]) -> Content:
    """What is said of `fields` laid over what stands; repeated values of others add up."""
    merged = type(standing)()
    merged.CopyFrom(standing)
    for field in fields:
        merged.ClearField(field)
    merged.MergeFrom(said)
    return merged


def file_field(path: str, fields: Container[str]) -> str:
    """`exchange_recorded.exchange.giver_ids[0]` is what the file calls giver."""
    names = [_FILE_NAMES.get(name, name) for name in re.sub(r"\[\d+\]", "", path).split(".")]
    return next((name for name in names if name in fields), names[-1])
