"""The Bloom filter has no false negatives and few false positives."""

from hypothesis import given
from hypothesis import strategies as st

from services.adapters.postgres.bloom_filter import BloomFilter


@given(st.sets(st.text(), max_size=200), st.sets(st.text(), max_size=200))
def test_members_are_always_possible(members: set[str], others: set[str]) -> None:
    bloom_filter = BloomFilter()
    bloom_filter.add(members)
    assert set(bloom_filter.select_possible_members(members | others)) >= members
    assert set(bloom_filter.select_possible_members(others)) <= others


def test_false_positives_are_rare() -> None:
    bloom_filter = BloomFilter()
    bloom_filter.add([f"member {number}" for number in range(100_000)])
    others = [f"other {number}" for number in range(100_000)]
    assert len(bloom_filter.select_possible_members(others)) < 100
