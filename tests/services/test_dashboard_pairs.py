"""The pairs of the dashboard as functions of answers, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from mutua.v1.analysis_service_pb2 import ListAsymmetryResponse, PaidBack, PairAsymmetry
from mutua.v1.query_service_pb2 import (
    ListExchangesResponse,
    ListOrganizationsResponse,
    ListPairsResponse,
    Organization,
)
from services.ledger.errors import ImpossibleQuestionError
from services.query.dashboard.pair import PairAnswers, make_pair
from services.query.dashboard.pairs import PairsAnswers, make_pairs

ORGANIZATIONS = ListOrganizationsResponse(
    organizations=[Organization(organization_id="a", name="Ash")]
)


class TestPairs:
    def make(self, evidence: str = "", order: str = "") -> Any:
        pairs = ListAsymmetryResponse(
            pairs=[
                PairAsymmetry(
                    giver_id="a",
                    receiver_id="b",
                    q_value=0.01,
                    paid_back=PaidBack(amount=2, path_ids=["b", "c", "a"]),
                ),
                PairAsymmetry(giver_id="b", receiver_id="c", q_value=0.2),
                PairAsymmetry(giver_id="c", receiver_id="d", reasons=["TOO_FEW_DAYS"]),
            ]
        )
        rungs = [ListPairsResponse() for _ in range(6)]
        rungs[2].pairs.add(giver_id="b", receiver_id="a", given_count=2, received_count=1)
        rungs[0].pairs.add(giver_id="a", receiver_id="b", given_count=4)
        choices = {"evidence": evidence, "order": order}
        return make_pairs(PairsAnswers(pairs, ORGANIZATIONS, rungs), choices).data

    def test_clear_evidence_leaves_pairs_with_small_q(self) -> None:
        assert [row["giver_id"] for row in self.make("clear")["rows"]] == ["a"]

    def test_path_goes_back_to_the_giver_by_name(self) -> None:
        row = self.make()["rows"][0]
        assert [each["label"] for each in row["path"]] == ["b", "c", "Ash"]
        assert row["paid_back"] == 2

    def test_rungs_count_both_directions_and_the_highest_is_named(self) -> None:
        row, _, without = self.make("every")["rows"]
        assert row["rungs"] == [4, 0, 3, 0, 0, 0]
        assert (row["rung"], row["rung_label"]) == (3, "call or advice")
        assert (without["rung"], without["rung_label"]) == (None, "")

    def test_undefined_evidence_is_none_with_a_reason(self) -> None:
        row = self.make("every")["rows"][2]
        assert (row["q_value"], row["paid_back"]) == (None, None)
        assert row["reason"] == "there are fewer than 6 contact days"

    def test_unknown_evidence_is_refused(self) -> None:
        with pytest.raises(ImpossibleQuestionError, match="choose one of enough, clear, every"):
            self.make("strong")


class TestPair:
    def test_directions_are_apart(self) -> None:
        there = ListExchangesResponse(next_page_token="more")
        back = ListExchangesResponse()
        answers = PairAnswers([there, back], ORGANIZATIONS)
        content = make_pair(answers, {"giver": "a", "receiver": "b"})
        assert [each["giver"] for each in content.data["directions"]] == ["Ash", "b"]
        assert [each["has_more"] for each in content.data["directions"]] == [True, False]
        assert content.basis is there

    def test_nothing_is_selected(self) -> None:
        content = make_pair(PairAnswers([], ORGANIZATIONS), {"giver": "", "receiver": ""})
        assert content.data == {"directions": []}
