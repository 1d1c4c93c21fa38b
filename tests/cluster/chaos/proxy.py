"""What lies between processes: TCP proxies through which their network can be made to fail."""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final, TypeVar

_PIECE_BYTES: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: whoever is at the other end hears of a reset, not of an orderly end."""

Made = TypeVar("Made")


class LinkFault(StrEnum):
    """What becomes of connections while it lasts."""

    CUT = "cut"
    """They are reset, and new ones too."""
    DELAY = "delay"
    """Every piece arrives later."""
    BLACK_HOLE = "black hole"
    """Nothing arrives, and nobody hears why; afterwards all does."""
    HALF_OPEN = "half-open"
    """What is asked arrives, what is answered does not, and never will on these connections:
    neither end hears that they are over, also afterwards."""


class ProxyNetwork:
    """All proxies, on an event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self._proxies: list[Proxy] = []

    def add_proxy(self, port: int, *targets: str) -> "Proxy":
        """One that listens on a port, and leads each connection to the next of these addresses."""
        made = Proxy(port, targets, self._run)
        self._proxies.append(made)
        self._run(made.listen())
        return made

    def close(self) -> None:
        for proxy in self._proxies:
            self._run(proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Made]) -> Made:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class Proxy:
    """Carries connections from its address to its targets, as long as there is no fault."""

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
        """From now on, for all connections; `delay_seconds` is what a piece is late by."""
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
        await self._arrives()
        try:
            far_reader, far_writer = await self._reach()
        except OSError:
            _reset(writer)
            return
        connection = _Connection(writer, far_writer, is_deaf=self._fault is LinkFault.HALF_OPEN)
        self._connections.add(connection)
        await asyncio.gather(
            connection.carry(reader, far_writer, self._arrives, is_answer=False),
            connection.carry(far_reader, writer, self._arrives, is_answer=True),
        )
        self._connections.discard(connection)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The next target that answers. Raises OSError when none does."""
        for _ in range(len(self._targets) - 1):
            with suppress(OSError):
                return await self._reach_next()
        return await self._reach_next()

    async def _reach_next(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = self._targets.pop(0)
        self._targets.append(target)
        host, _, port = target.partition(":")
        return await asyncio.open_connection(host, int(port))

    async def _arrives(self) -> None:
        """Returns when what was sent now would arrive."""
        await self._open.wait()
        if self._delay_seconds:
            await asyncio.sleep(self._delay_seconds)


class _Connection:
    """One connection, seen from both ends."""

    def __init__(
        self, near: asyncio.StreamWriter, far: asyncio.StreamWriter, *, is_deaf: bool
    ) -> None:
        self.is_deaf = is_deaf
        self._ends = (near, far)

    async def carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        arrives: Callable[[], Awaitable[None]],
        *,
        is_answer: bool,
    ) -> None:
        """Until one end closes; then the other is closed, unless the news is an answer lost."""
        try:
            while True:
                piece = await reader.read(_PIECE_BYTES)
                await arrives()
                is_lost = is_answer and self.is_deaf
                if not piece:
                    break
                if not is_lost:
                    writer.write(piece)
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
    found: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
