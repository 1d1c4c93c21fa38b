"""Measures whole commands, as a person waits for them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.bench.figure import Figure, measure_median_seconds
from tests.cli.cli_process import run_up

MUTUA = str(Path(sys.executable).parent / "mutua")
DPDK_KINDS = ("reviewed=advice", "acked=message", "tested=other", "reported=document")


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder, python_seconds = (
            Path(name),
            measure_median_seconds(lambda: run(sys.executable, "-c", "pass")),
        )
        demo_seconds = measure_median_seconds(
            lambda: run(MUTUA, "demo", "--dir", str(folder / "demo"))
        )
        yield Figure(
            "`mutua demo`, whole command", demo_seconds, "s", python_seconds, "`python -c pass`"
        )
        data = folder / "served"
        with run_server(data):
            words = ("--data", str(data), "log", "--from", "a", "--to", "b", "--kind", "call")
            log_seconds = measure_median_seconds(lambda: run(MUTUA, *words))
        yield Figure(
            "`mutua log` against a server", log_seconds, "s", python_seconds, "`python -c pass`"
        )
        if real_data := os.environ.get("MUTUA_REAL_DATA"):
            yield _measure_import(folder, Path(real_data) / "dpdk-reviews.csv.gz")


def _measure_import(folder: Path, file: Path) -> Figure:
    kind_options = [word for each in DPDK_KINDS for word in ("--kind-map", each)]
    fresh = count()

    def run_import(*words: str) -> None:
        data = str(folder / f"dpdk-{next(fresh)}")
        run(MUTUA, "--data", data, "import", "exchanges", str(file), *kind_options, *words)

    import_seconds = measure_median_seconds(run_import)
    check_seconds = measure_median_seconds(lambda: run_import("--dry-run"))
    return Figure(
        "DPDK import (20,850 exchanges), whole command, all visible",
        import_seconds,
        "s",
        check_seconds,
        "the same with --dry-run",
    )


@contextmanager
def run_server(data: Path) -> Iterator[str]:
    """Runs `mutua up` on a directory and yields its address."""
    with run_up(data) as (_, ready_line):
        yield ready_line.split()[-1]


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
