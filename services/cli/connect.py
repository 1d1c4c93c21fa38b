"""Where a command finds its server."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mutua import Client

# Only to tell a server that is there from a stale file; a busy server still accepts at once.
LISTENING_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The global options. `command` is `mutua` with those of them that were typed."""

    data: Path
    server: str
    programme: str
    organization: str
    command: str


@contextmanager
def connected(settings: Settings, *, write: bool, purpose: str) -> Iterator[Client]:
    """A client of the server given, else of the one on the data directory, else of our own.

    Our own opens the data directory in this process; `write` and `purpose` are for its lock.
    """
    with ExitStack() as stack:
        address = settings.server or running_server(settings.data)
        if not address:
            # It imports databases, which a command that talks to a server must not wait for.
            from services.bootstrap import embedded

            running = stack.enter_context(
                embedded(settings.data, write=write, purpose=purpose),
            )
            address = running.address
        yield stack.enter_context(
            Client(address, programme=settings.programme, organization=settings.organization)
        )


def running_server(data: Path) -> str:
    """Address of the server on a data directory, "" when none runs; a stale file is ignored."""
    try:
        told = json.loads((data / "server.json").read_bytes())
        pid, address = int(told["pid"]), str(told["address"])
        host, _, port = address.rpartition(":")
        if not _is_alive(pid):
            return ""
        socket.create_connection((host.strip("[]"), int(port)), LISTENING_SECONDS).close()
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return address


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # somebody else's
    except ProcessLookupError:
        return False
    return True
