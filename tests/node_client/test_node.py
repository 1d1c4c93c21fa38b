"""A client in Node reads, sends and waits as its library does when nobody sets anything.

Its packages are fetched once, into `.clients`, by the hashes of the lock in this folder.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from mutua import Client
from mutua.v1.event_pb2 import Event
from services.app.bootstrap import serve_embedded
from services.dev.programs import ProgramNotFoundError
from tests.backing_services import build_or_skip
from tests.services.facts import exchange
from tests.waiting import PATIENCE_SECONDS

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = Path(__file__).parent / "node"
MANIFEST: Final = ("package.json", "package-lock.json")
IDLE_MILLISECONDS: Final = 7_000
"""Five pings; the third too many ends a connection."""
EXCHANGES: Final = 900
MEBIBYTE: Final = 1 << 20

Call = Callable[..., Any]


def fetch() -> Path:
    """The folder with the client's packages. Raises Missing where they cannot be had."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise ProgramNotFoundError(
            "Node is missing (node, npm); on Debian and Ubuntu: apt install nodejs npm"
        )
    content = b"".join((SOURCE / name).read_bytes() for name in MANIFEST)
    folder = ROOT / ".clients" / hashlib.sha256(content).hexdigest()[:16]
    if folder.exists():
        return folder / "node_modules"
    coming = folder.with_suffix(f".{os.getpid()}")
    coming.mkdir(parents=True)
    for name in MANIFEST:
        shutil.copy(SOURCE / name, coming)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=coming, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(coming)
        raise ProgramNotFoundError(
            f"npm cannot fetch the packages of the client in Node: {done.stderr}"
        )
    try:
        coming.rename(folder)
    except OSError:  # somebody else has fetched them meanwhile
        shutil.rmtree(coming)
    return folder / "node_modules"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_embedded(tmp_path_factory.mktemp("data"), purpose="tests", write=True) as running:
        yield running.address


@pytest.fixture(scope="module")
def node(server: str) -> Call:
    """Calls the client with a command and an argument, and returns what it found."""
    modules = build_or_skip(fetch)

    def call(*words: object) -> Any:
        command = ["node", str(SOURCE / "client.js"), str(ROOT / "proto"), server]
        done = subprocess.run(
            [*command, *map(str, words)],
            env={**os.environ, "NODE_PATH": str(modules)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def annotated(_: int) -> Event:
    event = exchange()
    event.exchange_recorded.exchange.note.plain = "\N{EARTH GLOBE EUROPE-AFRICA}" * 4_000
    return event


def test_reads_every_page_of_long_notes(server: str, node: Call) -> None:
    """A default page of 1,000 would have 14 MB; its library reads 4 MiB."""
    with Client(server, programme="annotated") as client:
        *_, last = client.record_in_batches(map(annotated, range(EXCHANGES)))
        client.get_status(min_position=last.position)
    rows = node("pages", "annotated")["rows"]
    assert sum(rows) == EXCHANGES
    assert len(rows) == 5


@pytest.mark.parametrize("mebibytes", [1, 4, 20])
def test_hears_that_a_request_is_too_large(node: Call, mebibytes: int) -> None:
    refusal = {"code": "INVALID_ARGUMENT", "reason": "REQUEST_TOO_LARGE"}
    answered = node("large", mebibytes * MEBIBYTE)
    assert answered == {"single": refusal, "stream": refusal}


def test_keeps_a_connection_over_which_it_only_pings(node: Call) -> None:
    assert node("idle", IDLE_MILLISECONDS) == {"states": ["READY"]}
