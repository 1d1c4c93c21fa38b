"""The columns that people see of each answer."""

from collections.abc import Iterable
from typing import Final

from mutua.v1.query_service_pb2 import (
    EXCHANGE_STATE_RETRACTED,
    LENS_COUNT,
    LENS_UNSPECIFIED,
    Balance,
    Edge,
    Lens,
    Node,
    Organization,
    Pair,
    Question,
)
from mutua.v1.types_pb2 import OCCUR_PRECISION_EXACT, Date, OrganizationType, ReportSide
from services.cli.dates import format_occurrence, is_partly_outside
from services.cli.exchange_summary import STATES, RevisionLine
from services.cli.messages import (
    describe_absence,
    describe_balance,
    describe_pair,
    format_amount,
    format_unless_zero,
)
from services.cli.organization_names import CommandLineDirectory
from services.cli.output import Column, to_iso
from services.cli.parameters import words_by_number

RETRACTED: Final = STATES[EXCHANGE_STATE_RETRACTED]


def balance_columns(
    question: Question, directory: CommandLineDirectory, warnings: Iterable[str]
) -> list[Column[Balance]]:
    unit = unit_of(question.lens)
    digits = 1 if question.HasField("half_life_days") else 0
    return [
        Column("id", lambda row: row.organization_id),
        Column("name", lambda row: directory.name(row.organization_id)),
        Column(
            f"gave{unit}",
            lambda row: format_amount(row.given, digits) if row.HasField("given") else "",
            True,
        ),
        Column(
            f"received{unit}",
            lambda row: format_amount(row.received, digits) if row.HasField("received") else "",
            True,
        ),
        Column(
            "share", lambda row: f"{row.net_share:+.2f}" if row.HasField("net_share") else "", True
        ),
        Column("exchanges", lambda row: format_amount(row.exchange_count), True),
        Column("joint", lambda row: format_unless_zero(row.joint_count), True),
        Column(
            "gave, minutes unknown", lambda row: format_unless_zero(row.given_unknown_count), True
        ),
        Column(
            "received, minutes unknown",
            lambda row: format_unless_zero(row.received_unknown_count),
            True,
        ),
        Column("in words", lambda row: describe_balance(row, warnings)),
    ]


def pair_columns(lens: Lens.ValueType, directory: CommandLineDirectory) -> list[Column[Pair]]:
    columns: list[Column[Pair]] = [
        Column("A", lambda row: directory.label(row.giver_id)),
        Column("B", lambda row: directory.label(row.receiver_id)),
        Column(f"A to B{unit_of(lens)}", lambda row: format_amount(row.given), True),
        Column(f"B to A{unit_of(lens)}", lambda row: format_amount(row.received), True),
    ]
    if is_minutes(lens):  # under count the amounts are the counts
        columns += [
            Column("A to B exchanges", lambda row: format_amount(row.given_count), True),
            Column("B to A exchanges", lambda row: format_amount(row.received_count), True),
        ]
    return [
        *columns,
        Column("A to B days", lambda row: format_amount(row.given_days), True),
        Column("B to A days", lambda row: format_amount(row.received_days), True),
        Column("undated", lambda row: format_unless_zero(row.undated_count), True),
        Column(
            "A to B, minutes unknown", lambda row: format_unless_zero(row.given_unknown_count), True
        ),
        Column(
            "B to A, minutes unknown",
            lambda row: format_unless_zero(row.received_unknown_count),
            True,
        ),
        Column("", describe_pair),
    ]


def exchange_columns(
    directory: CommandLineDirectory, question: Question, *, revisions: bool, reporters: bool = False
) -> list[Column[RevisionLine]]:
    sides = words_by_number(ReportSide.items())

    def reporter(row: RevisionLine) -> str:
        """The side that is named, else who recorded it."""
        revision = row.revision
        side = sides.get(revision.content.reported_by, "")
        return side or directory.label(revision.recorded_by)

    def detail(word: str) -> Column[RevisionLine]:
        return Column(word, lambda row: row.details.get(word, ""), word.endswith("minutes"))

    def window(row: RevisionLine) -> str:
        """That an exchange is counted though its period is not all in the window."""
        revision = row.revision
        is_partly = is_partly_outside(question, revision.occur_time, revision.occur_precision)
        return "partly outside, counted here" if is_partly and row.state != RETRACTED else ""

    who_said_it: list[Column[RevisionLine]] = [
        Column(
            "recorded",
            lambda row: format_occurrence(row.revision.record_time, OCCUR_PRECISION_EXACT),
        ),
        Column("by", lambda row: directory.label(row.revision.recorded_by)),
        detail("note"),
    ]
    return [
        Column("exchange", lambda row: row.exchange_id),
        *map(detail, ("on", "kind", "from", "to", "with")),
        *map(detail, ("minutes", "receiver minutes", "benefit minutes", "topics", "formality")),
        *([Column("reported by", reporter)] if reporters else ()),
        Column("state", lambda row: row.state),
        Column("window", window),
        *(who_said_it if revisions else ()),
    ]


def edge_columns(lens: Lens.ValueType, directory: CommandLineDirectory) -> list[Column[Edge]]:
    columns: list[Column[Edge]] = [
        Column("from", lambda row: directory.label(row.giver_id)),
        Column("to", lambda row: directory.label(row.receiver_id)),
    ]
    if is_minutes(lens):  # under count the weights are the exchanges
        columns.append(Column("minutes", lambda row: format_amount(row.weight), True))
    return [
        *columns,
        Column("exchanges", lambda row: format_amount(row.exchange_count), True),
        Column("minutes unknown", lambda row: format_unless_zero(row.unknown_count), True),
    ]


def node_columns(lens: Lens.ValueType, directory: CommandLineDirectory) -> list[Column[Node]]:
    unit = unit_of(lens)
    return [
        Column("id", lambda row: row.organization_id),
        Column("name", lambda row: directory.name(row.organization_id)),
        Column(
            f"gave{unit}",
            lambda row: format_amount(row.given) if row.HasField("given") else "",
            True,
        ),
        Column(
            f"received{unit}",
            lambda row: format_amount(row.received) if row.HasField("received") else "",
            True,
        ),
        Column("exchanges", lambda row: format_amount(row.exchange_count), True),
        Column("", lambda row: "" if row.exchange_count else describe_absence(row.reasons)),
    ]


def organization_columns() -> list[Column[Organization]]:
    types = words_by_number(OrganizationType.items())
    return [
        Column("id", lambda row: row.organization_id),
        Column("name", lambda row: row.name),
        Column("also", lambda row: ", ".join(row.aliases)),
        Column("type", lambda row: types.get(row.type, "")),
        Column("sector", lambda row: row.sector),
        Column("region", lambda row: row.region),
        Column("core system", lambda row: row.core_system),
        Column("role", lambda row: row.role),
        Column("on the roster", lambda row: "yes" if row.registered else "no"),
        Column("open from", lambda row: _day(row.open_date)),
        Column("closed from", lambda row: _day(row.close_date)),
        Column("first exchange", lambda row: _day(row.first_exchange_date)),
        Column("last exchange", lambda row: _day(row.last_exchange_date)),
    ]


def is_minutes(lens: Lens.ValueType) -> bool:
    return lens not in (LENS_UNSPECIFIED, LENS_COUNT)


def unit_of(lens: Lens.ValueType) -> str:
    return ", minutes" if is_minutes(lens) else ""


def _day(day: Date) -> str:
    return to_iso(day) if day.year else ""
