"""`structure`: how organizations hang together, how far they reach, and who is new or gone."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click

from mutua import Client
from mutua.v1.analysis_service_pb2 import OrganizationReach, Structure
from mutua.v1.query_service_pb2 import Question
from services.cli.analysis_options import BY_TOPIC_OPTION, WHERE_OPTION
from services.cli.connection import GlobalOptions
from services.cli.messages import format_amount, format_unless_zero, isolate_lines
from services.cli.organization_names import CommandLineDirectory, list_names
from services.cli.output import Column, to_csv, to_iso, to_table
from services.cli.question_options import QuestionOptions, takes_question
from services.cli.question_view import QuestionView, RenderContext, show
from services.ledger.wording import format_count

SOURCE_NOTE: Final = (
    "Ties say whether something was given, not how much. Who has one source here may have others "
    "that nobody recorded."
)
_SOURCES: Final = 5
"""Sources in a sentence."""
_TRIPLE: Final = 3


@click.command()
@takes_question
@WHERE_OPTION
@BY_TOPIC_OPTION
@click.option("--reach", is_flag=True, help="Show the reach of each organization instead.")
def structure(
    global_options: GlobalOptions, options: QuestionOptions, *, by_topic: bool, reach: bool
) -> None:
    """Show how organizations hang together.

    Components, triads, reach (to how many each gave), and receivers with a single source. With
    --from it also lists newcomers, whose first exchange is in the window, and organizations that
    have an exchange before the window and none in it. CSV has the reach of each organization.

    \b
    Examples:
      mutua structure
      mutua structure --from 2026-01 --to 2026-07
      mutua structure --by-topic --where region="North West"
      mutua structure --reach --organization Thornwick
      mutua structure --format csv --output reach.csv
    """
    if options.order_by:
        raise click.UsageError("--order-by: rows are in order of topic and id; leave it out.")
    if reach:
        show(REACHES, global_options, options, by_topic=by_topic)
    else:
        show(STRUCTURES, global_options, options, by_topic=by_topic)


def render(context: RenderContext[Structure]) -> str:
    """Sentences for all ties, then a table of topics."""
    sentences = [line for row in context.rows if not row.topic for line in _describe(row, context)]
    topics = [row for row in context.rows if row.topic]
    return "\n".join([*sentences, *(["", to_table(topics, topic_columns(context))] * bool(topics))])


def topic_columns(context: RenderContext[Structure]) -> list[Column[Structure]]:
    labels, directory = context.topic_labels, context.directory
    return [
        Column("topic", lambda row: labels.get(row.topic) or row.topic),
        Column("ties", lambda row: format_amount(row.tie_count), True),
        Column("gave", lambda row: format_amount(row.giver_count), True),
        Column("received", lambda row: format_amount(row.receiver_count), True),
        Column("with one source", lambda row: format_amount(row.sole_source_receiver_count), True),
        Column("new", lambda row: format_unless_zero(row.newcomer_count), True),
        Column("stopped", lambda row: format_unless_zero(row.stopped_count), True),
        Column("the source", lambda row: describe_sources(row, directory)),
    ]


def reach_columns(context: RenderContext[OrganizationReach]) -> list[Column[OrganizationReach]]:
    labels, directory = context.topic_labels, context.directory
    return [
        Column("topic", lambda row: labels.get(row.topic) or row.topic),
        Column("id", lambda row: row.organization_id),
        Column("name", lambda row: directory.name(row.organization_id)),
        Column("gave to", lambda row: format_amount(row.fan_out), True),
        Column("received from", lambda row: format_amount(row.source_count), True),
        Column("only source of", lambda row: format_unless_zero(row.sole_receiver_count), True),
        Column(
            "its only source",
            lambda row: directory.label(row.only_source_id) if row.only_source_id else "",
        ),
    ]


def _describe(row: Structure, context: RenderContext[Structure]) -> Iterator[str]:
    directory = context.directory
    yield (
        f"{format_count(row.organization_count, 'organization')} with "
        f"{format_count(row.tie_count, 'tie')}: {row.giver_count:,} gave, "
        f"{row.receiver_count:,} received."
    )
    if row.tie_count:
        yield from _describe_components(row)
        yield from _describe_reach(row, context)
    if row.HasField("newcomer_count"):
        yield from _describe_movement(row, context)
    confirmed = set(row.confirmed_isolate_ids)
    if unconfirmed := [each for each in row.isolate_ids if each not in confirmed]:
        yield from isolate_lines(list(map(directory.label, unconfirmed)))
    if confirmed:
        count = format_count(row.confirmed_isolate_count, "organization", "has")
        names = list_names(directory, row.confirmed_isolate_ids)
        yield f"{count} no exchange and reported so for every month: {names}."
    if row.tie_count and row.organization_count >= _TRIPLE:
        counts = ", ".join(f"{each.name} {each.count:,}" for each in row.triads)
        total = sum(each.count for each in row.triads)
        yield f"Triads: {format_count(total, 'triple')} by pattern of ties: {counts}."


def _describe_components(row: Structure) -> Iterator[str]:
    components = row.components
    if components.weak_count > 1:
        yield (
            f"They form {format_count(components.weak_count, 'component')}, the largest of "
            f"{components.largest_weak_size:,}; an organization without ties is one of its own."
        )
    else:
        yield "They form one component: all are connected, whatever the direction of ties."
    if (size := components.largest_strong_size) > 1:
        yield f"Along ties, everybody reaches everybody among {size:,} of them."


def _describe_reach(row: Structure, context: RenderContext[Structure]) -> Iterator[str]:
    if not context.question.organization_ids:  # which select some of the reaches
        reaches = sorted(row.reaches, key=lambda each: each.fan_out)
        givers = [each for each in reaches if each.fan_out]
        half, widest = givers[(len(givers) - 1) // 2], givers[-1]
        yield (
            f"Half of the givers reach at most {half.fan_out:,}; the widest reach is "
            f"{widest.fan_out:,}, of {context.directory.label(widest.organization_id)}."
        )
    count = format_count(row.sole_source_receiver_count, "receiver", "has")
    sources = describe_sources(row, context.directory)
    yield f"{count} a single source{', ' * bool(sources)}{sources}."


def _describe_movement(row: Structure, context: RenderContext[Structure]) -> Iterator[str]:
    directory, start = context.directory, to_iso(context.question.from_date)
    came = list_names(directory, [each.organization_id for each in row.newcomers])
    yield (
        f"New: {format_count(row.newcomer_count, 'organization', 'has')} a first exchange in the "
        f"window{': ' * bool(came)}{came}."
    )
    stopped = list_names(
        directory,
        [each.organization_id for each in row.stopped_organizations],
        {
            each.organization_id: f"last {to_iso(each.last_exchange_date)}"
            for each in row.stopped_organizations
        },
    )
    yield (
        f"Stopped: {format_count(row.stopped_count, 'organization', 'has')} an exchange before "
        f"{start} and none in the window{': ' * bool(stopped)}{stopped}."
    )


def describe_sources(row: Structure, directory: CommandLineDirectory) -> str:
    """The single sources with how many have each, those of most first."""
    counts = Counter(each.only_source_id for each in row.reaches if each.only_source_id)
    sources = sorted(counts, key=lambda source: (-counts[source], source))
    parts = [f"{directory.label(each)} for {counts[each]:,}" for each in sources[:_SOURCES]]
    if more := sources[_SOURCES:]:
        parts.append(f"others for {sum(counts[each] for each in more):,}")
    return ", ".join(parts)


def _ask(client: Client, question: Question, *, by_topic: bool, **_: Any) -> Any:
    return client.get_structure(question, by_topic=by_topic)


def _list_reaches(structures: Iterable[Structure]) -> Iterator[OrganizationReach]:
    for row in structures:
        yield from row.reaches


STRUCTURES: Final[QuestionView[Structure]] = QuestionView(
    name="structures",
    row_descriptor=Structure.DESCRIPTOR,
    ask=_ask,
    rows_of=lambda answer: answer.structures,
    table=render,
    csv=lambda context: to_csv(
        _list_reaches(context.rows), OrganizationReach.DESCRIPTOR, context.directory.name
    ),
    footer=lambda _: [SOURCE_NOTE],
    has_amounts=False,
    has_topics=True,
)
REACHES: Final[QuestionView[OrganizationReach]] = QuestionView(
    name="reaches",
    row_descriptor=OrganizationReach.DESCRIPTOR,
    ask=_ask,
    rows_of=lambda answer: _list_reaches(answer.structures),
    table=lambda context: to_table(context.rows, reach_columns(context)),
    footer=lambda _: [SOURCE_NOTE],
    has_amounts=False,
    has_topics=True,
)
