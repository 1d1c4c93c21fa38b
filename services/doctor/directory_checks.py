"""Checks of a data directory: its files, its disk and the clock of the machine."""

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
from services.doctor.finding import Check, Finding, format_size, note, ok, problem
from services.ledger.times import SECOND
from services.ledger.wording import format_count

_SCARCE_BYTES: Final = 256 << 20
_CLOCK_TOLERANCE_SECONDS: Final = 1.0


def build_checks(data: Path, settings: Collection[str]) -> Mapping[str, Check]:
    """The checks by name. A directory that does not exist yet is no problem."""
    directory = DataDirectory(data)
    return {
        "settings": partial(program_checks.check_settings, settings),
        "versions": program_checks.check_versions,
        "directory": partial(_check_files, directory),
        "disk": partial(_check_disk, directory),
        "clock": partial(_check_clock, directory),
    }


def _check_files(directory: DataDirectory) -> Iterator[Finding]:
    """Raises ForeignDataError or NewerSchemaError if a file is not one of this mutua."""
    if not directory.path.exists():
        yield ok(f"{directory.path} is not there yet; the first fact makes it")
        return
    directory.require_data()
    read_models = "read models are built at the next start"
    if directory.active_read_models is not None:
        read_models = f"answered from {directory.select_to_read().name}"
    with closing(SqliteLog(directory.log_path, read_only=True)) as log:
        yield ok(f"{directory.path} holds {format_count(log.end(), 'fact')}, {read_models}")


def _check_disk(directory: DataDirectory) -> Iterator[Finding]:
    path = next(
        folder for folder in (directory.path, *directory.path.absolute().parents) if folder.exists()
    )
    free_bytes = disk_usage(path).free
    current = directory.active_read_models if directory.path.exists() else None
    needed_bytes = current.stat().st_size if current else 0
    if free_bytes < _SCARCE_BYTES:
        yield problem(
            f"{format_size(free_bytes)} are free on the disk of {directory.path}",
            "free some space: without it mutua accepts no facts",
        )
    elif free_bytes < needed_bytes + _SCARCE_BYTES:
        yield note(
            f"{format_size(free_bytes)} are free, and a rebuild stores read models of "
            f"{format_size(needed_bytes)} twice",
            "free some space before mutua rebuild",
        )
    else:
        yield ok(f"{format_size(free_bytes)} are free on the disk of {directory.path}")


def _check_clock(directory: DataDirectory) -> Iterator[Finding]:
    """Compares the clock with the last fact, because times of facts never decrease."""
    if not directory.log_path.exists():
        yield ok("no fact to compare with")
        return
    with closing(SqliteLog(directory.log_path, read_only=True)) as log:
        last = log.read(log.end() - 1, 1) if log.end() else []
    ahead_seconds = last[0].record_time / SECOND - time.time() if last else 0.0
    if ahead_seconds > _CLOCK_TOLERANCE_SECONDS:
        yield problem(
            f"the last fact was recorded {ahead_seconds:,.0f} s from now: this machine's "
            "clock was set back, or was wrong then",
            "set it by NTP; until then new facts get the time of that one",
        )
    else:
        yield ok("later than the last fact")
