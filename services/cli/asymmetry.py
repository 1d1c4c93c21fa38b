"""`asymmetry`: which pairs and topics are one-sided, with evidence."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import click

from mutua import Client
from mutua.v1.analysis_service_pb2 import PairAsymmetry, TopicAsymmetry
from mutua.v1.query_service_pb2 import Lens, Question
from services.cli.analysis_options import WHERE_OPTION
from services.cli.connection import GlobalOptions
from services.cli.messages import NEITHER_IS_BETTER, describe_pair, format_amount
from services.cli.organization_names import CommandLineDirectory
from services.cli.output import Column, to_table
from services.cli.question_options import QuestionOptions, takes_question
from services.cli.question_view import QuestionView, RenderContext, show
from services.cli.tables import is_minutes, unit_of
from services.ledger.wording import format_count

PAGE_ROWS: Final = 100
"""Rows asked for at a time, because what is paid back takes milliseconds a row."""
SMALLEST_Q: Final = 0.001
NO_TOPIC: Final = "(no topic)"
EVIDENCE_NOTE: Final = (
    "Evidence counts contact days, because exchanges come in bursts. The range holds the share of "
    "days in that direction with 95 % confidence. Of the pairs up to a q, at most that part is "
    "expected to look one-sided by chance alone."
)
FAMILY_NOTE: Final = (
    "Pairs with fewer than 6 contact days have no evidence and are left out: --all-pairs adds them."
)
PAID_BACK_NOTE: Final = (
    "Paid back is the most that can have come back to A through others, with one path. It does not "
    "add up over pairs."
)
TOPIC_NOTE: Final = (
    "One-sided is the part of the flow on a topic that is not returned between the same two "
    "organizations."
)
REASON_WORDS: Final = {
    "NO_KNOWN_AMOUNT": "no known amount",
    "TOO_FEW_EXCHANGES": "too few",
    "MANY_UNKNOWN": "many minutes unknown",
}


@click.command()
@takes_question
@WHERE_OPTION
@click.option("--all-pairs", "every_pair", is_flag=True, help="Also pairs without evidence.")
@click.option("--by-topic", is_flag=True, help="One row for each topic instead of each pair.")
def asymmetry(
    global_options: GlobalOptions, options: QuestionOptions, *, every_pair: bool, by_topic: bool
) -> None:
    """List the most one-sided pairs, with evidence.

    A is the organization that gave more. Evidence counts the days on which they had contact. The
    order is by the lower end of its range; --order-by sorts otherwise.

    \b
    Examples:
      mutua asymmetry
      mutua asymmetry --from 2026-01 --limit 10
      mutua asymmetry --lens burden --order-by "net desc"
      mutua asymmetry --where region=North --all-pairs
      mutua asymmetry --by-topic --order-by "one_sided_share desc"
    """
    if by_topic and every_pair:
        raise click.UsageError(
            "--all-pairs is about pairs, --by-topic about topics: leave one out."
        )
    if by_topic:
        show(TOPICS, global_options, options)
    else:
        page_size = min(options.limit + 1, PAGE_ROWS) if options.limit else PAGE_ROWS
        view = replace(PAIRS, ask=partial(_ask_pairs, page_size=page_size))
        show(view, global_options, options, every_pair=every_pair)


def pair_columns(
    lens: Lens.ValueType, directory: CommandLineDirectory
) -> list[Column[PairAsymmetry]]:
    unit = unit_of(lens)
    return [
        Column("A", lambda row: directory.label(row.giver_id)),
        Column("B", lambda row: directory.label(row.receiver_id)),
        Column(f"A to B{unit}", lambda row: format_amount(row.given), True),
        Column(f"B to A{unit}", lambda row: format_amount(row.received), True),
        Column("net", lambda row: format_amount(row.net), True),
        Column("evidence", describe_evidence),
        Column("q", lambda row: format_q(row.q_value) if row.HasField("q_value") else "", True),
        Column("paid back", lambda row: describe_paid_back(row, directory)),
        Column("in words", describe_pair),
    ]


def describe_evidence(row: PairAsymmetry) -> str:
    """Such as "93 of 100 contact days went one way; 0.88 to 0.96"."""
    if not row.contact_days:
        return "no contact day is known"
    larger = max(row.given_days, row.received_days)
    days = f"{larger:,} of {format_count(row.contact_days, 'contact day')} went one way"
    if not row.HasField("interval_low"):
        return f"{days}; too few"
    return f"{days}; {row.interval_low:.2f} to {row.interval_high:.2f}"


def describe_paid_back(row: PairAsymmetry, directory: CommandLineDirectory) -> str:
    """Such as "17 through Millbury": how much, and the organizations between B and A."""
    if not row.HasField("paid_back"):
        return ""
    if not row.paid_back.path_ids:
        return "nothing"
    through = ", ".join(map(directory.label, row.paid_back.path_ids[1:-1]))
    return f"{format_amount(row.paid_back.amount)} through {through}"


def format_q(q_value: float) -> str:
    return f"< {SMALLEST_Q}" if q_value < SMALLEST_Q else f"{q_value:.3f}"


def topic_columns(context: RenderContext[TopicAsymmetry]) -> list[Column[TopicAsymmetry]]:
    def name(row: TopicAsymmetry) -> str:
        return context.topic_labels.get(row.topic, row.topic) if row.topic else NO_TOPIC

    minutes: list[Column[TopicAsymmetry]] = [
        Column("minutes", lambda row: format_amount(row.total), True)
    ]
    return [
        Column("topic", name),
        Column("exchanges", lambda row: format_amount(row.exchange_count), True),
        *(minutes if is_minutes(context.question.lens) else ()),
        Column("pairs", lambda row: format_amount(row.pair_count), True),
        Column("pairs one way", lambda row: format_amount(row.one_way_pair_count), True),
        Column(
            "one-sided",
            lambda row: f"{row.one_sided_share:.0%}" if row.HasField("one_sided_share") else "",
            True,
        ),
        Column("in words", lambda row: _describe_reasons(row.reasons)),
    ]


def _describe_reasons(reasons: Iterable[str]) -> str:
    return ", ".join(REASON_WORDS.get(reason, reason) for reason in reasons)


def _ask_pairs(
    client: Client, question: Question, *, page_size: int = PAGE_ROWS, **fields: Any
) -> Any:
    return client.list_asymmetry(question, page_size=page_size, **fields)


def _list_notes(context: RenderContext[PairAsymmetry]) -> list[str]:
    has_outsiders = any("TOO_FEW_DAYS" in row.reasons for row in context.rows)
    family = [] if has_outsiders else [FAMILY_NOTE]
    return [EVIDENCE_NOTE, *family, PAID_BACK_NOTE, NEITHER_IS_BETTER] if context.rows else family


PAIRS: Final[QuestionView[PairAsymmetry]] = QuestionView(
    name="pairs",
    row_descriptor=PairAsymmetry.DESCRIPTOR,
    ask=_ask_pairs,
    table=lambda context: to_table(
        context.rows, pair_columns(context.question.lens, context.directory)
    ),
    footer=_list_notes,
)
TOPICS: Final[QuestionView[TopicAsymmetry]] = QuestionView(
    name="topics",
    row_descriptor=TopicAsymmetry.DESCRIPTOR,
    ask=Client.list_topic_asymmetry,
    table=lambda context: to_table(context.rows, topic_columns(context)),
    footer=lambda context: [TOPIC_NOTE, NEITHER_IS_BETTER] if context.rows else [],
    has_topics=True,
)
