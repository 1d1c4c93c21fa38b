"""`nothing-to-report`: records that an organization shared nothing in a month."""

from datetime import UTC, date, datetime, timedelta

import click

from mutua.v1.event_pb2 import Event, NothingToReport
from mutua.v1.types_pb2 import OCCUR_PRECISION_MONTH
from services.cli.common_options import FORMAT_OPTION, SOURCE
from services.cli.connection import GlobalOptions, open_client
from services.cli.dates import parse_period
from services.cli.exchange_commands import ACCEPT_NAMES_OPTION
from services.cli.organization_names import CommandLineDirectory, resolve_names
from services.cli.output import to_json
from services.cli.parameters import ParsedParameter
from services.ledger.times import DAY, date_to_day, instant_to_datetime
from services.notation.dates import Moment


def parse_month(typed: str) -> Moment:
    """Reads 2026-03. Raises ValueError with what to type instead."""
    period = parse_period(typed)
    if period.precision != OCCUR_PRECISION_MONTH:
        raise ValueError(f"{typed!r} is no month: type 2026-03, and say it for each month.")
    return period


@click.command("nothing-to-report")
@click.argument("organization")
@click.argument("month", type=ParsedParameter("month", parse_month), required=False)
@ACCEPT_NAMES_OPTION
@FORMAT_OPTION
@click.pass_obj
def nothing_to_report(
    global_options: GlobalOptions, organization: str, month: Moment | None, form: str, *, yes: bool
) -> None:
    """Record a month without exchanges.

    An organization states that it gave and received nothing in a month; the default is last month.
    Answers do not distinguish this from silence yet. Exchanges in that month still count.

    \b
    Examples:
      mutua nothing-to-report Thornwick
      mutua --as T-02 nothing-to-report T-02 2026-03
    """
    period = month or _last_month(datetime.now(UTC).date())
    with open_client(global_options, write=True, purpose="mutua nothing-to-report") as client:
        directory = CommandLineDirectory(client.list_organizations())
        names = resolve_names([organization], directory, yes=yes)
        organization_id = names.ids[organization]
        event = Event(
            occur_time=period.timestamp,
            occur_precision=period.precision,
            source=SOURCE,
            nothing_to_report=NothingToReport(organization_id=organization_id),
        )
        position = client.record([event])
    if form == "json":
        click.echo(to_json({"event_id": event.event_id, "position": position}))
    else:
        label = directory.label(organization_id)
        click.echo(
            f"Recorded: {label} had nothing to report for "
            f"{instant_to_datetime(period.instant):%Y-%m}."
        )
        click.echo("If it did share something then, log that: exchanges count all the same.")
    for line in names.describe_new_names(directory, "say it again of that one."):
        click.echo(line, err=True)


def _last_month(today: date) -> Moment:
    last = today.replace(day=1) - timedelta(days=1)
    return Moment(date_to_day(last.replace(day=1)) * DAY, OCCUR_PRECISION_MONTH)
