"""An organization: what is known of it, the facts about it, and what each must be."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from services.ledger.enums import OrganizationType
from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact
from services.ledger.validation import Violations, check_count, check_id, check_ids, check_label

_LABELS = ("name", "sector", "region", "core_system", "strategic_group", "size", "role")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """What is known of an organization. In force on [open_date, close_date)."""

    organization_id: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    type: OrganizationType = OrganizationType.UNSPECIFIED
    sector: str = ""
    region: str = ""
    core_system: str = ""
    strategic_group: str = ""
    size: str = ""
    role: str = ""
    external_ids: tuple[tuple[str, str], ...] = ()
    open_date: date | None = None
    close_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationRegistered(Fact):
    FIELD: ClassVar = "organization_registered"
    organization: Organization
    effective_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationUpdated(Fact):
    FIELD: ClassVar = "organization_updated"
    organization: Organization
    effective_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasAdded(Fact):
    FIELD: ClassVar = "alias_added"
    alias: str
    organization_id: str


def check_organization_registered(
    event: Event, fact: OrganizationRegistered, found: Violations
) -> None:
    _check_organization(fact.organization, "organization_registered.organization.", found)


def check_organization_updated(event: Event, fact: OrganizationUpdated, found: Violations) -> None:
    _check_organization(fact.organization, "organization_updated.organization.", found)


def check_alias_added(event: Event, fact: AliasAdded, found: Violations) -> None:
    check_id(fact.alias, "alias_added.alias", found)
    check_id(fact.organization_id, "alias_added.organization_id", found)
    if fact.alias == fact.organization_id:
        found.append(Violation("alias_added.alias", "is the organization's own id"))


def _check_organization(organization: Organization, path: str, found: Violations) -> None:
    check_id(organization.organization_id, f"{path}organization_id", found)
    for name in _LABELS:
        check_label(getattr(organization, name), f"{path}{name}", found)
    check_ids(organization.aliases, f"{path}aliases", found)
    if organization.organization_id in organization.aliases:
        found.append(Violation(f"{path}aliases", "has the organization's own id; leave it out"))
    if check_count(organization.external_ids, f"{path}external_ids", found):
        for index, (scheme, value) in enumerate(organization.external_ids):
            check_id(scheme, f"{path}external_ids[{index}].scheme", found)
            check_id(value, f"{path}external_ids[{index}].value", found)
    opened, closed = organization.open_date, organization.close_date
    if opened and closed and closed < opened:
        found.append(Violation(f"{path}close_date", "is before open_date"))
