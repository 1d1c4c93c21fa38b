"""A data directory: its files, its disk, and the clock of its machine."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Final

from services.adapters.data_directory import DataDirectory
from services.adapters.sqlite_log import SqliteLog
from services.doctor import program
from services.doctor.finding import Check, Finding, note, ok, problem, size
from services.ledger.times import SECOND
from services.ledger.wording import counted

_SCARCE_BYTES: Final = 256 << 20
_AHEAD_SECONDS: Final = 1.0


def checks(data: Path, known: Collection[str]) -> Mapping[str, Check]:
    """By name. A directory that is not there yet is no problem."""
    directory = DataDirectory(data)
    return {
        "settings": partial(program.settings, known),
        "versions": program.versions,
        "directory": partial(_files, directory),
        "disk": partial(_disk, directory),
        "clock": partial(_clock, directory),
    }


def _files(directory: DataDirectory) -> Iterator[Finding]:
    """Raises DataForeign or SchemaAhead where something is not as it should be."""
    if not directory.path.exists():
        yield ok(f"{directory.path} is not there yet; the first fact makes it")
        return
    directory.require_data()
    answering = "read models are made at the next start"
    if directory.current is not None:
        answering = f"answered from {directory.to_read().name}"
    with closing(SqliteLog(directory.log, read_only=True)) as log:
        yield ok(f"{directory.path} holds {counted(log.end(), 'fact')}, {answering}")


def _disk(directory: DataDirectory) -> Iterator[Finding]:
    path = next(
        each for each in (directory.path, *directory.path.absolute().parents) if each.exists()
    )
    free = disk_usage(path).free
    models = directory.current if directory.path.exists() else None
    needed = models.stat().st_size if models else 0
    if free < _SCARCE_BYTES:
        yield problem(
            f"{size(free)} are free on the disk of {directory.path}; free some space: without any "
            "no facts are taken"
        )
    elif free < needed + _SCARCE_BYTES:
        yield note(
            f"{size(free)} are free, and read models of {size(needed)} stand twice while they are "
            "rebuilt",
            "free some space before mutua rebuild",
        )
    else:
        yield ok(f"{size(free)} are free on the disk of {directory.path}")


def _clock(directory: DataDirectory) -> Iterator[Finding]:
    """Facts never get a time before that of the fact before them."""
    if not directory.log.exists():
        yield ok("nothing was recorded that could be compared")
        return
    with closing(SqliteLog(directory.log, read_only=True)) as log:
        last = log.read(log.end() - 1, 1) if log.end() else []
    ahead = last[0].record_time / SECOND - time.time() if last else 0.0
    if ahead > _AHEAD_SECONDS:
        yield problem(
            f"the last fact was recorded {ahead:,.0f} s from now: this machine's clock was set "
            "back, or was wrong then; have it set by NTP, until then facts get the time of that one"
        )
    else:
        yield ok("not before the last fact")
