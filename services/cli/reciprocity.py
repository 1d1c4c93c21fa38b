"""`reciprocity`: is the exchange mutual, is that more than chance, and how mutual could it be."""

from collections.abc import Iterator
from typing import Any, Final

import click

from mutua import Client
from mutua.v1.analysis_service_pb2 import (
    VERDICT_ABOVE_CHANCE,
    VERDICT_BELOW_CHANCE,
    VERDICT_DEPENDS_ON_YARDSTICK,
    Period,
    Reciprocity,
    WithoutOrganization,
    Yardstick,
)
from mutua.v1.query_service_pb2 import Lens, Question
from services.cli.analysis_options import SEED_OPTION, WHERE_OPTION
from services.cli.connection import GlobalOptions
from services.cli.messages import NEITHER_IS_BETTER, format_amount, unplaced_lines
from services.cli.output import Column, to_iso, to_table
from services.cli.parameters import EnumChoice
from services.cli.question_options import QuestionOptions, takes_question
from services.cli.question_view import QuestionView, RenderContext, show
from services.cli.tables import is_minutes
from services.ledger.wording import format_count

VERDICT_WORDS: Final = {
    VERDICT_ABOVE_CHANCE: "more mutual than chance",
    VERDICT_BELOW_CHANCE: "less mutual than chance",
    VERDICT_DEPENDS_ON_YARDSTICK: "depends on the yardstick",
}
REASON_WORDS: Final = {
    "MANY_UNKNOWN": "many minutes are unknown",
    "TOO_FEW_ORGANIZATIONS": "fewer than 5 organizations gave and received",
    "TOO_FEW_EXCHANGES": "fewer than 30 exchanges",
    "NO_YARDSTICK": "no yardstick fits these totals",
}
YARDSTICK_NOTE: Final = (
    "Chance has two yardsticks. Spread: every organization gives and receives as much as it did, "
    "and all else is spread evenly. Shuffle: givers keep their exchanges, and receivers are dealt "
    "anew. Bands hold 95 of 100 draws."
)


@click.command()
@takes_question
@WHERE_OPTION
@click.option(
    "--by",
    "period",
    type=EnumChoice(Period.items()),
    help="One row for each month, quarter or year of the window.",
)
@SEED_OPTION
def reciprocity(
    global_options: GlobalOptions, options: QuestionOptions, period: int, seed: int
) -> None:
    """Show how mutual the exchange is.

    Reciprocity is the part of the flow that is returned between the same two organizations. It
    stands next to the most that is possible, and to what chance alone would give.

    \b
    Examples:
      mutua reciprocity
      mutua reciprocity --from 2026-01 --lens burden
      mutua reciprocity --by year
      mutua reciprocity --where region="North West" --format json
    """
    if options.order_by:
        raise click.UsageError("--order-by: rows are in order of time; leave it out.")
    show(RECIPROCITY, global_options, options, period=period or 0, seed=seed or 0)


def render(context: RenderContext[Reciprocity]) -> str:
    """Sentences for the whole window, a table for a series."""
    if any(row.HasField("from_date") for row in context.rows):
        return to_table(context.rows, series_columns(context.question.lens))
    return "\n\n".join("\n".join(_describe(row, context)) for row in context.rows)


def series_columns(lens: Lens.ValueType) -> list[Column[Reciprocity]]:
    minutes: Column[Reciprocity] = Column("minutes", lambda row: format_amount(row.total), True)
    return [
        Column("from", lambda row: to_iso(row.from_date)),
        Column("exchanges", lambda row: format_amount(row.exchange_count), True),
        *([minutes] if is_minutes(lens) else []),
        Column("organizations", lambda row: format_amount(row.organization_count), True),
        Column("ties returned", lambda row: _share(row, "reciprocity"), True),
        Column("flow returned", lambda row: _share(row, "weighted_reciprocity"), True),
        Column("at most", lambda row: _share(row, "ceiling"), True),
        Column("spread", lambda row: _band(row, "spread"), True),
        Column("shuffle", lambda row: _band(row, "shuffle"), True),
        Column("in words", describe_verdict),
    ]


def describe_verdict(row: Reciprocity) -> str:
    if row.HasField("verdict"):
        return VERDICT_WORDS[row.verdict]
    return ", ".join(REASON_WORDS.get(reason, reason) for reason in row.reasons)


def _describe(row: Reciprocity, context: RenderContext[Reciprocity]) -> Iterator[str]:
    unit = "minutes" if is_minutes(context.question.lens) else "exchanges"
    counted = ""
    if is_minutes(context.question.lens):
        counted = f", with {format_amount(row.total)} known minutes"
    elif row.total != row.exchange_count:
        counted = f"; they count {format_amount(row.total)}, once for each giver and receiver"
    yield (
        f"{format_count(row.exchange_count, 'exchange')} among "
        f"{format_count(row.organization_count, 'organization')}, on "
        f"{format_count(row.tie_count, 'tie')}{counted}."
    )
    if row.spill_given or row.spill_received:
        yield (
            f"Outside of this: {format_amount(row.spill_given)} {unit} to other organizations, "
            f"{format_amount(row.spill_received)} from them."
        )
    if row.HasField("reciprocity"):
        yield from _describe_ties(row)
    if row.HasField("weighted_reciprocity"):
        yield from _describe_flow(row, context)
    verdict = describe_verdict(row)
    yield f"In words: {verdict}." if row.HasField("verdict") else f"No verdict: {verdict}."


def _describe_ties(row: Reciprocity) -> Iterator[str]:
    expected = ""
    if row.HasField("expected_reciprocity"):
        deviation = row.expected_reciprocity_deviation
        expected = f"; {row.expected_reciprocity:.0%} \u00b1 {deviation:.1%} is expected by chance"
    pairs = format_count(row.mutual_count, "pair")
    yield (
        f"Ties: {row.reciprocity:.0%} are returned ({pairs} of "
        f"{format_amount(row.mutual_count + row.asymmetric_count)} mutual){expected}."
    )


def _describe_flow(row: Reciprocity, context: RenderContext[Reciprocity]) -> Iterator[str]:
    interval = ""
    if row.HasField("interval_low"):
        interval = f" ({row.interval_low:.0%} to {row.interval_high:.0%} over pairs)"
    yield (
        f"Flow: {row.weighted_reciprocity:.0%} is returned directly{interval}; at most "
        f"{row.ceiling:.0%} could be, given what each gave and received."
    )
    yardsticks = [
        f"{name} {yardstick.expected:.0%} ({yardstick.low:.0%} to {yardstick.high:.0%})"
        for name, yardstick in (("spread", row.spread), ("shuffle", row.shuffle))
        if _has(row, name)
    ]
    if yardsticks:
        yield f"Chance alone: {', '.join(yardsticks)}."
    yield (
        f"Of the flow, {row.direct:.0%} is returned directly, {row.circulating:.0%} circulates "
        f"through others, {row.relayed:.0%} passes through, {row.one_way:.0%} goes one way."
    )
    if row.HasField("lowest_without") and row.HasField("highest_without"):
        low, high = row.lowest_without, row.highest_without
        yield (
            f"Without {_name(context, low)} "
            f"{low.weighted_reciprocity:.0%} would be returned, without "
            f"{_name(context, high)} {high.weighted_reciprocity:.0%}."
        )


def _name(context: RenderContext[Reciprocity], extreme: WithoutOrganization) -> str:
    return context.directory.name(extreme.organization_id) or extreme.organization_id


def _has(row: Any, field: str) -> bool:
    return bool(row.HasField(field))


def _share(row: Reciprocity, field: str) -> str:
    return f"{getattr(row, field):.0%}" if _has(row, field) else ""


def _band(row: Reciprocity, field: str) -> str:
    if not _has(row, field):
        return ""
    yardstick: Yardstick = getattr(row, field)
    return f"{yardstick.low:.0%} to {yardstick.high:.0%}"


def _ask(client: Client, question: Question, *, period: int, seed: int, **_: Any) -> Any:
    return client.get_reciprocity(question, period=Period.ValueType(period), seed=seed)


RECIPROCITY: Final[QuestionView[Reciprocity]] = QuestionView(
    name="reciprocities",
    row_descriptor=Reciprocity.DESCRIPTOR,
    ask=_ask,
    rows_of=lambda answer: answer.reciprocities,
    table=render,
    footer=lambda context: [
        *unplaced_lines(context.answer.unplaced_count),
        YARDSTICK_NOTE,
        NEITHER_IS_BETTER,
    ],
)
