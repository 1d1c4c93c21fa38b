"""The table of a feed: what each subscriber lacks, and a digest of the rows."""

from hypothesis import given
from hypothesis import strategies as st

from mutua.watched_rows import RowKey
from services.query.watch.row_table import RowTable

Rows = dict[RowKey, bytes]
KEYS = [("rows", name) for name in "abcd"]
STATES = st.lists(
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from([b"1", b"2", b"3"])), max_size=12
)


def strip(key: RowKey, content: bytes) -> bytes:
    return str(key[1]).encode()


def apply(rows: Rows, table: RowTable, place: int) -> int:
    for change in table.list_changes(place):
        if change.is_removed:
            rows.pop(change.key, None)
        else:
            rows[change.key] = change.content
    return table.last_sequence


class TestRowTable:
    @given(STATES, st.data())
    def test_subscribers_of_any_pace_reach_the_rows(
        self, states: list[Rows], data: st.DataObject
    ) -> None:
        table = RowTable(strip)
        held: list[Rows] = [{}, {}, {}]
        places = [0, 0, 0]
        for state in states:
            table.update(state)
            for index in data.draw(st.sets(st.integers(0, 2))):
                places[index] = apply(held[index], table, places[index])
            table.forget_removals(min(places))
        for rows, place in zip(held, places, strict=True):
            apply(rows, table, place)
            assert rows == (states[-1] if states else {})

    @given(STATES, STATES)
    def test_digest_depends_on_the_rows_alone(self, first: list[Rows], second: list[Rows]) -> None:
        one, other = RowTable(strip), RowTable(strip)
        for state in first:
            one.update(state)
        for state in [*second, *first[-1:]]:
            other.update(state)
        if first:
            assert one.digest == other.digest
        if first and second:
            other.update(second[-1])
            assert (one.digest == other.digest) == (first[-1] == second[-1])

    def test_equal_rows_are_no_change(self) -> None:
        table = RowTable(strip)
        table.update({KEYS[0]: b"1"})
        sequence = table.last_sequence
        table.update({KEYS[0]: b"1"})
        assert table.last_sequence == sequence
        assert table.list_changes(sequence) == []

    def test_removals_are_forgotten_once_everybody_has_them(self) -> None:
        table = RowTable(strip)
        table.update({KEYS[0]: b"1"})
        place = table.last_sequence
        table.update({})
        table.forget_removals(place)
        assert [change.content for change in table.list_changes(place)] == [b"a"]
        table.forget_removals(table.last_sequence)
        assert table.list_changes(place) == []
