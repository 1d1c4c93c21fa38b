"""`programme`: what a programme is configured to, and how to configure it."""

from typing import Any, Final

import click

from mutua.v1.event_pb2 import Event, ProgrammeConfigured, TopicLabel
from mutua.v1.query_service_pb2 import Topic
from services.cli.common_options import FORMAT_OPTION, SOURCE
from services.cli.connection import GlobalOptions, open_client, warn_if_empty
from services.cli.messages import format_amount
from services.cli.output import Column, to_dictionary, to_json, to_table
from services.ledger.programme import MAX_WORKING_DAY_MINUTES
from services.ledger.wording import format_count

COLUMNS: Final[tuple[Column[Topic], ...]] = (
    Column("topic", lambda row: row.topic),
    Column("shown as", lambda row: row.label),
    Column("exchanges", lambda row: format_amount(row.exchange_count), True),
)


@click.group()
def programme() -> None:
    """Show or set programme-wide settings.

    \b
    Examples:
      mutua programme show
      mutua programme set --working-day-minutes 450
    """


@programme.command()
@FORMAT_OPTION
@click.pass_obj
def show(global_options: GlobalOptions, form: str) -> None:
    """Show a programme's settings and topics.

    \b
    Examples:
      mutua programme show
      mutua programme show --format json
    """
    with open_client(global_options, write=False, purpose="mutua programme show") as client:
        answer = client.get_programme()
        if not answer.programme.topics:
            warn_if_empty(global_options, client.get_status())
    if form == "json":
        click.echo(to_json(to_dictionary(answer)))
        return
    click.echo(f"Programme {answer.programme.programme_id}")
    if answer.programme.HasField("working_day_minutes"):
        click.echo(
            f"A working day is {format_count(answer.programme.working_day_minutes, 'minute')}."
        )
    else:
        click.echo(
            "Nobody has said how long a working day is: "
            f"{global_options.command} programme set --working-day-minutes 450"
        )
    click.echo(to_table(answer.programme.topics, COLUMNS) or "No exchange has a topic.")


class TopicLabelType(click.ParamType):
    """TOPIC=LABEL; the label may have any character."""

    name = "TOPIC=LABEL"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> TopicLabel:
        topic, separator, label = value.partition("=")
        if not separator:
            self.fail(f'{value!r}: type TOPIC=LABEL, such as it-and-data="IT & data".', param, ctx)
        return TopicLabel(topic=topic.strip(), label=label.strip())


@programme.command("set")
@click.option(
    "--working-day-minutes",
    type=click.IntRange(1, MAX_WORKING_DAY_MINUTES),
    help='What "1 day" and "half a day" mean in a file.',
)
@click.option(
    "--topic-label",
    "topics",
    type=TopicLabelType(),
    multiple=True,
    help="Display label of a topic; an empty label removes it.",
)
@FORMAT_OPTION
@click.pass_obj
def set_(
    global_options: GlobalOptions,
    working_day_minutes: int | None,
    topics: tuple[TopicLabel, ...],
    form: str,
) -> None:
    """Change programme-wide settings.

    A setting that you do not name keeps its value.

    \b
    Examples:
      mutua programme set --working-day-minutes 450
      mutua programme set --topic-label it-and-data="IT & data"
    """
    if working_day_minutes is None and not topics:
        raise click.UsageError("say what to set, for example --working-day-minutes 450.")
    event = Event(
        source=SOURCE,
        programme_configured=ProgrammeConfigured(
            topics=topics, working_day_minutes=working_day_minutes
        ),
    )
    with open_client(global_options, write=True, purpose="mutua programme set") as client:
        position = client.record([event])
    if form == "json":
        click.echo(to_json({"event_id": event.event_id, "position": position}))
        return
    if working_day_minutes is not None:
        click.echo(f"Recorded: a working day is {format_count(working_day_minutes, 'minute')}.")
    for each in topics:
        display = repr(each.label) if each.label else "itself"
        click.echo(f"Recorded: topic {each.topic} is shown as {display}.")
