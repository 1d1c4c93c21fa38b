"""What may have been met, and what was not for certain."""

from hypothesis import given
from hypothesis import strategies as st

from services.adapters.postgres.bloom_filter import BloomFilter


@given(st.sets(st.text(), max_size=200), st.sets(st.text(), max_size=200))
def test_what_was_met_is_never_said_not_to_have_been(met: set[str], others: set[str]) -> None:
    filled = BloomFilter()
    filled.add(met)
    assert set(filled.select_possible_members(met | others)) >= met
    assert set(filled.select_possible_members(others)) <= others


def test_of_what_was_not_met_hardly_any_looks_as_if_it_had_been() -> None:
    filled = BloomFilter()
    filled.add([f"met {number}" for number in range(100_000)])
    others = [f"other {number}" for number in range(100_000)]
    assert len(filled.select_possible_members(others)) < 100
