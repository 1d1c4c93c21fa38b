"""The map: everybody has a place, nobody moves, neighbours are near."""

from __future__ import annotations

import math
import random

import pytest

from services.measures.map_layout import Place, Tie, place_organizations

TIES: list[Tie] = [("a", "b", 3), ("b", "c", 1), ("c", "a", 1), ("d", "e", 2)]


def make_groups(*, groups: int, size: int) -> list[Tie]:
    """Groups in which all exchange with all, and one tie from each to the next."""
    ties: list[Tie] = []
    for group in range(groups):
        names = [f"{group}-{number}" for number in range(size)]
        ties += [(a, b, 1.0) for a in names for b in names if a < b]
        ties.append((names[0], f"{(group + 1) % groups}-0", 1.0))
    return ties


def measure_distance(a: Place, b: Place) -> float:
    return math.dist(a, b)


class TestWholeLayout:
    def test_places_lie_in_the_unit_square(self) -> None:
        places = place_organizations(TIES, {})
        assert places.keys() == set("abcde")
        assert all(0 <= value <= 1 for place in places.values() for value in place)

    def test_order_of_ties_does_not_matter(self) -> None:
        shuffled = TIES.copy()
        random.Random(1).shuffle(shuffled)
        assert place_organizations(shuffled, {}) == place_organizations(TIES, {})

    def test_no_two_organizations_share_a_place(self) -> None:
        places = place_organizations(make_groups(groups=4, size=6), {})
        assert len(set(places.values())) == len(places)

    def test_groups_stand_together(self) -> None:
        places = place_organizations(make_groups(groups=3, size=6), {})
        within = [
            measure_distance(places[f"{group}-1"], places[f"{group}-{number}"])
            for group in range(3)
            for number in range(2, 6)
        ]
        between = [
            measure_distance(places["0-1"], places[f"{group}-{number}"])
            for group in (1, 2)
            for number in range(1, 6)
        ]
        assert sum(within) / len(within) < 0.7 * sum(between) / len(between)

    @pytest.mark.parametrize("ties", [[], [("a", "a", 1.0)], [("a", "b", 1.0)]])
    def test_few_ties(self, ties: list[Tie]) -> None:
        places = place_organizations(ties, {})
        assert places.keys() == {name for a, b, _ in ties for name in (a, b)}
        assert not any(math.isnan(value) for place in places.values() for value in place)


class TestNewOrganization:
    def test_others_do_not_move(self) -> None:
        placed = place_organizations(TIES, {})
        new = place_organizations([*TIES, ("a", "z", 1)], placed)
        assert new.keys() == {"z"}

    def test_stands_near_its_neighbours(self) -> None:
        ties = make_groups(groups=3, size=6)
        placed = place_organizations(ties, {})
        new = place_organizations([*ties, ("1-1", "z", 1), ("1-2", "z", 1)], placed)
        distances = {name: measure_distance(new["z"], place) for name, place in placed.items()}
        nearest = sorted(distances, key=distances.__getitem__)[:3]
        assert all(name.startswith("1-") for name in nearest)

    def test_without_new_ones_nothing_is_placed(self) -> None:
        placed = place_organizations(TIES, {})
        assert place_organizations(TIES[:1], placed) == {}
