"""`rebuild`: read models made again from the log, and old ones deleted."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import click

from services.cli.common_options import setting_option
from services.cli.connection import GlobalOptions, require_directory
from services.ledger.wording import format_count

if TYPE_CHECKING:
    from services.settings import Settings as ClusterSettings

_SECONDS_BETWEEN_LINES: Final = 2.0


@click.command()
@setting_option("log_url", help="Log of a cluster; without it the data directory is rebuilt.")
@setting_option("store_url", help="Database with the read models of a cluster.")
@click.option(
    "--back",
    is_flag=True,
    help="Build nothing; make a cluster's previous read models active again.",
)
@click.option(
    "--drop-old",
    is_flag=True,
    help="Build nothing; delete the read models that are no longer active.",
)
@click.pass_obj
def rebuild(
    global_options: GlobalOptions, log_url: str, store_url: str, *, back: bool, drop_old: bool
) -> None:
    """Rebuild the read models from the log.

    Servers and projectors keep running on the old read models and switch to the new ones once these
    have caught up. The old read models remain until --drop-old deletes them.

    \b
    Examples:
      mutua rebuild
      mutua --data ./programme-data rebuild --drop-old
      mutua rebuild --log-url kafka://127.0.0.1:9092/mutua --store-url postgresql://127.0.0.1/mutua
      mutua rebuild --back
    """
    if back and drop_old:
        raise click.UsageError("--back and --drop-old are two things: say one of them.")
    if log_url or store_url:
        from services.settings import read_settings

        given = {"log_url": log_url, "store_url": store_url}
        cluster = read_settings(**{name: url for name, url in given.items() if url})
        _in_cluster(cluster, global_options.command, back=back, drop_old=drop_old)
        return
    if back:
        raise click.UsageError("--back is for a cluster: name it with --log-url and --store-url.")
    require_directory(global_options, "mutua rebuild")
    _in_directory(global_options, drop_old=drop_old)


def _in_directory(global_options: GlobalOptions, *, drop_old: bool) -> None:
    from services.app.data_maintenance import delete_superseded
    from services.app.data_maintenance import rebuild as rebuild_data

    if drop_old:
        _show_deleted([path.name for path in delete_superseded(global_options.data)])
        return
    progress = _Progress()
    old_models = rebuild_data(global_options.data, on_progress=progress)
    _show_rebuilt(progress, [path.name for path in old_models], global_options.command)


def _in_cluster(cluster: "ClusterSettings", command: str, *, back: bool, drop_old: bool) -> None:
    from services.app import cluster_rebuild as work

    if drop_old:
        _show_deleted(work.drop_superseded(cluster))
        return
    progress, answers = _Progress(), False

    def show_switch_over(old_models: list[str]) -> None:
        nonlocal answers
        answers = True
        if back:
            click.echo("the read models of before answer again")
            _show_kept(old_models, command)
        else:
            _show_rebuilt(progress, old_models, command)
        click.echo("they are kept level from here until a projector goes on with them", err=True)

    try:
        if back:
            work.switch_back(cluster, on_progress=progress, on_switch_over=show_switch_over)
        else:
            work.rebuild(cluster, on_progress=progress, on_switch_over=show_switch_over)
    except KeyboardInterrupt:
        if not answers:
            raise
        click.echo("projectors go on with them as soon as they run", err=True)


class _Progress:
    """Tells on stderr, now and then, how far it is and how long it will take."""

    def __init__(self) -> None:
        self.count = 0
        self._start = self._last_line = time.monotonic()

    def __call__(self, count: int, total: int) -> None:
        self.count = count
        now = time.monotonic()
        if now - self._last_line < _SECONDS_BETWEEN_LINES:
            return
        self._last_line = now
        rate = count / (now - self._start)
        click.echo(
            f"{count:,} of {format_count(total, 'fact')}, {rate:,.0f} a second, "
            f"{max(0, total - count) / rate:,.0f} s left",
            err=True,
        )

    def seconds(self) -> float:
        return time.monotonic() - self._start


def _show_rebuilt(progress: _Progress, old_models: Iterable[str], command: str) -> None:
    click.echo(
        f"rebuilt from {format_count(progress.count, 'fact')} in {progress.seconds():.1f} "
        "s; the new "
        "read models answer"
    )
    _show_kept(old_models, command)


def _show_kept(old_models: Iterable[str], command: str) -> None:
    if names := ", ".join(old_models):
        click.echo(f"kept: {names}; {command} rebuild --drop-old deletes what is kept")


def _show_deleted(names: Iterable[str]) -> None:
    deleted = ", ".join(names)
    nothing = "only the active read models are kept"
    click.echo(f"deleted: {deleted}" if deleted else nothing)
