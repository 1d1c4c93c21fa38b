"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notation.durations import DurationReader
from services.notation.errors import NotationError


class TestDurationReader:
    @pytest.mark.parametrize(
        ("text", "minutes"),
        [
            *(("45", 45), ("45.0", 45), ("45,00", 45), ("0", 0), ("045", 45)),
            *(("1:30", 90), ("01:30:00", 90), ("30:15", 1_815), ("0:05", 5)),
            *(("1h30", 90), ("1 h 30", 90), ("1h30m", 90), ("1 h 30 min", 90), ("2h", 120)),
            *(("90 min", 90), ("90 Min.", 90), ("90m", 90), ("120 s", 2)),
            *(("1.5 h", 90), ("1,5 h", 90), ("1,5 Std.", 90), ("2 Stunden", 120)),
            *(("1 hour 30 minutes", 90), ("2 hours, 5 min", 125), ("1 h and 5 min", 65)),
            *(("PT1H30M", 90), ("PT45M", 45), ("PT30H15M00S", 1_815), ("pt1.5h", 90)),
            *(("half an hour", 30), ("halbe Stunde", 30)),
            *(("1 day", 450), ("half a day", 225), ("half-day", 225), ("0.5 days", 225)),
            *(("ein halber Tag", 225), ("2 Tage", 900), ("1 day 30 min", 480)),
            # A day of ISO 8601 is one of the calendar.
            ("P1DT6H", 1_800),
        ],
    )
    def test_reads_whole_minutes(self, text: str, minutes: int) -> None:
        assert DurationReader(450).read_minutes(text) == minutes

    @pytest.mark.parametrize("text", ["NA", "n/a", "-", "?", "unknown", "Unknown"])
    def test_reads_words_for_unknown_and_notes_it(self, text: str) -> None:
        durations = DurationReader()
        assert durations.read_minutes(text) is None
        assert list(durations.notes) == [f"Minutes written {text!r} were read as unknown."]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("1,5", "if it is hours, write 1,5 h"),
            ("1.5", "if it is hours, write 1.5 h"),
            ("1,500", "has 1,500, which may be a thousand or a decimal; write it without , and ."),
            ("1.000", "may be a thousand"),
            ("1,000 min", "may be a thousand"),
            ("1.000,0", "may be a thousand"),
            ("0.03125", "a spreadsheet's part of a day (45 minutes)"),
            ("nan", "leave the cell empty"),
            ("-5", "cannot be negative"),
            ("-PT5M", "cannot be negative"),
            ("1.33 h", "is 79.8 minutes"),
            ("90 s", "is 1.5 minutes"),
            ("0:05:30", "is 5.5 minutes"),
            ("1:75", "more than 59 minutes"),
            ("30-45", "is no duration; write whole minutes, such as 45"),
            ("about 45", "is no duration"),
            ("1e3", "is no duration"),
            ("45 moons", "has the unit 'moons'"),
            ("٣", "another script"),
            ("99999999999", "is too long"),
            ("PT", "is no duration"),
        ],
    )
    def test_refuses_other_text_with_reason(self, text: str, why: str) -> None:
        with pytest.raises(NotationError) as error:
            DurationReader(450).read_minutes(text)
        assert why in str(error.value)

    @pytest.mark.parametrize("text", ["1 day", "half a day", "2 Tage"])
    def test_needs_length_of_working_day(self, text: str) -> None:
        with pytest.raises(NotationError, match="mutua programme set --working-day-minutes 450"):
            DurationReader().read_minutes(text)

    def test_refuses_half_of_odd_working_day(self) -> None:
        with pytest.raises(NotationError, match=r"is 225\.5 minutes"):
            DurationReader(451).read_minutes("half a day")

    @given(st.integers(0, 9_999), st.integers(0, 59))
    def test_all_forms_are_equal(self, hours: int, minutes: int) -> None:
        whole = hours * 60 + minutes
        forms = (
            f"{whole}",
            f"{whole},0",
            f"{whole} min",
            f"{hours}:{minutes:02}",
            f"{hours}h{minutes:02}",
            f"{hours} h {minutes} min",
            f"PT{hours}H{minutes}M",
            f"PT{whole}M",
        )
        assert {DurationReader().read_minutes(form) for form in forms} == {whole}
