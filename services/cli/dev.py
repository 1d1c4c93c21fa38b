"""`dev`: the whole cluster on one machine, for development."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from services.cli.output import Column, to_json, to_table
from services.cli.recording import FORMAT
from services.cli.server import show_verified, tell_report

if TYPE_CHECKING:
    from services.dev.supervisor import Process

DIRECTORY: Final = click.option(
    "--dir",
    "path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("mutua-dev"),
    show_default=True,
    help="Directory of the cluster.",
)
COLUMNS: Final[tuple[Column["Process"], ...]] = (
    Column("name", lambda each: each.name),
    Column("process", lambda each: str(each.pid or ""), is_number=True),
    Column("state", lambda each: each.state),
    Column("restarts", lambda each: str(each.restarts or ""), is_number=True),
    Column("address", lambda each: each.address),
    Column("metrics", lambda each: each.metrics),
)


@click.group()
def dev() -> None:
    """Run the whole cluster on this machine: Kafka, PostgreSQL and the services.

    \b
    Examples:
      mutua dev up
      mutua dev status
      mutua dev logs ingest-1 -f
      mutua dev down
    """


@dev.command()
@DIRECTORY
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Of the topic, when it is made; a programme lies in one of them.",
)
def up(path: Path, partitions: int) -> None:
    """Run the cluster until told to stop (Ctrl-C, SIGTERM or mutua dev down).

    It needs Java 17, Maven (the first time, to fetch the broker) and PostgreSQL. Data stay in the
    directory; a program that ends is started again.

    \b
    Examples:
      mutua dev up
      mutua dev up --dir ./cluster --partitions 12
    """
    from services.dev import cluster

    cluster.up(path, partitions=partitions, say=click.echo)


@dev.command()
@DIRECTORY
@FORMAT
def status(path: Path, form: str) -> None:
    """Show what runs. Exits 1 while the cluster is not ready, or does not run.

    \b
    Examples:
      mutua dev status
      mutua dev status --dir ./cluster --format json
    """
    from services.dev import cluster

    told = cluster.status(path)
    if form == "json":
        processes = [asdict(each) for each in told.processes]
        click.echo(to_json({"server": told.server, "processes": processes}))
    else:
        click.echo(to_table(told.processes, COLUMNS))
        click.echo()
        if told.server:
            click.echo(f"export MUTUA_SERVER={told.server}")
        elif any(each.pid for each in told.processes):
            click.echo(f"The cluster is not ready; mutua dev logs --dir {path} says why.")
        else:
            click.echo(f"The cluster does not run: mutua dev up --dir {path}")
    sys.exit(0 if told.server else 1)


@dev.command()
@DIRECTORY
@click.argument("name", default="")
@click.option("--follow", "-f", is_flag=True, help="Go on with what they say from now on.")
def logs(path: Path, name: str, *, follow: bool) -> None:
    """Show what the programs said, or one of them (mutua dev status has their names).

    \b
    Examples:
      mutua dev logs
      mutua dev logs projector-1 -f
    """
    from services.dev.directory import DevDirectory

    opened = DevDirectory(path)
    opened.require_started()
    for line in opened.lines(name, follow=follow):
        click.echo(line)


@dev.command()
@DIRECTORY
@FORMAT
def verify(path: Path, form: str) -> None:
    """Fold the whole log anew and compare every table with it. Exits 1 on any difference.

    \b
    Examples:
      mutua dev verify
      mutua dev verify --dir ./cluster --format json
    """
    from services.dev import cluster

    tell_report(cluster.verify(path, progress=show_verified), form)


@dev.command()
@DIRECTORY
def down(path: Path) -> None:
    """End the cluster, and whatever is left of one. Its data stay.

    \b
    Examples:
      mutua dev down
      mutua dev down --dir ./cluster
    """
    from services.dev.directory import DevDirectory

    ended = DevDirectory(path).end()
    click.echo("The cluster has ended; its data stay." if ended else "Nothing runs.")
