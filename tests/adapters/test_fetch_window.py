"""FetchWindow: the partitions to fetch from while others have records in flight."""

from faust.types import TP

from services.adapters.kafka.fetch_window import FetchWindow

ONE, TWO = TP("facts", 1), TP("facts", 2)


def records(count: int) -> list[object]:
    return [None] * count


class TestFetchWindow:
    def test_window_of_a_partition_has_one_waiting_slab(self) -> None:
        window = FetchWindow(slab_records=10)
        window.add(ONE, records(10))
        assert window.select_fetchable({ONE, TWO}) == {ONE, TWO}
        window.add(ONE, records(10))
        window.add(TWO, records(1))
        assert window.select_fetchable({ONE, TWO}) == {TWO}
        window.remove(ONE, records(10))
        assert window.select_fetchable({ONE, TWO}) == {ONE, TWO}

    def test_window_of_all_partitions_is_bounded(self) -> None:
        window, many = FetchWindow(slab_records=10), [TP("facts", number) for number in range(10)]
        for place in many[:8]:
            window.add(place, records(10))
        assert window.select_fetchable(set(many)) == set()
        window.remove(many[0], records(1))
        assert window.select_fetchable(set(many)) == set(many)

    def test_select_fetchable_returns_only_given_partitions(self) -> None:
        assert FetchWindow(slab_records=10).select_fetchable({TWO}) == {TWO}
