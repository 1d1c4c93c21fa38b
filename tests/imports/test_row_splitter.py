"""Rows that are several exchanges."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutua.v1.event_pb2 import ExchangeContent
from mutua.v1.types_pb2 import ExchangeKind
from services.imports import ImportRefusedError
from services.imports.column_mapping import EXCHANGE_FIELDS, map_columns
from services.imports.row_splitter import RowSplitter
from services.imports.table import TableRow
from services.notation.durations import DurationReader
from tests.imports.importer import HEADER, Importer

DIRECTED = "ref,date,direction,organization,other,kind,minutes"


def exchanges(importer: Importer) -> dict[str, ExchangeContent]:
    """By the reference of the row they came from."""
    return {
        event.source.reference: event.exchange_recorded.exchange
        for event in importer.programme.events.values()
    }


def summary(event: ExchangeContent) -> str:
    kind = ExchangeKind.Name(event.kind).removeprefix("EXCHANGE_KIND_").lower()
    minutes = event.giver_minutes if event.HasField("giver_minutes") else "?"
    return f"{'+'.join(event.giver_ids)} > {'+'.join(event.receiver_ids)} {kind} {minutes}"


class TestSeveralKinds:
    def test_kinds_are_exchanges_that_share_minutes(self, importer: Importer) -> None:
        report = importer.import_rows(
            '7,2025-03-02,A,B,"Call;Visit;message;",100', header=f"{HEADER},minutes"
        )
        assert {ref: summary(each) for ref, each in exchanges(importer).items()} == {
            "7": "A > B call 34",
            "7#2": "A > B visit 33",
            "7#3": "A > B message 33",
        }
        [note] = report.notes
        assert note.startswith("1 row was read as 3 exchanges")

    def test_kinds_with_commas_are_split(self, importer: Importer) -> None:
        row = '7,2025-03-02,A,B,"Call, Chat",100'
        report = importer.import_rows(row, header=f"{HEADER},minutes", kind_map={"Chat": "message"})
        assert {ref: summary(each) for ref, each in exchanges(importer).items()} == {
            "7": "A > B call 50",
            "7#2": "A > B message 50",
        }
        assert report.notes[0].startswith("1 row was read as 2 exchanges")

    def test_mapped_kind_with_comma_is_one(self, importer: Importer) -> None:
        row, kind_map = '7,2025-03-02,A,B,"Call, Visit",100', {"Call, Visit": "meeting"}
        importer.import_rows(row, header=f"{HEADER},minutes", kind_map=kind_map)
        assert [summary(each) for each in exchanges(importer).values()] == ["A > B meeting 100"]

    def test_error_names_only_unknown_part(self, importer: Importer) -> None:
        report = importer.import_rows('7,2025-03-02,A,B,"Call, Huddle"')
        (error,) = report.errors
        assert error.message.endswith("say what that means: --kind-map Huddle=KIND")

    def test_single_kind_with_semicolon_is_one(self, importer: Importer) -> None:
        report = importer.import_rows("7,2025-03-02,A,B,Call;,100", header=f"{HEADER},minutes")
        assert [summary(each) for each in exchanges(importer).values()] == ["A > B call 100"]
        assert report.notes == ()

    def test_unknown_minutes_stay_unknown(self, importer: Importer) -> None:
        importer.import_rows("7,2025-03-02,A,B,Call;Visit,", header=f"{HEADER},minutes")
        assert {summary(each) for each in exchanges(importer).values()} == {
            "A > B call ?",
            "A > B visit ?",
        }

    def test_constant_minutes_are_shared(self, importer: Importer) -> None:
        importer.import_rows(
            "7,2025-03-02,A,B,Call;Visit", "8,2025-03-02,A,B,call", set={"giver_minutes": "45"}
        )
        assert {ref: each.giver_minutes for ref, each in exchanges(importer).items()} == {
            "7": 23,
            "7#2": 22,
            "8": 45,
        }

    def test_unknown_kind_rejects_row_once(self, importer: Importer) -> None:
        aside = importer.folder / "mend.csv"
        report = importer.import_rows(
            "7,2025-03-02,A,B,Call;Foo;Bar,30",
            "8,2025-03-02,A,B,Call,30",
            header=f"{HEADER},minutes",
            skip_bad=aside,
        )
        assert {error.value for error in report.errors} == {"Foo", "Bar"}
        assert "Call;Foo;Bar" in aside.read_text("utf-8-sig").splitlines()[1]
        assert len(aside.read_text("utf-8-sig").splitlines()) == 2

    def test_repeated_import_changes_nothing(self, importer: Importer) -> None:
        row = '7,2025-03-02,A,B,"Call;Visit;",100'
        importer.import_rows(row, header=f"{HEADER},minutes")
        assert importer.import_rows(row, header=f"{HEADER},minutes").counts.unchanged == 2

    def test_exchanges_without_reference_have_own_identity(self, importer: Importer) -> None:
        rows = ("2025-03-02,A,B,Call;Visit", "2025-03-02,A,B,Call;Visit")
        header = HEADER.removeprefix("ref,")
        assert importer.import_rows(*rows, header=header).counts.recorded == 4
        assert importer.import_rows(*rows, header=header).counts.unchanged == 4


class TestDirection:
    def test_direction_decides_sides(self, importer: Importer) -> None:
        importer.import_rows(
            "1,2025-03-02,gave,us,them,call,30",
            "2,2025-03-02,Received,us,them,call,30",
            "3,2025-03-02,both,us,them,call,31",
            header=DIRECTED,
        )
        assert {ref: summary(each) for ref, each in exchanges(importer).items()} == {
            "1": "us > them call 30",
            "2": "them > us call 30",
            "3": "us > them call 16",
            "3#2": "them > us call 15",
        }

    def test_organization_may_be_constant(self, importer: Importer) -> None:
        report = importer.import_rows(
            "1,2025-03-02,received,them,visit",
            header="ref,date,direction,partner,kind",
            set={"organization": "us"},
        )
        assert [summary(each) for each in exchanges(importer).values()] == ["them > us visit ?"]
        assert report.columns["other"] == "partner"
        assert report.constants == {"organization": "us"}

    def test_reporting_side_may_be_organization_name(self, importer: Importer) -> None:
        importer.import_rows(
            "1,2025-03-02,received,us,them,visit,us",
            header="ref,date,direction,organization,other,kind,reported_by",
        )
        [content] = exchanges(importer).values()
        assert content.reported_by == 2

    @pytest.mark.parametrize(("word", "why"), [("sideways", "is no direction"), ("", "is empty")])
    def test_unknown_direction_is_refused(self, importer: Importer, word: str, why: str) -> None:
        report = importer.import_rows(f"1,2025-03-02,{word},us,them,call,30", header=DIRECTED)
        [error] = report.errors
        assert (error.row, error.field, error.value) == (2, "direction", word)
        assert error.message == f"{why}; write gave, received or both"

    def test_direction_with_giver_or_receiver_is_refused(self, importer: Importer) -> None:
        with pytest.raises(ImportRefusedError, match="direction and giver"):
            importer.import_rows("x", header=f"{HEADER},which", map={"direction": "which"})

    def test_direction_needs_both_organizations(self, importer: Importer) -> None:
        with pytest.raises(ImportRefusedError, match="No column was found for other"):
            importer.import_rows("x", header="ref,date,direction,organization,kind")

    def test_organization_column_alone_is_no_direction(self) -> None:
        plan = map_columns(
            EXCHANGE_FIELDS,
            ("date", "from", "to", "kind", "organization", "direction", "count"),
            column_by_field={},
            constants={},
        )
        assert plan.unused_columns == ("organization", "direction", "count")


class TestCount:
    def test_count_makes_so_many_exchanges(self, importer: Importer) -> None:
        header = "date,giver,receiver,kind,n,minutes"
        rows = ("2025-03-02,A,B,call,3,100", "2025-03-02,B,A,call,1,7")
        report = importer.import_rows(*rows, header=header, map={"count": "n"})
        counts = Counter(summary(each) for each in exchanges(importer).values())
        assert counts == {"A > B call 34": 1, "A > B call 33": 2, "B > A call 7": 1}
        assert report.counts.recorded == 4
        again = importer.import_rows(*rows, header=header, map={"count": "n"})
        assert (again.counts.recorded, again.counts.unchanged) == (0, 4)

    def test_mended_row_without_reference_is_recorded_once(self, importer: Importer) -> None:
        header, aside = "date,giver,receiver,kind,n", importer.folder / "mend.csv"
        rows = ("2025-03-02,A,B,call,2", "2025-03-02,A,B,call,x")
        importer.import_rows(*rows, header=header, map={"count": "n"}, skip_bad=aside)
        assert len(exchanges(importer)) == 2
        aside.write_text(aside.read_text("utf-8-sig").replace(",x,", ",2,"))
        mended = importer.import_file(aside, map={"count": "n"}, batch="log")
        assert (mended.counts.recorded, len(exchanges(importer))) == (2, 4)
        assert importer.import_file(aside, map={"count": "n"}, batch="log").counts.unchanged == 2
        whole = importer.import_rows(rows[0], rows[0], header=header, map={"count": "n"})
        assert whole.counts.unchanged == 4

    def test_count_multiplies_kinds_and_directions(self, importer: Importer) -> None:
        importer.import_rows(
            "1,2025-03-02,both,us,them,call;visit,17,2",
            header=f"{DIRECTED},n",
            map={"count": "n"},
        )
        assert len(exchanges(importer)) == 8
        assert sum(each.giver_minutes for each in exchanges(importer).values()) == 17

    @pytest.mark.parametrize(
        ("count", "why"),
        [
            ("0", "is no number of exchanges"),
            ("-1", "is no number of exchanges"),
            ("1.5", "is no number of exchanges"),
            ("", "is empty; write a whole number from 1 to 1,000"),
            ("1001", "makes 1,001 exchanges of one row, and 1,000 are the most"),
        ],
    )
    def test_invalid_count_is_refused(self, importer: Importer, count: str, why: str) -> None:
        report = importer.import_rows(
            f"1,2025-03-02,A,B,call,{count}", header=f"{HEADER},n", map={"count": "n"}
        )
        [error] = report.errors
        assert (error.row, error.field, error.value) == (2, "count", count)
        assert why in error.message
        assert importer.programme.events == {}

    def test_count_of_a_thousand_is_accepted(self, importer: Importer) -> None:
        importer.import_rows("1,2025-03-02,A,B,call,1000", header=f"{HEADER},n", map={"count": "n"})
        assert len(exchanges(importer)) == 1_000

    def test_invalid_constant_count_is_refused(self, importer: Importer) -> None:
        with pytest.raises(ImportRefusedError, match="--set count=many"):
            importer.import_rows("1,2025-03-02,A,B,call", set={"count": "many"})


class TestParties:
    def test_joint_exchange_has_parties(self, importer: Importer) -> None:
        importer.import_rows(
            "1,2025-03-02,A;B|C,workshop", header="ref,date,who,kind", map={"parties": "who"}
        )
        [content] = exchanges(importer).values()
        assert list(content.party_ids) == ["A", "B", "C"]
        assert not content.giver_ids

    def test_file_may_mix_joint_and_directed_rows(self, importer: Importer) -> None:
        rows = ("1,2025-03-02,A,B,call,", "2,2025-03-02,,,workshop,A;B")
        importer.import_rows(*rows, header=f"{HEADER},parties")
        joint = exchanges(importer)["2"]
        assert (list(joint.party_ids), list(joint.giver_ids)) == (["A", "B"], [])

    def test_single_party_is_refused_in_its_column(self, importer: Importer) -> None:
        report = importer.import_rows("1,2025-03-02,A,workshop", header="ref,date,parties,kind")
        assert [error.field for error in report.errors] == ["parties"]


@given(
    st.lists(st.sampled_from(("call", "visit", "message")), min_size=1, max_size=5),
    st.sampled_from(("gave", "received", "both")),
    st.integers(1, 20),
    st.none() | st.integers(0, 10_000),
)
def test_shares_add_up_to_row(
    kinds: list[str], direction: str, count: int, minutes: int | None
) -> None:
    header = ("ref", "date", "direction", "organization", "other", "kind", "minutes", "n")
    plan = map_columns(EXCHANGE_FIELDS, header, column_by_field={"count": "n"}, constants={})
    splitter = RowSplitter(plan, DurationReader(), is_kind=lambda _: False)
    minutes_cell = "" if minutes is None else str(minutes)
    cells = ["r", "2025-03-02", direction, "us", "them", ";".join(kinds), minutes_cell, str(count)]
    parts = [
        splitter.mapping.extract_texts(row.cells) for row in splitter.split([TableRow(2, cells)])
    ]
    sides = 2 if direction == "both" else 1
    assert len(parts) == len(kinds) * sides * count
    assert len({part["reference"] for part in parts}) == len(parts)
    assert parts[0]["reference"] == "r"
    times_each = Counter({kind: kinds.count(kind) * sides * count for kind in kinds})
    assert Counter(part["kind"] for part in parts) == times_each
    givers = Counter(part["giver"] for part in parts)
    assert set(givers.values()) == {len(kinds) * count}
    if minutes is not None:
        shares = [int(part["giver_minutes"]) for part in parts]
        assert sum(shares) == minutes
        assert set(shares[1:]) <= {minutes // len(parts)}
