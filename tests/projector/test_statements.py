"""Statements about exchanges are stored and judged as the oracle does, however the log is cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.query.exchanges import get_exchange
from tests.ledger.folded_ledger import make_records
from tests.oracle.fold import fold
from tests.oracle.statements import judge
from tests.projector.slab_projection import open_empty_store, project, read_tables
from tests.services.query_runner import query_runner
from tests.strategies import PROGRAMME, histories, slab_cuts


class TestStatements:
    @settings(max_examples=40, deadline=None)
    @given(st.data(), histories())
    def test_rows_equal_the_oracle(self, data: st.DataObject, events: list[Event]) -> None:
        with open_empty_store() as store:
            project(store, make_records(events), data.draw(slab_cuts(len(events))))
            tables = read_tables(store)
        names = {row[1]: row[3] for row in tables["exchange"]}
        revision_ids = {(row[1], row[2]): row[4] for row in tables["exchange"]}
        rows = {
            (names[exchange], event_id, party, bool(agrees), revision_ids[exchange, revision])
            for _, exchange, _, _, event_id, _, _, party, agrees, revision, _ in tables["statement"]
        }
        assert rows == {
            (exchange_id, each.event_id, each.party, each.agrees, each.revision.event_id)
            for exchange_id, statements in fold(events).statements.items()
            for each in statements
        }

    @settings(max_examples=40, deadline=None)
    @given(histories(exchanges=2, max_facts=14))
    def test_answer_equals_the_oracle(self, events: list[Event]) -> None:
        ledger = fold(events)
        with query_runner(events) as runner:
            for exchange_id in ledger.exchanges:
                answer = runner.run(
                    get_exchange,
                    pb.GetExchangeRequest(programme_id=PROGRAMME, exchange_id=exchange_id),
                )
                current_ids = {each.event_id for each in answer.statements if each.is_current}
                found = (current_ids, answer.is_confirmed, answer.is_disputed)
                assert found == judge(ledger, exchange_id)
