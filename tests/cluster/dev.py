"""`mutua dev` in a directory of its own: real processes, asked as a person asks them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.dev.broker import fetch
from services.dev.cluster import status
from services.dev.directory import DevDirectory
from services.dev.postgres import find_programs
from services.dev.supervisor import Process
from tests.backends import or_skipped, reachable_folder
from tests.faults.processes import environment

MUTUA = (sys.executable, "-c", "from services.cli.entry import main; main()")


def mutua(*words: str, server: str = "") -> "subprocess.CompletedProcess[str]":
    """A command, once it ended."""
    return subprocess.run(
        [*MUTUA, *words],
        capture_output=True,
        text=True,
        env=environment(MUTUA_SERVER=server),
        check=False,
    )


class Dev:
    """One directory for a cluster, and the commands about it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *words: str, server: str = "") -> "subprocess.CompletedProcess[str]":
        return mutua(*words, server=server)

    def ask(self, *words: str, server: str = "") -> Any:
        done = self.run(*words, "--format", "json", server=server)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def dev(self, command: str, *words: str) -> "subprocess.CompletedProcess[str]":
        return self.run("dev", command, "--dir", str(self.path), *words)

    def process(self, name: str) -> Process:
        [found] = [each for each in status(self.path).processes if each.name == name]
        return found

    @contextmanager
    def up(self) -> Iterator["subprocess.Popen[str]"]:
        """A cluster that is ready, and the process that runs it; ended at the end, if it is not."""
        command = [*MUTUA, "dev", "up", "--dir", str(self.path)]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        ) as running:
            assert running.stdout is not None
            try:
                said = []
                for line in running.stdout:
                    said.append(line)
                    if "export MUTUA_SERVER=" in line:
                        break
                else:
                    pytest.fail("".join(said))
                yield running
            finally:
                DevDirectory(self.path).end()


@contextmanager
def own_dev() -> Iterator[Dev]:
    """A cluster that was never started, in a folder that is deleted at the end."""
    or_skipped(fetch)
    or_skipped(find_programs)
    with reachable_folder() as folder:
        yield Dev(folder / "cluster")
