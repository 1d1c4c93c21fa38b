"""`latency`: how long it takes until the other side of a pair gives."""

from collections.abc import Iterator
from typing import Any, Final

import click

from mutua import Client
from mutua.v1.analysis_service_pb2 import Horizon, Latency, Period
from mutua.v1.query_service_pb2 import Question
from services.cli.analysis_options import SEED_OPTION, WHERE_OPTION
from services.cli.connection import GlobalOptions
from services.cli.messages import NEITHER_IS_BETTER, format_amount, unplaced_lines
from services.cli.output import Column, to_iso, to_table
from services.cli.parameters import EnumChoice
from services.cli.question_options import QuestionOptions, takes_question
from services.cli.question_view import QuestionView, RenderContext, show
from services.ledger.wording import format_count

TURN_NOTE: Final = (
    "A turn opens when one side of a pair gives after the other, or first. It is answered when the "
    "other side gives. A turn without an answer is open until the window or the recorded exchanges "
    "end, or an organization closes. Ranges hold 95 of 100 resamples of pairs."
)
REASON_WORDS: Final = {
    "TOO_FEW": "too few",
    "NOT_REACHED": "half is not reached",
    "NOT_OBSERVED": "not observed that long",
    "TOO_FEW_PAIRS": "too few pairs for ranges",
}


@click.command()
@takes_question
@WHERE_OPTION
@click.option(
    "--by",
    "period",
    type=EnumChoice(Period.items()),
    help="One row for the turns that opened in each month, quarter or year of the window.",
)
@SEED_OPTION
def latency(
    global_options: GlobalOptions, options: QuestionOptions, period: int, seed: int
) -> None:
    """Show how long until the other side gives.

    Between two organizations, a turn opens when one of them gives and is answered when the other
    one gives. Turns that are still open count for as long as they were observed.

    \b
    Examples:
      mutua latency
      mutua latency --kind visit --from 2026-01
      mutua latency --by year
      mutua latency --where region="North West" --format json
    """
    if options.order_by:
        raise click.UsageError("--order-by: rows are in order of time; leave it out.")
    show(LATENCY, global_options, options, period=period or 0, seed=seed or 0)


def render(context: RenderContext[Latency]) -> str:
    """Sentences for the whole window, a table for a series."""
    if any(row.HasField("from_date") for row in context.rows):
        return to_table(context.rows, SERIES_COLUMNS)
    return "\n\n".join("\n".join(_describe(row)) for row in context.rows)


def _describe(row: Latency) -> Iterator[str]:
    if not row.turn_count:
        yield "0 turns: no exchange between two of these organizations."
        return
    pairs, end = format_count(row.pair_count, "pair"), row.observation_end_time.ToJsonString()[:10]
    yield (
        f"{format_count(row.turn_count, 'turn')} of {pairs}, observed until {end}: "
        f"{format_amount(row.answered_count)} answered, "
        f"{format_amount(row.censored_count)} still open."
    )
    if "TOO_FEW" in row.reasons:
        yield "Too few to say more (under 5 turns)."
        return
    if row.HasField("median_days"):
        yield f"Half of the turns are answered within {_days(row.median_days)}{_median_range(row)}."
    else:
        yield "Half of the turns are not answered in the time observed."
    shares = [
        f"{'after' if place else 'After'} {format_count(horizon.days, 'day')} "
        f"{horizon.unanswered_share:.0%}{' are still open' * (not place)}{_range(horizon)}"
        for place, horizon in enumerate(row.horizons)
        if horizon.HasField("unanswered_share")
    ]
    if shares:
        yield f"{', '.join(shares)}."
    unseen = [f"{each.days}" for each in row.horizons if not each.HasField("unanswered_share")]
    if unseen:
        yield f"No turn was observed for {' or '.join(unseen)} days."
    if "TOO_FEW_PAIRS" in row.reasons:
        yield "Too few pairs (under 5) for ranges."


def _days(days: float) -> str:
    """Such as "45 days"; decimals matter below 10."""
    if days < 1:
        return "a day"
    return f"{_number(days)} days"


def _number(days: float) -> str:
    return f"{days:.1f}" if days < 10 else format_amount(days)


def _median_range(row: Latency) -> str:
    """The interval of the median, whose upper end may not be reached."""
    if "TOO_FEW_PAIRS" in row.reasons or not row.HasField("median_low"):
        return ""
    if not row.HasField("median_high"):
        return f" ({_number(row.median_low)} or more)"
    return f" ({_number(row.median_low)} to {_number(row.median_high)})"


def _range(horizon: Horizon) -> str:
    return f" ({horizon.low:.0%} to {horizon.high:.0%})" if horizon.HasField("low") else ""


def _open_after(place: int) -> Any:
    def describe(row: Latency) -> str:
        if len(row.horizons) <= place or not row.horizons[place].HasField("unanswered_share"):
            return ""
        return f"{row.horizons[place].unanswered_share:.0%}"

    return describe


SERIES_COLUMNS: Final[list[Column[Latency]]] = [
    Column("from", lambda row: to_iso(row.from_date)),
    Column("pairs", lambda row: format_amount(row.pair_count), True),
    Column("turns", lambda row: format_amount(row.turn_count), True),
    Column("answered", lambda row: format_amount(row.answered_count), True),
    Column(
        "half within",
        lambda row: _days(row.median_days) if row.HasField("median_days") else "",
        True,
    ),
    Column("open after 30 days", _open_after(0), True),
    Column("90 days", _open_after(1), True),
    Column("365 days", _open_after(2), True),
    Column("in words", lambda row: ", ".join(REASON_WORDS.get(each, each) for each in row.reasons)),
]


def _foot(context: RenderContext[Latency]) -> list[str]:
    if not context.rows:
        return []
    return [*unplaced_lines(context.answer.unplaced_count), TURN_NOTE, NEITHER_IS_BETTER]


def _ask(client: Client, question: Question, *, period: int, seed: int, **_: Any) -> Any:
    return client.get_latency(question, period=Period.ValueType(period), seed=seed)


LATENCY: Final[QuestionView[Latency]] = QuestionView(
    name="latencies",
    row_descriptor=Latency.DESCRIPTOR,
    ask=_ask,
    rows_of=lambda answer: answer.latencies,
    table=render,
    footer=_foot,
    has_amounts=False,
)
