"""`import list` and `import undo`: what was imported, and how to take it back."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click
from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.query_service_pb2 import Batch
from services.cli.common_options import CSV_FORMAT_OPTION, FORMAT_OPTION, YES_OPTION
from services.cli.connection import GlobalOptions, is_typed, open_client, warn_if_empty
from services.cli.messages import format_amount, format_unless_zero, warning_lines
from services.cli.output import (
    Column,
    describe_basis,
    show_progress,
    to_csv,
    to_dictionary,
    to_json,
    to_table,
)
from services.ledger.wording import format_count

if TYPE_CHECKING:
    from services.imports.undo import UndoReport

COLUMNS: Final[tuple[Column[Batch], ...]] = (
    Column("batch", lambda row: row.batch),
    Column("recorded for", lambda row: row.recorded_by),
    Column("generation", lambda row: format_amount(row.generation), True),
    Column("exchanges", lambda row: format_unless_zero(row.exchange_count), True),
    Column("retracted", lambda row: format_unless_zero(row.retracted_count), True),
    Column("corrections", lambda row: format_unless_zero(row.correction_count), True),
    Column("organizations", lambda row: format_unless_zero(row.organization_count), True),
    Column("pairings", lambda row: format_unless_zero(row.pairing_count), True),
    Column("first (UTC)", lambda row: _minute(row.first_record_time)),
    Column("last (UTC)", lambda row: _minute(row.last_record_time)),
    Column("", lambda row: "undone" if row.undone else ""),
)


@click.command("list")
@CSV_FORMAT_OPTION
@click.pass_obj
def list_batches(global_options: GlobalOptions, form: str) -> None:
    """List what was imported, by batch.

    \b
    Examples:
      mutua import list
      mutua import list --format csv
    """
    with open_client(global_options, write=False, purpose="mutua import list") as client:
        pages = client.list_batches()
        rows = list(pages)
        if not rows:
            warn_if_empty(global_options, client.get_status())
    if form == "json":
        rows_by_name = {"batches": [to_dictionary(row) for row in rows]}
        click.echo(to_json(rows_by_name | describe_basis(pages)))
        return
    if form == "csv":
        click.echo(to_csv(rows, Batch.DESCRIPTOR))
    else:
        click.echo(to_table(rows, COLUMNS) or "Nothing was imported.")
    for line in warning_lines(pages.warnings):
        click.echo(line, err=True)


@click.command()
@click.argument("batch")
@YES_OPTION
@FORMAT_OPTION
@click.pass_obj
def undo(global_options: GlobalOptions, batch: str, form: str, *, yes: bool) -> None:
    """Take back what a batch recorded.

    Its exchanges are retracted and its pairings undone. A retraction is final. If several
    organizations imported a batch of this name, name one with --as. Importing the file again
    records its rows again, as the next generation of the batch.

    \b
    Examples:
      mutua import undo calls-2026
      mutua import undo calls-2026 --yes
      mutua --as Oakdale import undo calls-2026
    """
    from services.imports import ImportInterruptedError, ImportRefusedError
    from services.imports.undo import undo_import

    def confirm(report: "UndoReport") -> bool:
        if yes:
            return True
        question = f"Retract {_undone_count(report)} of {_batch_label(report)}?"
        if not sys.stdin.isatty():
            raise click.UsageError(f"{question} There is no terminal to ask on: say --yes.")
        click.echo("\n".join(_left_alone(report)), err=True)
        return click.confirm(question, err=True)

    try:
        with open_client(global_options, write=True, purpose="mutua import undo") as client:
            sender = client.organization or ("" if is_typed("organization") else None)
            report = undo_import(
                client, batch, sender=sender, confirm=confirm, progress=_show_progress
            )
    except ImportRefusedError as error:
        raise click.ClickException(str(error)) from error
    except ImportInterruptedError as error:
        raise (click.Abort if error.by_user else click.ClickException)(str(error)) from error
    if form == "json":
        click.echo(to_json(asdict(report)))
    else:
        _tell(report, global_options)
    if report.interrupted:
        raise click.Abort(report.notes[-1])


def _tell(report: "UndoReport", global_options: GlobalOptions) -> None:
    if not report.retracted_count and not report.ended_pairing_count:
        earlier = format_count(report.retracted_earlier_count, "exchange")
        click.echo(
            f"Nothing of {_batch_label(report)} is left: {earlier} of it retracted before."
            if report.retracted_earlier_count
            else f"There are no exchanges in {_batch_label(report)}."
        )
    else:
        click.echo(f"{_undone_count(report)} of {_batch_label(report)} undone.")
    for line in (*_left_alone(report), *report.notes):
        click.echo(line)
    click.echo(f"Next: {global_options.command} import list")


def _undone_count(report: "UndoReport") -> str:
    counts = [
        format_count(count, noun)
        for count, noun in (
            (report.retracted_count, "exchange"),
            (report.ended_pairing_count, "pairing"),
        )
        if count
    ]
    return " and ".join(counts)


def _batch_label(report: "UndoReport") -> str:
    recorded_for = f" for {report.recorded_by}" if report.recorded_by else ""
    return f"batch {report.batch}{recorded_for}"


def _left_alone(report: "UndoReport") -> list[str]:
    """What an undo does not undo."""
    lines = []
    if report.organization_count:
        lines.append(
            f"{format_count(report.organization_count, 'fact')} about organizations from "
            "this batch "
            "stay: registering is not undone."
        )
    for each in report.left_retracted:
        reference = f" ({each.reference})" if each.reference else ""
        reason = f", because “{each.reason}”" if each.reason else ""
        lines.append(
            f"Retracted by hand and left so{reference}: {each.what}, exchange "
            f"{each.exchange_id}{reason}."
        )
    if report.corrected_by_hand_count:
        lines.append(
            f"{format_count(report.corrected_by_hand_count, 'exchange')} of it had been "
            "corrected by "
            "hand: importing the file again does not bring those corrections back."
        )
    return lines


def _show_progress(recorded: int, total: int) -> None:
    show_progress(
        f"{recorded:,} of {format_count(total, 'exchange')} retracted", is_last=recorded == total
    )


def _minute(time: Timestamp) -> str:
    return f"{time.ToDatetime():%Y-%m-%d %H:%M}"
