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
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def template(settings: GlobalOptions, file: Path, *, force: bool) -> None:
    """Write an Excel workbook with the columns of an import; what is filled in imports as it is.

    Givers and receivers are chosen from the roster, if there is one. The workbook carries the name
    of its batch: it may be renamed, and another workbook may have its name.

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

    organizations = _roster(settings)
    file.write_bytes(workbook.make_template(organizations, batch=make_batch_name(file)))
    chosen = len(workbook.list_party_names(organizations))
    roster = (
        f"Givers and receivers can be chosen from {format_count(chosen, 'organization')}."
        if chosen
        else "Nobody is on the roster, so that givers and receivers are typed."
    )
    click.echo(f"Wrote {file}. {roster}")
    click.echo(
        f"Fill it in, then: {settings.command} import exchanges {shlex.quote(str(file))} --dry-run"
    )


def _roster(settings: GlobalOptions) -> list[Organization]:
    """The organizations known; none where nothing was recorded yet."""
    try:
        with open_client(settings, write=False, purpose="mutua import template") as client:
            return list(client.list_organizations())
    except ClientError as error:
        if error.reason != ForeignDataError.reason:
            raise
        click.echo(f"No roster: {error.message}", err=True)
        return []
