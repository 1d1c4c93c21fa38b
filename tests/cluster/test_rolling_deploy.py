"""Rolling deploys under load: every process is replaced by another version, and back."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mutua import Client, MutuaError
from services.adapters.kafka.address import KafkaAddress
from tests.cluster.source_versions import (
    CURRENT,
    SourceVersion,
    VersionedProcesses,
    check_out_landed,
    copy_with_raised_model,
)
from tests.faults.server_process import fact_id, facts
from tests.ports import allocate_port
from tests.waiting import wait_until

ANSWERS = ("projector-2", "query-1", "query-2", "projector-1")
"""Queries of either version have a projector of theirs at any time."""
INGEST = ("ingest-1", "ingest-2")
THERE, BACK = (*ANSWERS, *INGEST), (*INGEST, *ANSWERS)
"""In which order README deploys."""
CALLER_COUNT = 4
DEADLINE_SECONDS = 60.0
VERIFY = """
import sys
try:
    from services.adapters.kafka.address import KafkaAddress
    from services.app.cluster_verification import verify
except ImportError:  # 864bc7b, which landed before the modules were regrouped
    from services.adapters.kafka_address import KafkaAddress
    from services.cluster.verify import verify
report = verify(KafkaAddress.parse(sys.argv[1]), sys.argv[2])
unprojected = getattr(report, "unprojected_count", 0) or getattr(report, "beyond_count", 0)
print("ok" if report.ok and not unprojected else report, report.fact_count)
"""
STEP = 5


class RollingLoad:
    """Records facts of one programme and sees each of them in an answer, until it is stopped."""

    def __init__(self, server: str, programme: str, seed: int) -> None:
        self.programme = programme
        self.first_fact = self.next_fact = seed * 1_000_000
        self.failure: AssertionError | MutuaError | None = None
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with Client(self._server, self.programme, deadline_seconds=DEADLINE_SECONDS) as client:
                while not self._over.wait(0.05):
                    self._once(client)
        except (AssertionError, MutuaError) as failure:
            self.failure = failure

    def _once(self, client: Client) -> None:
        position = client.record(facts(self.next_fact, self.next_fact + STEP))
        visible_count = sum(row.given for row in client.list_balances(min_position=position))
        self.next_fact += STEP
        assert visible_count == self.next_fact - self.first_fact, "an answer has each fact once"

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


class Deploy:
    """A cluster whose processes are replaced, one after the other, while callers go on."""

    def __init__(self, broker: str, topic: str, database: str, folder: Path) -> None:
        self._address = KafkaAddress(servers=(broker,), topic=topic)
        self._database = database
        self._ports = {name: allocate_port() for name in ("ingest", "query")}
        self._processes = VersionedProcesses(folder, self._settings)
        self.server = ",".join(f"127.0.0.1:{self._ports[name]}" for name in ("ingest", "query"))
        self._callers: list[RollingLoad] = []
        """Those of the load, each with a programme of its own."""
        self._past_callers: list[RollingLoad] = []

    def _settings(self, name: str) -> Mapping[str, str]:
        port = self._ports.get(name.partition("-")[0])
        settings = {
            "MUTUA_LOG_URL": str(self._address),
            "MUTUA_STORE_URL": self._database,
            "MUTUA_SESSION_TIMEOUT_SECONDS": "3",
        }
        if port is None:
            return {**settings, "MUTUA_INSTANCE": name}
        return {**settings, "MUTUA_LISTEN": f"127.0.0.1:{port}", "MUTUA_REUSE_PORT": "true"}

    def start(self, version: SourceVersion) -> None:
        self._processes.start(THERE[:1], version)  # it makes the read models
        self._processes.start(THERE[1:], version)

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Facts are recorded and seen all the while; whatever fails for a caller fails here."""
        first = len(self._past_callers)
        self._callers = [
            RollingLoad(self.server, f"p{number}", number)
            for number in range(first, first + CALLER_COUNT)
        ]
        try:
            yield
        finally:
            for each in self._callers:
                each.stop()
        self._past_callers += self._callers
        for each in self._callers:
            if each.failure is not None:
                raise each.failure

    def replace_all(self, order: Sequence[str], version: SourceVersion) -> None:
        for name in order:
            self.replace(name, version)

    def replace(self, name: str, version: SourceVersion) -> None:
        """Returns when every caller was answered anew, by what runs then."""
        self._processes.replace(name, version)
        before = [each.next_fact for each in self._callers]

        def all_went_on() -> bool:
            failed = [each.failure for each in self._callers if each.failure is not None]
            assert not failed, f"with {name} of {version.name}: {failed}"
            return all(
                each.next_fact > seen + STEP
                for each, seen in zip(self._callers, before, strict=True)
            )

        wait_until(all_went_on, f"callers go on with {name} of {version.name}")

    def assert_whole(self, version: SourceVersion) -> None:
        """What was recorded stands once, and the tables of a version are what the log says."""
        for each in self._past_callers:
            with Client(self.server, each.programme) as client:
                there = [row.exchange_id for row in client.list_exchanges(page_size=10_000)]
            assert sorted(there) == sorted(
                fact_id(n) for n in range(each.first_fact, each.next_fact)
            )
        recorded = sum(each.next_fact - each.first_fact for each in self._past_callers)
        output = version.run(VERIFY, str(self._address), self._database)
        assert output == f"ok {recorded}\n"

    def close(self) -> None:
        self._processes.close()


@pytest.fixture
def deploy(broker: str, topic: str, database: str, tmp_path: Path) -> Iterator[Deploy]:
    with closing(Deploy(broker, topic, database, tmp_path)) as running:
        yield running


@pytest.fixture(scope="session")
def landed_version(tmp_path_factory: pytest.TempPathFactory) -> SourceVersion:
    return check_out_landed(tmp_path_factory.mktemp("landed"))


class TestSourceVersion:
    def test_imports_its_own_sources(
        self,
        landed_version: SourceVersion,
    ) -> None:
        for version in (landed_version, CURRENT):
            output = version.run("import mutua, services; print(mutua.__file__, services.__file__)")
            assert [Path(each).is_relative_to(version.sources) for each in output.split()] == [
                True
            ] * 2


class TestRollingDeploy:
    @pytest.mark.timeout(900)
    def test_deploys_and_rollbacks_serve_every_caller(
        self, deploy: Deploy, landed_version: SourceVersion, tmp_path: Path
    ) -> None:
        """On to the current version and to one with other read models, and all the way back."""
        raised_version = copy_with_raised_model(tmp_path / "raised")
        deploy.start(landed_version)
        with deploy.under_load():
            deploy.replace_all(THERE, CURRENT)
            deploy.replace_all(THERE, raised_version)
            deploy.replace_all(BACK, CURRENT)
        deploy.assert_whole(CURRENT)
        with deploy.under_load():
            deploy.replace_all(BACK, landed_version)
        deploy.assert_whole(landed_version)
