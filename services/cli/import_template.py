"""`import template`: an Excel workbook to fill in."""

import shlex
from pathlib import Path

import click

from mutua import MutuaError as ClientError
from mutua.v1.query_service_pb2 import Organization
from services.cli.connection import GlobalOptions, open_client
from services.ledger.errors import ForeignDataError
from services.ledger.wording import format_count


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.pass_obj
def template(global_options: GlobalOptions, file: Path, *, force: bool) -> None:
    """Write an Excel workbook to fill in.

    It has the columns of an import, and lists the roster's organizations, if there are any, as
    givers and receivers. The workbook contains the name of its batch, so the file may be renamed.

    \b
    Examples:
      mutua import template exchanges.xlsx
      mutua import template exchanges.xlsx --force
    """
    if file.suffix.lower() != ".xlsx":
        raise click.UsageError(f"{file}: name a file that ends in .xlsx.")
    if file.exists() and not force:
        raise click.ClickException(
            f"{file} is there already, and what is filled in would be lost: name another file, or "
            "say --force."
        )
    from services.imports import template as workbook
    from services.imports.batch_property import make_batch_name

    organizations = _roster(global_options)
    file.write_bytes(workbook.make_template(organizations, batch=make_batch_name(file)))
    chosen = len(workbook.list_party_names(organizations))
    roster = (
        f"Givers and receivers can be chosen from {format_count(chosen, 'organization')}."
        if chosen
        else "Nobody is on the roster, so that givers and receivers are typed."
    )
    click.echo(f"Wrote {file}. {roster}")
    click.echo(
        f"Fill it in, then: {global_options.command} import exchanges "
        f"{shlex.quote(str(file))} --dry-run"
    )


def _roster(global_options: GlobalOptions) -> list[Organization]:
    """The organizations known; none where nothing was recorded yet."""
    try:
        with open_client(global_options, write=False, purpose="mutua import template") as client:
            return list(client.list_organizations())
    except ClientError as error:
        if error.reason != ForeignDataError.reason:
            raise
        click.echo(f"No roster: {error.message}", err=True)
        return []
