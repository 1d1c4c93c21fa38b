"""A client in Node with the defaults of its gRPC library."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from mutua import Client
from mutua.v1.event_pb2 import Event
from services.app.bootstrap import serve_embedded
from tests.backing_services import build_or_skip
from tests.node_packages import ROOT, fetch_packages
from tests.services.facts import exchange
from tests.waiting import PATIENCE_SECONDS

SOURCE: Final = Path(__file__).parent / "node"
IDLE_MILLISECONDS: Final = 7_000
"""Time for five pings; the third ping beyond the limit of a server ends its connection."""
EXCHANGES: Final = 900
MEBIBYTE: Final = 1 << 20

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_embedded(tmp_path_factory.mktemp("data"), purpose="tests", write=True) as running:
        yield running.address


@pytest.fixture(scope="module")
def node(server: str) -> Call:
    """Calls the client with a command and an argument, and returns its output."""
    modules = build_or_skip(lambda: fetch_packages(SOURCE))

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


def make_annotated_event(_: int) -> Event:
    event = exchange()
    event.exchange_recorded.exchange.note.plain = "\N{EARTH GLOBE EUROPE-AFRICA}" * 4_000
    return event


def test_reads_every_page_of_long_notes(server: str, node: Call) -> None:
    """A default page of 1,000 rows would have 14 MB; the library of Node reads up to 4 MiB."""
    with Client(server, programme="annotated") as client:
        *_, last = client.record_in_batches(map(make_annotated_event, range(EXCHANGES)))
        client.get_status(min_position=last.position)
    rows = node("pages", "annotated")["rows"]
    assert sum(rows) == EXCHANGES
    assert len(rows) == 5


@pytest.mark.parametrize("mebibytes", [1, 4, 20])
def test_receives_request_too_large(node: Call, mebibytes: int) -> None:
    refusal = {"code": "INVALID_ARGUMENT", "reason": "REQUEST_TOO_LARGE"}
    answers = node("large", mebibytes * MEBIBYTE)
    assert answers == {"single": refusal, "stream": refusal}


def test_keeps_an_idle_connection(node: Call) -> None:
    assert node("idle", IDLE_MILLISECONDS) == {"states": ["READY"]}


def test_follows_a_watch_and_comes_back_with_its_token(server: str, node: Call) -> None:
    with Client(server, programme="watched") as client:
        client.get_status(min_position=client.record([exchange("a", "b")]))
        found = node("follow", "watched")
        changes = [each for each in found["events"] if each != "WATCH_EVENT_PROGRESS"]
        assert changes == ["WATCH_EVENT_SNAPSHOT_COMPLETE", "WATCH_EVENT_DELTA"]
        assert found["events"][-1] == "WATCH_EVENT_PROGRESS"
        balances = {row.organization_id: row.given for row in client.list_balances()}
    assert found["given"] == balances == {"a": 1, "b": 0, "node": 1}
