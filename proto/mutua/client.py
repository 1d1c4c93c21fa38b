"""The client for programs: one `Client` per programme, safe to share between threads."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext, suppress
from types import TracebackType
from typing import Self

from mutua.connection import Connection, RetryClock
from mutua.errors import MutuaError
from mutua.location import DirectoryLocation, locate
from mutua.reader import Reader
from mutua.recording import Recorded, complete_event, split_into_batches
from mutua.recording_stream import RecordingStream
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest


class Client(Reader):
    """Records facts in one programme, and asks what they add up to.

    Connects to the server at `server` ("host:port"), to two ("ingest_host:port,query_host:port"),
    or to the server of a data `directory` on this machine. While no process serves that directory,
    this process opens it and serves it, also to other processes, until `close`; see
    `DirectoryLocation`.

    Facts are recorded on behalf of `organization`. `deadline_seconds` bounds each request together
    with its retries. The first request connects. Every method raises MutuaError.
    """

    def __init__(
        self,
        server: str = "",
        programme: str = "default",
        organization: str = "",
        deadline_seconds: float = 30.0,
        *,
        directory: str | os.PathLike[str] | DirectoryLocation | None = None,
        clock: RetryClock = time,
    ) -> None:
        self.programme = programme
        self.organization = organization
        self._connections = [
            Connection(
                location, organization=organization, deadline_seconds=deadline_seconds, clock=clock
            )
            for location in locate(server, directory)
        ]
        # One server does both.
        self._ingest, self._query = self._connections[0], self._connections[-1]

    def record(self, events: Iterable[Event]) -> str:
        """Records up to 1,000 events or 1 MiB in one request; returns the position after them.

        Empty event and programme ids are filled in on the events themselves. After UNAVAILABLE,
        DEADLINE_EXCEEDED or CANCELLED the facts may or may not be recorded. Make the same call
        again then, because facts count once by event id.
        """
        request = RecordEventsRequest(
            events=[complete_event(each, self.programme) for each in events]
        )
        return self._ingest.call(
            lambda link: link.ingest.RecordEvents, request, is_write=True
        ).position

    def record_in_batches(self, events: Iterable[Event]) -> Iterator[Recorded]:
        """Records any number of events, one request after the other, in their order.

        Yields after each request; nothing is recorded unless the result is iterated. If it raises,
        everything yielded before is durable.
        """
        for batch in split_into_batches(complete_event(each, self.programme) for each in events):
            yield Recorded(count=len(batch), position=self.record(batch))

    def record_stream(self, events: Iterable[Event]) -> Iterator[Recorded]:
        """Records any number of events of one programme, in their order, as fast as they are taken.

        Sends several groups without waiting and yields each one, in order, once it is durable. A
        broken stream resumes from the first group without an answer; `deadline_seconds` bounds the
        wait for each answer, not the whole stream. Nothing is recorded unless the result is
        iterated. If it raises, everything yielded before is durable. If a fact is refused, the
        error's fields refer to the group after the last one yielded, and nothing from that group on
        is recorded. After any other error, some of the later groups may be recorded.
        """
        with closing(RecordingStream(self._ingest)) as stream:
            for batch in split_into_batches(
                complete_event(each, self.programme) for each in events
            ):
                yield from stream.send(batch)
            yield from stream.finish()

    def close(self) -> None:
        """Cancels running requests; later requests raise ValueError, like a closed file.

        Releases a data directory that this client opened. Raises MutuaError if the server on it had
        failed.
        """
        for connection in self._connections:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The first error explains more than its consequence.
        with suppress(MutuaError) if error is not None else nullcontext():
            self.close()
