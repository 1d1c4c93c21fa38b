"""Whom a round strikes, and how: each fault returns when it is over."""

import os
import random
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from tests.cluster.brokers import pause
from tests.cluster.chaos.cluster import LINKS, PROCESSES, Cluster
from tests.cluster.chaos.proxy import Fault
from tests.cluster.processes import descendants
from tests.faults.processes import eventually

Strike = Callable[[Cluster, str, random.Random], None]
Card = TypeVar("Card")
_BEYOND_SECONDS: Final = 2.0
_DELAYS: Final = (0.05, 0.3, 1.0)
_START_SECONDS: Final = 3.0
"""Most of what happens while a process starts happens in so long."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`victim` is the name of a process, or of a link by both its ends."""

    victim: str
    fault: str
    strike: Strike

    @property
    def kind(self) -> str:
        return "network" if self.victim in LINKS else self.victim.partition("-")[0]

    def __str__(self) -> str:
        return f"{self.victim}: {self.fault}"


def kill(cluster: Cluster, name: str, dice: random.Random) -> None:
    """As kill -9 or a power cut would."""
    _signal(cluster, name, signal.SIGKILL)


def restart(cluster: Cluster, name: str, dice: random.Random) -> None:
    """As a new deployment does it: in its own way, and as long as that takes."""
    _stop(cluster, name)


def freeze(cluster: Cluster, name: str, dice: random.Random) -> None:
    """Stands still until others have taken over, and then goes on as if nothing had happened."""
    pids = [cluster.process(name).pid]
    _send(pids, signal.SIGSTOP)
    pids += descendants(pids[0])  # none are added any more
    _send(pids, signal.SIGSTOP)
    pause(cluster.session_seconds + dice.uniform(0.5, _BEYOND_SECONDS))
    _send(pids, signal.SIGCONT)


def stop_in_start_up(cluster: Cluster, name: str, dice: random.Random) -> None:
    """Killed, and stopped in its own way somewhere in its next start."""
    before = _signal(cluster, name, signal.SIGKILL)
    eventually(lambda: cluster.process(name).pid not in (0, before), f"{name} is started again")
    pause(dice.uniform(0.0, _START_SECONDS))
    _stop(cluster, name)


def _fails(fault: Fault) -> Strike:
    def fail(cluster: Cluster, link: str, dice: random.Random) -> None:
        """Sometimes for a moment, sometimes for longer than the session of a consumer."""
        longest = dice.choice((2.0, cluster.session_seconds + _BEYOND_SECONDS))
        cluster.links[link].fail(fault, delay_seconds=dice.choice(_DELAYS))
        pause(dice.uniform(0.5, longest))
        cluster.links[link].heal()

    return fail


OF_PROCESSES: Final[Mapping[str, Strike]] = {
    "kill -9": kill,
    "freeze": freeze,
    "restart": restart,
    "SIGTERM in start-up": stop_in_start_up,
}
OF_LINKS: Final[Mapping[str, Strike]] = {str(fault): _fails(fault) for fault in Fault}


def plan(seed: int, rounds: int, *, only: str = "") -> list[Choice]:
    """What is struck in each round: every kind of victim as often, the network twice, and of a kind
    each victim and fault before any of them comes again.

    `only` is a part of the words of the choices that may be made.
    """
    dice = random.Random(seed)
    decks: dict[str, Iterator[Choice]] = {}
    for kind, found in _choices().items():
        chosen = [each for each in found if only in str(each)]
        if chosen:
            decks[kind] = _dealt(chosen, dice)
    kinds = _dealt([*decks, *({"network"} & decks.keys())], dice)
    return [next(decks[next(kinds)]) for _ in range(rounds)]


def _choices() -> Mapping[str, Sequence[Choice]]:
    """Everything that can be done, by the kind of victim."""
    found: dict[str, list[Choice]] = {}
    for name in PROCESSES:
        group = found.setdefault(name.partition("-")[0], [])
        group += [Choice(name, fault, strike) for fault, strike in OF_PROCESSES.items()]
    found["network"] = [
        Choice(link, fault, strike) for link in LINKS for fault, strike in OF_LINKS.items()
    ]
    return found


def _dealt(cards: Sequence[Card], dice: random.Random) -> Iterator[Card]:
    """All of them in some order, and then again in another."""
    while True:
        yield from dice.sample(cards, len(cards))


def _signal(cluster: Cluster, name: str, number: signal.Signals) -> int:
    """The process that got it, once there is one."""
    eventually(lambda: cluster.process(name).pid != 0, f"{name} runs")
    pid = cluster.process(name).pid
    _send([pid], number)
    return pid


def _stop(cluster: Cluster, name: str) -> None:
    """Asks it to end, and waits until it has, as whoever deploys would.

    Kafka 4.1.1 can hang when it is told to end while it starts (a publisher of its MetadataLoader
    is null by then). It is killed after a while, which is what whoever runs it does.
    """
    number = signal.SIGINT if name == "postgres" else signal.SIGTERM
    pid = _signal(cluster, name, number)

    def has_ended() -> bool:
        return cluster.process(name).pid != pid

    try:
        eventually(has_ended, f"{name} ends when it is told to")
    except AssertionError:
        if name != "broker":
            raise
        _send([pid], signal.SIGKILL)
        eventually(has_ended, f"{name} ends when it is killed")


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
