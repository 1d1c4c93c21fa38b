"""What the rows of a file say about exchanges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mutua.v1.event_pb2 import Event, ExchangeContent
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_CONSULTANCY,
    EXCHANGE_KIND_SECONDMENT,
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_EXACT,
    REPORT_SIDE_GIVER,
    REPORT_SIDE_RECEIVER,
    REPORT_SIDE_THIRD_PARTY,
    ExchangeKind,
    Formality,
    ReportSide,
)
from services.imports import cells
from services.imports.cells import CellError, Resolver
from services.imports.columns import Plan
from services.imports.report import ImportRefused, Problem

_FURTHER_KINDS: Final = {
    "phone_call": "call",
    "telephone_call": "call",
    "video_call": "call",
    "e_mail": "message",
    "email": "message",
    "site_visit": "visit",
}
_MAX_MINUTES: Final = 20_160
_MAX_STAFF_MINUTES: Final = 525_600
_MAX_BENEFIT_MINUTES: Final = 5_256_000
_EARLIEST_YEAR: Final = 1900


@dataclass(slots=True)
class Draft:
    """What one row says."""

    event: Event
    reference: str = ""
    occurred: cells.Moment | None = None
    reported: cells.Moment | None = None
    reporter: str = ""

    @property
    def content(self) -> ExchangeContent:
        return self.event.exchange_recorded.exchange


class ExchangeReader:
    """Reads rows into events without an id. Notes collects what the user should know, once each."""

    def __init__(self, resolver: Resolver, kind_map: Mapping[str, str], now: datetime) -> None:
        """Raises ImportRefused when `kind_map` (word of the file to kind) names no kind of ours."""
        self._resolver = resolver
        self._now = now
        self._kinds = kind_words(kind_map)
        self._formalities = cells.enum_words(Formality.items())
        self._sides = cells.enum_words(ReportSide.items())
        self._parties: dict[str, list[str]] = {}
        self.notes: dict[str, None] = {}

    def read(self, plan: Plan, texts: Sequence[str]) -> tuple[Draft, list[Problem]]:
        """What a row says, and what is wrong with it."""
        draft = Draft(Event())
        problems = plan.read(texts, draft, self.read_field)
        return draft, problems or list(self._joint_problems(draft))

    def read_field(self, draft: Draft, field: str, text: str) -> None:  # noqa: C901 - a table
        """Raises CellError."""
        content = draft.content
        match field:
            case "giver":
                content.giver_ids.extend(self._read_parties(text))
            case "receiver":
                content.receiver_ids.extend(self._read_parties(text))
            case "occur_time":
                draft.occurred = self._read_time(text)
            case "report_time":
                draft.reported = self._read_time(text)
            case "reference":
                draft.reference = cells.read_label(text)
            case "kind":
                content.kind = ExchangeKind.ValueType(self._read_kind(text))
            case "formality":
                content.formality = Formality.ValueType(cells.read_word(text, self._formalities))
            case "topics":
                content.topics.extend(cells.read_topics(text))
            case "reported_by":
                draft.reporter = text
            case "note":
                content.note.plain = cells.read_note(text)
            case _:
                setattr(content, field, cells.read_minutes(text))

    def _read_parties(self, text: str) -> list[str]:
        found = self._parties.get(text)
        if found is None:
            found = sorted({self._resolver.resolve(part) for part in cells.read_list(text)})
            if not found:
                raise CellError("names no organization")
            self._parties[text] = found
        return found

    def _read_time(self, text: str) -> cells.Moment:
        moment = cells.read_time(text)
        if moment.note:
            self.notes[moment.note] = None
        return moment

    def _read_kind(self, text: str) -> int:
        word = text if " " not in text else f'"{text}"'
        return cells.read_word(
            text, self._kinds, f"is no kind of ours; say which it means: --kind-map {word}=KIND"
        )

    def _joint_problems(self, draft: Draft) -> Iterable[Problem]:
        """What is wrong with fields that are each right, and the times, which it also sets."""
        content, event = draft.content, draft.event
        if both := set(content.giver_ids) & set(content.receiver_ids):
            yield Problem("receiver", min(both), CellError("is also a giver of this exchange"))
        yield from _minutes_problems(content)
        if draft.reporter:
            try:
                content.reported_by = self._side(draft.reporter, content)
            except CellError as error:
                yield Problem("reported_by", draft.reporter, error)
        if (occurred := draft.occurred) is None:
            return
        event.occur_time.CopyFrom(occurred.timestamp)
        event.occur_precision = occurred.precision
        if occurred.at > self._now + timedelta(days=1):
            yield Problem(
                "occur_time", f"{occurred.at:%Y-%m-%d}", CellError("is ahead; check the date")
            )
        elif occurred.at.year < _EARLIEST_YEAR:
            yield Problem("occur_time", f"{occurred.at:%Y-%m-%d}", CellError("is before 1900"))
        if draft.reported is not None:
            try:
                event.report_time.CopyFrom(self._report_time(draft.reported, occurred).timestamp)
            except CellError as error:
                yield Problem("report_time", draft.reported.at.isoformat(), error)

    def _side(self, text: str, content: ExchangeContent) -> ReportSide.ValueType:
        """The side by its word, or by one of the parties' ids or names."""
        side = self._sides.get(cells.normalized_word(text))
        if side is not None:
            return ReportSide.ValueType(side)
        reporter = self._resolver.resolve(text)
        if reporter in content.giver_ids:
            return REPORT_SIDE_GIVER
        if reporter in content.receiver_ids:
            return REPORT_SIDE_RECEIVER
        if self._resolver.knows(reporter):
            return REPORT_SIDE_THIRD_PARTY
        raise CellError("is not giver, receiver or third-party, nor an organization we know")

    def _report_time(self, reported: cells.Moment, occurred: cells.Moment) -> cells.Moment:
        if reported.at > self._now:
            raise CellError("is in the future; it says when the exchange was first reported")
        if reported.precision not in (OCCUR_PRECISION_EXACT, OCCUR_PRECISION_DAY):
            raise CellError("names no day; write 2024-05-31T14:30:00Z or 2024-05-31")
        start = occurred.at
        if occurred.precision == OCCUR_PRECISION_EXACT:
            # The contract's period of an instant is its day.
            start = start.replace(hour=0, minute=0, second=0, microsecond=0)
        if reported.at < start:
            raise CellError("is before the exchange occurred; are the columns the right ones?")
        return reported


def kind_words(kind_map: Mapping[str, str]) -> dict[str, int]:
    """Normalized words to kinds: the contract's, a few of every day, and the user's own."""
    ours = cells.enum_words(ExchangeKind.items())
    words = ours | {word: ours[kind] for word, kind in _FURTHER_KINDS.items()}
    for word, kind in kind_map.items():
        try:
            words[cells.normalized_word(word)] = cells.read_word(kind, ours)
        except CellError as error:
            raise ImportRefused(f"--kind-map {word}={kind}: {kind!r} {error}.") from error
    return words


def _minutes_problems(content: ExchangeContent) -> Iterable[Problem]:
    staff = content.kind in (EXCHANGE_KIND_SECONDMENT, EXCHANGE_KIND_CONSULTANCY)
    each = _MAX_STAFF_MINUTES if staff else _MAX_MINUTES
    for field, limit in (
        ("giver_minutes", each * len(content.giver_ids)),
        ("receiver_minutes", each),
        ("benefit_minutes", _MAX_BENEFIT_MINUTES),
    ):
        minutes: int = getattr(content, field)
        if minutes > limit:
            yield Problem(field, str(minutes), CellError(f"is above {limit:,}, the most there is"))
