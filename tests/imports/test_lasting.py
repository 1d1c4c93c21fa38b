"""What keeps rows from being lost or doubled: identity, occurrences, merging, retractions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mutua.ids import uuid8
from mutua.v1.event_pb2 import ExchangeContent
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Exchange, Organization, Revision
from mutua.v1.types_pb2 import EXCHANGE_KIND_MEETING, EXCHANGE_KIND_VISIT
from services.imports import Doubt, ImportRefused, ImportReport
from services.imports.undo import undo_import
from tests.imports.desk import Desk, changes, corrected_by_hand

PLAIN = "date,from,to,kind,minutes"
NUMBERED = f"ref,{PLAIN},note"
FIRST = "2024-03-02,Ashcombe,Oakdale,call,45"
SECOND = "2024-03-05,Oakdale,Elmwood,visit,180"


def standing(desk: Desk) -> list[Exchange]:
    exchanges = desk.programme.exchanges.values()
    return [each for each in exchanges if each.state != EXCHANGE_STATE_RETRACTED]


def content(exchange: Exchange) -> ExchangeContent:
    return exchange.revisions[-1].content


class TestSender:
    """The organization that a file is imported for is part of its batch's identity."""

    ASHCOMBE = ("1,2024-03-02,Ashcombe,Elmwood,call,45,", "2,2024-03-09,Ashcombe,Millbury,visit,9,")
    OAKDALE = ("1,2024-03-03,Oakdale,Thornwick,call,30,", "2,2024-03-10,Oakdale,Elmwood,visit,8,")

    def imports(self, desk: Desk, sender: str, *rows: str, **options: object) -> ImportReport:
        desk.programme.organization = sender
        return desk.imports(*rows, header=NUMBERED, name="exchanges.csv", **options)

    def test_two_senders_may_use_the_same_name_and_references(self, desk: Desk) -> None:
        for sender, rows in (("Ashcombe", self.ASHCOMBE), ("Oakdale", self.OAKDALE)):
            report = self.imports(desk, sender, *rows, accept_changes=False)
            assert (changes(report), report.doubts) == ("2 recorded", ())
        for sender, rows in (("Ashcombe", self.ASHCOMBE), ("Oakdale", self.OAKDALE)):
            assert changes(self.imports(desk, sender, *rows)) == "2 unchanged"
        assert uuid8("exchange", "gde", "exchanges", "1", "1", "Oakdale") in desk.programme.events

    def test_other_parties_under_a_name_without_a_sender_are_asked_about(self, desk: Desk) -> None:
        self.imports(desk, "", *self.ASHCOMBE)
        with pytest.raises(ImportRefused) as refused:
            self.imports(desk, "", *self.OAKDALE, accept_changes=False)
        said = str(refused.value)
        assert "2 of 2 rows change the parties or the date of what batch exchanges" in said
        assert "line 2 (1): occur_time: 2024-03-02 -> 2024-03-03; giver: Ashcombe -> Oakd" in said
        assert "--batch OTHER" in said
        assert "--accept-changes" in said
        assert len(desk.programme.events) == 2
        planned = self.imports(desk, "", *self.OAKDALE, accept_changes=False, dry_run=True)
        assert [change.before["giver"] for change in planned.changes] == ["Ashcombe"] * 2
        assert [change.after["giver"] for change in planned.changes] == ["Oakdale"] * 2

    def test_the_same_file_without_its_sender_is_asked_about(self, desk: Desk) -> None:
        self.imports(desk, "Ashcombe", *self.ASHCOMBE)
        with pytest.raises(ImportRefused, match=r"batch exchanges for Ashcombe.*--as Ashcombe"):
            self.imports(desk, "", *self.ASHCOMBE)

    def test_the_same_file_with_a_sender_added_is_not_doubled(self, desk: Desk) -> None:
        self.imports(desk, "", *self.ASHCOMBE)
        assert changes(self.imports(desk, "Ashcombe", *self.ASHCOMBE)) == "2 unchanged"
        third = "3,2024-03-11,Ashcombe,Elmwood,call,1,"
        assert changes(self.imports(desk, "Ashcombe", *self.ASHCOMBE, third)).startswith("1 rec")
        assert changes(self.imports(desk, "Ashcombe", *self.ASHCOMBE, third)) == "3 unchanged"

    def test_what_an_earlier_release_recorded_for_the_sender_is_not_doubled(
        self, desk: Desk
    ) -> None:
        self.imports(desk, "", *self.ASHCOMBE)  # ids of earlier releases do not name the sender
        for event in desk.programme.events.values():
            event.recorded_by = "Ashcombe"
        for exchange in desk.programme.exchanges.values():
            exchange.revisions[0].recorded_by = "Ashcombe"
        assert changes(self.imports(desk, "Ashcombe", *self.ASHCOMBE)) == "2 unchanged"
        undo_import(desk.programme.client, "exchanges")
        again = self.imports(desk, "Ashcombe", *self.ASHCOMBE)
        assert (changes(again), again.generation) == ("2 recorded", 2)
        assert changes(self.imports(desk, "Oakdale", *self.OAKDALE)) == "2 recorded"

    def test_a_sender_is_the_same_under_a_name_that_the_roster_knows(self, desk: Desk) -> None:
        self.imports(desk, "Ashcombe", *self.ASHCOMBE)
        desk.programme.organizations["T-01"] = Organization(
            organization_id="T-01", name="Ashcombe", registered=True
        )
        report = self.imports(desk, "T-01", *self.ASHCOMBE, accept_changes=False)
        assert (report.counts.recorded, report.doubts) == (0, ())


class TestLargeChanges:
    ROWS = tuple(f"{n},2024-03-0{n},A,B,call,{n}," for n in range(1, 6))

    def changed(self, count: int) -> Sequence[str]:
        return [row.replace("call", "visit") for row in self.ROWS[:count]] + [*self.ROWS[count:]]

    @pytest.mark.parametrize(("count", "asked"), [(1, False), (2, False), (3, True), (5, True)])
    def test_most_rows_are_asked_about(self, desk: Desk, count: int, *, asked: bool) -> None:
        desk.imports(*self.ROWS, header=NUMBERED)
        doubts: list[Doubt] = []

        def confirm(doubt: Doubt) -> bool:
            doubts.append(doubt)
            return True

        desk.confirm = confirm
        report = desk.imports(*self.changed(count), header=NUMBERED, accept_changes=False)
        assert report.counts.corrected == count
        assert [len(doubt.changes) for doubt in doubts] == ([count] if asked else [])

    def test_one_date_is_asked_about(self, desk: Desk) -> None:
        desk.imports(*self.ROWS, header=NUMBERED)
        moved = [self.ROWS[0].replace("2024-03-01", "2024-04-01"), *self.ROWS[1:]]
        with pytest.raises(ImportRefused, match=r"1 of 5 rows changes the parties or the date"):
            desk.imports(*moved, header=NUMBERED, accept_changes=False)

    def test_a_name_that_the_roster_binds_is_no_change(self, desk: Desk) -> None:
        desk.imports(*self.ROWS, header=NUMBERED)
        desk.programme.organizations["T-01"] = Organization(
            organization_id="T-01", name="A", registered=True
        )
        report = desk.imports(*self.ROWS, header=NUMBERED, accept_changes=False)
        assert (changes(report), report.moved_count) == ("5 corrected", 0)


class TestRowsWithoutReference:
    def test_a_column_that_is_not_mapped_does_not_matter(self, desk: Desk) -> None:
        header = f"{PLAIN},Exported at"
        desk.imports(f"{FIRST},2024-03-08", f"{SECOND},2024-03-08", header=header)
        third = "2024-03-09,Elmwood,Oakdale,visit,60,2024-03-15"
        rows = (f"{FIRST},2024-03-15", f"{SECOND},2024-03-15", third)
        report = desk.imports(*rows, header=header, accept_changes=False)
        assert changes(report) == "1 recorded 2 unchanged"

    @pytest.mark.parametrize(
        "row",
        [
            FIRST.replace("2024-03-02", "02/03/2024"),
            FIRST.replace("call", "Phone call"),
            FIRST.replace("45", "045"),
        ],
    )
    def test_another_form_of_the_same_is_the_same(self, desk: Desk, row: str) -> None:
        desk.imports(FIRST, header=PLAIN)
        report = desk.imports(row, header=PLAIN, accept_changes=False, date_order="day-first")
        assert changes(report) == "1 unchanged"

    def test_a_roster_that_comes_later_makes_no_other_rows(self, desk: Desk) -> None:
        desk.imports(FIRST, SECOND, header=PLAIN)
        desk.programme.organizations["T-01"] = Organization(
            organization_id="T-01", name="Ashcombe", registered=True
        )
        report = desk.imports(FIRST, SECOND, header=PLAIN, accept_changes=False)
        assert changes(report) == "1 corrected 1 unchanged"
        assert sorted(each for one in standing(desk) for each in content(one).giver_ids) == [
            "Oakdale",
            "T-01",
        ]

    def test_an_edited_row_is_asked_about(self, desk: Desk) -> None:
        desk.imports(FIRST, SECOND, header=PLAIN)
        edited = (FIRST.replace("45", "60"), SECOND)
        with pytest.raises(ImportRefused) as refused:
            desk.imports(*edited, header=PLAIN, accept_missing=False)
        assert "1 row is new, and as many of an earlier file" in str(refused.value)
        assert "line 2: giver_minutes: 45 -> 60" in str(refused.value)
        assert changes(desk.imports(*edited, header=PLAIN)) == "1 recorded 1 unchanged 1 missing"

    def test_every_question_is_asked_and_each_option_answers_its_own(self, desk: Desk) -> None:
        for id_ in ("T-01", "T-02"):
            desk.programme.organizations[id_] = Organization(
                organization_id=id_, name=f"Trust {id_}", registered=True
            )
        names = desk.folder / "names.csv"
        header, rows = PLAIN.replace("minutes", "spent"), (FIRST.replace("45", ""), SECOND)
        names.write_text("name,organization_id\nAshcombe,T-01\n")
        desk.imports(*rows, header=header, names=names)
        # The first row changes its giver; the second gets minutes, so that it is a new row.
        names.write_text("name,organization_id\nAshcombe,T-02\n")
        again: dict[str, Any] = {
            "header": header,
            "names": names,
            "map": {"giver_minutes": "spent"},
        }
        changed = "1 of 2 rows changes the parties or the date"
        replaced = "1 row is new, and as many of an earlier file"
        cases: tuple[tuple[dict[str, Any], list[str]], ...] = (
            ({}, [changed, replaced]),
            ({"accept_changes": True}, [replaced]),
            ({"accept_missing": True}, [changed]),
        )
        for accepted, asked in cases:
            options = again | {"accept_changes": False, "accept_missing": False} | accepted
            planned = desk.imports(*rows, dry_run=True, **options)
            with pytest.raises(ImportRefused) as refused:
                desk.imports(*rows, **options)
            said = str(refused.value)
            assert [each for each in (changed, replaced) if each in said] == asked
            assert ("say --accept-changes" in said, "say --accept-missing" in said) == (
                changed in asked,
                replaced in asked,
            )
            assert len(planned.doubts) == len(asked)
        questions: list[str] = []

        def confirm(doubt: Doubt) -> bool:
            questions.append(doubt.question)
            return True

        desk.confirm = confirm
        options = again | {"accept_changes": False, "accept_missing": False}
        report = desk.imports(*rows, **options)
        assert changes(report) == "1 recorded 1 corrected 1 missing"
        assert questions == ["Record these changes?", "Record the new rows beside the old ones?"]

    def test_more_new_rows_than_missing_ones_are_recorded(self, desk: Desk) -> None:
        desk.imports(FIRST, header=PLAIN)
        report = desk.imports(
            SECOND, SECOND.replace("180", "1"), header=PLAIN, accept_changes=False
        )
        assert changes(report) == "2 recorded 1 missing"

    def test_what_an_earlier_release_recorded_is_not_doubled(self, desk: Desk) -> None:
        """Its ids came from the text of all cells; these are theirs."""
        header, rows = f"{PLAIN},Exported at", (f"{FIRST},2024-03-08", f"{FIRST},2024-03-08")
        desk.imports(*rows, header=header)
        digest = raw_digest(header, rows[0])
        exchanges = list(desk.programme.exchanges.values())
        desk.programme.exchanges.clear()
        for number, exchange in enumerate(exchanges, 1):
            exchange.exchange_id = uuid8("exchange", "gde", "log", "1", f"{digest}-{number}")
            exchange.revisions[0].event_id = exchange.exchange_id
            desk.programme.exchanges[exchange.exchange_id] = exchange
        assert changes(desk.imports(*rows, header=header)) == "2 unchanged"
        copy = desk.imports(*rows, header=header, name="copy.csv", dry_run=True)
        assert [(each.batch, each.same_count) for each in copy.elsewhere] == [("log", 2)]


def raw_digest(header: str, row: str) -> str:
    """The digest of a row in release 0.1, computed as it was there."""
    import hashlib

    named = sorted(zip(header.split(","), row.split(","), strict=True))
    text = "\0".join(f"{name}\1{cell}" for name, cell in named)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class TestOccurrences:
    """A row that is set aside keeps its place among rows that mean the same."""

    BAD = FIRST.replace("45", "soon")

    @pytest.fixture
    def aside(self, desk: Desk) -> Path:
        return desk.folder / "mend.csv"

    def set_aside(self, desk: Desk, aside: Path, *rows: str) -> None:
        desk.imports(*rows, header=PLAIN, name="calls.csv", skip_bad=aside)
        aside.write_text(aside.read_text(encoding="utf-8-sig").replace("soon", "45"))

    def import_mended(self, desk: Desk, aside: Path) -> str:
        report = desk.imports_file(aside, batch="calls", accept_missing=False)
        return changes(report).split(" missing")[0]

    @pytest.mark.parametrize("rows", [(FIRST, BAD), (BAD, FIRST), (FIRST, BAD, FIRST, BAD)])
    def test_a_mended_row_that_equals_a_good_one_is_recorded(
        self, desk: Desk, aside: Path, rows: Sequence[str]
    ) -> None:
        self.set_aside(desk, aside, *rows)
        mended_count = rows.count(self.BAD)
        assert self.import_mended(desk, aside).startswith(f"{mended_count} recorded")
        assert len(standing(desk)) == len(rows)
        assert self.import_mended(desk, aside).startswith(f"{mended_count} unchanged")
        mended = [FIRST] * len(rows)
        report = desk.imports(*mended, header=PLAIN, name="calls.csv")
        assert changes(report) == f"{len(rows)} unchanged"
        assert len(standing(desk)) == len(rows)

    def test_the_original_may_be_mended_first(self, desk: Desk, aside: Path) -> None:
        self.set_aside(desk, aside, FIRST, self.BAD)
        desk.imports(FIRST, FIRST, header=PLAIN, name="calls.csv")
        assert self.import_mended(desk, aside).startswith("1 unchanged")
        assert len(standing(desk)) == 2

    def test_a_row_that_is_set_aside_twice_keeps_its_first_place(
        self, desk: Desk, aside: Path
    ) -> None:
        self.set_aside(desk, aside, FIRST, SECOND, self.BAD, self.BAD)
        lines = aside.read_text().splitlines()
        aside.write_text("\n".join((lines[0], lines[1], lines[2].replace(",45,", ",later,"))))
        again = desk.folder / "again.csv"
        desk.imports_file(aside, batch="calls", skip_bad=again)
        assert "mutua_line" in again.read_text(encoding="utf-8-sig").splitlines()[0]
        again.write_text(again.read_text(encoding="utf-8-sig").replace("later", "45"))
        assert self.import_mended(desk, again).startswith("1 recorded")
        assert self.import_mended(desk, again).startswith("1 unchanged")
        assert len(standing(desk)) == 4

    def test_without_the_line_a_reference_is_enough(self, desk: Desk, aside: Path) -> None:
        desk.imports(f"a,{FIRST},", f"b,{self.BAD},", header=NUMBERED, skip_bad=aside)
        assert "mutua_line" not in aside.read_text()


class TestCorrectionByHand:
    ROW = "1,2024-03-02,A,B,call,45,"

    @pytest.fixture
    def exchange(self, desk: Desk) -> Exchange:
        desk.imports(self.ROW, header=NUMBERED)
        return next(iter(desk.programme.exchanges.values()))

    def test_it_stays_when_the_row_changes_elsewhere(self, desk: Desk, exchange: Exchange) -> None:
        corrected_by_hand(exchange, giver_minutes=50, kind=EXCHANGE_KIND_MEETING)
        assert changes(desk.imports(self.ROW, header=NUMBERED)) == "1 unchanged"
        noted = f"{self.ROW}a note"
        assert changes(desk.imports(noted, header=NUMBERED)) == "1 corrected"
        merged = content(exchange)
        assert (merged.giver_minutes, merged.kind) == (50, EXCHANGE_KIND_MEETING)
        assert merged.note.plain == "a note"
        # What the merged correction kept of the hand's is not taken for what the file said.
        assert changes(desk.imports(noted, header=NUMBERED)) == "1 unchanged"
        assert content(exchange).giver_minutes == 50

    def test_both_may_come_to_the_same(self, desk: Desk, exchange: Exchange) -> None:
        """Afterwards it is a change by hand again that makes them differ."""
        corrected_by_hand(exchange, giver_minutes=50)
        agreed = self.ROW.replace("45", "50")
        assert changes(desk.imports(agreed, header=NUMBERED)) == "1 agreed"
        assert changes(desk.imports(agreed, header=NUMBERED)) == "1 unchanged"
        for minutes in (45, 70):
            corrected_by_hand(exchange, giver_minutes=minutes)
            assert changes(desk.imports(agreed, header=NUMBERED)) == "1 unchanged"
            assert content(exchange).giver_minutes == minutes

    def test_it_stays_through_a_file_that_does_not_have_the_column(
        self, desk: Desk, exchange: Exchange
    ) -> None:
        corrected_by_hand(exchange, giver_minutes=50)
        short = desk.imports("1,2024-03-02,A,B,visit", header="ref,date,from,to,kind")
        assert changes(short) == "1 corrected"
        again = desk.imports(self.ROW.replace("call", "visit"), header=NUMBERED)
        assert changes(again) == "1 unchanged"
        assert content(exchange).giver_minutes == 50

    def test_two_values_of_one_field_are_a_conflict(self, desk: Desk, exchange: Exchange) -> None:
        corrected_by_hand(exchange, giver_minutes=50)
        report = desk.imports(self.ROW.replace("45", "60"), header=NUMBERED)
        (error,) = report.errors
        assert (report.ok, error.row, error.field, error.value) == (False, 2, "giver_minutes", "60")
        assert "says 60, and a correction by hand says 50 where the file said 45" in error.message
        assert exchange.exchange_id in error.message
        assert len(exchange.revisions) == 2

    def test_a_conflict_is_set_aside_and_the_other_rows_recorded(
        self, desk: Desk, exchange: Exchange
    ) -> None:
        corrected_by_hand(exchange, giver_minutes=50)
        rows, aside = (self.ROW.replace("45", "60"), "2,2024-03-03,A,C,call,1,"), "conflict.csv"
        report = desk.imports(*rows, header=NUMBERED, skip_bad=desk.folder / aside)
        assert changes(report) == "1 recorded 1 wrong"
        assert "a correction by hand says 50" in (desk.folder / aside).read_text()

    def test_a_party_corrected_by_hand_stays_when_the_roster_comes(
        self, desk: Desk, exchange: Exchange
    ) -> None:
        corrected_by_hand(exchange, giver_ids=["C"])
        desk.programme.organizations["T-01"] = Organization(
            organization_id="T-01", name="A", registered=True
        )
        assert changes(desk.imports(self.ROW, header=NUMBERED)) == "1 unchanged"
        assert content(exchange).giver_ids == ["C"]

    def test_a_correction_after_a_merge_is_still_one_by_hand(
        self, desk: Desk, exchange: Exchange
    ) -> None:
        corrected_by_hand(exchange, giver_minutes=50)
        desk.imports(f"{self.ROW}a note", header=NUMBERED)
        report = desk.imports(f"{self.ROW.replace('45', '60')}a note", header=NUMBERED)
        assert [error.field for error in report.errors] == ["giver_minutes"]


class TestRetractionByHand:
    ROWS = ("1,2024-03-02,A,B,call,45,", "2,2024-03-03,B,A,call,30,")

    @pytest.fixture
    def exchange(self, desk: Desk) -> Exchange:
        """Retracted by hand."""
        desk.imports(*self.ROWS, header=NUMBERED)
        exchange = next(iter(desk.programme.exchanges.values()))
        self.retract(desk, exchange)
        return exchange

    def retract(self, desk: Desk, exchange: Exchange) -> None:
        desk.programme.retract(exchange.exchange_id)
        exchange.revisions[-1].reason.plain = "never happened"

    def test_it_is_final_through_an_undo(self, desk: Desk, exchange: Exchange) -> None:
        undo_import(desk.programme.client, "log")
        for _ in range(2):
            report = desk.imports(*self.ROWS, header=NUMBERED)
            assert report.counts.retracted_earlier == 1
            (left,) = report.left_retracted
            assert (left.row, left.reference) == (2, "1")
            assert left.exchange_id == exchange.exchange_id
            assert (left.what, left.reason) == ("A -> B, call, 2024-03-02", "never happened")
            assert len(standing(desk)) == 1
        undo_import(desk.programme.client, "log")
        report = desk.imports(*self.ROWS, header=NUMBERED)
        assert (changes(report), report.generation) == ("1 recorded 1 retracted_earlier", 3)

    def test_an_undo_tells_what_was_retracted_by_hand(self, desk: Desk, exchange: Exchange) -> None:
        report = undo_import(desk.programme.client, "log")
        assert [each.exchange_id for each in report.left_retracted] == [exchange.exchange_id]
        assert report.left_retracted[0].reference == "1"

    @pytest.mark.parametrize("undone", [False, True])
    def test_a_mended_row_can_be_recorded_again(
        self, desk: Desk, exchange: Exchange, *, undone: bool
    ) -> None:
        if undone:
            undo_import(desk.programme.client, "log")
        mended = (self.ROWS[0].replace("call", "visit"), self.ROWS[1])
        assert desk.imports(*mended, header=NUMBERED).counts.retracted_earlier == 1
        report = desk.imports(*mended, header=NUMBERED, reinstate=True)
        assert changes(report) == "1 recorded 1 unchanged"
        for reinstate in (False, True):
            again = desk.imports(*mended, header=NUMBERED, reinstate=reinstate)
            assert changes(again) == "2 unchanged"
        assert sorted(content(each).kind for each in standing(desk)) == [3, EXCHANGE_KIND_VISIT]
        assert exchange.state == EXCHANGE_STATE_RETRACTED

    def test_a_row_that_says_what_was_retracted_is_not_reinstated(
        self, desk: Desk, exchange: Exchange
    ) -> None:
        report = desk.imports(*self.ROWS, header=NUMBERED, reinstate=True)
        assert changes(report) == "1 unchanged 1 retracted_earlier"
        assert exchange.state == EXCHANGE_STATE_RETRACTED

    def test_what_was_reinstated_is_retracted_undone_and_recorded_like_any_other(
        self, desk: Desk, exchange: Exchange
    ) -> None:
        mended = (self.ROWS[0].replace("call", "visit"), self.ROWS[1])
        desk.imports(*mended, header=NUMBERED, reinstate=True)
        reinstated = standing(desk)[-1]
        self.retract(desk, reinstated)
        report = desk.imports(*mended, header=NUMBERED, reinstate=True)
        assert report.left_retracted[0].exchange_id == reinstated.exchange_id
        other = (self.ROWS[0].replace("call", "meeting"), self.ROWS[1])
        desk.imports(*other, header=NUMBERED, reinstate=True)
        assert len(standing(desk)) == 2
        undo_import(desk.programme.client, "log")
        assert standing(desk) == []
        assert changes(desk.imports(*other, header=NUMBERED)) == "2 recorded"
        assert len(standing(desk)) == 2
        assert exchange.state == EXCHANGE_STATE_RETRACTED

    def test_rows_without_a_reference_too(self, desk: Desk) -> None:
        desk.imports(FIRST, FIRST, header=PLAIN)
        second = list(desk.programme.exchanges.values())[1]
        self.retract(desk, second)
        undo_import(desk.programme.client, "log")
        report = desk.imports(FIRST, FIRST, header=PLAIN)
        assert changes(report) == "1 recorded 1 retracted_earlier"
        assert report.left_retracted[0].row == 3


def test_a_revision_by_another_program_is_one_by_hand(desk: Desk) -> None:
    desk.imports(f"a,{FIRST},", header=NUMBERED)
    exchange = next(iter(desk.programme.exchanges.values()))
    revision = Revision()
    revision.CopyFrom(exchange.revisions[0])
    revision.event_id, revision.source.client = "by a form", "form"
    revision.content.giver_minutes = 50
    exchange.revisions.append(revision)
    assert changes(desk.imports(f"a,{FIRST},", header=NUMBERED)) == "1 unchanged"
    assert content(exchange).giver_minutes == 50


class TestSeveralExchangesOfOneRow:
    HEADER, MAP = f"{PLAIN},times", {"count": "times"}

    def test_a_mended_row_that_is_two_exchanges_is_two(self, desk: Desk) -> None:
        aside, bad = desk.folder / "mend.csv", FIRST.replace("45", "soon")
        desk.imports(f"{FIRST},1", f"{bad},2", header=self.HEADER, map=self.MAP, skip_bad=aside)
        aside.write_text(aside.read_text(encoding="utf-8-sig").replace("soon", "90"))
        for said in ("2 recorded", "2 unchanged"):
            report = desk.imports_file(aside, batch="log", map=self.MAP, accept_changes=False)
            assert changes(report).startswith(said)
        rows = (f"{FIRST},1", f"{FIRST.replace('45', '90')},2")
        assert changes(desk.imports(*rows, header=self.HEADER, map=self.MAP)) == "3 unchanged"
