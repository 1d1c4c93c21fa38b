"""The command line as processes, for what happens when one starts, ends or loses its output."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tests.faults.server_process import make_environment

COMMAND = (sys.executable, "-c", "from services.cli.entry import main; main()")


def run_cli(*words: str, out: int | TextIO = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    """Runs `mutua` with these words to its end, in this directory."""
    return subprocess.run(
        [*COMMAND, *words],
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=make_environment(),
    )


@contextmanager
def run_up(data: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """`mutua up` on a data directory, and the line it prints when it is ready."""
    process = subprocess.Popen(
        [*COMMAND, "--data", str(data), "up", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        text=True,
        env=make_environment(),
    )
    assert process.stdout is not None
    try:
        with process.stdout:
            yield process, process.stdout.readline()
    finally:
        process.kill()
        process.wait()
