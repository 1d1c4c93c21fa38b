"""A file under another name, a batch that is undone, and what a generation is."""

from collections.abc import Callable
from contextlib import closing

import pytest

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event
from services.imports import (
    BatchOverlap,
    Doubt,
    ImportInterruptedError,
    ImportRefusedError,
    fact_spool,
)
from services.imports import batches as batches_module
from services.imports import overlaps as elsewhere_module
from services.imports.undo import UndoReport, undo_import
from tests.imports.fake_programme import FakeProgramme
from tests.imports.importer import Importer, format_counts

ROWS = [f"r{n},2024-05-{n + 1:02d},A,B,call" for n in range(20)]


def overlap(batch: str, row_count: int, same_count: int) -> BatchOverlap:
    return BatchOverlap(batch=batch, row_count=row_count, same_count=same_count)


@pytest.mark.parametrize(
    ("rows", "overlaps"),
    [
        (ROWS, (overlap("log", 20, 20),)),
        ([*ROWS, "s1,2024-05-31,A,B,call"], (overlap("log", 20, 20),)),
        ([*ROWS[:5], "r5,2024-05-06,A,B,visit"], (overlap("log", 6, 5),)),
        (["r0,2024-06-01,A,B,call"], (overlap("log", 1, 0),)),
        (["s1,2024-05-31,A,B,call"], ()),
    ],
)
def test_renamed_copy_needs_confirmation(
    importer: Importer, rows: list[str], overlaps: tuple[BatchOverlap, ...]
) -> None:
    importer.import_rows(*ROWS)
    assert importer.import_rows(*rows, name="copy.csv", dry_run=True).elsewhere == overlaps
    if not overlaps:
        return
    with pytest.raises(ImportRefusedError, match="is in batch log already") as refused:
        importer.import_rows(*rows, name="copy.csv")
    advice = ("--batch log", "--as-new") if overlaps[0].same_count else ("--as-new", "--batch log")
    assert sorted(advice, key=str(refused.value).index) == list(advice)
    doubts: list[Doubt] = []

    def answers(answer: bool) -> Callable[[Doubt], bool]:  # noqa: FBT001 - typed in
        def confirm(doubt: Doubt) -> bool:
            doubts.append(doubt)
            return answer

        return confirm

    importer.confirm = answers(False)
    with pytest.raises(ImportRefusedError, match=r"Nothing was recorded\.$"):
        importer.import_rows(*rows, name="copy.csv")
    assert len(importer.programme.events) == len(ROWS)
    importer.confirm = answers(True)
    importer.import_rows(*rows, name="copy.csv")
    assert [doubt.question for doubt in doubts] == ["Record them as other exchanges?"] * 2
    assert len(importer.programme.events) == len(ROWS) + len(rows)


def test_batch_with_equal_rows_comes_first(importer: Importer) -> None:
    importer.import_rows(*(row.replace("call", "visit") for row in ROWS), name="other.csv")
    importer.import_rows(*ROWS[:5], name="first.csv", as_new=True)
    with pytest.raises(
        ImportRefusedError, match="a copy of that file, or a newer one, say --batch first:"
    ):
        importer.import_rows(*ROWS, name="copy.csv")
    overlaps = importer.import_rows(*ROWS, name="copy.csv", dry_run=True).elsewhere
    assert overlaps == (overlap("first", 5, 5), overlap("other", 20, 0))


def test_as_new_needs_no_confirmation(importer: Importer) -> None:
    importer.import_rows(*ROWS)
    report = importer.import_rows(*ROWS, name="copy.csv", as_new=True)
    assert (format_counts(report), report.elsewhere) == ("20 recorded", ())


def test_retracted_rows_need_no_confirmation(importer: Importer) -> None:
    importer.import_rows(*ROWS)
    importer.programme.retract(next(iter(importer.programme.exchanges)))
    overlaps = importer.import_rows(*ROWS, name="copy.csv", dry_run=True).elsewhere
    assert overlaps == (overlap("log", 19, 19),)
    undo_import(importer.programme.client, "log")
    importer.programme.requested_ids.clear()
    assert format_counts(importer.import_rows(*ROWS, name="copy.csv")) == "20 recorded"
    assert importer.programme.requested_ids == []


def test_copy_without_references_is_found(importer: Importer) -> None:
    rows = [row.split(",", 1)[1] for row in ROWS]
    header = "date,giver,receiver,kind"
    importer.import_rows(*rows, header=header)
    overlaps = importer.import_rows(*rows, header=header, name="copy.csv", dry_run=True).elsewhere
    assert overlaps == (overlap("log", 20, 20),)


def test_search_without_hits_is_limited_to_a_sample(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "MAX_PAGE_SIZE", 40)
    monkeypatch.setattr(elsewhere_module, "MAX_PAGE_SIZE", 40)
    for batch in range(4):
        importer.import_rows(f"b{batch},2024-05-31,A,B,call", name=f"batch{batch}.csv")
    importer.programme.requested_ids.clear()
    new = [f"n{n},2024-05-31,A,B,call" for n in range(1_000)]
    report = importer.import_rows(*new, "b2,2024-05-31,A,B,call", dry_run=True)
    assert report.elsewhere == (overlap("batch2", 1, 1),)
    # Ten of each of four batches, the last row among them; then all for the one with a hit.
    assert len(importer.programme.requested_ids) == 40 + 1_001


def test_undone_batch_begins_new_generation(importer: Importer) -> None:
    importer.import_rows(*ROWS)
    report = undo_import(importer.programme.client, " log ")
    assert (report.batch, report.generation, report.retracted_count) == ("log", 1, 20)
    again = importer.import_rows(*ROWS[:10])
    assert (again.generation, format_counts(again)) == (2, "10 recorded")
    assert uuid8("exchange", "gde", "log", "2", "r0") in importer.programme.exchanges
    assert format_counts(importer.import_rows(*ROWS[:9])) == "9 unchanged 1 missing"
    assert undo_import(importer.programme.client, "log").retracted_count == 10
    assert importer.import_rows(*ROWS[:1]).generation == 3


def test_undo_reports_what_it_leaves(importer: Importer) -> None:
    importer.import_rows(*ROWS)
    ids = list(importer.programme.exchanges)
    importer.programme.retract(ids[0])
    revisions = importer.programme.exchanges[ids[1]].revisions
    revisions.add(event_id="by hand", content=revisions[0].content)
    importer.import_rows("r2,2024-05-03,A,B,visit")  # a correction of the batch's own
    reports: list[UndoReport] = []

    def confirm(report: UndoReport) -> bool:
        reports.append(report)
        return True

    report = undo_import(importer.programme.client, "log", confirm=confirm)
    assert (report.retracted_count, report.retracted_earlier_count) == (19, 1)
    assert (report.corrected_by_hand_count, report.organization_count) == (1, 0)
    assert reports[0].retracted_count == 19
    assert undo_import(importer.programme.client, "log").retracted_count == 0


def test_repeated_undo_finishes_interrupted_one(importer: Importer) -> None:
    importer.programme = FakeProgramme(batch_size=8)
    importer.import_rows(*ROWS)
    importer.programme.fails_after = 1
    with pytest.raises(ImportInterruptedError, match=r"8 of 20 .* Undo the batch again") as stopped:
        undo_import(importer.programme.client, "log")
    assert stopped.value.acknowledged == 8
    with pytest.raises(ImportRefusedError, match=r"is being undone.*mutua import undo log,"):
        importer.import_rows(*ROWS)
    importer.programme.fails_after = None
    assert undo_import(importer.programme.client, "log").retracted_count == 12
    assert importer.import_rows(*ROWS).generation == 2


def test_retraction_id_is_stable(importer: Importer) -> None:
    importer.import_rows(ROWS[0])
    exchange_id = next(iter(importer.programme.exchanges))
    undo_import(importer.programme.client, "log")
    event = importer.programme.events[uuid8("undo", exchange_id)]
    assert event.exchange_retracted.exchange_id == exchange_id
    assert (event.source.client, event.source.batch) == ("mutua-import", "log")
    assert event.source.generation == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Logs", "no batch 'Logs'. Did you mean log?"), ("x", "no batch 'x'. mutua import list")],
)
def test_undo_of_unknown_batch_is_refused(importer: Importer, name: str, expected: str) -> None:
    with pytest.raises(ImportRefusedError, match="Nothing was imported yet"):
        undo_import(importer.programme.client, name)
    importer.import_rows(*ROWS)
    with pytest.raises(ImportRefusedError) as refused:
        undo_import(importer.programme.client, name)
    assert expected in str(refused.value)


def test_unconfirmed_undo_retracts_nothing(importer: Importer) -> None:
    importer.import_rows(*ROWS)
    with pytest.raises(ImportRefusedError, match="Nothing was retracted"):
        undo_import(importer.programme.client, "log", confirm=lambda _: False)
    assert len(importer.programme.events) == len(ROWS)


def test_each_row_is_looked_up_once_and_none_for_a_new_batch(importer: Importer) -> None:
    importer.import_rows(*ROWS)
    assert importer.programme.requested_ids == []
    assert (
        format_counts(importer.import_rows(*ROWS[:5], *ROWS[:2]))
        == "5 unchanged 2 skipped 15 missing"
    )
    assert importer.programme.requested_ids == list(importer.programme.exchanges)[:5]


@pytest.mark.parametrize("in_memory_bytes", [1, 1 << 20])
def test_spool_keeps_order_in_memory_and_on_disk(
    monkeypatch: pytest.MonkeyPatch, in_memory_bytes: int
) -> None:
    monkeypatch.setattr(fact_spool, "_IN_MEMORY_BYTES", in_memory_bytes)
    facts = [Event(event_id=f"{n}" * n) for n in range(1, 40)]
    with closing(fact_spool.FactSpool()) as waiting:
        for line, fact in enumerate(facts):
            waiting.add(line, fact.SerializeToString())
        assert len(waiting) == 39
        for _ in range(2):
            assert list(waiting) == list(enumerate(facts))
