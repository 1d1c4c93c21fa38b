"""After kill -9 every acknowledged fact is stored once, and every table is right."""

import os
import random
import re
import signal
from contextlib import ExitStack, suppress
from math import ceil
from pathlib import Path
from typing import Final

import pytest

from mutua import Client, MutuaError
from services.app.data_maintenance import verify
from tests.faults.concurrent_load import ConcurrentLoad
from tests.faults.server_process import (
    IMPORT,
    REBUILD,
    ROOT,
    SERVE,
    assert_intact,
    assert_recorded_once,
    count_acknowledged,
    facts,
    kill,
    run_server,
    start_python,
)
from tests.fork_server import PipedProcess
from tests.ports import allocate_port
from tests.waiting import PATIENCE_SECONDS, wait_until

KILLS_PER_TEST: Final = 25
ROUNDS: Final = int(os.environ.get("MUTUA_KILL_ROUNDS", KILLS_PER_TEST))
SEED: Final = int(os.environ.get("MUTUA_KILL_SEED", "20261123"))
"""See the README of this folder."""

CRASHES = [
    "before_append:2",
    "after_append_before_ack:1",
    "after_append_before_ack:4",
    "in_slab:1",
    "in_slab:2",
    "after_commit_before_ack:1",
]


class TestCrashPoints:
    def test_every_one_is_tested(self) -> None:
        pattern = r'failpoint\("(\w+)"\)'
        failpoints = {
            name
            for path in ROOT.glob("services/**/*.py")
            for name in re.findall(pattern, path.read_text())
        }
        cluster = (
            ROOT / "tests/cluster" / name for name in ("test_crash_points.py", "test_rebuild.py")
        )
        test_files = (*Path(__file__).parent.glob("*.py"), *cluster)
        test_sources = "".join(path.read_text() for path in test_files)
        assert len(failpoints) >= 6
        assert {name for name in failpoints if f'"{name}:' not in test_sources} == set()

    @pytest.mark.parametrize("crash", CRASHES)
    def test_crashed_server_loses_no_fact(self, tmp_path: Path, crash: str) -> None:
        """The import survives, repeats requests without an answer, and completes."""
        data, listen = tmp_path / "data", f"127.0.0.1:{allocate_port()}"
        with run_server(data, listen, MUTUA_CRASH_AT=crash) as (server, address):
            importing = start_python(IMPORT, "--server", address, "0", "200")
            assert server.wait(PATIENCE_SECONDS) == 137
        with run_server(data, listen):
            assert importing.wait(PATIENCE_SECONDS) == 0, importing.communicate()[1]
        assert count_acknowledged(importing) == 200
        importing.communicate()
        assert_intact(data, 200)

    @pytest.mark.parametrize("crash", ["after_append_before_ack:2", "in_slab:1"])
    def test_crashed_embedded_import_can_be_repeated(self, tmp_path: Path, crash: str) -> None:
        data = tmp_path / "data"
        first = start_python(IMPORT, str(data), "-", "0", "200", MUTUA_CRASH_AT=crash)
        assert first.wait(PATIENCE_SECONDS) == 137
        assert_acknowledged_facts_intact(first, data)
        again = start_python(IMPORT, str(data), "-", "0", "200")
        assert again.wait(PATIENCE_SECONDS) == 0, again.communicate()[1]
        assert_acknowledged_facts_intact(again, data)


def assert_acknowledged_facts_intact(importing: PipedProcess, data: Path) -> None:
    durable = count_acknowledged(importing)
    importing.communicate()
    assert_intact(data, durable)


class TestKill:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_killed_embedded_import_keeps_acknowledged_facts(
        self, tmp_path: Path, seed: int
    ) -> None:
        """The import is killed three times, and continues after its last acknowledged fact."""
        data, count, dice = tmp_path / "data", 0, random.Random(seed)
        for _ in range(3):
            importing = start_python(IMPORT, str(data), "-", str(count), "1000000")
            count += int(importing.stdout.readline())
            kill(importing, after_seconds=dice.uniform(0, 0.4))
            count += count_acknowledged(importing)
            importing.communicate()
            report = verify(data)
            assert report.differences == [], f"seed {seed}"
        assert_intact(data, count)

    @pytest.mark.parametrize("seed", range(SEED, SEED + ceil(ROUNDS / KILLS_PER_TEST)))
    def test_server_killed_25_times_under_load_loses_nothing(
        self, tmp_path: Path, seed: int
    ) -> None:
        """Kills hit a start, a request, a slab or a switch-over; callers only see retries."""
        data, listen, dice = tmp_path / "data", f"127.0.0.1:{allocate_port()}", random.Random(seed)
        load = ConcurrentLoad(listen, seed)
        with ExitStack() as ending:
            with run_server(data, listen) as (server, _):
                ending.enter_context(load.run())
                kill(server)
            for _ in range(KILLS_PER_TEST - 1):
                _kill_a_server(data, listen, dice)
            with run_server(data, listen):
                ending.close()
        assert_recorded_once(data, load.durable_facts)
        print(
            f"seed {seed}: {KILLS_PER_TEST} kills, {len(load.durable_facts):,} facts acknowledged, "
            "each stored once"
        )


def _kill_a_server(data: Path, listen: str, dice: random.Random) -> None:
    """Kills a server, sometimes together with a rebuild whose read models it would accept."""
    with ExitStack() as ending:
        server = ending.enter_context(start_python(SERVE, str(data), listen))
        if dice.random() < 0.2:
            ending.callback(kill, ending.enter_context(start_python(REBUILD, str(data))))
        kill(server, after_seconds=dice.uniform(0, 1.2))
        assert server.returncode == -signal.SIGKILL, server.stderr.read()


def _record_20_and_crash_before_projection(data: Path) -> None:
    with (
        run_server(data, MUTUA_CRASH_AT="in_slab:1") as (server, address),
        Client(address, deadline_seconds=3.0) as client,
    ):
        with suppress(MutuaError):  # the server may crash before it answers
            client.record(list(facts(0, 20)))
        assert server.wait(PATIENCE_SECONDS) == 137


class TestUnprojectedFacts:
    def test_are_verified(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        _record_20_and_crash_before_projection(data)
        report = verify(data)
        assert (report.differences, report.fact_count, report.unprojected_count) == ([], 20, 0)

    def test_are_projected_at_the_next_start(
        self,
        tmp_path: Path,
    ) -> None:
        data = tmp_path / "data"
        _record_20_and_crash_before_projection(data)
        with run_server(data) as (_, address), Client(address) as client:
            wait_until(lambda: client.get_status().exchange_count == 20, "20 exchanges")
        assert verify(data).differences == []
