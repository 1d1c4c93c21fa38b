"""A file under another name, a batch that is undone, and what a generation is."""

from collections.abc import Callable
from contextlib import closing

import pytest

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event
from services.imports import Doubt, ImportInterrupted, ImportRefused, Overlap, spool
from services.imports import batches as batches_module
from services.imports import elsewhere as elsewhere_module
from services.imports.undo import UndoReport, undo_import
from tests.imports.desk import Desk, changes
from tests.imports.fake import FakeProgramme

ROWS = [f"r{n},2024-05-{n + 1:02d},A,B,call" for n in range(20)]


def overlap(batch: str, row_count: int, same_count: int) -> Overlap:
    return Overlap(batch=batch, row_count=row_count, same_count=same_count)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (ROWS, (overlap("log", 20, 20),)),
        ([*ROWS, "s1,2024-05-31,A,B,call"], (overlap("log", 20, 20),)),
        ([*ROWS[:5], "r5,2024-05-06,A,B,visit"], (overlap("log", 6, 5),)),
        (["r0,2024-06-01,A,B,call"], (overlap("log", 1, 0),)),
        (["s1,2024-05-31,A,B,call"], ()),
    ],
)
def test_a_renamed_copy_is_asked_about(
    desk: Desk, rows: list[str], found: tuple[Overlap, ...]
) -> None:
    desk.imports(*ROWS)
    assert desk.imports(*rows, name="copy.csv", dry_run=True).elsewhere == found
    if not found:
        return
    with pytest.raises(ImportRefused, match="stands in batch log already") as refused:
        desk.imports(*rows, name="copy.csv")
    advice = ("--batch log", "--as-new") if found[0].same_count else ("--as-new", "--batch log")
    assert sorted(advice, key=str(refused.value).index) == list(advice)
    asked: list[Doubt] = []

    def answers(answer: bool) -> Callable[[Doubt], bool]:  # noqa: FBT001 - typed in
        def confirm(doubt: Doubt) -> bool:
            asked.append(doubt)
            return answer

        return confirm

    desk.confirm = answers(False)
    with pytest.raises(ImportRefused, match=r"Nothing was recorded\.$"):
        desk.imports(*rows, name="copy.csv")
    assert len(desk.programme.events) == len(ROWS)
    desk.confirm = answers(True)
    desk.imports(*rows, name="copy.csv")
    assert [doubt.question for doubt in asked] == ["Record them as other exchanges?"] * 2
    assert len(desk.programme.events) == len(ROWS) + len(rows)


def test_the_batch_whose_rows_say_the_same_is_named_first(desk: Desk) -> None:
    desk.imports(*(row.replace("call", "visit") for row in ROWS), name="other.csv")
    desk.imports(*ROWS[:5], name="first.csv", as_new=True)
    with pytest.raises(
        ImportRefused, match="a copy of that file, or a newer one, say --batch first:"
    ):
        desk.imports(*ROWS, name="copy.csv")
    found = desk.imports(*ROWS, name="copy.csv", dry_run=True).elsewhere
    assert found == (overlap("first", 5, 5), overlap("other", 20, 0))


def test_as_new_asks_nothing(desk: Desk) -> None:
    desk.imports(*ROWS)
    report = desk.imports(*ROWS, name="copy.csv", as_new=True)
    assert (changes(report), report.elsewhere) == ("20 recorded", ())


def test_nothing_is_asked_about_what_does_not_stand(desk: Desk) -> None:
    desk.imports(*ROWS)
    desk.programme.retract(next(iter(desk.programme.exchanges)))
    found = desk.imports(*ROWS, name="copy.csv", dry_run=True).elsewhere
    assert found == (overlap("log", 19, 19),)
    undo_import(desk.programme.client, "log")
    desk.programme.asked_ids.clear()
    assert changes(desk.imports(*ROWS, name="copy.csv")) == "20 recorded"
    assert desk.programme.asked_ids == []


def test_without_references_a_copy_says_the_same(desk: Desk) -> None:
    rows = [row.split(",", 1)[1] for row in ROWS]
    header = "date,giver,receiver,kind"
    desk.imports(*rows, header=header)
    found = desk.imports(*rows, header=header, name="copy.csv", dry_run=True).elsewhere
    assert found == (overlap("log", 20, 20),)


def test_only_a_sample_is_looked_for_while_there_is_no_hit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "MOST_IDS", 40)
    monkeypatch.setattr(elsewhere_module, "MOST_IDS", 40)
    for batch in range(4):
        desk.imports(f"b{batch},2024-05-31,A,B,call", name=f"batch{batch}.csv")
    desk.programme.asked_ids.clear()
    new = [f"n{n},2024-05-31,A,B,call" for n in range(1_000)]
    report = desk.imports(*new, "b2,2024-05-31,A,B,call", dry_run=True)
    assert report.elsewhere == (overlap("batch2", 1, 1),)
    # Ten of each of four batches, the last row among them; then all for the one with a hit.
    assert len(desk.programme.asked_ids) == 40 + 1_001


def test_an_undone_batch_begins_a_new_generation(desk: Desk) -> None:
    desk.imports(*ROWS)
    report = undo_import(desk.programme.client, " log ")
    assert (report.batch, report.generation, report.retracted_count) == ("log", 1, 20)
    again = desk.imports(*ROWS[:10])
    assert (again.generation, changes(again)) == (2, "10 recorded")
    assert uuid8("exchange", "gde", "log", "2", "r0") in desk.programme.exchanges
    assert changes(desk.imports(*ROWS[:9])) == "9 unchanged 1 missing"
    assert undo_import(desk.programme.client, "log").retracted_count == 10
    assert desk.imports(*ROWS[:1]).generation == 3


def test_an_undo_tells_what_it_leaves(desk: Desk) -> None:
    desk.imports(*ROWS)
    ids = list(desk.programme.exchanges)
    desk.programme.retract(ids[0])
    revisions = desk.programme.exchanges[ids[1]].revisions
    revisions.add(event_id="by hand", content=revisions[0].content)
    desk.imports("r2,2024-05-03,A,B,visit")  # a correction of the batch's own
    told: list[UndoReport] = []

    def confirm(report: UndoReport) -> bool:
        told.append(report)
        return True

    report = undo_import(desk.programme.client, "log", confirm=confirm)
    assert (report.retracted_count, report.retracted_earlier_count) == (19, 1)
    assert (report.corrected_by_hand_count, report.organization_count) == (1, 0)
    assert told[0].retracted_count == 19
    assert undo_import(desk.programme.client, "log").retracted_count == 0


def test_an_interrupted_undo_is_finished_by_the_same_command(desk: Desk) -> None:
    desk.programme = FakeProgramme(batch_size=8)
    desk.imports(*ROWS)
    desk.programme.fails_after = 1
    with pytest.raises(ImportInterrupted, match=r"8 of 20 .* Undo the batch again") as stopped:
        undo_import(desk.programme.client, "log")
    assert stopped.value.acknowledged == 8
    with pytest.raises(ImportRefused, match=r"is being undone.*mutua import undo log,"):
        desk.imports(*ROWS)
    desk.programme.fails_after = None
    assert undo_import(desk.programme.client, "log").retracted_count == 12
    assert desk.imports(*ROWS).generation == 2


def test_a_retraction_has_one_id_however_often_it_is_sent(desk: Desk) -> None:
    desk.imports(ROWS[0])
    exchange_id = next(iter(desk.programme.exchanges))
    undo_import(desk.programme.client, "log")
    event = desk.programme.events[uuid8("undo", exchange_id)]
    assert event.exchange_retracted.exchange_id == exchange_id
    assert (event.source.client, event.source.batch) == ("mutua-import", "log")
    assert event.source.generation == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("Logs", "no batch 'Logs'. Did you mean log?"), ("x", "no batch 'x'. mutua import list")],
)
def test_an_unknown_batch(desk: Desk, name: str, said: str) -> None:
    with pytest.raises(ImportRefused, match="Nothing was imported yet"):
        undo_import(desk.programme.client, name)
    desk.imports(*ROWS)
    with pytest.raises(ImportRefused) as refused:
        undo_import(desk.programme.client, name)
    assert said in str(refused.value)


def test_who_says_no_undoes_nothing(desk: Desk) -> None:
    desk.imports(*ROWS)
    with pytest.raises(ImportRefused, match="Nothing was retracted"):
        undo_import(desk.programme.client, "log", confirm=lambda _: False)
    assert len(desk.programme.events) == len(ROWS)


def test_nothing_is_looked_up_for_a_new_batch_and_later_each_row_once(desk: Desk) -> None:
    desk.imports(*ROWS)
    assert desk.programme.asked_ids == []
    assert changes(desk.imports(*ROWS[:5], *ROWS[:2])) == "5 unchanged 2 skipped 15 missing"
    assert desk.programme.asked_ids == list(desk.programme.exchanges)[:5]


@pytest.mark.parametrize("in_memory_bytes", [1, 1 << 20])
def test_facts_wait_in_their_order_wherever_they_wait(
    monkeypatch: pytest.MonkeyPatch, in_memory_bytes: int
) -> None:
    monkeypatch.setattr(spool, "_IN_MEMORY_BYTES", in_memory_bytes)
    facts = [Event(event_id=f"{n}" * n) for n in range(1, 40)]
    with closing(spool.Spool()) as waiting:
        for line, fact in enumerate(facts):
            waiting.add(line, fact.SerializeToString())
        assert len(waiting) == 39
        for _ in range(2):
            assert list(waiting) == list(enumerate(facts))
