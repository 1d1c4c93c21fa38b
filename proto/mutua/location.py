"""Where a client's server is: at a fixed address, or wherever a data directory is served."""

import fcntl
import json
import os
import socket
import time
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

import grpc

from mutua.errors import MutuaError
from mutua.host_port import parse_host_port

OPENER_GROUP: Final = "mutua.data_directory"
"""Entry point group in which the server side registers one `DirectoryOpener`."""
# Distinguishes a running server from a stale file; a busy server still accepts at once.
PROBE_TIMEOUT_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.05
"""Pause between tries while another process holds the directory."""


class Location(Protocol):
    """Finds the server. Threads share it."""

    def address(self) -> str:
        """host:port of the server. Raises MutuaError when there is none and none can be opened."""
        ...

    def has_moved(self, address: str) -> bool:
        """Whether the server is no longer at `address`, where a call has just failed."""
        ...

    def close(self) -> None:
        """Ends what was opened. Raises MutuaError when its data could not be written to the end."""
        ...


class DirectoryOpener(Protocol):
    """Serves a data directory from this process until the context ends; yields the address.

    While another process holds the directory it raises MutuaError with the reason DATA_IN_USE, or
    with `read_only` answers from what that process has projected. `purpose` names this process to
    others that find the directory in use.
    """

    def __call__(
        self, directory: Path, *, read_only: bool, purpose: str
    ) -> AbstractContextManager[str]: ...


class FixedLocation:
    """A server at an address, which is looked for nowhere else."""

    def __init__(self, address: str) -> None:
        self._address = address

    def address(self) -> str:
        return self._address

    def has_moved(self, address: str) -> bool:  # noqa: ARG002 - it never moves
        return False

    def close(self) -> None:
        pass


# decision 0108: the holder of a directory serves it
class DirectoryLocation:
    """The server of a data directory, in whichever process it is.

    That is the process that holds the directory: `mutua up`, an import, another client. While there
    is none, this process opens the directory and serves it, to itself and to others, until `close`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        purpose: str = "mutua.Client",
        open_directory: DirectoryOpener | None = None,
        wait_seconds: float = 5.0,
        takes_over: bool = True,
    ) -> None:
        """For the options see `DirectoryOpener`: by default the one of the installed server side.

        `wait_seconds` bounds the wait for a process that holds the directory and does not serve it.
        Without `takes_over` this process does not open a directory that another one has served,
        because its server may be restarting.
        """
        self.path = Path(path)
        self._read_only = read_only
        self._purpose = purpose
        self._open_directory = open_directory
        self._wait_seconds = wait_seconds
        self._takes_over = takes_over
        self._was_served = False
        self._lock = Lock()
        self._opened = ExitStack()
        self._own_address = ""

    def address(self) -> str:
        with self._lock:
            deadline = time.monotonic() + self._wait_seconds
            while not self._own_address:
                if address := find_running_server(self.path):
                    self._was_served = True
                    return address
                if self._was_served and not self._takes_over:
                    raise MutuaError(
                        f"The server of {self.path} has ended.", code=grpc.StatusCode.UNAVAILABLE
                    )
                try:
                    self._open()
                except MutuaError as error:
                    # The holder is about to serve the directory, or to leave it.
                    if error.reason != "DATA_IN_USE" or time.monotonic() >= deadline:
                        raise
                    time.sleep(POLL_SECONDS)
            return self._own_address

    def has_moved(self, address: str) -> bool:
        return address != self._own_address and address != find_running_server(self.path)

    def close(self) -> None:
        with self._lock:
            self._opened.close()

    def _open(self) -> None:
        open_directory = self._open_directory or _registered_opener()
        self._own_address = self._opened.enter_context(
            open_directory(self.path, read_only=self._read_only, purpose=self._purpose)
        )


def find_running_server(data: Path) -> str:
    """Address of the server that runs on a data directory, "" when none does."""
    try:
        server = json.loads((data / "server.json").read_bytes())
        pid, address = int(server["pid"]), str(server["address"])
        host, port = parse_host_port(address)
        # A killed server leaves the file. Its process id and its port may be another's by now.
        if not _is_alive(pid) or not _is_held(data / "lock"):
            return ""
        socket.create_connection((host.strip("[]"), port), PROBE_TIMEOUT_SECONDS).close()
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return address


def locate(
    server: str, directory: str | os.PathLike[str] | DirectoryLocation | None
) -> list[Location]:
    """The one or two servers that a client talks to, the one that takes facts first.

    Raises MutuaError unless either `server` or `directory` says where they are.
    """
    if directory is None:
        return [FixedLocation(address) for address in parse_addresses(server)]
    if server:
        raise MutuaError(
            f"server is {server!r} and directory is {str(directory)!r}: give one of them",
            code=grpc.StatusCode.INVALID_ARGUMENT,
        )
    if isinstance(directory, DirectoryLocation):
        return [directory]
    return [DirectoryLocation(directory)]


def parse_addresses(server: str) -> list[str]:
    """The one or two addresses of a server, for writes first. Raises MutuaError."""
    hosts = [address.strip() for address in server.split(",")]
    with suppress(ValueError):
        # gRPC would take 443 for a missing port, and the user would wait for nothing.
        if len(hosts) <= 2 and all(map(parse_host_port, hosts)):
            return hosts
    raise MutuaError(
        f"server is {server!r}: give host:port, or ingest_host:port,query_host:port, "
        "or name a data directory with directory=",
        code=grpc.StatusCode.INVALID_ARGUMENT,
    )


def _registered_opener() -> DirectoryOpener:
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    for entry_point in entry_points(group=OPENER_GROUP):
        opener: DirectoryOpener = entry_point.load()
        return opener
    raise MutuaError(
        "No server runs on the data directory, and only mutua's client library is installed, which "
        "cannot open it: install mutua with its server side (pip install mutua), or start "
        "`mutua up` on the directory.",
        code=grpc.StatusCode.FAILED_PRECONDITION,
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another user's process
    except ProcessLookupError:
        return False
    return True


def _is_held(lock: Path) -> bool:
    """Whether a process holds the lock of a data directory; True where that cannot be seen."""
    try:
        file = lock.open()
    except PermissionError:
        return True
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
