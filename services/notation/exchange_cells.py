"""Writes an exchange as the cells of a row, which an import reads back."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.event_pb2 import ExchangeContent
from mutua.v1.query_service_pb2 import Exchange, Revision
from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_DAY,
    ExchangeKind,
    Formality,
    OccurPrecision,
    ReportSide,
)
from services.notation.words import join_list, map_enum_words

PARTY_COLUMN_BY_FIELD: Final = {
    "giver_ids": "giver",
    "receiver_ids": "receiver",
    "party_ids": "parties",
}
"""Field of the contract that has parties -> its column in a file."""
MINUTE_FIELDS: Final[
    tuple[Literal["giver_minutes", "receiver_minutes", "benefit_minutes"], ...]
] = ("giver_minutes", "receiver_minutes", "benefit_minutes")


def _words_by_number(values: Iterable[tuple[str, int]]) -> dict[int, str]:
    return {number: word for word, number in map_enum_words(values).items()}


_KINDS: Final = _words_by_number(ExchangeKind.items())
_FORMALITIES: Final = _words_by_number(Formality.items())
_SIDES: Final = _words_by_number(ReportSide.items())


def current_revision(exchange: Exchange) -> Revision:
    """The last one with content; of a retracted exchange the one that was retracted."""
    return next(
        revision for revision in reversed(exchange.revisions) if revision.HasField("content")
    )


def format_content_cells(content: ExchangeContent) -> dict[str, str]:
    """The cells by field, "" for an absent value. An import reads the same content from them."""
    cells = {
        file_field: join_list(getattr(content, field))
        for field, file_field in PARTY_COLUMN_BY_FIELD.items()
    }
    cells["kind"] = _KINDS.get(content.kind, "")
    cells["formality"] = _FORMALITIES.get(content.formality, "")
    cells["topics"] = join_list(content.topics)
    for field in MINUTE_FIELDS:
        cells[field] = str(getattr(content, field)) if content.HasField(field) else ""
    cells["reported_by"] = _SIDES.get(content.reported_by, "")
    cells["note"] = content.note.plain
    return cells


def format_time_cell(at: Timestamp, precision: OccurPrecision.ValueType) -> str:
    """2026-03-14T09:30:00Z for an instant; 2026-03-14, 2026-03 or 2026-Q1 for a longer period."""
    moment = datetime.fromtimestamp(at.seconds, UTC)
    match precision:
        case OccurPrecision.OCCUR_PRECISION_DAY:
            return f"{moment:%Y-%m-%d}"
        case OccurPrecision.OCCUR_PRECISION_MONTH:
            return f"{moment:%Y-%m}"
        case OccurPrecision.OCCUR_PRECISION_QUARTER:
            return f"{moment:%Y}-Q{(moment.month + 2) // 3}"
        case _:
            return at.ToJsonString()


def format_day_cell(at: Timestamp) -> str:
    """The day if the time is the first instant of one, else the instant."""
    is_day = not at.nanos and at.seconds % 86_400 == 0
    return format_time_cell(at, OCCUR_PRECISION_DAY) if is_day else at.ToJsonString()
