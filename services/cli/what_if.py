"""`what-if`: what would end if one organization stopped exchanging."""

from collections.abc import Iterator
from typing import Any, Final

import click

from mutua import Client
from mutua.v1.analysis_service_pb2 import OrganizationLoss
from mutua.v1.query_service_pb2 import Question
from services.cli.analysis_options import BY_TOPIC_OPTION, WHERE_OPTION
from services.cli.connection import GlobalOptions
from services.cli.messages import format_amount, format_unless_zero
from services.cli.organization_names import list_names
from services.cli.output import Column, to_table
from services.cli.question_options import QuestionOptions, takes_question
from services.cli.question_view import QuestionView, RenderContext, show
from services.cli.structure import SOURCE_NOTE
from services.cli.tables import is_minutes, unit_of
from services.ledger.wording import format_count


@click.command("what-if")
@click.argument("organization")
@takes_question
@WHERE_OPTION
@BY_TOPIC_OPTION
def what_if(
    global_options: GlobalOptions, options: QuestionOptions, *, organization: str, by_topic: bool
) -> None:
    """Show what ends if an organization stops.

    The flow that it gives and receives, the organizations that receive from it alone, and those
    that would no longer be connected with the others. Everything else is taken to stay as it is.

    \b
    Examples:
      mutua what-if Thornwick
      mutua what-if Thornwick --lens burden --from 2026-01
      mutua what-if Thornwick --by-topic
      mutua what-if Thornwick --format json
    """
    if options.order_by:
        raise click.UsageError("--order-by: rows are in order of topic; leave it out.")
    if options.question.organization_ids:
        raise click.UsageError("--organization: name the one that stops, without this option.")
    show(
        LOSSES,
        global_options,
        options,
        organizations={"organization_id": organization},
        by_topic=by_topic,
    )


def render(context: RenderContext[OrganizationLoss]) -> str:
    """Sentences for all flow, then a table of topics."""
    sentences = [line for row in context.rows if not row.topic for line in _describe(row, context)]
    topics = [row for row in context.rows if row.topic]
    return "\n".join([*sentences, *(["", to_table(topics, topic_columns(context))] * bool(topics))])


def topic_columns(context: RenderContext[OrganizationLoss]) -> list[Column[OrganizationLoss]]:
    labels, directory = context.topic_labels, context.directory
    unit = unit_of(context.question.lens)
    return [
        Column("topic", lambda row: labels.get(row.topic) or row.topic),
        Column(f"given{unit}", lambda row: format_amount(row.given), True),
        Column(f"received{unit}", lambda row: format_amount(row.received), True),
        Column("of all", lambda row: f"{row.share:.0%}" if row.HasField("share") else "", True),
        Column("gave to", lambda row: format_amount(row.fan_out), True),
        Column("received from", lambda row: format_amount(row.source_count), True),
        Column(
            "only source of",
            lambda row: format_unless_zero(len(row.receivers_without_source_ids)),
            True,
        ),
        Column("them", lambda row: list_names(directory, row.receivers_without_source_ids)),
    ]


def _describe(row: OrganizationLoss, context: RenderContext[OrganizationLoss]) -> Iterator[str]:
    directory = context.directory
    name = directory.label(row.organization_id)
    unit = "minutes" if is_minutes(context.question.lens) else "exchanges"
    share = f", {row.share:.0%} of all {format_amount(row.total)}" if row.HasField("share") else ""
    yield (
        f"If {name} stopped, {format_amount(row.given)} {unit} that it gave to "
        f"{format_count(row.fan_out, 'organization')} and {format_amount(row.received)} that it "
        f"received from {row.source_count:,} would end{share}."
    )
    receivers = list_names(directory, row.receivers_without_source_ids)
    count = len(row.receivers_without_source_ids)
    yield (
        f"{format_count(count, 'organization', 'receives')} from it alone: {receivers}."
        if count
        else "Nobody receives from it alone."
    )
    before, after = row.components.weak_count, row.components_without.weak_count
    yield f"All organizations form {format_count(before, 'component')}, without it {after:,}."
    if row.separated_ids:
        separated = format_count(len(row.separated_ids), "organization")
        names = list_names(directory, row.separated_ids)
        yield f"{separated} would no longer be connected with most of the others: {names}."


def _ask(
    client: Client, question: Question, *, organization_id: str, by_topic: bool, **_: Any
) -> Any:
    return client.get_what_if(organization_id, question, by_topic=by_topic)


LOSSES: Final[QuestionView[OrganizationLoss]] = QuestionView(
    name="losses",
    row_descriptor=OrganizationLoss.DESCRIPTOR,
    ask=_ask,
    rows_of=lambda answer: answer.losses,
    table=render,
    footer=lambda _: [SOURCE_NOTE],
    has_topics=True,
)
