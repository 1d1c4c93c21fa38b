"""Narrows lists to the organizations of `where`, which only analyses select by themselves."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mutua.v1.query_service_pb2 import Balance, Concentration, Direction, Node, Pair
from services.measures.pair_evidence import weigh_evidence
from services.report.answers import ReportAnswers


def narrow_to_subset(answers: ReportAnswers) -> ReportAnswers:
    """The answers with the ties among the members alone; unchanged without `where`.

    Members are those of the structure, which the server selected. Amounts are sums of their ties,
    so that they agree with the measures of the same members.
    """
    if not answers.question.where:
        return answers
    structure = answers.structure
    members = {each.organization_id for each in structure.reaches} | set(structure.isolate_ids)
    edges = tuple(
        each for each in answers.edges if each.giver_id in members and each.receiver_id in members
    )
    given, received, counts = (defaultdict[str, float](float) for _ in range(3))
    for edge in edges:
        given[edge.giver_id] += edge.weight
        received[edge.receiver_id] += edge.weight
        for party in (edge.giver_id, edge.receiver_id):
            counts[party] += edge.exchange_count
    nodes = tuple(
        Node(
            organization_id=each.organization_id,
            given=given[each.organization_id],
            received=received[each.organization_id],
            exchange_count=int(counts[each.organization_id]),
            isolate=each.isolate,
        )
        for each in answers.nodes
        if each.organization_id in members
    )
    balances = tuple(
        Balance(
            organization_id=each.organization_id,
            given=each.given,
            received=each.received,
            exchange_count=each.exchange_count,
            isolate=each.isolate,
        )
        for each in nodes
    )
    pairs = [
        each for each in answers.pairs if each.giver_id in members and each.receiver_id in members
    ]
    measures = answers.reciprocity
    concentrations = (
        _make_concentration(
            Direction.DIRECTION_GIVING, measures.gini_given, [given[each] for each in members]
        ),
        _make_concentration(
            Direction.DIRECTION_RECEIVING,
            measures.gini_received,
            [received[each] for each in members],
        ),
    )
    return replace(
        answers,
        nodes=nodes,
        edges=edges,
        balances=balances,
        pairs=tuple(_weigh_again(pairs)),
        concentrations=concentrations,
    )


def _weigh_again(pairs: Sequence[Pair]) -> Iterator[Pair]:
    """The pairs as a family of their own, on which q depends."""
    days = np.array([[each.given_days, each.received_days] for each in pairs], dtype=np.int64)
    days = days.reshape(-1, 2)
    evidence = weigh_evidence(days.max(axis=1, initial=0), days.sum(axis=1))
    for pair, q_value in zip(pairs, evidence.q_value, strict=True):
        result = Pair()
        result.CopyFrom(pair)
        if pair.HasField("q_value"):
            result.q_value = float(q_value)
        yield result


def _make_concentration(
    direction: Direction.ValueType, gini: float | None, amounts: list[float]
) -> Concentration:
    amounts = sorted(amounts)
    total = sum(amounts)
    result = Concentration(
        direction=direction, organization_count=len(amounts), total=total, gini=gini
    )
    if total and gini is not None:
        result.top_three_share = sum(amounts[-3:]) / total
        reached = 0.0
        for amount in [0.0, *amounts]:
            reached += amount
            result.lorenz.append(reached / total)
    return result
