"""Times as people write them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notation.dates import (
    DAY_FIRST,
    MONTH_FIRST,
    DateOrder,
    TimeReader,
    prove_order,
)
from services.notation.errors import DateOrderError, NotationError
from services.notation.zones import read_zone

EXACT, DAY, MONTH, QUARTER = 1, 2, 3, 4


def read(text: str, order: DateOrder | None = DAY_FIRST, zone: str = "UTC") -> tuple[str, int]:
    moment = TimeReader(order, read_zone(zone)).read_time(text)
    assert moment.instant * 1000 == moment.timestamp.ToNanoseconds()
    return moment.timestamp.ToJsonString().removesuffix("T00:00:00Z"), moment.precision


class TestTimeReader:
    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("2024-05-31T14:30:00Z", "2024-05-31T14:30:00Z"),
            ("2024-05-31T14:30:00+02:00", "2024-05-31T12:30:00Z"),
            ("2024-05-31 14:30", "2024-05-31T14:30:00Z"),
            ("2026-03-02 14:30:00 +0100", "2026-03-02T13:30:00Z"),
            ("2026-03-02 00:30:00 UTC", "2026-03-02T00:30:00Z"),
            ("2026-03-02T14:30:00 UTC+1", "2026-03-02T13:30:00Z"),
            ("20260302T143000Z", "2026-03-02T14:30:00Z"),
            ("20260302T1430", "2026-03-02T14:30:00Z"),
            ("02/03/2026 14:30", "2026-03-02T14:30:00Z"),
            ("02.03.2026, 14:30", "2026-03-02T14:30:00Z"),
            ("2013/10/16 8:24:52 PM GMT", "2013-10-16T20:24:52Z"),
            ("2026-03-02 2:30\u202fp.m.", "2026-03-02T14:30:00Z"),
            ("2 March 2026 12 AM", "2026-03-02"),
            ("2 March 2026 12:00 pm", "2026-03-02T12:00:00Z"),
            ("2026-03-02T14:30:00.1234567Z", "2026-03-02T14:30:00.123456Z"),
            ("2026-03-02T14:30:00,5Z", "2026-03-02T14:30:00.500Z"),
            ("2026-03-02T24:00:00Z", "2026-03-03"),
        ],
    )
    def test_reads_instants(self, text: str, at: str) -> None:
        assert read(text) == (at, EXACT)

    @pytest.mark.parametrize(
        ("text", "day"),
        [
            ("2024-05-31", "2024-05-31"),
            ("02.03.2026", "2026-03-02"),
            ("2. 3. 2026", "2026-03-02"),
            ("2.3.26", "2026-03-02"),
            ("31.12.1969", "1969-12-31"),
            ("31.12.69", "1969-12-31"),
            ("31.12.68", "2068-12-31"),
            ("20260302", "2026-03-02"),
            ("2026/03/02", "2026-03-02"),
            ("2026-3-2", "2026-03-02"),
            ("2026.3.2", "2026-03-02"),
            ("2 March 2026", "2026-03-02"),
            ("2nd of March 2026", "2026-03-02"),
            ("March 2, 2026", "2026-03-02"),
            ("2-Mar-26", "2026-03-02"),
            ("2026-Mar-02", "2026-03-02"),
            ("2. März 2026", "2026-03-02"),
            ("1er mars 2026", "2026-03-01"),
            ("2 de marzo de 2026", "2026-03-02"),
            ("\u200e02.03.2026\u00a0", "2026-03-02"),
            ("31/05/2024", "2024-05-31"),
            ("1-2-2024", "2024-02-01"),
            ("2/3/26", "2026-03-02"),
        ],
    )
    def test_reads_days(self, text: str, day: str) -> None:
        assert read(text) == (day, DAY)

    @pytest.mark.parametrize(
        ("text", "first", "precision"),
        [
            ("2024-05", "2024-05-01", MONTH),
            ("2024-5", "2024-05-01", MONTH),
            ("2024/05", "2024-05-01", MONTH),
            ("03/2026", "2026-03-01", MONTH),
            ("March 2026", "2026-03-01", MONTH),
            ("Mrz. 2026", "2026-03-01", MONTH),
            ("Mar-26", "2026-03-01", MONTH),
            ("Sept-2026", "2026-09-01", MONTH),
            ("2024-Q3", "2024-07-01", QUARTER),
            ("2024q4", "2024-10-01", QUARTER),
            ("Q1 2026", "2026-01-01", QUARTER),
            ("1. Quartal 2026", "2026-01-01", QUARTER),
            ("2nd quarter of 2026", "2026-04-01", QUARTER),
        ],
    )
    def test_reads_months_and_quarters(self, text: str, first: str, precision: int) -> None:
        assert read(text) == (first, precision)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("yesterday", "2024-05-31T14:30:00Z for an instant"),
            ("2024", "is a year, which is too coarse; write a quarter, 2024-Q1"),
            ("2026-W10", "write its Monday, 2026-03-02, or the month, 2026-03"),
            ("2026-W10-3", "write it, 2026-03-04"),
            ("2026-W60", "a week that 2026 does not have"),
            ("2024-13", "there is no month 13"),
            ("2026-02-29", "February 2026 has 28 days, not 29"),
            ("31.04.2026", "April 2026 has 30 days, not 31"),
            ("0000-01-01", "no year 0"),
            ("2024-Q5", "for a quarter"),
            ("2016-12-31T23:59:60Z", "leap second"),
            ("2024-05-31T25:00", "has no time of a day: 25:00:00"),
            ("2024-05-31T24:01", "has no time of a day"),
            ("2024-05-31 13:00 PM", "has hour 13 with AM or PM"),
            ("2024-05-31 12:00 CET", "names the zone CET"),
            ("2024-05-31 12:00 +15:00", "has the offset"),
            ("March 2026 14:30", "has a time and no day"),
            ("Mar 26", "may be a month or a day; write 2026-05"),
            ("26-Mar", "has no year"),
            ("2 Marz0 2026", "not a time we can read"),
            ("2 Brumaire 2026", "no month that we know, 'Brumaire'"),
            ("46083", "format its cells as dates"),
            ("٢٠٢٦-٠٣-٠٢", "not a time we can read"),
            ("9999-12-31T24:00Z", "beyond the year 9999"),
        ],
    )
    def test_refuses_other_text_with_reason(self, text: str, why: str) -> None:
        with pytest.raises(NotationError) as error:
            read(text)
        assert why in str(error.value)

    @pytest.mark.parametrize(
        ("order", "text", "day"),
        [
            (DAY_FIRST, "01/02/2024", "2024-02-01"),
            (MONTH_FIRST, "01/02/2024", "2024-01-02"),
            (MONTH_FIRST, "5/31/2024", "2024-05-31"),
            (MONTH_FIRST, "7/27/26 19:06:23", "2026-07-27T19:06:23Z"),
            (MONTH_FIRST, "2024-05-31", "2024-05-31"),
            (MONTH_FIRST, "01.02.2024", "2024-02-01"),
            (None, "02/02/2024", "2024-02-02"),
        ],
    )
    def test_reads_dates_in_given_order(self, order: DateOrder | None, text: str, day: str) -> None:
        assert read(text, order)[0] == day

    @pytest.mark.parametrize("text", ["01/02/2024", "31/05/2024", "02/02/26", "1-2-2024 14:30"])
    def test_without_an_order_raises_date_order_error(self, text: str) -> None:
        with pytest.raises(DateOrderError):
            read(text, None)

    @pytest.mark.parametrize(
        ("order", "text", "expected"),
        [
            (DAY_FIRST, "05/31/2024", "read as day/month/year .*--date-order month-first?"),
            (MONTH_FIRST, "31/05/2024", "read as month/day/year .*--date-order day-first?"),
        ],
    )
    def test_invalid_date_suggests_other_order(
        self, order: DateOrder, text: str, expected: str
    ) -> None:
        with pytest.raises(NotationError, match=expected):
            read(text, order)

    def test_notes_each_assumption_once(self) -> None:
        dates = TimeReader(DAY_FIRST)
        for text in ("2024-05-31T14:30Z", "2024-05"):
            dates.read_time(text)
        assert not dates.notes
        for text in ("2024-05-31T14:30", "31/05/2024", "30/05/2024", "30.05.24"):
            dates.read_time(text)
        zoneless, slashed, dotted, short = dates.notes
        assert "read as UTC; --zone AREA/CITY" in zoneless
        assert "read as day/month/year; --date-order month-first reads month/day/year" in slashed
        assert "read as day.month.year" in dotted
        assert "1969 to 2068" in short

    def test_day_stays_civil_day_in_any_zone(self) -> None:
        assert read("2026-10-14", zone="Australia/Sydney") == ("2026-10-14", DAY)

    def test_zone_applies_to_time_without_zone(self) -> None:
        at = read("2026-10-14 09:15", zone="Australia/Sydney")
        assert at == ("2026-10-13T22:15:00Z", EXACT)
        assert read("2026-10-14 09:15Z", zone="Australia/Sydney")[0] == "2026-10-14T09:15:00Z"

    def test_time_skipped_by_clocks_is_refused(self) -> None:
        with pytest.raises(NotationError, match="is no time of Australia/Sydney"):
            read("2026-10-04 02:30", zone="Australia/Sydney")

    def test_repeated_time_is_first_one(self) -> None:
        dates = TimeReader(zone=read_zone("Australia/Sydney"))
        moment = dates.read_time("2026-04-05 02:30")
        assert moment.timestamp.ToJsonString() == "2026-04-04T15:30:00Z"
        assert any("the first of the two" in note for note in dates.notes)

    def test_refuses_time_without_zone(self) -> None:
        with pytest.raises(NotationError, match="has a time and no zone"):
            TimeReader(zone=None).read_time("2026-10-14 09:15")

    @given(
        st.datetimes(*(datetime.fromisoformat(f"{year}-01-01") for year in (1900, 2100))),
        st.integers(-14 * 60, 14 * 60),
        st.sampled_from(
            (
                "%Y-%m-%dT%H:%M:%S.%f",
                "%Y/%m/%d %I:%M:%S.%f %p",
                "%d.%m.%Y %H:%M:%S.%f",
                "%d %B %Y, %H:%M:%S,%f",
                "%m/%d/%Y %I:%M:%S.%f%p",
            )
        ),
    )
    def test_reads_back_what_it_means(self, at: datetime, offset: int, form: str) -> None:
        sign, minutes = "-" if offset < 0 else "+", abs(offset)
        zone = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
        moment = TimeReader(MONTH_FIRST).read_time(f"{at.strftime(form)} {zone}")
        expected = at.replace(tzinfo=UTC) - timedelta(minutes=offset)
        assert moment.timestamp.ToDatetime(UTC) == expected


class TestProvenOrder:
    @given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.sampled_from("/-"), st.booleans())
    def test_agrees_with_the_calendar(self, day: date, between: str, is_short: bool) -> None:  # noqa: FBT001 - drawn
        """An order is proven when a reading in the other one fails."""
        year = f"{day:%y}" if is_short else f"{day:%Y}"
        text = between.join((str(day.day), str(day.month), year))
        if not is_short and day.day == day.month:
            assert prove_order(text) is None
        elif is_short:
            assert prove_order(text) == "either"
        else:
            assert prove_order(text) == (DAY_FIRST if day.day > 12 else "either")
        text = between.join((str(day.month), str(day.day), year))
        if day.day > 12:
            assert prove_order(text) == MONTH_FIRST

    @pytest.mark.parametrize("text", ["2024-05-31", "31.05.2024", "32/13/2024", "13/13/2024", "x"])
    def test_is_none_without_an_order(self, text: str) -> None:
        assert prove_order(text) is None

    def test_ignores_time_after_date(self) -> None:
        assert prove_order("7/27/26 19:06:23") == MONTH_FIRST
        assert prove_order("02/03/2026 2:30 PM") == "either"


class TestReadZone:
    @pytest.mark.parametrize("name", ["Australia/Sydney", "australia/sydney", " Australia/Sydney "])
    def test_finds_a_zone_without_regard_to_case(self, name: str) -> None:
        assert str(read_zone(name)) == "Australia/Sydney"

    @pytest.mark.parametrize(
        ("name", "near"),
        [
            ("Sydney", "Australia/Sydney"),
            ("Europe/Berln", "Europe/Berlin"),
            ("Europe/Sydney", "Australia/Sydney"),
            ("xx", "AREA/CITY"),
        ],
    )
    def test_names_near_misses(self, name: str, near: str) -> None:
        with pytest.raises(NotationError, match=near):
            read_zone(name)
