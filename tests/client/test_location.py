"""Where a client finds the server of a data directory, and what it does when that moves."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from mutua import AsyncClient, Client, DirectoryLocation, MutuaError
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import GetStatusResponse
from services.adapters.sqlite.data_directory import DataDirectory
from tests.client.scripted_server import (
    END_STREAM,
    FakeClock,
    ScriptedFailure,
    ScriptedServer,
    serve,
)

IN_USE = MutuaError("in use", code=StatusCode.FAILED_PRECONDITION, reason="DATA_IN_USE")


class FakeOpener:
    """Opens a directory as the server side does, with a scripted server."""

    def __init__(self) -> None:
        self.server = ScriptedServer()
        self.opened: list[dict[str, Any]] = []
        self.open_count = 0
        self.refusal: MutuaError | None = None
        self.when_refused: Callable[[], None] = lambda: None

    @contextmanager
    def __call__(self, directory: Path, *, read_only: bool, purpose: str) -> Iterator[str]:
        if self.refusal is not None:
            self.when_refused()
            raise self.refusal
        self.opened.append({"directory": directory, "read_only": read_only, "purpose": purpose})
        self.open_count += 1
        with serve(self.server):
            yield self.server.address
        self.open_count -= 1


@pytest.fixture
def opener() -> FakeOpener:
    return FakeOpener()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["OtherProcess"]:
    with OtherProcess(tmp_path) as holder:
        yield holder


class OtherProcess(ExitStack):
    """Another process that serves the directory, until `end` or `kill`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.server = ScriptedServer()
        self._path = path
        self._published = ExitStack()

    def serve(self) -> None:
        self.enter_context(serve(self.server))
        self.enter_context(DataDirectory(self._path).lock("mutua import"))
        self.enter_context(DataDirectory(self._path).publish_server(self.server.address, ""))

    def exit_normally(self) -> None:
        self.close()

    def kill(self) -> None:
        """Leaves server.json, as kill -9 does."""
        self.exit_normally()
        told = {"pid": os.getpid(), "address": self.server.address, "http_address": ""}
        (self._path / "server.json").write_text(json.dumps(told))


def at(path: Path, opener: FakeOpener, **options: Any) -> DirectoryLocation:
    return DirectoryLocation(path, open_directory=opener, wait_seconds=0.2, **options)


def test_a_directory_that_nobody_serves_is_opened_until_the_client_closes(
    make_client: Any, tmp_path: Path, opener: FakeOpener
) -> None:
    with make_client(directory=at(tmp_path, opener, purpose="a report")) as client:
        assert opener.opened == [], "nothing is opened before the first request"
        client.record([Event()])
        client.record([Event()])
        assert opener.open_count == 1
    assert opener.open_count == 0
    assert opener.opened == [{"directory": tmp_path, "read_only": False, "purpose": "a report"}]
    assert len(opener.server.requests) == 2


def test_a_directory_that_another_process_serves_is_not_opened(
    make_client: Any, tmp_path: Path, opener: FakeOpener, holder: OtherProcess
) -> None:
    holder.serve()
    with make_client(directory=at(tmp_path, opener)) as client:
        client.record([Event()])
    assert len(holder.server.requests) == 1
    assert opener.opened == []


def test_whoever_serves_the_directory_by_the_time_it_is_refused_is_asked(
    make_client: Any, tmp_path: Path, opener: FakeOpener, holder: OtherProcess
) -> None:
    opener.refusal, opener.when_refused = IN_USE, holder.serve
    with make_client(directory=at(tmp_path, opener)) as client:
        client.record([Event()])
    assert len(holder.server.requests) == 1


@pytest.mark.parametrize(
    "refusal", [IN_USE, MutuaError("torn", code=StatusCode.FAILED_PRECONDITION)]
)
def test_a_directory_that_cannot_be_opened_is_an_error(
    make_client: Any, tmp_path: Path, opener: FakeOpener, refusal: MutuaError
) -> None:
    opener.refusal = refusal
    with make_client(directory=at(tmp_path, opener)) as client:
        with pytest.raises(MutuaError) as raised:
            client.record([Event()])
        assert raised.value is refusal
        opener.refusal = None
        client.record([Event()])
    assert opener.open_count == 0


LEAVES = {"ends": OtherProcess.exit_normally, "is killed": OtherProcess.kill}


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)
def test_when_the_holder_leaves_this_process_opens_the_directory(
    make_client: Any,
    tmp_path: Path,
    opener: FakeOpener,
    holder: OtherProcess,
    clock: FakeClock,
    leave: Any,
) -> None:
    holder.serve()
    with make_client(directory=at(tmp_path, opener), clock=clock) as client:
        client.record([Event(event_id="before")])
        leave(holder)
        client.record([Event(event_id="after")])
        assert opener.open_count == 1
    assert [each.events[0].event_id for each in holder.server.requests] == ["before"]
    assert [each.events[0].event_id for each in opener.server.requests] == ["after"]


def test_a_stream_goes_on_where_the_directory_is_served_by_now(
    make_client: Any, tmp_path: Path, opener: FakeOpener, holder: OtherProcess, clock: FakeClock
) -> None:
    holder.serve()
    holder.server.answers = [None, END_STREAM]
    with make_client(directory=at(tmp_path, opener), clock=clock) as client:
        sent = client.record_stream(Event(event_id=str(number)) for number in range(3_000))
        assert next(sent).count == 1_000
        holder.exit_normally()
        assert sum(each.count for each in sent) == 2_000
    [first, *_] = opener.server.requests
    assert first.events[0].event_id == "1000"


def test_a_refusal_is_not_sent_elsewhere(
    make_client: Any, tmp_path: Path, opener: FakeOpener, holder: OtherProcess
) -> None:
    holder.serve()
    holder.server.answers = [ScriptedFailure(code=StatusCode.NOT_FOUND, reason="NOT_FOUND")]
    with make_client(directory=at(tmp_path, opener)) as client, pytest.raises(MutuaError):
        client.get_exchange("x")
    assert opener.opened == []


def test_the_deadline_does_not_count_the_time_of_opening(
    tmp_path: Path, opener: FakeOpener
) -> None:
    clock, slow = FakeClock(), opener

    @contextmanager
    def open_slowly(directory: Path, *, read_only: bool, purpose: str) -> Iterator[str]:
        clock.sleep(600)
        with slow(directory, read_only=read_only, purpose=purpose) as address:
            yield address

    opener.server.answers = [GetStatusResponse(position="p")]
    directory = DirectoryLocation(tmp_path, open_directory=open_slowly)
    with Client(directory=directory, deadline_seconds=5, clock=clock) as client:
        assert client.get_status().position == "p"
    # gRPC's clock is coarse, so that a whole deadline may be a little more than it is.
    assert 4 < opener.server.timeouts_seconds[0] < 5.1


def test_a_failure_of_the_server_is_told_at_the_end(make_client: Any, tmp_path: Path) -> None:
    failure = MutuaError("projecting stopped", code=StatusCode.UNAVAILABLE, reason="LOG_DOWN")
    opener = FakeOpener()

    @contextmanager
    def fails(directory: Path, *, read_only: bool, purpose: str) -> Iterator[str]:
        with opener(directory, read_only=read_only, purpose=purpose) as address:
            yield address
        raise failure

    def record(during: Exception | None = None) -> None:
        with make_client(directory=DirectoryLocation(tmp_path, open_directory=fails)) as client:
            client.record([Event()])
            if during is not None:
                raise during

    with pytest.raises(MutuaError) as raised:
        record()
    assert raised.value is failure
    with pytest.raises(LookupError):  # what went wrong before says more
        record(during=LookupError())


def test_with_the_client_library_alone_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    with Client(directory=tmp_path) as client, pytest.raises(MutuaError) as raised:
        client.get_status()
    assert raised.value.code is StatusCode.FAILED_PRECONDITION
    assert "pip install mutua" in raised.value.message
    assert "`mutua up`" in raised.value.message


@pytest.mark.parametrize("options", [{}, {"server": "a:1", "directory": "data"}])
def test_either_a_server_or_a_directory_is_named(make_client: Any, options: Any) -> None:
    with pytest.raises(MutuaError, match="directory") as raised:
        make_client(**options)
    assert raised.value.code is StatusCode.INVALID_ARGUMENT


def test_an_async_client_of_a_directory_is_made_in_its_event_loop(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncClient(directory=tmp_path)
