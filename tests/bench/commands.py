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
    mapped = [word for each in DPDK_KINDS for word in ("--kind-map", each)]
    fresh = count()

    def run_import(*words: str) -> None:
        data = str(folder / f"dpdk-{next(fresh)}")
        run(MUTUA, "--data", data, "import", "exchanges", str(file), *mapped, *words)

    imported = measure_median_seconds(run_import)
    checked = measure_median_seconds(lambda: run_import("--dry-run"))
    return Figure(
        "DPDK import (20,850 exchanges), whole command, all visible",
        imported,
        "s",
        checked,
        "the same with --dry-run",
    )


@contextmanager
def run_server(data: Path) -> Iterator[str]:
    """Runs `mutua up` on a directory and yields its address."""
    command = [MUTUA, "--data", str(data), "up", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        try:
            yield address
        finally:
            process.terminate()


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
