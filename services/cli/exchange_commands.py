"""`log`, `correct` and `retract`: each records one fact and shows how to undo it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import click

from mutua import Client
from mutua import MutuaError as ClientError
from mutua.v1.event_pb2 import (
    Event,
    ExchangeContent,
    ExchangeCorrected,
    ExchangeRecorded,
    ExchangeRetracted,
    ProgrammeConfigured,
)
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Exchange
from mutua.v1.types_pb2 import OCCUR_PRECISION_EXACT, ExchangeKind, Formality, Text
from services.cli.common_options import FORMAT_OPTION, SOURCE
from services.cli.connection import GlobalOptions, open_client
from services.cli.dates import parse_moment, to_timestamp
from services.cli.exchange_summary import (
    ExchangeSummary,
    describe_changes,
    describe_exchange,
    details,
    summarize_revision,
)
from services.cli.organization_names import CommandLineDirectory, ResolvedNames, resolve_names
from services.cli.output import to_json
from services.cli.parameters import EnumChoice, ParsedParameter
from services.cli.value_parsers import (
    NO_TOPIC_WORD,
    TOPIC,
    UNKNOWN_WORD,
    MinutesType,
    fetch_topic_labels,
    read_topics,
    resolve_minutes,
    select_new_labels,
)
from services.notation.dates import Moment
from services.notation.exchange_cells import MINUTE_FIELDS, current_revision
from services.notation.words import KIND_SYNONYMS

MINUTES: Final = MinutesType()  # the server knows the limit of each kind
ACCEPT_NAMES_OPTION: Final = click.option(
    "--yes", is_flag=True, help="Record names that are new as written; do not ask."
)
CONTENT_OPTIONS: Final = (
    click.option("--from", "giver_ids", multiple=True, help="Who gave: id, name or alias."),
    click.option("--to", "receiver_ids", multiple=True, help="Who received."),
    click.option(
        "--with",
        "party_ids",
        multiple=True,
        help="Instead of both, for an exchange without direction: each who took part.",
    ),
    click.option(
        "--kind", type=EnumChoice(ExchangeKind.items(), KIND_SYNONYMS), help="What form it took."
    ),
    click.option(
        "--minutes",
        "giver_minutes",
        type=MINUTES,
        help="Spent by all givers together: 45, 1:30, 1.5 h or half a day.",
    ),
    click.option("--receiver-minutes", type=MINUTES, help="Spent by each receiver."),
    click.option("--benefit-minutes", type=MINUTES, help="Saved by each receiver, so far."),
    click.option(
        "--topic",
        "topics",
        type=TOPIC,
        multiple=True,
        help=f"Such as e-prescribing or IT & data; {NO_TOPIC_WORD} if there is none.",
    ),
    click.option(
        "--formality", type=EnumChoice(Formality.items()), help="Did a planned activity lead to it?"
    ),
    click.option("--note", help="A remark."),
    click.option(
        "--on",
        type=ParsedParameter("date", parse_moment),
        help="2026-03-14; if you know no better 2026-03 or 2026-Q1.",
    ),
)
ContentValues = dict[str, Any]


def takes_content(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options for an exchange's content, passed as keywords; None if not typed."""
    for option in reversed((*CONTENT_OPTIONS, ACCEPT_NAMES_OPTION, FORMAT_OPTION)):
        command = option(command)
    return click.pass_obj(command)


@click.command()
@takes_content
def log(global_options: GlobalOptions, form: str, *, yes: bool, **values: Any) -> None:
    """Record one exchange.

    \b
    Examples:
      mutua log --from Thornwick --to Millbury --kind call --minutes 45
      mutua log --from T-02 --to T-01 --to T-03 --kind webinar --on 2026-03-14
      mutua log --with Thornwick --with Millbury --kind meeting --topic e-prescribing
    """
    _check_parties(values)
    if not values["party_ids"] and not (values["giver_ids"] and values["receiver_ids"]):
        raise click.UsageError("say who gave and who received: --from A --to B.")
    if values["kind"] is None:
        raise click.UsageError("say what form it took: --kind call, or see --help.")
    with open_client(global_options, write=True, purpose="mutua log") as client:
        directory = CommandLineDirectory(client.list_organizations())
        resolve_minutes(client, values, MINUTE_FIELDS)
        names = _resolve_parties(values, directory, yes=yes)
        summary = _apply_values(
            ExchangeSummary(
                content=ExchangeContent(),
                occur_time=to_timestamp(datetime.now(UTC)),
                occur_precision=OCCUR_PRECISION_EXACT,
            ),
            values,
            names,
        )
        event = Event(
            occur_time=summary.occur_time,
            occur_precision=summary.occur_precision,
            source=SOURCE,
            exchange_recorded=ExchangeRecorded(exchange=summary.content),
        )
        labels, label_events = _labels(client, summary, values)
        position = client.record([event, *label_events])
        undo = f"{global_options.command} retract {event.event_id} --reason ..."
        _show_result(
            form,
            event.event_id,
            position,
            f"Recorded: {describe_exchange(summary, directory, labels)}",
            f"Exchange {event.event_id}. To undo it: {undo}",
        )
        _show_new_names(names, directory, undo)
        _await_visible(client, event.event_id, position)


@click.command()
@click.argument("exchange_id", metavar="EXCHANGE")
@takes_content
def correct(
    global_options: GlobalOptions, exchange_id: str, form: str, *, yes: bool, **values: Any
) -> None:
    """Correct a recorded exchange.

    A field that you do not name keeps its value. The word unknown clears minutes that were a guess.

    \b
    Examples:
      mutua correct 018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f --minutes unknown
      mutua correct 018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f --minutes 60
      mutua correct 018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f --to Millbury --on 2026-03-14
    """
    _check_parties(values)
    if all(value in (None, ()) for value in values.values()):
        raise click.UsageError("say what to change, for example --minutes 60.")
    with open_client(global_options, write=True, purpose="mutua correct") as client:
        exchange, position = _find(client, exchange_id)
        revision = current_revision(exchange)
        directory = CommandLineDirectory(client.list_organizations())
        resolve_minutes(client, values, MINUTE_FIELDS)
        before = summarize_revision(revision)
        names = _resolve_parties(values, directory, yes=yes)
        after = _apply_values(before, values, names)
        if after == before:
            _show_result(
                form,
                exchange.exchange_id,
                position,
                "Nothing changed: the exchange already has these values.",
            )
            return
        event = Event(
            occur_time=after.occur_time,
            occur_precision=after.occur_precision,
            visibility=revision.visibility,
            source=SOURCE,
            exchange_corrected=ExchangeCorrected(
                exchange_id=exchange.exchange_id,
                exchange=after.content,
                replaces_event_id=revision.event_id,
            ),
        )
        labels, label_events = _labels(client, after, values, before)
        position = client.record([event, *label_events])
        visible_exchange = _await_visible(client, exchange.exchange_id, position)
        if (
            visible_exchange is not None
            and visible_exchange.revisions[-1].event_id != event.event_id
        ):
            raise click.ClickException(
                "somebody changed this exchange at the same time, so the correction was set "
                f"aside: see {global_options.command} exchanges, then correct it again."
            )
        what = describe_changes(
            details(before, directory, labels), details(after, directory, labels)
        )
        _show_result(
            form,
            exchange.exchange_id,
            position,
            f"Corrected: {describe_exchange(after, directory, labels)}",
            *what,
        )
        undo = f"{global_options.command} correct {exchange.exchange_id} ..."
        _show_new_names(names, directory, undo)


@click.command()
@click.argument("exchange_id", metavar="EXCHANGE")
@click.option("--reason", required=True, help="Why the exchange is retracted.")
@FORMAT_OPTION
@click.pass_obj
def retract(global_options: GlobalOptions, exchange_id: str, reason: str, form: str) -> None:
    """Remove an exchange from every answer.

    A retraction is final.

    \b
    Example:
      mutua retract 018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f --reason "recorded twice"
    """
    if not reason.strip():
        raise click.UsageError("--reason is empty: say why, because a retraction is final.")
    with open_client(global_options, write=True, purpose="mutua retract") as client:
        exchange, _ = _find(client, exchange_id)
        summary = summarize_revision(current_revision(exchange))
        labels = fetch_topic_labels(client) if summary.content.topics else {}
        directory = CommandLineDirectory(client.list_organizations())
        event = Event(
            source=SOURCE,
            exchange_retracted=ExchangeRetracted(
                exchange_id=exchange.exchange_id, reason=Text(plain=reason)
            ),
        )
        position = client.record([event])
        _show_result(
            form,
            exchange.exchange_id,
            position,
            f"Retracted: {describe_exchange(summary, directory, labels)}",
            "This is final: if it did happen, log it again.",
        )
        _await_visible(client, exchange.exchange_id, position)


def _check_parties(values: ContentValues) -> None:
    if values["party_ids"] and (values["giver_ids"] or values["receiver_ids"]):
        raise click.UsageError(
            "--with is for an exchange without direction: "
            "name everybody by --with, or use --from and --to."
        )
    if len(values["party_ids"]) == 1:
        raise click.UsageError("--with needs everybody who took part: give it twice or more.")


def _resolve_parties(
    values: ContentValues, directory: CommandLineDirectory, *, yes: bool
) -> ResolvedNames:
    typed = (*values["giver_ids"], *values["receiver_ids"], *values["party_ids"])
    return resolve_names(typed, directory, yes=yes)


def _apply_values(
    summary: ExchangeSummary, values: ContentValues, names: ResolvedNames
) -> ExchangeSummary:
    """The summary with the typed values in place of its own."""
    content = ExchangeContent()
    content.CopyFrom(summary.content)
    if values["party_ids"]:
        del content.giver_ids[:], content.receiver_ids[:]
    elif values["giver_ids"] or values["receiver_ids"]:
        del content.party_ids[:]
    for field in ("giver_ids", "receiver_ids", "party_ids"):
        if values[field]:
            getattr(content, field)[:] = dict.fromkeys(names.ids[typed] for typed in values[field])
    for field in ("kind", "formality"):
        if values[field] is not None:
            setattr(content, field, values[field])
    _apply_minutes(content, values)
    if values["topics"]:
        content.topics[:], _ = read_topics(values["topics"])
    if values["note"] is not None:
        content.note.plain = values["note"]
    moment: Moment | None = values["on"]
    return ExchangeSummary(
        content=content,
        occur_time=moment.timestamp if moment else summary.occur_time,
        occur_precision=moment.precision if moment else summary.occur_precision,
    )


def _labels(
    client: Client,
    summary: ExchangeSummary,
    values: ContentValues,
    before: ExchangeSummary | None = None,
) -> tuple[dict[str, str], list[Event]]:
    """Labels by topic, and the fact that records the topics typed as labels."""
    if not summary.content.topics and not (before and before.content.topics):
        return {}, []
    programme_labels = fetch_topic_labels(client)
    _, typed_labels = read_topics(values["topics"])
    topics = select_new_labels(typed_labels, programme_labels)
    fact = ProgrammeConfigured(topics=topics)
    label_events = [Event(source=SOURCE, programme_configured=fact)] if topics else []
    return {**typed_labels, **programme_labels}, label_events


def _apply_minutes(content: ExchangeContent, values: ContentValues) -> None:
    for field in MINUTE_FIELDS:
        if values[field] == UNKNOWN_WORD:
            content.ClearField(field)
        elif values[field] is not None:
            setattr(content, field, values[field])


def _find(client: Client, exchange_id: str) -> tuple[Exchange, str]:
    """A standing exchange and the position it was read at. Raises ClickException."""
    pages = client.list_exchanges(exchange_ids=[exchange_id.strip().lower()])
    exchange = next(iter(pages), None)
    if exchange is None:
        raise click.ClickException(
            f"no exchange {exchange_id!r} in programme {client.programme!r}: "
            "`mutua exchanges` shows their ids."
        )
    if exchange.state == EXCHANGE_STATE_RETRACTED:
        raise click.ClickException(f"exchange {exchange_id} was retracted, which is final.")
    return exchange, pages.position


def _await_visible(client: Client, exchange_id: str, position: str) -> Exchange | None:
    """The exchange once the fact at `position` is visible; None, with a note, while it is not.

    The fact is on the log by now, so a slow or failing read is not a failure of the command.
    """
    try:
        exchanges = client.list_exchanges(exchange_ids=[exchange_id], min_position=position)
        return next(iter(exchanges), None)
    except ClientError as error:
        click.echo(f"It is recorded; answers do not show it yet: {error.message}", err=True)
        return None


def _show_result(form: str, exchange_id: str, position: str, *lines: str) -> None:
    if form == "json":
        lines = (to_json({"exchange_id": exchange_id, "position": position}),)
    for line in lines:
        click.echo(line)


def _show_new_names(names: ResolvedNames, directory: CommandLineDirectory, undo: str) -> None:
    for line in names.describe_new_names(directory, undo):
        click.echo(line, err=True)
