"""Where a command finds its server."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from mutua import Client
from mutua.v1.query_service_pb2 import GetStatusResponse
from services.cli.words import nothing_recorded

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


def require_directory(settings: Settings, command: str) -> None:
    """Raises UsageError when a server is named instead of the data directory that is needed."""
    if settings.server and not is_typed("data"):
        raise click.UsageError(
            f"{command} works on a data directory, not through a server: run it where the data of "
            f"{settings.server} is, with --data and without --server."
        )


def is_typed(option: str) -> bool:
    """Whether a global option stands on the command line."""
    root = click.get_current_context().find_root()
    return root.get_parameter_source(option) is ParameterSource.COMMANDLINE


def tell_if_empty(settings: Settings, status: GetStatusResponse) -> None:
    """Says on stderr that nothing was recorded in a programme, and which others there are."""
    if status.fact_count or status.lag_count:
        return
    others = []
    if not settings.server:  # a server does not say whom it serves
        from services.bootstrap import programmes

        others = programmes(settings.data)
    click.echo(nothing_recorded(settings.programme, others), err=True)


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
