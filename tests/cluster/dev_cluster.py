"""Runs `mutua dev` commands on a cluster of real processes in its own directory."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.dev.broker import fetch_jars
from services.dev.cluster import read_status
from services.dev.directory import DevDirectory
from services.dev.postgres import find_programs
from services.dev.supervisor import ProcessStatus
from tests.backing_services import build_or_skip, temporary_shared_folder
from tests.faults.server_process import make_environment

MUTUA_COMMAND = (sys.executable, "-c", "from services.cli.entry import main; main()")


def run_mutua(*words: str, server: str = "") -> "subprocess.CompletedProcess[str]":
    """Runs a command of mutua and waits for its end."""
    return subprocess.run(
        [*MUTUA_COMMAND, *words],
        capture_output=True,
        text=True,
        env=make_environment(MUTUA_SERVER=server),
        check=False,
    )


class DevClusterCommands:
    """The commands of `mutua dev` for one directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *words: str, server: str = "") -> "subprocess.CompletedProcess[str]":
        return run_mutua(*words, server=server)

    def run_json(self, *words: str, server: str = "") -> Any:
        done = self.run(*words, "--format", "json", server=server)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run_dev(self, command: str, *words: str) -> "subprocess.CompletedProcess[str]":
        return self.run("dev", command, "--dir", str(self.path), *words)

    def find_process(self, name: str) -> ProcessStatus:
        [process] = [
            process for process in read_status(self.path).processes if process.name == name
        ]
        return process

    @contextmanager
    def start(self) -> Iterator["subprocess.Popen[str]"]:
        """Yields the process of `mutua dev up` once the cluster is ready, and stops the cluster."""
        command = [*MUTUA_COMMAND, "dev", "up", "--dir", str(self.path)]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=make_environment(),
        ) as running:
            assert running.stdout is not None
            try:
                output = []
                for line in running.stdout:
                    output.append(line)
                    if "export MUTUA_SERVER=" in line:
                        break
                else:
                    pytest.fail("".join(output))
                yield running
            finally:
                DevDirectory(self.path).stop_cluster()


@contextmanager
def new_dev_cluster() -> Iterator[DevClusterCommands]:
    """Yields the commands for a new cluster, in a temporary folder."""
    build_or_skip(fetch_jars)
    build_or_skip(find_programs)
    with temporary_shared_folder() as folder:
        yield DevClusterCommands(folder / "cluster")
