"""TCP proxies between processes, which can simulate network faults."""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final, TypeVar

_CHUNK_BYTES: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing then resets the connection instead of ending it in order."""

Result = TypeVar("Result")


class LinkFault(StrEnum):
    """The effect on connections while the fault lasts."""

    CUT = "cut"
    """Existing and new connections are reset."""
    DELAY = "delay"
    """All data arrive later."""
    BLACK_HOLE = "black hole"
    """Nothing arrives and no error occurs; afterwards everything arrives."""
    HALF_OPEN = "half-open"
    """Requests arrive and answers never do. Neither end learns that the connection is over, also
    after the fault."""


class ProxyNetwork:
    """All proxies, on an event loop in a separate thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self._proxies: list[Proxy] = []

    def add_proxy(self, port: int, *targets: str) -> "Proxy":
        """Starts a proxy on a port; each connection leads to the next of `targets`."""
        proxy = Proxy(port, targets, self._run)
        self._proxies.append(proxy)
        self._run(proxy.listen())
        return proxy

    def close(self) -> None:
        for proxy in self._proxies:
            self._run(proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class Proxy:
    """Forwards connections to its targets while no fault is set."""

    def __init__(
        self, port: int, targets: Sequence[str], run: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self._targets = list(targets)
        self._run = run
        self._fault: LinkFault | None = None
        self._delay_seconds = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    def fail(self, fault: LinkFault, *, delay_seconds: float = 0.0) -> None:
        """Sets a fault for all connections; LinkFault.DELAY delays data by `delay_seconds`."""
        self._run(self._change(fault, delay_seconds))

    def heal(self) -> None:
        self._run(self._change(None, 0.0))

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._change(LinkFault.CUT, 0.0)

    async def _change(self, fault: LinkFault | None, delay_seconds: float) -> None:
        self._fault, self._delay_seconds = fault, delay_seconds
        if fault is LinkFault.BLACK_HOLE:
            self._open.clear()
        else:
            self._open.set()
        for connection in list(self._connections):
            if fault is LinkFault.CUT:
                connection.reset()
            connection.is_deaf |= fault is LinkFault.HALF_OPEN

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault is LinkFault.CUT:
            _reset(writer)
            return
        await self._wait_for_arrival()
        try:
            far_reader, far_writer = await self._connect()
        except OSError:
            _reset(writer)
            return
        connection = _Connection(writer, far_writer, is_deaf=self._fault is LinkFault.HALF_OPEN)
        self._connections.add(connection)
        await asyncio.gather(
            connection.forward(reader, far_writer, self._wait_for_arrival, is_answer=False),
            connection.forward(far_reader, writer, self._wait_for_arrival, is_answer=True),
        )
        self._connections.discard(connection)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connects to the next target that answers. Raises OSError if none does."""
        for _ in range(len(self._targets) - 1):
            with suppress(OSError):
                return await self._connect_next()
        return await self._connect_next()

    async def _connect_next(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = self._targets.pop(0)
        self._targets.append(target)
        host, _, port = target.partition(":")
        return await asyncio.open_connection(host, int(port))

    async def _wait_for_arrival(self) -> None:
        """Returns when data sent now would arrive."""
        await self._open.wait()
        if self._delay_seconds:
            await asyncio.sleep(self._delay_seconds)


class _Connection:
    """One forwarded connection with both ends."""

    def __init__(
        self, near: asyncio.StreamWriter, far: asyncio.StreamWriter, *, is_deaf: bool
    ) -> None:
        self.is_deaf = is_deaf
        self._ends = (near, far)

    async def forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        wait_for_arrival: Callable[[], Awaitable[None]],
        *,
        is_answer: bool,
    ) -> None:
        """Forwards one direction until an end closes, then closes both unless data are lost."""
        try:
            while True:
                chunk = await reader.read(_CHUNK_BYTES)
                await wait_for_arrival()
                is_lost = is_answer and self.is_deaf
                if not chunk:
                    break
                if not is_lost:
                    writer.write(chunk)
                    await writer.drain()
        except OSError:
            is_lost = is_answer and self.is_deaf
        if not is_lost:
            for end in self._ends:
                end.close()

    def reset(self) -> None:
        for end in self._ends:
            _reset(end)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
