"""`pairings`: which organizations the programme binds together."""

import click

from mutua.v1.event_pb2 import PairingChoice
from mutua.v1.query_service_pb2 import Pairing
from services.cli.common_options import CSV_FORMAT_OPTION
from services.cli.connection import GlobalOptions, open_client, warn_if_empty
from services.cli.messages import warning_lines
from services.cli.organization_names import CommandLineDirectory
from services.cli.output import (
    Column,
    describe_basis,
    to_csv,
    to_dictionary,
    to_iso,
    to_json,
    to_table,
)
from services.cli.parameters import words_by_number


@click.command()
@CSV_FORMAT_OPTION
@click.pass_obj
def pairings(global_options: GlobalOptions, form: str) -> None:
    """Show which organizations are paired.

    A pairing binds two organizations of the programme, such as an exemplar and its follower, up to
    the day before its end. `mutua import pairings` records them.

    \b
    Examples:
      mutua pairings
      mutua pairings --format csv
    """
    with open_client(global_options, write=False, purpose="mutua pairings") as client:
        answer = client.get_pairings()
        rows = list(answer.pairings)
        if not rows:
            warn_if_empty(global_options, client.get_status())
        directory = CommandLineDirectory(client.list_organizations() if form == "table" else ())
    if form == "json":
        rows_by_name = {"pairings": [to_dictionary(row) for row in rows]}
        click.echo(to_json(rows_by_name | describe_basis(answer)))
        return
    if form == "csv":
        click.echo(to_csv(rows, Pairing.DESCRIPTOR))
    else:
        click.echo(to_table(rows, _columns(directory)) or "No pairings.")
    for line in warning_lines(answer.warnings):
        click.echo(line, err=True)


def _columns(directory: CommandLineDirectory) -> list[Column[Pairing]]:
    choices = words_by_number(PairingChoice.items())
    return [
        Column("organization", lambda row: directory.label(row.a)),
        Column("paired with", lambda row: directory.label(row.b)),
        Column("from", lambda row: to_iso(row.from_date)),
        Column("before", lambda row: to_iso(row.to_date) if row.HasField("to_date") else ""),
        Column("chosen by", lambda row: choices[row.chosen_by] if row.chosen_by else ""),
        Column("batch", lambda row: row.batch),
    ]
