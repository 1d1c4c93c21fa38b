"""OrganizationDirectory: which organization an id, a name or an alias means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutua.organization_directory import (
    AmbiguousNameError,
    OrganizationDirectory,
    UnboundOrganization,
)
from mutua.v1.query_service_pb2 import Organization

DIRECTORY = OrganizationDirectory(
    [
        Organization(organization_id="R1A", name="Solent", aliases=["SOL"], registered=True),
        Organization(organization_id="R1B", name="Twin", registered=True),
        Organization(organization_id="R1C", name="Twin", registered=True),
        Organization(organization_id="R1D", name="Zoë", registered=True),
        Organization(organization_id="solent"),
        Organization(organization_id="Elsewhere"),
    ]
)

ROSTER = [
    Organization(organization_id="ash-1", name="Ashcombe Hospital", registered=True),
    Organization(organization_id="oak-2", name="Oakdale Trust", registered=True),
    Organization(organization_id="elm-3", name="NHS England | South East", registered=True),
    Organization(organization_id="T-17", name="Hollinbeck General Hospital", registered=True),
    Organization(organization_id="T-18", name="St. Mary's Hospital & Clinic plc", registered=True),
    Organization(organization_id="T-19", name="Müller GmbH", registered=True),
]
ROSTER_DIRECTORY = OrganizationDirectory(ROSTER)
SPELLINGS = (
    "Ashcombe",
    "oakdale  trust",
    "Oakdale Trst",
    "St Marys",
    "NHS England",
    "T-1",
    "ash-1",
)


class TestFindNearMisses:
    @pytest.mark.parametrize(
        ("typed", "near"),
        [("Solnt", ["R1A"]), ("twinn", ["R1B", "R1C"]), ("Nobody", []), ("", [])],
    )
    def test_finds_similar_names(self, typed: str, near: list[str]) -> None:
        assert DIRECTORY.find_near_misses(typed) == near

    @pytest.mark.parametrize(
        ("typed", "near"),
        [
            ("Oakdale Trust.", ["oak-2"]),
            ("Oakdale Trust Ltd", ["oak-2"]),
            ("Oakdale NHS FT", ["oak-2"]),
            ("Oakdale NHS Foundation Trust", ["oak-2"]),
            ("The Oakdale", ["oak-2"]),
            ("NHS England South East", ["elm-3"]),
            ("Hollinbeck", ["T-17"]),
            ("Hollinbeck General", ["T-17"]),
            ("St Mary's", ["T-18"]),
            ("Saint Marys Hospital and Clinic Limited", ["T-18"]),
            ("Muller", ["T-19"]),
            ("Müller Gesellschaft mit beschränkter Haftung", ["T-19"]),
            ("Saltwick General Hospital", []),  # shares only common words with another
        ],
    )
    def test_near_miss_is_not_a_match(self, typed: str, near: list[str]) -> None:
        assert ROSTER_DIRECTORY.find(typed) is None
        assert ROSTER_DIRECTORY.find_near_misses(typed) == near

    def test_common_first_words_are_ignored(self) -> None:
        directory = OrganizationDirectory(
            Organization(organization_id=f"u-{n}", name=f"University of {chr(97 + n) * 9}")
            for n in range(11)
        )
        assert directory.find_near_misses("University") == []
        assert directory.find_near_misses("University of ccccccccc Ltd") == ["u-2"]


def test_recorded_id_with_registered_spelling_is_unbound() -> None:
    directory = OrganizationDirectory(
        [
            *ROSTER,
            Organization(organization_id="Ashcombe\u00a0Hospital"),
            Organization(organization_id="OAK-2", aliases=["somewhere"]),
            Organization(organization_id="elsewhere", aliases=["hollinbeck general hospital"]),
            Organization(organization_id="Hollinbeck"),
        ]
    )
    assert directory.find_unbound() == [
        UnboundOrganization("Ashcombe\u00a0Hospital", ("ash-1",)),
        UnboundOrganization("OAK-2", ("oak-2",)),
        UnboundOrganization("elsewhere", ("T-17",)),
    ]
    assert directory.find_unregistered_spellings("ashcombe hospital") == ["Ashcombe\u00a0Hospital"]


class TestFind:
    @pytest.mark.parametrize(
        ("typed", "organization_id"),
        [
            ("R1A", "R1A"),
            ("r1a", "R1A"),
            ("SOLENT", "R1A"),
            ("solent", "R1A"),
            ("sol", "R1A"),
            ("zoe\u0308 ", "R1D"),
            ("elsewhere", "Elsewhere"),
            ("Nobody", None),
            ("", None),
        ],
    )
    def test_prefers_registered_organizations_to_recorded_ids(
        self, typed: str, organization_id: str | None
    ) -> None:
        assert DIRECTORY.find(typed) == organization_id

    def test_name_of_several_is_ambiguous(self) -> None:
        with pytest.raises(
            AmbiguousNameError, match=r"may be Twin \(R1B\) or Twin \(R1C\)"
        ) as raised:
            DIRECTORY.find("twin")
        assert raised.value.names == ("Twin (R1B)", "Twin (R1C)")

    @pytest.mark.parametrize(
        "typed",
        [
            "Ashcombe\u00a0Hospital",
            "Ashcombe  Hospital",
            "Ashcombe Hospital\u200b",
            "\ufeffASHCOMBE\u2009HOSPITAL",
            "ash\u00adcombe hospital",
            "ash-1",
            "Ash-1",
        ],
    )
    def test_ignores_hidden_characters(self, typed: str) -> None:
        assert ROSTER_DIRECTORY.find(typed) == "ash-1"

    def test_ambiguous_ids_are_described_by_hidden_characters(self) -> None:
        directory = OrganizationDirectory(
            [
                Organization(organization_id="Oak Trust"),
                Organization(organization_id="Oak\u00a0Trust"),
            ]
        )
        assert directory.find("Oak\u00a0Trust") == "Oak\u00a0Trust"
        with pytest.raises(AmbiguousNameError) as raised:
            directory.find("oak trust")
        assert raised.value.names == (
            "'Oak Trust'",
            "'Oak\u00a0Trust' (has a non-breaking space)",
        )

    @given(st.permutations(ROSTER), st.sampled_from(SPELLINGS))
    def test_does_not_depend_on_roster_order(self, roster: list[Organization], typed: str) -> None:
        one, other = OrganizationDirectory(ROSTER), OrganizationDirectory(roster)
        assert one.find(typed) == other.find(typed)
        assert one.find_near_misses(typed) == other.find_near_misses(typed)
        assert one.find_unbound() == other.find_unbound()


def test_labels_have_name_and_id() -> None:
    assert (
        DIRECTORY.join_labels(["R1A", "Elsewhere", "Nobody"]) == "Solent (R1A), Elsewhere, Nobody"
    )
    assert (DIRECTORY.name("R1A"), DIRECTORY.name("Elsewhere")) == ("Solent", "")
