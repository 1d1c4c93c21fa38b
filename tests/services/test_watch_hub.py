"""The hub: sharing, resume tokens, slow subscribers, and read models that go away or back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.watch_service_pb2 import (
    WATCH_EVENT_DELTA,
    WATCH_EVENT_PROGRESS,
    WATCH_EVENT_RESET,
    WATCH_EVENT_SNAPSHOT,
    WATCH_EVENT_SNAPSHOT_COMPLETE,
)
from services.ledger.errors import (
    ImpossibleQuestionError,
    InvalidResumeTokenError,
    LogUnavailableError,
    MutuaError,
    OverloadedError,
)
from services.ledger.question import Scope
from services.query.watch.register import WATCHES
from tests.projector.slab_projection import open_empty_store
from tests.services import facts
from tests.services.watch_scenario import (
    PATIENCE_SECONDS,
    QUICK,
    WatchScenario,
    offset_of,
    run_scenario,
)

STATES = sorted(name for name, watch in WATCHES.items() if not watch.is_list)


async def refuse(scenario: WatchScenario, rpc: str, **request: Any) -> MutuaError:
    """The error at the first message."""
    with pytest.raises(MutuaError) as refused:
        await anext(scenario.subscribe(rpc, **request))
    return refused.value


class TestSharing:
    def test_subscribers_of_one_question_get_the_same_message(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            scenario.record(facts.exchange("a", "b"))
            one, other = scenario.watch(), scenario.watch()
            assert await one.read() is await other.read()
            scenario.record(facts.exchange("a", "c"))
            deltas = [
                await each.read_until(lambda message: message.event == WATCH_EVENT_DELTA)
                for each in (one, other)
            ]
            assert deltas[0] is deltas[1]

        run_scenario(play, timing=replace(QUICK, progress_seconds=60))

    def test_slow_subscriber_gets_one_larger_step(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            scenario.record(facts.exchange("a", "b"))
            fast, slow = scenario.watch(), scenario.watch()
            await fast.read()
            await slow.read()
            for number in range(20):
                scenario.record(facts.exchange("a", f"c{number}"), facts.exchange("a", "b"))
                await fast.read_until(lambda each: each.event == WATCH_EVENT_DELTA)
            step = await slow.read()
            assert (step.event, step.position) == (WATCH_EVENT_DELTA, fast.state.position)
            assert slow.state.rows == fast.state.rows == await scenario.ask("WatchBalances")

        run_scenario(play)

    def test_feed_ends_with_its_last_subscriber(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            one, other = scenario.watch(), scenario.watch()
            await one.read()
            await other.read()
            assert scenario.hub.feed_count == 1
            await one.close()
            assert scenario.hub.feed_count == 1
            await other.close()
            assert scenario.hub.feed_count == 0

        run_scenario(play)

    def test_too_many_questions_are_refused(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            scenario.hub.max_feeds = 2
            watched = [scenario.watch(rpc) for rpc in ("WatchBalances", "WatchPairs")]
            for each in watched:
                await each.read()
            assert isinstance(await refuse(scenario, "WatchNetwork"), OverloadedError)
            await scenario.watch("WatchPairs").read()  # is watched already

        run_scenario(play)


class TestSnapshot:
    def test_large_snapshot_comes_in_messages_of_bounded_size(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            names = [f"{number}{'o' * 200}" for number in range(1_500)]
            scenario.record(*(facts.exchange("a", name) for name in names))
            watching = scenario.watch()
            first = await watching.read()
            assert (first.event, first.resume_token) == (WATCH_EVENT_SNAPSHOT, "")
            scenario.record(facts.exchange(names[0], names[1]))  # while the snapshot is sent
            sizes = [len(first.content)]
            while (message := await watching.read()).event == WATCH_EVENT_SNAPSHOT:
                sizes.append(len(message.content))
            assert message.event == WATCH_EVENT_SNAPSHOT_COMPLETE
            assert len(sizes) > 1
            assert max(*sizes, len(message.content)) < 1 << 18
            await watching.catch_up()
            assert watching.state.rows == await scenario.ask("WatchBalances")

        run_scenario(play)

    @pytest.mark.parametrize("rpc", sorted(WATCHES))
    def test_programme_without_facts_has_an_empty_one(self, rpc: str) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch(rpc)
            message = await watching.read()
            assert message.resume_token
            expected = {} if WATCHES[rpc].is_list else await scenario.ask(rpc)
            assert watching.state.rows == expected

        run_scenario(play)


class TestExchangesOfAnOrganization:
    def test_alias_adds_those_of_the_other_spelling(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch("WatchExchanges", question={"organization_ids": ["c"]})
            await watching.read()
            scenario.record(*(facts.exchange("other", "y") for _ in range(450)))
            scenario.record(facts.exchange("c", "y"), facts.alias("other", "c"))
            await watching.read_until(lambda _: len(watching.rows) > 1)
            assert len(watching.rows) < 451
            await watching.close()  # in the middle of what the alias adds
            watching.open()
            scenario.record(facts.exchange("other", "z"))
            await watching.catch_up()
            assert len(watching.rows) == 452
            assert watching.rows == await watching.ask()

        run_scenario(play)

    def test_progress_comes_soon_if_nothing_matches(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch("WatchExchanges", question={"organization_ids": ["c"]})
            await watching.read()
            scenario.record(facts.exchange("x", "y"))
            await watching.catch_up()
            assert not watching.rows

        run_scenario(play, timing=replace(QUICK, progress_seconds=10 * PATIENCE_SECONDS))

    def test_alias_that_waited_adds_when_it_takes_effect(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch("WatchExchanges", question={"organization_ids": ["c"]})
            await watching.read()
            scenario.record(facts.organization_update("c", aliases=["d", "e"]))
            scenario.record(facts.exchange("d", "y"), facts.exchange("x", "e"))
            await watching.catch_up()
            assert not watching.rows
            scenario.record(facts.registration("c"))
            await watching.catch_up()
            assert len(watching.rows) == 2
            assert watching.rows == await watching.ask()

        run_scenario(play)


class TestResume:
    @pytest.mark.parametrize("rpc", STATES)
    def test_same_state_is_not_sent_again(self, rpc: str) -> None:
        async def play(scenario: WatchScenario) -> None:
            scenario.record(facts.exchange("a", "b"))
            watching = scenario.watch(rpc)
            await watching.read()
            await watching.close()
            if rpc != "WatchStatus":  # which has the position of all programmes
                scenario.record(facts.exchange("x", "y"), programme="other")
            watching.open()
            message = await watching.read()
            assert message.event == WATCH_EVENT_PROGRESS
            assert offset_of(message.position) == scenario.log.end()

        run_scenario(play)

    def test_other_state_begins_with_a_reset(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            scenario.record(facts.exchange("a", "b"))
            watching = scenario.watch()
            await watching.read()
            await watching.close()
            scenario.record(facts.exchange("a", "c"))
            watching.open()
            messages = [await watching.read(), await watching.read()]
            assert [each.event for each in messages] == [
                WATCH_EVENT_RESET,
                WATCH_EVENT_SNAPSHOT_COMPLETE,
            ]
            assert watching.state.rows == await scenario.ask("WatchBalances")

        run_scenario(play)

    def test_exchanges_continue_where_they_ended(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch("WatchExchanges")
            await watching.read()
            await watching.close()
            events = [facts.exchange("a", "b"), facts.exchange("b", "c")]
            scenario.record(*events)
            watching.open()
            message = await watching.read_until(lambda each: each.event == WATCH_EVENT_DELTA)
            ids = [row.exchange_id for row in message.message.exchanges]
            assert ids == [event.event_id for event in events]

        run_scenario(play)

    def test_token_of_something_else_is_refused(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            token = (await scenario.watch().read()).resume_token
            other = Scope("someone-else")
            for rpc, text, scope, problem in (
                ("WatchPairs", token, Scope(), "another question"),
                ("WatchBalances", token, other, "another caller"),
                ("WatchBalances", token[:-2], Scope(), "damaged"),
                ("WatchBalances", "A" * 40, Scope(), "was not made by this mutua"),
                ("WatchBalances", "é", Scope(), "was not made by this mutua"),
            ):
                error = await refuse(scenario, rpc, resume_token=text, scope=scope)
                assert isinstance(error, InvalidResumeTokenError)
                assert problem in error.message
                assert [each.field for each in error.violations] == ["resume_token"]

        run_scenario(play)

    def test_token_is_valid_in_another_process_with_the_key_only(self) -> None:
        tokens: list[str] = []

        async def take(scenario: WatchScenario) -> None:
            tokens.append((await scenario.watch().read()).resume_token)

        async def use(scenario: WatchScenario) -> None:
            message = await anext(scenario.subscribe("WatchBalances", tokens[0]))
            assert message.event == WATCH_EVENT_PROGRESS

        async def fail(scenario: WatchScenario) -> None:
            error = await refuse(scenario, "WatchBalances", resume_token=tokens[0])
            assert error.reason == "RESUME_TOKEN_INVALID"

        run_scenario(take)
        run_scenario(use)
        run_scenario(fail, token_key=b"another key")
        run_scenario(fail, log_id="1" * 32)

    def test_known_at_is_refused(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            error = await refuse(
                scenario, "WatchBalances", question={"known_at": Timestamp(seconds=1)}
            )
            assert isinstance(error, ImpossibleQuestionError)
            assert [each.field for each in error.violations] == ["question.known_at"]

        run_scenario(play)


class TestStream:
    def test_ends_after_its_time_and_resumes(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            scenario.record(facts.exchange("a", "b"))
            watching = scenario.watch()
            await watching.read_to_end()
            watching.open()
            assert (await watching.read()).event == WATCH_EVENT_PROGRESS

        run_scenario(play, timing=replace(QUICK, max_stream_seconds=0.2))

    def test_ends_when_the_server_stops(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch()
            await watching.read()
            scenario.positions.stop_waiting()
            await watching.read_to_end()
            assert isinstance(await refuse(scenario, "WatchBalances"), LogUnavailableError)

        run_scenario(play)

    def test_log_that_was_replaced_refers_to_other_servers(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch("WatchStatus")
            await watching.read()
            scenario.log.is_replaced = True
            with pytest.raises(LogUnavailableError, match="another one"):
                await watching.read_to_end()

        run_scenario(play)

    def test_midnight_changes_the_day(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch()
            await watching.read()
            before = watching.state.basis.as_of_date.day
            scenario.pass_midnight()
            await watching.read_until(lambda each: each.event == WATCH_EVENT_DELTA)
            assert watching.state.basis.as_of_date.day == before + 1

        run_scenario(play)


class TestReadModels:
    @pytest.mark.parametrize("rpc", sorted(WATCHES))
    def test_state_never_goes_back(self, rpc: str) -> None:
        """The database is restored from a backup, and projected again."""

        async def play(scenario: WatchScenario) -> None:
            with open_empty_store() as backup:
                scenario.record(facts.exchange("a", "b"))
                scenario.project(backup)
                scenario.record(facts.exchange("a", "c"))
                watching, late = scenario.watch(rpc), scenario.watch(rpc)
                await watching.catch_up()
                await late.catch_up()
                await late.close()
                scenario.set_back(backup)
                late.open()  # waits until its state is there again
                for subscription in (watching, late):
                    message = await subscription.read()
                    assert message.event == WATCH_EVENT_PROGRESS
                scenario.project(backup)
                scenario.record(facts.exchange("a", "d"))
                for subscription in (watching, late):
                    await subscription.catch_up()
                    assert subscription.offsets == sorted(subscription.offsets)
                    if not WATCHES[rpc].is_list:
                        assert subscription.state.rows == await scenario.ask(rpc)

        run_scenario(play)

    def test_state_goes_back_with_a_log_that_lost_records(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            with open_empty_store() as rebuilt:
                scenario.record(facts.exchange("a", "b"))
                scenario.project(rebuilt)
                scenario.record(facts.exchange("a", "c"))
                watching = scenario.watch()
                await watching.catch_up()
                del scenario.log.records[1:]
                scenario.set_back(rebuilt)
                await watching.read_until(lambda each: each.event == WATCH_EVENT_DELTA)
                assert watching.state.rows == await scenario.ask("WatchBalances")

        run_scenario(play)

    def test_subscribers_stay_while_they_are_away(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch()
            await watching.read()
            scenario.database.is_away = True
            scenario.record(facts.exchange("a", "b"))
            with pytest.raises(LogUnavailableError):
                await anext(scenario.subscribe("WatchPairs"))
            scenario.database.is_away = False
            await watching.catch_up()
            assert watching.state.rows == await scenario.ask("WatchBalances")

        run_scenario(play)

    def test_switch_over_to_equal_read_models_sends_nothing(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            with open_empty_store() as rebuilt:
                scenario.record(facts.exchange("a", "b"))
                watching = scenario.watch()
                await watching.catch_up()
                scenario.project(rebuilt)
                scenario.set_back(rebuilt)
                for _ in range(5):
                    assert (await watching.read()).event == WATCH_EVENT_PROGRESS

        run_scenario(play)

    def test_progress_comes_while_they_are_away(self) -> None:
        async def play(scenario: WatchScenario) -> None:
            watching = scenario.watch()
            await watching.read()
            scenario.database.is_away = True
            scenario.record(facts.exchange("a", "b"))
            message = await watching.read()
            assert (message.event, offset_of(message.position)) == (WATCH_EVENT_PROGRESS, 0)

        run_scenario(play)
