"""What the slab transport takes for granted of Faust and aiokafka; each test is an assumption.

They run without a broker. When one fails after an upgrade, the transport has to be thought through
again, and `tests/cluster/test_projector.py` run.
"""

import asyncio
import inspect
from collections.abc import Callable, Collection, Coroutine
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, NamedTuple

import faust
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import InvalidSessionTimeoutError
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service
from mode.supervisors import CrashingSupervisor

from services.adapters.kafka import faust_transport as ours
from services.adapters.kafka.address import KafkaAddress
from services.ledger.records import Hold
from services.projector.faust_app import create_app
from services.projector.partition_projector import PartitionProjector
from services.projector.worker import Worker
from services.settings import Settings
from tests.projector.running_worker import FakeLog, make_partition

HERE, THERE = TP("facts", 0), TP("facts", 1)


class RecordingOwner(Worker):
    """A worker with fixed positions, which records its callbacks."""

    def __init__(self) -> None:
        nothing: Any = None  # nothing is read here
        self.reasons: list[str] = []
        super().__init__(
            log=nothing,
            open_store=nothing,
            on_ready=lambda: self.reasons.append("ready"),
            on_superseded=self.reasons.append,
            on_failure=self.reasons.append,
        )
        self.stored_offsets = {0: 70, 1: 0}
        self.stored_holds: dict[int, Hold] = {}

    async def take_over(self, partitions: Collection[int]) -> None:
        self.partitions = {number: self.load(number) for number in partitions}

    def load(self, number: int) -> PartitionProjector:
        partition = make_partition(FakeLog([], number=number))
        partition.next_offset = self.stored_offsets[number]
        partition.hold = self.stored_holds.get(number)
        return partition


class FakeFetchThread:
    """The part of the fetch thread that a consumer calls."""

    def __init__(self) -> None:
        self.fetched: dict[TP, list[Any]] = {}
        self.sought: dict[TP, int] = {}
        self.committed: dict[TP, int] = {}

    def assignment(self) -> set[TP]:
        return {HERE, THERE}

    def highwater(self, tp: TP) -> int:
        return 100

    async def seek_wait(self, places: dict[TP, int]) -> None:
        self.sought.update(places)

    async def commit(self, offsets: dict[TP, int]) -> bool:
        self.committed.update(offsets)
        return True

    async def getmany(self, active: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109
        return {place: [ours.FetchedSlab(records)] for place, records in self.fetched.items()}


def record(offset: int) -> Any:
    return SimpleNamespace(offset=offset, timestamp=5_000, timestamp_type=1, key=b"p", value=b"v")


class AppUnderTest(NamedTuple):
    """An app that is not started, with a fake fetch thread."""

    app: ours.SlabApp
    owner: RecordingOwner
    consumer: Any
    thread: FakeFetchThread
    real_thread: Any


def run(test: Callable[[Any, AppUnderTest], Coroutine[Any, Any, None]]) -> Callable[[Any], None]:
    """Runs a test on an event loop, with an app created on it."""

    async def run_with_an_app(self: Any) -> None:
        owner, thread = RecordingOwner(), FakeFetchThread()
        settings = Settings(log_url="kafka://one:1,two:2/facts", instance="w1", slab_records=7)
        app = create_app(
            settings, owner, address=KafkaAddress.parse(settings.log_url), group="group"
        )
        app.producer.flush = _nothing  # type: ignore[method-assign] # else it would connect
        consumer: Any = app.consumer
        real, consumer._thread = consumer._thread, thread
        try:
            await test(self, AppUnderTest(app, owner, consumer, thread, real))
        finally:
            real.thread_loop.close()
            owner.close()

    return lambda self: asyncio.run(run_with_an_app(self))


async def _nothing() -> None:
    pass


def _parameters(method: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(method).parameters.values())


async def _failing() -> None:
    raise ValueError("it broke")


class TestVersion:
    def test_faust_has_the_pinned_version(self) -> None:
        assert version("faust-streaming") == "0.15.3"

    @pytest.mark.parametrize(
        ("changed", "original"),
        [
            (ours.SlabApp, faust.App),
            (ours.SlabSchema, faust.Schema),
            (ours.SlabThread, driver.AIOKafkaConsumerThread),
            (ours.SlabConsumer, driver.Consumer),
        ],
    )
    def test_overridden_methods_exist_with_the_same_signature(
        self, changed: type, original: type
    ) -> None:
        for name, method in vars(changed).items():
            if not inspect.isfunction(method) or name == "__init__":
                continue
            assert hasattr(original, name), f"{original.__name__} has no {name} any more"
            replaced = inspect.signature(getattr(original, name)).parameters
            if not any(each.kind is each.VAR_KEYWORD for each in _parameters(method)):
                assert list(replaced) == [each.name for each in _parameters(method)], name
            assert inspect.iscoroutinefunction(method) == inspect.iscoroutinefunction(
                getattr(original, name)
            ), name


class TestApp:
    @run
    async def test_app_creates_our_transport_consumer_and_thread(
        self,
        app_under_test: AppUnderTest,
    ) -> None:
        assert type(app_under_test.app.transport) is ours.SlabTransport
        assert type(app_under_test.app.consumer) is ours.SlabConsumer
        assert type(app_under_test.real_thread) is ours.SlabThread

    @run
    async def test_settings_exist_and_reach_the_consumer(
        self, app_under_test: AppUnderTest
    ) -> None:
        for name, value in ours.REQUIRED_SETTINGS.items():
            assert getattr(app_under_test.app.conf, name) == value, name
        assert app_under_test.app.conf.id == "group"
        consumer = app_under_test.real_thread._create_worker_consumer(app_under_test.app.transport)
        try:
            assert (consumer._fetch_min_bytes, consumer._fetch_max_wait_ms) == (65_536, 25)
            assert consumer._max_poll_records == 7
            assert consumer._auto_offset_reset == "none"
            assert consumer._group_instance_id == "w1"
            assert consumer._client._bootstrap_servers == ["one:1", "two:2"]
        finally:
            await consumer.stop()

    @run
    async def test_app_starts_no_web_server(self, app_under_test: AppUnderTest) -> None:
        assert not app_under_test.app.boot_strategy._should_enable_web()

    @run
    async def test_app_passes_the_end_of_a_rebalance_to_the_owner(
        self, app_under_test: AppUnderTest
    ) -> None:
        app_under_test.app.on_rebalance_start()
        app_under_test.app.on_rebalance_end()
        assert app_under_test.owner.reasons == ["ready"]

    @run
    async def test_describe_group_failure_finds_the_refusal(
        self, app_under_test: AppUnderTest
    ) -> None:
        app_under_test.consumer._thread = app_under_test.real_thread
        consumer = app_under_test.real_thread._create_worker_consumer(app_under_test.app.transport)
        app_under_test.real_thread._consumer = consumer
        assert ours.describe_group_failure(app_under_test.app) == ""
        group = GroupCoordinator(consumer._client, consumer._subscription, group_id="group")
        consumer._subscription.register_fetch_waiters(set())  # as its fetcher does
        consumer._coordinator = group
        assert ours.describe_group_failure(app_under_test.app) == ""
        pushed = asyncio.ensure_future(group._push_error_to_user(InvalidSessionTimeoutError()))
        assert "does not take MUTUA_SESSION_TIMEOUT_SECONDS 10" in ours.describe_group_failure(
            app_under_test.app
        )
        with pytest.raises(InvalidSessionTimeoutError):
            group.check_errors()
        await pushed
        group._coordination_task.cancel()
        group._coordination_task = asyncio.ensure_future(_failing())
        await asyncio.wait([group._coordination_task])
        assert (
            "does not keep this projector: ValueError('it broke')"
            in ours.describe_group_failure(app_under_test.app)
        )
        consumer._coordinator = None
        await consumer.stop()


class TestFetch:
    def test_fetch_options_are_read_when_the_consumer_starts(self) -> None:
        source = inspect.getsource(AIOKafkaConsumer.start)
        assert "fetch_min_bytes=self._fetch_min_bytes" in source
        assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in source

    @run
    async def test_fetch_leaves_full_partitions_out(
        self,
        app_under_test: AppUnderTest,
    ) -> None:
        asked: list[set[TP]] = []

        async def getmany(thread: Any, active: set[TP], timeout: float) -> Any:  # noqa: ASYNC109
            asked.append(active)
            return {}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(driver.AIOKafkaConsumerThread, "getmany", getmany)
            for place in (HERE, THERE):
                await app_under_test.real_thread.getmany({HERE, THERE}, 1.0)
                app_under_test.app.fetch_window.add(place, [record(offset) for offset in range(8)])
            await app_under_test.real_thread.getmany({HERE, THERE}, 1.0)  # nothing is asked for
        assert asked == [{HERE, THERE}, {THERE}]

    def test_fetcher_keeps_records_of_an_unpolled_partition(self) -> None:
        source = inspect.getsource(Fetcher.fetched_records)
        assert "if partitions and tp not in partitions:" in source
        assert "if tp in self._records:" in inspect.getsource(Fetcher._get_actions_per_node)

    @run
    async def test_slab_becomes_one_message_of_the_current_generation(
        self,
        app_under_test: AppUnderTest,
    ) -> None:
        slab = [record(70), record(71)]
        app_under_test.app.consumer_generation_id = 9
        app_under_test.thread.fetched = {HERE: slab}
        await app_under_test.owner.take_over([0, 1])
        app_under_test.consumer._set_active_tps({HERE, THERE})
        found = [message async for _, message in app_under_test.consumer.getmany(timeout=1.0)]
        (message,) = found
        assert (message.tp, message.offset, message.generation_id) == (HERE, 70, 9)
        assert message.value is slab
        schema = ours.SlabSchema()
        event = await schema.decode(app_under_test.app, message, propagate=True)
        assert event.value is slab

    @run
    async def test_noack_stream_is_not_acknowledged_automatically(
        self, app_under_test: AppUnderTest
    ) -> None:
        stream: Any = app_under_test.app.stream(app_under_test.app.channel())
        assert stream.enable_acks
        assert not stream.noack().enable_acks


class TestSeekAndCommit:
    @run
    async def test_seek_and_commit_use_next_offsets_of_the_owner(
        self,
        app_under_test: AppUnderTest,
    ) -> None:
        consumer = app_under_test.consumer
        consumer._committed_offset[HERE] = 90  # by somebody else, before
        await consumer.perform_seek()
        assert consumer._thread.sought == {HERE: 70, THERE: 0}
        await consumer.commit()
        assert consumer._thread.committed == {HERE: 70, THERE: 0}

    @run
    async def test_commit_ignores_acknowledgements(self, app_under_test: AppUnderTest) -> None:
        consumer = app_under_test.consumer
        await consumer.perform_seek()
        await consumer.commit()
        message = consumer._to_message(HERE, ours.FetchedSlab([record(70), record(79)]))
        app_under_test.owner.partitions[0].next_offset = 75
        app_under_test.app.topics.acking_topics.add("facts")
        assert consumer.ack(message)
        await consumer.commit()
        assert consumer._thread.committed[HERE] == 75
        assert consumer._acked[HERE] == []
        assert not consumer._acked_index[HERE]

    @run
    async def test_seek_pauses_held_partition(self, app_under_test: AppUnderTest) -> None:
        consumer = app_under_test.consumer
        app_under_test.thread.fetched = {HERE: [record(70)], THERE: [record(0)]}
        app_under_test.owner.stored_holds = {1: Hold(1, 0, "", 0)}
        consumer._set_active_tps({HERE, THERE})
        await consumer.perform_seek()
        found = [place async for place, _ in consumer.getmany(timeout=1.0)]
        assert found == [HERE]

    def test_seek_drops_fetched_records(self) -> None:
        source = inspect.getsource(Fetcher.seek_to)
        assert "del self._records[tp]" in source

    def test_recovery_ends_rebalance_after_resuming_streams(self) -> None:
        source = inspect.getsource(Recovery._resume_streams)
        steps = ["resume_partitions(", "perform_seek(", "resume_flow(", "on_rebalance_end("]
        places = [source.find(step) for step in steps]
        assert -1 not in places
        assert places == sorted(places)

    def test_static_member_does_not_leave_the_group(self) -> None:
        source = inspect.getsource(GroupCoordinator._maybe_leave_group)
        assert "self._group_instance_id is None" in source


class TestCrash:
    @run
    async def test_crash_is_reported_to_the_owner(self, app_under_test: AppUnderTest) -> None:
        await app_under_test.real_thread.crash(ValueError("it broke"))
        assert set(app_under_test.owner.reasons) == {"ValueError('it broke')"}

    @run
    async def test_crash_during_stop_is_not_reported(self, app_under_test: AppUnderTest) -> None:
        app_under_test.owner.stop()
        await app_under_test.real_thread.crash(ValueError("it broke"))
        assert app_under_test.owner.reasons == []

    @run
    async def test_crashing_supervisor_restarts_nothing(self, app_under_test: AppUnderTest) -> None:
        class Child(Service):
            pass

        child = Child()
        CrashingSupervisor().add(child)
        assert child.supervisor is None  # so `crash` goes up to the app
