"""What rows say about exchanges, and what that changes."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.directory import AmbiguousName, Directory
from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event, ExchangeContent
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Exchange, Revision
from mutua.v1.types_pb2 import OCCUR_PRECISION_EXACT, ExchangeKind, Formality, ReportSide
from services.adapters.wire.values import tidy
from services.imports import cells
from services.imports.cells import CellError
from services.imports.columns import Plan
from services.imports.reading import Row
from services.imports.report import ImportRefused
from services.imports.rows import CLIENT, Decision, Rows, overlaid

_FURTHER_WORDS: Final = {
    "call": ("phone_call", "telephone_call", "video_call"),
    "message": ("e_mail", "email"),
    "visit": ("site_visit",),
}
_NO_REFERENCE: Final = (
    "The file has no reference column: a row is known by what all its cells say, and by how often "
    "that was said before. A row that is edited later counts as a new exchange, and the old one "
    "stays. `--map reference=COLUMN` names a column that identifies each row."
)
# Finding what resembles one name takes about a millisecond.
_STRANGERS_COMPARED: Final = 200
_STRANGERS_SHOWN: Final = 10


class ExchangeRows(Rows):
    """Compares rows with `standing`, the exchanges of their batch, by exchange id.

    Of fields that the file does not have, what stands is kept. What somebody corrected by hand
    since the last import stays until the file itself says something new.
    """

    fact = "exchange_recorded"
    key = "reference"

    def __init__(
        self,
        plan: Plan,
        programme: str,
        batch: str,
        *,
        directory: Directory,
        standing: Mapping[str, Exchange],
        kind_map: Mapping[str, str],
    ) -> None:
        """Raises ImportRefused when `kind_map` (word of the file to kind) names no kind of ours."""
        super().__init__(plan, programme, batch)
        self.strangers: set[str] = set()
        self._directory = directory
        # Rows take theirs out, which leaves the missing ones.
        self._standing = dict(standing)
        self._kinds = _kind_words(kind_map)
        self._formalities = cells.enum_words(Formality.items())
        self._sides = cells.enum_words(ReportSide.items())
        self._parties: dict[str, list[str]] = {}
        self._seen: Counter[str] = Counter()
        if self.key not in plan.sources:
            self.notes[_NO_REFERENCE] = None
        # A file about givers and receivers is not about a symmetric exchange.
        told = {*plan.sources, "giver_ids", "receiver_ids", "party_ids"}
        self._told = told.intersection(ExchangeContent.DESCRIPTOR.fields_by_name)

    def read_field(self, said: Event, field: str, text: str) -> None:  # noqa: C901 - a table
        content = said.exchange_recorded.exchange
        match field:
            case "giver":
                content.giver_ids.extend(self._read_parties(text))
            case "receiver":
                content.receiver_ids.extend(self._read_parties(text))
            case "occur_time":
                occurred = self._noted(cells.read_time(text))
                said.occur_time.CopyFrom(occurred.timestamp)
                said.occur_precision = occurred.precision
            case "report_time":
                said.report_time.CopyFrom(self._noted(cells.read_day(text)).timestamp)
            case "reference":
                said.source.reference = text
            case "kind":
                content.kind = ExchangeKind.ValueType(self._read_kind(text))
            case "formality":
                content.formality = Formality.ValueType(cells.read_word(text, self._formalities))
            case "topics":
                content.topics.extend(cells.read_topics(text))
            case "reported_by":
                content.reported_by = self._read_side(text, content)
            case "note":
                content.note.plain = text
            case _:
                setattr(content, field, cells.read_minutes(text))

    def reference(self, row: Row, said: Event) -> str:
        """Without a reference of its own a row goes by its texts and how often they stood before.

        Texts count under their columns' names, in whatever order the columns stand.
        """
        if self.key in self.plan.sources:
            return said.source.reference
        named = sorted(zip(self.plan.header, map(tidy, row.cells), strict=True))
        text = "\0".join(f"{name}\1{cell}" for name, cell in named if cell)
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        self._seen[digest] += 1
        return f"{digest}-{self._seen[digest]}"

    def decide(self, reference: str, said: Event) -> Decision:
        exchange_id = uuid8(*self.id_parts("exchange", reference))
        exchange = self._standing.pop(exchange_id, None)
        if exchange is None:
            said.event_id = exchange_id
            return Decision("recorded", said)
        if exchange.state == EXCHANGE_STATE_RETRACTED:
            return Decision("retracted_earlier")
        revisions = exchange.revisions
        imported = [
            count
            for count, revision in enumerate(revisions, start=1)
            if (revision.source.client, revision.source.batch) == (CLIENT, self.batch)
        ]
        if any(self._is_same(said, revisions[:n]) for n in {*imported[-1:], len(revisions)}):
            return Decision("unchanged")
        return Decision("corrected", self._correction(exchange, said))

    def missing_count(self) -> int:
        """Exchanges of the batch that stand and that no row named."""
        return sum(each.state != EXCHANGE_STATE_RETRACTED for each in self._standing.values())

    def strangers_note(self) -> str:
        """Names those first that look like somebody known."""
        compared = sorted(self.strangers)[:_STRANGERS_COMPARED]
        near = {name: self._directory.resembling(name) for name in compared}
        told = []
        for name in sorted(near, key=lambda name: not near[name])[:_STRANGERS_SHOWN]:
            alike = " or ".join(map(self._directory.label, near[name]))
            told.append(f"{name} (did you mean {alike}?)" if alike else name)
        more = len(self.strangers) - len(told)
        return (
            "New and not on the roster, so counted as unregistered organizations: "
            f"{', '.join(told)}{f' and {more:,} more' if more else ''}."
        )

    def _correction(self, exchange: Exchange, said: Event) -> Event:
        current = exchange.revisions[-1]
        content = overlaid(current.content, said.exchange_recorded.exchange, self._told)
        event = Event()
        event.CopyFrom(said)
        event.visibility = current.visibility
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

    def _read_parties(self, text: str) -> list[str]:
        if text not in self._parties:
            found = {name: self._find(name) for name in cells.read_list(text)}
            self.strangers.update(name for name in found if found[name] is None)
            self._parties[text] = [found[name] or name for name in found]
        return self._parties[text]

    def _find(self, name: str) -> str | None:
        try:
            return self._directory.find(name)
        except AmbiguousName as error:
            raise CellError(f"{error}; write the id") from error

    def _read_side(self, text: str, content: ExchangeContent) -> ReportSide.ValueType:
        """The side by its word, or by one of the parties' ids or names."""
        if side := self._sides.get(cells.normalized_word(text)):
            return ReportSide.ValueType(side)
        reporter = self._find(text)
        if (reporter or text) in content.giver_ids:
            return ReportSide.REPORT_SIDE_GIVER
        if (reporter or text) in content.receiver_ids:
            return ReportSide.REPORT_SIDE_RECEIVER
        if reporter is None:
            raise CellError("is not giver, receiver or third-party, nor an organization we know")
        return ReportSide.REPORT_SIDE_THIRD_PARTY

    def _read_kind(self, text: str) -> int:
        word = text if " " not in text else f'"{text}"'
        remedy = f"is no kind of ours; say which it means: --kind-map {word}=KIND"
        return cells.read_word(text, self._kinds, remedy)

    def _noted(self, moment: cells.Moment) -> cells.Moment:
        if moment.note:
            self.notes[moment.note] = None
        return moment


def _kind_words(kind_map: Mapping[str, str]) -> dict[str, int]:
    """Normalized words to kinds: the contract's, a few of every day, and the user's own."""
    ours = cells.enum_words(ExchangeKind.items())
    words = ours | {word: ours[kind] for kind in _FURTHER_WORDS for word in _FURTHER_WORDS[kind]}
    for word, kind in kind_map.items():
        try:
            words[cells.normalized_word(word)] = cells.read_word(kind, ours)
        except CellError as error:
            raise ImportRefused(f"--kind-map {word}={kind}: {kind!r} {error}.") from error
    return words


def _report_time(revisions: Sequence[Revision]) -> Timestamp | None:
    """What was last said of when the exchange was reported; a correction may leave it as it was."""
    reported = [revision.report_time for revision in revisions if revision.HasField("report_time")]
    return reported[-1] if reported else None
