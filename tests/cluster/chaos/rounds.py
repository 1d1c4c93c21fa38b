"""Runs rounds: each injects a fault and waits until the cluster has recovered by itself."""

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
from tests.cluster.topics import read_ends

RECOVERY_SECONDS: Final = 60.0
"""Maximum recovery time of a round on an idle machine."""
_POLL_SECONDS: Final = 0.1


class RecoveryTimeoutError(AssertionError):
    """The cluster did not recover from a fault in time."""


@dataclass(frozen=True, slots=True)
class ChaosRound:
    """A fault and its effect.

    `recovery_seconds` is the time from the end of the fault to a recovered cluster, `stall_seconds`
    the longest time until an acknowledged fact was visible.
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
    """Runs the rounds of `faults.plan_injections` and checks the cluster afterwards.

    Raises AssertionError with the problem, the seed and the folder, which is kept then.
    """
    folder = Path(mkdtemp(prefix="mutua-chaos-"))
    folder.chmod(0o711)  # PostgreSQL may have to run as another user
    report(f"seed {seed}, {rounds} rounds, in {folder}")
    try:
        with closing(ChaosCluster(folder, session_seconds=session_seconds)) as cluster:
            cluster.start()
            run = _run(
                cluster, plan_injections(seed, rounds, only=only), seed, patience_seconds, report
            )
    except Exception as error:
        error.add_note(f"seed {seed}; the logs of the processes are in {folder / 'logs'}")
        raise
    shutil.rmtree(folder)
    return run


def _run(
    cluster: ChaosCluster,
    injections: Sequence[FaultInjection],
    seed: int,
    patience_seconds: float,
    report: Callable[[str], None],
) -> ChaosRun:
    rounds = []
    with (
        closing(ProcessClock()) as clock,
        closing(StallMonitor(cluster.store_url, clock)) as monitor,
    ):
        workload = ChaosWorkload(cluster.server, seed, monitor.note_acknowledged)
        runner = _RoundRunner(cluster, workload, monitor, clock, patience_seconds)
        with workload.run():
            runner.settle()
            for number, injection in enumerate(injections, 1):
                rounds.append(
                    runner.run_round(number, injection, random.Random(f"{seed} {number}"))
                )
                report(str(rounds[-1]))
        runner.settle(callers_continue=False)
    return ChaosRun(rounds, judge(cluster, workload))


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

    def run_round(self, number: int, injection: FaultInjection, dice: random.Random) -> ChaosRound:
        Event().wait(dice.uniform(0.5, 2.0))
        self._watch.take_stalls()
        try:
            injection.inject(self._cluster, injection.victim, dice)
            recovery_seconds = self.settle()
        except AssertionError as error:
            raise RecoveryTimeoutError(f"round {number}, {injection}: {error}") from None
        return ChaosRound(number, injection, recovery_seconds, max(self._watch.take_stalls()))

    def settle(self, *, callers_continue: bool = True) -> float:
        """Waits until the cluster has recovered, and returns the seconds it took.

        Then every process is ready, the log of now is projected and, if callers continue, each of
        them was answered again.
        """
        start, ends = self._clock.seconds(), self._read_ends()
        answer_counts = dict(self._load.answer_counts)
        while problems := self._find_problems(ends, answer_counts if callers_continue else {}):
            if self._load.violations:
                raise RecoveryTimeoutError("; ".join(self._load.violations[:5]))
            if self._clock.seconds() - start > self._patience_seconds:
                raise RecoveryTimeoutError(
                    f"after {self._patience_seconds:g} s still {'; '.join(problems)}"
                )
            Event().wait(_POLL_SECONDS)
        return self._clock.seconds() - start

    def _find_problems(self, ends: Sequence[int], earlier_counts: dict[str, int]) -> list[str]:
        counts, watermarks = dict(self._load.answer_counts), list(self._watch.watermarks)
        problems = [
            f"{name} is not answered" for name, n in earlier_counts.items() if counts[name] <= n
        ]
        problems += [
            f"partition {number} is at {watermarks[number]} of {ends[number]}"
            for number in range(PARTITIONS)
            if watermarks[number] < ends[number]
        ]
        return problems or [f"{name} is not ready" for name in self._cluster.find_unready()]

    def _read_ends(self) -> list[int]:
        deadline = self._clock.seconds() + self._patience_seconds
        while self._clock.seconds() < deadline:
            with suppress(LogUnavailableError):
                return read_ends(self._cluster.log)
        raise RecoveryTimeoutError(
            f"the broker does not answer within {self._patience_seconds:g} s"
        )
