"""Many questions about a programme: every rpc, every filter, every refusal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from typing import Any, Final

from mutua.v1 import analysis_service_pb2 as analysis_pb
from mutua.v1 import query_service_pb2 as pb
from mutua.v1 import types_pb2 as types

ORDERS: Final[Mapping[str, Sequence[str]]] = {
    "ListBalances": ("", "net desc, organization_id", "given_unknown_count desc, received"),
    "ListPairs": ("", "net desc", "direction_differs desc, given_days"),
    "GetNetwork": ("", "weight desc", "unknown_count, receiver_id desc"),
    "ListOrganizations": ("", "name", "last_exchange_date desc, registered"),
}
EXCHANGE_ORDERS: Final = ("occur_time desc", "occur_time")
PAGE_SIZES: Final = (0, 61, 400)
LENSES: Final = (pb.LENS_COUNT, pb.LENS_BURDEN, pb.LENS_ATTENTION, pb.LENS_BENEFIT)
ALLOCATIONS: Final = (pb.ALLOCATION_SPLIT, pb.ALLOCATION_FULL, pb.ALLOCATION_ONCE)
IDENTITIES: Final = (pb.IDENTITY_AS_NOW, pb.IDENTITY_RECORDED)
RPCS: Final = frozenset(
    method.name
    for service in (
        pb.DESCRIPTOR.services_by_name["QueryService"],
        analysis_pb.DESCRIPTOR.services_by_name["AnalysisService"],
    )
    for method in service.methods
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSubject:
    """What there is to ask about. The window begins and ends in the middle of a month."""

    programme_id: str
    from_date: types.Date
    to_date: types.Date
    organization_ids: Sequence[str]
    topics: Sequence[str] = ()


def generate_filters(subject: QuestionSubject) -> Iterator[dict[str, Any]]:
    """Parts of questions that choose exchanges and organizations."""
    window = {"from_date": subject.from_date, "to_date": subject.to_date}
    yield {}
    yield window
    yield {"to_date": subject.from_date, "population": pb.POPULATION_SEEN}
    yield {"from_date": subject.to_date, "kinds": [types.EXCHANGE_KIND_ADVICE]}
    yield {"formalities": [0, types.FORMALITY_INFORMAL], "population": pb.POPULATION_ACTIVE}
    yield {"topics": subject.topics, "kinds": types.ExchangeKind.values()[1:]}
    yield {
        **window,
        "organization_ids": subject.organization_ids,
        "population": pb.POPULATION_ROSTER,
    }


def generate_questions(subject: QuestionSubject) -> Iterator[pb.Question]:
    """Each lens with each allocation and identity, and in turn with each filter."""
    measures = product(LENSES, ALLOCATIONS, IDENTITIES)
    for (lens, allocation, identity), chosen in zip(measures, cycle(generate_filters(subject))):
        yield pb.Question(
            programme_id=subject.programme_id,
            lens=lens,
            allocation=allocation,
            identity=identity,
            as_of_date=subject.to_date,
            **chosen,
        )


def generate_requests(
    subject: QuestionSubject,
    exchange_ids: Sequence[str],
    *,
    exchange_orders: Sequence[str] = EXCHANGE_ORDERS,
) -> Iterator[tuple[str, Any]]:
    """Names of rpcs and what to ask them, answerable or not."""
    yield from generate_flow_requests(subject)
    yield from generate_analysis_requests(subject)
    yield from generate_evidence_requests(subject, exchange_ids, exchange_orders)
    programme: dict[str, Any] = {"programme_id": subject.programme_id}
    for size in (0, 7):
        yield "ListBatches", pb.ListBatchesRequest(**programme, page_size=size)
        yield "ListQuarantine", pb.ListQuarantineRequest(**programme, page_size=size)
    yield "GetProgramme", pb.GetProgrammeRequest(**programme)
    yield "GetPairings", pb.GetPairingsRequest(**programme)
    yield "GetStatus", pb.GetStatusRequest(**programme)
    yield from generate_refused_requests(subject)


def generate_flow_requests(subject: QuestionSubject) -> Iterator[tuple[str, Any]]:
    """Answers that add up."""
    turns = {name: cycle(product(PAGE_SIZES, orders)) for name, orders in ORDERS.items()}
    for question in generate_questions(subject):
        for name, turn in turns.items():
            size, order = next(turn)
            request = getattr(pb, f"{name}Request")
            yield name, request(question=question, page_size=size, order_by=order)
        yield "GetConcentration", pb.GetConcentrationRequest(question=question)
        for name in subject.organization_ids:
            yield "GetBalance", pb.GetBalanceRequest(question=question, organization_id=name)


def generate_analysis_requests(subject: QuestionSubject) -> Iterator[tuple[str, Any]]:
    """The families of the asymmetry of reciprocity, and what they refuse."""
    measures = cycle(product(LENSES, IDENTITIES, analysis_pb.Period.values()))
    wheres = cycle(([], [pb.AttributeFilter(attribute="sector", value="acute")]))
    for number, chosen in enumerate(generate_filters(subject)):
        lens, identity, period = next(measures)
        question = pb.Question(
            programme_id=subject.programme_id,
            lens=lens,
            identity=identity,
            as_of_date=subject.to_date,
            where=next(wheres),
            **chosen,
        )
        series: dict[str, Any] = {"question": question, "period": period, "seed": number}
        yield "GetReciprocity", analysis_pb.GetReciprocityRequest(**series)
        yield "GetLatency", analysis_pb.GetLatencyRequest(**series)
        yield "GetLift", analysis_pb.GetLiftRequest(question=question, seed=number)
        by_topic = number % 2 == 1
        yield "GetStructure", analysis_pb.GetStructureRequest(question=question, by_topic=by_topic)
        yield "GetGraph", analysis_pb.GetGraphRequest(question=question, roles_by="region")
        for name in (*subject.organization_ids, "nobody"):
            yield (
                "GetWhatIf",
                analysis_pb.GetWhatIfRequest(
                    question=question, organization_id=name, by_topic=by_topic
                ),
            )
        yield "ListTopicAsymmetry", analysis_pb.ListTopicAsymmetryRequest(question=question)
        yield "ListAsymmetry", analysis_pb.ListAsymmetryRequest(question=question, page_size=20)
        # What is paid back takes milliseconds a pair, and programmes have thousands of pairs.
        question.organization_ids[:] = subject.organization_ids
        yield (
            "ListAsymmetry",
            analysis_pb.ListAsymmetryRequest(question=question, page_size=20, every_pair=True),
        )
    unknown = pb.AttributeFilter(attribute="regoin", value="North")
    for wrong in ({"where": [unknown]}, {"allocation": pb.ALLOCATION_FULL}, {"half_life_days": 9}):
        question = pb.Question(programme_id=subject.programme_id, **wrong)
        yield "GetReciprocity", analysis_pb.GetReciprocityRequest(question=question)


def generate_evidence_requests(
    subject: QuestionSubject, exchange_ids: Sequence[str], orders: Sequence[str]
) -> Iterator[tuple[str, Any]]:
    """Exchanges, whole and chosen."""
    turn = cycle(["", *orders])
    for number, chosen in enumerate(generate_filters(subject)):
        question = pb.Question(programme_id=subject.programme_id, **chosen)
        yield (
            "ListExchanges",
            pb.ListExchangesRequest(
                question=question,
                page_size=3_000 + number,
                order_by=next(turn),
                standing_only=number % 2 == 1,
            ),
        )
    question = pb.Question(programme_id=subject.programme_id)
    for size in (0, 3):
        yield (
            "ListExchanges",
            pb.ListExchangesRequest(question=question, page_size=size, possible_doubles=True),
        )
    for name in subject.organization_ids:
        for giver_id, receiver_id in ((name, ""), ("", name)):
            yield (
                "ListExchanges",
                pb.ListExchangesRequest(
                    question=question,
                    standing_only=True,
                    giver_id=giver_id,
                    receiver_id=receiver_id,
                ),
            )
    for order in orders:
        yield (
            "ListExchanges",
            pb.ListExchangesRequest(
                question=question,
                page_size=2,
                order_by=order,
                exchange_ids=exchange_ids,
            ),
        )
    for exchange_id in exchange_ids:
        yield (
            "GetExchange",
            pb.GetExchangeRequest(programme_id=subject.programme_id, exchange_id=exchange_id),
        )


def generate_refused_requests(subject: QuestionSubject) -> Iterator[tuple[str, Any]]:
    """What cannot be answered, each for a reason of its own."""
    programme: dict[str, Any] = {"programme_id": subject.programme_id}
    for wrong in _wrong_questions(subject):
        yield "ListBalances", pb.ListBalancesRequest(question=pb.Question(**wrong))
    question = pb.Question(**programme)
    wrong_ones: tuple[dict[str, Any], ...] = (
        {"page_size": -1},
        {"page_token": "e30"},
        {"order_by": "gross"},
        {"min_position": "here"},
    )
    for wrong in wrong_ones:
        yield "ListPairs", pb.ListPairsRequest(question=question, **wrong)
    other_log = f"{'0' * 32}.0.0"
    yield "GetStatus", pb.GetStatusRequest(**programme, min_position=other_log)
    yield "GetBalance", pb.GetBalanceRequest(question=question, organization_id="nobody")
    yield "GetExchange", pb.GetExchangeRequest(**programme, exchange_id="none")
    many = [str(number) for number in range(10_001)]
    yield "ListExchanges", pb.ListExchangesRequest(question=question, exchange_ids=many)
    yield "ListQuarantine", pb.ListQuarantineRequest(**programme, offsets=range(10_001))


def _wrong_questions(subject: QuestionSubject) -> Iterator[dict[str, Any]]:
    programme: dict[str, Any] = {"programme_id": subject.programme_id}
    yield {"programme_id": ""}
    yield {**programme, "kinds": [types.EXCHANGE_KIND_UNSPECIFIED]}
    yield {**programme, "from_date": subject.to_date, "to_date": subject.from_date}
    yield {**programme, "from_date": types.Date(year=2021, month=13, day=1)}
    yield {**programme, "lens": 99}
    yield {**programme, "topics": [""]}
    yield {**programme, "identity": pb.IDENTITY_AS_WAS}
    yield {**programme, "report_view": pb.REPORT_VIEW_CONFIRMED}
    yield {**programme, "basis": pb.BASIS_RECORDED}
    yield {**programme, "where": [pb.AttributeFilter(attribute="region", value="Y55")]}
