"""`dev`: the whole cluster on one machine, for development."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from services.cli.common_options import FORMAT_OPTION
from services.cli.output import Column, to_json, to_table
from services.cli.server import show_report_and_exit, show_verification_progress

if TYPE_CHECKING:
    from services.dev.supervisor import ProcessStatus

DIRECTORY_OPTION: Final = click.option(
    "--dir",
    "path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("mutua-dev"),
    show_default=True,
    help="Directory of the cluster.",
)
COLUMNS: Final[tuple[Column["ProcessStatus"], ...]] = (
    Column("name", lambda each: each.name),
    Column("process", lambda each: str(each.pid or ""), is_number=True),
    Column("state", lambda each: each.state),
    Column("restarts", lambda each: str(each.restarts or ""), is_number=True),
    Column("address", lambda each: each.address),
    Column("metrics", lambda each: each.metrics),
)


@click.group()
def dev() -> None:
    """Run a whole cluster on this machine.

    The cluster has Kafka, PostgreSQL and the services.

    \b
    Examples:
      mutua dev up
      mutua dev status
      mutua dev logs ingest-1 -f
      mutua dev down
    """


@dev.command()
@DIRECTORY_OPTION
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Partitions of a new topic; a programme is stored in one.",
)
def up(path: Path, partitions: int) -> None:
    """Run the cluster.

    It runs until Ctrl-C, SIGTERM or mutua dev down. It needs Java 17, PostgreSQL and, the first
    time, Maven to download the broker. Data remain in the directory; a program that ends is
    restarted.

    \b
    Examples:
      mutua dev up
      mutua dev up --dir ./cluster --partitions 12
    """
    from services.dev import cluster

    cluster.run_cluster(path, partitions=partitions, report=click.echo)


@dev.command()
@DIRECTORY_OPTION
@FORMAT_OPTION
def status(path: Path, form: str) -> None:
    """Show the cluster's processes.

    Exits 1 while the cluster is not ready or not running.

    \b
    Examples:
      mutua dev status
      mutua dev status --dir ./cluster --format json
    """
    from services.dev import cluster

    cluster_state = cluster.read_status(path)
    if form == "json":
        processes = [asdict(each) for each in cluster_state.processes]
        click.echo(to_json({"server": cluster_state.server, "processes": processes}))
    else:
        click.echo(to_table(cluster_state.processes, COLUMNS))
        click.echo()
        if cluster_state.server:
            click.echo(f"export MUTUA_SERVER={cluster_state.server}")
        elif any(each.pid for each in cluster_state.processes):
            click.echo(f"The cluster is not ready; mutua dev logs --dir {path} shows why.")
        else:
            click.echo(f"The cluster does not run: mutua dev up --dir {path}")
    sys.exit(0 if cluster_state.server else 1)


@dev.command()
@DIRECTORY_OPTION
@click.argument("name", default="")
@click.option("--follow", "-f", is_flag=True, help="Continue with new lines.")
def logs(path: Path, name: str, *, follow: bool) -> None:
    """Show the logs of the programs.

    With NAME, only the log of that program; mutua dev status lists the names.

    \b
    Examples:
      mutua dev logs
      mutua dev logs projector-1 -f
    """
    from services.dev.directory import DevDirectory

    opened = DevDirectory(path)
    opened.require_started()
    for line in opened.read_logs(name, follow=follow):
        click.echo(line)


@dev.command()
@DIRECTORY_OPTION
@FORMAT_OPTION
def verify(path: Path, form: str) -> None:
    """Compare the read models with the log.

    Folds the whole log again and compares every table with the result. Exits 1 on any difference.

    \b
    Examples:
      mutua dev verify
      mutua dev verify --dir ./cluster --format json
    """
    from services.dev import cluster

    show_report_and_exit(cluster.verify(path, progress=show_verification_progress), form)


@dev.command()
@DIRECTORY_OPTION
def down(path: Path) -> None:
    """Stop the cluster.

    Also ends processes of a cluster that crashed. The data remain.

    \b
    Examples:
      mutua dev down
      mutua dev down --dir ./cluster
    """
    from services.dev.directory import DevDirectory

    ended = DevDirectory(path).stop_cluster()
    click.echo("The cluster has ended; its data stay." if ended else "Nothing runs.")
