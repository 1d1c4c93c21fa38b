"""Advanced columns share memory with their predecessors without changing them."""

from __future__ import annotations

import numpy as np
import pytest

from services.ledger.allocation import MILLION
from services.ledger.enums import Identity, Lens
from services.ledger.question import Question
from services.network import balances
from services.network.columns import EMPTY, Columns, JointMembers, advance, load
from services.network.identity_view import IdentityView
from tests.network.column_history import make_flow_rows


def test_table_extends_twice_from_one_table() -> None:
    one = JointMembers.empty().extend(np.array([0, 0]), np.array([1, 2]))
    two = one.extend(np.array([1]), np.array([3]))
    other = one.extend(np.array([1]), np.array([4]))
    assert [table.party.tolist() for table in (one, two, other)] == [[1, 2], [1, 2, 3], [1, 2, 4]]


def test_table_extends_beyond_its_buffer() -> None:
    table = JointMembers.empty()
    for number in range(100):
        table = table.extend(np.array([number]), np.array([-number]))
    assert table.exchange.tolist() == list(range(100))
    assert table.party.tolist() == [-number for number in range(100)]


def test_restated_exchanges_fragment_columns() -> None:
    columns = _loaded(range(9))
    assert not columns.is_fragmented
    for offset, count in ((9, 3), (12, 1)):
        columns = advance(columns, make_flow_rows(range(count), replaced=range(count)), offset)
    assert (len(columns.is_standing), int(np.count_nonzero(columns.is_standing))) == (13, 9)
    assert columns.is_fragmented


@pytest.mark.parametrize("times", [1, 2, 3])
def test_restated_exchange_is_standing_once(times: int) -> None:
    columns = _loaded(range(5))
    for time in range(times):
        columns = advance(columns, make_flow_rows([2], replaced=[2]), 5 + time)
    assert _given(columns) == 5
    assert _given(advance(columns, make_flow_rows([], replaced=[2]), 9)) == 4


def test_columns_advance_twice_from_one_position() -> None:
    before = _loaded(range(5))
    after = [advance(before, make_flow_rows([5], minutes=minutes), 6) for minutes in (10, 20)]
    question = Question(programme_id="gde", lens=Lens.BURDEN)
    given = [
        balances.compute_balances(IdentityView(columns, Identity.AS_NOW), question).rows[0].given
        for columns in (before, *after)
    ]
    assert given == [5 * MILLION, 15 * MILLION, 25 * MILLION]


def test_sums_are_exact_beyond_doubles() -> None:
    count, minutes = 12_001, 5_256_000
    columns = load(make_flow_rows(range(count), minutes=minutes, giver_count=7), count)
    view = IdentityView(columns, Identity.AS_NOW)
    rows = balances.compute_balances(view, Question(programme_id="gde", lens=Lens.BENEFIT)).rows
    share, left_over = divmod(minutes * MILLION, 7)
    assert share * count > 2**53
    assert [row.given for row in rows] == [
        *((share + (place < left_over)) * count for place in range(7)),
        0,
    ]
    assert rows[-1].received == count * minutes * MILLION


def _loaded(numbers: range) -> Columns:
    return advance(EMPTY, make_flow_rows(numbers), numbers.stop)


def _given(columns: Columns) -> int | None:
    question = Question(programme_id="gde")
    given = (
        balances.compute_balances(IdentityView(columns, Identity.AS_NOW), question).rows[0].given
    )
    return None if given is None else given // MILLION
