"""The HTTP server, in the event loop of its process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp

from mutua.host_port import parse_host_port
from services.adapters.http.connection import MAX_HEAD_BYTES, ConnectionLimits, HttpConnection

_KEEP_ALIVE_SECONDS: Final = 65
"""Longer than the 60 s of proxies, so that a proxy closes first and loses no request."""
_ACCEPTED_AT_ONCE: Final = 64
"""Connections that asyncio accepts before it looks at any of them. With uvicorn's 2,048 a crowd of
them uses up all files of the process before the oldest is closed."""
_QUEUED_CONNECTIONS: Final = 2_048
"""Connections that the kernel keeps until they are accepted."""


class HttpServer:
    """Serves an application on one address."""

    def __init__(self, application: ASGIApp, limits: ConnectionLimits | None = None) -> None:
        self._application = application
        self._limits = limits or ConnectionLimits()

    async def start(self, listen: str, *, reuse_port: bool = False, grace_seconds: float) -> str:
        """Starts on `host:port` (port 0: any) and returns the address. Raises OSError.

        Requests have `grace_seconds` to end once `stop` was called.
        """
        host, port = parse_host_port(listen)
        listener = _listen(host, port, reuse_port=reuse_port)
        config = uvicorn.Config(
            self._application,
            http=cast("type[HttpConnection]", partial(HttpConnection, limits=self._limits)),
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_ACCEPTED_AT_ONCE,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, int(grace_seconds)),
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        await self._server.is_accepting.wait()
        listener.listen(_QUEUED_CONNECTIONS)
        return f"{host}:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        """Takes no more requests, and lets running ones end within the grace."""
        self._server.should_exit = True
        await self._serving


class _Server(uvicorn.Server):
    """Leaves signals to the process: uvicorn would raise SIGTERM again after it has stopped."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_accepting.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    """A listening socket, because uvicorn would exit the process if it cannot make one."""
    is_ipv6 = host.startswith("[")
    try:
        return socket.create_server(
            (host.strip("[]"), port),
            family=socket.AF_INET6 if is_ipv6 else socket.AF_INET,
            reuse_port=reuse_port,
        )
    except OSError as error:
        raise OSError(
            f"cannot listen for HTTP on {host}:{port}: {error.strerror}; choose another address "
            "with --http-listen or MUTUA_HTTP_LISTEN"
        ) from error
