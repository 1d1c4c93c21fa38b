"""The dates of a whole file: in which order they are, where they are from, what they say."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.imports import (
    ImportOptions,
    ImportRefusedError,
    ImportReport,
    UnknownDateOrderError,
    import_exchanges,
)
from services.notation.dates import DateOrder, TimeReader
from services.notation.errors import DateOrderError, NotationError
from tests.imports.importer import HEADER, Importer

DATES = {
    # r21-dates.csv: each text with its instant and precision, or why it is none.
    "02.03.2026": ("2026-03-02T00:00:00Z", 2),
    "2/3/26": "--date-order",
    "20260302": ("2026-03-02T00:00:00Z", 2),
    "2 March 2026": ("2026-03-02T00:00:00Z", 2),
    "2026-W10": "write its Monday, 2026-03-02",
    "2026-03-02 14:30:00 +0100": ("2026-03-02T13:30:00Z", 1),
    "2026-03-02T14:30": ("2026-03-02T14:30:00Z", 1),
    "2026/03/02": ("2026-03-02T00:00:00Z", 2),
    "02-03-2026": "--date-order",
    "2026-03-02 00:30:00 UTC": ("2026-03-02T00:30:00Z", 1),
    "2026": "is a year",
    "03/2026": ("2026-03-01T00:00:00Z", 3),
    "2026-03-02T24:00:00Z": ("2026-03-03T00:00:00Z", 1),
    "2026-02-29": "February 2026 has 28 days",
    "2016-12-31T23:59:60Z": "leap second",
    "02/03/2026 14:30": "--date-order",
    "2026-3-2": ("2026-03-02T00:00:00Z", 2),
}


def rows(*dates: str) -> tuple[str, ...]:
    return tuple(f'r{place},"{date}",A,B,call' for place, date in enumerate(dates))


def days(report: ImportReport, importer: Importer) -> list[str]:
    assert report.ok, report.errors
    return sorted(
        event.occur_time.ToJsonString()[:10] for event in importer.programme.events.values()
    )


@pytest.mark.parametrize(("text", "expected"), DATES.items(), ids=list(DATES))
def test_reported_date_has_value_or_reason(text: str, expected: tuple[str, int] | str) -> None:
    reader = TimeReader()
    if isinstance(expected, str):
        with pytest.raises((NotationError, DateOrderError)) as error:
            reader.read_time(text)
        assert expected in str(error.value)
    else:
        moment = reader.read_time(text)
        assert (moment.timestamp.ToJsonString(), moment.precision) == expected


@pytest.mark.skipif("MUTUA_REAL_DATA" not in os.environ, reason="no folder of real data is named")
def test_reported_files_are_read(importer: Importer) -> None:
    reports = Path(os.environ["MUTUA_REAL_DATA"]).parent / "reports"

    def imported(name: str, order: DateOrder | None = None) -> ImportReport:
        options = ImportOptions(date_order=order, dry_run=True)
        now = datetime(2026, 10, 14, tzinfo=UTC)
        return import_exchanges(importer.programme.client, reports / name, options, now=now)

    with pytest.raises(UnknownDateOrderError) as refused:
        imported("r21-dates.csv")
    assert "line 3 (2/3/26), line 10 (02-03-2026), line 17 (02/03/2026 14:30)" in str(refused.value)
    assert [error.row for error in imported("r21-dates.csv", "day-first").errors] == [6, 12, 15, 16]
    assert imported("german-dates.csv").counts.recorded == 2
    assert imported("r05-logged.csv").counts.recorded == 4
    assert [error.value for error in imported("r21-minutes.csv").errors] == ["1,5", "nan"]


class TestDateOrder:
    def test_one_unambiguous_row_proves_order(self, importer: Importer) -> None:
        report = importer.import_rows(*rows("01/02/2024", "31/05/2024", "3/4/24"))
        assert days(report, importer) == ["2024-02-01", "2024-04-03", "2024-05-31"]
        assert any(
            "read as day/month/year, as line 3 (31/05/2024) shows" in n for n in report.notes
        )

    def test_row_proves_month_first(self, importer: Importer) -> None:
        report = importer.import_rows(*rows("01/02/2024", "7/27/25 19:06:23"))
        assert days(report, importer) == ["2024-01-02", "2025-07-27"]

    def test_unproven_order_is_refused_with_rows(self, importer: Importer) -> None:
        with pytest.raises(UnknownDateOrderError) as refused:
            importer.import_rows(*rows("2024-05-31", "01/02/2024", *["03/04/2024"] * 7))
        assert "line 3 (01/02/2024), line 4 (03/04/2024)" in str(refused.value)
        assert "and 3 more. Say --date-order day-first or --date-order month-first." in str(
            refused.value
        )
        assert importer.programme.events == {}

    def test_contradicting_rows_are_refused(self, importer: Importer) -> None:
        with pytest.raises(ImportRefusedError) as refused:
            importer.import_rows(*rows("31/05/2024", "05/31/2024"))
        assert "line 2 (31/05/2024) is day/month, and line 3 (05/31/2024) is month/day" in str(
            refused.value
        )

    def test_option_wins_over_proof(self, importer: Importer) -> None:
        report = importer.import_rows(*rows("01/02/2024", "31/05/2024"), date_order="month-first")
        assert [error.value for error in report.errors] == ["31/05/2024"]

    def test_other_columns_prove_nothing(self, importer: Importer) -> None:
        with pytest.raises(UnknownDateOrderError):
            importer.import_rows("r,01/02/2024,A,B,call,31/05/2024", header=f"{HEADER},note")

    def test_report_time_proves_order(self, importer: Importer) -> None:
        report = importer.import_rows(
            "r,01/02/2024,A,B,call,31/05/2024", header=f"{HEADER},reported_on"
        )
        assert days(report, importer) == ["2024-02-01"]

    @pytest.mark.parametrize(
        ("name", "day"), [("Date (dd/mm/yyyy)", "2024-02-01"), ("Date (MM-DD-YY)", "2024-01-02")]
    )
    def test_column_name_proves_order(self, importer: Importer, name: str, day: str) -> None:
        report = importer.import_rows(
            "r,01/02/2024,A,B,call", header=f"ref,{name},giver,receiver,kind"
        )
        assert days(report, importer) == [day]
        assert any(f"as the column {name!r} shows" in note for note in report.notes)

    def test_column_name_that_a_row_contradicts_is_refused(self, importer: Importer) -> None:
        with pytest.raises(ImportRefusedError, match="the column 'Date "):
            importer.import_rows(
                "r,31/02/2024,A,B,call", header="ref,Date (mm/dd/yyyy),giver,receiver,kind"
            )

    def test_ambiguous_constant_is_refused(self, importer: Importer) -> None:
        with pytest.raises(UnknownDateOrderError, match=r"--set occur_time \(01/02/2024\)"):
            importer.import_rows(
                "r,A,B,call", header="ref,giver,receiver,kind", set={"occur_time": "01/02/2024"}
            )


class TestZone:
    def test_zone_applies_to_times_and_not_to_days(self, importer: Importer) -> None:
        report = importer.import_rows(
            *rows("2025-10-14 09:15", "2025-10-15"), zone="australia/sydney"
        )
        assert report.ok
        times = sorted(e.occur_time.ToJsonString() for e in importer.programme.events.values())
        assert times == ["2025-10-13T22:15:00Z", "2025-10-15T00:00:00Z"]
        assert "Times without a zone were read as those of Australia/Sydney." in report.notes

    def test_unknown_zone_is_refused_with_near_misses(self, importer: Importer) -> None:
        with pytest.raises(ImportRefusedError, match=r"--zone Sydney .*such as Australia/Sydney"):
            importer.import_rows(*rows("2025-10-14"), zone="Sydney")

    @pytest.mark.parametrize(
        ("occurred", "reported"),
        [
            # A morning in Auckland, told the same morning: in UTC it is the day before.
            ("2025-10-14", "2025-10-14T09:15:00+13:00"),
            ("2025-10-14", "2025-10-14"),
            ("2025-10", "2025-10-01T09:00:00+11:00"),
            # The desk's now is the start of 2026 in UTC, which is afternoon there.
            ("2026-01-01", "2026-01-01T13:00:00+13:00"),
            ("2026-01-01", "2026-01-01"),
        ],
    )
    def test_morning_in_auckland_is_imported(
        self, importer: Importer, occurred: str, reported: str
    ) -> None:
        report = importer.import_rows(
            f"r,{occurred},A,B,call,{reported}",
            header=f"{HEADER},logged_at",
            zone="Pacific/Auckland",
        )
        assert report.ok, report.errors
