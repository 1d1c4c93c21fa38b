"""Organizations: their description, the facts about them, and the checks of these."""

from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import ClassVar, Final

from services.ledger.enums import OrganizationType
from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact
from services.ledger.validation import Violations, check_count, check_id, check_ids, check_label

LABEL_FIELDS = ("name", "sector", "region", "core_system", "strategic_group", "size", "role")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """The description of an organization, in force on [open_date, close_date)."""

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


ATTRIBUTES: Final = ("type", *(label for label in LABEL_FIELDS if label != "name"))
"""The fields by which organizations can be grouped and selected."""


def describe_unknown_attribute(attribute: str) -> str:
    """What is wrong with the name of an attribute, with the nearest right one."""
    near = get_close_matches(attribute, ATTRIBUTES, n=1)
    guess = f"did you mean {near[0]}?" if near else f"use one of {', '.join(ATTRIBUTES)}"
    return f"{attribute!r} is no attribute of organizations; {guess}"


def get_attribute(organization: Organization, attribute: str) -> str:
    """The value of one of ATTRIBUTES as people write it; "" is unknown."""
    value = getattr(organization, attribute)
    if isinstance(value, OrganizationType):
        return value.name.lower().replace("_", "-") if value else ""
    return str(value)


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
    event: Event, fact: OrganizationRegistered, violations: Violations
) -> None:
    _check_organization(fact.organization, "organization_registered.organization.", violations)


def check_organization_updated(
    event: Event, fact: OrganizationUpdated, violations: Violations
) -> None:
    _check_organization(fact.organization, "organization_updated.organization.", violations)


def check_alias_added(event: Event, fact: AliasAdded, violations: Violations) -> None:
    check_id(fact.alias, "alias_added.alias", violations)
    check_id(fact.organization_id, "alias_added.organization_id", violations)
    if fact.alias == fact.organization_id:
        violations.append(Violation("alias_added.alias", "is the organization's own id"))


def _check_organization(organization: Organization, path: str, violations: Violations) -> None:
    check_id(organization.organization_id, f"{path}organization_id", violations)
    for name in LABEL_FIELDS:
        check_label(getattr(organization, name), f"{path}{name}", violations)
    check_ids(organization.aliases, f"{path}aliases", violations)
    if organization.organization_id in organization.aliases:
        violations.append(
            Violation(f"{path}aliases", "has the organization's own id; leave it out")
        )
    if check_count(organization.external_ids, f"{path}external_ids", violations):
        for index, (scheme, value) in enumerate(organization.external_ids):
            check_id(scheme, f"{path}external_ids[{index}].scheme", violations)
            check_id(value, f"{path}external_ids[{index}].value", violations)
    opened, closed = organization.open_date, organization.close_date
    if opened and closed and closed < opened:
        violations.append(Violation(f"{path}close_date", "is before open_date"))
