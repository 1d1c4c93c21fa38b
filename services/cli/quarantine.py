"""`quarantine`: shows facts that can never apply and sends them again."""

import json
import sys
from pathlib import Path

import click
from google.protobuf.json_format import ParseDict, ParseError

from mutua import Client
from mutua import MutuaError as ClientError
from mutua.ids import resubmission_id
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import (
    QUARANTINE_REASON_EVENT_ID_REUSED,
    Exchange,
    QuarantinedRecord,
)
from services.adapters.wire.json_dates import with_message_dates
from services.cli.common_options import CSV_FORMAT_OPTION, FORMAT_OPTION, STDIN
from services.cli.connection import GlobalOptions, open_client, warn_if_empty
from services.cli.exchange_summary import (
    describe_changes,
    details,
    summarize_revision,
)
from services.cli.messages import warning_lines
from services.cli.organization_names import CommandLineDirectory
from services.cli.output import describe_basis, to_csv, to_dictionary, to_json, to_table
from services.cli.quarantined_record import (
    SERVER_SET_FIELDS,
    build_resubmission,
    columns,
    describe_record,
    is_retracted,
    needs_fixing,
    summarize_fact,
    to_editable,
)
from services.notation.exchange_cells import current_revision


@click.group()
def quarantine() -> None:
    """Show and resubmit quarantined facts.

    A quarantined fact can never apply and counts nowhere.

    \b
    Examples:
      mutua quarantine list
      mutua quarantine show 12
      mutua quarantine resubmit 12
    """


@quarantine.command("list")
@CSV_FORMAT_OPTION
@click.pass_obj
def list_records(global_options: GlobalOptions, form: str) -> None:
    """List the quarantined facts.

    The other commands take the number in the first column.

    \b
    Examples:
      mutua quarantine list
      mutua quarantine list --format csv
    """
    with open_client(global_options, write=False, purpose="mutua quarantine") as client:
        pages = client.list_quarantine()
        rows = list(pages)
        if not rows:
            warn_if_empty(global_options, client.get_status())
        directory = CommandLineDirectory(client.list_organizations() if form == "table" else ())
    if form == "json":
        rows_by_name = {"records": [to_dictionary(row) for row in rows]}
        click.echo(to_json(rows_by_name | describe_basis(pages)))
        return
    for line in warning_lines(pages.warnings):
        click.echo(line, err=True)
    if form == "csv":
        click.echo(to_csv(rows, QuarantinedRecord.DESCRIPTOR))
    elif not rows:
        click.echo("No fact is in quarantine.")
    else:
        click.echo(to_table(rows, columns(directory)))
        click.echo(
            f"\nWhat to do about one: {global_options.command} quarantine show {rows[0].offset}"
        )


@quarantine.command()
@click.argument("offset", metavar="NUMBER", type=click.IntRange(min=0))
@FORMAT_OPTION
@click.pass_obj
def show(global_options: GlobalOptions, offset: int, form: str) -> None:
    """Show a quarantined fact and its remedy.

    Shows why the fact cannot apply, what to do, and the current state of its exchange.

    \b
    Examples:
      mutua quarantine show 12
      mutua quarantine show 12 --format json > fact.json
    """
    with open_client(global_options, write=False, purpose="mutua quarantine") as client:
        record = _find(client, offset, global_options)
        exchange = _find_exchange(client, record)
        directory = CommandLineDirectory(client.list_organizations() if form == "table" else ())
    if form == "table":
        for line in describe_record(record, exchange, directory, global_options):
            click.echo(line)
        return
    document = to_dictionary(record)
    if record.HasField("event"):
        document["fact"] = to_editable(build_resubmission(record, exchange))
    if exchange is not None:
        document["exchange"] = to_dictionary(exchange)
    click.echo(to_json(document))


@quarantine.command()
@click.argument("offset", metavar="NUMBER", type=click.IntRange(min=0))
@click.option(
    "--fact",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    help="File with the edited fact, as written by show --format json; - is stdin.",
)
@click.option("--yes", is_flag=True, help="Send a stale correction again without asking.")
@FORMAT_OPTION
@click.pass_obj
def resubmit(
    global_options: GlobalOptions, offset: int, file: Path | None, form: str, *, yes: bool
) -> None:
    """Send a quarantined fact again.

    The fact gets a new event id, always the same, so it counts once. A fact whose id was taken is
    sent unchanged. A stale correction is applied to the current revision, after showing the
    difference. Edit any other fact first and name its file with --fact.

    \b
    Examples:
      mutua quarantine resubmit 12
      mutua quarantine resubmit 12 --fact fact.json
    """
    with open_client(global_options, write=True, purpose="mutua quarantine") as client:
        record = _find(client, offset, global_options)
        if record.resubmitted_as:
            raise click.ClickException(
                f"record {offset} was resubmitted already, as {record.resubmitted_as}, and counts "
                "once: nothing was recorded. If that one is wrong too, correct it."
            )
        if file is not None:
            event = _read_fact(file, record, client.programme)
        else:
            event = _build_unedited(client, record, global_options, is_sure=yes)
        event.event_id = resubmission_id(client.programme, record.record)
        event.programme_id = client.programme
        position = client.record([event])
        again = _set_aside_again(client, event.event_id, position)
    if form == "json":
        answer = {"offset": offset, "event_id": event.event_id, "position": position}
        click.echo(to_json(answer))
    else:
        click.echo(f"Resubmitted: record {offset} is now fact {event.event_id}.")
    if again is not None:
        raise click.ClickException(
            f"that fact can not apply either: {again.detail}. It is record {again.offset} in the "
            f"quarantine: {global_options.command} quarantine show {again.offset}"
        )


def _find(client: Client, offset: int, global_options: GlobalOptions) -> QuarantinedRecord:
    position = client.get_status().log_position
    record = next(iter(client.list_quarantine(offsets=[offset], min_position=position)), None)
    if record is None:
        raise click.ClickException(
            f"no record {offset} is in the quarantine of programme {client.programme!r}: "
            f"{global_options.command} quarantine list shows their numbers."
        )
    return record


def _find_exchange(client: Client, record: QuarantinedRecord) -> Exchange | None:
    """The exchange of a fact; None if the log has none."""
    event = record.event
    match event.WhichOneof("fact"):
        case "exchange_corrected":
            exchange_id = event.exchange_corrected.exchange_id
        case "exchange_retracted":
            exchange_id = event.exchange_retracted.exchange_id
        case "exchange_recorded":
            exchange_id = event.event_id
        case _:
            return None
    return next(iter(client.list_exchanges(exchange_ids=[exchange_id])), None)


def _read_fact(file: Path, record: QuarantinedRecord, programme: str) -> Event:
    """The fact in a file: one alone, or what `show` writes. Raises ClickException."""
    name = "stdin" if file == STDIN else str(file)
    event = Event()
    try:
        document = json.loads(sys.stdin.buffer.read() if file == STDIN else file.read_bytes())
        if not isinstance(document, dict):
            raise ValueError("it is no object")
        fact = with_message_dates(document.get("fact", document), Event.DESCRIPTOR)
        ParseDict(fact, event)
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise click.ClickException(
            f"{name} holds no fact ({str(error).partition(chr(10))[0]}): give what quarantine show "
            "--format json writes, with its member fact fixed."
        ) from None
    own = resubmission_id(programme, record.record)
    if event.event_id not in ("", own, record.event.event_id):
        raise click.ClickException(
            f"{name}: event_id is {event.event_id}; leave it out, the fact gets {own}."
        )
    if event.programme_id not in ("", programme):
        raise click.ClickException(
            f"{name}: programme_id is {event.programme_id}, and the record is in {programme}; "
            "leave it out."
        )
    for field in ("event_id", "programme_id", *SERVER_SET_FIELDS):
        event.ClearField(field)
    if needs_fixing(record) and event == build_resubmission(record, None):
        raise click.ClickException(
            f"{name}: the fact is what it was when it was set aside, since: {record.detail}. Fix "
            "that first."
        )
    return event


def _build_unedited(
    client: Client, record: QuarantinedRecord, global_options: GlobalOptions, *, is_sure: bool
) -> Event:
    """What can be sent without anybody fixing it. Raises ClickException for the rest."""
    command = f"{global_options.command} quarantine"
    if needs_fixing(record):
        raise click.ClickException(
            f"record {record.offset} has to be fixed first: {record.detail}. "
            f"Type {command} show {record.offset} --format json > fact.json, change its member "
            f"fact, then {command} resubmit {record.offset} --fact fact.json"
        )
    if record.reason == QUARANTINE_REASON_EVENT_ID_REUSED:
        return build_resubmission(record, None)
    exchange = _find_exchange(client, record)
    if exchange is None or is_retracted(exchange):
        raise click.ClickException(
            "the exchange was retracted, which is final: there is nothing to correct any more."
        )
    directory = CommandLineDirectory(client.list_organizations())
    now = details(summarize_revision(current_revision(exchange)), directory)
    differences = describe_changes(now, details(summarize_fact(record.event), directory))
    click.echo(
        f"Exchange {exchange.exchange_id}, from its content now to the correction:", err=True
    )
    for line in differences or ["nothing that is shown here would change"]:
        click.echo(f"  {line}", err=True)
    if not is_sure:
        _require_yes(command, record.offset)
    return build_resubmission(record, exchange)


def _require_yes(command: str, offset: int) -> None:
    if not sys.stdin.isatty():
        raise click.ClickException(
            f"nothing was recorded: if that is right, {command} resubmit {offset} --yes"
        )
    if not click.confirm("Record it?", err=True):
        raise click.ClickException("nothing was recorded.")


def _set_aside_again(client: Client, event_id: str, position: str) -> QuarantinedRecord | None:
    """The record that the fact at `position` is in the quarantine, when it came to that."""
    try:
        for record in client.list_quarantine(min_position=position):
            if record.event.event_id == event_id:
                return record
    except ClientError as error:
        click.echo(f"It is recorded; answers do not show it yet: {error.message}", err=True)
    return None
