"""Faults of processes and links, and the plan of a run. An injector returns after the fault."""

import os
import random
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from tests.cluster.broker import pause
from tests.cluster.chaos.chaos_cluster import LINKS, PROCESSES, ChaosCluster
from tests.cluster.chaos.proxy import LinkFault
from tests.cluster.service_process import find_descendants
from tests.waiting import wait_until

Injector = Callable[[ChaosCluster, str, random.Random], None]
Item = TypeVar("Item")
_BEYOND_SECONDS: Final = 2.0
_DELAYS: Final = (0.05, 0.3, 1.0)
_START_SECONDS: Final = 3.0
"""Most steps of a start happen within this time."""


@dataclass(frozen=True, slots=True)
class FaultInjection:
    """A fault of a process, or of a link that is named by both ends."""

    victim: str
    fault: str
    inject: Injector

    @property
    def kind(self) -> str:
        return "network" if self.victim in LINKS else self.victim.partition("-")[0]

    def __str__(self) -> str:
        return f"{self.victim}: {self.fault}"


def kill(cluster: ChaosCluster, name: str, dice: random.Random) -> None:
    """Kills a process, as kill -9 or a power cut does."""
    _signal(cluster, name, signal.SIGKILL)


def restart(cluster: ChaosCluster, name: str, dice: random.Random) -> None:
    """Stops a process as a deployment does, however long that takes."""
    _stop(cluster, name)


def freeze(cluster: ChaosCluster, name: str, dice: random.Random) -> None:
    """Stops a process until others have taken over, and lets it continue."""
    pids = [cluster.find_process(name).pid]
    _send(pids, signal.SIGSTOP)
    pids += find_descendants(pids[0])  # a stopped process starts no others
    _send(pids, signal.SIGSTOP)
    pause(cluster.session_seconds + dice.uniform(0.5, _BEYOND_SECONDS))
    _send(pids, signal.SIGCONT)


def stop_during_startup(cluster: ChaosCluster, name: str, dice: random.Random) -> None:
    """Kills a process and stops it again during its next start."""
    before = _signal(cluster, name, signal.SIGKILL)
    wait_until(
        lambda: cluster.find_process(name).pid not in (0, before), f"{name} is started again"
    )
    pause(dice.uniform(0.0, _START_SECONDS))
    _stop(cluster, name)


def _link_fault(fault: LinkFault) -> Injector:
    def fail(cluster: ChaosCluster, link: str, dice: random.Random) -> None:
        """Lasts for a moment or for longer than the session of a consumer."""
        longest = dice.choice((2.0, cluster.session_seconds + _BEYOND_SECONDS))
        cluster.links[link].fail(fault, delay_seconds=dice.choice(_DELAYS))
        pause(dice.uniform(0.5, longest))
        cluster.links[link].heal()

    return fail


PROCESS_FAULTS: Final[Mapping[str, Injector]] = {
    "kill -9": kill,
    "freeze": freeze,
    "restart": restart,
    "SIGTERM in start-up": stop_during_startup,
}
LINK_FAULTS: Final[Mapping[str, Injector]] = {str(fault): _link_fault(fault) for fault in LinkFault}


def plan_injections(seed: int, rounds: int, *, only: str = "") -> list[FaultInjection]:
    """Returns the injection of each round.

    Every kind of victim comes equally often, the network twice as often. Within a kind, every
    victim and fault comes before any is repeated. `only` restricts injections to those whose text
    contains it.
    """
    dice = random.Random(seed)
    decks: dict[str, Iterator[FaultInjection]] = {}
    for kind, injections in _list_injections().items():
        selection = [injection for injection in injections if only in str(injection)]
        if selection:
            decks[kind] = _deal(selection, dice)
    kinds = _deal([*decks, *({"network"} & decks.keys())], dice)
    return [next(decks[next(kinds)]) for _ in range(rounds)]


def _list_injections() -> Mapping[str, Sequence[FaultInjection]]:
    """Returns all injections by the kind of victim."""
    injections: dict[str, list[FaultInjection]] = {}
    for name in PROCESSES:
        group = injections.setdefault(name.partition("-")[0], [])
        group += [
            FaultInjection(name, fault, injector) for fault, injector in PROCESS_FAULTS.items()
        ]
    injections["network"] = [
        FaultInjection(link, fault, injector)
        for link in LINKS
        for fault, injector in LINK_FAULTS.items()
    ]
    return injections


def _deal(cards: Sequence[Item], dice: random.Random) -> Iterator[Item]:
    """Yields all items in random order, again and again."""
    while True:
        yield from dice.sample(cards, len(cards))


def _signal(cluster: ChaosCluster, name: str, number: signal.Signals) -> int:
    """Sends a signal once the process runs, and returns its id."""
    wait_until(lambda: cluster.find_process(name).pid != 0, f"{name} runs")
    pid = cluster.find_process(name).pid
    _send([pid], number)
    return pid


def _stop(cluster: ChaosCluster, name: str) -> None:
    """Stops a process and waits for its end, as an operator would.

    Kafka 4.1.1 can hang if it is stopped while it starts (a publisher of its MetadataLoader is null
    then), so the broker is killed after the time limit.
    """
    number = signal.SIGINT if name == "postgres" else signal.SIGTERM
    pid = _signal(cluster, name, number)

    def has_ended() -> bool:
        return cluster.find_process(name).pid != pid

    try:
        wait_until(has_ended, f"{name} ends after a signal")
    except AssertionError:
        if name != "broker":
            raise
        _send([pid], signal.SIGKILL)
        wait_until(has_ended, f"{name} ends after a kill")


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
