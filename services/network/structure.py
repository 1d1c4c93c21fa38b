"""The structure of a programme: triads, components, reach, newcomers, and what one would take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from services.ledger.question import NO_KNOWN_AMOUNT, Answer, Question
from services.ledger.times import Day, Month
from services.measures.flow_graph import Ints
from services.measures.reciprocity import Checkpoint
from services.measures.structure import (
    Components,
    Loss,
    count_components,
    find_fan_out,
    find_sole_sources,
    measure_loss,
)
from services.measures.triad_census import count_triads
from services.network.confirmed_isolates import find_confirmed_isolates
from services.network.identity_view import IdentityView
from services.network.member_flows import MemberFlows
from services.network.topic_parts import TopicPart, find_basis, split_by_topic

METRIC_VERSION: Final = 1
"""Version of these definitions; numbers of different versions are not comparable."""
NO_WINDOW_START: Final = "NO_WINDOW_START"
"""Nothing is before a window without a first day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """With how many others an organization has ties."""

    organization_id: str
    fan_out: int
    """To how many it gave."""
    source_count: int
    """From how many it received."""
    sole_receiver_count: int
    """How many received from it alone."""
    only_source_id: str | None
    """The only one it received from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Who came and who stopped; days by organization, ascending by id."""

    newcomers: Mapping[str, Day]
    """Organizations whose first exchange is in the window, with its day."""
    stopped: Mapping[str, Day]
    """Organizations with exchanges before the window and none in it, with the last day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureRow:
    """The structure of the ties on one topic; "" is all."""

    topic: str
    organization_count: int
    tie_count: int
    triads: Mapping[str, int]
    components: Components
    reaches: tuple[Reach, ...]
    """Of every organization with a tie, by id."""
    isolates: tuple[str, ...]
    """Organizations without an exchange of any kind in the window, by id."""
    confirmed_isolates: tuple[str, ...]
    """Isolates that had nothing to report in every month of the window."""
    movement: Movement | None
    """None without a window start."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why measures are absent."""
        return (NO_WINDOW_START,) if self.movement is None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRow:
    """What ends on one topic if an organization stops; "" is all. Amounts in millionths."""

    topic: str
    organization_id: str
    loss: Loss
    total: int
    fan_out: int
    source_count: int
    receivers_without_source: tuple[str, ...]
    separated: tuple[str, ...]

    @property
    def share(self) -> float | None:
        """The part of the whole flow that ends; None where `reasons` says why."""
        return (self.loss.given + self.loss.received) / self.total if self.total else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the share is absent."""
        return () if self.total else (NO_KNOWN_AMOUNT,)


def compute_structure(
    view: IdentityView,
    question: Question,
    *,
    by_topic: bool = False,
    reports_of_nothing: Sequence[tuple[str, Month]] = (),
    checkpoint: Checkpoint = lambda: None,
) -> Answer[StructureRow]:
    """One row for all ties, and with `by_topic` one for each topic.

    `reports_of_nothing` confirm isolates; see `find_confirmed_isolates`. A topic's row equals that
    of the same question about this topic alone. Raises ImpossibleQuestionError as `MemberFlows.of`
    and `split_by_topic` do.
    """
    rows = []
    for part in split_by_topic(view, question, by_topic=by_topic):
        checkpoint()
        rows.append(_compute_row(view, part, reports_of_nothing))
    return Answer(rows, *find_basis(view, question, by_topic=by_topic))


def compute_what_if(
    view: IdentityView,
    question: Question,
    organization_id: str,
    *,
    by_topic: bool = False,
    checkpoint: Checkpoint = lambda: None,
) -> Answer[LossRow]:
    """What ends if an organization stops: in all, and with `by_topic` on each of its topics.

    The organization, which must be one of the view's, is taken into the population. Raises
    ImpossibleQuestionError as `compute_structure` does.
    """
    rows = []
    for part in split_by_topic(view, question, by_topic=by_topic):
        checkpoint()
        row = _compute_loss(view, part, organization_id)
        if not part.topic or row.fan_out or row.source_count:
            rows.append(row)
    return Answer(rows, *find_basis(view, question, by_topic=by_topic))


def select_rows(view: IdentityView, question: Question, row: StructureRow) -> StructureRow:
    """The row with the entries of requested organizations alone; counts are those of all.

    It does not change a row of a question without organizations.
    """
    requested_ids = view.resolve_requested_ids(question)
    if not requested_ids:
        return row

    def select(days: Mapping[str, Day]) -> Mapping[str, Day]:
        return {name: day for name, day in days.items() if name in requested_ids}

    movement = row.movement
    return replace(
        row,
        reaches=tuple(
            reach
            for reach in row.reaches
            if not requested_ids.isdisjoint((reach.organization_id, reach.only_source_id))
        ),
        isolates=tuple(name for name in row.isolates if name in requested_ids),
        confirmed_isolates=tuple(name for name in row.confirmed_isolates if name in requested_ids),
        movement=movement
        and Movement(newcomers=select(movement.newcomers), stopped=select(movement.stopped)),
    )


def _compute_row(
    view: IdentityView, part: TopicPart, reports_of_nothing: Sequence[tuple[str, Month]]
) -> StructureRow:
    flows = MemberFlows.of(view, part.question, part.mask)
    graph = flows.graph
    is_isolate = view.find_isolates(part.question, view.find_parties(part.mask))
    isolates = _name(flows, np.flatnonzero(is_isolate[flows.numbers]))
    return StructureRow(
        topic=part.topic,
        organization_count=graph.size,
        tie_count=len(graph.giver),
        triads=count_triads(graph),
        components=count_components(graph),
        reaches=_list_reaches(flows),
        isolates=isolates,
        confirmed_isolates=find_confirmed_isolates(
            view, part.question, isolates, reports_of_nothing
        ),
        movement=_find_movement(view, part),
    )


def _list_reaches(flows: MemberFlows) -> tuple[Reach, ...]:
    fan_out, source_count = find_fan_out(flows.graph)
    receiver, source = find_sole_sources(flows.graph)
    only_source = dict(zip(receiver.tolist(), source.tolist(), strict=True))
    sole_receiver_count = np.bincount(source, minlength=flows.graph.size)
    return tuple(
        Reach(
            organization_id=flows.ids[member],
            fan_out=int(fan_out[member]),
            source_count=int(source_count[member]),
            sole_receiver_count=int(sole_receiver_count[member]),
            only_source_id=flows.ids[only_source[member]] if member in only_source else None,
        )
        for member in np.flatnonzero(fan_out + source_count).tolist()
    )


def _find_movement(view: IdentityView, part: TopicPart) -> Movement | None:
    """Who came and who stopped, among organizations with an exchange that the filters select."""
    question = part.question
    if question.from_day is None:
        return None
    earlier = replace(question, from_day=None, to_day=question.from_day)
    before, during = (
        view.find_day_ranges(mask) for mask in (view.select_exchanges(earlier), part.mask)
    )
    parties = view.index.make_flags([view.index.numbers[name] for name in {*before, *during}])
    candidates = view.find_population(question, parties) & view.find_subset(question)
    ids = sorted(view.index.ids[np.flatnonzero(candidates)].tolist())
    return Movement(
        newcomers={name: during[name][0] for name in ids if name in during and name not in before},
        stopped={name: before[name][1] for name in ids if name in before and name not in during},
    )


def _compute_loss(view: IdentityView, part: TopicPart, organization_id: str) -> LossRow:
    number = view.index.numbers[organization_id]
    flows = MemberFlows.of(view, part.question, part.mask, additional_number=number)
    member = int(flows.place[number])
    loss = measure_loss(flows.graph, member)
    fan_out, source_count = find_fan_out(flows.graph)
    return LossRow(
        topic=part.topic,
        organization_id=organization_id,
        loss=loss,
        total=flows.graph.total,
        fan_out=int(fan_out[member]),
        source_count=int(source_count[member]),
        receivers_without_source=_name(flows, loss.receivers_without_source),
        separated=_name(flows, loss.separated),
    )


def _name(flows: MemberFlows, members: Ints) -> tuple[str, ...]:
    return tuple(flows.ids[member] for member in members.tolist())
