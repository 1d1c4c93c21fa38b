"""One long recording: groups sent ahead, their answers, and calls that break."""

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeAlias

import grpc

from mutua.connection import Attempts, Connection, Link, Peer, new_request_id
from mutua.errors import MutuaError
from mutua.recording import Recorded, UnansweredGroups
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordStreamRequest, RecordStreamResponse

StreamResult: TypeAlias = RecordStreamResponse | MutuaError


class StreamCall:
    """One call. Whatever comes, and at last why no more comes, goes to `receive` on a thread.

    Both clients use gRPC's blocking calls here: when a server refuses a group while another is
    being sent, its asyncio calls often raise an INTERNAL error of their own instead of the reason.
    """

    def __init__(
        self, link: Link, peer: Peer, request_id: str, receive: Callable[[StreamResult], object]
    ) -> None:
        self._peer = peer
        self._receive = receive
        self._requests: SimpleQueue[RecordStreamRequest | None] = SimpleQueue()
        self._call = link.ingest.RecordStream(
            iter(self._requests.get, None), metadata=peer.metadata(request_id)
        )
        Thread(target=self._run, name="mutua-answers", daemon=True).start()

    def send(self, group: RecordStreamRequest) -> None:
        self._requests.put(group)

    def finish(self) -> None:
        """Tells the server that no group follows."""
        self._requests.put(None)

    def cancel(self) -> None:
        self._requests.put(None)  # or gRPC's thread would wait for a group for ever
        self._call.cancel()

    def _run(self) -> None:
        try:
            for answer in self._call:
                self._peer.was_reached = True
                self._receive(answer)
        except grpc.RpcError as failure:
            self._receive(self._peer.to_error(failure))
        else:
            self._receive(self._peer.early_end_error())


class RecordingStream:
    """Groups in, answers out, through as many calls as it takes. Belongs to one thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._link = connection.link()
        self._request_id = new_request_id()
        self._window = UnansweredGroups()
        self._is_complete = False
        self._open()

    def send(self, events: list[Event]) -> Iterator[Recorded]:
        """Sends a group and yields what is answered by now, waiting while too much is not."""
        group = RecordStreamRequest(events=events)
        self._window.add(group)
        self._call.send(group)
        while self._window.is_full or (self._window and not self._received.empty()):
            yield self._answer()

    def finish(self) -> Iterator[Recorded]:
        """Yields the answers that are still to come."""
        self._is_complete = True
        self._call.finish()
        while self._window:
            yield self._answer()

    def close(self) -> None:
        """Gives up what is not answered."""
        if self._window or not self._is_complete:
            self._call.cancel()

    def _answer(self) -> Recorded:
        attempts = Attempts(self._connection, is_write=True, request_id=self._request_id)
        while True:
            received = self._next(attempts.timeout_seconds())
            if isinstance(received, RecordStreamResponse):
                return self._window.pop_oldest(received)
            self._connection.sleep(attempts.delay_seconds(received))
            self._call.cancel()
            self._link = self._connection.next_link(self._link, attempts)
            self._open()

    def _next(self, timeout_seconds: float) -> StreamResult:
        try:
            return self._received.get(timeout=timeout_seconds)
        except Empty:
            return self._connection.timeout_error()

    def _open(self) -> None:
        """Begins a call with the first group that was not answered."""
        self._received: SimpleQueue[StreamResult] = SimpleQueue()
        self._call = StreamCall(self._link, self._connection, self._request_id, self._received.put)
        for group in self._window:
            self._call.send(group)
        if self._is_complete:
            self._call.finish()
