"""Exchanges as rows that `mutua import exchanges` reads as they are: plain cells of text.

The columns are named as the fields of an import, and `exchange_id` is read as the reference. What
has no field there is in the JSON alone.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from mutua.enum_words import read_enum_word
from mutua.organization_directory import OrganizationDirectory
from mutua.spelling import name_key
from mutua.v1.event_pb2 import ExchangeContent
from mutua.v1.query_service_pb2 import Exchange, ExchangeState, Revision
from mutua.v1.types_pb2 import (
    REPORT_SIDE_GIVER,
    REPORT_SIDE_RECEIVER,
    REPORT_SIDE_UNSPECIFIED,
    ReportSide,
)
from services.notation.exchange_cells import (
    PARTY_COLUMN_BY_FIELD,
    current_revision,
    format_content_cells,
    format_day_cell,
    format_time_cell,
)
from services.notation.words import join_list

COLUMNS: Final = (
    "exchange_id",
    "occur_time",
    "report_time",
    "giver",
    "receiver",
    "parties",
    "kind",
    "formality",
    "topics",
    "giver_minutes",
    "receiver_minutes",
    "benefit_minutes",
    "reported_by",
    "note",
    "state",
    "record_time",
    "recorded_by",
    "giver_name",
    "receiver_name",
    "parties_name",
)
_STATE_WORD: Final = read_enum_word(ExchangeState.DESCRIPTOR)


def list_exchange_rows(
    exchanges: Sequence[Exchange], directory: OrganizationDirectory
) -> list[dict[str, str]]:
    """One row for each exchange: its current revision, or the retracted one; "" is absent."""
    alike = _ids_alike(exchanges)
    return [_row(each, directory, alike) for each in exchanges]


def _row(
    exchange: Exchange, directory: OrganizationDirectory, alike: frozenset[str]
) -> dict[str, str]:
    revision = current_revision(exchange)
    content = ExchangeContent()
    content.CopyFrom(revision.content)
    content.reported_by = content.reported_by or _side_of_recorder(revision)
    cells = format_content_cells(content)
    for field, column in PARTY_COLUMN_BY_FIELD.items():
        ids = getattr(content, field)
        cells[column] = join_list(ids, quoted=alike)
        # For people: an import reads the ids, so names need no quotes.
        cells[f"{column}_name"] = "; ".join(filter(None, map(directory.name, ids)))
    report_times = [each.report_time for each in exchange.revisions if each.HasField("report_time")]
    return cells | {
        "exchange_id": exchange.exchange_id,
        "occur_time": format_time_cell(revision.occur_time, revision.occur_precision),
        "report_time": format_day_cell(report_times[-1]) if report_times else "",
        "state": _STATE_WORD(exchange.state) or "",
        "record_time": revision.record_time.ToJsonString(),
        "recorded_by": revision.recorded_by,
    }


def _side_of_recorder(revision: Revision) -> ReportSide.ValueType:
    """The reporting side, by the recorder if need be, because an import records for others."""
    if revision.recorded_by in revision.content.giver_ids:
        return REPORT_SIDE_GIVER
    is_receiver = revision.recorded_by in revision.content.receiver_ids
    return REPORT_SIDE_RECEIVER if is_receiver else REPORT_SIDE_UNSPECIFIED


def _ids_alike(exchanges: Iterable[Exchange]) -> frozenset[str]:
    """Ids that an import would take for one name: in quotes they count as they are written."""
    ids = {
        each
        for exchange in exchanges
        for field in PARTY_COLUMN_BY_FIELD
        for each in getattr(current_revision(exchange).content, field)
    }
    counts = Counter(map(name_key, ids))
    return frozenset(each for each in ids if counts[name_key(each)] > 1)
