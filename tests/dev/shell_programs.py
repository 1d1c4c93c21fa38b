"""Shell scripts as programs to supervise, and helpers to observe them."""

from pathlib import Path

from services.dev.programs import Program
from tests.waiting import wait_until

PRINT_READY = "echo it is ready; "
SLEEP = "exec sleep 60"


def shell_program(
    name: str, script: str, *, grace_seconds: float = 5.0, **environment: str
) -> Program:
    return Program(
        name=name,
        command=("sh", "-c", script),
        ready_text="it is ready",
        environment=environment,
        grace_seconds=grace_seconds,
    )


def read_log_lines(logs: Path, name: str) -> list[str]:
    """The lines of a program's log, without their times."""
    path = logs / f"{name}.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.partition(" ")[2] for line in lines]


def is_running(process: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_ended(process: int) -> None:
    wait_until(lambda: not is_running(process), f"process {process} ends")
