"""`export` and `replay`: the log into a file, and a file into a new log."""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from services.cli.common_options import setting_option
from services.cli.connection import GlobalOptions, is_typed, require_directory
from services.cli.graph_export import export_graph
from services.cli.output import show_progress
from services.cli.table_export import export_table
from services.ledger.wording import format_count

if TYPE_CHECKING:
    from services.exports.log_export import ExportResult

STDOUT: Final = Path("-")
_SHOWN: Final = 5
"""Maximum number of programmes listed by name."""


@click.group()
def export() -> None:
    """Export the log, the network or tables.

    \b
    Examples:
      mutua export log 2026-11-24.jsonl.gz
      mutua export graph network.gexf
      mutua export table tables --format xlsx
    """


export.add_command(export_graph)
export.add_command(export_table)


@export.command("log")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--only-programme", default="", metavar="PROGRAMME", help="Export only this programme."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@setting_option("log_url", help="Kafka topic to export instead of a data directory.")
@click.pass_obj
def export_log(
    global_options: GlobalOptions, file: Path, only_programme: str, log_url: str, *, force: bool
) -> None:
    """Export all facts as JSON Lines.

    The file has the facts of all programmes in log order, with their record times. A FILE that ends
    in .gz is compressed; - is stdout. Clients may record meanwhile. mutua replay turns the file
    into a log again.

    \b
    Examples:
      mutua export log 2026-11-24.jsonl.gz
      mutua export log - | head
      mutua export log 2026-11-24.jsonl.gz --log-url kafka://127.0.0.1:9092/mutua
    """
    if is_typed("programme"):
        raise click.UsageError(
            "export log writes all programmes; to leave out the others type "
            f"mutua export log --only-programme {global_options.programme} FILE."
        )
    write = partial(
        _exported(global_options, log_url),
        programme_id=only_programme,
        force=force,
        progress=partial(_show, "exported"),
    )
    try:
        counts, nobodys_count = write(file)
    except BrokenPipeError:  # the reader closed the pipe, so no summary is needed
        sys.stdout = None
        click.get_current_context().exit(1)
    names = [f"{name} ({count:,})" for name, count in sorted(counts.items())]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    programmes = ", ".join(names[:_SHOWN]) or "none: nothing is recorded yet"
    click.echo(f"Programmes: {programmes}{more}.", err=True)
    if nobodys_count:
        click.echo(
            f"{format_count(nobodys_count, 'record')} left out: their keys name no "
            "programme that lies "
            "where they are, so that nobody can ask for them.",
            err=True,
        )


def _exported(global_options: GlobalOptions, log_url: str) -> "Callable[..., ExportResult]":
    """What writes the log into a file: that of a topic, or of the data directory."""
    if log_url and not is_typed("data"):
        from services.app import topics
        from services.settings import read_settings

        return partial(topics.export, settings=read_settings(log_url=log_url))
    from services.app.data_maintenance import export_log as write

    require_directory(global_options, "mutua export log")
    return partial(write, global_options.data)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@setting_option("log_url", help="Empty Kafka topic to write instead of a data directory.")
@click.pass_obj
def replay(global_options: GlobalOptions, file: Path, log_url: str) -> None:
    """Replay an exported log.

    Writes the file of mutua export log into an empty data directory or topic. Nothing is recorded
    unless every line is valid. After an interruption, type the same command again to continue.

    \b
    Examples:
      mutua --data ./moved replay 2026-11-24.jsonl.gz
      mutua replay 2026-11-24.jsonl.gz --log-url kafka://127.0.0.1:9092/mutua
    """
    try:
        if log_url and not is_typed("data"):
            _replay_into_topic(file, log_url)
        else:
            require_directory(global_options, "mutua replay")
            _replay_into_directory(file, global_options)
    except KeyboardInterrupt:
        again = f"{global_options.command} replay {file}" + f" --log-url {log_url}" * bool(log_url)
        raise click.Abort(f"Interrupted. To go on, type again: {again}") from None


def _replay_into_topic(file: Path, log_url: str) -> None:
    from services.app import topics
    from services.settings import read_settings

    settings = read_settings(log_url=log_url)
    count = topics.replay(file, settings, now=time.time_ns() // 1000, progress=_show)
    click.echo(
        f"Replayed: {log_url} holds {format_count(count, 'record')}, with ids and times kept."
    )


def _replay_into_directory(file: Path, global_options: GlobalOptions) -> None:
    from services.app.data_maintenance import replay as replay_file

    report = replay_file(file, global_options.data, now=time.time_ns() // 1000, progress=_show)
    if not report.ok:
        for difference in report.differences:
            click.echo(difference)
        raise click.ClickException("the answers are not those of the log; see above.")
    held = (
        f", up to where it goes on with a newer mutua: {report.hold_reason}"
        if report.hold_reason
        else ""
    )
    click.echo(
        f"Verified: {global_options.data} holds {format_count(report.fact_count, 'fact')}{held}."
    )
    click.echo(f"Next: {global_options.command} status")


def _show(what: str, done: int, total: int) -> None:
    show_progress(f"{done:,} of {format_count(total, 'record')} {what}", is_last=done == total)
