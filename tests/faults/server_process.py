"""Servers and imports as processes, which tests kill at the worst moment."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mutua import Client
from mutua.ids import uuid8
from mutua.v1 import event_pb2 as pb
from mutua.v1.types_pb2 import EXCHANGE_KIND_CALL
from services.app.bootstrap import serve_embedded
from services.app.data_maintenance import verify
from tests.fork_server import PipedProcess
from tests.waiting import PATIENCE_SECONDS

ROOT: Final = Path(__file__).parents[2]
BATCH: Final = 10
"""Facts in a request: few, so that a kill comes between many requests."""

SERVE: Final = """
import sys
from pathlib import Path
from services.app.bootstrap import serve
ready = lambda server: print(server.address, flush=True)
sys.exit(serve(Path(sys.argv[1]), listen=sys.argv[2], on_ready=ready))
"""

REBUILD: Final = """
import sys
from pathlib import Path
from services.app.data_maintenance import rebuild
rebuild(Path(sys.argv[1]), on_progress=lambda *_: None)
"""

IMPORT: Final = """
import sys
from contextlib import nullcontext
from pathlib import Path
from mutua import Client
from tests.faults.server_process import BATCH, facts
from tests.fork_server import PipedProcess
from tests.waiting import PATIENCE_SECONDS
if sys.argv[1] == "--server":
    context = nullcontext(sys.argv[2])
else:
    from services.app.bootstrap import serve_embedded
    context = serve_embedded(Path(sys.argv[1]), purpose="an import", write=True)
with context as running:
    with Client(getattr(running, "address", running), deadline_seconds=PATIENCE_SECONDS) as client:
        client.get_status()  # a client gives up after 2 s if it never reached its server
        for start in range(int(sys.argv[3]), int(sys.argv[4]), BATCH):
            client.record(facts(start, start + BATCH))
            print(BATCH, flush=True)
"""


def facts(start: int, end: int) -> Iterator[pb.Event]:
    """The facts of the import; a number has the same fact with the same id in every call."""
    for number in range(start, end):
        event = pb.Event(event_id=fact_id(number))
        event.occur_time.FromJsonString("2026-03-02T10:00:00Z")
        content = event.exchange_recorded.exchange
        content.kind = EXCHANGE_KIND_CALL
        content.giver_ids.append(f"g{number % 7}")
        content.receiver_ids.append(f"r{number % 5}")
        yield event


def fact_id(number: int) -> str:
    return uuid8("fault", str(number))


def make_environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "proto")])
    # As the command `mutua` does: several threads sum in another order.
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", **more}


def start_python(program: str, *arguments: str, **more: str) -> PipedProcess:
    """Starts a Python program, with these environment variables more."""
    return PipedProcess(["-c", program, *arguments], env=make_environment(**more))


def start_python_under(
    command: Sequence[str], program: str, *arguments: str
) -> "subprocess.Popen[str]":
    """Starts a Python program that another command runs, both in one process group."""
    return subprocess.Popen(
        [*command, sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=make_environment(),
        start_new_session=True,
    )


def count_acknowledged(process: PipedProcess) -> int:
    """Number of facts acknowledged to an import that ended."""
    return sum(int(line) for line in process.stdout.read().split() if line.isdecimal())


@contextmanager
def run_server(
    data: Path, listen: str = "127.0.0.1:0", **more: str
) -> Iterator[tuple[PipedProcess, str]]:
    """A ready server and its address. It is killed at the end if it still runs."""
    process = start_python(SERVE, str(data), listen, **more)
    try:
        address = process.stdout.readline().strip()
        assert address, process.stderr.read()
        yield process, address
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def kill(process: PipedProcess, *, after_seconds: float = 0.0) -> None:
    """Sends SIGKILL, unless the process ends within `after_seconds`."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(after_seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


def assert_intact(data: Path, durable: int) -> None:
    """The first `durable` facts of the import are stored once, and every table is right."""
    assert_recorded_once(data, range(durable))


def assert_recorded_once(data: Path, durable: Iterable[int]) -> None:
    """These facts are stored once, and every table is right."""
    with (
        serve_embedded(data, purpose="a test", write=True) as running,
        Client(running.address, deadline_seconds=PATIENCE_SECONDS) as client,
    ):
        status = client.get_status()
        client.get_status(min_position=status.log_position)
        stored = [each.exchange_id for each in client.list_exchanges(page_size=10_000)]
        assert len(stored) == len(set(stored))
        assert {fact_id(number) for number in durable} <= set(stored)
        assert client.get_status().quarantine_count == 0
        given = sum(balance.given for balance in client.list_balances())
        assert given == len(stored)
    report = verify(data)
    assert report.differences == []
    assert report.fact_count == len(stored)
