"""Importing the roster: registered, updated, left alone, and refused."""

from pathlib import Path

import pytest

from mutua.ids import uuid8
from mutua.v1.event_pb2 import ExternalId
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import Date
from services.imports import ImportReport, import_organizations
from tests.imports.fake_programme import FakeProgramme


@pytest.fixture
def programme() -> FakeProgramme:
    programme = FakeProgramme()
    programme.organizations["R1A"] = Organization(
        organization_id="R1A", name="Solent", region="Y55", aliases=["SOL"], registered=True
    )
    return programme


def imports(programme: FakeProgramme, folder: Path, *lines: str) -> ImportReport:
    path = folder / "roster.csv"
    path.write_text("\n".join(lines))
    return import_organizations(programme.client, path)


def test_row_becomes_fact(programme: FakeProgramme, tmp_path: Path) -> None:
    report = imports(
        programme,
        tmp_path,
        "id,name,aliases,type,external_ids,opened_on,closed_on",
        "R1B,Worcester,W;WO,Mental health,ods:R1B,2011-07-01,2020-04-01",
    )
    assert (report.errors, report.counts.recorded) == ((), 1)
    event = programme.events[uuid8("organization", "gde", "roster", "1", "R1B")]
    content = event.organization_registered.organization
    assert (content.name, list(content.aliases), content.type) == ("Worcester", ["W", "WO"], 2)
    assert list(content.external_ids) == [ExternalId(scheme="ods", value="R1B")]
    assert content.open_date == Date(year=2011, month=7, day=1)
    assert content.close_date == Date(year=2020, month=4, day=1)
    assert event.source.batch == "roster"


@pytest.mark.parametrize(
    ("header", "row", "outcome"),
    [
        ("id,name", "R1A,Solent", "unchanged"),
        ("id,name", "R1A,Solent NHS", "corrected"),
        ("id,region", "R1A,", "corrected"),
        ("id,sector", "R1A,", "unchanged"),
        ("id,aliases", "R1A,", "unchanged"),
        ("id,aliases", "R1A,SOL;R1A", "unchanged"),
        ("id,aliases", "R1A,Solent East", "corrected"),
        ("id,name", "R1B,Worcester", "recorded"),
    ],
)
def test_changed_rows_become_updates(
    programme: FakeProgramme, tmp_path: Path, header: str, row: str, outcome: str
) -> None:
    report = imports(programme, tmp_path, header, row)
    assert (report.errors, getattr(report.counts, outcome)) == ((), 1)
    assert imports(programme, tmp_path, header, row).counts.unchanged == 1


def test_update_keeps_fields_without_column(programme: FakeProgramme, tmp_path: Path) -> None:
    imports(programme, tmp_path, "id,name,aliases", "R1A,Solent NHS,East")
    (event,) = programme.events.values()
    content = event.organization_updated.organization
    assert (content.name, content.region) == ("Solent NHS", "Y55")
    assert list(content.aliases) == ["East", "SOL"]


@pytest.mark.parametrize(
    ("rows", "field", "message"),
    [
        (["id,name", ",Solent"], "organization_id", "is empty"),
        (["id,name", "R1B,a", "R1B,b"], "organization_id", "is on line 2 too"),
        (["id,name", "SOL,b"], "organization_id", "already means the organization R1A"),
        (["id,aliases", "R1B,SOL"], "aliases", "already means the organization R1A"),
        (["id,aliases", "R1B,x", "x,"], "organization_id", "already means the organization R1B"),
        (["id,name", f"R1B,{'x' * 201}"], "name", "201 characters"),
        (["id,type", "R1B,hotel"], "type", "use one of acute, mental health"),
        (["id,external_ids", "R1B,R1B"], "external_ids", "must be scheme:value"),
        (["id,opened_on", "R1B,2020-Q1"], "open_date", "names no day"),
        (["id,opened,closed", "R1B,2020-02-01,2020-01-01"], "close_date", "is before open_date"),
    ],
)
def test_wrong_row_is_reported_with_reason(
    programme: FakeProgramme, tmp_path: Path, rows: list[str], field: str, message: str
) -> None:
    report = imports(programme, tmp_path, *rows)
    assert [error.field for error in report.errors] == [field]
    assert message in report.errors[0].message
    assert report.errors[0].row == len(rows)
    assert programme.events == {}


def test_equal_rows_count_once(programme: FakeProgramme, tmp_path: Path) -> None:
    report = imports(programme, tmp_path, "id,name", "R1B,a", "R1B,a")
    assert (report.counts.recorded, report.counts.skipped) == (1, 1)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("organization,region", {"organization_id": "organization", "region": "region"}),
        (
            "Organisation ID,Organisation",
            {"organization_id": "Organisation ID", "name": "Organisation"},
        ),
    ],
)
def test_a_column_is_guessed_for_one_field_only(
    programme: FakeProgramme, tmp_path: Path, header: str, columns: dict[str, str]
) -> None:
    report = imports(programme, tmp_path, header, "a1,x")
    assert (report.errors, report.columns) == ((), columns)


@pytest.mark.parametrize(
    "name", ["Hospital", "Organisation name", "Provider", "Site", "Trust name", "Full name"]
)
def test_everyday_column_names_mean_name(
    programme: FakeProgramme, tmp_path: Path, name: str
) -> None:
    report = imports(programme, tmp_path, f"Code,{name},Also known as", "a1,Ashcombe,Ash")
    assert report.columns == {
        "organization_id": "Code",
        "name": name,
        "aliases": "Also known as",
    }
    assert report.notes == ()


def test_new_organizations_without_a_name_are_noted(
    programme: FakeProgramme, tmp_path: Path
) -> None:
    report = imports(programme, tmp_path, "Code,Wards of it,Town", "a1,Ashcombe,Elm")
    (note,) = report.notes
    assert note == (
        "1 new organization has no name, because no column was read as one. Not used: Wards of it, "
        "Town. --map name=COLUMN takes one of them, such as --map 'name=Wards of it'."
    )
    assert imports(programme, tmp_path, "Code,region", "a1,Y55").notes == ()


def test_report_has_changes_of_rows(programme: FakeProgramme, tmp_path: Path) -> None:
    """Such as what somebody updated by hand since: for a roster the file wins."""
    header = "id,name,region,aliases,type,opened_on"
    report = imports(programme, tmp_path, header, "R1A,Solent NHS,,East;SOL,acute,2011-07-01")
    (change,) = report.roster_changes
    assert (change.row, change.reference) == (2, "R1A")
    assert list(change.format_lines()) == [
        "name: Solent -> Solent NHS",
        "aliases: SOL -> East; SOL",
        "type: empty -> acute",
        "region: Y55 -> empty",
        "open_date: empty -> 2011-07-01",
    ]
