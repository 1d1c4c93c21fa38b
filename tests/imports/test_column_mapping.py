"""Which column is which field."""

import pytest

from services.imports import ImportRefusedError
from services.imports.column_mapping import EXCHANGE_FIELDS, ORGANIZATION_FIELDS, map_columns


@pytest.mark.parametrize(
    ("header", "column_by_field", "constants", "columns"),
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
def test_columns_are_found_by_name(
    header: str, column_by_field: dict[str, str], constants: dict[str, str], columns: str
) -> None:
    plan = map_columns(
        EXCHANGE_FIELDS,
        tuple(header.split(",")),
        column_by_field=column_by_field,
        constants=constants,
    )
    assert " ".join(f"{field}={name}" for field, name in plan.columns.items()) == columns
    assert plan.constants == constants
    assert set(plan.columns.values()) | set(plan.unused_columns) == set(header.split(","))


@pytest.mark.parametrize(
    ("column_by_field", "constants", "expected"),
    [
        ({}, {}, "No column was found for giver, kind: say which it is, --map giver=COLUMN"),
        ({"give": "a"}, {}, "no field 'give' (did you mean 'giver'?)"),
        ({"giver": "whom"}, {}, "no column 'whom' (did you mean 'who'?)"),
        ({"giver": "who"}, {"giver": "R1A"}, "is in --map and in --set"),
        ({"occur_time": ""}, {}, "No column was found for occur_time, giver, kind"),
    ],
)
def test_invalid_columns_are_refused(
    column_by_field: dict[str, str], constants: dict[str, str], expected: str
) -> None:
    with pytest.raises(ImportRefusedError) as refused:
        map_columns(
            EXCHANGE_FIELDS,
            ("date", "who", "to"),
            column_by_field=column_by_field,
            constants=constants,
        )
    assert expected in str(refused.value)


def test_organization_columns_are_found_by_name() -> None:
    header = ("ODS code", "Organisation name", "Strategic grouping", "closed_on", "postcode")
    plan = map_columns(ORGANIZATION_FIELDS, header, column_by_field={}, constants={})
    assert tuple(plan.columns) == ("organization_id", "name", "strategic_group", "close_date")
    assert plan.unused_columns == ("postcode",)


@pytest.mark.parametrize(
    "column",
    [
        "Minutes spent",
        "Duration (minutes)",
        "Duration",
        "Time spent",
        "How long",
        "Duration (hh:mm)",
    ],
)
def test_duration_question_means_giver_minutes(column: str) -> None:
    header = ("date", "from", "to", "kind", column)
    plan = map_columns(EXCHANGE_FIELDS, header, column_by_field={}, constants={})
    assert plan.columns["giver_minutes"] == column
    assert plan.unused_columns == ()


@pytest.mark.parametrize("column", ["Duration (h)", "Duration (hours)", "How long (d)", "Hours"])
def test_column_in_another_unit_is_not_minutes(column: str) -> None:
    header = ("date", "from", "to", "kind", column)
    plan = map_columns(EXCHANGE_FIELDS, header, column_by_field={}, constants={})
    assert plan.unused_columns == (column,)
