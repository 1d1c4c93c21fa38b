"""One server: the channel to it, and the retries of a request."""

import os
import random
import time
from collections.abc import Callable, Generator
from threading import Lock
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc

from mutua.errors import MutuaError, error_from
from mutua.location import Location
from mutua.retry import AttemptOutcome, classify_failure, max_delay_seconds
from mutua.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from mutua.v1.watch_service_pb2_grpc import WatchServiceStub

# A server that was never reached is more likely absent than restarting, so fail soon.
MAX_CONNECT_SECONDS = 2.0
# A write is cut off here and sent again, so that one frozen server does not eat the deadline.
MAX_ATTEMPT_SECONDS = 10.0

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # Errors travel as metadata: gRPC's 8 KiB would turn a BadRequest of many fields into nonsense.
    ("grpc.max_metadata_size", 1024 * 1024),
    # A vanished host is noticed during a call, not at its deadline.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # gRPC has pings of its own, waits a minute for them, and sends no other meanwhile.
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC waits up to 2 minutes before it connects again: longer than any deadline of ours.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Despite its name the time one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    # gRPC sends even 127.0.0.1 through http_proxy, which many hospitals set.
    ("grpc.enable_http_proxy", 0),
)

Response = TypeVar("Response")
Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]


class RetryClock(Protocol):
    """The part of the module `time` that retries need."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


class Peer:
    """The state of one server connection that both clients share."""

    def __init__(
        self,
        location: Location,
        *,
        organization: str,
        deadline_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.location = location
        self.address = ""
        self._caller = _caller(organization)
        self.deadline_seconds = deadline_seconds
        self.monotonic = monotonic
        self.was_reached = False
        self.is_closed = False

    def require_open(self) -> None:
        if self.is_closed:
            raise ValueError("the client is closed")

    def metadata(self, request_id: str) -> Metadata:
        """The metadata of a call: the recording organization and the request id."""
        return (*self._caller, ("x-request-id", request_id))

    def to_error(self, failure: grpc.RpcError) -> MutuaError:
        """The MutuaError of a failed call, with gRPC's error as its `__cause__`."""
        error = error_from(failure, address=self.address)
        # A server that was connected to and then died was there: facts may have reached it.
        if not _was_never_connected(error, failure):
            self.was_reached = True
        error.__cause__ = failure
        return error

    def timeout_error(self) -> MutuaError:
        """The failure of a stream on which no answer came in time."""
        return MutuaError(
            f"The mutua server at {self.address} did not answer in time.",
            code=grpc.StatusCode.DEADLINE_EXCEEDED,
        )

    def early_end_error(self) -> MutuaError:
        """The failure of a stream that ended well before everything was answered."""
        return MutuaError(
            f"The mutua server at {self.address} ended the stream early.",
            code=grpc.StatusCode.UNAVAILABLE,
        )

    def patience_seconds(self) -> float:
        if self.is_closed:
            return 0.0
        if self.was_reached:
            return self.deadline_seconds
        return min(self.deadline_seconds, MAX_CONNECT_SECONDS)


class Attempts:
    """The attempts of one request, from now on until the deadline, all under one id."""

    def __init__(self, peer: Peer, *, is_write: bool, request_id: str = "") -> None:
        """Creates a request id unless `request_id` is set."""
        self.request_id = request_id or new_request_id()
        self._peer = peer
        self._is_write = is_write
        self._start = peer.monotonic()
        self._in_doubt: MutuaError | None = None
        self._failures = 0

    def restart_deadline(self) -> None:
        """Counts the deadline from now, because finding another server took time."""
        self._start = self._peer.monotonic()

    def timeout_seconds(self) -> float:
        """The time limit of the next attempt."""
        left = self._start + self._peer.deadline_seconds - self._peer.monotonic()
        return min(left, MAX_ATTEMPT_SECONDS) if self._is_write else left

    def delay_seconds(self, error: MutuaError) -> float:
        """How long to wait before the identical request is sent again.

        Raises when that does not help (see `classify_failure`) or would be too late: the error, or
        the last one that left a write in doubt, since an attempt that appended nothing says nothing
        about the one before.
        """
        error.request_id = self.request_id
        outcome = classify_failure(error.code, error.reason, is_write=self._is_write)
        if outcome is AttemptOutcome.FINAL:
            raise error
        if outcome is AttemptOutcome.UNKNOWN:
            self._in_doubt = error
        delay = error.retry_delay_seconds + random.uniform(0, max_delay_seconds(self._failures))
        self._failures += 1
        if self._peer.monotonic() + delay >= self._start + self._peer.patience_seconds():
            if self._in_doubt is not None and self._in_doubt is not error:
                raise self._in_doubt from error
            raise error
        return delay


class Link:
    """A channel to one address, and the stubs on it."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.ingest = IngestServiceStub(channel)
        self.query = QueryServiceStub(channel)
        self.analysis = AnalysisServiceStub(channel)
        self.watch = WatchServiceStub(channel)


class Connection(Peer):
    """Sends requests to one server until they are answered or the deadline has passed.

    Finds the server at the first request, and again when it is no longer where it was.
    """

    def __init__(
        self,
        location: Location,
        *,
        organization: str,
        deadline_seconds: float,
        clock: RetryClock = time,
    ) -> None:
        super().__init__(
            location,
            organization=organization,
            deadline_seconds=deadline_seconds,
            monotonic=clock.monotonic,
        )
        self.sleep = clock.sleep
        self._lock = Lock()
        self._link: Link | None = None
        self._former: list[Link] = []  # their calls end by themselves

    def link(self) -> Link:
        """Connects if necessary. Raises MutuaError if there is no server."""
        with self._lock:
            self.require_open()
            if self._link is None:
                self.address = self.location.address()
                self._link = Link(grpc.insecure_channel(self.address, options=CHANNEL_OPTIONS))
            return self._link

    def call(
        self,
        method: "Callable[[Link], grpc.UnaryUnaryMultiCallable[Any, Response]]",
        request: object,
        *,
        is_write: bool = False,
    ) -> Response:
        """The answer. Raises the MutuaError that ended the attempts."""
        link = self.link()
        attempts = Attempts(self, is_write=is_write)
        metadata = self.metadata(attempts.request_id)
        while True:
            try:
                response = method(link)(
                    request, timeout=attempts.timeout_seconds(), metadata=metadata
                )
            except grpc.RpcError as failure:
                delay = attempts.delay_seconds(self.to_error(failure))
            else:
                self.was_reached = True
                return response
            self.sleep(delay)
            link = self.next_link(link, attempts)

    def stream(
        self,
        method: "grpc.UnaryStreamMultiCallable[Any, Response]",
        request: object,
        request_id: str,
    ) -> Generator[Response, None, None]:
        """The messages of a stream, to its end. Raises the MutuaError that broke it."""
        call = method(request, metadata=self.metadata(request_id))
        try:
            for response in call:
                self.was_reached = True
                yield response
        except grpc.RpcError as failure:
            raise self.to_error(failure) from failure
        finally:
            call.cancel()

    def next_link(self, link: Link, attempts: Attempts) -> Link:
        """The link for the next attempt, after one on `link` failed."""
        with self._lock:
            if self._link is link and self.location.has_moved(self.address):
                self._former.append(link)
                self._link = None
        next_link = self.link()
        if next_link is not link:
            attempts.restart_deadline()
        return next_link

    def close(self) -> None:
        """Ends running requests as CANCELLED."""
        self.is_closed = True
        with self._lock:
            for link in (self._link, *self._former):
                if link is not None:
                    link.channel.close()
        self.location.close()


def _was_never_connected(error: MutuaError, failure: grpc.RpcError) -> bool:
    if error.reason or error.code is not grpc.StatusCode.UNAVAILABLE:
        return False
    message = str(failure).lower()
    return "failed to connect" in message or "resolution" in message


def new_request_id() -> str:
    return os.urandom(16).hex()


def _caller(organization: str) -> Metadata:
    """Plain metadata is printable ASCII; any other organization id travels as UTF-8 bytes."""
    if not organization:
        return ()
    if organization.isascii() and organization.isprintable():
        return (("mutua-organization", organization),)
    return (("mutua-organization-bin", organization.encode()),)
