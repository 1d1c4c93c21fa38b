"""DirectoryLocation: finds the server of a data directory, or opens the directory."""

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
    """Opens a directory with a scripted server."""

    def __init__(self) -> None:
        self.server = ScriptedServer()
        self.openings: list[dict[str, Any]] = []
        self.open_count = 0
        self.refusal: MutuaError | None = None
        self.on_refusal: Callable[[], None] = lambda: None

    @contextmanager
    def __call__(self, directory: Path, *, read_only: bool, purpose: str) -> Iterator[str]:
        if self.refusal is not None:
            self.on_refusal()
            raise self.refusal
        self.openings.append({"directory": directory, "read_only": read_only, "purpose": purpose})
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
    """Another process that serves the directory, until `exit_normally` or `kill`."""

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
        published = {"pid": os.getpid(), "address": self.server.address, "http_address": ""}
        (self._path / "server.json").write_text(json.dumps(published))


def locate(path: Path, opener: FakeOpener, **options: Any) -> DirectoryLocation:
    return DirectoryLocation(path, open_directory=opener, wait_seconds=0.2, **options)


ENDINGS = {"ends": OtherProcess.exit_normally, "is killed": OtherProcess.kill}


class TestOpen:
    def test_opens_an_unserved_directory_until_close(
        self, make_client: Any, tmp_path: Path, opener: FakeOpener
    ) -> None:
        with make_client(directory=locate(tmp_path, opener, purpose="a report")) as client:
            assert opener.openings == [], "nothing is opened before the first request"
            client.record([Event()])
            client.record([Event()])
            assert opener.open_count == 1
        assert opener.open_count == 0
        assert opener.openings == [
            {"directory": tmp_path, "read_only": False, "purpose": "a report"}
        ]
        assert len(opener.server.requests) == 2

    def test_uses_the_server_of_another_process(
        self, make_client: Any, tmp_path: Path, opener: FakeOpener, holder: OtherProcess
    ) -> None:
        holder.serve()
        with make_client(directory=locate(tmp_path, opener)) as client:
            client.record([Event()])
        assert len(holder.server.requests) == 1
        assert opener.openings == []

    def test_uses_a_server_that_started_meanwhile(
        self, make_client: Any, tmp_path: Path, opener: FakeOpener, holder: OtherProcess
    ) -> None:
        opener.refusal, opener.on_refusal = IN_USE, holder.serve
        with make_client(directory=locate(tmp_path, opener)) as client:
            client.record([Event()])
        assert len(holder.server.requests) == 1

    @pytest.mark.parametrize(
        "refusal", [IN_USE, MutuaError("torn", code=StatusCode.FAILED_PRECONDITION)]
    )
    def test_refusal_is_raised(
        self, make_client: Any, tmp_path: Path, opener: FakeOpener, refusal: MutuaError
    ) -> None:
        opener.refusal = refusal
        with make_client(directory=locate(tmp_path, opener)) as client:
            with pytest.raises(MutuaError) as raised:
                client.record([Event()])
            assert raised.value is refusal
            opener.refusal = None
            client.record([Event()])
        assert opener.open_count == 0

    def test_deadline_excludes_time_of_opening(self, tmp_path: Path, opener: FakeOpener) -> None:
        clock = FakeClock()

        @contextmanager
        def open_slowly(directory: Path, *, read_only: bool, purpose: str) -> Iterator[str]:
            clock.sleep(600)
            with opener(directory, read_only=read_only, purpose=purpose) as address:
                yield address

        opener.server.answers = [GetStatusResponse(position="p")]
        directory = DirectoryLocation(tmp_path, open_directory=open_slowly)
        with Client(directory=directory, deadline_seconds=5, clock=clock) as client:
            assert client.get_status().position == "p"
        # The clock of gRPC is coarse: the server may see slightly more than the deadline.
        assert 4 < opener.server.timeouts_seconds[0] < 5.1

    def test_failure_of_the_server_is_raised_at_close(
        self, make_client: Any, tmp_path: Path
    ) -> None:
        failure = MutuaError("projecting stopped", code=StatusCode.UNAVAILABLE, reason="LOG_DOWN")
        opener = FakeOpener()

        @contextmanager
        def open_and_fail(directory: Path, *, read_only: bool, purpose: str) -> Iterator[str]:
            with opener(directory, read_only=read_only, purpose=purpose) as address:
                yield address
            raise failure

        def record(error: Exception | None = None) -> None:
            with make_client(
                directory=DirectoryLocation(tmp_path, open_directory=open_and_fail)
            ) as client:
                client.record([Event()])
                if error is not None:
                    raise error

        with pytest.raises(MutuaError) as raised:
            record()
        assert raised.value is failure
        with pytest.raises(LookupError):  # the earlier error is more informative
            record(LookupError())

    def test_client_library_alone_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
        with Client(directory=tmp_path) as client, pytest.raises(MutuaError) as raised:
            client.get_status()
        assert raised.value.code is StatusCode.FAILED_PRECONDITION
        assert "pip install mutua" in raised.value.message
        assert "`mutua up`" in raised.value.message


class TestFailover:
    @pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
    def test_opens_the_directory_when_its_server_ends(
        self,
        make_client: Any,
        tmp_path: Path,
        opener: FakeOpener,
        holder: OtherProcess,
        clock: FakeClock,
        end: Any,
    ) -> None:
        holder.serve()
        with make_client(directory=locate(tmp_path, opener), clock=clock) as client:
            client.record([Event(event_id="before")])
            end(holder)
            client.record([Event(event_id="after")])
            assert opener.open_count == 1
        assert [each.events[0].event_id for each in holder.server.requests] == ["before"]
        assert [each.events[0].event_id for each in opener.server.requests] == ["after"]

    def test_stream_continues_on_the_new_server(
        self,
        make_client: Any,
        tmp_path: Path,
        opener: FakeOpener,
        holder: OtherProcess,
        clock: FakeClock,
    ) -> None:
        holder.serve()
        holder.server.answers = [None, END_STREAM]
        with make_client(directory=locate(tmp_path, opener), clock=clock) as client:
            recorded = client.record_stream(Event(event_id=str(number)) for number in range(3_000))
            assert next(recorded).count == 1_000
            holder.exit_normally()
            assert sum(each.count for each in recorded) == 2_000
        [first, *_] = opener.server.requests
        assert first.events[0].event_id == "1000"

    def test_refused_request_is_not_repeated(
        self, make_client: Any, tmp_path: Path, opener: FakeOpener, holder: OtherProcess
    ) -> None:
        holder.serve()
        holder.server.answers = [ScriptedFailure(code=StatusCode.NOT_FOUND, reason="NOT_FOUND")]
        with make_client(directory=locate(tmp_path, opener)) as client, pytest.raises(MutuaError):
            client.get_exchange("x")
        assert opener.openings == []


class TestArguments:
    @pytest.mark.parametrize("options", [{}, {"server": "a:1", "directory": "data"}])
    def test_requires_a_server_or_a_directory(self, make_client: Any, options: Any) -> None:
        with pytest.raises(MutuaError, match="directory") as raised:
            make_client(**options)
        assert raised.value.code is StatusCode.INVALID_ARGUMENT

    def test_async_client_requires_an_event_loop(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            AsyncClient(directory=tmp_path)
