"""Draws the parties of exchanges in the generated programme."""

from collections import defaultdict
from itertools import accumulate
from random import Random
from typing import Final

from mutua.v1.event_pb2 import ExchangeContent, OrganizationContent
from mutua.v1.types_pb2 import EXCHANGE_KIND_WEBINAR, ExchangeKind
from services.demo import sharing_model

ISOLATE_COUNT: Final = 5  # of the study's 36; they have no exchange
SILENT_COUNT: Final = 2  # take part, and record nothing
LEADER_COUNT: Final = 5  # give about half of all exchanges


class Parties:
    """The organizations that take part, with the partner and the kin of each."""

    def __init__(self, random: Random, roster: list[OrganizationContent], *, copies: int) -> None:
        self._random = random
        exemplars = [each for each in roster if each.role == "exemplar"]
        followers = [each for each in roster if each.role == "follower"]
        random.shuffle(exemplars)
        leaders = exemplars[: LEADER_COUNT * copies]
        others = exemplars[LEADER_COUNT * copies :] + followers
        random.shuffle(others)
        active = leaders + others[ISOLATE_COUNT * copies :]
        self.active: Final = [each.organization_id for each in active]
        self.silent: Final = frozenset(self.active[-SILENT_COUNT * copies :])
        # Giving has a heavy tail. Copies of the same rank have the same weight.
        self._weights = list(
            accumulate((rank // copies + 3) ** -1.4 for rank in range(len(active)))
        )
        self.pairs: Final = _pair_up(active)
        self._partners = {one: other for pair in self.pairs for one, other in (pair, pair[::-1])}
        self._kin = _find_kin(active)

    def draw(self, kind: ExchangeKind.ValueType, *, newcomer: str | None) -> ExchangeContent:
        """Draws the parties of an exchange. A newcomer gives; a silent newcomer receives."""
        receiver = newcomer if newcomer in self.silent else None
        giver = newcomer if newcomer and not receiver else self._draw_giver(receiver)
        parties = [giver, receiver or self._draw_receiver(giver)]
        if self._random.random() < sharing_model.SYMMETRIC_ODDS.get(kind, 0.0):
            self._add_others(parties, self._random.randint(*sharing_model.SYMMETRIC_PARTIES))
            return ExchangeContent(kind=kind, party_ids=parties)
        if kind == EXCHANGE_KIND_WEBINAR:
            self._add_others(parties, 1 + self._random.randint(*sharing_model.WEBINAR_RECEIVERS))
        return ExchangeContent(kind=kind, giver_ids=parties[:1], receiver_ids=parties[1:])

    def _draw_giver(self, receiver: str | None) -> str:
        while True:
            giver = self._random.choices(self.active, cum_weights=self._weights)[0]
            if giver != receiver:
                return giver

    def _draw_receiver(self, giver: str) -> str:
        luck = self._random.random()
        if luck < sharing_model.PARTNER_ODDS and giver in self._partners:
            return self._partners[giver]
        if luck < sharing_model.PARTNER_ODDS + sharing_model.KIN_ODDS and self._kin[giver]:
            return self._random.choice(self._kin[giver])
        return self._add_others([giver], 2)[1]

    def _add_others(self, parties: list[str], count: int) -> list[str]:
        """Adds drawn organizations until there are `count` parties."""
        drawn = self._random.sample(self.active, count)
        parties += [organization for organization in drawn if organization not in parties]
        del parties[count:]
        return parties


def _pair_up(active: list[OrganizationContent]) -> list[tuple[str, str]]:
    """Pairs exemplars with followers; surplus ones have no partner."""
    exemplars = [each.organization_id for each in active if each.role == "exemplar"]
    followers = [each.organization_id for each in active if each.role == "follower"]
    return list(zip(exemplars, followers, strict=False))


def _find_kin(active: list[OrganizationContent]) -> dict[str, list[str]]:
    """Maps every organization to all with the same core system or strategic grouping."""
    sharing = defaultdict[str, set[str]](set)
    for each in active:
        sharing[each.core_system].add(each.organization_id)
        sharing[each.strategic_group].add(each.organization_id)
    del sharing[""]
    return {
        each.organization_id: sorted(
            (sharing[each.core_system] | sharing[each.strategic_group]) - {each.organization_id}
        )
        for each in active
    }
