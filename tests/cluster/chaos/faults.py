"""Whom a round strikes, and how: each fault returns when it is over."""

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
from tests.faults.server_process import wait_until

Injector = Callable[[ChaosCluster, str, random.Random], None]
Card = TypeVar("Card")
_BEYOND_SECONDS: Final = 2.0
_DELAYS: Final = (0.05, 0.3, 1.0)
_START_SECONDS: Final = 3.0
"""Most of what happens while a process starts happens in so long."""


@dataclass(frozen=True, slots=True)
class FaultInjection:
    """`victim` is the name of a process, or of a link by both its ends."""

    victim: str
    fault: str
    inject: Injector

    @property
    def kind(self) -> str:
        return "network" if self.victim in LINKS else self.victim.partition("-")[0]

    def __str__(self) -> str:
        return f"{self.victim}: {self.fault}"


def kill(cluster: ChaosCluster, name: str, dice: random.Random) -> None:
    """As kill -9 or a power cut would."""
    _signal(cluster, name, signal.SIGKILL)


def restart(cluster: ChaosCluster, name: str, dice: random.Random) -> None:
    """As a new deployment does it: in its own way, and as long as that takes."""
    _stop(cluster, name)


def freeze(cluster: ChaosCluster, name: str, dice: random.Random) -> None:
    """Stands still until others have taken over, and then goes on as if nothing had happened."""
    pids = [cluster.find_process(name).pid]
    _send(pids, signal.SIGSTOP)
    pids += find_descendants(pids[0])  # none are added any more
    _send(pids, signal.SIGSTOP)
    pause(cluster.session_seconds + dice.uniform(0.5, _BEYOND_SECONDS))
    _send(pids, signal.SIGCONT)


def stop_during_startup(cluster: ChaosCluster, name: str, dice: random.Random) -> None:
    """Killed, and stopped in its own way somewhere in its next start."""
    before = _signal(cluster, name, signal.SIGKILL)
    wait_until(
        lambda: cluster.find_process(name).pid not in (0, before), f"{name} is started again"
    )
    pause(dice.uniform(0.0, _START_SECONDS))
    _stop(cluster, name)


def _fails(fault: LinkFault) -> Injector:
    def fail(cluster: ChaosCluster, link: str, dice: random.Random) -> None:
        """Sometimes for a moment, sometimes for longer than the session of a consumer."""
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
LINK_FAULTS: Final[Mapping[str, Injector]] = {str(fault): _fails(fault) for fault in LinkFault}


def plan_injections(seed: int, rounds: int, *, only: str = "") -> list[FaultInjection]:
    """What is struck in each round: every kind of victim as often, the network twice, and of a kind
    each victim and fault before any of them comes again.

    `only` is a part of the words of the choices that may be made.
    """
    dice = random.Random(seed)
    decks: dict[str, Iterator[FaultInjection]] = {}
    for kind, found in _choices().items():
        chosen = [each for each in found if only in str(each)]
        if chosen:
            decks[kind] = _dealt(chosen, dice)
    kinds = _dealt([*decks, *({"network"} & decks.keys())], dice)
    return [next(decks[next(kinds)]) for _ in range(rounds)]


def _choices() -> Mapping[str, Sequence[FaultInjection]]:
    """Everything that can be done, by the kind of victim."""
    found: dict[str, list[FaultInjection]] = {}
    for name in PROCESSES:
        group = found.setdefault(name.partition("-")[0], [])
        group += [FaultInjection(name, fault, strike) for fault, strike in PROCESS_FAULTS.items()]
    found["network"] = [
        FaultInjection(link, fault, strike)
        for link in LINKS
        for fault, strike in LINK_FAULTS.items()
    ]
    return found


def _dealt(cards: Sequence[Card], dice: random.Random) -> Iterator[Card]:
    """All of them in some order, and then again in another."""
    while True:
        yield from dice.sample(cards, len(cards))


def _signal(cluster: ChaosCluster, name: str, number: signal.Signals) -> int:
    """The process that got it, once there is one."""
    wait_until(lambda: cluster.find_process(name).pid != 0, f"{name} runs")
    pid = cluster.find_process(name).pid
    _send([pid], number)
    return pid


def _stop(cluster: ChaosCluster, name: str) -> None:
    """Asks it to end, and waits until it has, as whoever deploys would.

    Kafka 4.1.1 can hang when it is told to end while it starts (a publisher of its MetadataLoader
    is null by then). It is killed after a while, which is what whoever runs it does.
    """
    number = signal.SIGINT if name == "postgres" else signal.SIGTERM
    pid = _signal(cluster, name, number)

    def has_ended() -> bool:
        return cluster.find_process(name).pid != pid

    try:
        wait_until(has_ended, f"{name} ends when it is told to")
    except AssertionError:
        if name != "broker":
            raise
        _send([pid], signal.SIGKILL)
        wait_until(has_ended, f"{name} ends when it is killed")


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
