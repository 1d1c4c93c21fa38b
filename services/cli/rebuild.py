"""`rebuild`: read models made again from the log, and old ones deleted."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from services.cli.connect import Settings, require_directory
from services.cli.words import counted

_SECONDS_BETWEEN_LINES: Final = 2.0


@click.command()
@click.option(
    "--drop-old",
    is_flag=True,
    help="Build nothing; delete the read models that do not answer any more.",
)
@click.pass_obj
def rebuild(settings: Settings, *, drop_old: bool) -> None:
    """Make the read models again from the log, beside those that answer, and switch to them.

    Nobody waits: a server on the directory goes on answering, and takes the new ones over when they
    are level. Those from before are kept until --drop-old.

    \b
    Examples:
      mutua rebuild
      mutua --data ./programme-data rebuild --drop-old
    """
    from services.bootstrap import delete_superseded
    from services.bootstrap import rebuild as rebuild_data

    require_directory(settings, "mutua rebuild")
    if drop_old:
        deleted = delete_superseded(settings.data)
        nothing = "nothing is kept beside the read models that answer"
        click.echo(f"deleted: {_names(deleted)}" if deleted else nothing)
        return
    progress = _Progress()
    kept = rebuild_data(settings.data, on_progress=progress)
    click.echo(
        f"rebuilt from {counted(progress.count, 'fact')} in {progress.seconds():.1f} s; the new "
        "read models answer"
    )
    if kept:
        click.echo(
            f"kept: {_names(kept)}; {settings.command} rebuild --drop-old deletes what is kept"
        )


class _Progress:
    """Tells on stderr, now and then, how far it is and how long it will take."""

    def __init__(self) -> None:
        self.count = 0
        self._start = self._told = time.monotonic()

    def __call__(self, count: int, total: int) -> None:
        self.count = count
        now = time.monotonic()
        if now - self._told < _SECONDS_BETWEEN_LINES:
            return
        self._told = now
        rate = count / (now - self._start)
        click.echo(
            f"{count:,} of {counted(total, 'fact')}, {rate:,.0f} a second, "
            f"{max(0, total - count) / rate:,.0f} s left",
            err=True,
        )

    def seconds(self) -> float:
        return time.monotonic() - self._start


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(path.name for path in paths)
