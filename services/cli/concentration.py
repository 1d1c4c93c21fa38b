"""`concentration`: how far giving, and receiving, lie with a few."""

from collections.abc import Sequence
from typing import Final

import click

from mutua.v1.query_service_pb2 import DIRECTION_GIVING, Concentration, Direction, Lens
from services.cli.connection import GlobalOptions
from services.cli.messages import NEITHER_IS_BETTER, format_amount
from services.cli.output import Column, to_table
from services.cli.parameters import words_by_number
from services.cli.question_options import QuestionOptions, takes_question
from services.cli.question_view import QuestionView, show
from services.cli.tables import is_minutes, unit_of

MEASURE_NOTE: Final = (
    "Gini is 0 if all organizations have the same amount and near 1 if one has everything; top "
    "three is the share of the three with most; half with is the smallest number of organizations "
    "that have half."
)


@click.command()
@takes_question
def concentration(global_options: GlobalOptions, options: QuestionOptions) -> None:
    """Show how concentrated sharing is.

    The measures cover the whole population, including organizations that gave or received nothing.
    To how many each organization gave, and who has a single source: mutua structure.

    \b
    Examples:
      mutua concentration
      mutua concentration --lens burden --from 2026-01 --population active
      mutua concentration --format json
    """
    if options.order_by:
        raise click.UsageError(
            "--order-by: there are two rows, giving and receiving; leave it out."
        )
    show(CONCENTRATION, global_options, options)


def columns(lens: Lens.ValueType) -> list[Column[Concentration]]:
    sides = words_by_number(Direction.items())
    return [
        Column("", lambda row: sides[row.direction]),
        Column("organizations", lambda row: format_amount(row.organization_count), True),
        Column(
            f"total{unit_of(lens)}",
            lambda row: format_amount(row.total) if row.HasField("total") else "",
            True,
        ),
        Column("Gini", lambda row: f"{row.gini:.2f}" if row.HasField("gini") else "", True),
        Column(
            "top three",
            lambda row: f"{row.top_three_share:.0%}" if row.HasField("top_three_share") else "",
            True,
        ),
        Column(
            "half with",
            lambda row: format_amount(count_holders_of_half(row.lorenz)) if row.lorenz else "",
            True,
        ),
        Column("in words", lambda row: describe_measures(row, lens)),
    ]


def describe_measures(row: Concentration, lens: Lens.ValueType) -> str:
    """Why there are no measures, and which part of the total left or entered the population."""
    words = [REASON_WORDS.get(reason, reason) for reason in row.reasons]
    if row.spill_over:
        went = "went to" if row.direction == DIRECTION_GIVING else "came from"
        minutes = " minutes" if is_minutes(lens) else ""
        words.append(
            f"of which {format_amount(row.spill_over)}{minutes} {went} organizations outside the "
            "population"
        )
    return ", ".join(words)


def count_holders_of_half(lorenz: Sequence[float]) -> int:
    """How few organizations have half of everything."""
    return next(count for count, rest in enumerate(reversed(lorenz)) if rest <= 0.5)


REASON_WORDS: Final = {
    "NO_KNOWN_AMOUNT": "no known amount",
    "TOO_FEW_EXCHANGES": "too few",
    "MANY_UNKNOWN": "many minutes unknown",
    "NOT_BORNE": "not borne on this side",
}
CONCENTRATION: Final[QuestionView[Concentration]] = QuestionView(
    name="concentrations",
    row_descriptor=Concentration.DESCRIPTOR,
    ask=lambda client, question, **_: client.get_concentration(question),
    rows_of=lambda answer: answer.concentrations,
    table=lambda context: to_table(context.rows, columns(context.question.lens)),
    footer=lambda _: [MEASURE_NOTE, NEITHER_IS_BETTER],
)
