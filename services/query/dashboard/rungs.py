"""How rich the exchange of each pair is: how many exchanges it has on each rung."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mutua.v1.query_service_pb2 import ListPairsResponse
from services.ledger.richness import KINDS_BY_RUNG
from services.query.dashboard.asker import Asker
from services.query.dashboard.filters import with_filters
from services.query.dashboard.wording import describe_kind, list_words


async def ask_rungs(asker: Asker) -> list[ListPairsResponse]:
    """The pairs of each rung, from the lowest; no pairs where the filters leave out its kinds."""
    return await asyncio.gather(*(_ask_rung(asker, kinds) for kinds in KINDS_BY_RUNG))


async def _ask_rung(asker: Asker, kinds: Sequence[int]) -> ListPairsResponse:
    chosen = asker.question.kinds
    counted = [kind for kind in kinds if not chosen or kind in chosen]
    if not counted:
        return ListPairsResponse()
    question = with_filters(asker.question, kinds=counted)
    response: ListPairsResponse = await asker.ask("ListPairs", question)
    return response


def count_rungs(answers: Sequence[Any]) -> Mapping[frozenset[str], list[int]]:
    """The exchanges of each pair on each rung, from the lowest, in both directions together."""
    counts: dict[frozenset[str], list[int]] = defaultdict(lambda: [0] * len(KINDS_BY_RUNG))
    for place, answer in enumerate(answers):
        for pair in answer.pairs:
            key = frozenset((pair.giver_id, pair.receiver_id))
            counts[key][place] = pair.given_count + pair.received_count
    return counts


def find_rung(counts: Sequence[int]) -> int | None:
    """The highest rung with an exchange, from 1; None without any."""
    return max((rung for rung, count in enumerate(counts, start=1) if count), default=None)


def describe_rung(rung: int) -> str:
    """The kinds on a rung from 1, such as "call or advice"."""
    return list_words([describe_kind(kind) for kind in KINDS_BY_RUNG[rung - 1]], "or")
