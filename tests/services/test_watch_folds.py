"""Folding a watch equals the question, whatever happens to facts, streams and read models."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack

from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1.event_pb2 import Event
from services.query.watch.register import WATCHES
from tests.projector.slab_projection import open_empty_store
from tests.services import facts
from tests.services.watch_scenario import Subscription, WatchScenario, run_scenario

ORGANIZATIONS = "abcdef"


class Play:
    """A random history: facts, streams that break, slow subscribers, read models that change."""

    def __init__(self, scenario: WatchScenario, resources: ExitStack, seed: int) -> None:
        self._scenario = scenario
        self._resources = resources
        self._random = random.Random(seed)
        self._exchanges: list[Event] = []
        self._backup = resources.enter_context(open_empty_store())

    def record(self) -> None:
        """A few facts: exchanges, corrections, retractions, registrations and late aliases."""
        choose = self._random.choice
        events: list[Event] = []
        for _ in range(self._random.randint(1, 4)):
            pair = self._random.sample(ORGANIZATIONS, 2)
            match self._random.randint(0, 9):
                case 0 if self._exchanges:
                    events.append(facts.retraction(choose(self._exchanges)))
                case 1 if self._exchanges:
                    events.append(
                        facts.correction(choose(self._exchanges), receiver=choose(ORGANIZATIONS))
                    )
                case 2:
                    events.append(facts.alias(*pair))
                case 3:
                    events.append(facts.registration(pair[0]))
                case 5:
                    events.append(facts.organization_update(pair[0], aliases=pair[1:]))
                case 4:
                    events.append(facts.joint_exchange(*pair))
                case _:
                    self._exchanges.append(facts.exchange(*pair, minutes=30))
                    events.append(self._exchanges[-1])
        self._scenario.record(*events)

    def record_elsewhere(self) -> None:
        self._scenario.record(facts.exchange("x", "y"), programme="other")

    def back_up(self) -> None:
        self._scenario.project(self._backup)

    def restore(self) -> None:
        """The database goes back to the backup, and is projected again."""
        self._scenario.set_back(self._backup)
        self._backup = self._resources.enter_context(open_empty_store())
        self._scenario.project(self._scenario.database.store)

    def rebuild(self) -> None:
        rebuilt = self._resources.enter_context(open_empty_store())
        self._scenario.project(rebuilt)
        self._scenario.set_back(rebuilt)

    def pass_midnight(self) -> None:
        self._scenario.pass_midnight()


EVENTS: list[Callable[[Play], None]] = [
    *[Play.record] * 4,
    Play.record_elsewhere,
    Play.back_up,
    Play.restore,
    Play.rebuild,
    Play.pass_midnight,
]


async def follow(subscription: Subscription, chance: random.Random) -> None:
    """Reads some messages, or none, and perhaps loses the connection."""
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        await subscription.read()
    if chance.random() < 0.3:
        await subscription.close()
        subscription.open()


@settings(max_examples=10, deadline=None)
@given(events=st.lists(st.sampled_from(EVENTS), max_size=10), seed=st.integers(0, 1 << 32))
def test_fold_of_every_watch_equals_its_question(
    events: list[Callable[[Play], None]], seed: int
) -> None:
    async def play(scenario: WatchScenario) -> None:
        chance = random.Random(seed)
        with ExitStack() as resources:
            history = Play(scenario, resources, seed)
            subscriptions = [scenario.watch(rpc) for rpc in (*WATCHES, *WATCHES)]
            for name in ORGANIZATIONS[:2]:
                question = {"organization_ids": [name]}
                subscriptions.append(scenario.watch("WatchExchanges", question=question))
            for subscription in subscriptions:
                await subscription.read()
            for happen in events:
                happen(history)
                for subscription in subscriptions:
                    await follow(subscription, chance)
            for subscription in subscriptions:
                await subscription.catch_up()
                assert subscription.rows == await subscription.ask()
                assert subscription.offsets == sorted(subscription.offsets)
                await subscription.close()

    run_scenario(play)
