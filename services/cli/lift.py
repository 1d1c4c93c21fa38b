"""`lift`: do organizations that have something in common exchange more than totals suggest."""

from collections.abc import Iterator
from typing import Any, Final

import click

from mutua import Client
from mutua.v1.analysis_service_pb2 import Lift, MixingCell
from mutua.v1.query_service_pb2 import Question
from services.cli.analysis_options import SEED_OPTION, WHERE_OPTION
from services.cli.connection import GlobalOptions
from services.cli.messages import format_amount
from services.cli.output import Column, to_table
from services.cli.parameters import ParsedParameter
from services.cli.question_options import QuestionOptions, takes_question
from services.cli.question_view import QuestionView, RenderContext, show
from services.cli.tables import is_minutes
from services.ledger.organization import ATTRIBUTES, describe_unknown_attribute
from services.ledger.wording import format_count

PAIRING: Final = "pairing"
REASON_WORDS: Final = {
    "NO_KNOWN_AMOUNT": "nothing is known to flow among them",
    "TOO_FEW_GROUPS": "fewer than 3 groups have 2 organizations",
    "NOTHING_EXPECTED": "by their totals, none could have given to another one of its group",
}
PAIRING_WORDS: Final = {
    "TOO_FEW_GROUPS": "fewer than 3 pairings are in force",
    "NOTHING_EXPECTED": "by their totals, none could have given to its partner",
}
LIFT_NOTE: Final = (
    "Totals suggest what organizations would exchange if only the amounts that each gave and "
    "received mattered. p is the part of 1,000 orders, with groups permuted among organizations of "
    "one sector, that keep to groups at least as much."
)


def _parse_attribute(text: str) -> str:
    attribute = text.strip().replace("-", "_")
    if attribute not in (*ATTRIBUTES, PAIRING):
        raise ValueError(describe_unknown_attribute(attribute))
    return attribute


@click.command()
@takes_question
@WHERE_OPTION
@click.option(
    "--by",
    "attributes",
    type=ParsedParameter("attribute", _parse_attribute),
    multiple=True,
    metavar="ATTRIBUTE",
    help=f"What makes groups: {', '.join(ATTRIBUTES)} or {PAIRING}. May be repeated; default all.",
)
@SEED_OPTION
def lift(
    global_options: GlobalOptions,
    options: QuestionOptions,
    attributes: tuple[str, ...],
    seed: int,
) -> None:
    """Show whether groups keep to themselves.

    Lift is the part of the flow within groups, such as organizations with the same core system,
    divided by the part that the totals of the organizations suggest. With one attribute the flow
    from group to group follows.

    \b
    Examples:
      mutua lift
      mutua lift --by core_system
      mutua lift --by region --lens burden --from 2026-01
      mutua lift --by core_system --by sector --format json
    """
    if options.order_by:
        raise click.UsageError("--order-by: rows are in the order of --by; leave it out.")
    show(LIFT, global_options, options, attributes=list(attributes), seed=seed)


def render(context: RenderContext[Lift]) -> str:
    """Sentences for each attribute; for a single one also the flow from group to group."""
    unit = "minutes" if is_minutes(context.question.lens) else "exchanges"
    parts = ["\n".join(_describe(row, unit)) for row in context.rows]
    if len(context.rows) == 1:
        parts.append(to_table(context.rows[0].mixing, _mixing_columns(unit)))
    return "\n\n".join(filter(None, parts))


def _mixing_columns(unit: str) -> list[Column[MixingCell]]:
    return [
        Column("from", lambda cell: cell.from_group),
        Column("to", lambda cell: cell.to_group),
        Column(unit, lambda cell: format_amount(cell.weight), True),
    ]


def _describe(row: Lift, unit: str) -> Iterator[str]:
    noun = row.attribute.replace("_", " ")
    is_pairing = row.attribute == PAIRING
    who = "Paired organizations" if is_pairing else f"Organizations with the same {noun}"
    if row.HasField("lift"):
        yield (
            f"{who} exchange {row.lift:.1f} times as much as their "
            f"totals suggest (p {_format_p(row.p_value)})."
        )
        within = "pairings" if is_pairing else "groups"
        yield (
            f"  Within {within}: {row.same_group_share:.0%} of the {unit}; totals suggest "
            f"{row.expected_share:.0%}."
        )
    else:
        reason_words = REASON_WORDS | PAIRING_WORDS if is_pairing else REASON_WORDS
        words = ", ".join(reason_words.get(reason, reason) for reason in row.reasons)
        yield f"{who}: {words}."
    organizations = format_count(row.organization_count, "organization")
    basis = (
        f"{organizations} in {format_count(row.group_count, PAIRING if is_pairing else 'group')}"
    )
    if row.unlabelled_count:
        others = format_count(row.unlabelled_count, "organization")
        basis += (
            f"; left out: {others} of unknown {noun}, with {format_amount(row.left_out)} {unit}"
        )
    yield f"  Basis: {basis}."


def _format_p(p_value: float) -> str:
    return f"{p_value:.3f}" if p_value < 0.01 else f"{p_value:.2f}"


def _ask(client: Client, question: Question, *, attributes: list[str], seed: int, **_: Any) -> Any:
    return client.get_lift(question, attributes=attributes, seed=seed)


LIFT: Final[QuestionView[Lift]] = QuestionView(
    name="lifts",
    row_descriptor=Lift.DESCRIPTOR,
    ask=_ask,
    rows_of=lambda answer: answer.lifts,
    table=render,
    footer=lambda context: [LIFT_NOTE] if any(row.HasField("lift") for row in context.rows) else [],
)
