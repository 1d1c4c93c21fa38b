"""Tiny programs to be supervised, and what can be seen of them."""

from pathlib import Path

from services.dev.programs import Program
from tests.faults.processes import eventually

READY = "echo it is ready; "
FOREVER = "exec sleep 60"


def shell(name: str, script: str, *, grace_seconds: float = 5.0, **environment: str) -> Program:
    return Program(
        name=name,
        command=("sh", "-c", script),
        ready="it is ready",
        environment=environment,
        grace_seconds=grace_seconds,
    )


def said(logs: Path, name: str) -> list[str]:
    """The lines of a log without their times."""
    path = logs / f"{name}.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.partition(" ")[2] for line in lines]


def runs(process: int) -> bool:
    """Whether it runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(process: int) -> None:
    eventually(lambda: not runs(process), f"process {process} ends")
