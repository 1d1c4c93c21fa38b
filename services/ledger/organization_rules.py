"""Rules: how facts about organizations change a ledger."""

from services.ledger.facts import LoggedRecord
from services.ledger.organization import (
    AliasAdded,
    Organization,
    OrganizationRegistered,
    OrganizationUpdated,
)
from services.ledger.state import (
    AppliedVerdict,
    Journal,
    Ledger,
    Needs,
    OrganizationVersion,
    QuarantineVerdict,
    Verdict,
    WaitingVerdict,
    make_organization_key,
    refuse,
)


def register(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, fact: OrganizationRegistered, at: int
) -> Verdict:
    """A second registration replaces the first, so no description of an organization is lost."""
    if refusal := _refusal_of_alias(ledger, fact.organization.organization_id):
        return refusal
    return _register_version(ledger, journal, logged, fact.organization, at)


def update(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, fact: OrganizationUpdated, at: int
) -> Verdict:
    identifier = fact.organization.organization_id
    if refusal := _refusal_of_alias(ledger, identifier):
        return refusal
    if identifier not in ledger.roster:
        return WaitingVerdict(make_organization_key(identifier))
    return _register_version(ledger, journal, logged, fact.organization, at)


def add_alias(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, fact: AliasAdded, at: int
) -> Verdict:
    if refusal := _refusal(ledger, fact.alias, fact.organization_id):
        return refusal
    _bind(ledger, journal, fact.alias, fact.organization_id, at)
    return AppliedVerdict((make_organization_key(fact.alias),))


def add_organization_needs(
    needs: Needs, fact: OrganizationRegistered | OrganizationUpdated
) -> None:
    organization = fact.organization
    needs.organization_ids.update((organization.organization_id, *organization.aliases))


def add_alias_needs(needs: Needs, fact: AliasAdded) -> None:
    needs.organization_ids.update((fact.organization_id, fact.alias))


def _register_version(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, organization: Organization, at: int
) -> Verdict:
    assert logged.event is not None
    identifier = organization.organization_id
    for alias in organization.aliases:
        if refusal := _refusal(ledger, alias, identifier):
            return refusal
    for alias in organization.aliases:
        _bind(ledger, journal, alias, identifier, at)
    previous = ledger.roster.get(identifier)
    version = OrganizationVersion(
        number=0 if previous is None else previous.number + 1,
        organization=organization,
        event_id=logged.event.event_id,
        from_offset=at,
        recorded_by=logged.event.recorded_by,
        source=logged.event.source,
        value=logged.value,
    )
    ledger.roster[identifier] = version
    journal.versions.append(version)
    return AppliedVerdict(tuple(map(make_organization_key, (identifier, *organization.aliases))))


def _refusal_of_alias(ledger: Ledger, identifier: str) -> QuarantineVerdict | None:
    """Returns a refusal when the id is an alias, because an alias is never registered."""
    if (bound := ledger.aliases.get(identifier)) is None:
        return None
    return refuse(f"{identifier!r} is already an alias of {bound!r}")


def _refusal(ledger: Ledger, alias: str, organization_id: str) -> QuarantineVerdict | None:
    bound = ledger.aliases.get(alias)
    if bound == organization_id:
        return None
    if bound is not None:
        return refuse(f"{alias!r} is already an alias of {bound!r}")
    if alias in ledger.roster:
        return refuse(f"{alias!r} is itself registered; merge the two instead")
    if ledger.resolve(organization_id) == alias:
        return refuse(f"{alias!r} would be an alias of itself")
    return None


def _bind(ledger: Ledger, journal: Journal, alias: str, organization_id: str, at: int) -> None:
    if alias not in ledger.aliases:
        ledger.aliases[alias] = organization_id
        journal.aliases.append((alias, organization_id, at))
