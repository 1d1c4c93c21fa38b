"""What single cells mean, and which column is which field."""

from datetime import UTC, datetime

import pytest

from services.imports import ImportRefused
from services.imports.cells import (
    DAY_FIRST,
    MONTH_FIRST,
    CellError,
    DateOrder,
    DateReader,
    read_minutes,
    read_topics,
)
from services.imports.columns import EXCHANGE_FIELDS, ORGANIZATION_FIELDS, plan_columns

EXACT, DAY, MONTH, QUARTER = 1, 2, 3, 4


@pytest.mark.parametrize(
    ("text", "at", "precision"),
    [
        ("2024-05-31T14:30:00Z", (2024, 5, 31, 14, 30), EXACT),
        ("2024-05-31T14:30:00+02:00", (2024, 5, 31, 12, 30), EXACT),
        ("2024-05-31 14:30", (2024, 5, 31, 14, 30), EXACT),
        ("2024-05-31", (2024, 5, 31), DAY),
        ("31/05/2024", (2024, 5, 31), DAY),
        ("1/2/2024", (2024, 2, 1), DAY),
        ("2024-05", (2024, 5, 1), MONTH),
        ("2024-Q3", (2024, 7, 1), QUARTER),
        ("2024q4", (2024, 10, 1), QUARTER),
    ],
)
def test_times(text: str, at: tuple[int, int, int], precision: int) -> None:
    moment = DateReader().read_time(text)
    said = moment.timestamp.ToDatetime(UTC), moment.precision
    assert said == (datetime(*at, tzinfo=UTC), precision)
    assert moment.instant * 1000 == moment.timestamp.ToNanoseconds()


@pytest.mark.parametrize(
    ("order", "text", "day"),
    [
        (DAY_FIRST, "01/02/2024", "2024-02-01"),
        (MONTH_FIRST, "01/02/2024", "2024-01-02"),
        (MONTH_FIRST, "5/31/2024", "2024-05-31"),
        (MONTH_FIRST, "2024-05-31", "2024-05-31"),
    ],
)
def test_what_stands_first_in_dates_with_slashes(order: DateOrder, text: str, day: str) -> None:
    assert DateReader(order).read_time(text).timestamp.ToJsonString() == f"{day}T00:00:00Z"


@pytest.mark.parametrize(
    ("order", "text", "said"),
    [
        (DAY_FIRST, "05/31/2024", "read as day/month/year .*--date-order month-first?"),
        (MONTH_FIRST, "31/05/2024", "read as month/day/year .*--date-order day-first?"),
        (DAY_FIRST, "31.05.2024", "or 31/05/2024 for a day"),
        (MONTH_FIRST, "31.05.2024", "or 05/31/2024 for a day"),
    ],
)
def test_a_date_that_is_none_names_the_other_order(order: DateOrder, text: str, said: str) -> None:
    with pytest.raises(CellError, match=said):
        DateReader(order).read_time(text)


def test_what_was_assumed_of_times_is_noted_once() -> None:
    dates = DateReader()
    for text in ("2024-05-31T14:30Z", "2024-05"):
        dates.read_time(text)
    assert not dates.notes
    for text in ("2024-05-31T14:30", "31/05/2024", "30/05/2024"):
        dates.read_time(text)
    zoneless, slashed = dates.notes
    assert "UTC" in zoneless
    assert "read as day/month/year; --date-order month-first reads month/day/year" in slashed


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2024", "2024-13", "2024-02-30", "2024-Q5", "20240531", "2024-05-31T25:00"],
)
def test_no_times(text: str) -> None:
    with pytest.raises(CellError, match="2024-05-31T14:30:00Z for an instant"):
        DateReader().read_time(text)


@pytest.mark.parametrize("text", ["-", "1.5", "1e3", "45 min", "٣", "9999999999"])
def test_no_minutes(text: str) -> None:
    with pytest.raises(CellError, match="whole minutes"):
        read_minutes(text)


def test_topics() -> None:
    assert read_topics("Bed management| E-Prescribing;") == [
        "bed-management",
        "e-prescribing",
    ]


@pytest.mark.parametrize(
    ("header", "mapped", "constants", "columns"),
    [
        ("date,from,to,kind", {}, {}, "occur_time=date giver=from receiver=to kind=kind"),
        (
            "When,Giver IDs,Recipient,Exchange-Type,x",
            {},
            {},
            "occur_time=When giver=Giver IDs receiver=Recipient kind=Exchange-Type",
        ),
        (
            "date,a,b,giver,minutes",
            {"giver": "a", "receiver": "b", "giver_minutes": ""},
            {"kind": "call"},
            "occur_time=date giver=a receiver=b",
        ),
        (
            "date,from,to,kind",
            {"note": "kind"},
            {"kind": "call"},
            "occur_time=date giver=from receiver=to note=kind",
        ),
    ],
)
def test_columns(
    header: str, mapped: dict[str, str], constants: dict[str, str], columns: str
) -> None:
    plan = plan_columns(
        EXCHANGE_FIELDS, tuple(header.split(",")), mapped=mapped, constants=constants
    )
    assert " ".join(f"{field}={name}" for field, name in plan.columns.items()) == columns
    assert plan.constants == constants
    assert set(plan.columns.values()) | set(plan.unused) == set(header.split(","))


@pytest.mark.parametrize(
    ("mapped", "constants", "said"),
    [
        ({}, {}, "No column was found for giver, kind: say which it is, --map giver=COLUMN"),
        ({"give": "a"}, {}, "no field 'give' (did you mean 'giver'?)"),
        ({"giver": "whom"}, {}, "no column 'whom' (did you mean 'who'?)"),
        ({"giver": "who"}, {"giver": "R1A"}, "stands in --map and in --set"),
        ({"occur_time": ""}, {}, "No column was found for occur_time, giver, kind"),
    ],
)
def test_refuses_columns(mapped: dict[str, str], constants: dict[str, str], said: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        plan_columns(EXCHANGE_FIELDS, ("date", "who", "to"), mapped=mapped, constants=constants)
    assert said in str(refused.value)


def test_organization_columns() -> None:
    header = ("ODS code", "Organisation name", "Strategic grouping", "closed_on", "postcode")
    plan = plan_columns(ORGANIZATION_FIELDS, header, mapped={}, constants={})
    assert tuple(plan.columns) == ("organization_id", "name", "strategic_group", "close_date")
    assert plan.unused == ("postcode",)
