"""A data directory: its files, its disk, and the clock of its machine."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Final

from services.adapters.sqlite.data_directory import DataDirectory
from services.adapters.sqlite.log import SqliteLog
from services.doctor import program_checks
from services.doctor.finding import Check, Finding, format_size, note, ok, parse_problem
from services.ledger.times import SECOND
from services.ledger.wording import format_count

_SCARCE_BYTES: Final = 256 << 20
_AHEAD_SECONDS: Final = 1.0


def build_checks(data: Path, known: Collection[str]) -> Mapping[str, Check]:
    """By name. A directory that is not there yet is no problem."""
    directory = DataDirectory(data)
    return {
        "settings": partial(program_checks.check_settings, known),
        "versions": program_checks.check_versions,
        "directory": partial(_files, directory),
        "disk": partial(_disk, directory),
        "clock": partial(_clock, directory),
    }


def _files(directory: DataDirectory) -> Iterator[Finding]:
    """Raises ForeignDataError or NewerSchemaError where something is not as it should be."""
    if not directory.path.exists():
        yield ok(f"{directory.path} is not there yet; the first fact makes it")
        return
    directory.require_data()
    answering = "read models are made at the next start"
    if directory.active_read_models is not None:
        answering = f"answered from {directory.select_to_read().name}"
    with closing(SqliteLog(directory.log_path, read_only=True)) as log:
        yield ok(f"{directory.path} holds {format_count(log.end(), 'fact')}, {answering}")


def _disk(directory: DataDirectory) -> Iterator[Finding]:
    path = next(
        each for each in (directory.path, *directory.path.absolute().parents) if each.exists()
    )
    free = disk_usage(path).free
    models = directory.active_read_models if directory.path.exists() else None
    needed = models.stat().st_size if models else 0
    if free < _SCARCE_BYTES:
        yield parse_problem(
            f"{format_size(free)} are free on the disk of {directory.path}; free some "
            "space: without any "
            "no facts are taken"
        )
    elif free < needed + _SCARCE_BYTES:
        yield note(
            f"{format_size(free)} are free, and read models of {format_size(needed)} "
            "stand twice while they are "
            "rebuilt",
            "free some space before mutua rebuild",
        )
    else:
        yield ok(f"{format_size(free)} are free on the disk of {directory.path}")


def _clock(directory: DataDirectory) -> Iterator[Finding]:
    """Facts never get a time before that of the fact before them."""
    if not directory.log_path.exists():
        yield ok("nothing was recorded that could be compared")
        return
    with closing(SqliteLog(directory.log_path, read_only=True)) as log:
        last = log.read(log.end() - 1, 1) if log.end() else []
    ahead = last[0].record_time / SECOND - time.time() if last else 0.0
    if ahead > _AHEAD_SECONDS:
        yield parse_problem(
            f"the last fact was recorded {ahead:,.0f} s from now: this machine's clock was set "
            "back, or was wrong then; have it set by NTP, until then facts get the time of that one"
        )
    else:
        yield ok("not before the last fact")
