"""Measures `mutua log` while an import runs on the same directory."""

import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from mutua.location import find_running_server
from services.adapters.sqlite.data_directory import DataDirectory
from services.adapters.sqlite.log import SqliteLog
from tests.bench.commands import MUTUA, run, run_server
from tests.bench.figure import Figure, measure_median_seconds, measure_seconds
from tests.waiting import wait_until

ROW_COUNT = 200_000
LOG_COUNT = 30
LOG_ARGUMENTS = ("log", "--from", "a", "--to", "b", "--kind", "call")


def measure() -> Iterator[Figure]:
    """Measures the import in processor time, which other programs on the machine affect least."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "calls.csv"
        _write(file)
        data = folder / "served"
        with run_server(data):
            idle = measure_median_seconds(lambda: run(MUTUA, "--data", str(data), *LOG_ARGUMENTS))
        alone, _ = _measure_import(folder / "alone", file, logs=0)
        busy, durations = _measure_import(folder / "during", file, logs=LOG_COUNT)
        what = f"`mutua log` during an import of {ROW_COUNT:,} rows, {LOG_COUNT} times"
        yield Figure(f"{what}, p50", statistics.median(durations), "s", idle, "an idle server")
        yield Figure(f"{what}, slowest", max(durations), "s", idle, "an idle server")
        yield Figure("that import, of a processor", busy, "s", alone, "the import alone")


def _measure_import(data: Path, file: Path, *, logs: int) -> tuple[float, list[float]]:
    """Returns the processor seconds of an import and the seconds of every log during it.

    The logs are spread over the rows of the import.
    """
    durations = []
    command = [MUTUA, "--data", str(data), "import", "exchanges", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: bool(find_running_server(data)), "the import serves the directory")
    for number in range(logs):
        rows = number * ROW_COUNT // (logs + 1)
        wait_until(partial(_has_recorded, data, rows), f"{rows} rows are recorded")
        durations.append(measure_seconds(lambda: run(MUTUA, "--data", str(data), *LOG_ARGUMENTS)))
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime, durations


def _has_recorded(data: Path, count: int) -> bool:
    with closing(SqliteLog(DataDirectory(data).log_path, read_only=True)) as log:
        return log.end() >= count


def _write(file: Path) -> None:
    with file.open("w") as rows:
        rows.write("reference,date,giver,receiver,kind,minutes\n")
        for number in range(ROW_COUNT):
            day = f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}"
            parties = f"G{number % 97},R{number % 89}"
            rows.write(f"{number},{day},{parties},call,{number % 50 + 5}\n")
