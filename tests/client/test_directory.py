"""Whom people mean by an id, a name or an alias."""

import pytest

from mutua.directory import AmbiguousName, Directory
from mutua.v1.query_service_pb2 import Organization

DIRECTORY = Directory(
    [
        Organization(organization_id="R1A", name="Solent", aliases=["SOL"], registered=True),
        Organization(organization_id="R1B", name="Twin", registered=True),
        Organization(organization_id="R1C", name="Twin", registered=True),
        Organization(organization_id="R1D", name="Zoë", registered=True),
        Organization(organization_id="solent"),
        Organization(organization_id="Elsewhere"),
    ]
)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("R1A", "R1A"),
        ("r1a", "R1A"),
        ("SOLENT", "R1A"),
        ("solent", "solent"),
        ("sol", "R1A"),
        ("zoe\u0308 ", "R1D"),
        ("elsewhere", "Elsewhere"),
        ("Nobody", None),
        ("", None),
    ],
)
def test_an_id_goes_before_names_and_the_roster_before_strangers(
    typed: str, found: str | None
) -> None:
    assert DIRECTORY.find(typed) == found


def test_a_name_of_several_is_ambiguous() -> None:
    with pytest.raises(AmbiguousName, match=r"may be Twin \(R1B\) or Twin \(R1C\)") as ambiguous:
        DIRECTORY.find("twin")
    assert ambiguous.value.names == ("Twin (R1B)", "Twin (R1C)")


@pytest.mark.parametrize(
    ("typed", "near"),
    [("Solnt", ["R1A", "solent"]), ("twinn", ["R1B", "R1C"]), ("Nobody", []), ("", [])],
)
def test_what_resembles_a_slip(typed: str, near: list[str]) -> None:
    assert DIRECTORY.resembling(typed) == near


def test_labels() -> None:
    assert DIRECTORY.labels(["R1A", "Elsewhere", "Nobody"]) == "Solent (R1A), Elsewhere, Nobody"
    assert (DIRECTORY.name("R1A"), DIRECTORY.name("Elsewhere")) == ("Solent", "")
