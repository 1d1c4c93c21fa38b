"""One server address: the channel to it, and the retries of a request."""

import random
from typing import Protocol, TypeVar

import grpc

from mutua.errors import MutuaError, error_from
from mutua.retry import Outcome, longest_delay_seconds, outcome_of

# A server that was never reached is more likely absent than restarting: tell the user soon.
CONNECT_SECONDS = 2.0
# A write is cut off here and sent again, so that one frozen server does not eat the deadline.
ATTEMPT_SECONDS = 10.0

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # Errors travel as metadata: gRPC's 8 KiB would turn a BadRequest of many fields into nonsense.
    ("grpc.max_metadata_size", 1024 * 1024),
    # A vanished host is noticed during a call, not at its deadline.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC waits up to 2 minutes before it connects again: longer than any deadline of ours.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Despite its name the time one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    # gRPC sends even 127.0.0.1 through http_proxy, which many hospitals set.
    ("grpc.enable_http_proxy", 0),
)

Request = TypeVar("Request")
Response = TypeVar("Response")


class Clock(Protocol):
    """The part of the module `time` that retries need."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


class Connection:
    """Sends requests to one address until they are answered or the deadline has passed."""

    def __init__(
        self, address: str, *, organization: str, deadline_seconds: float, clock: Clock
    ) -> None:
        self.channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._address = address
        self._metadata = _metadata(organization)
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._reached = False
        self._closed = False

    def call(
        self,
        method: "grpc.UnaryUnaryMultiCallable[Request, Response]",
        request: Request,
        *,
        is_write: bool = False,
    ) -> Response:
        """The answer; sends the identical request again where `outcome_of` says that it can help.

        Raises the MutuaError that ended it; when time runs out, the last one that left a write in
        doubt, since an attempt that appended nothing says nothing about the one before.
        """
        start = self._clock.monotonic()
        in_doubt: MutuaError | None = None
        attempt = 0
        while True:
            seconds_left = start + self._deadline_seconds - self._clock.monotonic()
            timeout = min(seconds_left, ATTEMPT_SECONDS) if is_write else seconds_left
            try:
                return self._attempt(method, request, timeout_seconds=timeout)
            except MutuaError as error:
                outcome = outcome_of(error.code, error.reason, is_write=is_write)
                if outcome is Outcome.FINAL:
                    raise
                if outcome is Outcome.UNKNOWN:
                    in_doubt = error
                delay = error.retry_delay_seconds + random.uniform(
                    0, longest_delay_seconds(attempt)
                )
                if self._clock.monotonic() + delay >= start + self._patience_seconds():
                    if in_doubt is not None and in_doubt is not error:
                        raise in_doubt from error
                    raise
            self._clock.sleep(delay)
            attempt += 1

    def close(self) -> None:
        """Ends requests under way as CANCELLED."""
        self._closed = True
        self.channel.close()

    def _attempt(
        self,
        method: "grpc.UnaryUnaryMultiCallable[Request, Response]",
        request: Request,
        *,
        timeout_seconds: float,
    ) -> Response:
        try:
            response = method(request, timeout=timeout_seconds, metadata=self._metadata)
        except grpc.RpcError as failure:
            error = error_from(failure, address=self._address)
            # A server that was connected to and then died was there: facts may have reached it.
            if not _was_never_connected(error, failure):
                self._reached = True
            raise error from failure
        self._reached = True
        return response

    def _patience_seconds(self) -> float:
        if self._closed:
            return 0.0
        if self._reached:
            return self._deadline_seconds
        return min(self._deadline_seconds, CONNECT_SECONDS)


def _was_never_connected(error: MutuaError, failure: grpc.RpcError) -> bool:
    if error.reason or error.code is not grpc.StatusCode.UNAVAILABLE:
        return False
    told = str(failure).lower()
    return "failed to connect" in told or "resolution" in told


def _metadata(organization: str) -> tuple[tuple[str, str | bytes], ...]:
    """Plain metadata is printable ASCII; any other organization id travels as UTF-8 bytes."""
    if not organization:
        return ()
    if organization.isascii() and organization.isprintable():
        return (("mutua-organization", organization),)
    return (("mutua-organization-bin", organization.encode()),)
