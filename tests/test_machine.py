"""State machine test: after any sequence of steps read models equal the log, and no fact is lost.

`MUTUA_MACHINE_EXAMPLES=1000 .venv/bin/python -m pytest tests/test_machine.py` tries more sequences.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mutua.ids import resubmission_id
from mutua.v1.event_pb2 import Event, OrganizationContent
from mutua.v1.query_service_pb2 import (
    QUARANTINE_REASON_NOT_APPLICABLE,
    QUARANTINE_REASON_UNREADABLE,
    QuarantinedRecord,
    Question,
)
from services.adapters.sqlite.store import SqliteStore
from services.cli.quarantined_record import build_resubmission
from services.imports import ImportInterruptedError
from services.ledger.errors import FencedWriterError
from services.ledger.position import Position
from services.projector.slab import project_slab
from tests.machine import checks
from tests.machine.direct_client import DirectClient
from tests.machine.expected_log import ExpectedLog, parse_fact
from tests.machine.imported_files import FileRow, ImportedFiles, file_rows
from tests.machine.instance import Instance
from tests.projector.slab_projection import read_tables
from tests.strategies import (
    ORGANIZATIONS,
    OTHER_PROGRAMME,
    PROGRAMME,
    RecordVariant,
    client_exchanges,
    client_organizations,
    denormalize,
    event_id,
    questions,
)

EXAMPLES = int(os.environ.get("MUTUA_MACHINE_EXAMPLES", "25"))
"""Number of sequences; one takes half a second of a processor."""
MEMORY = Path("/dev/shm")
"""Memory instead of a disk, because the test is about the order of steps, not durability."""
few = st.integers(1, 4)
places = st.integers(0, 7)
programmes = st.sampled_from((PROGRAMME, PROGRAMME, PROGRAMME, OTHER_PROGRAMME))
batches = st.sampled_from(("spring", "autumn"))
group_counts = st.sampled_from((None, None, None, 0, 1))
recorders = st.sampled_from(("", *ORGANIZATIONS))


class ProcessKilledError(Exception):
    """The process was killed, so its callers get no answer."""


def kill_points(*points: str) -> st.SearchStrategy[str]:
    """One of the points, or mostly "", places means no kill."""
    return st.sampled_from(("",) * 3 * len(points) + points)


class CorrectionBase(Enum):
    """The revision that a correction replaces according to its sender."""

    CURRENT = auto()
    ANYTHING = auto()
    THE_FIRST = auto()
    WHAT_COMES_NEXT = auto()
    THE_LATEST_FACT = auto()


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        memory = MEMORY if MEMORY.is_dir() else None
        self.folder = TemporaryDirectory(prefix="mutua-machine-", dir=memory)
        self.instance = Instance(Path(self.folder.name))
        self.log = ExpectedLog()
        self.numbers = dict.fromkeys(checks.PROGRAMMES, 0)
        self.clients = {
            each: DirectClient(self.instance, each, self.append) for each in checks.PROGRAMMES
        }
        self.files = ImportedFiles(
            self.clients[PROGRAMME], self.log, Path(self.folder.name, "log.csv")
        )
        self.checked_offset = 0
        self.log_id = self.instance.log.log_id

    # Facts are recorded.

    @rule(
        events=st.lists(client_exchanges(), min_size=1, max_size=3),
        recorder=recorders,
        programme=programmes,
        kill_point=kill_points("before_append", "after_append_before_ack"),
    )
    def record(self, events: list[Event], recorder: str, programme: str, kill_point: str) -> None:
        for event in events:
            self.identify(event, programme)
        self.send(programme, events, recorder, kill_point)

    @rule(
        events=st.lists(client_exchanges(), min_size=1, max_size=3),
        place=places,
        replaces=st.sampled_from((CorrectionBase.CURRENT, CorrectionBase.CURRENT, *CorrectionBase)),
        in_order=st.booleans(),
        recorder=recorders,
        programme=programmes,
    )
    def correct(
        self,
        events: list[Event],
        place: int,
        replaces: CorrectionBase,
        in_order: bool,  # noqa: FBT001 (drawn)
        recorder: str,
        programme: str,
    ) -> None:
        """One correction, or a chain of corrections in order or in reverse."""
        for event in events:
            self.identify(event, programme)
        exchange_id = self.choose_exchange(programme, place)
        replaced_id = self.choose_replaced(programme, exchange_id, replaces)
        for event in events:
            event.exchange_corrected.exchange.CopyFrom(event.exchange_recorded.exchange)
            event.exchange_corrected.exchange_id = exchange_id
            event.exchange_corrected.replaces_event_id = replaced_id
            replaced_id = event.event_id
        self.send(programme, events if in_order else events[::-1], recorder)

    @rule(place=places, recorder=recorders, programme=programmes)
    def retract(self, place: int, recorder: str, programme: str) -> None:
        event = self.identify(Event(), programme)
        event.exchange_retracted.exchange_id = self.choose_exchange(programme, place)
        event.exchange_retracted.reason.plain = "twice"
        self.send(programme, [event], recorder)

    @rule(content=client_organizations(), is_new=st.booleans(), programme=programmes)
    def describe(self, content: OrganizationContent, is_new: bool, programme: str) -> None:  # noqa: FBT001 (drawn)
        event = self.identify(Event(), programme)
        fact = event.organization_registered if is_new else event.organization_updated
        fact.organization.CopyFrom(content)
        self.send(programme, [event])

    @rule(names=st.permutations(ORGANIZATIONS), programme=programmes)
    def alias(self, names: Sequence[str], programme: str) -> None:
        event = self.identify(Event(), programme)
        event.alias_added.alias, event.alias_added.organization_id, *_ = names
        self.send(programme, [event])

    @precondition(lambda self: self.log.values)
    @rule(place=places, variant=st.sampled_from(RecordVariant), other=client_exchanges())
    def record_again(self, place: int, variant: RecordVariant, other: Event) -> None:
        """A client repeats a request, or another program writes to the log."""
        programme, value = self.log.values[-1 - place % len(self.log.values)]
        event = parse_fact(value)
        if event is not None and variant is not RecordVariant.PLAIN:
            if variant is RecordVariant.SLOPPY:
                event = denormalize(event)
            elif variant is RecordVariant.RECORDED_BY_ANOTHER:
                event.recorded_by = "centre"
            else:
                other.event_id, other.programme_id = event.event_id, event.programme_id
                event = other
            value = event.SerializeToString()
        self.append(programme, [value])

    @rule(value=st.sampled_from((b"", b"\xff")), programme=programmes)
    def record_garbage(self, value: bytes, programme: str) -> None:
        self.append(programme, [value])

    @rule(place=places, content=client_exchanges(), second_content=client_exchanges())
    def resubmit(self, place: int, content: Event, second_content: Event) -> None:
        """Two operators resubmit a quarantined record, independently of each other."""
        client = self.clients[PROGRAMME]
        records = list(client.list_quarantine(min_position=self.end()))
        if not records:
            return
        record = records[-1 - place % len(records)]
        for event in (self.repair(client, record, content), second_content):
            event.event_id = resubmission_id(PROGRAMME, record.record)
            client.record([event])
        [record] = client.list_quarantine(offsets=[record.offset], min_position=self.end())
        assert record.resubmitted_as == event.event_id
        ledger = self.log.fold_ledger(PROGRAMME)
        revisions = [
            each
            for exchange in ledger.exchanges.values()
            for each in exchange.revision_ids
            if each == event.event_id
        ]
        assert len(revisions) <= 1

    # Records are projected.

    @precondition(lambda self: self.lag())
    @rule(limit=few, kill_point=kill_points("in_slab", "after_commit_before_ack"))
    def project(self, limit: int, kill_point: str) -> None:
        with self.kill_at(kill_point):
            self.instance.project(limit)

    @rule()
    def catch_up(self) -> None:
        self.instance.catch_up()
        assert self.lag() == 0

    @precondition(lambda self: self.instance.next_offset)
    @rule(back=few, limit=few)
    def redeliver(self, back: int, limit: int) -> None:
        start = max(0, self.instance.next_offset - back)
        self.assert_fenced(self.instance.store, start, back - 1 + limit)

    @precondition(lambda self: self.lag())
    @rule(limit=few, behind=few)
    def reassign(self, limit: int, behind: int) -> None:
        """The previous writer continues at its old position."""
        start = self.instance.next_offset
        previous = self.instance.reassign()
        self.instance.project(limit)
        self.assert_fenced(previous, start, behind)
        previous.close()

    # The process restarts, and read models are rebuilt.

    @rule(orderly=st.booleans())
    def restart(self, orderly: bool) -> None:  # noqa: FBT001 (drawn)
        if orderly:
            self.instance.restart()
        else:
            with self.kill_at("now"):
                pass

    @rule(
        slab_size=st.sampled_from((1, 3, 20_000)),
        while_running=st.booleans(),
        kill_point=kill_points("in_copy", "in_slab", "before_switch", "after_switch"),
    )
    def rebuild(self, slab_size: int, while_running: bool, kill_point: str) -> None:  # noqa: FBT001 (drawn)
        with self.kill_at(kill_point):
            path = self.instance.rebuild(slab_size)
            if while_running:
                self.instance.take_over(path)
            else:
                self.instance.directory.offer(path)
                self.instance.restart()
            assert self.instance.store.path == path

    # Files are imported.

    @rule(
        batch=batches,
        rows=file_rows(),
        group_count=group_counts,
        kill_point=kill_points(
            "before_append", "after_append_before_ack", "in_slab", "after_commit_before_ack"
        ),
    )
    def import_file(
        self, batch: str, rows: list[FileRow], group_count: int | None, kill_point: str
    ) -> None:
        if batch in self.files.batches_in_undo:
            self.files.undo(batch)
        with self.kill_at(kill_point), self.interrupt_after(group_count):
            self.files.import_new(batch, rows)

    @precondition(lambda self: self.files.complete_files)
    @rule(batch=batches)
    def import_file_again(self, batch: str) -> None:
        self.files.import_again(batch)

    @precondition(lambda self: self.files.list_batches())
    @rule(
        batch=batches,
        group_count=group_counts,
        kill_point=kill_points("before_append", "after_append_before_ack", "in_slab"),
    )
    def undo(self, batch: str, group_count: int | None, kill_point: str) -> None:
        with self.kill_at(kill_point), self.interrupt_after(group_count):
            self.files.undo(batch)

    # Invariants.

    @rule(question=questions())
    def ask(self, question: Question) -> None:
        checks.check_answers(self.instance, self.log, question)

    @invariant()
    def read_models_equal_the_log(self) -> None:
        position = self.instance.next_offset
        watermark = self.instance.store.read_watermark(0)
        assert position == (0 if watermark is None else watermark.next_offset)
        assert self.instance.log.end() == len(self.log.values)
        assert self.instance.log.log_id == self.log_id
        if position != self.checked_offset:
            assert position > self.checked_offset
            checks.check_tables(self.instance)
            for programme in checks.PROGRAMMES:
                checks.check_exchanges(self.instance, self.log, programme)
            self.checked_offset = position

    def teardown(self) -> None:
        try:
            self.check_at_the_end()
        finally:
            self.instance.close()
            self.folder.cleanup()

    def check_at_the_end(self) -> None:
        checks.check_log(self.instance, self.log)
        self.instance.catch_up()
        self.read_models_equal_the_log()
        checks.check_exactly_once(self.instance, self.log)
        for programme in checks.PROGRAMMES:
            checks.check_answers(self.instance, self.log, Question(programme_id=programme))
            checks.check_sums(self.instance, programme)
        before = read_tables(self.instance.store)
        self.instance.take_over(self.instance.rebuild(slab_size=2))
        assert read_tables(self.instance.store) == before

    # Helpers of the rules.

    def append(self, programme: str, values: Sequence[bytes]) -> Position:
        """Raises ProcessKilledError instead of the answer of a ghost."""
        if self.instance.was_killed():
            raise ProcessKilledError
        position = self.instance.append(programme, values)
        if self.instance.was_killed():
            self.log.mark_uncertain(programme, values)
            raise ProcessKilledError
        self.log.acknowledge(programme, values)
        return position

    def send(
        self, programme: str, events: list[Event], recorder: str = "", kill_point: str = ""
    ) -> None:
        with self.kill_at(kill_point):
            self.clients[programme].record(events, recorded_by=recorder)

    @contextmanager
    def kill_at(self, point: str) -> Iterator[None]:
        """Kills the process at the failpoint, or at the end of the block if it is not reached."""
        if not point:
            yield
            return
        with self.instance.kill_at(point), suppress(ProcessKilledError):
            yield
        checks.check_log(self.instance, self.log)

    @contextmanager
    def interrupt_after(self, group_count: int | None) -> Iterator[None]:
        """The user interrupts the block after `group_count` requests."""
        client = self.clients[PROGRAMME]
        client.group_count = group_count
        try:
            yield
        except ImportInterruptedError:
            assert group_count is not None
        finally:
            client.group_count = None

    def assert_fenced(self, store: SqliteStore, start: int, limit: int) -> None:
        """A writer at another position than the read models changes nothing."""
        log, before = self.instance.log, read_tables(self.instance.store)
        with pytest.raises(FencedWriterError):
            project_slab(store, log.log_id, log.read(start, limit), partition=log.number)
        assert read_tables(self.instance.store) == before

    def repair(self, client: DirectClient, record: QuarantinedRecord, content: Event) -> Event:
        """The event to resubmit: `content`, if mutua cannot build one from the record."""
        reason = record.reason
        if reason in (QUARANTINE_REASON_NOT_APPLICABLE, QUARANTINE_REASON_UNREADABLE):
            return content
        exchange_id = record.event.exchange_corrected.exchange_id or record.event.event_id
        exchanges = client.list_exchanges(exchange_ids=[exchange_id], min_position=self.end())
        return build_resubmission(record, next(iter(exchanges), None))

    def lag(self) -> int:
        return self.instance.log.end() - self.instance.next_offset

    def end(self) -> str:
        return self.clients[PROGRAMME].get_status().log_position

    def identify(self, event: Event, programme: str) -> Event:
        """Gives the event the next id, places earlier events may have referred to."""
        event.event_id, event.programme_id = event_id(self.numbers[programme]), programme
        self.numbers[programme] += 1
        return event

    def choose_exchange(self, programme: str, place: int) -> str:
        """One of the latest exchanges; for a large `place` a future or another fact."""
        ledger, number = self.log.fold_ledger(programme), self.numbers[programme]
        exchanges = [*ledger.exchanges]
        others = [each for each in ledger.first_record if each not in ledger.exchanges]
        if place < 5 and exchanges:
            return exchanges[-1 - place % len(exchanges)]
        if place == 7 and others:
            return others[-1]
        return event_id(number + place % 4)

    def choose_replaced(self, programme: str, exchange_id: str, replaces: CorrectionBase) -> str:
        ledger, number = self.log.fold_ledger(programme), self.numbers[programme]
        match replaces:
            case CorrectionBase.CURRENT if exchange_id in ledger.exchanges:
                return ledger.exchanges[exchange_id].revision_ids[-1]
            case CorrectionBase.THE_FIRST:
                return exchange_id
            case CorrectionBase.WHAT_COMES_NEXT:
                return event_id(number)
            case CorrectionBase.THE_LATEST_FACT if ledger.first_record:
                return [*ledger.first_record][-1]
        return ""


Machine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestMachine = pytest.mark.timeout(20 * EXAMPLES)(Machine.TestCase)
