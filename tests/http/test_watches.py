"""Watches over HTTP: what a client folds is the answer, however often its stream breaks."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.from_thread
import httpx
import pytest
from google.protobuf.descriptor import MethodDescriptor

from mutua import Client
from mutua.v1 import watch_service_pb2 as pb
from mutua.watched_rows import LISTS, WATCHED_ROWS
from services.adapters.call_context import CallContext
from services.adapters.http.application import build_application
from services.adapters.http.questions import name_route
from services.adapters.http.server import HttpServer
from services.adapters.http.watches import make_watch_routes
from services.adapters.telemetry.metrics import NO_OP_METER
from services.app.bootstrap import EmbeddedServer, serve_embedded
from services.app.http import HttpSettings
from services.ledger.errors import MutuaError, OverloadedError
from tests.services.facts import exchange

SERVICE = pb.DESCRIPTOR.services_by_name["WatchService"]
BALANCES = "/api/v1/watch/balances"


class Event(NamedTuple):
    name: str
    id: str
    data: Any


class State:
    """What a client has that follows a watch."""

    def __init__(self, rpc: MethodDescriptor) -> None:
        self._rows = WATCHED_ROWS[rpc.name]
        self.by_key: dict[Any, Any] = {}
        self.token = ""
        self.position = ""

    def apply(self, event: Event) -> None:
        if event.name == "reset":
            self.by_key.clear()
        for rows in self._rows:
            for row in event.data.get(rows.removed_field, ()):
                del self.by_key[self._key(rows, row)]
            values = event.data.get(rows.field, [])
            for row in [values] if isinstance(values, dict) else values:
                self.by_key[self._key(rows, row)] = row
        self.token = event.id or self.token
        self.position = event.data["position"]

    def _key(self, rows: Any, row: Any) -> Any:
        values = [row.get(name) for name in rows.key_fields]
        return (rows.field, *(sorted(values) if rows.either_order else values))

    def rows(self, field: str) -> list[Any]:
        return [row for key, row in self.by_key.items() if key[0] == field]


@contextmanager
def follow(http: httpx.Client, path: str, token: str = "") -> Iterator[Iterator[Event]]:
    headers = {"Last-Event-ID": token} if token else {}
    with http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield parse_events(answer.iter_lines())


def parse_events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            fields = {}


def record(server: EmbeddedServer, programme: str, *pairs: tuple[str, str]) -> str:
    """Records an exchange of each pair, and waits until answers have them."""
    with Client(server.address, programme=programme) as client:
        position = client.record([exchange(*pair) for pair in pairs])
        client.get_status(min_position=position)
    return position


class TestWatches:
    @pytest.mark.parametrize("rpc", [*SERVICE.methods], ids=lambda rpc: str(rpc.name))
    def test_folded_events_are_the_answer(
        self, server: EmbeddedServer, http: httpx.Client, rpc: MethodDescriptor
    ) -> None:
        programme, state = f"folded-{rpc.name.lower()}", State(rpc)
        record(server, programme, ("A", "B"), ("B", "C"))
        path = f"{name_route(rpc)}?programme={programme}"
        question = path.replace("/watch/", "/")
        if rpc.name in LISTS:  # goes on from an answer of the question
            state.apply(Event("snapshot", "", answer := http.get(question).json()))
            path = f"{path}&after_position={answer['position']}"
        for pair in (("C", "A"), ("D", "A"), ("A", "D")):
            with follow(http, path, state.token) as events:
                state.apply(next(events))
                position = record(server, programme, pair)
                while state.position != position or not state.token:
                    state.apply(next(events))
        answer = http.get(question).json()
        if rpc.name == "WatchStatus":
            answer = {"status": [answer]}
        for rows in WATCHED_ROWS[rpc.name]:
            assert sorted(map(str, state.rows(rows.field))) == sorted(map(str, answer[rows.field]))

    def test_id_is_of_the_last_event_of_a_step(
        self, server: EmbeddedServer, http: httpx.Client
    ) -> None:
        record(server, "ids", ("A", "B"))
        with follow(http, f"{BALANCES}?programme=ids") as events:
            first = next(events)
        assert (first.name, first.data["event"]) == ("snapshot", "WATCH_EVENT_SNAPSHOT_COMPLETE")
        assert first.id == first.data["resume_token"] != ""

    def test_last_event_id_resumes_and_wins_over_the_parameter(
        self, server: EmbeddedServer, http: httpx.Client
    ) -> None:
        record(server, "resumed", ("A", "B"))
        with follow(http, f"{BALANCES}?programme=resumed") as events:
            token = next(events).id
        for path, header in (
            (f"{BALANCES}?programme=resumed", token),
            (f"{BALANCES}?programme=resumed&resume_token={token}", ""),
            (f"{BALANCES}?programme=resumed&resume_token=outdated", token),
        ):
            with follow(http, path, header) as events:
                assert next(events).name == "progress"
        record(server, "resumed", ("A", "C"))
        with follow(http, f"{BALANCES}?programme=resumed", token) as events:
            assert [next(events).name for _ in range(2)] == ["reset", "snapshot"]

    @pytest.mark.parametrize(
        ("query", "status", "reason"),
        [
            ("resume_token=x", 400, "RESUME_TOKEN_INVALID"),
            ("known_at=2026-01-01", 400, "QUESTION_IMPOSSIBLE"),
            ("lens=weight", 400, "QUESTION_IMPOSSIBLE"),
            ("to=2026-01-01&from=2026-02-01", 400, "QUESTION_IMPOSSIBLE"),
        ],
    )
    def test_impossible_watch_is_a_problem(
        self, http: httpx.Client, query: str, status: int, reason: str
    ) -> None:
        answer = http.get(f"{BALANCES}?{query}")
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)

    def test_curl_follows(self, server: EmbeddedServer) -> None:
        if shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        record(server, "curled", ("A", "B"))
        url = f"http://{server.http_address}{BALANCES}?programme=curled"
        command = ["curl", "--silent", "--no-buffer", url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
            assert curl.stdout is not None
            events = parse_events(line.rstrip("\n") for line in curl.stdout)
            assert next(events).name == "snapshot"
            record(server, "curled", ("A", "C"))
            assert next(events).name in ("delta", "progress")
            curl.terminate()

    def test_stop_ends_streams_first(self, tmp_path: Path) -> None:
        http = HttpSettings(listen="127.0.0.1:0")
        with ExitStack() as stack:
            serving = serve_embedded(tmp_path / "data", purpose="a test", write=True, http=http)
            server = stack.enter_context(serving)
            with httpx.stream("GET", f"http://{server.http_address}{BALANCES}") as answer:
                lines = answer.iter_lines()
                assert next(lines) == "retry: 1000"
                stack.close()
                assert len(list(lines)) > 0  # httpx raises if the stream was cut off


@dataclass(eq=False)
class FakeMessage:
    event = pb.WATCH_EVENT_PROGRESS
    resume_token = ""
    content = b""
    message = pb.WatchBalancesResponse(event=event)


class FakeWatches:
    """Sends one message, and then nothing or an error."""

    def __init__(self, error: MutuaError | None = None) -> None:
        self._error = error

    async def watch(
        self, rpc: str, request: Any, context: CallContext
    ) -> AsyncGenerator[FakeMessage, None]:
        yield FakeMessage()
        if self._error is not None:
            raise self._error
        await anyio.sleep_forever()


@contextmanager
def serve_fake(watches: FakeWatches) -> Iterator[str]:
    """The URL of a watch of balances."""
    routes = list(make_watch_routes([SERVICE], watches, NO_OP_METER, keep_alive_seconds=0.05))
    with anyio.from_thread.start_blocking_portal() as portal:
        server = HttpServer(build_application(routes))
        address = portal.call(lambda: server.start("127.0.0.1:0", grace_seconds=1))
        try:
            yield f"http://{address}{BALANCES}"
        finally:
            portal.call(server.stop)


class TestStreams:
    def test_silence_is_filled_with_comments(self) -> None:
        with serve_fake(FakeWatches()) as url, httpx.stream("GET", url) as answer:
            lines = [line for line, _ in zip(answer.iter_lines(), range(9), strict=False)]
        assert lines.count(": keep-alive") >= 2

    def test_later_error_ends_the_stream(self) -> None:
        with serve_fake(FakeWatches(OverloadedError("busy"))) as url:
            assert "event: progress" in httpx.get(url).text
