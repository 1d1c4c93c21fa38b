"""Identity: resolves recorded ids, alone and in exchanges, to organizations."""

from collections.abc import Mapping

from services.ledger.exchange import Exchange


def resolve(aliases: Mapping[str, str], recorded_id: str) -> str:
    """Returns the organization of an id, following chains of aliases."""
    while recorded_id in aliases:
        recorded_id = aliases[recorded_id]
    return recorded_id


# decision 0111: aliases are resolved before allocation
def resolve_exchange(aliases: Mapping[str, str], exchange: Exchange) -> Exchange:
    """Returns the exchange with every side as a set of organizations, ascending by id.

    An alias is another spelling of its organization, so two spellings on one side are one party.
    """

    def organizations(recorded_ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({resolve(aliases, each) for each in recorded_ids}))

    return exchange._replace(
        giver_ids=organizations(exchange.giver_ids),
        receiver_ids=organizations(exchange.receiver_ids),
        party_ids=organizations(exchange.party_ids),
    )


def is_internal(resolved: Exchange) -> bool:
    """Whether both sides of a resolved exchange share an organization, or its parties are one.

    Such an exchange enters no measure: none of its legs says who gave to whom.
    """
    shared = not set(resolved.giver_ids).isdisjoint(resolved.receiver_ids)
    return shared or len(resolved.party_ids) == 1
