"""`backup` and `restore`: a data directory into one file, and back."""

import time
from functools import partial
from pathlib import Path

import click

from services.cli.connection import GlobalOptions, require_directory
from services.cli.output import show_progress
from services.ledger.wording import format_count


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.pass_obj
def backup(global_options: GlobalOptions, file: Path, *, force: bool) -> None:
    """Back up a data directory to one file.

    A server may keep running on the data directory. The copy is consistent, and every fact is
    checked. Read models are left out, because mutua restore builds them again.

    \b
    Examples:
      mutua backup 2026-11-26.mutua
      mutua --data ./programme-data backup /mnt/backups/latest.mutua --force
    """
    from services.app import backup as backups

    require_directory(global_options, "mutua backup")
    now = time.time_ns() // 1000
    made = backups.backup(
        global_options.data, file, now=now, force=force, progress=partial(_show, "copied")
    )
    click.echo(f"Backed up: {file} holds {format_count(made.record_count, 'fact')}.")
    click.echo(f"To restore it: mutua --data DIRECTORY restore {file}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def restore(global_options: GlobalOptions, file: Path) -> None:
    """Restore a backup.

    Writes into the data directory that --data names, which must be new or empty. Facts that were
    recorded after the backup are lost, and their positions are refused from then on. Positions from
    before the backup remain valid.

    \b
    Example:
      mutua --data ./restored restore 2026-11-26.mutua
    """
    from services.app import backup as backups
    from services.ledger.times import instant_to_datetime

    require_directory(global_options, "mutua restore")
    made, report = backups.restore(file, global_options.data, progress=_show)
    if not report.ok:
        for difference in report.differences:
            click.echo(difference)
        raise click.ClickException("the answers are not those of the log; see above.")
    at = f"{instant_to_datetime(made.made_time):%Y-%m-%d %H:%M} UTC"
    click.echo(
        f"Verified: {global_options.data} holds {format_count(report.fact_count, 'fact')}, "
        f"all that was recorded until {at}."
    )
    click.echo(f"Next: {global_options.command} status")


def _show(what: str, done: int, total: int) -> None:
    show_progress(f"{done:,} of {format_count(total, 'record')} {what}", is_last=done == total)
