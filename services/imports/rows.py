"""Every row of a file: read, judged by the rules of the core, and compared with what stands."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Sequence
from typing import ClassVar, Final, Literal, NamedTuple, TypeVar

from google.protobuf.message import Message

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event
from services.adapters.wire.event import normalize, to_event
from services.adapters.wire.values import Unfit
from services.imports.batches import Standing, blocks
from services.imports.cells import CellError
from services.imports.columns import Plan
from services.imports.identity import RowIdentity
from services.imports.report import Counts, ErrorTable, ImportRefused, Problem
from services.imports.spool import Spool
from services.imports.table import Row
from services.ledger.kinds import validate
from services.ledger.times import Instant
from services.ledger.wording import counted
from services.notation.exchange_cells import PARTIES

CLIENT: Final = "mutua-import"
ANY_ID: Final = uuid8("content")
"""What a row is judged under before it is known which one it is."""
# What stands is asked for once a block.
_BLOCK_ROWS: Final = 1_000

Content = TypeVar("Content", bound=Message)
SetAside = Callable[[Row, Sequence[Problem]], None]
"""Told of each row that cannot be taken, and why."""


class Told(NamedTuple):
    """What a sound row says: the fact it becomes, serialized, if nothing stands under its id."""

    fact_id: str
    fact: bytes
    identity: RowIdentity

    def event(self) -> Event:
        return Event.FromString(self.fact)


class Decision(NamedTuple):
    """What becomes of a row, as `Counts` names it, and the fact that does it, if one is needed.

    A row that is recorded without an event of its own becomes the fact that it told.
    """

    outcome: Literal["recorded", "corrected", "agreed", "unchanged", "retracted_earlier", "skipped"]
    event: Event | None = None


Heard = Told | Decision | Sequence[Problem]


class Rows(ABC):
    """What rows of one sort mean. `facts` are those to record, each with its line.

    `fact` is the field of Event that a row becomes and `key` the field of the file that names it;
    `notes` has what the user should know, once each.
    """

    fact: ClassVar[str]
    key: ClassVar[str]

    def __init__(self, plan: Plan, programme: str, standing: Standing) -> None:
        self.plan = plan
        self.programme = programme
        self.standing = standing
        self.batch = standing.batch
        self.generation = standing.generation
        self.counts = Counts()
        self.errors = ErrorTable()
        self.facts = Spool()
        self.notes: dict[str, None] = {}
        # By reference, the line of a row and a fingerprint of what it says.
        self._earlier: dict[str, tuple[int, int]] = {}

    @abstractmethod
    def read_field(self, said: Event, field: str, text: str) -> None:
        """Adds to `said` what a cell says, which is never empty. Raises CellError."""

    @abstractmethod
    def reference(self, said: Event) -> str | None:
        """What the row itself names as its reference; None when the file has no references."""

    def identify(self, row: Row, said: Event) -> RowIdentity:  # noqa: ARG002 - rows need it
        """What a row goes by in its batch. `said` is normalized."""
        reference = self.reference(said)
        assert reference is not None, "rows without a reference have an identity of their own"
        return RowIdentity(reference, reference)

    @abstractmethod
    def decide(self, row: Row, told: Told) -> Decision | Sequence[Problem]:
        """Compares with what stands; asked once an identity. Raises CellError."""

    def normalize(self, said: Event) -> None:
        normalize(said)

    def look_up(self, rows: Sequence[RowIdentity]) -> None:  # noqa: B027 - not all rows need it
        """Finds what stands of these rows, about which `decide` is asked next."""

    def hear(self, row: Row, now: Instant) -> Heard:
        """What a row says, or everything that is wrong with it."""
        if flaws := self.flaws(row):
            return flaws
        if len(row.cells) != len(self.plan.header):
            cells = f"has {counted(len(row.cells), 'cell')} and the header {len(self.plan.header)}"
            message = f"{cells}: quote cells that hold the separator"
            return [Problem("", "", message, is_same_everywhere=True)]
        said, texts = Event(), self.plan.texts(row.cells)
        getattr(said, self.fact).SetInParent()  # also when the row says nothing of it
        problems = self._read(said, texts)
        self.normalize(said)
        if problems:
            unread = {problem.field for problem in problems}
            further = self._judged(said, texts, now)
            return problems + [p for p in further if p.field in self.plan.sources.keys() - unread]
        if self.reference(said) == "":  # else rows would take each other's id
            return [Problem(self.key, "", "is empty, and every row needs it")]
        said.event_id = ANY_ID
        said.programme_id = self.programme
        said.source.client = CLIENT
        said.source.batch = self.batch
        said.source.generation = self.generation
        if problems := self._judged(said, texts, now):
            return problems
        identity = self.identify(row, said)
        said.event_id = self.standing.derived_id(identity.key)
        said.source.reference = identity.reference
        told = Told(said.event_id, said.SerializeToString(), identity)
        return self.first_told(row, told)

    def flaws(self, row: Row) -> list[Problem]:
        """What keeps cells of columns that are used from being read."""
        if not row.flaws:
            return []
        return [
            Problem(field, row.cells[source], row.flaws[source], is_same_everywhere=True)
            for field, source in self.plan.sources.items()
            if isinstance(source, int) and source in row.flaws
        ]

    def first_told(self, row: Row, told: Told) -> Heard:
        """The same, unless an earlier row has this reference."""
        said, reference = hash(told.fact), told.identity.key
        first_line, first_said = self._earlier.setdefault(reference, (row.line, said))
        if first_line == row.line:
            return told
        if first_said == said:
            return Decision("skipped")
        message = f"stands on line {first_line:,} too, with other content"
        return [Problem(self.key, reference, message)]

    def check(self, rows: Iterable[Row], *, now: Instant, set_aside: SetAside) -> None:
        """Raises ImportRefused when a constant cannot be read."""
        for block in blocks(rows, _BLOCK_ROWS):
            heard = [(row, self.hear(row, now)) for row in block]
            self.look_up([told.identity for _, told in heard if isinstance(told, Told)])
            for row, each in heard:
                self.counts.rows += 1
                if problems := self._settle(row, each, now):
                    self.counts.wrong += 1
                    set_aside(row, problems)
                    for problem in problems:
                        self.errors.add(row.line, problem)

    def _settle(self, row: Row, heard: Heard, now: Instant) -> Sequence[Problem]:
        """Counts a row and keeps its fact; returns what is wrong with it instead."""
        fact = b""
        if isinstance(heard, Told):
            fact = heard.fact
            try:
                heard = self.decide(row, heard)
            except CellError as error:
                texts = self.plan.texts(row.cells)
                return [Problem(error.field, texts.get(error.field, ""), str(error))]
            if isinstance(heard, Decision) and heard.event is not None:
                if problems := self._judged(heard.event, self.plan.texts(row.cells), now):
                    return problems
                fact = heard.event.SerializeToString()
        if not isinstance(heard, Decision):
            return heard
        self.counts.add(heard.outcome)
        if heard.outcome in ("recorded", "corrected", "agreed"):
            self.facts.add(row.line, fact)
        return ()

    def _read(self, said: Event, texts: dict[str, str]) -> list[Problem]:
        problems = []
        for field, text in texts.items():
            try:
                self.read_field(said, field, text)
            except CellError as error:
                if field in self.plan.constants:
                    raise ImportRefused(f"--set {field}={text}: {text!r} {error}.") from error
                # What mends this text mends it wherever it stands.
                problems.append(Problem(field, text, str(error), is_same_everywhere=True))
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


def overlaid(standing: Content, said: Content, fields: Iterable[str]) -> Content:
    """What is said of `fields` laid over what stands; repeated values of others add up."""
    merged = without(standing, fields)
    merged.MergeFrom(said)
    return merged


def without(content: Content, fields: Iterable[str]) -> Content:
    """A copy in which nothing is said of `fields`."""
    copy = type(content)()
    copy.CopyFrom(content)
    for field in fields:
        copy.ClearField(field)
    return copy


def file_field(path: str, fields: Container[str]) -> str:
    """`exchange_recorded.exchange.giver_ids[0]` is what the file calls giver."""
    names = [PARTIES.get(name, name) for name in re.sub(r"\[\d+\]", "", path).split(".")]
    return next((name for name in names if name in fields), names[-1])
