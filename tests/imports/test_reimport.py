"""Repeated imports lose and double no row: identity, occurrences, merging, retractions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mutua.ids import uuid8
from mutua.v1.event_pb2 import ExchangeContent
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Exchange, Organization, Revision
from mutua.v1.types_pb2 import EXCHANGE_KIND_MEETING, EXCHANGE_KIND_VISIT
from services.imports import Doubt, ImportRefusedError, ImportReport
from services.imports.undo import undo_import
from tests.imports.importer import Importer, correct_by_hand, format_counts

PLAIN = "date,from,to,kind,minutes"
NUMBERED = f"ref,{PLAIN},note"
FIRST = "2024-03-02,Ashcombe,Oakdale,call,45"
SECOND = "2024-03-05,Oakdale,Elmwood,visit,180"


def standing(importer: Importer) -> list[Exchange]:
    exchanges = importer.programme.exchanges.values()
    return [each for each in exchanges if each.state != EXCHANGE_STATE_RETRACTED]


def content(exchange: Exchange) -> ExchangeContent:
    return exchange.revisions[-1].content


class TestSender:
    """The organization that a file is imported for is part of its batch's identity."""

    ASHCOMBE = ("1,2024-03-02,Ashcombe,Elmwood,call,45,", "2,2024-03-09,Ashcombe,Millbury,visit,9,")
    OAKDALE = ("1,2024-03-03,Oakdale,Thornwick,call,30,", "2,2024-03-10,Oakdale,Elmwood,visit,8,")

    def imports(
        self, importer: Importer, sender: str, *rows: str, **options: object
    ) -> ImportReport:
        importer.programme.organization = sender
        return importer.import_rows(*rows, header=NUMBERED, name="exchanges.csv", **options)

    def test_two_senders_may_share_name_and_references(self, importer: Importer) -> None:
        for sender, rows in (("Ashcombe", self.ASHCOMBE), ("Oakdale", self.OAKDALE)):
            report = self.imports(importer, sender, *rows, accept_changes=False)
            assert (format_counts(report), report.doubts) == ("2 recorded", ())
        for sender, rows in (("Ashcombe", self.ASHCOMBE), ("Oakdale", self.OAKDALE)):
            assert format_counts(self.imports(importer, sender, *rows)) == "2 unchanged"
        assert (
            uuid8("exchange", "gde", "exchanges", "1", "1", "Oakdale") in importer.programme.events
        )

    def test_other_parties_without_sender_need_confirmation(self, importer: Importer) -> None:
        self.imports(importer, "", *self.ASHCOMBE)
        with pytest.raises(ImportRefusedError) as refused:
            self.imports(importer, "", *self.OAKDALE, accept_changes=False)
        message = str(refused.value)
        assert "2 of 2 rows change the parties or the date of what batch exchanges" in message
        assert (
            "line 2 (1): occur_time: 2024-03-02 -> 2024-03-03; giver: Ashcombe -> Oakd" in message
        )
        assert "--batch OTHER" in message
        assert "--accept-changes" in message
        assert len(importer.programme.events) == 2
        planned = self.imports(importer, "", *self.OAKDALE, accept_changes=False, dry_run=True)
        assert [change.before["giver"] for change in planned.changes] == ["Ashcombe"] * 2
        assert [change.after["giver"] for change in planned.changes] == ["Oakdale"] * 2

    def test_file_without_its_sender_needs_confirmation(self, importer: Importer) -> None:
        self.imports(importer, "Ashcombe", *self.ASHCOMBE)
        with pytest.raises(
            ImportRefusedError, match=r"batch exchanges for Ashcombe.*--as Ashcombe"
        ):
            self.imports(importer, "", *self.ASHCOMBE)

    def test_file_with_added_sender_is_not_doubled(self, importer: Importer) -> None:
        self.imports(importer, "", *self.ASHCOMBE)
        assert format_counts(self.imports(importer, "Ashcombe", *self.ASHCOMBE)) == "2 unchanged"
        third = "3,2024-03-11,Ashcombe,Elmwood,call,1,"
        assert format_counts(self.imports(importer, "Ashcombe", *self.ASHCOMBE, third)).startswith(
            "1 rec"
        )
        assert (
            format_counts(self.imports(importer, "Ashcombe", *self.ASHCOMBE, third))
            == "3 unchanged"
        )

    def test_rows_of_earlier_release_with_sender_are_not_doubled(self, importer: Importer) -> None:
        self.imports(importer, "", *self.ASHCOMBE)  # ids of earlier releases do not name the sender
        for event in importer.programme.events.values():
            event.recorded_by = "Ashcombe"
        for exchange in importer.programme.exchanges.values():
            exchange.revisions[0].recorded_by = "Ashcombe"
        assert format_counts(self.imports(importer, "Ashcombe", *self.ASHCOMBE)) == "2 unchanged"
        undo_import(importer.programme.client, "exchanges")
        again = self.imports(importer, "Ashcombe", *self.ASHCOMBE)
        assert (format_counts(again), again.generation) == ("2 recorded", 2)
        assert format_counts(self.imports(importer, "Oakdale", *self.OAKDALE)) == "2 recorded"

    def test_sender_is_resolved_by_roster(self, importer: Importer) -> None:
        self.imports(importer, "Ashcombe", *self.ASHCOMBE)
        importer.programme.organizations["T-01"] = Organization(
            organization_id="T-01", name="Ashcombe", registered=True
        )
        report = self.imports(importer, "T-01", *self.ASHCOMBE, accept_changes=False)
        assert (report.counts.recorded, report.doubts) == (0, ())


class TestLargeChanges:
    ROWS = tuple(f"{n},2024-03-0{n},A,B,call,{n}," for n in range(1, 6))

    def changed(self, count: int) -> Sequence[str]:
        return [row.replace("call", "visit") for row in self.ROWS[:count]] + [*self.ROWS[count:]]

    @pytest.mark.parametrize(
        ("count", "expected_doubts"), [(1, False), (2, False), (3, True), (5, True)]
    )
    def test_change_of_most_rows_needs_confirmation(
        self, importer: Importer, count: int, *, expected_doubts: bool
    ) -> None:
        importer.import_rows(*self.ROWS, header=NUMBERED)
        doubts: list[Doubt] = []

        def confirm(doubt: Doubt) -> bool:
            doubts.append(doubt)
            return True

        importer.confirm = confirm
        report = importer.import_rows(*self.changed(count), header=NUMBERED, accept_changes=False)
        assert report.counts.corrected == count
        assert [len(doubt.changes) for doubt in doubts] == ([count] if expected_doubts else [])

    def test_change_of_one_date_needs_confirmation(self, importer: Importer) -> None:
        importer.import_rows(*self.ROWS, header=NUMBERED)
        moved = [self.ROWS[0].replace("2024-03-01", "2024-04-01"), *self.ROWS[1:]]
        with pytest.raises(
            ImportRefusedError, match=r"1 of 5 rows changes the parties or the date"
        ):
            importer.import_rows(*moved, header=NUMBERED, accept_changes=False)

    def test_name_bound_by_roster_is_no_change(self, importer: Importer) -> None:
        importer.import_rows(*self.ROWS, header=NUMBERED)
        importer.programme.organizations["T-01"] = Organization(
            organization_id="T-01", name="A", registered=True
        )
        report = importer.import_rows(*self.ROWS, header=NUMBERED, accept_changes=False)
        assert (format_counts(report), report.moved_count) == ("5 corrected", 0)


class TestRowsWithoutReference:
    def test_unmapped_column_does_not_matter(self, importer: Importer) -> None:
        header = f"{PLAIN},Exported at"
        importer.import_rows(f"{FIRST},2024-03-08", f"{SECOND},2024-03-08", header=header)
        third = "2024-03-09,Elmwood,Oakdale,visit,60,2024-03-15"
        rows = (f"{FIRST},2024-03-15", f"{SECOND},2024-03-15", third)
        report = importer.import_rows(*rows, header=header, accept_changes=False)
        assert format_counts(report) == "1 recorded 2 unchanged"

    @pytest.mark.parametrize(
        "row",
        [
            FIRST.replace("2024-03-02", "02/03/2024"),
            FIRST.replace("call", "Phone call"),
            FIRST.replace("45", "045"),
        ],
    )
    def test_other_notation_is_equal_row(self, importer: Importer, row: str) -> None:
        importer.import_rows(FIRST, header=PLAIN)
        report = importer.import_rows(
            row, header=PLAIN, accept_changes=False, date_order="day-first"
        )
        assert format_counts(report) == "1 unchanged"

    def test_later_roster_keeps_identity_of_rows(self, importer: Importer) -> None:
        importer.import_rows(FIRST, SECOND, header=PLAIN)
        importer.programme.organizations["T-01"] = Organization(
            organization_id="T-01", name="Ashcombe", registered=True
        )
        report = importer.import_rows(FIRST, SECOND, header=PLAIN, accept_changes=False)
        assert format_counts(report) == "1 corrected 1 unchanged"
        assert sorted(each for one in standing(importer) for each in content(one).giver_ids) == [
            "Oakdale",
            "T-01",
        ]

    def test_edited_row_needs_confirmation(self, importer: Importer) -> None:
        importer.import_rows(FIRST, SECOND, header=PLAIN)
        edited = (FIRST.replace("45", "60"), SECOND)
        with pytest.raises(ImportRefusedError) as refused:
            importer.import_rows(*edited, header=PLAIN, accept_missing=False)
        assert "1 row is new, and as many of an earlier file" in str(refused.value)
        assert "line 2: giver_minutes: 45 -> 60" in str(refused.value)
        assert (
            format_counts(importer.import_rows(*edited, header=PLAIN))
            == "1 recorded 1 unchanged 1 missing"
        )

    def test_every_option_answers_one_doubt(self, importer: Importer) -> None:
        for id_ in ("T-01", "T-02"):
            importer.programme.organizations[id_] = Organization(
                organization_id=id_, name=f"Trust {id_}", registered=True
            )
        names = importer.folder / "names.csv"
        header, rows = PLAIN.replace("minutes", "spent"), (FIRST.replace("45", ""), SECOND)
        names.write_text("name,organization_id\nAshcombe,T-01\n")
        importer.import_rows(*rows, header=header, names=names)
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
        for accepted, expected_doubts in cases:
            options = again | {"accept_changes": False, "accept_missing": False} | accepted
            planned = importer.import_rows(*rows, dry_run=True, **options)
            with pytest.raises(ImportRefusedError) as refused:
                importer.import_rows(*rows, **options)
            message = str(refused.value)
            assert [each for each in (changed, replaced) if each in message] == expected_doubts
            assert ("say --accept-changes" in message, "say --accept-missing" in message) == (
                changed in expected_doubts,
                replaced in expected_doubts,
            )
            assert len(planned.doubts) == len(expected_doubts)
        questions: list[str] = []

        def confirm(doubt: Doubt) -> bool:
            questions.append(doubt.question)
            return True

        importer.confirm = confirm
        options = again | {"accept_changes": False, "accept_missing": False}
        report = importer.import_rows(*rows, **options)
        assert format_counts(report) == "1 recorded 1 corrected 1 missing"
        assert questions == [
            "Record these changes?",
            "Record the new rows in addition to the old ones?",
        ]

    def test_more_new_than_missing_rows_are_recorded(self, importer: Importer) -> None:
        importer.import_rows(FIRST, header=PLAIN)
        report = importer.import_rows(
            SECOND, SECOND.replace("180", "1"), header=PLAIN, accept_changes=False
        )
        assert format_counts(report) == "2 recorded 1 missing"

    def test_rows_of_earlier_release_are_not_doubled(self, importer: Importer) -> None:
        """In release 0.1 the ids came from the text of all cells."""
        header, rows = f"{PLAIN},Exported at", (f"{FIRST},2024-03-08", f"{FIRST},2024-03-08")
        importer.import_rows(*rows, header=header)
        digest = raw_digest(header, rows[0])
        exchanges = list(importer.programme.exchanges.values())
        importer.programme.exchanges.clear()
        for number, exchange in enumerate(exchanges, 1):
            exchange.exchange_id = uuid8("exchange", "gde", "log", "1", f"{digest}-{number}")
            exchange.revisions[0].event_id = exchange.exchange_id
            importer.programme.exchanges[exchange.exchange_id] = exchange
        assert format_counts(importer.import_rows(*rows, header=header)) == "2 unchanged"
        copy = importer.import_rows(*rows, header=header, name="copy.csv", dry_run=True)
        assert [(each.batch, each.same_count) for each in copy.elsewhere] == [("log", 2)]


def raw_digest(header: str, row: str) -> str:
    """The digest of a row in release 0.1."""
    import hashlib

    named = sorted(zip(header.split(","), row.split(","), strict=True))
    text = "\0".join(f"{name}\1{cell}" for name, cell in named)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class TestOccurrences:
    """A rejected row keeps its place among rows with equal content."""

    BAD = FIRST.replace("45", "soon")

    @pytest.fixture
    def reject_path(self, importer: Importer) -> Path:
        return importer.folder / "mend.csv"

    def set_aside(self, importer: Importer, reject_path: Path, *rows: str) -> None:
        importer.import_rows(*rows, header=PLAIN, name="calls.csv", skip_bad=reject_path)
        reject_path.write_text(reject_path.read_text(encoding="utf-8-sig").replace("soon", "45"))

    def import_mended(self, importer: Importer, reject_path: Path) -> str:
        report = importer.import_file(reject_path, batch="calls", accept_missing=False)
        return format_counts(report).split(" missing")[0]

    @pytest.mark.parametrize("rows", [(FIRST, BAD), (BAD, FIRST), (FIRST, BAD, FIRST, BAD)])
    def test_mended_row_equal_to_good_one_is_recorded(
        self, importer: Importer, reject_path: Path, rows: Sequence[str]
    ) -> None:
        self.set_aside(importer, reject_path, *rows)
        mended_count = rows.count(self.BAD)
        assert self.import_mended(importer, reject_path).startswith(f"{mended_count} recorded")
        assert len(standing(importer)) == len(rows)
        assert self.import_mended(importer, reject_path).startswith(f"{mended_count} unchanged")
        mended = [FIRST] * len(rows)
        report = importer.import_rows(*mended, header=PLAIN, name="calls.csv")
        assert format_counts(report) == f"{len(rows)} unchanged"
        assert len(standing(importer)) == len(rows)

    def test_the_original_may_be_mended_first(self, importer: Importer, reject_path: Path) -> None:
        self.set_aside(importer, reject_path, FIRST, self.BAD)
        importer.import_rows(FIRST, FIRST, header=PLAIN, name="calls.csv")
        assert self.import_mended(importer, reject_path).startswith("1 unchanged")
        assert len(standing(importer)) == 2

    def test_row_rejected_twice_keeps_first_place(
        self, importer: Importer, reject_path: Path
    ) -> None:
        self.set_aside(importer, reject_path, FIRST, SECOND, self.BAD, self.BAD)
        lines = reject_path.read_text().splitlines()
        reject_path.write_text("\n".join((lines[0], lines[1], lines[2].replace(",45,", ",later,"))))
        again = importer.folder / "again.csv"
        importer.import_file(reject_path, batch="calls", skip_bad=again)
        assert "mutua_line" in again.read_text(encoding="utf-8-sig").splitlines()[0]
        again.write_text(again.read_text(encoding="utf-8-sig").replace("later", "45"))
        assert self.import_mended(importer, again).startswith("1 recorded")
        assert self.import_mended(importer, again).startswith("1 unchanged")
        assert len(standing(importer)) == 4

    def test_without_the_line_a_reference_is_enough(
        self, importer: Importer, reject_path: Path
    ) -> None:
        importer.import_rows(f"a,{FIRST},", f"b,{self.BAD},", header=NUMBERED, skip_bad=reject_path)
        assert "mutua_line" not in reject_path.read_text()


class TestCorrectionByHand:
    ROW = "1,2024-03-02,A,B,call,45,"

    @pytest.fixture
    def exchange(self, importer: Importer) -> Exchange:
        importer.import_rows(self.ROW, header=NUMBERED)
        return next(iter(importer.programme.exchanges.values()))

    def test_correction_stays_when_other_field_changes(
        self, importer: Importer, exchange: Exchange
    ) -> None:
        correct_by_hand(exchange, giver_minutes=50, kind=EXCHANGE_KIND_MEETING)
        assert format_counts(importer.import_rows(self.ROW, header=NUMBERED)) == "1 unchanged"
        noted = f"{self.ROW}a note"
        assert format_counts(importer.import_rows(noted, header=NUMBERED)) == "1 corrected"
        merged = content(exchange)
        assert (merged.giver_minutes, merged.kind) == (50, EXCHANGE_KIND_MEETING)
        assert merged.note.plain == "a note"
        # What the merged correction kept of the hand's is not taken for what the file said.
        assert format_counts(importer.import_rows(noted, header=NUMBERED)) == "1 unchanged"
        assert content(exchange).giver_minutes == 50

    def test_file_may_agree_with_correction(self, importer: Importer, exchange: Exchange) -> None:
        """After the merge, only another correction by hand makes a difference."""
        correct_by_hand(exchange, giver_minutes=50)
        agreed = self.ROW.replace("45", "50")
        assert format_counts(importer.import_rows(agreed, header=NUMBERED)) == "1 agreed"
        assert format_counts(importer.import_rows(agreed, header=NUMBERED)) == "1 unchanged"
        for minutes in (45, 70):
            correct_by_hand(exchange, giver_minutes=minutes)
            assert format_counts(importer.import_rows(agreed, header=NUMBERED)) == "1 unchanged"
            assert content(exchange).giver_minutes == minutes

    def test_correction_stays_when_file_lacks_column(
        self, importer: Importer, exchange: Exchange
    ) -> None:
        correct_by_hand(exchange, giver_minutes=50)
        short = importer.import_rows("1,2024-03-02,A,B,visit", header="ref,date,from,to,kind")
        assert format_counts(short) == "1 corrected"
        again = importer.import_rows(self.ROW.replace("call", "visit"), header=NUMBERED)
        assert format_counts(again) == "1 unchanged"
        assert content(exchange).giver_minutes == 50

    def test_two_values_of_one_field_are_a_conflict(
        self, importer: Importer, exchange: Exchange
    ) -> None:
        correct_by_hand(exchange, giver_minutes=50)
        report = importer.import_rows(self.ROW.replace("45", "60"), header=NUMBERED)
        (error,) = report.errors
        assert (report.ok, error.row, error.field, error.value) == (False, 2, "giver_minutes", "60")
        assert "has 60, and a correction by hand has 50 where the file had 45" in error.message
        assert exchange.exchange_id in error.message
        assert len(exchange.revisions) == 2

    def test_conflict_is_rejected_and_other_rows_recorded(
        self, importer: Importer, exchange: Exchange
    ) -> None:
        correct_by_hand(exchange, giver_minutes=50)
        rows, reject_path = (
            (self.ROW.replace("45", "60"), "2,2024-03-03,A,C,call,1,"),
            "conflict.csv",
        )
        report = importer.import_rows(
            *rows, header=NUMBERED, skip_bad=importer.folder / reject_path
        )
        assert format_counts(report) == "1 recorded 1 wrong"
        assert "a correction by hand has 50" in (importer.folder / reject_path).read_text()

    def test_corrected_party_stays_after_roster_import(
        self, importer: Importer, exchange: Exchange
    ) -> None:
        correct_by_hand(exchange, giver_ids=["C"])
        importer.programme.organizations["T-01"] = Organization(
            organization_id="T-01", name="A", registered=True
        )
        assert format_counts(importer.import_rows(self.ROW, header=NUMBERED)) == "1 unchanged"
        assert content(exchange).giver_ids == ["C"]

    def test_correction_after_merge_counts_as_by_hand(
        self, importer: Importer, exchange: Exchange
    ) -> None:
        correct_by_hand(exchange, giver_minutes=50)
        importer.import_rows(f"{self.ROW}a note", header=NUMBERED)
        report = importer.import_rows(f"{self.ROW.replace('45', '60')}a note", header=NUMBERED)
        assert [error.field for error in report.errors] == ["giver_minutes"]


class TestRetractionByHand:
    ROWS = ("1,2024-03-02,A,B,call,45,", "2,2024-03-03,B,A,call,30,")

    @pytest.fixture
    def exchange(self, importer: Importer) -> Exchange:
        """An exchange that was retracted by hand."""
        importer.import_rows(*self.ROWS, header=NUMBERED)
        exchange = next(iter(importer.programme.exchanges.values()))
        self.retract(importer, exchange)
        return exchange

    def retract(self, importer: Importer, exchange: Exchange) -> None:
        importer.programme.retract(exchange.exchange_id)
        exchange.revisions[-1].reason.plain = "never happened"

    def test_retraction_stays_after_undo(self, importer: Importer, exchange: Exchange) -> None:
        undo_import(importer.programme.client, "log")
        for _ in range(2):
            report = importer.import_rows(*self.ROWS, header=NUMBERED)
            assert report.counts.retracted_earlier == 1
            (left,) = report.left_retracted
            assert (left.row, left.reference) == (2, "1")
            assert left.exchange_id == exchange.exchange_id
            assert (left.what, left.reason) == ("A -> B, call, 2024-03-02", "never happened")
            assert len(standing(importer)) == 1
        undo_import(importer.programme.client, "log")
        report = importer.import_rows(*self.ROWS, header=NUMBERED)
        assert (format_counts(report), report.generation) == ("1 recorded 1 retracted_earlier", 3)

    def test_undo_reports_retractions_by_hand(self, importer: Importer, exchange: Exchange) -> None:
        report = undo_import(importer.programme.client, "log")
        assert [each.exchange_id for each in report.left_retracted] == [exchange.exchange_id]
        assert report.left_retracted[0].reference == "1"

    @pytest.mark.parametrize("undone", [False, True])
    def test_mended_row_can_be_reinstated(
        self, importer: Importer, exchange: Exchange, *, undone: bool
    ) -> None:
        if undone:
            undo_import(importer.programme.client, "log")
        mended = (self.ROWS[0].replace("call", "visit"), self.ROWS[1])
        assert importer.import_rows(*mended, header=NUMBERED).counts.retracted_earlier == 1
        report = importer.import_rows(*mended, header=NUMBERED, reinstate=True)
        assert format_counts(report) == "1 recorded 1 unchanged"
        for reinstate in (False, True):
            again = importer.import_rows(*mended, header=NUMBERED, reinstate=reinstate)
            assert format_counts(again) == "2 unchanged"
        assert sorted(content(each).kind for each in standing(importer)) == [3, EXCHANGE_KIND_VISIT]
        assert exchange.state == EXCHANGE_STATE_RETRACTED

    def test_unchanged_row_is_not_reinstated(self, importer: Importer, exchange: Exchange) -> None:
        report = importer.import_rows(*self.ROWS, header=NUMBERED, reinstate=True)
        assert format_counts(report) == "1 unchanged 1 retracted_earlier"
        assert exchange.state == EXCHANGE_STATE_RETRACTED

    def test_reinstated_exchange_can_be_retracted_and_undone(
        self, importer: Importer, exchange: Exchange
    ) -> None:
        mended = (self.ROWS[0].replace("call", "visit"), self.ROWS[1])
        importer.import_rows(*mended, header=NUMBERED, reinstate=True)
        reinstated = standing(importer)[-1]
        self.retract(importer, reinstated)
        report = importer.import_rows(*mended, header=NUMBERED, reinstate=True)
        assert report.left_retracted[0].exchange_id == reinstated.exchange_id
        other = (self.ROWS[0].replace("call", "meeting"), self.ROWS[1])
        importer.import_rows(*other, header=NUMBERED, reinstate=True)
        assert len(standing(importer)) == 2
        undo_import(importer.programme.client, "log")
        assert standing(importer) == []
        assert format_counts(importer.import_rows(*other, header=NUMBERED)) == "2 recorded"
        assert len(standing(importer)) == 2
        assert exchange.state == EXCHANGE_STATE_RETRACTED

    def test_row_without_reference_stays_retracted(self, importer: Importer) -> None:
        importer.import_rows(FIRST, FIRST, header=PLAIN)
        second = list(importer.programme.exchanges.values())[1]
        self.retract(importer, second)
        undo_import(importer.programme.client, "log")
        report = importer.import_rows(FIRST, FIRST, header=PLAIN)
        assert format_counts(report) == "1 recorded 1 retracted_earlier"
        assert report.left_retracted[0].row == 3


def test_revision_of_other_program_counts_as_by_hand(importer: Importer) -> None:
    importer.import_rows(f"a,{FIRST},", header=NUMBERED)
    exchange = next(iter(importer.programme.exchanges.values()))
    revision = Revision()
    revision.CopyFrom(exchange.revisions[0])
    revision.event_id, revision.source.client = "by a form", "form"
    revision.content.giver_minutes = 50
    exchange.revisions.append(revision)
    assert format_counts(importer.import_rows(f"a,{FIRST},", header=NUMBERED)) == "1 unchanged"
    assert content(exchange).giver_minutes == 50


class TestSeveralExchangesOfOneRow:
    HEADER, MAP = f"{PLAIN},times", {"count": "times"}

    def test_mended_row_of_two_exchanges_becomes_two(self, importer: Importer) -> None:
        reject_path, bad = importer.folder / "mend.csv", FIRST.replace("45", "soon")
        importer.import_rows(
            f"{FIRST},1", f"{bad},2", header=self.HEADER, map=self.MAP, skip_bad=reject_path
        )
        reject_path.write_text(reject_path.read_text(encoding="utf-8-sig").replace("soon", "90"))
        for message in ("2 recorded", "2 unchanged"):
            report = importer.import_file(
                reject_path, batch="log", map=self.MAP, accept_changes=False
            )
            assert format_counts(report).startswith(message)
        rows = (f"{FIRST},1", f"{FIRST.replace('45', '90')},2")
        assert (
            format_counts(importer.import_rows(*rows, header=self.HEADER, map=self.MAP))
            == "3 unchanged"
        )
