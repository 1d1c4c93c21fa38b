"""Formats a chaos run: times by victim and fault, and the verdict."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import ceil

from tests.cluster.chaos.rounds import ChaosRound, ChaosRun


def format_summary(run: ChaosRun, seconds: float) -> Iterator[str]:
    """Yields a line for the whole run, a table by victim and fault, and the verdict."""
    groups: dict[str, list[ChaosRound]] = defaultdict(list)
    for chaos_round in run.rounds:
        groups[f"{chaos_round.injection.kind}, {chaos_round.injection.fault}"].append(chaos_round)
    yield f"\n{len(run.rounds)} rounds in {seconds / 60:.0f} min"
    yield "| what | rounds | stall p50 | p99 | recovery p50 | p99 |"
    yield "|---|---|---|---|---|---|"
    for what, rounds in [*sorted(groups.items()), ("all", list(run.rounds))]:
        stalls = [chaos_round.stall_seconds for chaos_round in rounds]
        recoveries = [chaos_round.recovery_seconds for chaos_round in rounds]
        figures = [quantile(v, q) for v in (stalls, recoveries) for q in (0.5, 0.99)]
        yield f"| {what} | {len(rounds)} | " + " | ".join(f"{f:.1f} s" for f in figures) + " |"
    yield str(run.verdict)


def quantile(values: Sequence[float], share: float) -> float:
    """Returns the smallest value that a share of all values does not exceed."""
    return sorted(values)[ceil(share * len(values)) - 1]
