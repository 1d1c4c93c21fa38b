"""Which organizations a cell names: names with separators, several in a cell, new names."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutua.organization_directory import AmbiguousNameError, OrganizationDirectory
from mutua.spelling import name_key
from mutua.v1.query_service_pb2 import Organization
from services.imports import ImportRefusedError
from services.imports.party_reader import PartyReader
from services.notation.errors import NotationError
from tests.imports.importer import Importer

HEADER = "date,giver,receiver,kind"
ROSTER = (
    Organization(organization_id="ash-1", name="Ashcombe Hospital", registered=True),
    Organization(
        organization_id="oak-2", name="Oakdale Trust", aliases=["Oakdale"], registered=True
    ),
    Organization(organization_id="elm-3", name="NHS England | South East", registered=True),
    Organization(organization_id="tru-4", name="Trust, Inc", registered=True),
    Organization(organization_id="Elmwood"),
)


def reader(*organizations: Organization, separator: str = "") -> PartyReader:
    return PartyReader(organizations or ROSTER, separator=separator)


class TestSeparators:
    @pytest.mark.parametrize(
        ("cell", "ids"),
        [
            ("NHS England | South East", ["elm-3"]),
            ("nhs england  |\u00a0south east", ["elm-3"]),
            ("Oakdale; Ashcombe Hospital|oak-2;", ["oak-2", "ash-1"]),
            ("Oakdale; NHS England | South East; ash-1", ["oak-2", "elm-3", "ash-1"]),
            ("NHS England | South West", ["NHS England", "South West"]),
            ("Trust, Inc", ["tru-4"]),
            ("Oakdale;Trust, Inc", ["oak-2", "tru-4"]),
            ("Oakdale, Nowhere", ["Oakdale, Nowhere"]),
            ("New  Trust; new trust; Elsewhere", ["New  Trust", "Elsewhere"]),
            (";", []),
        ],
    )
    def test_roster_name_is_not_split(self, cell: str, ids: list[str]) -> None:
        assert reader().read_parties(cell) == ids

    def test_overlapping_names_are_refused(self) -> None:
        overlapping = [
            Organization(organization_id=name, name=name, registered=True)
            for name in ("A; B", "B; C")
        ]
        with pytest.raises(NotationError, match=r"several ways \('A; B' and 'B; C'\); write ids"):
            reader(*overlapping).read_parties("A; B; C")

    def test_longest_name_wins(self) -> None:
        nested = [
            Organization(organization_id=str(count), name="; ".join("ABC"[:count]), registered=True)
            for count in (1, 2, 3)
        ]
        assert reader(*nested).read_parties("A; B; C") == ["3"]
        assert reader(*nested).read_parties("A; B; D") == ["2", "D"]

    def test_extra_separator_splits_all_but_roster_names(self) -> None:
        assert reader(separator=",").read_parties("Oakdale, Trust, Inc, Nowhere") == [
            "oak-2",
            "tru-4",
            "Nowhere",
        ]
        assert reader(separator="\n").read_parties("Oakdale\nElmwood; Nowhere") == [
            "oak-2",
            "Elmwood",
            "Nowhere",
        ]

    def test_commas_between_roster_names_are_refused_with_remedy(self) -> None:
        with pytest.raises(NotationError, match="write ; instead, or say --party-separator ','"):
            reader().read_parties("Oakdale, Elmwood")
        assert reader(separator=";").read_parties("Oakdale, Elmwood") == ["Oakdale, Elmwood"]

    @pytest.mark.parametrize("answer", [True, False])
    def test_split_at_commas_is_confirmed_once(self, *, answer: bool) -> None:
        questions: list[tuple[str, list[str]]] = []

        def confirm(cell: str, labels: list[str]) -> bool:
            questions.append((cell, labels))
            return answer

        parties = PartyReader(ROSTER, confirm_split=confirm)
        ids = [parties.read_parties(cell) for cell in ("Oakdale, Elmwood", "Elmwood, ash-1; oak-2")]
        assert questions == [("Oakdale, Elmwood", ["Oakdale Trust (oak-2)", "Elmwood"])]
        split = [["oak-2", "Elmwood"], ["Elmwood", "ash-1", "oak-2"]]
        whole = [["Oakdale, Elmwood"], ["Elmwood, ash-1", "oak-2"]]
        assert ids == (split if answer else whole)


PIECES = ("Ash", "Oak", "Elm", "ash", "Trust Ltd", "St. Mary", "St Mary's")
DISGUISES = ("", "\u200b", "\u00a0", "  ")


@st.composite
def spellings(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3))
    separator = draw(st.sampled_from(("; ", " | ", ", ", ";", " ")))
    return separator.join(pieces) + draw(st.sampled_from(DISGUISES))


@st.composite
def rosters(draw: st.DrawFn) -> list[Organization]:
    names = draw(st.lists(spellings(), min_size=1, max_size=5))
    return [
        Organization(
            organization_id=f"id-{place}", name=name, registered=draw(st.integers(0, 3)) > 0
        )
        for place, name in enumerate(names)
    ]


def read(parties: PartyReader, cell: str) -> Sequence[str] | str:
    try:
        return parties.read_parties(cell)
    except NotationError as error:
        return str(error)


class TestAnyRoster:
    @given(rosters(), st.data())
    def test_any_roster_name_is_not_split(
        self, roster: list[Organization], data: st.DataObject
    ) -> None:
        registered = [each for each in roster if each.registered]
        for organization in registered:
            same = [
                each.organization_id
                for each in registered
                if name_key(each.name) == name_key(organization.name)
            ]
            ids = read(PartyReader(roster), organization.name.upper().strip())
            if len(same) == 1:
                assert ids == same
            else:
                assert "write the id" in ids
        chosen_organizations = (
            data.draw(st.lists(st.sampled_from(registered), max_size=3)) if registered else []
        )
        ids = read(PartyReader(roster), "; ".join(each.name for each in chosen_organizations))
        if isinstance(ids, str):
            assert "write the id" in ids or "can be read in several ways" in ids
            return
        found_keys = [name_key(each.name) for each in registered if each.organization_id in ids]
        for each in chosen_organizations:  # found itself, or as a part of a longer name
            assert any(name_key(each.name) in key for key in found_keys)

    @given(rosters(), st.lists(spellings(), max_size=4), st.randoms())
    def test_order_of_roster_does_not_matter(
        self, roster: list[Organization], cells: list[str], random: object
    ) -> None:
        turned = list(reversed(roster))
        one, other = PartyReader(roster, separator=","), PartyReader(turned, separator=",")
        for cell in cells:
            assert read(one, cell) == read(other, cell)
        assert one.new_names == other.new_names

    @given(rosters(), spellings())
    def test_match_has_key_of_typed_name(self, roster: list[Organization], typed: str) -> None:
        directory = OrganizationDirectory(roster)
        matching = [each for each in roster if name_key(each.name) == name_key(typed)]
        meant = [each for each in matching if each.registered] or matching
        if len(meant) > 1:
            with pytest.raises(AmbiguousNameError):
                directory.find(typed)
        else:
            assert directory.find(typed) == (meant[0].organization_id if meant else None)


class TestNamesFile:
    @pytest.fixture
    def importer(self, tmp_path: Path) -> Importer:
        importer = Importer(tmp_path)
        importer.programme.organizations |= {each.organization_id: each for each in ROSTER}
        return importer

    def rows(self, path: Path) -> list[dict[str, str]]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def test_new_names_are_written_with_near_misses_and_counts(self, importer: Importer) -> None:
        names = importer.folder / "names.csv"
        cells = [f"2024-05-31,Zeta {number:02},oak-2,call" for number in range(15)]
        cells += ["2024-05-31,Oakdale Trust.,oak-2,call", "2024-05-31,Nowhere,nowhere;ash-1,visit"]
        cells += ["2024-05-31,Nowhere; Oakdale NHS FT,ash-1,call; visit"]
        report = importer.import_rows(*cells, header=HEADER, names=names, dry_run=True)
        rows = self.rows(names)
        assert rows[:3] == [
            {"name": name, "row_count": count, "did_you_mean": near, "organization_id": ""}
            for name, count, near in (
                ("Oakdale NHS FT", "1", "Oakdale Trust (oak-2)"),
                ("Oakdale Trust.", "1", "Oakdale Trust (oak-2)"),
                ("Nowhere", "2", ""),
            )
        ]
        assert len(rows) == 18
        listed, expected = report.notes[-2:]
        assert listed.startswith(f"18 new names are listed in {names}: write the id")
        assert expected.endswith("and 8 more.")

    def test_filled_in_ids_resolve_names(self, importer: Importer) -> None:
        names = importer.folder / "names.csv"
        row = "2024-05-31,Oakdale Trust.,Nowhere,call"
        importer.import_rows(row, header=HEADER, names=names, dry_run=True)
        names.write_text(
            "name;row_count;did_you_mean;organization_id\n"
            'Oakdale Trust.;1;;OAKDALE\nNowhere;1;;\n"Oak; Elm";1;;ash-1\n'
        )
        report = importer.import_rows(
            row, '2024-06-01,"Oak; Elm",Nowhere,call', header=HEADER, names=names
        )
        assert report.notes[-1] == f"{names} gives the organization of 2 names."
        contents = [each.exchange_recorded.exchange for each in importer.programme.events.values()]
        assert [(*each.giver_ids, *each.receiver_ids) for each in contents] == [
            ("oak-2", "Nowhere"),
            ("ash-1", "Nowhere"),
        ]

    def test_name_bound_later_needs_no_confirmation(self, importer: Importer) -> None:
        names = importer.folder / "names.csv"
        rows = ("1,2024-05-31,Oakdale Trust.,ash-1,call", "2,2024-06-01,ash-1,Nowhere,call")
        header = f"ref,{HEADER}"
        importer.import_rows(*rows, header=header, names=names)
        unfilled = importer.import_rows(*rows, header=header, names=names, accept_changes=False)
        assert (unfilled.counts.unchanged, unfilled.doubts) == (2, ())
        advice, new = unfilled.notes[-2:]
        assert advice.startswith(f"{names} gives no organization yet: write the id")
        assert "'Oakdale Trust.' (did you mean Oakdale Trust (oak-2)?)" in new
        text = names.read_text(encoding="utf-8-sig").replace("(oak-2),", "(oak-2),oak-2")
        names.write_text(text)
        bound = importer.import_rows(*rows, header=header, names=names, accept_changes=False)
        assert (bound.counts.corrected, bound.counts.unchanged, bound.doubts) == (1, 1, ())
        givers = {
            each.revisions[0].source.reference: list(each.revisions[-1].content.giver_ids)
            for each in importer.programme.exchanges.values()
        }
        assert givers == {"1": ["oak-2"], "2": ["ash-1"]}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "name,organization_id\nA,oak-9\nB,oak-2\nC,??\n",
                "line 2: 'oak-9' is no organization",
            ),
            ("name,id\nA,oak-2\n", "has no columns name and organization_id"),
        ],
    )
    def test_unknown_or_ambiguous_id_is_refused(
        self, importer: Importer, text: str, expected: str
    ) -> None:
        names = importer.folder / "names.csv"
        names.write_text(text)
        with pytest.raises(ImportRefusedError, match=expected):
            importer.import_rows("2024-05-31,A,B,call", header=HEADER, names=names)
        assert not importer.programme.events

    def test_no_file_is_written_without_new_names(self, importer: Importer) -> None:
        names = importer.folder / "names.csv"
        report = importer.import_rows("2024-05-31,oak-2,ash-1,call", header=HEADER, names=names)
        assert report.notes[-1] == f"No name is new: {names} was not written."
        assert not names.exists()

    def test_names_file_must_be_csv(self, importer: Importer) -> None:
        with pytest.raises(ImportRefusedError, match=r"name a \.csv file"):
            importer.import_rows(
                "2024-05-31,A,B,call", header=HEADER, names=importer.folder / "names.txt"
            )
