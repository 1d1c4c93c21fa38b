"""Lift: how the flow among members keeps to groups that an attribute of organizations makes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from services.ledger.organization import get_attribute
from services.ledger.pairing import Pairing
from services.ledger.question import Answer, Question
from services.measures.flow_graph import Ints
from services.measures.lift import (
    UNKNOWN_GROUP,
    Lift,
    count_mixing,
    measure_lift,
    measure_pair_lift,
)
from services.network.identity_view import IdentityView
from services.network.member_flows import MemberFlows

PAIRING: Final = "pairing"
"""What makes groups of the organizations that the programme binds together."""
STRATUM_ATTRIBUTE: Final = "sector"
"""Groups are permuted among organizations that have the same value of this attribute."""


@dataclass(frozen=True, slots=True)
class LiftRow:
    """The lift of the groups of one attribute; amounts in millionths."""

    attribute: str
    group_count: int
    groups: tuple[str, ...]
    """The values that members have, sorted; () for pairs."""
    measures: Lift
    unlabelled_count: int = 0
    """Members without a value."""
    mixing: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    """The flow from each group (row) to each group (column); empty for pairs."""

    def iterate_flows(self) -> Iterator[tuple[int, int, int]]:
        """Yields the groups between which there is flow, with the flow, in order."""
        for giver, receiver in zip(*(each.tolist() for each in self.mixing.nonzero()), strict=True):
            yield giver, receiver, int(self.mixing[giver, receiver])


def compute_lifts(
    view: IdentityView,
    question: Question,
    *,
    attributes: Sequence[str],
    pairings: Sequence[Pairing] = (),
    seed: int = 0,
    checkpoint: Callable[[], None] = lambda: None,
) -> Answer[LiftRow]:
    """One row for each attribute, in this order; PAIRING makes a group of each pair.

    Raises ImpossibleQuestionError under another allocation than split.
    """
    mask = view.select_exchanges(question)
    flows = MemberFlows.of(view, question, mask)
    _, strata = group_members(view, flows, STRATUM_ATTRIBUTE)
    rows = []
    for attribute in attributes:
        if attribute == PAIRING:
            pairs = _find_pairs(flows, question, pairings)
            measures = measure_pair_lift(
                flows.graph, pairs, strata=strata, seed=seed, checkpoint=checkpoint
            )
            rows.append(LiftRow(attribute, len(pairs[0]), (), measures))
            continue
        names, groups = group_members(view, flows, attribute)
        measures = measure_lift(
            flows.graph,
            groups,
            strata=None if attribute == STRATUM_ATTRIBUTE else strata,
            seed=seed,
            checkpoint=checkpoint,
        )
        unlabelled_count = int(np.count_nonzero(groups == UNKNOWN_GROUP))
        mixing = count_mixing(flows.graph, groups, len(names))
        rows.append(LiftRow(attribute, len(names), names, measures, unlabelled_count, mixing))
    coverage = view.compute_coverage(question, mask)
    return Answer(rows, coverage, view.find_warnings(question, coverage, mask))


def _find_pairs(
    flows: MemberFlows, question: Question, pairings: Sequence[Pairing]
) -> tuple[Ints, Ints]:
    """Members that are bound on a day of the window: the lower and the higher of each pair."""
    numbers = {name: number for number, name in enumerate(flows.ids)}
    pairs = {
        (numbers[each.a], numbers[each.b])
        for each in pairings
        if each.a in numbers
        and each.b in numbers
        and each.is_bound_in(question.from_day, question.to_day)
    }
    low, high = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    return low, high


def group_members(
    view: IdentityView, flows: MemberFlows, attribute: str
) -> tuple[tuple[str, ...], Ints]:
    """The values of an attribute, and the place of each member's among them."""
    labels = [_find_label(view, name, attribute) for name in flows.ids]
    names = tuple(sorted({label for label in labels if label}))
    places = {"": UNKNOWN_GROUP} | {name: place for place, name in enumerate(names)}
    return names, np.array([places[label] for label in labels], dtype=np.int64)


def _find_label(view: IdentityView, name: str, attribute: str) -> str:
    """The value of an organization; "" is unknown.

    Of several registered records, the first by id that has a value decides.
    """
    records = sorted(view.roster.get(name, ()), key=lambda each: each.organization_id)
    values = (get_attribute(record, attribute) for record in records)
    return next((value for value in values if value), "")
