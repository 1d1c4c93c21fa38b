"""One round after the other: something is broken, and everything comes back by itself."""

import random
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from threading import Event
from typing import Final

from services.ledger.errors import LogUnavailableError
from tests.cluster.chaos.chaos_cluster import PARTITIONS, ChaosCluster
from tests.cluster.chaos.clock import ProcessClock
from tests.cluster.chaos.faults import FaultInjection, plan_injections
from tests.cluster.chaos.stall_monitor import StallMonitor
from tests.cluster.chaos.verdict import Verdict, judge
from tests.cluster.chaos.workload import ChaosWorkload

RECOVERY_SECONDS: Final = 60.0
"""What a round may take once the fault is over, on a machine that has nothing else to do."""
_LOOK_SECONDS: Final = 0.1


class RecoveryTimeoutError(AssertionError):
    """A round did not end."""


@dataclass(frozen=True, slots=True)
class ChaosRound:
    """`recovery_seconds` after the fault was over everything was as before; `stall_seconds` is the
    longest that anything acknowledged was not visible.
    """

    number: int
    injection: FaultInjection
    recovery_seconds: float
    stall_seconds: float

    def __str__(self) -> str:
        return (
            f"round {self.number:3}  {self.injection!s:45} recovered in "
            f"{self.recovery_seconds:5.1f} s"
            f"  longest stall {self.stall_seconds:5.1f} s"
        )


@dataclass(frozen=True, slots=True)
class ChaosRun:
    rounds: Sequence[ChaosRound]
    verdict: Verdict


def run_rounds(
    *,
    rounds: int,
    seed: int,
    session_seconds: float,
    patience_seconds: float = RECOVERY_SECONDS,
    only: str = "",
    report: Callable[[str], None],
) -> ChaosRun:
    """Plays the rounds of a plan and judges what they left; see `victims.plan`.

    Raises AssertionError with what is wrong, the seed and the folder, which stays then.
    """
    folder = Path(mkdtemp(prefix="mutua-chaos-"))
    folder.chmod(0o711)  # PostgreSQL may have to run as another user
    report(f"seed {seed}, {rounds} rounds, in {folder}")
    try:
        with closing(ChaosCluster(folder, session_seconds=session_seconds)) as cluster:
            cluster.start()
            found = _run(
                cluster, plan_injections(seed, rounds, only=only), seed, patience_seconds, report
            )
    except Exception as error:
        error.add_note(f"seed {seed}; what the processes said is in {folder / 'logs'}")
        raise
    shutil.rmtree(folder)
    return found


def _run(
    cluster: ChaosCluster,
    choices: Sequence[FaultInjection],
    seed: int,
    patience_seconds: float,
    say: Callable[[str], None],
) -> ChaosRun:
    played = []
    with closing(ProcessClock()) as clock, closing(StallMonitor(cluster.store_url, clock)) as watch:
        load = ChaosWorkload(cluster.server, seed, watch.note_acknowledged)
        game = _RoundRunner(cluster, load, watch, clock, patience_seconds)
        with load.run():
            game.settle()
            for number, choice in enumerate(choices, 1):
                played.append(game.play(number, choice, random.Random(f"{seed} {number}")))
                say(str(played[-1]))
        game.settle(goes_on=False)
    return ChaosRun(played, judge(cluster, load))


class _RoundRunner:
    def __init__(
        self,
        cluster: ChaosCluster,
        load: ChaosWorkload,
        watch: StallMonitor,
        clock: ProcessClock,
        patience_seconds: float,
    ) -> None:
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._cluster = cluster
        self._load = load
        self._watch = watch

    def play(self, number: int, choice: FaultInjection, dice: random.Random) -> ChaosRound:
        Event().wait(dice.uniform(0.5, 2.0))
        self._watch.take_stalls()
        try:
            choice.inject(self._cluster, choice.victim, dice)
            recovery_seconds = self.settle()
        except AssertionError as error:
            raise RecoveryTimeoutError(f"round {number}, {choice}: {error}") from None
        return ChaosRound(number, choice, recovery_seconds, max(self._watch.take_stalls()))

    def settle(self, *, goes_on: bool = True) -> float:
        """Waits until all are ready, everything that is on the log now is projected and, where it
        goes on, every caller is answered again; how long that took.
        """
        start, ends = self._clock.seconds(), self._ends()
        answered = dict(self._load.answer_counts)
        while missing := self._missing(ends, answered if goes_on else {}):
            if self._load.violations:
                raise RecoveryTimeoutError("; ".join(self._load.violations[:5]))
            if self._clock.seconds() - start > self._patience_seconds:
                raise RecoveryTimeoutError(
                    f"after {self._patience_seconds:g} s still {'; '.join(missing)}"
                )
            Event().wait(_LOOK_SECONDS)
        return self._clock.seconds() - start

    def _missing(self, ends: Sequence[int], answered: dict[str, int]) -> list[str]:
        counts, watermarks = dict(self._load.answer_counts), list(self._watch.watermarks)
        missing = [f"{name} is not answered" for name, n in answered.items() if counts[name] <= n]
        missing += [
            f"partition {number} is at {watermarks[number]} of {ends[number]}"
            for number in range(PARTITIONS)
            if watermarks[number] < ends[number]
        ]
        return missing or [f"{name} is not ready" for name in self._cluster.find_unready()]

    def _ends(self) -> list[int]:
        deadline = self._clock.seconds() + self._patience_seconds
        while self._clock.seconds() < deadline:
            with suppress(LogUnavailableError), self._cluster.open_log() as log:
                return [log.get_partition(number).end() for number in range(PARTITIONS)]
        raise RecoveryTimeoutError(
            f"the broker does not answer within {self._patience_seconds:g} s"
        )
