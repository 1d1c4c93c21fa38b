"""Facts about organizations on the wire."""

from datetime import date

from mutua.v1 import event_pb2 as pb
from services.adapters.wire.values import sort_set, tidy, tidy_set, to_date, to_enum, to_set
from services.ledger.enums import OrganizationType
from services.ledger.organization import (
    LABEL_FIELDS,
    AliasAdded,
    Organization,
    OrganizationRegistered,
    OrganizationUpdated,
)


def tidy_organization(fact: pb.OrganizationRegistered | pb.OrganizationUpdated) -> None:
    content = fact.organization
    content.organization_id = tidy(content.organization_id)
    for name in LABEL_FIELDS:
        if value := getattr(content, name):
            setattr(content, name, tidy(value))
    tidy_set(content.aliases)
    for external in content.external_ids:
        external.scheme = tidy(external.scheme)
        external.value = tidy(external.value)


def sort_organization(fact: pb.OrganizationRegistered | pb.OrganizationUpdated) -> None:
    sort_set(fact.organization.aliases)
    fact.organization.external_ids.sort(key=lambda external: (external.scheme, external.value))


def to_organization_registered(fact: pb.OrganizationRegistered) -> OrganizationRegistered:
    path = "organization_registered."
    return OrganizationRegistered(
        organization=_to_organization(fact.organization, f"{path}organization."),
        effective_date=_effective(fact, path),
    )


def to_organization_updated(fact: pb.OrganizationUpdated) -> OrganizationUpdated:
    path = "organization_updated."
    return OrganizationUpdated(
        organization=_to_organization(fact.organization, f"{path}organization."),
        effective_date=_effective(fact, path),
    )


def tidy_alias(fact: pb.AliasAdded) -> None:
    fact.alias = tidy(fact.alias)
    fact.organization_id = tidy(fact.organization_id)


def sort_alias(fact: pb.AliasAdded) -> None:
    """Has no sets."""


def to_alias(fact: pb.AliasAdded) -> AliasAdded:
    return AliasAdded(alias=fact.alias, organization_id=fact.organization_id)


def _effective(fact: pb.OrganizationRegistered | pb.OrganizationUpdated, path: str) -> date | None:
    if not fact.HasField("effective_date"):
        return None
    return to_date(fact.effective_date, f"{path}effective_date")


def _to_organization(content: pb.OrganizationContent, path: str) -> Organization:
    has = content.HasField
    return Organization(
        organization_id=content.organization_id,
        name=content.name,
        aliases=to_set(content.aliases, f"{path}aliases"),
        type=to_enum(OrganizationType, content.type, f"{path}type"),
        sector=content.sector,
        region=content.region,
        core_system=content.core_system,
        strategic_group=content.strategic_group,
        size=content.size,
        role=content.role,
        external_ids=tuple((external.scheme, external.value) for external in content.external_ids),
        open_date=to_date(content.open_date, f"{path}open_date") if has("open_date") else None,
        close_date=to_date(content.close_date, f"{path}close_date") if has("close_date") else None,
    )
