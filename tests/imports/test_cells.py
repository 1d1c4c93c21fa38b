"""What single cells mean, and which column is which field."""

from datetime import UTC, datetime

import pytest

from services.imports import ImportRefused
from services.imports.cells import CellError, read_minutes, read_time, read_topics
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
    moment = read_time(text)
    assert (moment.at, moment.precision) == (datetime(*at, tzinfo=UTC), precision)
    assert moment.timestamp.ToDatetime(UTC) == moment.at


def test_what_was_assumed_of_a_time_is_noted() -> None:
    assert "UTC" in read_time("2024-05-31T14:30").note
    assert "day/month/year" in read_time("31/05/2024").note
    assert read_time("2024-05-31T14:30Z").note == read_time("2024-05").note == ""


@pytest.mark.parametrize(
    "text", ["yesterday", "2024", "2024-13", "05/31/2024", "2024-02-30", "2024-Q5", "20240531"]
)
def test_no_times(text: str) -> None:
    with pytest.raises(CellError, match="2024-05-31T14:30:00Z for an instant"):
        read_time(text)


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
