"""FetchWindow: the partitions to fetch from while others have records in flight."""

from faust.types import TP

from services.adapters.kafka.fetch_window import FetchWindow

ONE, TWO = TP("facts", 1), TP("facts", 2)


def records(count: int) -> list[object]:
    return [None] * count


def test_window_of_a_partition_holds_one_waiting_slab() -> None:
    ahead = FetchWindow(slab_records=10)
    ahead.add(ONE, records(10))
    assert ahead.select_fetchable({ONE, TWO}) == {ONE, TWO}
    ahead.add(ONE, records(10))
    ahead.add(TWO, records(1))
    assert ahead.select_fetchable({ONE, TWO}) == {TWO}
    ahead.remove(ONE, records(10))
    assert ahead.select_fetchable({ONE, TWO}) == {ONE, TWO}


def test_window_of_all_partitions_is_bounded() -> None:
    ahead, many = FetchWindow(slab_records=10), [TP("facts", number) for number in range(10)]
    for place in many[:8]:
        ahead.add(place, records(10))
    assert ahead.select_fetchable(set(many)) == set()
    ahead.remove(many[0], records(1))
    assert ahead.select_fetchable(set(many)) == set(many)


def test_select_fetchable_returns_only_given_partitions() -> None:
    assert FetchWindow(slab_records=10).select_fetchable({TWO}) == {TWO}
