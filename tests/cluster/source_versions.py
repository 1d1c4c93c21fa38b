"""Versions of mutua by their sources, and their processes.

`tests/contract/landed` names the commit of the last landed version; MUTUA_LANDED overrides it. That
version runs with the packages of the current one.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.adapters.sql_store.tables import MODEL_VERSION
from services.dev.programs import ChildProcess, Program
from tests.faults.server_process import ROOT

READY_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """A version of mutua, by the folder of its sources."""

    name: str
    sources: Path

    def command(self, *words: str) -> tuple[str, ...]:
        """The command of Python with this version, without the current folder in its path."""
        return (sys.executable, "-P", *words)

    def run(self, program: str, *arguments: str) -> str:
        """Runs a Python program with this version and returns its output."""
        return subprocess.run(
            self.command("-c", program, *arguments),
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.sources), str(self.sources / "proto")])
        return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


CURRENT = SourceVersion("ours", ROOT)


def check_out_landed(folder: Path) -> SourceVersion:
    """Extracts the last landed version into a folder; skips if the clone lacks it."""
    commit = os.environ.get("MUTUA_LANDED") or (ROOT / "tests/contract/landed").read_text().strip()
    lookup = subprocess.run(
        ["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    if lookup.returncode != 0:
        pytest.skip(f"this clone has not got {commit}, which landed last: git fetch --unshallow")
    archive = ["git", "archive", "--format=tar", commit, "services", "proto"]
    with subprocess.Popen(archive, cwd=ROOT, stdout=subprocess.PIPE) as archiving:
        subprocess.run(["tar", "-x", "-C", str(folder)], stdin=archiving.stdout, check=True)
    assert archiving.returncode == 0
    return SourceVersion("landed", folder)


def copy_with_raised_model(folder: Path) -> SourceVersion:
    """Copies the current version with a higher model version, which rebuilds read models."""
    for name in ("services", "proto"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    tables = folder / "services" / "adapters" / "sql_store" / "tables.py"
    number = f"MODEL_VERSION: Final = {MODEL_VERSION}"
    text = tables.read_text()
    assert number in text
    tables.write_text(text.replace(number, f"MODEL_VERSION: Final = {MODEL_VERSION + 1}"))
    return SourceVersion("raised", folder)


class VersionedProcesses:
    """Processes of a cluster by name (`query-2`), each with a version."""

    def __init__(self, logs: Path, settings: Callable[[str], Mapping[str, str]]) -> None:
        """`settings` returns the settings of a process by its name."""
        self._logs = logs
        self._settings = settings
        self._running: dict[str, ChildProcess] = {}

    def start(self, names: Iterable[str], version: SourceVersion) -> None:
        """Starts processes in parallel and returns when they are ready."""
        children = [self._start(name, version) for name in names]
        for child in children:
            child.wait_until_ready(seconds=READY_SECONDS)

    def replace(self, name: str, version: SourceVersion) -> None:
        """Stops a process as a deploy does, and starts another version."""
        child = self._running.pop(name)
        child.stop()
        assert child.wait() == 0, (self._logs / f"{name}.log").read_text()[-2_000:]
        self.start([name], version)

    def _start(self, name: str, version: SourceVersion) -> ChildProcess:
        service = name.partition("-")[0]
        program = Program(
            name=f"{name} ({version.name})",
            command=version.command("-m", f"services.{service}"),
            ready_text=f"mutua {service} is ready",
            environment={**version.environment, **self._settings(name)},
            grace_seconds=STOP_SECONDS,
        )
        self._running[name] = child = ChildProcess(program, self._logs / f"{name}.log")
        return child

    def close(self) -> None:
        for child in self._running.values():
            child.stop()
