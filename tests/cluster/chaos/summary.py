"""A run in a few lines: how long what took."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import ceil

from tests.cluster.chaos.rounds import ChaosRound, ChaosRun


def format_summary(found: ChaosRun, seconds: float) -> Iterator[str]:
    """A line for the whole, a table by victim and fault, and what was judged."""
    groups: dict[str, list[ChaosRound]] = defaultdict(list)
    for each in found.rounds:
        groups[f"{each.injection.kind}, {each.injection.fault}"].append(each)
    yield f"\n{len(found.rounds)} rounds in {seconds / 60:.0f} min"
    yield "| what | rounds | stall p50 | p99 | recovery p50 | p99 |"
    yield "|---|---|---|---|---|---|"
    for what, rounds in [*sorted(groups.items()), ("all", list(found.rounds))]:
        stalls = [each.stall_seconds for each in rounds]
        recoveries = [each.recovery_seconds for each in rounds]
        figures = [quantile(v, q) for v in (stalls, recoveries) for q in (0.5, 0.99)]
        yield f"| {what} | {len(rounds)} | " + " | ".join(f"{f:.1f} s" for f in figures) + " |"
    yield str(found.verdict)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all does not exceed."""
    return sorted(values)[ceil(share * len(values)) - 1]
