"""The spelling of an organization changes no number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn as Draw

from mutua.v1.event_pb2 import Event, ExchangeContent
from services.ledger.enums import Allocation, Identity, Lens
from services.ledger.question import Question
from services.network import balances, concentration, network, pairs
from services.network.identity_view import IdentityView
from tests.network.column_history import advance_by_slabs
from tests.reports import report
from tests.strategies import PROGRAMME, event_id, slab_cuts

SPELLINGS = {
    "alder": ("alder", "Alder Trust", "AT"),
    "birch": ("birch", "Zed"),
    "cedar": ("cedar", "a cedar"),
    "damson": ("damson",),
}
"""Some sort before all organizations, some after."""
MINUTES = (None, 0, 1, 7, 100)


@st.composite
def spelled_and_plain(draw: Draw) -> tuple[list[Event], list[Event]]:
    """Exchanges under various spellings, and the same exchanges between organizations."""
    spelled, plain = [], []
    for number in range(draw(st.integers(1, 7))):
        names = draw(st.permutations(list(SPELLINGS)))
        giver_count = draw(st.integers(1, 2))
        receivers = [] if draw(st.integers(0, 4)) == 0 else names[giver_count:]
        receivers = receivers[: draw(st.integers(1, 3))]
        givers = names[: giver_count if receivers else 2]
        event = report(number, ";".join(givers), ";".join(receivers), by="centre")
        _add_minutes(draw, event.exchange_recorded.exchange)
        plain.append(event)
        other = Event()
        other.CopyFrom(event)
        content = other.exchange_recorded.exchange
        for ids in (content.giver_ids, content.receiver_ids, content.party_ids):
            ids[:] = sorted(spelling for name in ids for spelling in draw(_spellings(name)))
        spelled.append(other)
    return spelled, plain


def _add_minutes(draw: Draw, content: ExchangeContent) -> None:
    fields = ["giver_minutes"] if content.party_ids else ["giver_minutes", "receiver_minutes"]
    for field in fields:
        if (minutes := draw(st.sampled_from(MINUTES))) is not None:
            setattr(content, field, minutes)


def _spellings(name: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(SPELLINGS[name]), min_size=1, unique=True)


@settings(max_examples=60, deadline=None)
@given(events=spelled_and_plain(), roster_first=st.booleans(), data=st.data())
def test_alias_spelling_changes_no_figure(
    *, events: tuple[list[Event], list[Event]], roster_first: bool, data: st.DataObject
) -> None:
    spelled, plain = events
    aliases = _aliases(len(spelled))
    log = [*aliases, *spelled] if roster_first else [*spelled, *aliases]
    *_, (whole, frames) = advance_by_slabs(log, data.draw(slab_cuts(len(log))))
    *_, (expected, _) = advance_by_slabs([*aliases, *plain], [])
    for view in (IdentityView(whole, Identity.AS_NOW), frames[Identity.AS_NOW]):
        assert _answers(view) == _answers(IdentityView(expected, Identity.AS_NOW))


def _aliases(first: int) -> list[Event]:
    events: list[Event] = []
    for name, spellings in SPELLINGS.items():
        for spelling in spellings[1:]:
            event = Event(event_id=event_id(first + len(events)), programme_id=PROGRAMME)
            event.alias_added.alias, event.alias_added.organization_id = spelling, name
            events.append(event)
    return events


def _answers(view: IdentityView) -> list[Any]:
    """The answers to every question about all exchanges."""
    answers: list[Any] = []
    for lens in Lens:
        question = Question(programme_id=PROGRAMME, lens=lens)
        for allocation in (Allocation.SPLIT, Allocation.ONCE):
            allocated_question = replace(question, allocation=allocation)
            answer = balances.compute_balances(view, allocated_question)
            answers += [list(answer.rows), answer.coverage, answer.warnings]
            answers.append(list(concentration.compute_concentration(view, allocated_question).rows))
        for allocation in (Allocation.SPLIT, Allocation.FULL):
            allocated_question = replace(question, allocation=allocation)
            graph = network.compute_network(view, allocated_question)
            answers += [
                list(pairs.compute_pairs(view, allocated_question).rows),
                list(graph.rows),
                list(graph.nodes),
            ]
    return answers
