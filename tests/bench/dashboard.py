"""Measures how soon the dashboard is drawn, and what open dashboards cost the server.

Run as a program, this module is the open dashboards: each follows the status of its programme and
fetches its view again after a change, as `static/app.js` and `static/live.js` do.
"""

import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as Signal
from threading import Thread
from typing import Final, NamedTuple

from playwright.sync_api import Browser

from mutua import Client
from mutua.v1.event_pb2 import Event
from services.query.dashboard.routes import STATIC
from tests.bench.figure import RUNS, Figure
from tests.bench.live_recording import make_call, record_evenly
from tests.bench.processes import read_processor_seconds
from tests.chromium import open_browser
from tests.cli.cli_process import run_up

ORGANIZATIONS, TIES, EXCHANGES = 300, 2_000, 6_000
HISTORY_DAYS: Final = 730
SIZE: Final = f"{ORGANIZATIONS} organizations, {TIES:,} ties"

LIMIT_SECONDS: Final = {"overview": 1.5, "network": 2.5}
LIMIT_KILOBYTES: Final = 150
CHARTS: Final = {"overview": "[aria-labelledby=card-months] svg", "network": "svg.map .tie"}
"""What shows an answer on a page."""
OBSERVE_CHART: Final = """
(() => {
  const finish = () => {
    performance.mark("drawn");
    document.documentElement.dataset.drawn = "";
  };
  const look = () => {
    const isThere = document.querySelector("CHART");
    requestAnimationFrame(isThere ? () => setTimeout(finish) : look);
  };
  look();
})();
"""
READ_TIMES: Final = """
() => {
  const entries = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type));
  return [
    performance.getEntriesByName("first-contentful-paint")[0].startTime / 1000,
    performance.getEntriesByName("drawn")[0].startTime / 1000,
    entries.reduce((sum, entry) => sum + entry.transferSize, 0) / 1000,
  ];
}
"""

DASHBOARDS, VIEWS = 50, ("overview", "balances", "network", "pairs", "mutuality")
FACTS_PER_SECOND, DURATION_SECONDS = 20, 20
QUESTIONS_PER_SECOND: Final = 20
COALESCE_SECONDS: Final = 0.2
CONNECTIONS: Final = 5
"""A browser opens six to a server, one of which has the events."""


class Load(NamedTuple):
    """How a page was loaded with an empty cache."""

    paint_seconds: float
    drawn_seconds: float
    kilobytes: float


def measure() -> Iterator[Figure]:
    with TemporaryDirectory() as folder, run_up(Path(folder, "data")) as (server, _):
        addresses = json.loads(Path(folder, "data", "server.json").read_text())
        ties = [random.sample(range(ORGANIZATIONS), 2) for _ in range(TIES)]

        def make_exchange(age_days: float = 0.001) -> Event:
            when = datetime.now(UTC) - timedelta(days=age_days)
            giver, receiver = random.choice(ties)
            return make_call(giver, receiver, when)

        with Client(addresses["address"]) as client:
            for _ in range(EXCHANGES // 1_000):
                events = [make_exchange(random.random() * HISTORY_DAYS) for _ in range(1_000)]
                position = client.record(events)
            client.get_status(min_position=position)
            yield from _measure_loads(client, f"http://{addresses['http_address']}/", make_exchange)
            yield from _measure_open(client, addresses, server.pid, make_exchange)


def _measure_loads(
    client: Client, url: str, make_exchange: Callable[[], Event]
) -> Iterator[Figure]:
    with open_browser() as browser:
        for view, limit_seconds in LIMIT_SECONDS.items():
            loads = []
            for _ in range(RUNS):
                position = client.record([make_exchange()])  # so that no answer is cached
                client.get_status(min_position=position)
                loads.append(_load(browser, url, view))
            paint, drawn, kilobytes = map(statistics.median, zip(*loads, strict=True))
            what = f"the {view}, {SIZE}, empty cache, a fact later"
            yield Figure(f"{what}: first paint", paint, "s", limit_seconds, "the bound set")
            yield Figure(f"{what}: chart drawn", drawn, "s", limit_seconds, "the bound set")
            yield Figure(f"{what}: transferred", kilobytes, "kB", LIMIT_KILOBYTES, "the bound set")


def _load(browser: Browser, url: str, view: str) -> Load:
    context = browser.new_context(viewport={"width": 1_440, "height": 900})
    page = context.new_page()
    page.add_init_script(OBSERVE_CHART.replace("CHART", CHARTS[view]))
    page.goto(f"{url}?view={view}")
    page.wait_for_selector("html[data-drawn]", state="attached")
    page.wait_for_selector("#content:not([aria-busy])", state="attached")  # with all its parts
    load = Load(*page.evaluate(READ_TIMES))
    context.close()
    return load


def _measure_open(
    client: Client, addresses: dict[str, str], pid: int, make_exchange: Callable[[], Event]
) -> Iterator[Figure]:
    without, _ = _measure_server(client, addresses["address"], pid, make_exchange)
    command = [sys.executable, "-m", __name__, addresses["http_address"]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as dashboards:
        assert dashboards.stdin is not None
        assert dashboards.stdout is not None
        dashboards.stdout.readline()  # all have loaded their view
        meanwhile, cores = _measure_server(client, addresses["address"], pid, make_exchange)
        dashboards.stdin.write("\n")
        dashboards.stdin.flush()
        view_count = int(dashboards.stdout.readline())
    what = f"{DASHBOARDS} open dashboards, {SIZE}, {FACTS_PER_SECOND} facts/s"
    yield Figure(f"{what}: processor of the server", cores, "cores", 1, "one core")
    yield Figure("p99 of ListBalances meanwhile", meanwhile, "s", 2 * without, "twice without them")
    rate = view_count / DASHBOARDS / DURATION_SECONDS
    yield Figure("new views a dashboard", rate, "a second", 5, "one in 200 ms")


def _measure_server(
    client: Client, address: str, pid: int, make_exchange: Callable[[], Event]
) -> tuple[float, float]:
    """p99 of ListBalances in seconds, and processors of the server, while facts are recorded."""
    recording = Thread(
        target=record_evenly,
        args=(client, make_exchange),
        kwargs={"facts_per_second": FACTS_PER_SECOND, "duration_seconds": DURATION_SECONDS},
    )
    durations, never = [], Signal()
    processor_before, start = read_processor_seconds(pid), time.monotonic()
    recording.start()
    with Client(address) as asker:
        for number in range(QUESTIONS_PER_SECOND * DURATION_SECONDS):
            never.wait(max(0.0, start + number / QUESTIONS_PER_SECOND - time.monotonic()))
            asked = time.monotonic()
            list(asker.list_balances())
            durations.append(time.monotonic() - asked)
    recording.join()
    cores = (read_processor_seconds(pid) - processor_before) / (time.monotonic() - start)
    return statistics.quantiles(durations, n=100)[98], cores


def _list_parts(view: str) -> list[str]:
    """The views that a page fetches: `parts` of its module, and what all pages show."""
    module = (STATIC / "pages" / f"{view}.js").read_text()
    [parts] = re.findall(r"^export const parts = (\[.*\]);", module, re.MULTILINE) or ["[]"]
    return [view, "programme", *json.loads(parts)]


class _Dashboard:
    """An open page."""

    def __init__(self, address: str, view: str) -> None:
        self._address = address
        self._parts = _list_parts(view)
        self._tags: dict[str, str] = {}
        self._free: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        self._free = asyncio.LifoQueue()
        self._is_stale = asyncio.Event()
        self.view_count = 0

    async def open(self) -> None:
        """Loads the view."""
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await _connect(self._address))
        await self._update()

    async def follow(self) -> None:
        """Fetches the view again after each change, without end."""
        updating = asyncio.create_task(self._update_repeatedly())
        reader, writer = await _connect(self._address)
        writer.write(_make_request(self._address, "/api/v1/watch/status"))
        try:
            async for line in reader:
                if line == b"event: delta\n":
                    self._is_stale.set()
        finally:
            updating.cancel()

    async def _update_repeatedly(self) -> None:
        while await self._is_stale.wait():
            await asyncio.sleep(COALESCE_SECONDS)
            self._is_stale.clear()
            await self._update()

    async def _update(self) -> None:
        await asyncio.gather(*map(self._fetch, self._parts))

    async def _fetch(self, part: str) -> None:
        connection = reader, writer = await self._free.get()
        tag = f"If-None-Match: {self._tags[part]}\r\n" if part in self._tags else ""
        writer.write(_make_request(self._address, f"/views/{part}", tag))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if length := re.search(r"content-length: (\d+)", head):
            await reader.readexactly(int(length[1]))
        self._free.put_nowait(connection)
        status = head.split(maxsplit=2)[1]
        assert status in ("200", "304"), head
        if status == "200":
            self._tags[part] = re.findall(r"etag: (.*)\r", head)[0]
            self.view_count += part == self._parts[0]


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port), limit=1 << 22)


def _make_request(address: str, path: str, headers: str = "") -> bytes:
    lines = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: gzip\r\n{headers}\r\n"
    return lines.encode()


async def _keep_open(address: str) -> None:
    """Opens all dashboards, and prints how many views they got until a line is read."""
    dashboards = [_Dashboard(address, VIEWS[each % len(VIEWS)]) for each in range(DASHBOARDS)]
    await asyncio.gather(*(each.open() for each in dashboards))
    following = [asyncio.create_task(each.follow()) for each in dashboards]
    before = sum(each.view_count for each in dashboards)
    print(flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for task in following:
        assert not task.done(), task.exception()
        task.cancel()
    print(sum(each.view_count for each in dashboards) - before, flush=True)


if __name__ == "__main__":
    asyncio.run(_keep_open(sys.argv[1]))
