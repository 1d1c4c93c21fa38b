"""Of which partitions more is fetched while some of them have much to be projected."""

from faust.types import TP

from services.adapters.ahead import Ahead

ONE, TWO = TP("facts", 1), TP("facts", 2)


def records(count: int) -> list[object]:
    return [None] * count


def test_of_a_partition_one_slab_waits_for_another() -> None:
    ahead = Ahead(slab_records=10)
    ahead.take(ONE, records(10))
    assert ahead.wanted({ONE, TWO}) == {ONE, TWO}
    ahead.take(ONE, records(10))
    ahead.take(TWO, records(1))
    assert ahead.wanted({ONE, TWO}) == {TWO}
    ahead.done(ONE, records(10))
    assert ahead.wanted({ONE, TWO}) == {ONE, TWO}


def test_of_all_partitions_together_no_more_than_fits() -> None:
    ahead, many = Ahead(slab_records=10), [TP("facts", number) for number in range(10)]
    for place in many[:8]:
        ahead.take(place, records(10))
    assert ahead.wanted(set(many)) == set()
    ahead.done(many[0], records(1))
    assert ahead.wanted(set(many)) == set(many)


def test_only_what_is_asked_about_is_wanted() -> None:
    assert Ahead(slab_records=10).wanted({TWO}) == {TWO}
