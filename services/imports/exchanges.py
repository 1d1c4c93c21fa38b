"""What rows say about exchanges, and what that changes."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event, ExchangeContent
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Exchange, Revision
from mutua.v1.types_pb2 import OCCUR_PRECISION_EXACT, Source
from services.adapters.wire.event import normalize, to_event
from services.adapters.wire.values import Unfit, tidy
from services.imports.batches import Standing
from services.imports.cells import CellError, DateReader
from services.imports.columns import Plan
from services.imports.contents import ContentReader
from services.imports.parties import PARTY_FIELDS
from services.imports.rows import CLIENT, Decision, Heard, Rows, Told, overlaid
from services.imports.skipping import MEND_COLUMN
from services.imports.table import Row
from services.ledger import facts
from services.ledger.kinds import validate
from services.ledger.times import Instant
from services.ledger.validation import Violations, check_envelope, check_text
from services.ledger.words import Precision

_NO_REFERENCE: Final = (
    "The file has no reference column: a row is known by what all its cells say, and by how often "
    "that was said before. A row that is edited later counts as a new exchange, and the old one "
    "stays. `--map reference=COLUMN` names a column that identifies each row."
)
# What differs from row to row even when the same is said.
_OF_THE_ROW: Final = ("reference", "occur_time", "report_time", "note")
_CONTENTS_KEPT: Final = 20_000
_ANY_ID: Final = uuid8("content")
_PRECISIONS: Final = {int(precision): precision for precision in Precision}


class _Content(NamedTuple):
    """What some cells say, once they are known to be sound: on the wire, and to the core."""

    serialized: bytes
    fact: facts.Fact


class ExchangeRows(Rows):
    """Compares rows with the exchanges that stand in their batch, by exchange id.

    Of fields that the file does not have, what stands is kept. What somebody corrected by hand
    since the last import stays until the file itself says something new.
    """

    fact = "exchange_recorded"
    key = "reference"
    rule = "exchange"

    def __init__(
        self,
        plan: Plan,
        programme: str,
        standing: Standing,
        contents: ContentReader,
        dates: DateReader,
    ) -> None:
        super().__init__(plan, programme, standing.batch, standing.generation)
        self._standing = standing
        self._found: dict[str, Exchange] = {}
        self._contents = contents
        self._dates = dates
        self._seen: Counter[str] = Counter()
        if self.key not in plan.sources:
            self.notes[_NO_REFERENCE] = None
        # A file about givers and receivers is not about a symmetric exchange.
        told = {*plan.sources, "giver_ids", "receiver_ids", "party_ids"}
        self._told = told.intersection(ExchangeContent.DESCRIPTOR.fields_by_name)
        # Many rows say the same of different times: what they say is read and judged once.
        self._sound: dict[object, _Content | None] = {}
        self._columns = _content_columns(plan)
        self._parties = [field for field in PARTY_FIELDS if field in plan.sources]

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

    def reference(self, row: Row, said: Event) -> str:
        return said.source.reference if self.key in self.plan.sources else self._digest(row)

    def hear(self, row: Row, now: Instant) -> Heard:
        heard = self._hear(row, now)
        if len(self._contents.new_names) and len(row.cells) == len(self.plan.header):
            self._contents.new_names.count_row([self._text(row, field) for field in self._parties])
        return heard

    def _hear(self, row: Row, now: Instant) -> Heard:
        """Takes the short way when it is sound, and the long one to tell all that is wrong."""
        if not self.flaws(row) and len(row.cells) == len(self.plan.header):
            try:
                heard = self._hear_sound(row, now)
            except CellError:
                heard = None
            if heard is not None:
                return heard
        return super().hear(row, now)

    def look_up(self, fact_ids: Sequence[str]) -> None:
        self._found = self._standing.find(fact_ids)

    def decide(self, told: Told) -> Decision:
        exchange = self._found.get(told.fact_id)
        if exchange is None:
            return Decision("recorded")
        if exchange.state == EXCHANGE_STATE_RETRACTED:
            return Decision("retracted_earlier")
        said, revisions = told.event(), exchange.revisions
        imported = [
            count
            for count, revision in enumerate(revisions, start=1)
            if (revision.source.client, revision.source.batch) == (CLIENT, self.batch)
        ]
        if any(self._is_same(said, revisions[:n]) for n in {*imported[-1:], len(revisions)}):
            return Decision("unchanged")
        return Decision("corrected", self._correction(exchange, said))

    def _hear_sound(self, row: Row, now: Instant) -> Heard | None:
        """What `hear` says of a row with nothing wrong; None, or CellError, when something may be.

        The same reading and the same rules of the core, without making the same message again.
        """
        content = self._content(row)
        occurred_text = self._text(row, "occur_time")
        if content is None or not occurred_text:
            return None
        occurred = self._dates.read_time(occurred_text)
        reported_text = self._text(row, "report_time")
        reported = self._dates.read_day(reported_text) if reported_text else None
        reference = self._text(row, self.key) if self.key in self.plan.sources else ""
        if not reference:
            if self.key in self.plan.sources:
                return None
            reference = self._digest(row)
        fact_id = self.derived_id(reference)
        found: Violations = []
        check_envelope(
            facts.Event(
                event_id=fact_id,
                programme_id=self.programme,
                fact=content.fact,
                occur_time=occurred.instant,
                occur_precision=_PRECISIONS[occurred.precision],
                report_time=reported.instant if reported else None,
                source=facts.Source(
                    client=CLIENT,
                    batch=self.batch,
                    generation=self.generation,
                    reference=reference,
                ),
            ),
            now=now,
            found=found,
        )
        note = self._text(row, "note")
        check_text(facts.Text(plain=note), "note", found)
        if found:
            return None
        own = Event(
            event_id=fact_id,
            occur_time=occurred.timestamp,
            occur_precision=occurred.precision,
            report_time=reported.timestamp if reported else None,
            source=Source(reference=reference),
        )
        if note:
            own.exchange_recorded.exchange.note.plain = note
        # Serialized messages one after the other are the message that has the fields of both.
        told = Told(fact_id, content.serialized + own.SerializeToString())
        return self.first_told(row, reference, told)

    def _content(self, row: Row) -> _Content | None:
        """What the columns say that many rows have in common; None when it may not be sound.

        A file in which they have nothing in common gains nothing, so that it is no longer tried.
        """
        said = self._columns(row.cells)
        if said not in self._sound:
            if len(self._sound) == _CONTENTS_KEPT:
                return None
            self._sound[said] = self._read_content(row)
        return self._sound[said]

    def _read_content(self, row: Row) -> _Content | None:
        said = Event(event_id=_ANY_ID, programme_id=self.programme, occur_time=Timestamp())
        said.exchange_recorded.SetInParent()
        try:
            for field, text in self.plan.texts(row.cells).items():
                if field not in _OF_THE_ROW:
                    self.read_field(said, field, text)
            normalize(said)
            event = to_event(said)
        except (CellError, Unfit):
            return None
        # Now is when the exchange occurred: only what it says itself can be wrong.
        if validate(event, now=event.occur_time or 0):
            return None
        kept = Event(programme_id=self.programme)
        kept.exchange_recorded.CopyFrom(said.exchange_recorded)
        kept.source.client = CLIENT
        kept.source.batch = self.batch
        kept.source.generation = self.generation
        return _Content(kept.SerializeToString(), event.fact)

    def _text(self, row: Row, field: str) -> str:
        source = self.plan.sources.get(field, "")
        return source if isinstance(source, str) else tidy(row.cells[source])

    def _digest(self, row: Row) -> str:
        """Without a reference of its own a row goes by its texts and how often they stood before.

        Texts count under their columns' names, in whatever order the columns stand.
        """
        named = sorted(zip(self.plan.header, map(tidy, row.cells), strict=True))
        text = "\0".join(f"{name}\1{cell}" for name, cell in named if cell and name != MEND_COLUMN)
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        self._seen[digest] += 1
        return f"{digest}-{self._seen[digest]}"

    def _correction(self, exchange: Exchange, said: Event) -> Event:
        current = exchange.revisions[-1]
        content = overlaid(current.content, said.exchange_recorded.exchange, self._told)
        event = Event()
        event.CopyFrom(said)
        event.visibility = current.visibility
        event.event_id = ""
        event.exchange_corrected.exchange_id = exchange.exchange_id
        event.exchange_corrected.exchange.CopyFrom(content)
        event.exchange_corrected.replaces_event_id = current.event_id
        if said.report_time == _report_time(exchange.revisions):
            event.ClearField("report_time")
        digest = hashlib.sha256(event.SerializeToString(deterministic=True)).hexdigest()
        event.event_id = uuid8("correction", exchange.exchange_id, current.event_id, digest)
        return event

    def _is_same(self, said: Event, revisions: Sequence[Revision]) -> bool:
        """Whether a row says nothing that the last of the revisions does not say."""
        last, content = revisions[-1], said.exchange_recorded.exchange
        return (
            said.occur_time == last.occur_time
            and said.occur_precision == (last.occur_precision or OCCUR_PRECISION_EXACT)
            and (not said.HasField("report_time") or said.report_time == _report_time(revisions))
            and (
                last.content == content
                or last.content == overlaid(last.content, content, self._told)
            )
        )


def _content_columns(plan: Plan) -> Callable[[Sequence[str]], object]:
    """Picks from the cells of a row those that say what the exchange was."""
    columns = [
        source
        for field, source in plan.sources.items()
        if isinstance(source, int) and field not in _OF_THE_ROW
    ]
    return itemgetter(*columns) if columns else lambda _: ()


def _report_time(revisions: Sequence[Revision]) -> Timestamp | None:
    """What was last said of when the exchange was reported; a correction may leave it as it was."""
    reported = [revision.report_time for revision in revisions if revision.HasField("report_time")]
    return reported[-1] if reported else None
