"""`exchange`, `confirm`, `dispute`: one exchange, and what its other side says of it."""

from typing import Final

import click

from mutua import Client
from mutua.v1.event_pb2 import Event, ExchangeConfirmed, ExchangeDisputed
from mutua.v1.query_service_pb2 import (
    EXCHANGE_STATE_RETRACTED,
    ExchangeStatement,
    GetExchangeResponse,
)
from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_DAY,
    REPORT_SIDE_GIVER,
    REPORT_SIDE_RECEIVER,
    REPORT_SIDE_THIRD_PARTY,
    Text,
)
from services.cli.common_options import FORMAT_OPTION, SOURCE
from services.cli.connection import GlobalOptions, open_client
from services.cli.dates import format_occurrence
from services.cli.exchange_summary import describe_exchange, summarize_revision
from services.cli.organization_names import CommandLineDirectory, resolve_names
from services.cli.output import to_dictionary, to_json
from services.cli.value_parsers import fetch_topic_labels
from services.notation.exchange_cells import current_revision

SIDES: Final = {
    REPORT_SIDE_GIVER: "the givers' side",
    REPORT_SIDE_RECEIVER: "the receivers' side",
    REPORT_SIDE_THIRD_PARTY: "a third party",
}
PARTY_OPTION: Final = click.option(
    "--party", default="", help="Who says so; default is the organization of --as."
)


@click.command()
@click.argument("exchange_id", metavar="EXCHANGE")
@FORMAT_OPTION
@click.pass_obj
def exchange(global_options: GlobalOptions, exchange_id: str, form: str) -> None:
    """Show one exchange and who confirms it.

    \b
    Example:
      mutua exchange 018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f
    """
    with open_client(global_options, write=False, purpose="mutua exchange") as client:
        answer = client.get_exchange(exchange_id)
        if form == "json":
            click.echo(to_json(to_dictionary(answer)))
            return
        for line in _describe(client, answer):
            click.echo(line)


@click.command()
@click.argument("exchange_id", metavar="EXCHANGE")
@PARTY_OPTION
@click.option("--note", default="", help="A remark.")
@FORMAT_OPTION
@click.pass_obj
def confirm(
    global_options: GlobalOptions, exchange_id: str, party: str, note: str, form: str
) -> None:
    """Confirm what another side reported.

    Only an organization on the side that did not report the exchange can confirm it. A later
    correction of its parties, its kind or its day by more than a few days voids this.

    \b
    Examples:
      mutua --as Millbury confirm 018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f
      mutua confirm 018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f --party Millbury --note "on the phone"
    """
    _record(global_options, exchange_id, party, note, form, agrees=True)


@click.command()
@click.argument("exchange_id", metavar="EXCHANGE")
@PARTY_OPTION
@click.option("--note", required=True, help="Why the organization does not agree.")
@FORMAT_OPTION
@click.pass_obj
def dispute(
    global_options: GlobalOptions, exchange_id: str, party: str, note: str, form: str
) -> None:
    """Dispute what another side reported.

    The exchange still counts. A later confirmation by the same organization ends the dispute.

    \b
    Example:
      mutua --as Millbury dispute 018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f --note "was not us"
    """
    if not note.strip():
        raise click.UsageError("--note is empty: say why, so that the other side can correct it.")
    _record(global_options, exchange_id, party, note, form, agrees=False)


def _record(
    global_options: GlobalOptions,
    exchange_id: str,
    party: str,
    note: str,
    form: str,
    *,
    agrees: bool,
) -> None:
    typed = party or global_options.organization
    if not typed:
        raise click.UsageError("say who says so: --party ORGANIZATION, or --as before the command.")
    word = "confirm" if agrees else "dispute"
    with open_client(global_options, write=True, purpose=f"mutua {word}") as client:
        answer = client.get_exchange(exchange_id)
        if answer.exchange.state == EXCHANGE_STATE_RETRACTED:
            raise click.ClickException(f"exchange {exchange_id} was retracted, which is final.")
        directory = CommandLineDirectory(client.list_organizations())
        party_id = resolve_names([typed], directory, yes=False).ids[typed]
        event = Event(source=SOURCE)
        fact: ExchangeConfirmed | ExchangeDisputed
        fact = event.exchange_confirmed if agrees else event.exchange_disputed
        fact.exchange_id, fact.party = answer.exchange.exchange_id, party_id
        if note:
            fact.note.CopyFrom(Text(plain=note))
        position = client.record([event])
        answer = client.get_exchange(exchange_id, min_position=position)
        if event.event_id not in {each.event_id for each in answer.statements}:
            raise click.ClickException(
                f"{directory.label(party_id)} is no organization on the side that did not report "
                "this exchange, so the statement was set aside: see "
                f"{global_options.command} exchange {exchange_id}."
            )
        if form == "json":
            click.echo(to_json({"event_id": event.event_id, "position": position}))
            return
        for line in _describe(client, answer):
            click.echo(line)


def _describe(client: Client, answer: GetExchangeResponse) -> list[str]:
    """The exchange in a sentence, whether it is confirmed, and every statement on a line."""
    directory = CommandLineDirectory(client.list_organizations())
    revision = current_revision(answer.exchange)
    summary = summarize_revision(revision)
    labels = fetch_topic_labels(client) if summary.content.topics else {}
    if answer.exchange.state == EXCHANGE_STATE_RETRACTED:
        standing = "Retracted: it counts nowhere."
    elif answer.is_disputed:
        standing = "Disputed: it counts, until it is corrected or retracted."
    elif answer.is_confirmed:
        standing = "Confirmed: two sides stand by it."
    else:
        standing = "Not confirmed by another side."
    side = SIDES.get(answer.reporting_side, "one of its parties")
    recorder = f", {directory.label(revision.recorded_by)}," if revision.recorded_by else ""
    day = format_occurrence(revision.record_time, OCCUR_PRECISION_DAY)
    return [
        describe_exchange(summary, directory, labels),
        f"Reported by {side}{recorder} on {day}.",
        standing,
        *(_describe_statement(each, directory) for each in answer.statements),
    ]


def _describe_statement(statement: ExchangeStatement, directory: CommandLineDirectory) -> str:
    verb = "confirmed" if statement.agrees else "disputed"
    note = f": “{statement.note.plain}”" if statement.note.plain else ""
    ended = "" if statement.is_current else " (no longer holds)"
    day = format_occurrence(statement.record_time, OCCUR_PRECISION_DAY)
    return f"{directory.label(statement.party)} {verb} it on {day}{note}{ended}."
