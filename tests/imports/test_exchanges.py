"""Importing exchanges: what is recorded, corrected, left alone, and refused."""

from dataclasses import replace
from random import Random
from typing import Any

import grpc
import pytest

from mutua import MutuaError
from mutua.ids import uuid8
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_CALL,
    OCCUR_PRECISION_DAY,
    VISIBILITY_PARTIES,
    Source,
)
from services.imports import ImportInterruptedError, ImportRefusedError
from services.imports.exchange_row_checker import ExchangeRowChecker
from tests.imports.fake_programme import FakeProgramme
from tests.imports.importer import HEADER, Importer, format_counts

CALL = "r1,2024-05-31,A,B,call"
CALL_ID = uuid8("exchange", "gde", "log", "1", "r1")


def test_row_becomes_fact(importer: Importer) -> None:
    report = importer.import_rows(
        "r1,31/05/2024,B;A|B,C,Phone call,45,formal,E-Prescribing,giver,2024-05-31,A note",
        header=f"{HEADER},giver_minutes,formality,topics,reported_by,report_time,note",
    )
    assert report.errors == ()
    assert report.acknowledged == 1
    event = importer.programme.events[CALL_ID]
    content = event.exchange_recorded.exchange
    assert event.programme_id == "gde"
    assert event.occur_time.ToJsonString() == event.report_time.ToJsonString()
    assert event.occur_time.ToJsonString() == "2024-05-31T00:00:00Z"
    assert event.occur_precision == OCCUR_PRECISION_DAY
    assert (list(content.giver_ids), list(content.receiver_ids)) == (["A", "B"], ["C"])
    assert (content.kind, content.giver_minutes) == (EXCHANGE_KIND_CALL, 45)
    assert not content.HasField("receiver_minutes")
    assert (content.formality, list(content.topics)) == (1, ["e-prescribing"])
    assert (content.reported_by, content.note.plain) == (1, "A note")
    assert event.source == Source(client="mutua-import", batch="log", generation=1, reference="r1")


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([CALL], "1 unchanged"),
        (["r1,2024-05-31,A,B,visit"], "1 corrected"),
        (["r1,2024-05-30,A,B,call"], "1 corrected"),
        (["r1,2024-05,A,B,call"], "1 corrected"),
        (["r1,2024-05-31,A;C,B,call"], "1 corrected"),
        (["r1,2024-05-31,A; A ,B,CALL"], "1 unchanged"),
        (["r2,2024-05-31,A,B,call"], "1 recorded 1 missing"),
        ([CALL, CALL], "1 unchanged 1 skipped"),
    ],
)
def test_second_file_of_batch_records_differences(
    importer: Importer, second: list[str], expected: str
) -> None:
    assert format_counts(importer.import_rows(CALL)) == "1 recorded"
    report = importer.import_rows(*second)
    assert (report.errors, format_counts(report)) == ((), expected)
    assert format_counts(importer.import_rows(*second)).split(" ", 1)[1].startswith("unchanged")


def test_changing_back_and_forth_ends_with_last_file(importer: Importer) -> None:
    visit = CALL.replace("call", "visit")
    for row in (CALL, visit, CALL, visit):
        importer.import_rows(row)
    exchange = importer.programme.exchanges[CALL_ID]
    assert [revision.content.kind for revision in exchange.revisions] == [3, 8, 3, 8]
    assert len({revision.event_id for revision in exchange.revisions}) == 4


def test_correction_has_report_time_only_if_file_changes_it(importer: Importer) -> None:
    header = f"{HEADER},reported_at"
    for row in (f"{CALL},2024-06-01", "r1,2024-05-31,A,B,visit,2024-06-01", f"{CALL},2024-06-02"):
        importer.import_rows(row, header=header)
    revisions = importer.programme.exchanges[CALL_ID].revisions
    days = [r.report_time.ToDatetime().day for r in revisions if r.HasField("report_time")]
    assert [r.HasField("report_time") for r in revisions] == [True, False, True]
    assert days == [1, 2]
    assert format_counts(importer.import_rows(f"{CALL},2024-06-02", header=header)) == "1 unchanged"


def test_correction_keeps_visibility_of_exchange(importer: Importer) -> None:
    importer.import_rows(CALL)
    importer.programme.exchanges[CALL_ID].revisions[0].visibility = VISIBILITY_PARTIES
    importer.import_rows(CALL.replace("call", "visit"))
    assert importer.programme.exchanges[CALL_ID].revisions[-1].visibility == VISIBILITY_PARTIES


def test_normalization_is_no_change(importer: Importer) -> None:
    importer.import_rows("r1,2024-05-31,Zoë;A,B,call")
    content = importer.programme.exchanges[CALL_ID].revisions[0].content
    assert content.giver_ids == ["A", "Zoë"]
    assert (
        format_counts(importer.import_rows("r1,2024-05-31,A; Zoe\u0308 ;A,B,call")) == "1 unchanged"
    )


def test_retracted_exchange_stays_retracted(importer: Importer) -> None:
    importer.import_rows(CALL)
    importer.programme.retract(CALL_ID)
    assert (
        format_counts(importer.import_rows(CALL.replace("call", "visit"))) == "1 retracted_earlier"
    )
    assert format_counts(importer.import_rows("r2,2024-05-31,A,B,call")) == "1 recorded"


def test_equal_rows_without_reference_are_counted(importer: Importer) -> None:
    header, row = "date,giver,receiver,kind", "2024-05-31,A,B,call"
    report = importer.import_rows(row, row, header=header)
    assert format_counts(report) == "2 recorded"
    assert "no reference column" in report.notes[0]
    assert (
        format_counts(importer.import_rows(row, row, row, header=header))
        == "1 recorded 2 unchanged"
    )
    turned = importer.import_rows("call,B,A,2024-05-31", header="kind,receiver,giver,date")
    assert format_counts(turned) == "1 unchanged 2 missing"


def test_roster_names_are_resolved_and_new_names_quoted(importer: Importer) -> None:
    importer.programme.organizations["R1A"] = Organization(
        organization_id="R1A", name="Solent", registered=True
    )
    report = importer.import_rows("r1,2024-05-31,solent,Elsewhere,call")
    content = importer.programme.events[CALL_ID].exchange_recorded.exchange
    assert (list(content.giver_ids), list(content.receiver_ids)) == (["R1A"], ["Elsewhere"])
    assert report.notes == (
        "New and not on the roster, so counted as unregistered organizations: 'Elsewhere'.",
    )


def test_new_names_with_near_misses_come_first(importer: Importer) -> None:
    strangers = [f"r{n},2024-05-31,A{n},Solnt,call" for n in range(20)]
    assert importer.import_rows(*strangers).notes == ()  # nobody is on a roster
    importer.programme = FakeProgramme()
    importer.programme.organizations["R1A"] = Organization(
        organization_id="R1A", name="Solent", registered=True
    )
    (note,) = importer.import_rows(*strangers).notes
    assert "organizations: 'Solnt' (did you mean Solent (R1A)?), 'A0', 'A1', 'A10'" in note
    assert " and 11 more. --names FILE lists all of them" in note


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        (",2024-05-31,A,B,call", "reference", "is empty"),
        ("r1,,A,B,call", "occur_time", "say when it happened"),
        ("r1,2024-05-31,,B,call", "giver", "say who gave"),
        ("r1,2024-05-31,;,B,call", "giver", "say who gave"),
        ("r1,2024-05-31,A,B,", "kind", "say what form it took"),
        ("r1,2024-05-31,A,B;A,call", "receiver", "is also a giver"),
        ("r1,2024-05-31,A,B,acked", "kind", "--kind-map acked=KIND"),
        ("r1,31.5.,A,B,call", "occur_time", "is not a time"),
        ("r1,2026-02-01,A,B,call", "occur_time", "is more than a day ahead"),
        ("r1,0204-02-01,A,B,call", "occur_time", "before 1900"),
        ("r1,2024-05-31,A,B", "kind", "say what form it took"),
        ("r1,2024-05-31,A,B,call,,x", "", "has 7 cells and the header 5"),
        (f"r1,2024-05-31,{'x' * 10_000},B,call", "giver", "has 10,000 characters"),
        ("r1,2024-05-31,A\x07,B,call", "giver", "control character"),
        (f"{CALL}\nr1,2024-05-31,A,B,visit", "reference", "is on line 2 too"),
        ("r1,2024-05-31,twin,B,call", "giver", "may be Twin (T1) or Twin (T2); write the id"),
        (f"{'r' * 201},2024-05-31,A,B,call", "reference", "has 201 characters"),
    ],
)
def test_one_wrong_row_prevents_import(
    importer: Importer, row: str, field: str, message: str
) -> None:
    for twin in ("T1", "T2"):
        importer.programme.organizations[twin] = Organization(organization_id=twin, name="Twin")
    report = importer.import_rows(row, "ok,2024-05-31,A,B,call")
    assert [error.field for error in report.errors] == [field]
    assert message in report.errors[0].message
    assert report.errors[0].row == 2 + row.count("\n")
    assert (report.error_count, report.acknowledged, importer.programme.events) == (1, 0, {})


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("giver_minutes", "-5", "cannot be negative"),
        ("giver_minutes", "5.5", "whole minutes"),
        ("giver_minutes", "20161", "at most 20,160"),
        ("receiver_minutes", "20161", "at most 20,160"),
        ("benefit_minutes", "5256001", "at most 5,256,000"),
        ("formality", "sometimes", "use one of formal, informal"),
        ("topics", "Биопсия", "--topic-map"),
        ("reported_by", "Nobody", "is not giver, receiver or third-party"),
        ("report_time", "2024-05-29", "is more than a day before the period"),
        ("report_time", "2026-01-03", "is more than a day ahead"),
        ("report_time", "2024-06", "names no day"),
        ("note", "x" * 4001, "has 4,001 characters"),
    ],
)
def test_wrong_cell_is_reported_with_reason(
    importer: Importer, column: str, value: str, message: str
) -> None:
    report = importer.import_rows(f"{CALL},{value}", header=f"{HEADER},{column}")
    assert [error.field for error in report.errors] == [column]
    assert message in report.errors[0].message
    assert importer.programme.events == {}


def test_all_problems_of_a_row_are_reported(importer: Importer) -> None:
    report = importer.import_rows(
        f"r1,never,A,A,chat,-5,{'x' * 4001}", header=f"{HEADER},giver_minutes,note"
    )
    wrong = {error.field: error.message for error in report.errors}
    assert wrong.keys() == {"occur_time", "kind", "receiver", "giver_minutes", "note"}
    assert "A" in next(error.value for error in report.errors if error.field == "receiver")
    everything = importer.import_rows("r1,,,,")
    assert {error.field for error in everything.errors} == {
        "occur_time",
        "giver",
        "receiver",
        "kind",
    }


def test_invalid_constant_is_one_error(importer: Importer) -> None:
    rows = [f"r{n},A,B,call" for n in range(60)]
    (error,) = importer.import_rows(
        *rows, header="ref,giver,receiver,kind", set={"occur_time": "2099-01-01"}
    ).errors
    assert (error.field, error.value, error.row_count) == ("occur_time", "2099-01-01", 60)


@pytest.mark.parametrize(("reporter", "side"), [("A", 1), ("b", 2), ("receiver", 2), ("C", 3)])
def test_reporting_side_may_be_an_organization_name(
    importer: Importer, reporter: str, side: int
) -> None:
    for organization_id in "ABC":
        importer.programme.organizations[organization_id] = Organization(
            organization_id=organization_id
        )
    assert importer.import_rows(f"{CALL},{reporter}", header=f"{HEADER},reported_by").errors == ()
    assert importer.programme.events[CALL_ID].exchange_recorded.exchange.reported_by == side


def test_fifty_errors_are_listed_and_all_counted(importer: Importer) -> None:
    rows = [f"r{n},never {n},A,B,call" for n in range(60)]
    rows += [f"s{n},2024-05-31,A,B,acked" for n in range(60)]
    report = importer.import_rows(*reversed(rows))
    kinds, *times = report.errors
    assert (kinds.value, kinds.row, kinds.row_count) == ("acked", 2, 60)
    assert (len(times), report.error_count) == (49, 120)


def test_kind_map_and_constants_apply_to_all_rows(importer: Importer) -> None:
    report = importer.import_rows(
        "r1,A,Site-Chat",
        header="ref,giver,kind",
        kind_map={"site_chat": "call"},
        set={"occur_time": "2024-05-31", "receiver": "B"},
    )
    assert report.constants == {"occur_time": "2024-05-31", "receiver": "B"}
    assert format_counts(report) == "1 recorded"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"kind_map": {"acked": "massage"}}, "--kind-map acked=massage: 'massage' is unknown"),
        ({"set": {"kind": "massage"}}, "--set kind=massage: 'massage' is no kind of ours"),
        ({"set": {"kind": ""}}, "--set kind= is empty"),
        ({"map": {"giver": "whom"}}, "--map giver=whom: the file has no column"),
    ],
)
def test_options_are_checked_before_any_row(
    importer: Importer, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ImportRefusedError) as refused:
        importer.import_rows(CALL, **options)
    assert expected in str(refused.value)


def test_progress_reports_checked_rows(importer: Importer) -> None:
    importer.import_rows(*(f"r{number},2024-05-31,A,B,call" for number in range(2_500)))
    assert importer.checked_counts == [1_000, 2_000]


def test_dry_run_records_nothing(importer: Importer) -> None:
    report = importer.import_rows(CALL, dry_run=True, batch="May")
    assert (report.batch, report.dry_run, format_counts(report)) == ("May", True, "1 recorded")
    assert (report.acknowledged, importer.programme.events) == (0, {})


@pytest.mark.parametrize(
    ("failure", "by_user"),
    [
        (KeyboardInterrupt(), True),
        (MutuaError("No server.", code=grpc.StatusCode.UNAVAILABLE, reason="LOG_DOWN"), False),
    ],
)
def test_repeated_import_finishes_interrupted_one(
    importer: Importer, failure: BaseException, *, by_user: bool
) -> None:
    rows = [f"r{n},2024-05-31,A,B,call" for n in range(10)]
    importer.programme = FakeProgramme(batch_size=4)
    importer.programme.fails_after, importer.programme.failure = 2, failure
    with pytest.raises(ImportInterruptedError) as stopped:
        importer.import_rows(*rows)
    assert (stopped.value.acknowledged, stopped.value.total) == (8, 10)
    assert stopped.value.by_user is by_user
    assert "8 of 10 facts were recorded. Import the same file again" in str(stopped.value)
    importer.programme.fails_after = None
    assert format_counts(importer.import_rows(*rows)) == "2 recorded 8 unchanged"


@pytest.mark.parametrize(
    ("failure", "expected_note", "interrupted"),
    [
        (KeyboardInterrupt(), "interrupted while waiting", True),
        (MutuaError("Too slow.", code=grpc.StatusCode.DEADLINE_EXCEEDED), "Too slow.", False),
    ],
)
def test_report_counts_facts_that_answers_lack(
    importer: Importer, failure: BaseException, expected_note: str, *, interrupted: bool
) -> None:
    importer.programme.visibility_failure = failure
    report = importer.import_rows(CALL)
    assert (report.acknowledged, report.interrupted) == (1, interrupted)
    assert expected_note in report.notes[-1]


def test_server_refusal_is_reported_by_row(importer: Importer) -> None:
    importer.programme = FakeProgramme(batch_size=2)
    importer.programme.refused_id = "X"
    importer.import_rows(CALL)
    rows = [f"q{n},2024-05-31,{'X' if n == 3 else 'A'},B,call" for n in range(5)]
    report = importer.import_rows(CALL, *rows)
    assert [(e.row, e.field, e.message) for e in report.errors] == [
        (6, "giver", "is not wanted here")
    ]
    assert report.acknowledged == 2
    assert "Fix it and import the file again" in report.notes[-1]


TIMES = ("2024-05-31", "2024-05-31T10:00Z", "2024-05", "never", "2099-01-01", "1800-01-01", "")
PARTIES = ("A", "a; B", "B|A", "", "x" * 200)
KINDS = ("call", "Phone  Call", "CALL", "chat")
MINUTES = ("", "0", "45", "-1", "99999")
NOTES = ("", "\t ", " a note ", "Zoe\u0308", "a\x07", "x" * 4_001)


def test_fast_parser_equals_full_parser(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(7)
    columns = (TIMES, ("", "2024-06-01", "2024-05-01", "2024-06"), PARTIES, ("C", "A"), KINDS)
    rows = [
        ",".join((f"r{chance.randrange(60)}", *map(chance.choice, (*columns, MINUTES, NOTES))))
        for _ in range(1_000)
    ]
    header = "ref,date,reported_at,giver,receiver,kind,minutes,note"
    rows += rows
    fast_report = importer.import_rows(*rows, header=header, skip_bad=importer.folder / "short.csv")
    assert all(getattr(fast_report.counts, name) for name in ("recorded", "skipped", "wrong"))
    short = importer.programme
    importer.programme = FakeProgramme()
    monkeypatch.setattr(ExchangeRowChecker, "_parse_fast", lambda *_: None)
    full_report = importer.import_rows(*rows, header=header, skip_bad=importer.folder / "long.csv")
    assert importer.programme.events == short.events
    assert replace(full_report, set_aside=fast_report.set_aside) == fast_report
    assert (importer.folder / "long.csv").read_text() == (importer.folder / "short.csv").read_text()


def test_rows_with_the_same_quoting_error_are_one_error(importer: Importer) -> None:
    rows = [f"r{n},2024-05-31,A,B, Ltd,call" for n in range(60)]
    report = importer.import_rows(*rows)
    [error] = report.errors
    assert (error.row, error.row_count, report.error_count) == (2, 60, 60)
    assert error.message == "has 6 cells and the header 5: quote cells that hold the separator"
